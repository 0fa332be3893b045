//! One account at an instant: the view, the instant, and the accounts whose events count together there.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::slice;

use tidewatch_projections::account::Account;
use tidewatch_projections::event::Micros;
use tidewatch_projections::metric::{self, Scalar};
use tidewatch_projections::names::Symbol;
use tidewatch_projections::status::{self, Since};
use tidewatch_projections::subscription::SubscriptionState;
use tidewatch_projections::ticket;

use crate::fold::view::View;

/// An account at an instant. What costs is computed once, when first asked for.
pub struct AccountAt<'v> {
    /// The view it stands in.
    pub view: &'v View,
    /// The account that answers.
    pub survivor: Symbol,
    pub as_of: Micros,
    /// The instant is the clock's, though the account has events of a later day.
    pub catching_up: bool,
    members: Members<'v>,
    /// Stands in for a survivor that has no event of its own.
    eventless_survivor: Option<Box<Account>>,
    subscription_states: OnceCell<Vec<(&'v str, SubscriptionState)>>,
    since: OnceCell<Since>,
    /// By place in the model.
    metrics: OnceCell<Box<[OnceCell<Option<Scalar>>]>>,
}

/// The accounts with events of their own that count together, the survivor first if it is one of them; never none.
enum Members<'v> {
    /// What nearly every account is: in no merge.
    One(&'v Account),
    Several(Vec<&'v Account>),
}

impl<'v> Members<'v> {
    fn as_slice(&self) -> &[&'v Account] {
        match self {
            Self::One(account) => slice::from_ref(account),
            Self::Several(accounts) => accounts,
        }
    }
}

impl<'v> AccountAt<'v> {
    /// The account at its live instant; `None` where nothing is known of it.
    pub fn live(view: &'v View, account: Symbol) -> Option<Self> {
        if !view.tenant.merges.concern(account) {
            return Some(Self::alone(view, view.account(account)?));
        }
        let (as_of, catching_up) = view.live_instant(&view.members(account, Micros::MAX));
        Some(Self { catching_up, ..Self::at(view, account, as_of)? })
    }

    /// An account of the view at its live instant, if it is the first with events of those that count together: one of
    /// them is, the survivor if it has any.
    pub fn led_by(view: &'v View, account: &'v Account) -> Option<Self> {
        if !view.tenant.merges.concern(account.id) {
            return Some(Self::alone(view, account));
        }
        Self::live(view, account.id).filter(|account_at| account_at.members()[0].id == account.id)
    }

    fn alone(view: &'v View, account: &'v Account) -> Self {
        let (as_of, catching_up) = view.live_instant(&[account]);
        Self { catching_up, ..Self::of(view, account.id, as_of, Members::One(account)) }
    }

    /// The account at an instant; `None` where nothing is known of it.
    pub fn at(view: &'v View, account: Symbol, as_of: Micros) -> Option<Self> {
        if !view.tenant.merges.concern(account) {
            return Some(Self::of(view, account, as_of, Members::One(view.account(account)?)));
        }
        let survivor = view.tenant.merges.survivor(account, as_of);
        let members = view.members(survivor, as_of);
        (!members.is_empty()).then(|| Self::of(view, survivor, as_of, Members::Several(members)))
    }

    fn of(view: &'v View, survivor: Symbol, as_of: Micros, members: Members<'v>) -> Self {
        let eventless_survivor =
            (members.as_slice()[0].id != survivor).then(|| Box::new(Account::new(survivor)));
        Self {
            view,
            survivor,
            as_of,
            catching_up: false,
            members,
            eventless_survivor,
            subscription_states: OnceCell::new(),
            since: OnceCell::new(),
            metrics: OnceCell::new(),
        }
    }

    /// The accounts with events of their own that count together, the survivor first if it is one of them; never none.
    pub fn members(&self) -> &[&'v Account] {
        self.members.as_slice()
    }

    /// The accounts that count together, the survivor first.
    fn all_members(&self) -> Cow<'_, [&Account]> {
        match &self.eventless_survivor {
            None => Cow::Borrowed(self.members()),
            Some(survivor) => [&**survivor].into_iter().chain(self.members().iter().copied()).collect(),
        }
    }

    fn survivor(&self) -> &Account {
        self.eventless_survivor.as_deref().unwrap_or(self.members()[0])
    }

    /// The accounts merged into it, with events of their own.
    pub fn merged(&self) -> impl Iterator<Item = &'v Account> {
        self.members().iter().copied().filter(|member| member.id != self.survivor)
    }

    /// The survivor's own state, where it has events.
    pub fn own(&self) -> Option<&'v Account> {
        Some(self.members()[0]).filter(|_| self.eventless_survivor.is_none())
    }

    /// Whether memory answers exactly: everything known happened before the instant, and nothing was left out.
    pub fn is_exact(&self) -> bool {
        self.members().iter().all(|member| member.newest_at < self.as_of && !member.past_a_bound())
    }

    /// What is true of every subscription, with its id.
    pub fn subscription_states(&self) -> &[(&'v str, SubscriptionState)] {
        self.subscription_states
            .get_or_init(|| status::subscription_states(self.view.context(), self.members(), self.as_of))
    }

    /// Where the commercial relation stands.
    pub fn since(&self) -> Since {
        let status =
            || status::of(self.view.context(), self.survivor(), self.subscription_states(), self.as_of);
        *self.since.get_or_init(status)
    }

    /// Every adopted metric, in the order of the model.
    pub fn metrics(&self) -> Vec<Option<Scalar>> {
        metric::evaluate(self.view.context(), &self.all_members(), self.as_of)
    }

    /// One adopted metric, by its place in the model.
    pub fn metric(&self, index: usize) -> Option<&Scalar> {
        let none_yet = || self.view.plan.model.metrics.iter().map(|_| OnceCell::new()).collect();
        let value = || metric::evaluate_one(self.view.context(), &self.all_members(), self.as_of, index);
        self.metrics.get_or_init(none_yet)[index].get_or_init(value).as_ref()
    }

    pub fn seats(&self) -> Option<f64> {
        let subscription_states = self.subscription_states().iter().map(|(_, state)| state);
        metric::seats(&self.view.names, self.survivor(), subscription_states, self.as_of)
    }

    /// The first day of life.
    pub fn first_day(&self) -> Option<tidewatch_projections::calendar::Day> {
        let calendar = &self.view.plan.calendar;
        self.members().iter().filter_map(|member| member.first_day(calendar, self.as_of)).min()
    }

    /// Days from the first day to today.
    pub fn age_days(&self) -> Option<i64> {
        let today = self.view.plan.calendar.day(self.as_of - 1);
        self.first_day().map(|first| today.since(first))
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
