//! One account as an answer sees it: the view, the instant, and the accounts that count together there.

use std::cell::OnceCell;

use tidewatch_projections::account::Account;
use tidewatch_projections::event::Micros;
use tidewatch_projections::metric::{self, Scalar};
use tidewatch_projections::names::Symbol;
use tidewatch_projections::status::{Since, status};
use tidewatch_projections::ticket;

use crate::view::View;

/// An account at an instant. What costs is computed once, when first asked for.
pub struct Subject<'v> {
    /// The view it stands in.
    pub view: &'v View,
    /// The account that answers.
    pub survivor: Symbol,
    /// The instant, exclusive.
    pub as_of: Micros,
    /// The instant is the clock's, though the account has events of a later day.
    pub catching_up: bool,
    members: Vec<&'v Account>,
    /// Stands in for a survivor that has no event of its own.
    unheard: Option<Box<Account>>,
    since: OnceCell<Since>,
    metrics: OnceCell<Vec<Option<Scalar>>>,
}

impl<'v> Subject<'v> {
    /// The account at its live instant; `None` where nothing is known of it.
    pub fn live(view: &'v View, account: Symbol) -> Option<Self> {
        let (as_of, catching_up) = view.live_instant(&view.members(account, Micros::MAX));
        Some(Self { catching_up, ..Self::at(view, account, as_of)? })
    }

    /// The account at an instant; `None` where nothing is known of it.
    pub fn at(view: &'v View, account: Symbol, as_of: Micros) -> Option<Self> {
        let survivor = view.tenant.merges.survivor(account, as_of);
        let members = view.members(survivor, as_of);
        let first = members.first()?;
        let unheard = (first.id != survivor).then(|| Box::new(Account::new(survivor)));
        let (since, metrics) = (OnceCell::new(), OnceCell::new());
        Some(Self { view, survivor, as_of, catching_up: false, members, unheard, since, metrics })
    }

    /// The accounts that count together, the survivor first.
    pub fn members(&self) -> Vec<&Account> {
        self.unheard.as_deref().into_iter().chain(self.members.iter().copied()).collect()
    }

    /// The accounts merged into it, with events of their own.
    pub fn merged(&self) -> impl Iterator<Item = &'v Account> {
        self.members.iter().copied().filter(|member| member.id != self.survivor)
    }

    /// Whether `account` is the first with events of those that count together: one of them is, the survivor if it has any.
    pub fn led_by(&self, account: Symbol) -> bool {
        self.members.first().is_some_and(|first| first.id == account)
    }

    /// The survivor's own state, where it has events.
    pub fn own(&self) -> Option<&'v Account> {
        self.members.first().copied().filter(|first| first.id == self.survivor)
    }

    /// Whether memory answers exactly: everything known happened before the instant, and nothing was left out.
    pub fn is_exact(&self) -> bool {
        self.members.iter().all(|member| member.newest_at < self.as_of && !member.past_a_bound())
    }

    /// Where the commercial relation stands.
    pub fn since(&self) -> Since {
        *self.since.get_or_init(|| status(self.view.context(), &self.members(), self.as_of))
    }

    /// Every adopted metric, in the order of the model.
    pub fn metrics(&self) -> &[Option<Scalar>] {
        self.metrics.get_or_init(|| metric::evaluate(self.view.context(), &self.members(), self.as_of))
    }

    /// Seats in force.
    pub fn seats(&self) -> Option<f64> {
        metric::seats(self.view.context(), &self.members(), self.as_of)
    }

    /// The first day of life.
    pub fn first_day(&self) -> Option<tidewatch_projections::calendar::Day> {
        let calendar = &self.view.plan.calendar;
        self.members.iter().filter_map(|member| member.first_day(calendar, self.as_of)).min()
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
        self.members.iter().map(open).sum()
    }

    /// Events accepted for it and those merged into it.
    pub fn events(&self) -> u64 {
        self.members.iter().map(|member| member.events).sum()
    }

    /// The newest of them.
    pub fn newest_at(&self) -> Option<Micros> {
        self.members.iter().map(|member| member.newest_at).max().filter(|at| *at > Micros::MIN)
    }
}
