//! Scores and bands of accounts at the ends of days, computed once for a stretch of days.

use std::collections::HashMap;
use std::thread;

use tidewatch_projections::alert::judge::{DayScore, Scores};
use tidewatch_projections::calendar::Day;
use tidewatch_projections::health::{self, Band};
use tidewatch_projections::names::Symbol;

use crate::cancellation::{Cancellation, Cancelled};
use crate::fold::view::View;

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
        let share = accounts.len().div_ceil(workers.max(1)).max(1);
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
        let rows = thread::scope(|scope| {
            let compute = |accounts: &[Symbol]| -> Result<Vec<_>, Cancelled> {
                accounts.iter().map(|account| cancellation.check().map(|()| of(*account))).collect()
            };
            let shares: Vec<_> =
                accounts.chunks(share).map(|share| scope.spawn(move || compute(share))).collect();
            let mut rows = HashMap::with_capacity(accounts.len());
            for share in shares {
                rows.extend(share.join().expect("scoring is total")?);
            }
            Ok(rows)
        })?;
        Ok(Self { from, rows })
    }
}

impl Scores for ScoreTable {
    fn at(&self, account: Symbol, day: Day) -> Option<DayScore> {
        let place = usize::try_from(day.since(self.from)).ok()?;
        *self.rows.get(&account)?.get(place)?
    }
}
