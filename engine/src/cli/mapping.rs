//! `tidewatch mapping check`.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use tidewatch_ingest::batch::{Origin, Outcome, RawBatch};
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::files::{FileSource, Input};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::native;
use tidewatch_ingest::source::{Polled, Source as _};
use tidewatch_projections::names::Names;

use super::output;
use crate::directory::TENANT_DEFAULT;

/// Bytes of records read at a time: samples are small.
const BATCH_BYTES_MAX: usize = 64 << 10;

#[derive(Subcommand)]
pub(super) enum Task {
    /// Show what sample lines become, or why they are refused.
    Check(CheckArguments),
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
    /// NDJSON, plain, gzip or zstd; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: String,
}

pub(super) fn run(task: &Task) -> anyhow::Result<()> {
    let Task::Check(arguments) = task;
    let format = match &arguments.mapping {
        None => Format::Native,
        Some(file) => Format::Mapped(Arc::new(super::import::read_mapping(file)?)),
    };
    let names = Arc::new(Names::new());
    let limits = Limits::default();
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
