//! Parses `order_by` and compares items by it.

use std::cmp::Ordering;

use super::filter::{FILTER_BYTES_MAX, FilterError, Operand, Resolve};

/// Keys in one order at most.
pub const KEYS_MAX: usize = 8;

/// A checked order over fields `F`. Ties are left to the caller, who knows what is unique.
#[derive(Clone, PartialEq, Debug)]
pub struct Order<F> {
    keys: Vec<Key<F>>,
}

#[derive(Clone, PartialEq, Debug)]
struct Key<F> {
    field: F,
    descending: bool,
}

impl<F> Order<F> {
    /// Reads `field [asc|desc] {, field [asc|desc]}`; the empty text gives an order without keys.
    ///
    /// # Errors
    /// Names the first place that does not fit.
    pub fn parse(text: &str, resolve: &Resolve<'_, F>) -> Result<Self, FilterError> {
        let error = |offset, problem: String| Err(FilterError { offset, problem });
        if text.len() > FILTER_BYTES_MAX {
            return error(
                FILTER_BYTES_MAX,
                format!("the order has {} bytes, at most {FILTER_BYTES_MAX} are read", text.len()),
            );
        }
        let mut keys = Vec::new();
        let mut offset = 0;
        for part in text.split(',').filter(|_| !text.trim().is_empty()) {
            let at = offset + (part.len() - part.trim_start().len());
            offset += part.len() + 1;
            if keys.len() == KEYS_MAX {
                return error(at, format!("more than {KEYS_MAX} keys"));
            }
            let (name, direction) =
                part.trim().split_once(char::is_whitespace).unwrap_or((part.trim(), "asc"));
            let descending = match direction.trim() {
                "asc" => false,
                "desc" => true,
                other => return error(at, format!("{other:?} is no direction: asc or desc")),
            };
            let path: Vec<String> = name.split('.').map(|step| step.trim_matches('"').to_owned()).collect();
            match resolve(&path) {
                Some((field, _)) => keys.push(Key { field, descending }),
                None => return error(at, format!("no field {name:?} here")),
            }
        }
        Ok(Self { keys })
    }

    /// The values of an item in the fields of this order.
    pub fn key<'a>(&self, field: &mut impl FnMut(&F) -> Option<Operand<'a>>) -> Vec<Option<Operand<'a>>> {
        self.keys.iter().map(|key| field(&key.field)).collect()
    }

    /// How two items with these keys stand. Absent values come last, up or down.
    pub fn compare(&self, left: &[Option<Operand<'_>>], right: &[Option<Operand<'_>>]) -> Ordering {
        let pairs = self.keys.iter().zip(left.iter().zip(right));
        pairs
            .map(|(key, (left, right))| key.compare(left, right))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl<F> Key<F> {
    fn compare(&self, left: &Option<Operand<'_>>, right: &Option<Operand<'_>>) -> Ordering {
        match (left, right) {
            (Some(left), Some(right)) if self.descending => compare(right, left),
            (Some(left), Some(right)) => compare(left, right),
            _ => right.is_some().cmp(&left.is_some()),
        }
    }
}

/// A total order of all values: by type first, since one field may hold several.
fn compare(left: &Operand<'_>, right: &Operand<'_>) -> Ordering {
    match (left, right) {
        (Operand::Text(left), Operand::Text(right)) => left.cmp(right),
        (Operand::Truth(left), Operand::Truth(right)) => left.cmp(right),
        (Operand::Instant(left), Operand::Instant(right)) => left.cmp(right),
        (Operand::Day(left), Operand::Day(right)) => left.cmp(right),
        (Operand::Exact(left), Operand::Exact(right)) => left.cmp(right),
        _ => match (number(left), number(right)) {
            (Some(left), Some(right)) => left.total_cmp(&right),
            _ => rank(left).cmp(&rank(right)),
        },
    }
}

fn number(operand: &Operand<'_>) -> Option<f64> {
    match operand {
        Operand::Exact(number) => Some(number.to_f64()),
        Operand::Number(number) => Some(*number),
        _ => None,
    }
}

fn rank(operand: &Operand<'_>) -> u8 {
    match operand {
        Operand::Exact(_) | Operand::Number(_) => 0,
        Operand::Truth(_) => 1,
        Operand::Day(_) => 2,
        Operand::Instant(_) => 3,
        Operand::Text(_) => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter::Kind;
    use super::*;
    use tidewatch_projections::decimal::Decimal;

    fn resolve(path: &[String]) -> Option<(usize, Kind)> {
        ["seats", "name"].iter().position(|name| *name == path[0]).map(|at| (at, Kind::Any))
    }

    fn sorted(order: &str, items: &[(Option<i64>, &'static str)]) -> Vec<&'static str> {
        let order = Order::parse(order, &resolve).unwrap();
        let mut keyed: Vec<_> = items
            .iter()
            .map(|(seats, name)| {
                let mut field = |at: &usize| match at {
                    0 => seats.map(|seats| Operand::Exact(Decimal::from(seats))),
                    _ => Some(Operand::Text((*name).into())),
                };
                (order.key(&mut field), *name)
            })
            .collect();
        keyed.sort_by(|(left, _), (right, _)| order.compare(left, right));
        keyed.into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn absent_values_come_last_up_and_down() {
        let items = [(None, "x"), (Some(2), "b"), (Some(1), "c"), (Some(2), "a")];
        assert_eq!(sorted("seats, name", &items), ["c", "a", "b", "x"]);
        assert_eq!(sorted("seats desc,name desc", &items), ["b", "a", "c", "x"]);
        assert_eq!(sorted("", &items), ["x", "b", "c", "a"]);
    }

    #[test]
    fn errors_name_the_offset() {
        let refused = |text| Order::parse(text, &resolve).unwrap_err();
        assert_eq!(refused("seats, nome").offset, 7);
        assert_eq!(refused("seats down").problem, "\"down\" is no direction: asc or desc");
        assert_eq!(refused("seats,").offset, 6);
    }
}
