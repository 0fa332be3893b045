//! One close of a day over a view: what is usual in the fleet, then every account judged, on several threads.

use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::alert::activity;
use tidewatch_projections::alert::book::{AccountRecord, AlertBook, Partial};
use tidewatch_projections::alert::close::{self, Close, Decided, Proposed, Telling, Tellings};
use tidewatch_projections::alert::fall::{Activity, group_of};
use tidewatch_projections::alert::fleet::{BACKFILL_DAYS, C0_DAYS, Fleet, FleetFactors, FleetSums, Member};
use tidewatch_projections::alert::judge::{Bench, Scores};
use tidewatch_projections::alert::record::AccountAlerts;
use tidewatch_projections::alert::watch::{Source, Watch};
use tidewatch_projections::calendar::Day;
use tidewatch_projections::drop::fleet_prior::fleet_c0;
use tidewatch_projections::drop::history::DAYS;
use tidewatch_projections::names::Symbol;
use tidewatch_projections::rules::kind::{Drop, Kind};

use crate::cancellation::{Cancellation, Cancelled};
use crate::fold::view::View;
use crate::read::scan::{each_account, standing_accounts};

/// What is needed to close days over a view.
pub struct Closer<'a> {
    /// All accounts, folded under a plan that keeps what the rules read.
    pub view: &'a View,
    pub watch: &'a Watch,
    pub scores: &'a dyn Scores,
    /// Threads that may judge at once.
    pub workers: usize,
    pub cancellation: &'a Cancellation,
}

impl Closer<'_> {
    /// The accounts that answer for themselves at the end of a day, by id.
    pub fn accounts(&self, day: Day) -> Vec<Symbol> {
        standing_accounts(self.view, self.view.plan.calendar.end(day))
    }

    /// What was usual in the fleet on a day, for every rule of the detector; to be adopted before anyone is judged.
    ///
    /// # Errors
    /// Once it is cancelled.
    pub fn factors(
        &self,
        book: &AlertBook,
        day: Day,
        accounts: &[Symbol],
    ) -> Result<Vec<FleetFactors>, Cancelled> {
        let unknown = Fleet::default();
        let mut adopted = Vec::new();
        for (place, rule) in self.watch.rules.rules.iter().enumerate() {
            if let (Kind::Drop(drop), Source::Series(series)) = (&rule.kind, self.watch.source(place)) {
                let known = book.fleets().get(rule.name.as_str()).unwrap_or(&unknown);
                let series = *series;
                let heard = self.each(accounts, day, |account_at| heard(account_at, drop, series))?;
                let heard: Vec<Heard<'_>> = heard.into_iter().flatten().collect();
                let Some(heard_from) = heard.iter().map(|heard| heard.first_use).min() else { continue };
                let mut factors = sum_up(&rule.name, known, day, heard_from, &heard);
                let is_due = match known.c0 {
                    Some((_, estimated)) => day.since(estimated) >= C0_DAYS,
                    // Before a fleet has so many days behind it, its weeks tell little.
                    None => day.since(heard_from) + 1 >= DAYS as i64,
                };
                if is_due {
                    let mut fleet = known.clone();
                    fleet.apply(&factors);
                    let baselines = self.each(accounts, day, |account_at| {
                        let activity = Activity::of(account_at, drop, series, &fleet, day);
                        activity.map(|activity| activity.baseline())
                    })?;
                    factors.c0 = Some(fleet_c0(baselines.iter().flatten()));
                }
                adopted.push(factors);
            }
        }
        Ok(adopted)
    }

    /// Judges every account at the end of a day whose factors the book holds.
    ///
    /// # Errors
    /// Once it is cancelled.
    pub fn decide(
        &self,
        book: &AlertBook,
        day: Day,
        accounts: &[Symbol],
        (of_fleet, tellings): (Telling, impl Fn(Symbol) -> Tellings + Sync),
    ) -> Result<Close, Cancelled> {
        let bench = Bench { watch: self.watch, fleets: book.fleets(), scores: self.scores, day };
        let mut proposed = self.propose(&bench, book, accounts, tellings)?;
        proposed.extend(self.merged(book, day, accounts));
        Ok(close::decide(&bench, book.fleet(), proposed, of_fleet))
    }

    /// Decides the rest of a close that was broken off after an account.
    ///
    /// # Errors
    /// Once it is cancelled.
    pub fn decide_rest(
        &self,
        book: &AlertBook,
        partial: &Partial,
        accounts: &[Symbol],
        tellings: impl Fn(Symbol) -> Tellings + Sync,
    ) -> Result<Close, Cancelled> {
        let names = &self.view.names;
        let day = partial.day;
        let bench = Bench { watch: self.watch, fleets: book.fleets(), scores: self.scores, day };
        let first = accounts.partition_point(|account| names.text(*account) <= &*partial.through);
        let mut proposed = self.propose(&bench, book, &accounts[first..], tellings)?;
        let is_left = |proposed: &Proposed| {
            let transitions = &proposed.decided.transitions;
            transitions.first().is_some_and(|transition| transition.account > partial.through)
        };
        proposed.extend(self.merged(book, day, accounts).into_iter().filter(is_left));
        let decided = close::hold_back(&self.watch.rules, proposed, &partial.hold);
        Ok(Close { decided, hold: partial.hold.clone() })
    }

    fn propose(
        &self,
        bench: &Bench<'_>,
        book: &AlertBook,
        accounts: &[Symbol],
        tellings: impl Fn(Symbol) -> Tellings + Sync,
    ) -> Result<Vec<Proposed>, Cancelled> {
        let none = AccountAlerts::default();
        self.each(accounts, bench.day, |account_at| {
            let alerts = book.alerts(account_at.survivor).unwrap_or(&none);
            close::propose(bench, account_at, alerts, tellings(account_at.survivor))
        })
    }

    /// Ends the alerts of accounts that were merged into others.
    fn merged(&self, book: &AlertBook, day: Day, accounts: &[Symbol]) -> Vec<Proposed> {
        let names = &self.view.names;
        let answers = |account: Symbol| {
            accounts.binary_search_by_key(&names.text(account), |other| names.text(*other)).is_ok()
        };
        let mut gone: Vec<_> = book.accounts().filter(|(account, _)| !answers(*account)).collect();
        gone.sort_unstable_by_key(|(account, _)| names.text(*account));
        let end = |(account, record): (Symbol, &AccountRecord)| {
            let transitions = close::end_merged(names.text(account), &record.alerts, day);
            Proposed { decided: Decided { transitions, counted: Vec::new() }, is_measured: false }
        };
        gone.into_iter().map(end).collect()
    }

    /// Calls `of` with every account at the end of a day, on several threads; answers stand in the order of the accounts.
    fn each<'v, T: Send>(
        &'v self,
        accounts: &[Symbol],
        day: Day,
        of: impl Fn(&AccountAt<'v>) -> T + Sync,
    ) -> Result<Vec<T>, Cancelled> {
        let as_of = self.view.plan.calendar.end(day);
        each_account(accounts, self.workers, self.cancellation, |account| {
            of(&AccountAt::new(self.view.context(), account, as_of))
        })
    }
}

