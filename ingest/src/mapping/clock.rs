//! Time formats of feeds.

use jiff::civil::{Date, Time};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::Micros;
use toml::{Table, Value as Toml};

use super::cooked::Cooked;
use super::error::{MappingError, bad_value, refused, texts};
use crate::reject::{Reason, Rejection};
use crate::time;

/// One way to write a time.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Form {
    Rfc3339,
    /// A number, or a text of one, of this many digits below the second.
    Epoch {
        digits: u32,
    },
    /// `YYYY-MM-DD`.
    Date,
    /// A pattern of strptime.
    Pattern(String),
}

/// How a feed writes its times, and the zone of those that name none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clock {
    forms: Vec<Form>,
    zone: TimeZone,
}

/// A time as read: an instant, or a day of the clock's zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// An instant.
    Instant(Micros),
    /// A calendar day.
    Day(Date),
}

const EXPECTED: &str = "rfc3339, s, ms, us, ns, date, or a pattern with % such as \"%d/%m/%Y %H:%M\"";

impl Clock {
    /// RFC 3339, what a time is unless the mapping says otherwise.
    pub fn rfc3339() -> Self {
        Self { forms: vec![Form::Rfc3339], zone: TimeZone::UTC }
    }

    /// Reads the keys `time` and `zone` of a table; `None` when it has no `time`.
    pub(super) fn of_table(at: &str, table: &Table) -> Result<Option<Self>, MappingError> {
        let Some(written) = table.get("time") else {
            return match table.get("zone") {
                Some(_) => Err(refused(at, "zone needs time; name the format of the time")),
                None => Ok(None),
            };
        };
        let time_at = format!("{at}.time");
        let forms = texts(&time_at, written)?
            .iter()
            .map(|form| form_of(&time_at, form))
            .collect::<Result<Vec<_>, _>>()?;
        if forms.is_empty() {
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
        Ok(Some(Self { forms, zone }))
    }

    /// Reads a time by the first form that fits.
    ///
    /// # Errors
    /// `bad_time` when none does.
    pub fn read(&self, value: &Cooked<'_>) -> Result<Moment, Rejection> {
        let mut failure = None;
        for form in &self.forms {
            match self.read_form(form, value) {
                Ok(moment) => return Ok(moment),
                Err(rejection) => failure = failure.or(Some(rejection)),
            }
        }
        Err(failure.expect("a clock has at least one form"))
    }

    fn read_form(&self, form: &Form, value: &Cooked<'_>) -> Result<Moment, Rejection> {
        match (form, value) {
            (Form::Epoch { digits }, Cooked::Number(number)) => of_epoch(*number, *digits),
            (Form::Epoch { digits }, Cooked::Text(text)) => match Decimal::parse(text) {
                Some(number) => of_epoch(number, *digits),
                None => Err(bad_time(format!("{text:?} is no number of time units since the epoch"))),
            },
            (Form::Rfc3339, Cooked::Text(text)) => time::read_rfc3339(text).map(Moment::Instant),
            (Form::Date, Cooked::Text(text)) if time::is_date(text) => {
                text.parse().map(Moment::Day).map_err(|error| bad_time(format!("{text:?}: {error}")))
            }
            (Form::Date, Cooked::Text(text)) => Err(bad_time(format!("{text:?} is no date YYYY-MM-DD"))),
            (Form::Pattern(pattern), Cooked::Text(text)) => self.read_pattern(pattern, text),
            (_, other) => Err(bad_time(format!("{} is no time by this format", other.kind()))),
        }
    }

    fn read_pattern(&self, pattern: &str, text: &str) -> Result<Moment, Rejection> {
        let bad = |error: jiff::Error| bad_time(format!("{text:?} does not fit {pattern:?}: {error}"));
        let read = BrokenDownTime::parse(pattern, text).map_err(bad)?;
        if read.timestamp().is_some() || read.offset().is_some() || read.iana_time_zone().is_some() {
            let at = match read.iana_time_zone() {
                Some(_) => read.to_zoned_datetime().map_err(bad)?.timestamp(),
                None => read.to_timestamp().map_err(bad)?,
            };
            return time::in_range(at.as_nanosecond().div_euclid(1000) as Micros).map(Moment::Instant);
        }
        let date = read.to_date().map_err(bad)?;
        if read.hour().is_none() {
            return Ok(Moment::Day(date));
        }
        let time = read.to_time().map_err(bad)?;
        self.instant(date, time).map(Moment::Instant)
    }

    /// The instant of a moment; a day is its start in the clock's zone.
    ///
    /// # Errors
    /// `bad_time` outside the years 0001 to 9999.
    pub fn instant_of(&self, moment: Moment) -> Result<Micros, Rejection> {
        match moment {
            Moment::Instant(at) => Ok(at),
            Moment::Day(date) => self.instant(date, Time::midnight()),
        }
    }

    /// A skipped wall-clock time moves forward, of a repeated one the first counts.
    fn instant(&self, date: Date, clock: Time) -> Result<Micros, Rejection> {
        let at = self.zone.to_timestamp(date.to_datetime(clock));
        let at = at.map_err(|error| bad_time(format!("{date} {clock}: {error}")))?;
        time::in_range(at.as_nanosecond().div_euclid(1000) as Micros)
    }
}

fn of_epoch(number: Decimal, digits: u32) -> Result<Moment, Rejection> {
    const MICRO_DIGITS: i32 = 6;
    let shift = MICRO_DIGITS - i32::try_from(digits).expect("at most nine digits");
    // Cut to the microsecond at or before it, as text times are.
    let micros = Decimal::new(number.mantissa(), number.exponent() + shift);
    let cut = micros.scaled(0).and_then(|cut| Micros::try_from(cut).ok());
    let below = i64::from(micros.mantissa() < 0 && micros.exponent() < 0);
    cut.and_then(|cut| cut.checked_sub(below))
        .ok_or_else(|| bad_time(format!("{number} does not fit 64 bits of µs")))
        .and_then(time::in_range)
        .map(Moment::Instant)
}

fn bad_time(detail: String) -> Rejection {
    Rejection::new(Reason::BadTime, detail)
}

fn form_of(at: &str, form: &str) -> Result<Form, MappingError> {
    Ok(match form {
        "rfc3339" => Form::Rfc3339,
        "s" => Form::Epoch { digits: 0 },
        "ms" => Form::Epoch { digits: 3 },
        "us" => Form::Epoch { digits: 6 },
        "ns" => Form::Epoch { digits: 9 },
        "date" => Form::Date,
        pattern if pattern.contains('%') => {
            // A pattern that cannot print a time cannot read one either.
            let sample = jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
            jiff::fmt::strtime::format(pattern, &sample)
                .map_err(|error| refused(at, format!("the pattern {pattern:?} is not valid: {error}")))?;
            Form::Pattern(pattern.to_owned())
        }
        other => return Err(bad_value(at, &Toml::String(other.to_owned()), EXPECTED)),
    })
}
