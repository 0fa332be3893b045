//! Health of accounts at instants, and at the ends of days.

use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::event::Micros;
use tidewatch_projections::health::{self, Health, Inexact};
use tidewatch_projections::names::Symbol;

use crate::fold::view::View;
use crate::read::answer::Asked;
use crate::read::past;
use crate::read::scan::{Figures, ScanError, standing_accounts};
use crate::read::snapshot::ReadSnapshot;

/// The health of an account, as what is computed of it.
#[derive(Clone, Copy, Debug)]
pub struct OfHealth;

impl Figures for OfHealth {
    type Value = Health;

    fn of(&self, account_at: &AccountAt<'_>) -> Result<Health, Inexact> {
        health::health(account_at)
    }
}

/// The ends of days of one account, oldest first.
pub struct AccountDays {
    /// The account asked for; each day names the one that answers.
    pub account: String,
    /// One for each day of life.
    pub days: Vec<(Day, Health)>,
}

/// Health at the ends of the days from one to another that the clock has closed: from memory where it reaches that far back,
/// else from the log.
///
/// # Errors
/// Whatever the log says.
pub fn history(
    snapshot: &ReadSnapshot,
    asked: &Asked,
    from: Day,
    to: Day,
) -> Result<Vec<AccountDays>, ScanError> {
    let view = snapshot.view.as_ref();
    let mut answers = Vec::new();
    let mut inexact: Vec<(usize, String)> = Vec::new();
    let in_memory = view.is_folded() && asked.model.is_none();
    let accounts = match (&asked.accounts, in_memory) {
        (Some(accounts), _) => Some(accounts.clone()),
        (None, true) => Some(all(view)),
        (None, false) => None,
    };
    for account in accounts.iter().flatten() {
        let symbol = view.names.find(account).filter(|_| in_memory);
        let days = match (symbol, in_memory) {
            (Some(symbol), _) => days(snapshot, view, symbol, (from, to))?,
            (None, true) => Some(Vec::new()),
            (None, false) => None,
        };
        if days.is_none() {
            inexact.push((answers.len(), account.clone()));
        }
        answers.push(AccountDays { account: account.clone(), days: days.unwrap_or_default() });
    }
    if !inexact.is_empty() || accounts.is_none() {
        let ids: Vec<String> = inexact.iter().map(|(_, account)| account.clone()).collect();
        let asked_of_log = accounts.as_ref().map(|_| ids.as_slice());
        let model = asked.model(view);
        let (past, symbols) = past::folded(snapshot, model, asked_of_log, &[])?;
        let of_log = |symbol| {
            Ok::<_, ScanError>(days(snapshot, &past, symbol, (from, to))?.expect("the log has everything"))
        };
        match symbols {
            Some(symbols) => {
                for ((place, _), symbol) in inexact.iter().zip(symbols) {
                    answers[*place].days = of_log(symbol)?;
                }
            }
            None => {
                for account in all(&past) {
                    let symbol = past.names.intern(&account);
                    answers.push(AccountDays { account, days: of_log(symbol)? });
                }
            }
        }
    }
    Ok(answers)
}

/// Every account that answers for itself in the end, by id.
fn all(view: &View) -> Vec<String> {
    let standing = standing_accounts(view, Micros::MAX);
    standing.into_iter().map(|account| view.names.text(account).to_owned()).collect()
}

/// The closed days of one account; `None` where memory does not reach back that far.
fn days(
    snapshot: &ReadSnapshot,
    view: &View,
    account: Symbol,
    (from, to): (Day, Day),
) -> Result<Option<Vec<(Day, Health)>>, ScanError> {
    snapshot.history.cancellation().check()?;
    let oldest = view.tenant.oldest_at.map(|at| view.plan.calendar.day(at));
    let (Some(first), Some(closed)) = (oldest, view.closed_through) else { return Ok(Some(Vec::new())) };
    let mut days = Vec::new();
    let walked = health::history(view.context(), account, from.max(first), to.min(closed), |day, health| {
        days.push((day, health));
    });
    Ok(walked.ok().map(|()| days))
}
