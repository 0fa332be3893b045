//! Settings that change what facts mean. They are adopted by a log entry, never read from a file while folding.

use std::fmt;

use crate::calendar::Day;
use crate::event::Micros;

/// Whom a closed period is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// Every account of the tenant.
    All,
    /// One account, by id.
    Account(Box<str>),
    /// The accounts of a segment.
    Segment(Box<str>),
    /// The accounts of a country.
    Country(Box<str>),
}

impl Scope {
    /// Reads a scope as files and log entries write it: `all`, `account:X`, `segment:X`, `country:X`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "all" => Some(Self::All),
            Some((_, "")) => None,
            Some(("account", name)) => Some(Self::Account(name.into())),
            Some(("segment", name)) => Some(Self::Segment(name.into())),
            Some(("country", name)) => Some(Self::Country(name.into())),
            _ => None,
        }
    }
}

impl fmt::Display for Scope {
    /// Writes a scope in the form that [`Scope::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Account(name) => write!(f, "account:{name}"),
            Self::Segment(name) => write!(f, "segment:{name}"),
            Self::Country(name) => write!(f, "country:{name}"),
        }
    }
}

/// Days on which nobody is expected to work: holidays, vacations, closures. Never weekends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ClosedDays {
    /// Whom it is for.
    pub scope: Scope,
    /// The first closed day.
    pub from: Day,
    /// The last closed day.
    pub to: Day,
}

/// What is adopted: days and times under which facts are read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The reporting zone, an IANA name.
    pub zone: Box<str>,
    /// Every closed period, those of single accounts too.
    pub closed_days: Vec<ClosedDays>,
    /// How far `occurred_at` may lie after the time of recording, in microseconds.
    pub skew_us: Micros,
    /// How long after its end a day closes, in microseconds.
    pub close_delay_us: Micros,
}

const HOUR_US: Micros = 3_600_000_000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            zone: "UTC".into(),
            closed_days: Vec::new(),
            skew_us: 24 * HOUR_US,
            close_delay_us: 3 * HOUR_US,
        }
    }
}

/// The closed days that hold for one account at one moment, as disjoint ascending ranges.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Closed(Vec<(Day, Day)>);

impl Closed {
    /// Those of `all` whose scope covers an account with this id, segment and country.
    pub fn of(all: &[ClosedDays], account: &str, segment: Option<&str>, country: Option<&str>) -> Self {
        let holds = |scope: &Scope| match scope {
            Scope::All => true,
            Scope::Account(id) => **id == *account,
            Scope::Segment(name) => segment == Some(name),
            Scope::Country(name) => country == Some(name),
        };
        let mut ranges: Vec<(Day, Day)> =
            all.iter().filter(|closed| holds(&closed.scope)).map(|closed| (closed.from, closed.to)).collect();
        ranges.sort();
        let mut merged: Vec<(Day, Day)> = Vec::with_capacity(ranges.len());
        for (from, to) in ranges.into_iter().filter(|(from, to)| from <= to) {
            match merged.last_mut() {
                Some(last) if from <= last.1.plus(1) => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// Whether a day is closed.
    pub fn contains(&self, day: Day) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= day);
        after > 0 && day <= self.0[after - 1].1
    }

    /// Whether no day is closed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_is_written() {
        for text in ["all", "account:acme:eu", "segment:smb", "country:FR"] {
            assert_eq!(Scope::parse(text).map(|scope| scope.to_string()).as_deref(), Some(text));
        }
        for text in ["", "everyone", "account:", "region:x"] {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
    }

    #[test]
    fn scopes_select_and_overlaps_merge() {
        let closed = |scope, from, to| ClosedDays { scope, from: Day(from), to: Day(to) };
        let all = [
            closed(Scope::Country("FR".into()), 10, 12),
            closed(Scope::All, 12, 14),
            closed(Scope::Account("acme".into()), 30, 30),
            closed(Scope::Segment("smb".into()), 50, 51),
        ];
        let acme = Closed::of(&all, "acme", Some("smb"), None);
        let days = |closed: &Closed| (0..60).filter(|d| closed.contains(Day(*d))).collect::<Vec<_>>();
        assert_eq!(days(&acme), [12, 13, 14, 30, 50, 51]);
        assert_eq!(days(&Closed::of(&all, "globex", None, Some("FR"))), [10, 11, 12, 13, 14]);
    }
}
