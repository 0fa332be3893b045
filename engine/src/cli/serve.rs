//! `tidewatch serve`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tidewatch_ingest::kafka::{self, KafkaConfig, KafkaSource};
use tokio::runtime::Runtime;

use super::output::{self, Unit};
use super::signals::EndSignals;
use crate::app::{Engine, EngineError, Ingested, Options, Reading};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Config, SourceConfig};
use crate::meters::Meters;
use crate::read::index::Index;
use crate::serve::formats::{Formats, SourceFormat};
use crate::serve::http;
use crate::serve::lifecycle::Lifecycle;
use crate::serve::listen::{self, Api, ListenError, Listening};
use crate::serve::reader::Reader;
use crate::telemetry;
use crate::write::sequencer::CommandError;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: super::place::DataDir,
    /// The configuration file; every setting has a default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Stop once everything is durable and folded that the sources held at the start.
    #[arg(long)]
    until_caught_up: bool,
}

/// How long work behind calls that were cut off may take before the process ends without it.
const WORK_MAX: Duration = Duration::from_secs(5);

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let loaded = config::read(arguments.config.as_deref())?;
    let config = loaded.config;
    telemetry::start(config.log.format.into(), &config.log.level)?;
    for unknown in &loaded.unknown_variables {
        tracing::warn!("{unknown}");
    }
    let runtime = Runtime::new().context("the system gives no threads for the services")?;
    let (stage, meters) = (Arc::new(Lifecycle::new(config.serve.past())), Arc::new(Meters::new()));
    let pages = runtime.block_on(listen::http(config.serve.http, operator_pages(&stage, &meters)));
    let pages = unless_passing(pages, arguments.until_caught_up)?;

    let bar = output::bar(Unit::Entries, "reading the log");
    let options = Options {
        tenant: config.tenant.clone(),
        keep_cells: true,
        decide: true,
        dedup_memory_bytes_max: config.dedup.memory_bytes_max,
        meters: Arc::clone(&meters),
        streams: config.sources.iter().map(|SourceConfig::Kafka(source)| source.name.clone()).collect(),
        ..Options::new(Some(workers(&config)))
    };
    let shown = output::reading(&bar);
    let progress = |applied, last| {
        stage.replaying(applied, last);
        shown(applied, last);
    };
    let engine = Arc::new(Engine::open(&arguments.place.data, options, &progress)?);
    bar.finish_and_clear();
    stage.started(&engine);

    let configured: HashMap<String, SourceFormat> = config
        .sources
        .iter()
        .map(|SourceConfig::Kafka(source)| {
            Ok((source.name.clone(), format_of(source, arguments.config.as_deref())?))
        })
        .collect::<anyhow::Result<_>>()?;
    let formats = Arc::new(Formats::new(&engine, config.limits.clone(), configured));
    let index = Arc::new(Index::open(engine.directory().root())?);
    let reader = Reader::new(Arc::clone(&engine), index, Arc::clone(&stage.scheduler), workers(&config))
        .expect("it was opened with a fold");
    let stop = Arc::new(AtomicBool::new(false));
    let (pins, formats_of_api) = (Arc::clone(&stage.pins), Arc::clone(&formats));
    let api = Api { reader, formats: formats_of_api, pins, stop: Arc::clone(&stop) };
    let api = runtime.block_on(listen::grpc(config.serve.grpc, api, meters));
    let api = unless_passing(api, arguments.until_caught_up)?;
    for (what, listening) in [("gRPC", &api), ("HTTP", &pages)] {
        if let Some(listening) = listening {
            tracing::info!(address = %listening.address(), "serving {what}");
        }
    }

    for source in engine.sources().iter().filter(|source| formats.configured(&source.name).is_none()) {
        tracing::warn!(source = source.name, "{}", source.problem);
    }
    let until_caught_up = arguments.until_caught_up;
    let streams = config.sources.iter().map(|SourceConfig::Kafka(source)| {
        let stream = Stream { engine: &engine, formats: &formats, source, stop: &stop, until_caught_up };
        Ok((stream.reading()?, stream))
    });
    let streams = streams.collect::<anyhow::Result<_>>()?;
    let outcome = read_all(&engine, streams, &runtime, &stop, until_caught_up);
    if until_caught_up && outcome.is_ok() {
        engine.wait_until_decided(DECIDED_WAIT_MAX);
    }
    tracing::info!("shutting down");
    stage.stopping();
    runtime.block_on(async {
        for listening in [api, pages].into_iter().flatten() {
            listening.stop().await;
        }
    });
    runtime.shutdown_timeout(WORK_MAX);
    match Arc::try_unwrap(engine) {
        Ok(engine) => engine.shutdown()?,
        // Ends in order all the same, with the last reader.
        Err(_) => tracing::warn!("a read was still under way after {WORK_MAX:?}"),
    }
    outcome
}

