//! Answers what is asked of accounts at instants: from memory where it is exact, else from the log.

use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::event::Micros;
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Symbol;

use crate::cancellation::Cancelled;
use crate::fold::view::View;
use crate::read::scan::{self, AsOf, Figures, Row, ScanError, standing_accounts};
use crate::read::snapshot::ReadSnapshot;
use crate::read::{account, past};

/// Instants that one reading of the log answers at most.
pub const INSTANTS_MAX: usize = 64;

/// What is asked, checked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// By id; `None` is every account that answers for itself.
    pub accounts: Option<Vec<String>>,
    /// None: each account at its live instant.
    pub as_of: Vec<AsOf>,
    /// `None` is the adopted one.
    pub model: Option<Model>,
}

impl Asked {
    /// The model that answers.
    pub fn model<'a>(&'a self, view: &'a View) -> &'a Model {
        self.model.as_ref().unwrap_or(&view.plan.model)
    }
}

/// How a row stands to what was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowState {
    /// At the instant it names.
    Current,
    /// At the clock's instant, behind events of the account on a later day.
    CatchingUp,
    /// No event names the account.
    AccountUnknown,
}

/// A row and how it stands to what was asked.
pub type Stated<T> = (Row<Option<T>>, RowState);

/// Rows by instant, then by account. An account that no event names has the row of one without events; at its live instant,
/// which it has none of, no value.
pub struct Rows<T> {
    pub rows: Vec<Stated<T>>,
    /// The accounts asked for, in the order in which rows repeat them, and which are known; `None` where all were.
    pub accounts: Option<Vec<(String, bool)>>,
    /// Whether no instant was asked for.
    pub is_live: bool,
}

impl<T> Rows<T> {
    /// What is computed in a row; `None` where nothing is.
    pub fn value(&self, place: usize) -> Option<&T> {
        self.rows[place].0.value.as_ref()
    }

    /// The account asked for in a row that no event names.
    pub fn unknown(&self, place: usize) -> Option<&str> {
        let (account, is_known) = self.accounts.as_ref().map(|accounts| &accounts[place % accounts.len()])?;
        (!is_known).then_some(account)
    }
}

/// Stands for accounts that no event names, so that asking for them makes no names: no account has the empty id.
const NOBODY: &str = "";

/// An account of which something is known.
pub fn find(view: &View, account: &str) -> Option<Symbol> {
    view.names.find(account).filter(|symbol| account::live(view, *symbol).is_some())
}

/// Answers what is asked. Where no accounts were folded, one pass over the log answers instants that were named; `None`: the
/// live instant is not known there.
///
/// # Errors
/// Whatever the log says; `last` of an empty log.
pub fn answer<F: Figures>(
    snapshot: &ReadSnapshot,
    asked: &Asked,
    figures: &F,
) -> Result<Option<Rows<F::Value>>, ScanError> {
    let view = snapshot.view.as_ref();
    let is_live = asked.as_of.is_empty();
    if !view.is_folded() {
        if is_live {
            return Ok(None);
        }
        // It tells no account that no event names from one without figures, so every row is current.
        let rows = ask_log(snapshot, asked, figures, asked.accounts.clone(), asked.as_of.clone())?;
        return Ok(Some(Rows { rows: rows.into_iter().map(current).collect(), accounts: None, is_live }));
    }
    let accounts: Option<Vec<Option<Symbol>>> =
        asked.accounts.as_ref().map(|accounts| accounts.iter().map(|account| find(view, account)).collect());
    let rows = match is_live {
        true => live(snapshot, asked, figures, accounts.as_deref())?,
        false => {
            at_instants(snapshot, asked, figures, accounts.as_deref())?.into_iter().map(current).collect()
        }
    };
    let are_known = accounts.iter().flatten().map(Option::is_some);
    let accounts = asked.accounts.as_ref().map(|names| names.iter().cloned().zip(are_known).collect());
    Ok(Some(Rows { rows, accounts, is_live }))
}

fn current<T>(row: Row<T>) -> Stated<T> {
    (Row { account: row.account, as_of: row.as_of, value: Some(row.value) }, RowState::Current)
}

