//! Parses times in the formats that a mapping declares: RFC 3339, epoch units, dates and strptime patterns.

use jiff::civil::{Date, Time};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::Micros;
use toml::{Table, Value as Toml};

use super::error::{MappingError, bad_value, invalid, texts};
use super::mapped_value::MappedValue;
use crate::reject::{Reason, Rejection};
use crate::time;

/// One format in which a feed can write times.
#[derive(Clone, PartialEq, Eq, Debug)]
enum TimeFormat {
    Rfc3339,
    /// A number, or a text of one, of this many digits below the second.
    Epoch {
        digits: u32,
    },
    /// A calendar date, written `YYYY-MM-DD`.
    Date,
    /// A pattern with the conversion letters of strptime.
    Pattern(String),
}

/// The formats in which a feed writes its times, tried in order, and the zone of times that name none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimeParser {
    formats: Vec<TimeFormat>,
    zone: TimeZone,
}

/// A parsed time: an instant, or a day in the parser's zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParsedTime {
    /// An instant, in µs since the epoch.
    Instant(Micros),
    /// A calendar day in the parser's zone.
    Day(Date),
}

const EXPECTED: &str = "rfc3339, s, ms, us, ns, date, or a pattern with % such as \"%d/%m/%Y %H:%M\"";

impl TimeParser {
    /// The parser of RFC 3339, the format unless the mapping declares another.
    pub fn rfc3339() -> Self {
        Self { formats: vec![TimeFormat::Rfc3339], zone: TimeZone::UTC }
    }

    /// Reads the keys `time` and `zone` of a table; `None` when it has no `time`.
    pub(super) fn of_table(at: &str, table: &Table) -> Result<Option<Self>, MappingError> {
        let Some(written) = table.get("time") else {
            return match table.get("zone") {
                Some(_) => Err(invalid(at, "zone needs time; name the format of the time")),
                None => Ok(None),
            };
        };
        let time_at = format!("{at}.time");
        let formats = texts(&time_at, written)?
            .iter()
            .map(|format| format_of(&time_at, format))
            .collect::<Result<Vec<_>, _>>()?;
        if formats.is_empty() {
            return Err(bad_value(&time_at, written, EXPECTED));
        }
        let zone = match table.get("zone") {
            None => TimeZone::UTC,
            Some(Toml::String(name)) => TimeZone::get(name).map_err(|_| {
                bad_value(&format!("{at}.zone"), &table["zone"], "an IANA time zone such as Europe/London")
            })?,
            Some(other) => {
                return Err(bad_value(
                    &format!("{at}.zone"),
                    other,
                    "an IANA time zone such as Europe/London",
                ));
            }
        };
        Ok(Some(Self { formats, zone }))
    }

    /// Parses a time by the first format that fits.
    ///
    /// # Errors
    /// `bad_time` when none does.
    pub fn read(&self, value: &MappedValue<'_>) -> Result<ParsedTime, Rejection> {
        let mut failure = None;
        for format in &self.formats {
            match self.read_format(format, value) {
                Ok(parsed) => return Ok(parsed),
                Err(rejection) => failure = failure.or(Some(rejection)),
            }
        }
        Err(failure.expect("a parser has at least one format"))
    }

    fn read_format(&self, format: &TimeFormat, value: &MappedValue<'_>) -> Result<ParsedTime, Rejection> {
        match (format, value) {
            (TimeFormat::Epoch { digits }, MappedValue::Number(number)) => of_epoch(*number, *digits),
            (TimeFormat::Epoch { digits }, MappedValue::Text(text)) => match Decimal::parse(text) {
                Some(number) => of_epoch(number, *digits),
                None => Err(bad_time(format!("{text:?} is no number of time units since the epoch"))),
            },
            (TimeFormat::Rfc3339, MappedValue::Text(text)) => {
                time::read_rfc3339(text).map(ParsedTime::Instant)
            }
            (TimeFormat::Date, MappedValue::Text(text)) if time::is_date(text) => {
                text.parse().map(ParsedTime::Day).map_err(|error| bad_time(format!("{text:?}: {error}")))
            }
            (TimeFormat::Date, MappedValue::Text(text)) => {
                Err(bad_time(format!("{text:?} is no date YYYY-MM-DD")))
            }
            (TimeFormat::Pattern(pattern), MappedValue::Text(text)) => self.read_pattern(pattern, text),
            (_, other) => Err(bad_time(format!("{} is no time by this format", other.kind()))),
        }
    }