/// How long a run that ends by itself waits for the decisions of what it read.
const DECIDED_WAIT_MAX: Duration = Duration::from_secs(600);

/// A run that ends by itself serves where it can and does not fail where it cannot.
fn unless_passing(
    listening: Result<Listening, ListenError>,
    is_passing: bool,
) -> anyhow::Result<Option<Listening>> {
    match listening {
        Err(error @ ListenError::Bind { .. }) if is_passing => {
            tracing::warn!(%error, "going on without, until caught up");
            Ok(None)
        }
        listening => Ok(Some(listening?)),
    }
}

fn operator_pages(stage: &Arc<Lifecycle>, meters: &Arc<Meters>) -> axum::Router {
    let (readiness, gauges, counted) = (Arc::clone(stage), Arc::clone(stage), Arc::clone(meters));
    http::routes(move || readiness.readiness(), meters.page(), move || gauges.read_gauges(&counted))
}

/// How a source's records are read, by the configuration file that names it.
pub(super) fn format_of(source: &KafkaConfig, config: Option<&Path>) -> anyhow::Result<SourceFormat> {
    let base = config.and_then(Path::parent).unwrap_or(Path::new(""));
    match (source.format, &source.mapping) {
        (kafka::Format::Native, _) => Ok(SourceFormat::native()),
        (kafka::Format::Mapped, Some(file)) => {
            // Paths of a configuration are meant from where it lies.
            Ok(SourceFormat::mapped(super::import::read_mapping(&base.join(file))?))
        }
        (kafka::Format::Mapped, None) => {
            bail!("source {}: format = \"mapped\" needs mapping = \"FILE\"", source.name)
        }
    }
}

fn workers(config: &Config) -> usize {
    match config.workers {
        0 => thread::available_parallelism().map_or(1, usize::from),
        workers => workers.into(),
    }
}

/// A source of the configuration.
struct Stream<'a> {
    engine: &'a Engine,
    formats: &'a Formats,
    source: &'a KafkaConfig,
    stop: &'a Arc<AtomicBool>,
    until_caught_up: bool,
}

impl Stream<'_> {
    fn reading(&self) -> anyhow::Result<Reading> {
        let name = self.source.name.as_str();
        let format = self.formats.configured(name).expect("the sources of the configuration have formats");
        let source =
            KafkaSource::open(self.source.clone(), self.engine.names(), Arc::new(|| SystemClock.now()))
                .with_context(|| format!("source {name} cannot be opened"))?;
        Ok(Reading {
            source: Box::new(source),
            decoder: self.formats.decoder(name, format),
            mapping_digest: format.mapping_digest.clone(),
            stop: Arc::clone(self.stop),
            until_caught_up: self.until_caught_up,
        })
    }

    /// Reads to the end; from the start again whenever the source is reset meanwhile.
    fn read(&self, mut reading: Reading) -> anyhow::Result<Ingested> {
        loop {
            match self.engine.ingest(reading) {
                Err(EngineError::Command(CommandError::SourceWasReset { name, .. })) => {
                    tracing::info!(source = %name, "reset while it was read, reading it from its start");
                    reading = self.reading()?;
                }
                ingested => return Ok(ingested?),
            }
        }
    }
}

/// Reads every source on its own thread until a signal comes, the engine fails or, if so asked, all have caught up.
fn read_all(
    engine: &Engine,
    streams: Vec<(Reading, Stream<'_>)>,
    runtime: &Runtime,
    stop: &AtomicBool,
    until_caught_up: bool,
) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let read = |(reading, stream): (Reading, Stream<'_>)| stream.read(reading);
        let sources: Vec<_> = streams.into_iter().map(|stream| scope.spawn(move || read(stream))).collect();
        let ended = runtime.block_on(async {
            let mut signals = EndSignals::watch()?;
            loop {
                tokio::select! {
                    () = signals.next() => break,
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
const LOOK_EVERY: Duration = Duration::from_millis(50);

fn told(outcome: anyhow::Result<Ingested>) -> anyhow::Result<()> {
    let ingested = outcome?;
    match ingested.stops.first() {
        None => Ok(()),
        Some(stop) => bail!("{stop}"),
    }
}
