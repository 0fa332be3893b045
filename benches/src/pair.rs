//! Pairs: two things measured turn by turn, so that whatever else the machine does meets both.

use std::fmt;

use crate::cost::Cost;

/// Least, median and greatest of some figures.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spread {
    /// The least.
    pub least: f64,
    /// The median; of an even number, the mean of the middle two.
    pub median: f64,
    /// The greatest.
    pub greatest: f64,
}

impl Spread {
    /// The spread of at least one figure.
    ///
    /// # Panics
    /// Without figures.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (last, middle) = (figures.len().checked_sub(1).expect("there are figures"), figures.len() / 2);
        let median = (figures[middle] + figures[last - middle]) / 2.0;
        Self { least: figures[0], median, greatest: figures[last] }
    }

    /// The same with every figure changed by a rising function.
    pub fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self { least: change(self.least), median: change(self.median), greatest: change(self.greatest) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.median.abs() {
            ..10.0 => 2,
            ..100.0 => 1,
            _ => 0,
        };
        let Self { least, median, greatest } = self;
        write!(f, "{median:.digits$} ({least:.digits$}–{greatest:.digits$})")
    }
}

/// Costs of ours and of what it stands beside, run by run.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Ours.
    pub ours: Vec<Cost>,
    /// The other side's, in the same order.
    pub peer: Vec<Cost>,
}

impl Pair {
    /// Runs both sides `rounds` times, each round beginning with the other one; a first round warms both and is not counted.
    pub fn alternate(rounds: usize, mut ours: impl FnMut() -> Cost, mut peer: impl FnMut() -> Cost) -> Self {
        let mut pair = Self { ours: Vec::new(), peer: Vec::new() };
        for round in 0..=rounds {
            let (own, other) = if round % 2 == 0 {
                let own = ours();
                (own, peer())
            } else {
                let other = peer();
                (ours(), other)
            };
            if round > 0 {
                pair.ours.push(own);
                pair.peer.push(other);
            }
        }
        pair
    }

    /// How many times the other's processor time an item of ours takes.
    pub fn cpu_ratio(&self) -> Spread {
        self.ratio(Cost::cpu_ns)
    }

    /// How many times the other's time on the wall an item of ours takes.
    pub fn wall_ratio(&self) -> Spread {
        self.ratio(Cost::wall_ns)
    }

    fn ratio(&self, figure: fn(&Cost) -> f64) -> Spread {
        Spread::of(self.ours.iter().zip(&self.peer).map(|(ours, peer)| figure(ours) / figure(peer)))
    }
}

/// Processor time for one item, in ns.
pub fn cpu_ns(costs: &[Cost]) -> Spread {
    Spread::of(costs.iter().map(Cost::cpu_ns))
}

/// Time on the wall for one item, in ns.
pub fn wall_ns(costs: &[Cost]) -> Spread {
    Spread::of(costs.iter().map(Cost::wall_ns))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(Spread::of([4.0, 1.0, 3.0, 2.0]), Spread { least: 1.0, median: 2.5, greatest: 4.0 });
        assert_eq!(Spread::of([5.0]).to_string(), "5.00 (5.00–5.00)");
    }

    #[test]
    fn both_sides_run_equally_often_and_take_turns_at_being_first() {
        let order = std::cell::RefCell::new(String::new());
        let cost = Cost { items: 2, cpu: Duration::from_nanos(8), wall: Duration::from_nanos(10) };
        let ours = || {
            order.borrow_mut().push('o');
            cost
        };
        let peer = || {
            order.borrow_mut().push('p');
            Cost { items: 1, ..cost }
        };
        let pair = Pair::alternate(2, ours, peer);
        assert_eq!(order.into_inner(), "oppoop");
        assert_eq!((pair.ours.len(), pair.peer.len()), (2, 2));
        assert_eq!(pair.cpu_ratio().median, 0.5);
        assert_eq!(cpu_ns(&pair.ours).median, 4.0);
    }
}