    fn read_pattern(&self, pattern: &str, text: &str) -> Result<ParsedTime, Rejection> {
        let bad = |error: jiff::Error| bad_time(format!("{text:?} does not fit {pattern:?}: {error}"));
        let read = BrokenDownTime::parse(pattern, text).map_err(bad)?;
        if read.timestamp().is_some() || read.offset().is_some() || read.iana_time_zone().is_some() {
            let at = match read.iana_time_zone() {
                Some(_) => read.to_zoned_datetime().map_err(bad)?.timestamp(),
                None => read.to_timestamp().map_err(bad)?,
            };
            return time::in_range(at.as_nanosecond().div_euclid(1000) as Micros).map(ParsedTime::Instant);
        }
        let date = read.to_date().map_err(bad)?;
        if read.hour().is_none() {
            return Ok(ParsedTime::Day(date));
        }
        let time = read.to_time().map_err(bad)?;
        self.instant(date, time).map(ParsedTime::Instant)
    }

    /// The instant of a parsed time; a day is its start in the zone.
    ///
    /// # Errors
    /// `bad_time` outside the years 0001 to 9999.
    pub fn instant_of(&self, parsed: ParsedTime) -> Result<Micros, Rejection> {
        match parsed {
            ParsedTime::Instant(at) => Ok(at),
            ParsedTime::Day(date) => self.instant(date, Time::midnight()),
        }
    }

    /// The instant of a wall-clock time. One that a change of clocks skips moves forward; of a repeated one the first counts.
    fn instant(&self, date: Date, clock: Time) -> Result<Micros, Rejection> {
        let at = self.zone.to_timestamp(date.to_datetime(clock));
        let at = at.map_err(|error| bad_time(format!("{date} {clock}: {error}")))?;
        time::in_range(at.as_nanosecond().div_euclid(1000) as Micros)
    }
}

fn of_epoch(number: Decimal, digits: u32) -> Result<ParsedTime, Rejection> {
    const MICRO_DIGITS: i32 = 6;
    let shift = MICRO_DIGITS - i32::try_from(digits).expect("at most nine digits");
    // Cut to the microsecond at or before it, as text times are.
    let micros = Decimal::new(number.mantissa(), number.exponent() + shift);
    let cut = micros.scaled(0).and_then(|cut| Micros::try_from(cut).ok());
    let below = i64::from(micros.mantissa() < 0 && micros.exponent() < 0);
    cut.and_then(|cut| cut.checked_sub(below))
        .ok_or_else(|| bad_time(format!("{number} does not fit 64 bits of µs")))
        .and_then(time::in_range)
        .map(ParsedTime::Instant)
}

fn bad_time(detail: String) -> Rejection {
    Rejection::new(Reason::BadTime, detail)
}

fn format_of(at: &str, format: &str) -> Result<TimeFormat, MappingError> {
    Ok(match format {
        "rfc3339" => TimeFormat::Rfc3339,
        "s" => TimeFormat::Epoch { digits: 0 },
        "ms" => TimeFormat::Epoch { digits: 3 },
        "us" => TimeFormat::Epoch { digits: 6 },
        "ns" => TimeFormat::Epoch { digits: 9 },
        "date" => TimeFormat::Date,
        pattern if pattern.contains('%') => {
            // A pattern that cannot print a time cannot read one either.
            let sample = jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
            jiff::fmt::strtime::format(pattern, &sample)
                .map_err(|error| invalid(at, format!("the pattern {pattern:?} is not valid: {error}")))?;
            TimeFormat::Pattern(pattern.to_owned())
        }
        other => return Err(bad_value(at, &Toml::String(other.to_owned()), EXPECTED)),
    })
}
