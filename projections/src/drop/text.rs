//! The sentence that explains a verdict in figures.

use std::fmt::{self, Display, Formatter};

use super::verdict::{Evidence, Verdict};

impl Verdict {
    /// What happened against what was expected; `None` where nothing speaks against the account.
    pub fn text(&self) -> Option<String> {
        let p = Rounded(self.p);
        match &self.evidence {
            Evidence::InsufficientHistory | Evidence::Nothing => None,
            Evidence::Silence(silence) => Some(format!(
                "{} days without activity; active on {} of the {} days before, so about {:.1} active days were \
                 expected; adjusted p = {p}",
                silence.days, silence.active, silence.known, silence.missed
            )),
            Evidence::Count(fall) => {
                let (low, high) = fall.expected_range();
                Some(format!(
                    "{} events in the last {} day(s) against {low:.0}-{high:.0} expected (same weekdays of the last \
                     {} weeks); adjusted p = {p}",
                    fall.count.trunc(),
                    fall.days,
                    fall.weeks
                ))
            }
        }
    }
}

/// A probability with one digit that counts, as C's `%.1g` writes it: 0.0004, 4e-07.
pub(super) struct Rounded(pub f64);

impl Display for Rounded {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rounded = format!("{:.0e}", self.0);
        let (digit, exponent) = rounded.split_once('e').expect("it is written with an exponent");
        match exponent.parse::<i32>().expect("the exponent is a whole number") {
            exponent @ -4..=0 => write!(f, "{:.*}", exponent.unsigned_abs() as usize, self.0),
            exponent => {
                let sign = if exponent < 0 { '-' } else { '+' };
                write!(f, "{digit}e{sign}{:02}", exponent.unsigned_abs())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_digit_counts() {
        for (p, text) in [
            (1.0, "1"),
            (0.96, "1"),
            (0.4859, "0.5"),
            (0.25, "0.2"),
            (0.000_96, "0.001"),
            (9.6e-5, "0.0001"),
            (9.4e-5, "9e-05"),
            (4.4e-7, "4e-07"),
            (1e-300, "1e-300"),
        ] {
            assert_eq!(Rounded(p).to_string(), text);
        }
    }
}
