//! Calendar days in the reporting zone (health-model §3).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::event::Micros;
use crate::value::Value;

/// A calendar day, counted from 1970-01-01 in the reporting zone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Day(pub i32);

const EPOCH: Date = Date::constant(1970, 1, 1);
const DAY_MICROS: i64 = 86_400_000_000;

impl Day {
    /// Before every day an event can fall on.
    pub const MIN: Self = Self(i32::MIN / 4);
    /// After every day an event can fall on.
    pub const MAX: Self = Self(i32::MAX / 4);

    /// The day of a civil date.
    pub fn from_date(date: Date) -> Self {
        let days = date.duration_since(EPOCH).as_hours() / 24;
        Self(i32::try_from(days).expect("dates of the calendar are less than 2^31 days apart"))
    }

    /// The civil date, within the years -9999 to 9999.
    pub fn date(self) -> Date {
        EPOCH.saturating_add(SignedDuration::from_hours(24 * i64::from(self.0)))
    }

    /// The date as `YYYY-MM-DD`.
    pub fn to_text(self) -> String {
        let date = self.date();
        let Ok(year) = u16::try_from(date.year()) else { return date.to_string() };
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        let two = |number: u8| [b'0' + number / 10, b'0' + number % 10].map(char::from);
        let year = [year / 100, year % 100].map(|part| two(part as u8));
        let (month, day) = (two(month), two(day));
        let mut text = String::with_capacity("YYYY-MM-DD".len());
        text.extend(year.into_iter().flatten());
        text.push('-');
        text.extend(month);
        text.push('-');
        text.extend(day);
        text
    }

    /// The day written as `YYYY-MM-DD`; `None` for any other text and for days that no calendar has.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        plain.then(|| text.parse().ok().map(Self::from_date)).flatten()
    }

    /// The day `days` later (earlier when negative).
    pub fn plus(self, days: i64) -> Self {
        Self(i32::try_from(i64::from(self.0) + days).unwrap_or(if days < 0 {
            Self::MIN.0
        } else {
            Self::MAX.0
        }))
    }

    /// Days from `earlier` to this day.
    pub fn since(self, earlier: Self) -> i64 {
        i64::from(self.0) - i64::from(earlier.0)
    }

    /// The same day of the month `months` later, cut to the month's end.
    pub fn plus_months(self, months: i64) -> Self {
        let months = i32::try_from(months).unwrap_or(i32::MAX).clamp(-200_000, 200_000);
        Self::from_date(self.date().saturating_add(months.months()))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date().fmt(f)
    }
}

/// A zone that the bundled IANA database does not have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "time zone {zone:?} is not in the bundled IANA database; use a name such as \"Europe/Berlin\" or \"UTC\""
)]
pub struct UnknownZone {
    /// The name that was asked for.
    pub zone: String,
}

/// Days of one reporting zone. Cheap to clone.
#[derive(Clone, PartialEq)]
pub struct Calendar {
    zone: TimeZone,
    /// First instants of the days from [`TABLE_FIRST`] on: conversion by table costs a tenth of a look-up by rule.
    starts: Arc<[Micros]>,
}

/// The table covers the years in which events are expected; others are computed.
const TABLE_FIRST: Day = Day(0);
const TABLE_DAYS: usize = 366 * 100;

impl Calendar {
    /// The calendar of an IANA zone, by the rules bundled with this build only.
    ///
    /// # Errors
    /// When the database has no such zone.
    pub fn new(name: &str) -> Result<Self, UnknownZone> {
        let zone = TimeZone::get(name).map_err(|_| UnknownZone { zone: name.to_owned() })?;
        let starts = shared_table(&zone, name);
        Ok(Self { zone, starts })
    }

    /// The calendar whose days begin at midnight UTC.
    pub fn utc() -> Self {
        Self::new("UTC").expect("UTC is always known")
    }

    /// The day an instant falls on.
    pub fn day(&self, at: Micros) -> Day {
        let guess = at.div_euclid(DAY_MICROS) - i64::from(TABLE_FIRST.0);
        let inside = guess >= 1 && guess + 2 < self.starts.len() as i64;
        if !inside {
            return self.day_by_rule(at);
        }
        let guess = guess as usize;
        let index = if at < self.starts[guess] {
            guess - 1
        } else if at >= self.starts[guess + 1] {
            guess + 1
        } else {
            guess
        };
        TABLE_FIRST.plus(index as i64)
    }

    fn day_by_rule(&self, at: Micros) -> Day {
        // The last fraction of a second of the range has no timestamp of whole microseconds.
        const SECOND_US: Micros = 1_000_000;
        let (least, most) = (Timestamp::MIN.as_second() * SECOND_US, Timestamp::MAX.as_second() * SECOND_US);
        let instant =
            Timestamp::from_microsecond(at.clamp(least, most)).expect("clamped to the range of timestamps");
        Day::from_date(instant.to_zoned_datetime(self.zone.clone()).date())
    }

    /// The first instant of a day.
    pub fn start(&self, day: Day) -> Micros {
        usize::try_from(day.since(TABLE_FIRST))
            .ok()
            .and_then(|index| self.starts.get(index).copied())
            .unwrap_or_else(|| first_instant(&self.zone, day))
    }

    /// The first instant after a day.
    pub fn end(&self, day: Day) -> Micros {
        self.start(day.plus(1))
    }

    /// The day a property names: a date as it stands, an instant by its day in the zone.
    pub fn named_day(&self, value: &Value) -> Option<Day> {
        match Named::of(value)? {
            Named::Date(day) => Some(day),
            Named::Instant(at) => Some(self.day(at)),
        }
    }
}

