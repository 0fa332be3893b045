//! The median.

/// The middle of some numbers, of an even count the mean of the two in the middle; sorts them. `None` of none.
pub(super) fn median(numbers: &mut [f64]) -> Option<f64> {
    numbers.sort_unstable_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        count if count % 2 == 1 => Some(numbers[middle]),
        _ => Some((numbers[middle - 1] + numbers[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_lies_on_either_side() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [7.0]), Some(7.0));
        assert_eq!(median(&mut [9.0, -1.0, 4.0]), Some(4.0));
        assert_eq!(median(&mut [9.0, -1.0, 4.0, 5.0]), Some(4.5));
    }
}
