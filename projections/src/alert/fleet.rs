//! What is usual in a fleet, day by day: the factors that one rule of the detector judges by.
//!
//! They are computed when a day closes, account by account in the order of accounts, and adopted by an entry, so that a
//! decision can be repeated with the figures it used. A day that has a factor keeps it.

use std::collections::{BTreeMap, VecDeque};

use crate::calendar::Day;
use crate::drop::fleet_day::{FLEET_DAYS, FleetDay, FleetNoise, NOISE_DAYS};
use crate::drop::fleet_pattern::{FleetShares, WeekIndex};
use crate::drop::history::{DAYS, WEEK, WEEKS};

/// The group of all accounts.
pub const WHOLE_FLEET: &str = "";
/// A segment of so many accounts has factors of its own (drop-detection §3.2).
pub const GROUP_ACCOUNTS_MIN: usize = 30;
/// Days before its first factor that a fleet must have been heard of.
pub const WEEKS_BEFORE_DAYS: i64 = 7 * (FLEET_DAYS as i64 - 1);
/// Days of activity that the first factors of a group are made of: those of the noise before the oldest day that is looked at,
/// and the weeks before them.
pub const BACKFILL_DAYS: usize = DAYS + NOISE_DAYS + WEEK * (FLEET_DAYS - 1);
/// Days after which `c0` is estimated anew.
pub const C0_DAYS: i64 = 28;

/// One day of a group.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GroupDay {
    /// The day.
    pub day: Day,
    /// Its activity over that of the same weekday of eight weeks before.
    pub raw: f64,
    /// The factor that accounts are judged by.
    pub factor: f64,
    /// The share of the regularly active accounts that were silent.
    pub silent_share: f64,
}

/// What a close adopts of one group.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupFactors {
    /// The value of the fact that makes the group; [`WHOLE_FLEET`].
    pub group: Box<str>,
    /// Days that had no factor yet, in order: one at most closes.
    pub days: Vec<GroupDay>,
    /// How busy each of the last fourteen weeks was.
    pub weeks: [f64; WEEKS],
}

/// What a close adopts for one rule.
#[derive(Clone, PartialEq, Debug)]
pub struct FleetFactors {
    /// The rule.
    pub rule: Box<str>,
    /// The day that closed.
    pub day: Day,
    /// The prior, where it was estimated anew.
    pub c0: Option<f64>,
    /// The fleet's weekday shares, the closed day's last.
    pub shares: [f64; WEEK],
    /// Every group that has factors of its own, by name.
    pub groups: Vec<GroupFactors>,
}

/// The days of a group that have factors: at most [`DAYS`] and those of the noise before them.
#[derive(Clone, PartialEq, Debug, Default)]
struct GroupHistory {
    days: VecDeque<GroupDay>,
    weeks: [f64; WEEKS],
}

/// The factors of one rule, as adopted.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Fleet {
    /// The prior and the day on which it was estimated.
    pub c0: Option<(f64, Day)>,
    /// Weekday shares of the newest day.
    pub shares: [f64; WEEK],
    groups: BTreeMap<Box<str>, GroupHistory>,
}

impl Fleet {
    /// Takes what a close adopted.
    pub fn apply(&mut self, adopted: &FleetFactors) {
        if let Some(c0) = adopted.c0 {
            self.c0 = Some((c0, adopted.day));
        }
        self.shares = adopted.shares;
        self.groups.retain(|name, _| adopted.groups.iter().any(|group| group.group == *name));
        for group in &adopted.groups {
            let history = self.groups.entry(group.group.clone()).or_default();
            let newest = history.days.back().map(|newest| newest.day);
            history.days.extend(group.days.iter().filter(|day| newest.is_none_or(|newest| day.day > newest)));
            while history.days.len() > DAYS + NOISE_DAYS {
                history.days.pop_front();
            }
            history.weeks = group.weeks;
        }
    }

    /// Whether a group has factors of its own.
    pub fn has(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    /// The newest day of a group that has a factor.
    pub fn newest(&self, group: &str) -> Option<Day> {
        Some(self.groups.get(group)?.days.back()?.day)
    }

    /// The factors of the days that end with `last`; 1 where a day has none.
    pub fn factors(&self, group: &str, last: Day) -> [f64; DAYS] {
        let mut factors = [1.0; DAYS];
        let first = last.plus(1 - DAYS as i64);
        for day in self.days_of(group) {
            if first <= day.day && day.day <= last {
                factors[day.day.since(first) as usize] = day.factor;
            }
        }
        factors
    }

    /// How busy each of the last fourteen weeks was in a group.
    pub fn weeks(&self, group: &str) -> [f64; WEEKS] {
        self.groups.get(group).map_or([1.0; WEEKS], |history| history.weeks)
    }

    /// A day of a group, with the noise of those before it.
    pub fn day_of(&self, group: &str, day: Day) -> Option<(GroupDay, FleetNoise)> {
        let found = self.days_of(group).find(|other| other.day == day)?;
        Some((*found, noise(self.days_of(group), day)))
    }

    fn days_of(&self, group: &str) -> impl Iterator<Item = &GroupDay> + Clone {
        self.groups.get(group).into_iter().flat_map(|history| &history.days)
    }
}

fn noise<'a>(days: impl Iterator<Item = &'a GroupDay>, day: Day) -> FleetNoise {
    let first = day.plus(-(NOISE_DAYS as i64));
    let before: Vec<f64> =
        days.filter(|other| first <= other.day && other.day < day).map(|other| other.raw).collect();
    FleetNoise::of(&before)
}

