//! One account at an instant: the accounts whose events count together there, and what is true of them. Live answers, scans
//! of the log, scores and rules all read this type; metrics of it are in `metric`.

use std::cell::OnceCell;
use std::slice;

use crate::account::Account;
use crate::calendar::Day;
use crate::context::Context;
use crate::decimal::Decimal;
use crate::event::Micros;
use crate::names::Symbol;
use crate::scalar::Scalar;
use crate::settings::Closed;
use crate::status::{self, Since};
use crate::subscription::SubscriptionState;
use crate::ticket;
use crate::value::Value;

/// An account at an instant. What costs is computed once, when first asked for.
///
/// Exact at every instant up to which all members were folded with a plan that was cut there, at ends of days, and at any
/// instant after the members' newest events; [`AccountAt::is_exact`] says so of state with bounds.
pub struct AccountAt<'a> {
    pub(crate) context: Context<'a>,
    /// The account that answers.
    pub survivor: Symbol,
    /// The instant, exclusive.
    pub as_of: Micros,
    /// The day of the instant just before.
    pub today: Day,
    /// The instant is the clock's, though the account has events of a later day.
    pub catching_up: bool,
    members: Members<'a>,
    first_day: OnceCell<Option<Day>>,
    closed: OnceCell<Closed>,
    subscription_states: OnceCell<Vec<(&'a str, SubscriptionState)>>,
    since: OnceCell<Since>,
    /// By place in the model.
    pub(crate) metrics: OnceCell<Box<[OnceCell<Option<Scalar>>]>>,
}

