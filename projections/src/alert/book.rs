//! All alerts and cases of a tenant, what is still to be told, and how far the fleet was judged: the fold of what was decided.
//! Cheap to copy.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::case::{self, Action, Case, Notice};
use super::change::Change;
use super::close::{Decided, FLEET};
use super::fleet::{Fleet, FleetFactors};
use super::record::{AccountAlerts, Alert, Transition};
use crate::calendar::Day;
use crate::event::Micros;
use crate::names::{Names, Symbol};

/// Parts of the book; a change copies one of them where another copy shows it.
const SHARDS: usize = 256;

/// The alerts and the case of one account.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AccountRecord {
    /// Its alerts.
    pub alerts: AccountAlerts,
    /// Its newest case.
    pub case: Option<Case>,
}

type Shard = BTreeMap<Symbol, AccountRecord>;

/// Which notice: of a case by account and opening day, or of an alert of the fleet.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NoticeKey {
    /// The account; `*` of the fleet.
    pub account: Box<str>,
    /// Of the fleet, the rule; of a case nothing.
    pub rule: Box<str>,
    /// The day on which the case, or the alert, opened.
    pub opened_on: Day,
    /// Which notice of it, from 1.
    pub number: u32,
}

/// What is to be told, as it was when it happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Untold {
    /// What happened.
    pub notice: Notice,
    /// The day whose close decided it; of what a person did, the day before.
    pub day: Day,
    /// The sequence of the entry that decided it.
    pub seq: u64,
    /// The account's alerts then.
    pub alerts: Vec<Alert>,
    /// The case then; `None` of the fleet.
    pub case: Option<Case>,
}

/// How much of a close was logged before it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partial {
    /// The day.
    pub day: Day,
    /// Accounts up to this one are decided.
    pub through: Box<str>,
    /// Why what opens is held on that day; empty: it is not.
    pub hold: Box<str>,
}

/// Most notices that wait to be told; past them the oldest are dropped, and counted.
pub const UNTOLD_MAX: usize = 100_000;

/// Every alert and case, by account.
#[derive(Clone, PartialEq, Debug)]
pub struct AlertBook {
    shards: Vec<Arc<Shard>>,
    fleet: Arc<AccountAlerts>,
    fleets: Arc<BTreeMap<Box<str>, Fleet>>,
    untold: Arc<BTreeMap<NoticeKey, Untold>>,
    /// Notices that were never told because too many waited.
    pub dropped: u64,
    /// The newest day that was decided whole.
    pub decided_through: Option<Day>,
    /// The sequence of the entry that ended it.
    pub decided_seq: u64,
    /// The day that was decided in part.
    pub partial: Option<Partial>,
}

impl Default for AlertBook {
    fn default() -> Self {
        Self {
            shards: vec![Arc::default(); SHARDS],
            fleet: Arc::default(),
            fleets: Arc::default(),
            untold: Arc::default(),
            dropped: 0,
            decided_through: None,
            decided_seq: 0,
            partial: None,
        }
    }
}

impl AlertBook {
    /// The record of an account that ever had an alert.
    pub fn account(&self, account: Symbol) -> Option<&AccountRecord> {
        self.shards[account.index() % SHARDS].get(&account)
    }

    /// The alerts of an account.
    pub fn alerts(&self, account: Symbol) -> Option<&AccountAlerts> {
        self.account(account).map(|record| &record.alerts)
    }

    /// The alerts of the fleet.
    pub fn fleet(&self) -> &AccountAlerts {
        &self.fleet
    }

    /// What is usual in the fleet, by rule of the detector.
    pub fn fleets(&self) -> &BTreeMap<Box<str>, Fleet> {
        &self.fleets
    }

