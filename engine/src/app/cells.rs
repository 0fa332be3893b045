//! Keeps the health of all accounts up to date for lists, on a thread beside the fold.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use metrics::Gauge;
use tidewatch_projections::health::Band;
use tidewatch_projections::model::Model;

use super::Shared;
use crate::clock::monotonic;
use crate::fold::view::Published;
use crate::meters::{ACCOUNTS_BY_BAND, CELLS_REFRESH_TIME, EVALUATIONS};
use crate::read::cells::{Cells, Place};

/// The cells are brought up to the newest view at most this often.
const REFRESH_EVERY: Duration = Duration::from_millis(100);
/// Time without a refresh for each unit of time that the last one took: a backlog leaves the fold four fifths of a processor.
const REST_FACTOR: u32 = 4;
/// How soon the end of the shard is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Stands for the state of accounts whose health only the log answers.
const PAST_BOUNDS: &str = "past_bounds";

/// Refreshes until the shard shuts down.
pub(super) fn refresh_cells(shared: &Shared, published: &Published) {
    let evaluations = shared.meters.counter(&EVALUATIONS, &[]);
    let refresh_time = shared.meters.histogram(&CELLS_REFRESH_TIME, &[]);
    let mut by_band = BTreeMap::new();
    while shared.stopping.check().is_ok() {
        let began = monotonic();
        let view = published.load();
        if shared.cells.position() != Some(view.position) {
            let Ok(cells) = shared.cells.at(&view, &shared.stopping) else { return };
            evaluations.increment(cells.evaluated as u64);
            count(shared, &cells, &mut by_band);
            refresh_time.record(began.elapsed().as_secs_f64());
        }
        let rest = REFRESH_EVERY.max(began.elapsed() * REST_FACTOR);
        let rested = monotonic() + rest;
        while monotonic() < rested && shared.stopping.check().is_ok() {
            thread::sleep(LOOK_EVERY);
        }
    }
}

fn band_of(model: &Model, band: Band) -> &str {
    match band {
        Band::Of(_) => band.name(model).unwrap_or_default(),
        Band::Unknown | Band::Excluded => "",
    }
}

/// Sets how many accounts there are by state and band; those of which there are none any more stay at 0.
fn count(shared: &Shared, cells: &Cells, by_band: &mut BTreeMap<(&'static str, String), (u64, Gauge)>) {
    by_band.values_mut().for_each(|(count, _)| *count = 0);
    for (_, place) in cells.all() {
        let (state, band) = match place {
            Place::Cell(cell, _) => (cell.state.name(), band_of(&cells.view.plan.model, cell.band)),
            Place::Inexact(_) => (PAST_BOUNDS, ""),
            Place::Merged => continue,
        };
        let gauge = || (0, shared.meters.gauge(&ACCOUNTS_BY_BAND, &[state, band]));
        by_band.entry((state, band.to_owned())).or_insert_with(gauge).0 += 1;
    }
    by_band.values().for_each(|(count, gauge)| gauge.set(*count as f64));
}