/// The accounts with events of their own that count together, the survivor first if it is one of them.
enum Members<'a> {
    /// What nearly every account is: in no merge.
    One(&'a Account),
    /// None where nothing is known of any of them.
    Several(Vec<&'a Account>),
}

impl<'a> AccountAt<'a> {
    /// The account that answers for `account` at an instant, its survivor where it was merged before. Of one that nobody
    /// knows, [`AccountAt::is_known`] is false and every figure is that of an account without events.
    pub fn new(context: Context<'a>, account: Symbol, as_of: Micros) -> Self {
        let Context { tenant, names, accounts, .. } = context;
        if !tenant.merges.concern(account) {
            let members = accounts.account(account).map_or(Members::Several(Vec::new()), Members::One);
            return Self::of(context, account, as_of, members);
        }
        let survivor = tenant.merges.survivor(account, as_of);
        let members = tenant.merges.members(names, survivor, as_of);
        let members = members.into_iter().filter_map(|member| accounts.account(member)).collect();
        Self::of(context, survivor, as_of, Members::Several(members))
    }

    /// An account that was found already and stands in no merge.
    pub fn alone(context: Context<'a>, account: &'a Account, as_of: Micros) -> Self {
        Self::of(context, account.id, as_of, Members::One(account))
    }

    fn of(context: Context<'a>, survivor: Symbol, as_of: Micros, members: Members<'a>) -> Self {
        Self {
            context,
            survivor,
            as_of,
            today: context.plan.calendar.day(as_of - 1),
            catching_up: false,
            members,
            first_day: OnceCell::new(),
            closed: OnceCell::new(),
            subscription_states: OnceCell::new(),
            since: OnceCell::new(),
            metrics: OnceCell::new(),
        }
    }

    /// The same, said to stand at the clock's instant behind events of a later day.
    pub fn catching_up(mut self, catching_up: bool) -> Self {
        self.catching_up = catching_up;
        self
    }

    /// The same account at the end of a day; who answers for it there may differ.
    pub fn at_end_of(&self, day: Day) -> Self {
        let as_of = self.context.plan.calendar.end(day);
        match self.members {
            Members::One(account) => Self::alone(self.context, account, as_of),
            Members::Several(_) => Self::new(self.context, self.survivor, as_of),
        }
    }

    /// What the answers depend on besides the account.
    pub fn context(&self) -> Context<'a> {
        self.context
    }

    /// Whether any of the accounts that count together has an event.
    pub fn is_known(&self) -> bool {
        !self.members().is_empty()
    }

    /// The accounts with events of their own that count together, the survivor first if it is one of them.
    pub fn members(&self) -> &[&'a Account] {
        match &self.members {
            Members::One(account) => slice::from_ref(account),
            Members::Several(accounts) => accounts,
        }
    }

    /// The accounts merged into it, with events of their own.
    pub fn merged(&self) -> impl Iterator<Item = &'a Account> {
        self.members().iter().copied().filter(|member| member.id != self.survivor)
    }

    /// The survivor's own state, where it has events.
    pub fn own(&self) -> Option<&'a Account> {
        self.members().first().copied().filter(|first| first.id == self.survivor)
    }

    /// Whether state with bounds answers exactly here, what is asked looking back over `lookback_days` days before today at
    /// most. Memory keeps days one by one over a horizon and nothing of what lies within a day: it is exact at ends of days
    /// and after the newest event, as long as no bound was passed. State without bounds is exact wherever it was cut.
    pub fn is_exact(&self, lookback_days: i64) -> bool {
        let plan = self.context.plan;
        let Some(horizon_days) = plan.bounds.days_max else { return true };
        let is_day_end = plan.calendar.end(self.today) == self.as_of;
        self.members().iter().all(|member| {
            let is_between_events = is_day_end || member.newest_at < self.as_of;
            let depth_days = member.newest_day().since(self.today).max(0) + lookback_days;
            let is_within_horizon = depth_days < i64::from(horizon_days)
                || plan.calendar.day(member.oldest_at).plus(i64::from(horizon_days)) > member.newest_day();
            is_between_events && is_within_horizon && !member.past_a_bound()
        })
    }

    /// Whether an account is among them that was given more than its bounds let it keep.
    pub(crate) fn is_past_a_bound(&self) -> bool {
        self.members().iter().any(|member| member.past_a_bound())
    }

    /// Whether everything known happened before the instant and no bound was passed: then what is counted over all events
    /// ([`AccountAt::events`], [`AccountAt::newest_at`]) is right too.
    pub fn is_newest(&self) -> bool {
        self.members().iter().all(|member| member.newest_at < self.as_of && !member.past_a_bound())
    }

    /// A fact of the survivor before an instant.
    pub fn fact_at(&self, key: &str, at: Micros) -> Option<&'a Value> {
        self.own()?.fact(self.context.names, key, at)
    }

    /// A fact of the survivor.
    pub fn fact(&self, key: &str) -> Option<&'a Value> {
        self.fact_at(key, self.as_of)
    }

    /// Whether the account is the vendor's own, or there for tests: no customer.
    pub fn is_vendors(&self) -> bool {
        matches!(self.fact("kind").and_then(Value::as_text), Some("internal" | "test"))
    }

    /// Whether the account sends telemetry, by its deployment before an instant.
    pub(crate) fn sends_telemetry(&self, at: Micros) -> bool {
        self.fact_at("deployment", at).and_then(Value::as_text) != Some("on_premise")
    }

    /// Whether the product was ever used.
    pub fn has_used(&self) -> bool {
        let used = |member: &&Account| member.first_use_at.is_some_and(|first| first < self.as_of);
        self.members().iter().any(used)
    }

    /// The first day of life, over all members.
    pub fn first_day(&self) -> Option<Day> {
        let calendar = &self.context.plan.calendar;
        *self.first_day.get_or_init(|| {
            self.members().iter().filter_map(|member| member.first_day(calendar, self.as_of)).min()
        })
    }

    /// Days from the first day to today.
    pub fn age_days(&self) -> Option<i64> {
        self.first_day().map(|first| self.today.since(first))
    }

    /// The days closed for the account, by its segment and country here.
    pub fn closed(&self) -> &Closed {
        self.closed.get_or_init(|| {
            let fact = |key: &str| self.fact(key).and_then(Value::as_text);
            let Context { settings, names, .. } = self.context;
            Closed::of(&settings.closed_days, names.text(self.survivor), fact("segment"), fact("country"))
        })
    }

    /// What is true of every subscription, with its id.
    pub fn subscription_states(&self) -> &[(&'a str, SubscriptionState)] {
        self.subscription_states
            .get_or_init(|| status::subscription_states(self.context, self.members(), self.as_of))
    }

    /// The status and since when.
    pub fn since(&self) -> Since {
        *self.since.get_or_init(|| {
            let closed_at = self.own().and_then(|own| own.closed_at);
            status::of(self.context, self.survivor, closed_at, self.subscription_states(), self.as_of)
        })
    }

    /// Seats in force (health-model §2).
    pub fn seats(&self) -> Option<Decimal> {
        let states = self.subscription_states().iter().map(|(_, state)| state);
        status::seats(states, self.fact("seats"))
    }

    /// Tickets that are open.
    pub fn open_tickets(&self) -> usize {
        let open = |member: &&Account| {
            member.tickets.iter().filter(|(_, ticket)| ticket::open(ticket, self.as_of)).count()
        };
        self.members().iter().map(open).sum()
    }

    /// Events accepted for it and those merged into it.
    pub fn events(&self) -> u64 {
        self.members().iter().map(|member| member.events).sum()
    }

    /// The newest of them.
    pub fn newest_at(&self) -> Option<Micros> {
        self.members().iter().map(|member| member.newest_at).max().filter(|at| *at > Micros::MIN)
    }
}
