//! `tidewatch mapping check | guess`.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use tidewatch_ingest::batch::{Origin, Outcome, RawBatch};
use tidewatch_ingest::contract::{self, UnreadProperty};
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::files::{FileSource, Input};
use tidewatch_ingest::mapping::guess::samples::Samples;
use tidewatch_ingest::mapping::guess::{Guess, guess};
use tidewatch_ingest::native;
use tidewatch_ingest::source::{Polled, Source as _};
use tidewatch_projections::names::Names;

use super::limits::LimitsFrom;
use super::output::{self, Unit};
use crate::storage::directory::TENANT_DEFAULT;

/// Bytes of records read at a time: samples are small.
const BATCH_BYTES_MAX: usize = 64 << 10;

#[derive(Subcommand)]
pub(super) enum Task {
    /// Show what sample lines become, or why they are refused.
    Check(CheckArguments),
    /// Propose a mapping for a feed: the file on standard output, what is left to decide on standard error.
    Guess(GuessArguments),
}

#[derive(Args)]
pub(super) struct CheckArguments {
    /// The mapping; native JSON when not given.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// The source the lines would be imported under.
    #[arg(long, value_name = "NAME", default_value = "sample")]
    source: String,
    /// At most so many lines.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    limits: LimitsFrom,
    /// NDJSON, plain, gzip or zstd; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: String,
}

#[derive(Args)]
pub(super) struct GuessArguments {
    /// The source the records would be imported under, for the commands that are proposed next.
    #[arg(long, value_name = "NAME", default_value = "sample", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    source: String,
    #[command(flatten)]
    limits: LimitsFrom,
    /// NDJSON, plain, gzip or zstd; `-` is standard input. Records from all over it are looked at.
    #[arg(value_name = "FILE")]
    file: String,
}

pub(super) fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Check(arguments) => check(arguments),
        Task::Guess(arguments) => propose(arguments),
    }
}

fn check(arguments: &CheckArguments) -> anyhow::Result<()> {
    let format = match &arguments.mapping {
        None => Format::Native,
        Some(file) => Format::Mapped(Arc::new(super::import::read_mapping(file)?)),
    };
    let names = Arc::new(Names::new());
    let limits = arguments.limits.read()?;
    let input = Input::of_argument(&arguments.file);
    let mut source =
        FileSource::new(&arguments.source, Arc::clone(&names), vec![input], limits.record_bytes_max)
            .with_batch_bytes_max(BATCH_BYTES_MAX);
    let decoder = Decoder::new(Arc::clone(&names), TENANT_DEFAULT, &arguments.source, limits, format);
    let mut out = output::out();
    let (mut shown, mut refused) = (0, 0u64);
    let mut polled = Polled::Open;
    while polled == Polled::Open && shown < arguments.limit {
        let mut raw = RawBatch::default();
        polled = source.poll(Duration::ZERO, &mut raw)?;
        raw.records.truncate(arguments.limit - shown);
        shown += raw.records.len();
        for item in &decoder.decode(raw).items {
            let Origin::Line { line, .. } = item.origin else { continue };
            match &item.outcome {
                Outcome::Event { event, .. } => {
                    let mut event_line = Vec::new();
                    native::write(&names, event, &mut event_line);
                    writeln!(out, "line {line}: {}", String::from_utf8_lossy(&event_line))?;
                    for UnreadProperty { key, detail, .. } in contract::unread(&names, event) {
                        writeln!(out, "line {line}: properties.{key} is not read: {detail}")?;
                    }
                }
                Outcome::Filtered => writeln!(out, "line {line}: left out by a rule")?,
                Outcome::Rejected(rejection) => {
                    refused += 1;
                    writeln!(out, "line {line}: REFUSED {rejection}")?;
                }
            }
        }
    }
    out.flush()?;
    if refused > 0 {
        anyhow::bail!("{refused} of {shown} records would be refused");
    }
    Ok(())
}

fn propose(arguments: &GuessArguments) -> anyhow::Result<()> {
    let limits = arguments.limits.read()?;
    let input = Input::of_argument(&arguments.file);
    let names = Arc::new(Names::new());
    let mut source = FileSource::new(&arguments.source, names, vec![input], limits.record_bytes_max);
    let progress = source.progress();
    let bar = output::bar(Unit::Bytes, "looking for samples");
    let mut samples = Samples::new(&limits);
    let mut polled = Polled::Open;
    while polled == Polled::Open {
        let mut raw = RawBatch::default();
        polled = source.poll(Duration::ZERO, &mut raw)?;
        raw.records.iter().for_each(|record| samples.offer(&raw.payload[record.bytes.clone()]));
        bar.set_length(progress.bytes_total());
        bar.set_position(progress.bytes_done());
    }
    bar.finish_and_clear();
    let guess = guess(samples.lines(), &limits)?;
    let mut out = output::out();
    out.write_all(guess.file.as_bytes())?;
    out.flush()?;
    summarize(arguments, &guess, samples.offered());
    if !guess.report.passes() {
        anyhow::bail!("most of the samples would be refused; the feed needs a mapping by hand");
    }
    Ok(())
}

/// For the person who reads the proposal: what it rests on, what it makes of the samples, and what is open.
fn summarize(arguments: &GuessArguments, guess: &Guess, offered: u64) {
    let report = &guess.report;
    output::note(&format!("looked at {} of {offered} records", report.records));
    for (target, path) in &guess.found {
        output::note(&format!("  {target:<28}{path}"));
    }
    output::note(&format!("of the samples {} become events", report.accepted));
    for (kind, count) in &report.types {
        output::note(&format!("  {kind:<28}{count:>6}"));
    }
    for (count, first) in report.rejected.values() {
        output::note(&format!("  REFUSED {count}, the first: {first}"));
    }
    if !guess.open_questions.is_empty() {
        output::note("for you to decide:");
    }
    guess.open_questions.iter().for_each(|question| output::note(&format!("  {question}")));
    output::note(&format!(
        "next: keep the proposal as FILE.toml, then `tidewatch mapping check --mapping FILE.toml {file}` and \
         `tidewatch import --data DIR --source {source} --mapping FILE.toml {file}`",
        file = arguments.file,
        source = arguments.source
    ));
}