/// How a property names a day (health-model §1, `due_at`, `effective_at`, `term_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named {
    /// A date, as `2024-03-01`.
    Date(Day),
    /// An instant: a text with an offset, or whole microseconds since the epoch.
    Instant(Micros),
}

impl Named {
    /// Reads a property; `None` where it names no day.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Day::parse(text).map(Self::Date).or_else(|| {
                text.parse::<Timestamp>().ok().map(|instant| Self::Instant(instant.as_microsecond()))
            }),
            Value::Number(number) if number.exponent() >= 0 => {
                let at = Micros::try_from(number.scaled(0)?).ok()?;
                Timestamp::from_microsecond(at).ok().map(|_| Self::Instant(at))
            }
            _ => None,
        }
    }
}

/// The table of a zone, made once for all calendars that live at the same time: it costs milliseconds and 300 kB.
fn shared_table(zone: &TimeZone, name: &str) -> Arc<[Micros]> {
    static SHARED: Mutex<BTreeMap<String, Weak<[Micros]>>> = Mutex::new(BTreeMap::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(table) = shared.get(name).and_then(Weak::upgrade) {
        return table;
    }
    let day = |ahead| TABLE_FIRST.plus(i64::try_from(ahead).expect("a small table"));
    let table: Arc<[Micros]> = (0..=TABLE_DAYS).map(|ahead| first_instant(zone, day(ahead))).collect();
    shared.retain(|_, table| table.strong_count() > 0);
    shared.insert(name.to_owned(), Arc::downgrade(&table));
    table
}

fn first_instant(zone: &TimeZone, day: Day) -> Micros {
    let date = day.date();
    match date.to_zoned_datetime(zone.clone()).and_then(|midnight| midnight.start_of_day()) {
        Ok(start) => start.timestamp().as_microsecond(),
        Err(_) if day.0 < 0 => Timestamp::MIN.as_microsecond(),
        Err(_) => Timestamp::MAX.as_microsecond(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Micros {
        text.parse::<Timestamp>().expect("a time stamp").as_microsecond()
    }

    #[test]
    fn every_instant_has_a_day_and_every_day_an_end() {
        for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"] {
            let calendar = Calendar::new(zone).expect(zone);
            for at in [Micros::MIN, Micros::MIN + 1, -1, 0, Micros::MAX - 1, Micros::MAX] {
                let day = calendar.day(at);
                assert!(calendar.start(day) <= calendar.end(day), "{zone} {at}");
            }
            for date in ["0001-01-02", "9999-12-29", "9999-12-31"] {
                let day = Day::parse(date).expect(date);
                assert!(calendar.start(day) <= calendar.end(day), "{zone} {date}");
            }
        }
    }

    #[test]
    fn a_day_of_a_clock_change_has_23_or_25_hours() {
        let berlin = Calendar::new("Europe/Berlin").expect("Berlin is in the database");
        let hours = |date: &str| {
            let day = Day::parse(date).expect("a date");
            (berlin.end(day) - berlin.start(day)) / 3_600_000_000
        };
        assert_eq!((hours("2024-03-31"), hours("2024-10-27"), hours("2024-06-01")), (23, 25, 24));
        assert_eq!(berlin.day(at("2024-03-30T23:30:00Z")).to_string(), "2024-03-31");
        assert_eq!(berlin.day(at("2024-03-30T22:59:59Z")).to_string(), "2024-03-30");
    }

    #[test]
    fn days_outside_the_table_follow_the_same_rules() {
        let tokyo = Calendar::new("Asia/Tokyo").expect("Tokyo is in the database");
        for (instant, day) in [("1950-01-01T16:00:00Z", "1950-01-02"), ("2200-01-01T14:59:59Z", "2200-01-01")]
        {
            assert_eq!(tokyo.day(at(instant)).to_string(), day);
            let day = Day::parse(day).expect("a date");
            assert!(tokyo.start(day) <= at(instant) && at(instant) < tokyo.end(day));
        }
    }

    #[test]
    fn every_instant_of_two_years_lies_in_its_day() {
        for zone in ["UTC", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu"] {
            let calendar = Calendar::new(zone).expect("a zone");
            let mut instant = at("2023-01-01T00:00:00Z");
            while instant < at("2025-01-01T00:00:00Z") {
                let day = calendar.day(instant);
                assert_eq!(day, calendar.day_by_rule(instant), "{zone} {instant}");
                assert!(calendar.start(day) <= instant && instant < calendar.end(day), "{zone} {instant}");
                instant += 17 * 60_000_000;
            }
        }
    }

    #[test]
    fn days_and_dates_and_texts_are_one_another() {
        let (first, last) = (Day::from_date(Date::MIN), Day::from_date(Date::MAX));
        for number in (first.0..=last.0).step_by(97).chain([-1, 0, 1, -719_529, -719_528, last.0]) {
            let date = Day(number).date();
            assert_eq!(Day::from_date(date), Day(number));
            assert_eq!(date, EPOCH.saturating_add(i64::from(number).days()));
            assert_eq!(Day(number).to_text(), date.to_string());
        }
        assert_eq!((Day::MIN.date(), Day::MAX.date()), (Date::MIN, Date::MAX));
        assert_eq!(Day::parse("2024-02-29").map(Day::to_text).as_deref(), Some("2024-02-29"));
    }

    #[test]
    fn months_are_cut_to_their_end() {
        let january = Day::parse("2024-01-31").expect("a date");
        assert_eq!(january.plus_months(1).to_string(), "2024-02-29");
        assert_eq!(january.plus_months(3).to_string(), "2024-04-30");
    }

    #[test]
    fn an_unknown_zone_is_named() {
        assert!(
            Calendar::new("Europe/Atlantis").err().expect("no such zone").to_string().contains("Atlantis")
        );
    }
}
