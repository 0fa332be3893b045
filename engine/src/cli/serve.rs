//! `tidewatch serve`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context as _, bail};
use clap::Args;
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::kafka::{self, KafkaConfig, KafkaSource};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::output::{self, Unit};
use crate::app::{Engine, EngineError, Ingested, Options, Reading};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Config, SourceConfig};
use crate::telemetry;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: super::Place,
    /// The configuration file; every setting has a default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Stop once everything is durable and folded that the sources held at the start.
    #[arg(long)]
    until_caught_up: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let loaded = config::read(arguments.config.as_deref())?;
    let config = loaded.config;
    telemetry::start(config.log.format.into(), &config.log.level)?;
    for unknown in &loaded.unknown_variables {
        tracing::warn!("{unknown}");
    }
    let bar = output::bar(Unit::Entries, "reading the log");
    let options = Options {
        tenant: config.tenant.clone(),
        dedup_memory_bytes_max: config.dedup.memory_bytes_max,
        ..Options::new(Some(workers(&config)))
    };
    let engine = Engine::open(&arguments.place.data, options, &output::reading(&bar))?;
    bar.finish_and_clear();
    let runtime = Runtime::new().context("the system gives no threads for the services")?;
    let base = arguments.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let stop = Arc::new(AtomicBool::new(false));
    let readings: Vec<Reading> = config
        .sources
        .iter()
        .map(|source| reading(&engine, &config, source, base, &stop, arguments.until_caught_up))
        .collect::<anyhow::Result<_>>()?;
    let outcome = read_all(&engine, readings, &runtime, &stop, arguments.until_caught_up);
    tracing::info!("shutting down");
    engine.shutdown()?;
    outcome
}

fn workers(config: &Config) -> usize {
    match config.workers {
        0 => thread::available_parallelism().map_or(1, usize::from),
        workers => workers.into(),
    }
}

fn reading(
    engine: &Engine,
    config: &Config,
    source: &SourceConfig,
    base: &Path,
    stop: &Arc<AtomicBool>,
    until_caught_up: bool,
) -> anyhow::Result<Reading> {
    let SourceConfig::Kafka(source) = source;
    let KafkaConfig { name, .. } = source.as_ref();
    let (format, mapping_digest) = match (source.format, &source.mapping) {
        (kafka::Format::Native, _) => (Format::Native, "".into()),
        (kafka::Format::Mapped, Some(file)) => {
            // Paths of a configuration are meant from where it lies.
            let mapping = super::import::read_mapping(&base.join(file))?;
            let digest = mapping.digest().into();
            (Format::Mapped(Arc::new(mapping)), digest)
        }
        (kafka::Format::Mapped, None) => bail!("source {name}: format = \"mapped\" needs mapping = \"FILE\""),
    };
    let names = engine.names();
    let decoder = Decoder::new(Arc::clone(names), &config.tenant, name, config.limits.clone(), format);
    let source = KafkaSource::open(source.as_ref().clone(), names, Arc::new(|| SystemClock.now()))
        .with_context(|| format!("source {name} cannot be opened"))?;
    Ok(Reading { source: Box::new(source), decoder, mapping_digest, stop: Arc::clone(stop), until_caught_up })
}

/// Reads every source on its own thread until a signal comes, the engine fails or, if so asked, all have caught up.
fn read_all(
    engine: &Engine,
    readings: Vec<Reading>,
    runtime: &Runtime,
    stop: &AtomicBool,
    until_caught_up: bool,
) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let sources: Vec<_> =
            readings.into_iter().map(|reading| scope.spawn(|| engine.ingest(reading))).collect();
        let ended = runtime.block_on(async {
            let (mut interrupted, mut terminated) =
                (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            let mut durable = engine.durable();
            loop {
                tokio::select! {
                    _ = interrupted.recv() => break,
                    _ = terminated.recv() => break,
                    _ = durable.changed() => {}
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
                let is_all_read = until_caught_up && sources.iter().all(|source| source.is_finished());
                if is_all_read || engine.failure().is_some() {
                    break;
                }
            }
            anyhow::Ok(())
        });
        stop.store(true, Ordering::Relaxed);
        let mut outcomes =
            sources.into_iter().map(|source| source.join().expect("a panic was shown already"));
        ended.and(outcomes.try_for_each(told))
    })
}

/// How often it is looked whether all sources are read or the engine has failed.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(50);

fn told(outcome: Result<Ingested, EngineError>) -> anyhow::Result<()> {
    let ingested = outcome?;
    match ingested.stops.first() {
        None => Ok(()),
        Some(stop) => bail!("{stop}"),
    }
}
