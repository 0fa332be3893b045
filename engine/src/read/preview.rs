//! How scores and bands of all accounts would move under another model, both at one instant.

use std::collections::BTreeMap;

use tidewatch_projections::event::Micros;
use tidewatch_projections::health::Health;
use tidewatch_projections::health::shift::{Judged, Shift, shifts};
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Symbol;

use crate::fold::view::View;
use crate::read::answer::{Asked, answer};
use crate::read::health::OfHealth;
use crate::read::scan::{AsOf, ScanError};
use crate::read::snapshot::ReadSnapshot;

/// Points that one bar of a distribution holds; the last one holds the best score too.
pub const BAR_POINTS: f64 = 10.0;
/// Bars of a distribution.
pub const BARS: usize = 10;

/// How all accounts would move.
pub struct Preview {
    /// The instant of both, exclusive.
    pub as_of: Micros,
    /// Accounts that were judged.
    pub accounts: usize,
    /// How many accounts have this band under the adopted model and that one under the other.
    pub bands: BTreeMap<(Option<String>, Option<String>), usize>,
    /// Accounts by score under the adopted model: of each bar.
    pub before: [usize; BARS],
    /// The same under the other.
    pub after: [usize; BARS],
    /// Accounts with a score under both, those that move most first.
    pub moved: Vec<Moved>,
}

/// An account whose score moves.
pub struct Moved {
    pub account: Symbol,
    /// Its health under the adopted model.
    pub before: Health,
    /// Its health under the other.
    pub after: Health,
    /// What moves it, greatest first; they sum to the difference.
    pub shifts: Vec<Shift>,
}

/// The instant at which two models are compared where none is asked for: the newest at which any account is live, so that all
/// stand at the same. `None` where nothing has happened yet.
pub fn instant(view: &View) -> Option<Micros> {
    let last = view.tenant.last_instant()?;
    let Some(clock) = view.control_state.clock_at else { return Some(last) };
    let wall = view.control_state.wall_at.unwrap_or(clock).max(clock);
    Some(clock.max(last).min(wall))
}

/// Judges every account under the adopted model and another at an instant; tells at most `most` of those that move.
///
/// # Errors
/// Whatever the log says.
pub fn preview(
    snapshot: &ReadSnapshot,
    model: Model,
    as_of: AsOf,
    most: usize,
) -> Result<Preview, ScanError> {
    let health = |model: Option<Model>| {
        let asked = Asked { accounts: None, as_of: vec![as_of], model };
        let rows = answer(snapshot, &asked, &OfHealth)?.ok_or(ScanError::NoEvent)?.rows;
        let rows = rows.into_iter().filter_map(|(row, _)| Some((row.account, row.value?)));
        Ok::<Vec<(Symbol, Health)>, ScanError>(rows.collect())
    };
    let (before, after) = (health(None)?, health(Some(model.clone()))?);
    let at = as_of.instant(&snapshot.view.plan.calendar, snapshot.view.tenant.last_instant());
    let mut preview = Preview {
        as_of: at.ok_or(ScanError::NoEvent)?,
        accounts: before.len(),
        bands: BTreeMap::new(),
        before: bars(&before),
        after: bars(&after),
        moved: Vec::new(),
    };
    let adopted = &snapshot.view.plan.model;
    let mut moved = Vec::new();
    for ((account, before), (other, after)) in before.into_iter().zip(after) {
        debug_assert_eq!(account, other, "one instant has the same accounts under any model");
        let name = |model: &Model, health: &Health| health.band.name(model).map(str::to_owned);
        let bands = (name(adopted, &before), name(&model, &after));
        *preview.bands.entry(bands).or_default() += 1;
        if let (Some(from), Some(to)) = (before.score(), after.score())
            && from != to
        {
            moved.push(((to - from).abs(), account, before, after));
        }
    }
    let name = |account: &Symbol| snapshot.view.names.text(*account);
    moved.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| name(&a.1).cmp(name(&b.1))));
    moved.truncate(most);
    preview.moved = moved
        .into_iter()
        .map(|(_, account, before, after)| {
            let from = Judged { model: adopted, health: &before };
            let shifts = shifts(from, Judged { model: &model, health: &after });
            Moved { account, before, after, shifts }
        })
        .collect();
    Ok(preview)
}

fn bars(rows: &[(Symbol, Health)]) -> [usize; BARS] {
    let mut bars = [0; BARS];
    for score in rows.iter().filter_map(|(_, health)| health.score()) {
        bars[((score / BAR_POINTS) as usize).min(BARS - 1)] += 1;
    }
    bars
}