/// What the fleet's figures take of one account.
struct Heard<'a> {
    group: Option<&'a str>,
    first_use: Day,
    counts: Box<[f64; BACKFILL_DAYS]>,
    /// Which of these days are closed; empty where none is.
    closed: Vec<bool>,
}

/// Adds the accounts of a fleet up for one rule.
fn sum_up(rule: &str, known: &Fleet, day: Day, heard_from: Day, heard: &[Heard<'_>]) -> FleetFactors {
    let mut sums = FleetSums::new(day, heard_from);
    for heard in heard {
        let Heard { group, first_use, counts, closed } = heard;
        let is_closed = |place: usize| closed.get(place).copied().unwrap_or(false);
        sums.add(known, &Member { group: *group, first_use: *first_use, counts, is_closed: &is_closed });
    }
    sums.finish(rule, known)
}

/// `None` of accounts that are no customers, and of those that never used the product.
fn heard<'a>(account_at: &AccountAt<'a>, drop: &Drop, series: usize) -> Option<Heard<'a>> {
    if account_at.is_vendors() {
        return None;
    }
    let first_use = activity::first_use(account_at)?;
    let (day, closed_days) = (account_at.today, account_at.closed());
    let closed = match closed_days.is_empty() {
        true => Vec::new(),
        false => {
            let day_of = |place: usize| day.plus(place as i64 + 1 - BACKFILL_DAYS as i64);
            (0..BACKFILL_DAYS).map(|place| closed_days.contains(day_of(place))).collect()
        }
    };
    let counts = Box::new(activity::counts(account_at, series, day));
    Some(Heard { group: group_of(account_at, drop), first_use, counts, closed })
}
