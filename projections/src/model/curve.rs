//! Curves: from the value of a metric to points (health-model §5).

use toml::Value as Toml;

use super::document::{list, number, refused};
use super::{ModelError, bad_value};

/// Most pairs of a curve.
const PAIRS_MAX: usize = 100;
/// Greatest size of a value: past every instant in µs, and differences of two are finite.
const VALUE_MAX: f64 = 1e18;
/// The best that a measure or a score can be; 0 is the worst.
pub const POINTS_MAX: f64 = 100.0;

/// A line through (value, points) pairs, flat outside of them.
#[derive(Clone, PartialEq, Debug)]
pub struct Curve {
    /// At least two; values rise strictly, points are from 0 to 100.
    pairs: Vec<(f64, f64)>,
}

impl Curve {
    /// The points for a value, from 0 to 100: y0 + (y1 − y0)·((x − x0)/(x1 − x0)) between the two pairs around it.
    pub fn points(&self, value: f64) -> f64 {
        let above = self.pairs.partition_point(|(x, _)| *x <= value);
        match (above.checked_sub(1).map(|below| self.pairs[below]), self.pairs.get(above)) {
            (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * ((value - x0) / (x1 - x0)),
            (Some((_, last)), None) => last,
            (None, _) => self.pairs[0].1,
        }
    }

    /// The (value, points) pairs, by rising value.
    pub fn pairs(&self) -> &[(f64, f64)] {
        &self.pairs
    }

    pub(super) fn read(declared: &Toml, path: &str) -> Result<Self, ModelError> {
        let entries = list(declared, path, "a list of [value, points] pairs")?;
        if entries.len() < 2 {
            return Err(bad_value(path, declared, "a curve, which has at least 2 [value, points] pairs"));
        }
        if entries.len() > PAIRS_MAX {
            return Err(refused(path, format!("{} pairs, at most {PAIRS_MAX} are allowed", entries.len())));
        }
        let mut pairs: Vec<(f64, f64)> = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let Some([value, points]) = entry.as_array().map(Vec::as_slice) else {
                return Err(bad_value(&path, entry, "a pair [value, points]"));
            };
            let value = number(value, &path, "a finite value of at most 1e18 in size", |value| {
                value.abs() <= VALUE_MAX
            })?;
            let points =
                number(points, &path, "points from 0 to 100", |points| (0.0..=POINTS_MAX).contains(&points))?;
            if let Some((before, _)) = pairs.last()
                && value <= *before
            {
                return Err(refused(
                    &path,
                    format!("the value {value} does not exceed {before} before it; values must rise"),
                ));
            }
            pairs.push((value, points));
        }
        Ok(Self { pairs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(curve: &str) -> Result<Curve, String> {
        let table: toml::Table = format!("c = {curve}").parse().expect(curve);
        Curve::read(&table["c"], "measures.m.curve").map_err(|error| error.to_string())
    }

    #[test]
    fn points_lie_on_the_line_and_stay_flat_outside() {
        let curve = read("[[-1, 20], [0, 0], [0.5, 40], [2, 100]]").unwrap();
        for (value, points) in
            [(f64::NEG_INFINITY, 20.0), (-1.0, 20.0), (-0.5, 10.0), (0.0, 0.0), (0.25, 20.0), (0.5, 40.0)]
                .into_iter()
                .chain([(1.25, 70.0), (2.0, 100.0), (3.0, 100.0), (f64::INFINITY, 100.0)])
        {
            assert_eq!(curve.points(value), points, "at {value}");
        }
    }

    #[test]
    fn what_is_no_curve_is_refused_with_the_pair() {
        for (curve, message) in [
            ("3", "measures.m.curve: 3 is not a list of [value, points] pairs"),
            (
                "[[0, 0]]",
                "measures.m.curve: [[0, 0]] is not a curve, which has at least 2 [value, points] pairs",
            ),
            ("[[0, 0], [1]]", "measures.m.curve[1]: [1] is not a pair [value, points]"),
            ("[[0, 0], 7]", "measures.m.curve[1]: 7 is not a pair [value, points]"),
            ("[[0, 0], [inf, 9]]", "measures.m.curve[1]: inf is not a finite value of at most 1e18 in size"),
            ("[[nan, 0], [1, 9]]", "measures.m.curve[0]: nan is not a finite value of at most 1e18 in size"),
            ("[[0, 0], [1, 101]]", "measures.m.curve[1]: 101 is not points from 0 to 100"),
            ("[[0, -0.5], [1, 9]]", "measures.m.curve[0]: -0.5 is not points from 0 to 100"),
            (
                "[[0, 0], [0.5, 1], [0.5, 2]]",
                "measures.m.curve[2]: the value 0.5 does not exceed 0.5 before it; values must rise",
            ),
        ] {
            assert_eq!(read(curve), Err(message.to_owned()));
        }
    }
}
