//! Computes metrics of any model at any instants in one pass over the log.

use std::sync::Arc;
use std::thread;

use tidewatch_projections::account::Account;
use tidewatch_projections::calendar::{Calendar, Day};
use tidewatch_projections::event::Micros;
use tidewatch_projections::metric::{Scalar, evaluate};
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Symbol;
use tidewatch_projections::plan::{Bounds, Plan};

use crate::cancellation::{Cancellation, Cancelled};
use crate::fold::history::{History, HistoryError};
use crate::fold::view::View;
use crate::fold::worker::FoldContext;
use crate::position::Position;

/// An instant as it is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AsOf {
    /// An instant, exclusive.
    At(Micros),
    /// The end of a day in the reporting zone.
    EndOf(Day),
    /// One microsecond after the newest accepted event of the tenant.
    Last,
}

impl AsOf {
    /// Reads RFC 3339, a date, or `last`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "last" {
            return Some(Self::Last);
        }
        if let Some(day) = Day::parse(text) {
            return Some(Self::EndOf(day));
        }
        let instant: jiff::Timestamp = text.parse().ok()?;
        Some(Self::At(instant.as_microsecond()))
    }

    fn instant(self, calendar: &Calendar, last: Option<Micros>) -> Option<Micros> {
        match self {
            Self::At(at) => Some(at),
            Self::EndOf(day) => Some(calendar.end(day)),
            Self::Last => last,
        }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The metrics.
    pub model: Model,
    /// When, each answered for every account.
    pub as_of: Vec<AsOf>,
    /// Accounts by id; `None` is every account that answers for itself.
    pub accounts: Option<Vec<String>>,
}

/// One account's metrics at one instant.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The account that answers: the survivor of the one asked for.
    pub account: Symbol,
    /// The instant, exclusive.
    pub as_of: Micros,
    /// In the model's order; missing is `None`.
    pub values: Vec<Option<Scalar>>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The log or what it is read under.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// `last` of nothing.
    #[error("`last` names no instant: no event was accepted yet; import something first")]
    NoEvent,
    /// Whoever asked waits no more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Answers a question from the log, on `workers` threads. Rows come in the order of the asked instants, then of the asked
/// accounts or, for all, by id. Ends early once the history is cancelled.
///
/// # Errors
/// Whatever the log says; `last` of an empty log.
pub fn scan(history: &History, question: &Question, workers: usize) -> Result<Vec<Row>, ScanError> {
    let summary = history.summary()?;
    let names = Arc::clone(history.names());
    let calendar = summary.control_state.calendar().map_err(HistoryError::from)?;
    let known: Vec<Micros> =
        question.as_of.iter().filter_map(|as_of| as_of.instant(&calendar, None)).collect();
    let plan = Plan::compile(question.model.clone(), &names, calendar.clone(), Bounds::NONE, &known)
        .map_err(HistoryError::from)?;
    let asked: Option<Vec<Symbol>> = question
        .accounts
        .as_ref()
        .map(|accounts| accounts.iter().map(|account| names.intern(account)).collect());
    let only = asked.as_ref().map(|asked| {
        let merges = &summary.merged.merges;
        let instants = || known.iter().copied().chain([Micros::MAX]);
        let mut only: Vec<Symbol> = asked
            .iter()
            .flat_map(|account| instants().map(|as_of| (*account, as_of)))
            .flat_map(|(account, as_of)| merges.members(&names, merges.survivor(account, as_of), as_of))
            .collect();
        only.sort_unstable();
        only.dedup();
        only.into()
    });
    let context =
        FoldContext { names, plan: Arc::new(plan), control_state: Arc::new(summary.control_state), only };
    let fold = history.fold(workers, context)?;
    let view = fold.settle(Position { shard: 0, lineage: 0, seq: summary.last_seq });
    let last = view.tenant.last_instant();
    let mut rows = Vec::new();
    for as_of in &question.as_of {
        let as_of = as_of.instant(&calendar, last).ok_or(ScanError::NoEvent)?;
        let accounts = match &asked {
            Some(asked) => asked.iter().map(|account| view.tenant.merges.survivor(*account, as_of)).collect(),
            None => standing_accounts(&view, as_of),
        };
        rows.extend(evaluate_all(&view, &accounts, as_of, workers, history.cancellation())?);
    }
    Ok(rows)
}

/// Every account that answers for itself at an instant, by id: those that an event before it names, as its account or as
/// the survivor of a merge.
pub fn standing_accounts(view: &View, as_of: Micros) -> Vec<Symbol> {
    let merges = &view.tenant.merges;
    let named = view.accounts().filter(|account| account.oldest_at < as_of);
    let mut accounts: Vec<Symbol> = named.map(|account| account.id).collect();
    accounts.extend(merges.before(as_of).map(|(_, survivor)| survivor));
    if !merges.all().is_empty() {
        accounts.iter_mut().for_each(|account| *account = merges.survivor(*account, as_of));
    }
    accounts.sort_unstable_by_key(|account| view.names.text(*account));
    accounts.dedup();
    accounts
}

/// Evaluates accounts at one instant on `workers` threads; rows come in the order of the accounts.
fn evaluate_all(
    view: &View,
    accounts: &[Symbol],
    as_of: Micros,
    workers: usize,
    cancellation: &Cancellation,
) -> Result<Vec<Row>, Cancelled> {
    let share = accounts.len().div_ceil(workers.max(1)).max(1);
    let evaluate = |account: &Symbol| -> Result<Row, Cancelled> {
        cancellation.check()?;
        Ok(row(view, *account, as_of))
    };
    thread::scope(|scope| {
        let shares: Vec<_> = accounts
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().map(evaluate).collect::<Result<Vec<Row>, _>>()))
            .collect();
        let mut rows = Vec::with_capacity(accounts.len());
        for share in shares {
            rows.extend(share.join().expect("evaluation is total")?);
        }
        Ok(rows)
    })
}

/// Evaluates one account that answers for itself.
fn row(view: &View, account: Symbol, as_of: Micros) -> Row {
    let values = with_members(view, account, as_of, |members| evaluate(view.context(), members, as_of));
    Row { account, as_of, values }
}

/// Calls `answer` with the accounts that count together for one that answers for itself, the survivor first.
pub(crate) fn with_members<T>(
    view: &View,
    account: Symbol,
    as_of: Micros,
    answer: impl FnOnce(&[&Account]) -> T,
) -> T {
    let members = view.members(account, as_of);
    match members.first() {
        Some(survivor) if survivor.id == account => answer(&members),
        // The survivor has no event of its own: its figures are those of the accounts merged into it.
        _ => {
            let survivor = Account::new(account);
            let members: Vec<&Account> = std::iter::once(&survivor).chain(members).collect();
            answer(&members)
        }
    }
}
