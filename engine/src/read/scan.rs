//! Computes metrics or health under any model at any instants in one pass over the log.

use std::sync::Arc;
use std::thread;

use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::calendar::{Calendar, Day};
use tidewatch_projections::event::Micros;
use tidewatch_projections::health::Inexact;
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Symbol;
use tidewatch_projections::plan::{Bounds, Plan};
use tidewatch_projections::scalar::Scalar;

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

    /// The instant; `None` of `last` where there is none.
    pub(crate) fn instant(self, calendar: &Calendar, last: Option<Micros>) -> Option<Micros> {
        match self {
            Self::At(at) => Some(at),
            Self::EndOf(day) => Some(calendar.end(day)),
            Self::Last => last,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Question {
    pub model: Model,
    /// When, each answered for every account.
    pub as_of: Vec<AsOf>,
    /// Accounts by id; `None` is every account that answers for itself.
    pub accounts: Option<Vec<String>>,
}

/// What is computed of an account at an instant: some of the metrics, or its health.
pub trait Figures: Sync {
    type Value: Clone + Send + Sync + 'static;

    /// Computes it.
    ///
    /// # Errors
    /// When state with bounds does not hold all that it depends on.
    fn of(&self, account_at: &AccountAt<'_>) -> Result<Self::Value, Inexact>;
}

/// Some metrics of the model that is asked about, by their places in it.
#[derive(Clone, Debug)]
pub struct Columns {
    indices: Vec<usize>,
    lookback_days: i64,
}

impl Columns {
    /// Metrics by their places in a model.
    pub fn new(model: &Model, indices: Vec<usize>) -> Self {
        let lookback_days = model.lookback_days(&indices);
        Self { indices, lookback_days }
    }

    /// All metrics of a model, in its order.
    pub fn all(model: &Model) -> Self {
        Self::new(model, (0..model.metrics.len()).collect())
    }

    /// The places in the model.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl Figures for Columns {
    type Value = Vec<Option<Scalar>>;

    fn of(&self, account_at: &AccountAt<'_>) -> Result<Self::Value, Inexact> {
        if !account_at.is_exact(self.lookback_days) {
            return Err(Inexact);
        }
        Ok(self.indices.iter().map(|index| account_at.metric(*index).cloned()).collect())
    }
}

/// What was computed of one account at one instant.
#[derive(Clone, PartialEq, Debug)]
pub struct Row<T> {
    /// The account that answers: the survivor of the one asked for.
    pub account: Symbol,
    /// The instant, exclusive.
    pub as_of: Micros,
    /// What came out; of metrics the values in the order asked, missing is `None`.
    pub value: T,
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
pub fn scan<F: Figures>(
    history: &History,
    question: &Question,
    figures: &F,
    workers: usize,
) -> Result<Vec<Row<F::Value>>, ScanError> {
    let asked = question.accounts.as_deref();
    let (view, asked) = folded(history, &question.model, asked, &question.as_of, workers)?;
    rows(&view, asked.as_deref(), &question.as_of, figures, workers, history.cancellation())
}

/// Evaluates accounts that were folded for it, or all, at some instants.
///
/// # Errors
/// `last` of an empty log; once it is cancelled.
pub fn rows<F: Figures>(
    view: &View,
    asked: Option<&[Symbol]>,
    instants: &[AsOf],
    figures: &F,
    workers: usize,
    cancellation: &Cancellation,
) -> Result<Vec<Row<F::Value>>, ScanError> {
    let last = view.tenant.last_instant();
    let mut rows = Vec::new();
    for as_of in instants {
        let as_of = as_of.instant(&view.plan.calendar, last).ok_or(ScanError::NoEvent)?;
        let accounts = match asked {
            Some(asked) => asked.iter().map(|account| view.tenant.merges.survivor(*account, as_of)).collect(),
            None => standing_accounts(view, as_of),
        };
        rows.extend(evaluate_all(view, figures, &accounts, as_of, workers, cancellation)?);
    }
    Ok(rows)
}

/// Some accounts, or all, folded from the whole log under a model, without bounds and cut at some instants; and the accounts
/// asked for, in that order. State is exact at those instants and at ends of days.
///
/// # Errors
/// Whatever the log says.
pub fn folded(
    history: &History,
    model: &Model,
    accounts: Option<&[String]>,
    instants: &[AsOf],
    workers: usize,
) -> Result<(View, Option<Vec<Symbol>>), ScanError> {
    let summary = history.summary()?;
    let names = Arc::clone(history.names());
    let calendar = summary.control_state.calendar().map_err(HistoryError::from)?;
    let cuts: Vec<Micros> = instants.iter().filter_map(|as_of| as_of.instant(&calendar, None)).collect();
    let plan =
        Plan::compile(model.clone(), &names, calendar, Bounds::NONE, &cuts).map_err(HistoryError::from)?;
    let asked: Option<Vec<Symbol>> =
        accounts.map(|accounts| accounts.iter().map(|account| names.intern(account)).collect());
    let only = asked.as_ref().map(|asked| summary.merged.merges.connected(asked).into());
    let context = FoldContext {
        names,
        plan: Arc::new(plan),
        watch: None,
        control_state: Arc::new(summary.control_state),
        only,
    };
    let fold = history.fold(workers, context)?;
    Ok((fold.settle(Position { shard: 0, lineage: 0, seq: summary.last_seq }), asked))
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
fn evaluate_all<F: Figures>(
    view: &View,
    figures: &F,
    accounts: &[Symbol],
    as_of: Micros,
    workers: usize,
    cancellation: &Cancellation,
) -> Result<Vec<Row<F::Value>>, Cancelled> {
    each_account(accounts, workers, cancellation, |account| {
        let account_at = AccountAt::new(view.context(), account, as_of);
        let value = figures.of(&account_at).expect("a scan of the log keeps everything");
        Row { account, as_of, value }
    })
}

/// Calls `of` with every account, on `workers` threads; answers come in the order of the accounts.
///
/// # Errors
/// Once it is cancelled.
pub fn each_account<T: Send>(
    accounts: &[Symbol],
    workers: usize,
    cancellation: &Cancellation,
    of: impl Fn(Symbol) -> T + Sync,
) -> Result<Vec<T>, Cancelled> {
    let share = accounts.len().div_ceil(workers.max(1)).max(1);
    let of_one = |account: &Symbol| cancellation.check().map(|()| of(*account));
    let of_share = |accounts: &[Symbol]| accounts.iter().map(of_one).collect::<Result<Vec<T>, Cancelled>>();
    thread::scope(|scope| {
        let shares: Vec<_> =
            accounts.chunks(share).map(|share| scope.spawn(move || of_share(share))).collect();
        let mut answers = Vec::with_capacity(accounts.len());
        for share in shares {
            answers.extend(share.join().expect("evaluation is total")?);
        }
        Ok(answers)
    })
}
