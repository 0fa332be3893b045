//! `tidewatch serve`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::kafka::{self, KafkaConfig, KafkaSource};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::output::{self, Unit};
use crate::app::{Engine, EngineError, Ingested, Options, Reading, ReplayMapping};
use crate::books::Books;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Config, SourceConfig};
use crate::meters::Meters;
use crate::serve::dead_letters::Decoders;
use crate::serve::http;
use crate::serve::listen::{self, ListenError, Listening};
use crate::serve::reader::Reader;
use crate::serve::stage::Stage;
use crate::telemetry;

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
    let (stage, meters) = (Arc::new(Stage::default()), Arc::new(Meters::new()));
    let pages = runtime.block_on(listen::http(config.serve.http, operator_pages(&stage, &meters)));
    let pages = unless_passing(pages, arguments.until_caught_up)?;

    let bar = output::bar(Unit::Entries, "reading the log");
    let options = Options {
        tenant: config.tenant.clone(),
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

    let base = arguments.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let formats: HashMap<String, SourceFormat> = config
        .sources
        .iter()
        .map(|SourceConfig::Kafka(source)| Ok((source.name.clone(), format_of(source, base)?)))
        .collect::<anyhow::Result<_>>()?;
    let books = Arc::new(Books::open(engine.directory().root())?);
    let reader =
        Reader::new(Arc::clone(&engine), books, workers(&config)).expect("it was opened with a fold");
    let decoders = decoders(&engine, &config, &formats);
    let api = listen::grpc(config.serve.grpc, reader, decoders, Arc::clone(&stage.pins), meters);
    let api = unless_passing(runtime.block_on(api), arguments.until_caught_up)?;
    for (what, listening) in [("gRPC", &api), ("HTTP", &pages)] {
        if let Some(listening) = listening {
            tracing::info!(address = %listening.address(), "serving {what}");
        }
    }

    for source in engine.sources().iter().filter(|source| !formats.contains_key(&source.name)) {
        tracing::warn!(source = source.name, "{}", source.problem);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let readings: Vec<Reading> = config
        .sources
        .iter()
        .map(|source| reading(&engine, &config, source, &formats, &stop, arguments.until_caught_up))
        .collect::<anyhow::Result<_>>()?;
    let outcome = read_all(&engine, readings, &runtime, &stop, arguments.until_caught_up);
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

fn operator_pages(stage: &Arc<Stage>, meters: &Arc<Meters>) -> axum::Router {
    let (readiness, gauges, counted) = (Arc::clone(stage), Arc::clone(stage), Arc::clone(meters));
    http::routes(move || readiness.readiness(), meters.page(), move || gauges.read_gauges(&counted))
}

/// How a source's records are read, and the digest of the mapping they are read by.
#[derive(Clone)]
struct SourceFormat {
    format: Format,
    mapping_digest: Box<str>,
}

impl SourceFormat {
    fn native() -> Self {
        Self { format: Format::Native, mapping_digest: "".into() }
    }
}

fn format_of(source: &KafkaConfig, base: &Path) -> anyhow::Result<SourceFormat> {
    match (source.format, &source.mapping) {
        (kafka::Format::Native, _) => Ok(SourceFormat::native()),
        (kafka::Format::Mapped, Some(file)) => {
            // Paths of a configuration are meant from where it lies.
            let mapping = super::import::read_mapping(&base.join(file))?;
            let mapping_digest = mapping.digest().into();
            Ok(SourceFormat { format: Format::Mapped(Arc::new(mapping)), mapping_digest })
        }
        (kafka::Format::Mapped, None) => {
            bail!("source {}: format = \"mapped\" needs mapping = \"FILE\"", source.name)
        }
    }
}

/// Decodes dead letters as their source is read now. One that is not configured was imported; its mapping is known to
/// whoever imported it, so a source that had one is refused here and replayed on the command line.
fn decoders(engine: &Engine, config: &Config, formats: &HashMap<String, SourceFormat>) -> Arc<Decoders> {
    let names = Arc::clone(engine.names());
    let (tenant, limits, formats) = (config.tenant.clone(), config.limits.clone(), formats.clone());
    Arc::new(move |source| {
        let known = formats.get(source).cloned();
        let SourceFormat { format, mapping_digest } = known.unwrap_or_else(SourceFormat::native);
        let decoder = Decoder::new(Arc::clone(&names), &tenant, source, limits.clone(), format);
        (decoder, ReplayMapping { digest: mapping_digest, is_new_welcome: false })
    })
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
    formats: &HashMap<String, SourceFormat>,
    stop: &Arc<AtomicBool>,
    until_caught_up: bool,
) -> anyhow::Result<Reading> {
    let SourceConfig::Kafka(source) = source;
    let KafkaConfig { name, .. } = source.as_ref();
    let SourceFormat { format, mapping_digest } = formats[name].clone();
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
const LOOK_EVERY: Duration = Duration::from_millis(50);

fn told(outcome: Result<Ingested, EngineError>) -> anyhow::Result<()> {
    let ingested = outcome?;
    match ingested.stops.first() {
        None => Ok(()),
        Some(stop) => bail!("{stop}"),
    }
}
