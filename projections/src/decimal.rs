//! Exact decimal numbers, read from their text and never through binary floating point.

use std::cmp::Ordering;
use std::fmt;

/// A decimal number: `mantissa · 10^exponent`, in lowest terms (no trailing zero in the mantissa; zero has exponent 0).
///
/// Two equal numbers have equal fields, so `1`, `1.0` and `10e-1` are one value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Decimal {
    mantissa: i128,
    exponent: i32,
}

/// Significant digits kept; finer digits are cut.
pub const DIGITS_MAX: usize = 36;
/// Largest magnitude of an exponent that is read; a number beyond is refused.
pub const EXPONENT_MAX: i32 = 400;
/// Digits after the point in which [`Decimal::to_exact`] counts.
pub const EXACT_DIGITS: u32 = 15;
/// Quantities are kept in millionths (health-model §1).
pub const QUANTITY_DIGITS: u32 = 6;

impl Decimal {
    /// Zero, as `0 · 10⁰`.
    pub const ZERO: Self = Self { mantissa: 0, exponent: 0 };

    /// `mantissa · 10^exponent`, brought to lowest terms.
    pub fn new(mut mantissa: i128, mut exponent: i32) -> Self {
        if mantissa == 0 {
            return Self::ZERO;
        }
        // Nearly all numbers are short, and divisions of 128 bits are calls.
        if let Ok(mut short) = i64::try_from(mantissa) {
            while short % 10 == 0 {
                short /= 10;
                exponent += 1;
            }
            return Self { mantissa: short.into(), exponent };
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        Self { mantissa, exponent }
    }

    /// Reads a decimal in the grammar of a JSON number (a leading `+` is allowed too); `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (number, exponent) = match digits.find(['e', 'E']) {
            Some(at) => (&digits[..at], parse_exponent(&digits[at + 1..])?),
            None => (digits, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || (number.contains('.') && fraction.is_empty()) {
            return None;
        }
        let mut mantissa: i128 = 0;
        let mut kept = 0;
        let mut dropped = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            if kept < DIGITS_MAX {
                mantissa = mantissa * 10 + i128::from(byte - b'0');
                kept += usize::from(mantissa != 0);
            } else {
                dropped += 1;
            }
        }
        if mantissa == 0 {
            return Some(Self::ZERO);
        }
        let exponent = i64::from(exponent) + dropped - i64::try_from(fraction.len()).ok()?;
        let exponent = i32::try_from(exponent).ok().filter(|e| e.abs() <= EXPONENT_MAX)?;
        Some(Self::new(if negative { -mantissa } else { mantissa }, exponent))
    }

    /// The mantissa in lowest terms.
    pub fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// The power of ten the mantissa is multiplied by.
    pub fn exponent(self) -> i32 {
        self.exponent
    }

    /// The number in units of 10^-`digits`, finer digits cut towards zero; `None` when it does not fit.
    pub fn scaled(self, digits: u32) -> Option<i128> {
        let shift = i64::from(self.exponent) + i64::from(digits);
        match u32::try_from(shift) {
            Ok(shift) => 10i128.checked_pow(shift)?.checked_mul(self.mantissa),
            Err(_) => {
                let down = u32::try_from(-shift).ok()?;
                Some(10i128.checked_pow(down).map_or(0, |unit| self.mantissa / unit))
            }
        }
    }

    /// The number in the fixed unit in which sums are exact (10⁻¹⁵, so that a small double keeps nine digits); `None`
    /// beyond ± 10²¹, past every integer of 64 bits.
    pub fn to_exact(self) -> Option<i128> {
        const LIMIT: i128 = 10i128.pow(36);
        self.scaled(EXACT_DIGITS).filter(|exact| exact.abs() <= LIMIT)
    }

    /// The double nearest to it, for arithmetic that need not be exact.
    pub fn to_f64(self) -> f64 {
        if let Some(nearest) = nearest_double(self.mantissa, self.exponent) {
            return nearest;
        }
        // The standard library's parser rounds correctly; a product of two doubles would not.
        format!("{}e{}", self.mantissa, self.exponent).parse().expect("digits, an e and an exponent")
    }
}

fn parse_exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.strip_prefix('+').unwrap_or(text).parse().ok()
}

/// The nearest double to `exact · 10^-digits`.
pub fn exact_to_f64(exact: i128, digits: u32) -> f64 {
    if let Some(nearest) = i32::try_from(digits).ok().and_then(|digits| nearest_double(exact, -digits)) {
        return nearest;
    }
    let unit = 10i128.pow(digits);
    if exact % unit == 0 && (exact / unit).abs() <= DOUBLE_INTEGER_MAX.into() {
        return (exact / unit) as f64;
    }
    format!("{exact}e-{digits}").parse().expect("digits, an e and an exponent")
}

/// Up to here every integer is a double.
const DOUBLE_INTEGER_MAX: i64 = 1 << 53;
/// Powers of ten that are doubles.
const DOUBLE_TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// The nearest double to `mantissa · 10^exponent` where one rounding finds it: mantissa and power of ten are doubles. `None`
/// elsewhere.
fn nearest_double(mantissa: i128, exponent: i32) -> Option<f64> {
    let mantissa = i64::try_from(mantissa).ok().filter(|m| m.unsigned_abs() <= DOUBLE_INTEGER_MAX as u64)?;
    let tens = DOUBLE_TENS.get(exponent.unsigned_abs() as usize)?;
    Some(if exponent < 0 { mantissa as f64 / tens } else { mantissa as f64 * tens })
}