/// One group being added up.
#[derive(Clone, Default)]
struct GroupSums {
    accounts: usize,
    /// The days that need a factor, in order.
    days: Vec<(Day, FleetDay)>,
    weeks: WeekIndex,
}

/// Adds the accounts of a fleet up for one rule, account by account in the order of accounts.
pub struct FleetSums {
    day: Day,
    /// The first day on which the fleet was heard of.
    heard_from: Day,
    shares: FleetShares,
    groups: BTreeMap<Box<str>, GroupSums>,
}

/// What is added up of an account.
pub struct Member<'a> {
    /// The value of the fact that makes groups; none is in the whole fleet only.
    pub group: Option<&'a str>,
    /// Its first day of use.
    pub first_use: Day,
    /// Its activity up to the day that closes: [`BACKFILL_DAYS`] of them.
    pub counts: &'a [f64; BACKFILL_DAYS],
    /// Whether a day is closed for it, by its place in `counts`.
    pub is_closed: &'a dyn Fn(usize) -> bool,
}

impl FleetSums {
    /// Nothing added up yet, for the close of a day.
    pub fn new(day: Day, heard_from: Day) -> Self {
        Self { day, heard_from, shares: FleetShares::default(), groups: BTreeMap::new() }
    }

    /// The first day that `fleet` lacks a factor of for a group.
    fn first_missing(&self, fleet: &Fleet, group: &str) -> Day {
        let oldest = self.day.plus(1 - (DAYS + NOISE_DAYS) as i64);
        let oldest = oldest.max(self.heard_from.plus(WEEKS_BEFORE_DAYS));
        fleet.newest(group).map_or(oldest, |newest| newest.plus(1).max(oldest))
    }

    /// Adds an account.
    pub fn add(&mut self, fleet: &Fleet, member: &Member<'_>) {
        let last98: &[f64; DAYS] = member.counts.last_chunk().expect("the backfill is longer");
        self.shares.add(last98);
        let day = self.day;
        for name in [Some(WHOLE_FLEET), member.group].into_iter().flatten() {
            if !self.groups.contains_key(name) {
                let first = self.first_missing(fleet, name);
                let days = (0..=day.since(first)).map(|at| (first.plus(at), FleetDay::default()));
                let sums = GroupSums { days: days.collect(), ..GroupSums::default() };
                self.groups.insert(name.into(), sums);
            }
            let sums = self.groups.get_mut(name).expect("it was just made");
            sums.accounts += 1;
            if member.first_use <= day.plus(1 - DAYS as i64) {
                sums.weeks.add(last98);
            }
            for (at, sum) in &mut sums.days {
                if member.first_use > at.plus(-WEEKS_BEFORE_DAYS) {
                    continue;
                }
                let place = BACKFILL_DAYS - 1 - day.since(*at) as usize;
                let places: [usize; FLEET_DAYS] = std::array::from_fn(|week| place - week * WEEK);
                if !places.iter().any(|place| (member.is_closed)(*place)) {
                    sum.add(&places.map(|place| member.counts[place]));
                }
            }
        }
    }

    /// What the close adopts, but for the prior.
    pub fn finish(self, rule: &str, fleet: &Fleet) -> FleetFactors {
        let Self { day, shares, groups, .. } = self;
        let is_group = |(name, sums): &(Box<str>, GroupSums)| {
            **name == *WHOLE_FLEET || sums.accounts >= GROUP_ACCOUNTS_MIN
        };
        let groups = groups.into_iter().filter(is_group).map(|(group, sums)| {
            let mut known: Vec<GroupDay> = fleet.days_of(&group).copied().collect();
            let had = known.len();
            for (day, sum) in sums.days {
                let (raw, silent_share) = (sum.raw(), sum.silent_share());
                let factor = noise(known.iter(), day).factor(raw);
                known.push(GroupDay { day, raw, factor, silent_share });
            }
            GroupFactors { group, days: known.split_off(had), weeks: sums.weeks.index() }
        });
        FleetFactors { rule: rule.into(), day, c0: None, shares: shares.shares(), groups: groups.collect() }
    }
}
