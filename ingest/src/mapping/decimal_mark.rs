//! Parses numbers as people write them: `1.234,50 €`, `$1,234.50`, `(12.00)`.

use tidewatch_projections::decimal::Decimal;

use crate::reject::{Reason, Rejection};

/// The mark between the whole and the fraction. The other one groups digits, as spaces and apostrophes do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DecimalMark {
    Point,
    Comma,
}

/// Characters that group digits, whatever the decimal mark.
const GROUPS: [char; 6] = [' ', '\u{a0}', '\u{202f}', '\'', '’', '_'];
/// Characters on either side of a number that make it negative; accountants write parentheses.
const MINUS: [char; 3] = ['-', '−', '('];

impl DecimalMark {
    /// The mark that a mapping names.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        match text {
            "." => Some(Self::Point),
            "," => Some(Self::Comma),
            _ => None,
        }
    }

    /// The number of a text. A sign, and a currency's sign or code, may stand on either side.
    ///
    /// # Errors
    /// `bad_field` when there is no number, or anything else in it.
    pub(super) fn read(self, text: &str) -> Result<Decimal, Rejection> {
        let (mark, group) = match self {
            Self::Point => ('.', ','),
            Self::Comma => (',', '.'),
        };
        let is_digit = |c: char| c.is_ascii_digit();
        let number = text.find(is_digit).zip(text.rfind(is_digit)).and_then(|(first, last)| {
            // ".5" starts at its mark; "12,-" has no cents and is not negative.
            let first = if text[..first].ends_with(mark) { first - 1 } else { first };
            let (before, number, after) = (&text[..first], &text[first..=last], &text[last + 1..]);
            let after =
                after.strip_prefix(mark).map_or(after, |rest| rest.trim_start_matches(['-', '–', '—']));
            let mut around = before.chars().chain(after.chars());
            let mut plain = String::with_capacity(number.len() + 2);
            if around.any(|c| MINUS.contains(&c)) {
                plain.push('-');
            }
            if number.starts_with(mark) {
                plain.push('0');
            }
            for character in number.chars().filter(|c| *c != group && !GROUPS.contains(c)) {
                plain.push(if character == mark { '.' } else { character });
            }
            Decimal::parse(&plain)
        });
        number.ok_or_else(|| {
            let detail = format!("{text:?} is no number with the decimal mark {:?}", mark.to_string());
            Rejection::new(Reason::BadField, detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        use DecimalMark::{Comma, Point};
        for (mark, text, expected) in [
            (Comma, "1.234,50 EUR", "1234.5"),
            (Comma, "−1 234,5", "-1234.5"),
            (Comma, "CHF 1’000", "1000"),
            (Point, "$1,234.50", "1234.5"),
            (Point, "-€12", "-12"),
            (Point, "(12.00)", "-12"),
            (Point, "7", "7"),
            (Point, ".5", "0.5"),
            (Comma, "1.200,- €", "1200"),
        ] {
            assert_eq!(mark.read(text).unwrap().to_string(), expected, "{text}");
        }
        for (mark, text) in
            [(Comma, "1,2,3"), (Point, "12 of 20 a"), (Point, "none"), (Point, ""), (Point, "1x2")]
        {
            assert!(mark.read(text).is_err(), "{text}");
        }
    }
}