impl Decimal {
    /// The order of two numbers whose mantissas are short and exponents near, as nearly all are; `None` elsewhere.
    fn cmp_short(&self, other: &Self) -> Option<Ordering> {
        const DIGITS: u32 = i64::MAX.ilog10();
        let (Ok(_), Ok(_)) = (i64::try_from(self.mantissa), i64::try_from(other.mantissa)) else {
            return None;
        };
        let apart =
            self.exponent.checked_sub(other.exponent).filter(|apart| apart.unsigned_abs() <= DIGITS)?;
        let tens = i128::from(10i64.pow(apart.unsigned_abs()));
        Some(if apart < 0 {
            self.mantissa.cmp(&(other.mantissa * tens))
        } else {
            (self.mantissa * tens).cmp(&other.mantissa)
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = self.mantissa.signum().cmp(&other.mantissa.signum());
        if sign != Ordering::Equal || self.mantissa == 0 {
            return sign;
        }
        if let Some(order) = self.cmp_short(other) {
            return order;
        }
        let magnitude = |d: &Self| i64::from(d.mantissa.unsigned_abs().ilog10()) + i64::from(d.exponent);
        let order = magnitude(self).cmp(&magnitude(other)).then_with(|| {
            // Equal leading powers: the exponents differ by fewer digits than a mantissa holds.
            let low = self.exponent.min(other.exponent);
            let wide = |d: &Self| (d.mantissa.unsigned_abs(), (d.exponent - low).unsigned_abs());
            let ((a, up_a), (b, up_b)) = (wide(self), wide(other));
            match (10u128.checked_pow(up_a), 10u128.checked_pow(up_b)) {
                (Some(x), Some(y)) => (a * x).cmp(&(b * y)),
                _ => unreachable!("mantissas of equal magnitude differ by at most {DIGITS_MAX} digits"),
            }
        });
        if self.mantissa < 0 { order.reverse() } else { order }
    }
}

impl fmt::Display for Decimal {
    /// Plain notation up to 40 places, exponent notation beyond; the text parses back to the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PLACES_MAX: u32 = 40;
        if self.exponent.unsigned_abs() > PLACES_MAX {
            return write!(f, "{}e{}", self.mantissa, self.exponent);
        }
        let places = self.exponent.unsigned_abs() as usize;
        if self.exponent >= 0 {
            return write!(f, "{}{}", self.mantissa, "0".repeat(places));
        }
        let digits = format!("{:0>width$}", self.mantissa.unsigned_abs(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        write!(f, "{}{whole}.{fraction}", if self.mantissa < 0 { "-" } else { "" })
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self::new(i128::from(value), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_read_exactly() {
        let read = |text: &str| Decimal::parse(text).map(|d| d.to_string());
        assert_eq!(read("1.0"), Some("1".into()));
        assert_eq!(read("-0.10"), Some("-0.1".into()));
        assert_eq!(read("12e3"), Some("12000".into()));
        assert_eq!(read("0.000"), Some("0".into()));
        assert_eq!(read("1e-3"), Some("0.001".into()));
        for bad in ["", "-", ".5", "5.", "1e", "0x1", "1_0", "NaN", "1e999999999999", "1e500", "١"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn finer_digits_are_cut_not_rounded() {
        assert_eq!(Decimal::parse("1.9999999").unwrap().scaled(6), Some(1_999_999));
        assert_eq!(Decimal::parse("-1.9999999").unwrap().scaled(6), Some(-1_999_999));
        assert_eq!(Decimal::parse("1e30").unwrap().to_exact(), None);
    }

    proptest! {
        #[test]
        fn printing_and_reading_is_the_identity(mantissa in -10i128.pow(35)..10i128.pow(35), exponent in -60i32..60) {
            let number = Decimal::new(mantissa, exponent);
            prop_assert_eq!(Decimal::parse(&number.to_string()), Some(number));
        }

        #[test]
        fn the_nearest_double_is_what_the_parser_of_the_standard_library_finds(
            mantissa in prop_oneof![any::<i64>(), -DOUBLE_INTEGER_MAX..=DOUBLE_INTEGER_MAX, -10_000i64..10_000],
            exponent in -40i32..40,
        ) {
            let parsed = |text: String| text.parse::<f64>().map(f64::to_bits).unwrap();
            let number = Decimal::new(mantissa.into(), exponent);
            prop_assert_eq!(number.to_f64().to_bits(), parsed(format!("{mantissa}e{exponent}")));
            let digits = exponent.unsigned_abs() % 30;
            let exact = exact_to_f64(mantissa.into(), digits);
            prop_assert_eq!(exact.to_bits(), parsed(format!("{mantissa}e-{digits}")));
        }

        #[test]
        fn order_of_short_numbers_agrees_with_that_of_all(
            a in any::<i64>(), up_a in -20i32..20, b in any::<i64>(), up_b in -20i32..20,
        ) {
            let (a, b) = (Decimal::new(a.into(), up_a), Decimal::new(b.into(), up_b));
            if let Some(order) = a.cmp_short(&b) {
                let wide = |d: Decimal| Decimal { exponent: d.exponent + 25, ..d }.scaled(0);
                if let (Some(a), Some(b)) = (wide(a), wide(b)) {
                    prop_assert_eq!(order, a.cmp(&b));
                }
                prop_assert_eq!(b.cmp_short(&a), Some(order.reverse()));
            }
        }

        #[test]
        fn order_agrees_with_integers(a in any::<i64>(), b in any::<i64>(), down in 0i32..12) {
            let number = |v: i64| Decimal::new(i128::from(v), -down);
            prop_assert_eq!(number(a).cmp(&number(b)), a.cmp(&b));
        }
    }
}
