//! Converts times between RFC 3339 text and whole microseconds since the epoch.

use tidewatch_projections::event::Micros;

use crate::reject::{Reason, Rejection};

/// The earliest time: 0001-01-01T00:00:00Z, in µs since the epoch.
pub const TIME_MIN: Micros = -62_135_596_800_000_000;
/// The latest time: the last microsecond of the year 9999 in UTC.
pub const TIME_MAX: Micros = 253_402_300_799_999_999;

const SECOND: Micros = 1_000_000;
const MINUTE: Micros = 60 * SECOND;
const DAY_SECONDS: i64 = 86_400;

/// The time if it lies in the years 0001 to 9999.
///
/// # Errors
/// `bad_time` outside them.
pub fn in_range(at: Micros) -> Result<Micros, Rejection> {
    if (TIME_MIN..=TIME_MAX).contains(&at) {
        return Ok(at);
    }
    Err(Rejection::new(
        Reason::BadTime,
        format!("{at} µs since the epoch lies outside the years 0001 to 9999"),
    ))
}

/// Reads an RFC 3339 instant. Digits past the microsecond are cut. A leap second (`23:59:60` UTC) is the last
/// microsecond of its minute, so that it stays in its day and after every other instant of it.
///
/// # Errors
/// `bad_time` for everything else, a time without an offset included.
pub fn read_rfc3339(text: &str) -> Result<Micros, Rejection> {
    parse_rfc3339(text.as_bytes())
        .ok_or_else(|| {
            let detail = format!(
                "{text:?} is no RFC 3339 time such as 2024-05-01T08:00:00Z or 2024-05-01T10:00:00.5+02:00"
            );
            Rejection::new(Reason::BadTime, detail)
        })
        .and_then(in_range)
}

fn parse_rfc3339(text: &[u8]) -> Option<Micros> {
    let (clock, rest) = text.split_at_checked(19)?;
    let days = days_of_date(&clock[..10])?;
    if !matches!(clock[10], b'T' | b't' | b' ') || clock[13] != b':' || clock[16] != b':' {
        return None;
    }
    let (hour, minute, second) = (number(&clock[11..13])?, number(&clock[14..16])?, number(&clock[17..19])?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, zone) = read_fraction(rest)?;
    let offset_minutes = match zone {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let minutes = (days * DAY_SECONDS) / 60 + hour * 60 + minute - offset_minutes;
    if second == 60 {
        const LAST_MINUTE_OF_DAY: i64 = 1439;
        return (minutes.rem_euclid(1440) == LAST_MINUTE_OF_DAY).then_some((minutes + 1) * MINUTE - 1);
    }
    Some(minutes * MINUTE + second * SECOND + fraction)
}

/// Microseconds of a fraction `.123…` (none: 0), and what follows it.
fn read_fraction(rest: &[u8]) -> Option<(Micros, &[u8])> {
    let Some(digits) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let micros =
        (0..6).fold(0, |sum, at| sum * 10 + if at < count { i64::from(digits[at] - b'0') } else { 0 });
    Some((micros, &digits[count..]))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

/// Days from 1970-01-01 to a date written `YYYY-MM-DD`.
fn days_of_date(text: &[u8]) -> Option<i64> {
    if text.len() != 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > length {
        return None;
    }
    // Years from March, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_of_year = (153 * month + 2) / 5 + day - 1;
    const DAYS_TO_EPOCH: i64 = 719_468;
    Some(
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + days_of_year
            - DAYS_TO_EPOCH,
    )
}

/// Whether the text is a calendar date `YYYY-MM-DD` of the years 0001 to 9999.
pub fn is_date(text: &str) -> bool {
    days_of_date(text.as_bytes()).is_some() && !text.starts_with("0000")
}

/// The RFC 3339 text of an instant in UTC, with as many digits of the second as it needs.
pub fn write_rfc3339(at: Micros) -> String {
    let seconds = at.div_euclid(SECOND);
    let fraction = at.rem_euclid(SECOND);
    let (date, second_of_day) =
        (date_of_days(seconds.div_euclid(DAY_SECONDS)), seconds.rem_euclid(DAY_SECONDS));
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    if fraction == 0 {
        return format!("{date}T{hour:02}:{minute:02}:{second:02}Z");
    }
    let digits = format!("{fraction:06}");
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{}Z", digits.trim_end_matches('0'))
}

fn date_of_days(days: i64) -> String {
    const DAYS_TO_EPOCH: i64 = 719_468;
    const ERA_DAYS: i64 = 146_097;
    let days = days + DAYS_TO_EPOCH;
    let (era, day_of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year_of_era + carry)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn instants_are_read_to_the_microsecond() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.000001Z", 1),
            ("1970-01-01T00:00:00.0000019Z", 1),
            ("1969-12-31T23:59:59.9999999Z", -1),
            ("1970-01-01T02:00:00+02:00", 0),
            ("1969-12-31t18:30:00.5-05:30", 500_000),
            ("2024-02-29 12:00:00z", 1_709_208_000_000_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
            ("0001-01-01T00:00:00Z", TIME_MIN),
            ("9999-12-31T23:59:59.999999Z", TIME_MAX),
            ("2016-12-31T23:59:60Z", 1_483_228_799_999_999),
            ("2017-01-01T00:59:60.5+01:00", 1_483_228_799_999_999),
        ] {
            assert_eq!(read_rfc3339(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_a_bad_time() {
        for text in [
            "",
            "2024-05-01",
            "2024-05-01T08:00:00",
            "2024-05-01T08:00Z",
            "2024-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-01-00T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:61Z",
            "2024-01-01T12:00:60Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00+0100",
            "2024-01-01T00:00:00+01",
            "0000-12-31T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "2024-01-01T00:00:00Z ",
            "٢٠٢٤-01-01T00:00:00Z",
            "2024-01-01T00:00:00Zé",
        ] {
            assert_eq!(read_rfc3339(text).map_err(|r| r.reason), Err(Reason::BadTime), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn writing_and_reading_is_the_identity(at in TIME_MIN..=TIME_MAX) {
            prop_assert_eq!(read_rfc3339(&write_rfc3339(at)), Ok(at));
        }

        #[test]
        fn agrees_with_the_calendar_library(at in -62_135_596_800_000_000i64..=253_000_000_000_000_000) {
            prop_assert_eq!(write_rfc3339(at), jiff::Timestamp::from_microsecond(at).unwrap().to_string());
        }
    }
}