/// Every account at its own live instant; one that is not known has none, and its row stands anywhere.
fn live<F: Figures>(
    snapshot: &ReadSnapshot,
    asked: &Asked,
    figures: &F,
    accounts: Option<&[Option<Symbol>]>,
) -> Result<Vec<Stated<F::Value>>, ScanError> {
    let view = snapshot.view.as_ref();
    let live = |account: &Symbol| account::live(view, *account);
    let subjects: Vec<Option<AccountAt<'_>>> = match accounts {
        Some(accounts) => accounts.iter().map(|account| live(account.as_ref()?)).collect(),
        // One that only a merge names, and which was not merged into in the end, has no event to live by.
        None => standing_accounts(view, Micros::MAX).iter().filter_map(live).map(Some).collect(),
    };
    let mut rows = Vec::with_capacity(subjects.len());
    // Instants differ by account; those memory cannot answer are asked of the log, each at its own.
    let mut inexact: Vec<(Micros, Symbol, usize)> = Vec::new();
    for (place, account_at) in subjects.iter().enumerate() {
        snapshot.history.cancellation().check()?;
        let Some(account_at) = account_at else {
            let row = Row { account: view.names.intern(NOBODY), as_of: 0, value: None };
            rows.push((row, RowState::AccountUnknown));
            continue;
        };
        let value = if asked.model.is_none() { figures.of(account_at).ok() } else { None };
        if value.is_none() {
            inexact.push((account_at.as_of, account_at.survivor, place));
        }
        let state = if account_at.catching_up { RowState::CatchingUp } else { RowState::Current };
        rows.push((Row { account: account_at.survivor, as_of: account_at.as_of, value }, state));
    }
    inexact.sort_unstable();
    let mut instants: Vec<Micros> = inexact.iter().map(|(as_of, _, _)| *as_of).collect();
    instants.dedup();
    for part in instants.chunks(INSTANTS_MAX) {
        let of_part = inexact.iter().filter(|(as_of, _, _)| part.binary_search(as_of).is_ok());
        let ids = of_part.clone().map(|(_, account, _)| view.names.text(*account).to_owned()).collect();
        let as_of = part.iter().copied().map(AsOf::At).collect();
        let mut found = ask_log(snapshot, asked, figures, Some(ids), as_of)?;
        found.sort_by_key(|row| (row.account, row.as_of));
        for (as_of, account, place) in of_part {
            let at = found.binary_search_by_key(&(*account, *as_of), |row| (row.account, row.as_of));
            rows[*place].0.value = at.ok().map(|at| found[at].value.clone());
        }
    }
    Ok(rows)
}

/// Accounts at the same instants, from memory when it has all of them exactly.
fn at_instants<F: Figures>(
    snapshot: &ReadSnapshot,
    asked: &Asked,
    figures: &F,
    accounts: Option<&[Option<Symbol>]>,
) -> Result<Vec<Row<F::Value>>, ScanError> {
    let view = &snapshot.view;
    let symbols: Option<Vec<Symbol>> = accounts.map(|accounts| {
        accounts.iter().map(|account| account.unwrap_or_else(|| view.names.intern(NOBODY))).collect()
    });
    if asked.model.is_none()
        && let Some(rows) = all_in_memory(snapshot, figures, symbols.as_deref(), &asked.as_of)?
    {
        return Ok(rows);
    }
    let name = |symbol: &Symbol| view.names.text(*symbol).to_owned();
    let ids = symbols.map(|symbols| symbols.iter().map(name).collect());
    ask_log(snapshot, asked, figures, ids, asked.as_of.clone())
}

/// Everything asked at all instants, if memory has all of it exactly.
fn all_in_memory<F: Figures>(
    snapshot: &ReadSnapshot,
    figures: &F,
    accounts: Option<&[Symbol]>,
    instants: &[AsOf],
) -> Result<Option<Vec<Row<F::Value>>>, Cancelled> {
    let view = snapshot.view.as_ref();
    let mut rows = Vec::new();
    for instant in instants {
        let Some(as_of) = instant.instant(&view.plan.calendar, view.tenant.last_instant()) else {
            return Ok(None);
        };
        let all;
        let accounts = match accounts {
            Some(accounts) => accounts,
            None => {
                all = standing_accounts(view, as_of);
                &all
            }
        };
        for account in accounts {
            snapshot.history.cancellation().check()?;
            let account_at = AccountAt::new(view.context(), *account, as_of);
            let Ok(value) = figures.of(&account_at) else { return Ok(None) };
            rows.push(Row { account: account_at.survivor, as_of, value });
        }
    }
    Ok(Some(rows))
}

fn ask_log<F: Figures>(
    snapshot: &ReadSnapshot,
    asked: &Asked,
    figures: &F,
    accounts: Option<Vec<String>>,
    as_of: Vec<AsOf>,
) -> Result<Vec<Row<F::Value>>, ScanError> {
    let model = asked.model(&snapshot.view);
    let (past, asked) = past::folded(snapshot, model, accounts.as_deref(), &as_of)?;
    let cancellation = snapshot.history.cancellation();
    scan::rows(&past, asked.as_deref(), &as_of, figures, snapshot.workers, cancellation)
}
