//! `tidewatch demo`: the main job on a simulated fleet, or on any file, in a directory of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::ToSpan as _;
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::files::{FileSource, Input};
use tidewatch_ingest::fleet::{Fleet, FleetSource, Horizon, Shape};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::mapping::Mapping;
use tidewatch_ingest::source::Source;
use tidewatch_projections::calendar::{Calendar, Day};
use tokio::runtime::{Builder, Runtime};

use super::client::Client;
use super::limits::LimitsFrom;
use super::output::{self, Unit};
use super::reads::Reads;
use super::signals::EndSignals;
use super::{accounts, import};
use crate::app::{Engine, Options, Reading};
use crate::read::index::Index;
use crate::storage::directory::TENANT_DEFAULT;
use crate::write::sequencer::Command;

/// The history that is loaded before the demo goes live.
const HISTORY_MONTHS: i32 = 14;
/// The simulated fleet's source.
const FLEET: &str = "fleet";
/// Fold workers.
const WORKERS: usize = 2;
/// Accounts shown at the end.
const ROWS: usize = 15;

#[derive(Args)]
pub(super) struct Arguments {
    /// Events of your own instead of the simulated fleet: NDJSON, plain, gzip or zstd.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// How to read them; native JSON when not given.
    #[arg(long, value_name = "FILE", requires = "input")]
    mapping: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitsFrom,
    /// Where the log goes; a temporary directory when not given.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Companies of the simulated fleet.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    accounts: u32,
    /// The same seed simulates the same fleet.
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
    /// Days lived after the history, at a pace to follow.
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    live_days: u32,
    /// How long a live day takes.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    day_ms: u64,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (root, is_temporary) = match &arguments.data {
        Some(root) => (root.clone(), false),
        None => (std::env::temp_dir().join(format!("tidewatch-demo-{}", std::process::id())), true),
    };
    let stop = Arc::default();
    let _signals = stop_when_interrupted(&stop)?;
    let done = show(arguments, &root, &stop);
    if is_temporary {
        remove(&root)?;
    } else {
        output::note(&format!("the log is kept in {}", root.display()));
    }
    done
}

/// Whoever interrupts a demo is not to find its temporary directory later. Signals are watched as long as the runtime lives.
fn stop_when_interrupted(stop: &Arc<AtomicBool>) -> anyhow::Result<Runtime> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build()?;
    let mut signals = {
        let _inside = runtime.enter();
        EndSignals::watch()?
    };
    let stop = Arc::clone(stop);
    runtime.spawn(async move {
        signals.next().await;
        stop.store(true, Ordering::Release);
    });
    Ok(runtime)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a temporary directory is removed whole, after its engine is closed"
)]
fn remove(root: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(root) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", root.display()))
        }
        _ => Ok(()),
    }
}

fn show(arguments: &Arguments, root: &Path, stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let limits = arguments.limits.read()?;
    let streams = if arguments.input.is_none() { vec![FLEET.into()] } else { Vec::new() };
    let engine = Engine::open(root, Options { streams, ..Options::new(Some(WORKERS)) }, &|_, _| ())?;
    match &arguments.input {
        Some(file) => read_file(arguments, &engine, file, limits, stop)?,
        None => live(arguments, &engine, limits, stop)?,
    }
    if stop.load(Ordering::Acquire) {
        engine.shutdown()?;
        bail!("interrupted");
    }
    let index = Index::on_demand(root);
    let reads = Reads::of(Client::of_engine(engine, index, WORKERS, Limits::default())?);
    accounts::print_table(&reads, ROWS)?;
    reads.close()
}

fn reading(
    engine: &Engine,
    source: Box<dyn Source>,
    mapping: Option<Mapping>,
    limits: Limits,
    stop: &Arc<AtomicBool>,
) -> Reading {
    let mapping_digest = mapping.as_ref().map_or("".into(), |mapping| mapping.digest().into());
    let format = mapping.map_or(Format::Native, |mapping| Format::Mapped(Arc::new(mapping)));
    let name = source.name().to_owned();
    let decoder = Decoder::new(Arc::clone(engine.names()), TENANT_DEFAULT, &name, limits, format);
    Reading { source, decoder, mapping_digest, stop: Arc::clone(stop), until_caught_up: false }
}

