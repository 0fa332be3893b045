//! Scores and bands of accounts at the ends of days, computed once for a stretch of days.

use std::collections::{HashMap, VecDeque};

use tidewatch_projections::alert::judge::{DayScore, Scores};
use tidewatch_projections::alert::watch::Watch;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::health::{self, Band};
use tidewatch_projections::names::Symbol;
use tidewatch_projections::rules::kind::Kind;

use crate::cancellation::{Cancellation, Cancelled};
use crate::fold::view::View;
use crate::read::scan::{each_account, standing_accounts};

/// The scores of some accounts from one day on.
pub struct ScoreTable {
    from: Day,
    rows: HashMap<Symbol, Box<[Option<DayScore>]>>,
}

impl ScoreTable {
    /// Scores every day of life from one day to another, on several threads.
    ///
    /// # Errors
    /// Once it is cancelled.
    pub fn compute(
        view: &View,
        accounts: &[Symbol],
        (from, to): (Day, Day),
        workers: usize,
        cancellation: &Cancellation,
    ) -> Result<Self, Cancelled> {
        let days = usize::try_from(to.since(from) + 1).unwrap_or_default();
        let of = |account: Symbol| {
            let mut row: Box<[Option<DayScore>]> = vec![None; days].into();
            // A scan of the log keeps everything; a view that lacks something leaves the account without scores.
            let _inexact = health::history(view.context(), account, from, to, |day, health| {
                let band = match health.band {
                    Band::Of(band) => Some(band),
                    Band::Unknown | Band::Excluded => None,
                };
                row[day.since(from) as usize] = Some(DayScore { score: health.score(), band });
            });
            (account, row)
        };
        let rows = each_account(accounts, workers, cancellation, of)?.into_iter().collect();
        Ok(Self { from, rows })
    }
}

impl Scores for ScoreTable {
    fn at(&self, account: Symbol, day: Day) -> Option<DayScore> {
        let place = usize::try_from(day.since(self.from)).ok()?;
        *self.rows.get(&account)?.get(place)?
    }
}

/// The scores of all accounts over the last days, brought up to each day that is decided.
#[derive(Default)]
pub struct ScoreWindow {
    newest: Option<Day>,
    model_seq: u64,
    rows: HashMap<Symbol, VecDeque<(Day, DayScore)>>,
}

impl ScoreWindow {
    /// Scores a day, and of an account that is new here, or under another model, those before it that rules look back to. False
    /// where no rule looks at scores.
    ///
    /// # Errors
    /// Once it is cancelled.
    pub fn bring_up_to(
        &mut self,
        view: &View,
        watch: &Watch,
        day: Day,
        workers: usize,
        cancellation: &Cancellation,
    ) -> Result<bool, Cancelled> {
        let Some(back_days) = look_back_days(watch).filter(|_| view.plan.model.scoring.is_ok()) else {
            return Ok(false);
        };
        let model_seq = view.control_state.models.last().map_or(0, |adopted| adopted.seq);
        let is_next = self.newest.is_some_and(|newest| newest.plus(1) == day);
        if !is_next || self.model_seq != model_seq {
            self.rows.clear();
        }
        (self.newest, self.model_seq) = (Some(day), model_seq);
        let accounts = standing_accounts(view, view.plan.calendar.end(day));
        let (known, new): (Vec<Symbol>, Vec<Symbol>) =
            accounts.into_iter().partition(|account| self.rows.contains_key(account));
        for (accounts, from) in [(known, day), (new, day.plus(-back_days))] {
            let table = ScoreTable::compute(view, &accounts, (from, day), workers, cancellation)?;
            for (account, row) in table.rows {
                let days = (0..).zip(row).filter_map(|(back, score)| Some((from.plus(back), score?)));
                let kept = self.rows.entry(account).or_default();
                kept.extend(days);
                while kept.front().is_some_and(|(oldest, _)| *oldest < day.plus(-back_days)) {
                    kept.pop_front();
                }
            }
        }
        Ok(true)
    }
}

/// How many days before the one that is judged rules look at scores of; `None` where none does.
pub(super) fn look_back_days(watch: &Watch) -> Option<i64> {
    let back = watch.rules.rules.iter().filter_map(|rule| match &rule.kind {
        Kind::Band(_) => Some(0),
        Kind::Points { within_days, .. } => Some(i64::from(*within_days)),
        _ => None,
    });
    back.max()
}

impl Scores for ScoreWindow {
    fn at(&self, account: Symbol, day: Day) -> Option<DayScore> {
        let row = self.rows.get(&account)?;
        let place = row.binary_search_by_key(&day, |(other, _)| *other).ok()?;
        Some(row[place].1)
    }
}
