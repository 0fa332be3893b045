//! Accounts of a view, at their live instant or in the past.

use tidewatch_projections::account::Account;
use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::event::Micros;
use tidewatch_projections::names::Symbol;

use crate::fold::view::View;

/// An account at its live instant; `None` where nothing is known of it.
pub fn live(view: &View, account: Symbol) -> Option<AccountAt<'_>> {
    let context = view.context();
    if !view.tenant.merges.concern(account) {
        return Some(alone(view, view.account(account)?));
    }
    let (as_of, catching_up) = view.live_instant(AccountAt::new(context, account, Micros::MAX).members());
    Some(AccountAt::new(context, account, as_of).catching_up(catching_up)).filter(AccountAt::is_known)
}

/// An account of the view at its live instant, if it is the first with events of those that count together: one of them is,
/// the survivor if it has any.
pub fn led_by<'v>(view: &'v View, account: &'v Account) -> Option<AccountAt<'v>> {
    if !view.tenant.merges.concern(account.id) {
        return Some(alone(view, account));
    }
    live(view, account.id).filter(|account_at| account_at.members()[0].id == account.id)
}

fn alone<'v>(view: &'v View, account: &'v Account) -> AccountAt<'v> {
    let (as_of, catching_up) = view.live_instant(&[account]);
    AccountAt::alone(view.context(), account, as_of).catching_up(catching_up)
}

/// An account at an instant; `None` where nothing is known of it.
pub fn at(view: &View, account: Symbol, as_of: Micros) -> Option<AccountAt<'_>> {
    Some(AccountAt::new(view.context(), account, as_of)).filter(AccountAt::is_known)
}
