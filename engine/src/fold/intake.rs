//! What the decisions of a close need to know of how events came, beside what the accounts became by them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidewatch_projections::event::{Event, Micros};
use tidewatch_projections::names::Symbol;
use tidewatch_projections::vocabulary::Family;

/// An event older than the clock by more than this is history: what it makes true was true before anybody looked. In
/// microseconds; the default live horizon of rules, three days.
pub const HISTORY_US: Micros = 3 * 86_400_000_000;

/// How events came since the newest day that was decided.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Intake {
    /// One bit for each account, by its symbol: whether it was given history.
    backfilled: Vec<u64>,
    /// The sources that ever brought an event, and whether they brought usage.
    sources: BTreeMap<Symbol, bool>,
}

impl Intake {
    /// Takes note of an event that counts, while the clock stands at an instant. Nearly every event is no news, and what a view
    /// shows is copied for news only.
    pub fn observe(self: &mut Arc<Self>, event: &Event, clock_at: Option<Micros>) {
        let is_usage = event.kind.family() == Some(Family::Usage);
        if self.sources.get(&event.source).is_none_or(|brings_usage| is_usage && !brings_usage) {
            *Arc::make_mut(self).sources.entry(event.source).or_default() |= is_usage;
        }
        let is_history = clock_at.is_some_and(|clock| event.occurred_at < clock.saturating_sub(HISTORY_US));
        if let Some(account) = event.account().filter(|_| is_history)
            && !self.is_backfilled(account)
        {
            let (word, bit) = (account.index() / 64, account.index() % 64);
            let backfilled = &mut Arc::make_mut(self).backfilled;
            if word >= backfilled.len() {
                backfilled.resize((word + 1).next_power_of_two(), 0);
            }
            backfilled[word] |= 1 << bit;
        }
    }

    /// A day was decided: what comes from here on is news again.
    pub fn decided(&mut self) {
        self.backfilled.fill(0);
    }

    /// Whether an account was given history since the newest decision.
    pub fn is_backfilled(&self, account: Symbol) -> bool {
        let (word, bit) = (account.index() / 64, account.index() % 64);
        self.backfilled.get(word).is_some_and(|word| word >> bit & 1 == 1)
    }

    /// The sources that brought events, and whether they brought usage.
    pub fn sources(&self) -> impl Iterator<Item = (Symbol, bool)> {
        self.sources.iter().map(|(source, brings_usage)| (*source, *brings_usage))
    }
}
