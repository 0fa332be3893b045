//! `tidewatch rebuild`.

use std::io::Write as _;

use clap::Args;

use super::output::{self, Unit};
use crate::app::{Engine, Options};
use crate::clock::monotonic;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: super::place::DataDir,
    #[command(flatten)]
    workers: super::Workers,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let bar = output::bar(Unit::Entries, "folding the log");
    let started = monotonic();
    let options = Options { discard_derived: true, create_if_missing: false, ..arguments.workers.options() };
    let engine = Engine::open(&arguments.place.data, options, &output::reading(&bar))?;
    bar.finish_and_clear();
    let elapsed = started.elapsed();
    let (accounts, events) = engine.view().map_or((0, 0), |view| (view.accounts_count(), view.tenant.events));
    let last_seq = *engine.durable().borrow();
    engine.shutdown()?;
    let per_second = (last_seq as f64 / elapsed.as_secs_f64().max(1e-9)).round() as u64;
    writeln!(
        output::out(),
        "{accounts} accounts, {events} events, {last_seq} entries in {:.1} s, {per_second} entries/s",
        elapsed.as_secs_f64()
    )?;
    Ok(())
}
