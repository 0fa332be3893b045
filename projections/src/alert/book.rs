//! All alerts of a tenant, and how far the fleet was judged: the fold of what was decided. Cheap to copy.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::close::{Decided, FLEET};
use super::fleet::{Fleet, FleetFactors};
use super::record::{AccountAlerts, Counts, Slot, Transition};
use crate::calendar::Day;
use crate::names::{Names, Symbol};

/// Parts of the book; a change copies one of them where another copy shows it.
const SHARDS: usize = 256;

type Shard = BTreeMap<Symbol, AccountAlerts>;

/// Every alert, by account.
#[derive(Clone, PartialEq, Debug)]
pub struct AlertBook {
    shards: Vec<Arc<Shard>>,
    fleet: Arc<AccountAlerts>,
    fleets: Arc<BTreeMap<Box<str>, Fleet>>,
    /// The newest day that was decided whole.
    pub decided_through: Option<Day>,
}

impl Default for AlertBook {
    fn default() -> Self {
        Self {
            shards: vec![Arc::default(); SHARDS],
            fleet: Arc::default(),
            fleets: Arc::default(),
            decided_through: None,
        }
    }
}

impl AlertBook {
    /// The alerts of an account.
    pub fn account(&self, account: Symbol) -> Option<&AccountAlerts> {
        self.shards[account.index() % SHARDS].get(&account)
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
    pub fn accounts(&self) -> impl Iterator<Item = (Symbol, &AccountAlerts)> {
        self.shards.iter().flat_map(|shard| shard.iter().map(|(account, alerts)| (*account, alerts)))
    }

    /// Takes what a close found to be usual.
    pub fn adopt_factors(&mut self, factors: &FleetFactors) {
        let fleets = Arc::make_mut(&mut self.fleets);
        fleets.entry(factors.rule.clone()).or_default().apply(factors);
    }

    /// Takes what a close decided, or a part of it.
    pub fn apply(&mut self, names: &Names, decided: &Decided) {
        decided.transitions.iter().for_each(|transition| self.take(names, transition));
        for counted in &decided.counted {
            self.count(names, &counted.account, &counted.slot, counted.counts);
        }
    }

    /// Takes one transition.
    pub fn take(&mut self, names: &Names, transition: &Transition) {
        self.alerts_mut(names, &transition.account).apply(transition);
    }

    fn count(&mut self, names: &Names, account: &str, slot: &Slot, counts: Counts) {
        self.alerts_mut(names, account).count(slot, counts);
    }

    fn alerts_mut(&mut self, names: &Names, account: &str) -> &mut AccountAlerts {
        if account == FLEET {
            return Arc::make_mut(&mut self.fleet);
        }
        let account = names.intern(account);
        Arc::make_mut(&mut self.shards[account.index() % SHARDS]).entry(account).or_default()
    }
}
