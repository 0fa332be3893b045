//! Keeps the health of all accounts up to date for lists, on a thread beside the fold.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use metrics::Gauge;
use tidewatch_projections::health::Band;

use super::Shared;
use crate::clock::monotonic;
use crate::fold::view::Published;
use crate::meters::{ACCOUNTS_BY_BAND, CELLS_BEHIND, EVALUATIONS};
use crate::read::cells::{Cells, Place};

/// The cells are brought up to the newest view at most this often.
const REFRESH_EVERY: Duration = Duration::from_millis(100);
/// Time without a refresh for each unit of time that the last one took: a backlog leaves the fold four fifths of a processor.
const REST_FACTOR: u32 = 4;
/// How soon the end of the shard is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Refreshes until the shard shuts down.
pub(super) fn refresh_cells(shared: &Shared, published: &Published) {
    let evaluations = shared.meters.counter(&EVALUATIONS, &[]);
    let behind = shared.meters.gauge(&CELLS_BEHIND, &[]);
    let mut by_band = BTreeMap::new();
    while shared.stopping.check().is_ok() {
        let began = monotonic();
        let view = published.load();
        let position = shared.cells.position();
        behind.set(view.position.seq.saturating_sub(position.map_or(0, |at| at.seq)) as f64);
        if position != Some(view.position) {
            let Ok(cells) = shared.cells.at(&view, &shared.stopping) else { return };
            evaluations.increment(cells.evaluated as u64);
            count(shared, &cells, &mut by_band);
            behind.set(0.0);
        }
        let rest = REFRESH_EVERY.max(began.elapsed() * REST_FACTOR);
        let rested = monotonic() + rest;
        while monotonic() < rested && shared.stopping.check().is_ok() {
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// Sets how many accounts there are by state and band; those of which there are none any more stay at 0.
fn count(shared: &Shared, cells: &Cells, by_band: &mut BTreeMap<(&'static str, String), (u64, Gauge)>) {
    by_band.values_mut().for_each(|(count, _)| *count = 0);
    for (_, place) in cells.all() {
        let Place::Cell(cell, _) = place else { continue };
        let band = match cell.band {
            Band::Of(_) => cell.band.name(&cells.view.plan.model).unwrap_or_default(),
            Band::Unknown | Band::Excluded => "",
        };
        let state = cell.state.name();
        let gauge = || (0, shared.meters.gauge(&ACCOUNTS_BY_BAND, &[state, band]));
        by_band.entry((state, band.to_owned())).or_insert_with(gauge).0 += 1;
    }
    by_band.values().for_each(|(count, gauge)| gauge.set(*count as f64));
}