    /// Every account that ever had an alert, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = (Symbol, &AccountRecord)> {
        self.shards.iter().flat_map(|shard| shard.iter().map(|(account, record)| (*account, record)))
    }

    /// What is still to be told, by key.
    pub fn untold(&self) -> &BTreeMap<NoticeKey, Untold> {
        &self.untold
    }

    /// Takes what a close found to be usual.
    pub fn adopt_factors(&mut self, factors: &FleetFactors) {
        let fleets = Arc::make_mut(&mut self.fleets);
        fleets.entry(factors.rule.clone()).or_default().apply(factors);
    }

    /// Takes what the entry with the sequence `seq` decided; whether anybody is to be told of it.
    pub fn apply(&mut self, names: &Names, decided: &Decided, seq: u64, tells: bool) {
        for transition in &decided.transitions {
            self.take(names, transition, seq, tells);
        }
        for counted in &decided.counted {
            self.change(names, &counted.account, |record| record.alerts.count(&counted.slot, counted.counts));
        }
    }

    /// Takes one transition, unless its alert has changed since it was proposed.
    fn take(&mut self, names: &Names, transition: &Transition, seq: u64, tells: bool) {
        if self.next_number(names, transition) != transition.number {
            return;
        }
        let Transition { account, day, .. } = transition;
        let untold = if **account == *FLEET {
            let fleet = Arc::make_mut(&mut self.fleet);
            fleet.apply(transition);
            fleet_notice(fleet, transition).map(|(key, notice)| {
                let alerts = fleet.get(&transition.slot).into_iter().cloned().collect();
                (key, Untold { notice, day: *day, seq, alerts, case: None })
            })
        } else {
            self.change(names, account, |record| {
                record.alerts.apply(transition);
                let notice = case::take(&mut record.case, &record.alerts, transition)?;
                untold(account, record, notice, *day, seq)
            })
        };
        self.queue(untold.filter(|_| tells));
    }

    /// The number that the next transition of an alert has.
    pub fn next_number(&self, names: &Names, transition: &Transition) -> u32 {
        let alerts = match &*transition.account {
            FLEET => Some(self.fleet()),
            account => names.find(account).and_then(|account| self.alerts(account)),
        };
        alerts.map_or(1, |alerts| alerts.next_number(&transition.slot))
    }

    /// Takes what a person did with the case of an account; nothing where it has none.
    pub fn act(&mut self, names: &Names, acted: &Acted<'_>, seq: u64, tells: bool) {
        let Acted { account, action, author, at, today } = *acted;
        let untold = self.change(names, account, |record| {
            let notice = record.case.as_mut()?.act(action, author, at)?;
            untold(account, record, notice, today, seq)
        });
        self.queue(untold.filter(|_| tells));
    }

    /// Ends the snooze of an account's case whose time is over.
    pub fn wake(&mut self, names: &Names, account: &str, now: Micros, today: Day, seq: u64, tells: bool) {
        let untold = self.change(names, account, |record| {
            let notice = record.case.as_mut()?.wake(now)?;
            untold(account, record, notice, today, seq)
        });
        self.queue(untold.filter(|_| tells));
    }

    fn queue(&mut self, untold: Option<(NoticeKey, Untold)>) {
        let Some((key, untold)) = untold else { return };
        let all = Arc::make_mut(&mut self.untold);
        all.insert(key, untold);
        if all.len() > UNTOLD_MAX {
            all.pop_first();
            self.dropped += 1;
        }
    }

    /// A notice was received, or given up.
    pub fn settle(&mut self, key: &NoticeKey) {
        Arc::make_mut(&mut self.untold).remove(key);
    }

    fn change<T>(&mut self, names: &Names, account: &str, change: impl FnOnce(&mut AccountRecord) -> T) -> T {
        if account == FLEET {
            // What is counted of the fleet; its transitions are taken elsewhere.
            let mut record = AccountRecord { alerts: (*self.fleet).clone(), case: None };
            let changed = change(&mut record);
            self.fleet = Arc::new(record.alerts);
            return changed;
        }
        let account = names.intern(account);
        change(Arc::make_mut(&mut self.shards[account.index() % SHARDS]).entry(account).or_default())
    }
}

/// What a person did with a case.
#[derive(Clone, Copy, Debug)]
pub struct Acted<'a> {
    /// The account of the case.
    pub account: &'a str,
    /// What.
    pub action: &'a Action,
    /// Who.
    pub author: &'a str,
    /// When.
    pub at: Micros,
    /// The newest closed day.
    pub today: Day,
}

fn untold(
    account: &str,
    record: &AccountRecord,
    notice: Notice,
    day: Day,
    seq: u64,
) -> Option<(NoticeKey, Untold)> {
    let case = record.case.clone()?;
    let key = NoticeKey {
        account: account.into(),
        rule: "".into(),
        opened_on: case.opened_on,
        number: case.notices,
    };
    Some((key, Untold { notice, day, seq, alerts: record.alerts.all().to_vec(), case: Some(case) }))
}

/// What operators are told of an alert of the fleet: that it opened and that it is over.
fn fleet_notice(fleet: &AccountAlerts, transition: &Transition) -> Option<(NoticeKey, Notice)> {
    let notice = match transition.change {
        Change::Open => Notice::Opened,
        Change::Resolved | Change::Closed => Notice::Resolved,
        _ => return None,
    };
    let alert = fleet.get(&transition.slot)?;
    let (rule, opened_on) = (alert.slot.rule.clone(), alert.first_on);
    Some((NoticeKey { account: FLEET.into(), rule, opened_on, number: transition.number }, notice))
}
