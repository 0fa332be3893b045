//! `tidewatch import`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tidewatch_ingest::files::Input;
use tidewatch_ingest::mapping::Mapping;

use super::limits::LimitsFrom;
use super::output::{self, Unit};
use super::place::Place;
use super::push::Import;
use super::writes::{Author, Writes};
use crate::app::Ingested;
use crate::clock::monotonic;
use crate::storage::directory::TENANT_DEFAULT;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
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
    #[command(flatten)]
    limits: LimitsFrom,
    #[command(flatten)]
    author: Author,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    // Before a directory is made for nothing.
    for file in arguments.files.iter().filter(|file| *file != "-") {
        std::fs::metadata(file).with_context(|| format!("cannot read {file}"))?;
    }
    let import = Import {
        source: arguments.source.clone(),
        mapping: read_mapping_text(arguments.mapping.as_deref())?,
        inputs: arguments.files.iter().map(|file| Input::of_argument(file)).collect(),
    };
    let limits = arguments.limits.read_at(&arguments.place)?;
    let writes = Writes::open_under(&arguments.place, &arguments.author, Some(&arguments.tenant), limits)?;
    let started = monotonic();
    let bar = output::bar(Unit::Bytes, "importing");
    let progress = OnceLock::new();
    let ingested = std::thread::scope(|scope| {
        let reading = scope.spawn(|| writes.import(&import, &progress));
        while !reading.is_finished() {
            if let Some(progress) = progress.get() {
                bar.set_length(progress.bytes_total());
                bar.set_position(progress.bytes_done());
            }
            std::thread::sleep(BAR_EVERY);
        }
        reading.join().expect("a panic in the import was shown already")
    });
    bar.finish_and_clear();
    let elapsed = started.elapsed();
    writes.close()?;
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

/// Reads a mapping file.
pub(super) fn read_mapping(file: &Path) -> anyhow::Result<Mapping> {
    Ok(read_with_text(file)?.0)
}

/// The text of a mapping file that can be used; empty for native JSON, where none is given.
pub(super) fn read_mapping_text(file: Option<&Path>) -> anyhow::Result<String> {
    Ok(file.map(read_with_text).transpose()?.map_or_else(String::new, |(_, text)| text))
}

fn read_with_text(file: &Path) -> anyhow::Result<(Mapping, String)> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the mapping {}", file.display()))?;
    let mapping = Mapping::parse(&text);
    Ok((mapping.with_context(|| format!("the mapping {} cannot be used", file.display()))?, text))
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
