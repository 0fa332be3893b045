//! `tidewatch import`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::files::{FileSource, Input};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::mapping::Mapping;

use super::output::{self, Unit};
use crate::app::{Engine, Ingested, Options, Reading};
use crate::directory::TENANT_DEFAULT;

/// Bytes of records in one batch: a quarter of a frame, so that live sources are never held up for long.
const BATCH_BYTES_MAX: usize = 256 << 10;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: super::place::DataDir,
    /// The source's name: part of every event's identity.
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    source: String,
    /// How to read the records; native JSON when not given.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Whose data it is.
    #[arg(long, value_name = "NAME", default_value = TENANT_DEFAULT)]
    tenant: String,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    /// NDJSON files, plain, gzip or zstd; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (format, mapping_digest) = match &arguments.mapping {
        None => (Format::Native, "".into()),
        Some(file) => {
            let mapping = read_mapping(file)?;
            let digest = mapping.digest().into();
            (Format::Mapped(Arc::new(mapping)), digest)
        }
    };
    let opening = output::bar(Unit::Entries, "reading the log");
    let options = Options { tenant: arguments.tenant.clone(), ..Options::new(None) };
    let engine = Engine::open(&arguments.place.data, options, &output::reading(&opening))?;
    opening.finish_and_clear();

    let limits = Limits::default();
    let names = Arc::clone(engine.names());
    let inputs = arguments.files.iter().map(|file| Input::of_argument(file)).collect();
    let source = FileSource::new(&arguments.source, Arc::clone(&names), inputs, limits.record_bytes_max)
        .with_batch_bytes_max(BATCH_BYTES_MAX);
    let progress = source.progress();
    let decoder = Decoder::new(names, &arguments.tenant, &arguments.source, limits, format);
    let reading = Reading {
        source: Box::new(source),
        decoder,
        mapping_digest,
        stop: Arc::new(AtomicBool::new(false)),
        until_caught_up: false,
    };

    let started = monotonic();
    let bar = output::bar(Unit::Bytes, "importing");
    let ingested = std::thread::scope(|scope| {
        let import = scope.spawn(|| engine.ingest(reading));
        while !import.is_finished() {
            bar.set_length(progress.bytes_total());
            bar.set_position(progress.bytes_done());
            std::thread::sleep(BAR_EVERY);
        }
        import.join().expect("a panic in the import was shown already")
    });
    bar.finish_and_clear();
    let elapsed = started.elapsed();
    engine.shutdown()?;
    let ingested = ingested?;
    print(arguments, &ingested, elapsed)?;
    match ingested.stops.as_slice() {
        [] => Ok(()),
        [stop] => bail!("{stop}"),
        [stop, more @ ..] => bail!("{stop} (and {} more)", more.len()),
    }
}

/// How often the bar is moved.
const BAR_EVERY: Duration = Duration::from_millis(20);

#[expect(clippy::disallowed_methods, reason = "only the duration of the import is measured, for the summary")]
fn monotonic() -> Instant {
    Instant::now()
}

/// Reads a mapping file.
pub(super) fn read_mapping(file: &Path) -> anyhow::Result<Mapping> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the mapping {}", file.display()))?;
    Mapping::parse(&text).with_context(|| format!("the mapping {} cannot be used", file.display()))
}

fn print(arguments: &Arguments, ingested: &Ingested, elapsed: Duration) -> anyhow::Result<()> {
    let receipt = &ingested.receipt;
    let records = receipt.accepted
        + receipt.duplicates
        + receipt.filtered
        + receipt.rejected_count()
        + receipt.repeated_dead_letters;
    let per_second = (records as f64 / elapsed.as_secs_f64().max(1e-9)).round() as u64;
    let mut out = output::out();
    if arguments.json {
        let rejected: serde_json::Map<String, serde_json::Value> =
            receipt.rejected.iter().map(|(reason, count)| (reason.name().into(), (*count).into())).collect();
        let summary = serde_json::json!({
            "new": receipt.accepted,
            "duplicates": receipt.duplicates,
            "filtered": receipt.filtered,
            "dead_letters": rejected,
            "repeated_dead_letters": receipt.repeated_dead_letters,
            "unread_fields": ingested.unread_fields,
            "seconds": elapsed.as_secs_f64(),
            "events_per_second": per_second,
            "position": receipt.last_seq,
        });
        writeln!(out, "{summary}")?;
    } else {
        writeln!(out, "new           {:>12}", receipt.accepted)?;
        writeln!(out, "duplicates    {:>12}", receipt.duplicates)?;
        writeln!(out, "filtered      {:>12}", receipt.filtered)?;
        writeln!(out, "dead letters  {:>12}", receipt.rejected_count())?;
        for (reason, count) in &receipt.rejected {
            writeln!(out, "  {:<22}{count:>4}", reason.name())?;
        }
        if receipt.repeated_dead_letters > 0 {
            writeln!(out, "dead letters seen before {}", receipt.repeated_dead_letters)?;
        }
        if ingested.unread_fields > 0 {
            writeln!(out, "fields kept but not read {}", ingested.unread_fields)?;
        }
        writeln!(out, "{:.1} s, {per_second} events/s", elapsed.as_secs_f64())?;
    }
    out.flush()?;
    Ok(())
}