fn read_file(
    arguments: &Arguments,
    engine: &Engine,
    file: &Path,
    limits: Limits,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let mapping = arguments.mapping.as_deref().map(import::read_mapping).transpose()?;
    let input = Input::of_argument(&file.display().to_string());
    let source = FileSource::new("demo", Arc::clone(engine.names()), vec![input], limits.record_bytes_max);
    let progress = source.progress();
    let bar = output::bar(Unit::Bytes, "reading");
    let ingested = std::thread::scope(|scope| {
        let reading = reading(engine, Box::new(source), mapping, limits, stop);
        let ingest = scope.spawn(move || engine.ingest(reading));
        while !ingest.is_finished() {
            bar.set_length(progress.bytes_total());
            bar.set_position(progress.bytes_done());
            std::thread::sleep(Duration::from_millis(20));
        }
        ingest.join().expect("a panic while reading was shown already")
    })?;
    bar.finish_and_clear();
    let receipt = &ingested.receipt;
    output::note(&format!(
        "{} events, {} filtered, {} refused{}",
        receipt.accepted,
        receipt.filtered,
        receipt.rejected_count(),
        if receipt.rejected_count() > 0 { "; `tidewatch mapping check` says why" } else { "" }
    ));
    Ok(())
}

/// Fourteen months of history up to a few days ago, then those days one by one.
fn live(
    arguments: &Arguments,
    engine: &Engine,
    limits: Limits,
    interrupted: &Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let utc = Calendar::utc();
    let today = utc.day(engine.now());
    let first_live = today.plus(-i64::from(arguments.live_days));
    let begin = first_live.date().saturating_sub(HISTORY_MONTHS.months());
    let fleet = Fleet::new(Shape::new(arguments.seed, arguments.accounts as usize, begin));
    let horizon = Horizon::new(utc.start(first_live));
    let source = FleetSource::new(FLEET, engine.names(), fleet, Arc::clone(&horizon));
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let reading = reading(engine, Box::new(source), None, limits, &stop);
        let ingest = scope.spawn(|| engine.ingest(reading));
        let followed =
            follow(arguments, engine, &utc, &horizon, (Day::from_date(begin), first_live), &|| {
                ingest.is_finished() || interrupted.load(Ordering::Acquire)
            });
        stop.store(true, Ordering::Release);
        let ingested = ingest.join().expect("a panic in the simulation was shown already")?;
        followed?;
        // The simulation ends here, so nobody is to wait for it in a directory that is kept.
        engine.submit(Command::RetireSource { source: FLEET.into() }, None)?;
        output::note(&format!("{} events in all", ingested.receipt.accepted));
        Ok(())
    })
}

/// Moves the horizon on and tells what is seen.
fn follow(
    arguments: &Arguments,
    engine: &Engine,
    utc: &Calendar,
    horizon: &Horizon,
    (begin, first_live): (Day, Day),
    is_over: &dyn Fn() -> bool,
) -> anyhow::Result<()> {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let newest = || engine.view().and_then(|view| view.tenant.newest_at).map(|at| utc.day(at));
    let bar = output::bar(Unit::Entries, "14 months, by day");
    bar.set_length(u64::try_from(first_live.since(begin)).unwrap_or(0));
    let last_of_history = first_live.plus(-1);
    while !is_over() && newest().is_none_or(|day| day < last_of_history) {
        let done = newest().map_or(0, |day| day.since(begin));
        bar.set_position(u64::try_from(done).unwrap_or(0));
        std::thread::sleep(LOOK_EVERY);
    }
    bar.finish_and_clear();
    if let Some(view) = engine.view() {
        output::note(&format!(
            "{} accounts, {} events of history",
            view.accounts_count(),
            view.tenant.events
        ));
    }
    let mut out = output::out();
    for ahead in (0..i64::from(arguments.live_days)).take_while(|_| !is_over()) {
        let day = first_live.plus(ahead);
        horizon.advance(utc.end(day));
        std::thread::sleep(Duration::from_millis(arguments.day_ms));
        if let Some(view) = engine.view() {
            writeln!(out, "{day}  {:>9} events  {} accounts", view.tenant.events, view.accounts_count())?;
            out.flush()?;
        }
    }
    Ok(())
}
