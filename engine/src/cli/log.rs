//! `tidewatch log verify | stat | dump`.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::output::{self, Unit};
use crate::control::Control;
use crate::directory::{DirectoryError, LOG_DIR};
use crate::disk::Disk;
use crate::disk::real::RealDisk;
use crate::log::{ControlRecord, SegmentStat, dump, stat, verify};

#[derive(Subcommand)]
pub(super) enum Task {
    /// Read every frame and check every checksum and every entry; works beside a running engine.
    Verify(Arguments),
    /// Count what is in it, by segment.
    Stat(Arguments),
    /// Print entries as JSON, one a line.
    Dump(DumpArguments),
}

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: super::place::DataDir,
}

#[derive(Args)]
pub(super) struct DumpArguments {
    #[command(flatten)]
    place: super::place::DataDir,
    /// The first sequence.
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    from: u64,
    /// The last sequence.
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
}

pub(super) fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Verify(arguments) => check(arguments),
        Task::Stat(arguments) => count(arguments),
        Task::Dump(arguments) => print(arguments),
    }
}

/// The disk of a directory, which another process may hold: the log can be read beside its writer.
fn disk(place: &super::place::DataDir) -> anyhow::Result<Arc<dyn Disk>> {
    if !place.data.join(LOG_DIR).is_dir() {
        return Err(DirectoryError::Missing { path: place.data.clone() }.into());
    }
    Ok(Arc::new(RealDisk::new(&place.data)?))
}

fn check(arguments: &Arguments) -> anyhow::Result<()> {
    let disk = disk(&arguments.place)?;
    let bar = output::bar(Unit::Bytes, "checking");
    let verified = verify(disk.as_ref(), LOG_DIR, |bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    let mut out = output::out();
    writeln!(
        out,
        "{} entries in {} frames of {} segments, {} bytes, up to position {}",
        verified.entries, verified.frames, verified.segments, verified.bytes, verified.last_seq
    )?;
    if let Some(tail) = &verified.tail {
        writeln!(
            out,
            "{}: {} bytes after offset {} were never durable ({}); opening cuts them",
            tail.file, tail.bytes, tail.offset, tail.what
        )?;
    }
    for damage in &verified.damage {
        writeln!(out, "DAMAGE {damage}")?;
    }
    out.flush()?;
    match verified.damage.len() {
        0 => Ok(()),
        count => bail!("the log is damaged in {count} places; restore the named files from a backup"),
    }
}

fn count(arguments: &Arguments) -> anyhow::Result<()> {
    let disk = disk(&arguments.place)?;
    let bar = output::bar(Unit::Bytes, "counting");
    let segments = stat(disk.as_ref(), LOG_DIR, |bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header([
        "segment",
        "sealed",
        "frames",
        "events",
        "dead letters",
        "control",
        "bytes",
        "bytes/event",
    ]);
    for segment in &segments {
        table.add_row(row(&segment.file, segment));
    }
    if segments.len() > 1 {
        let total = segments.iter().fold(SegmentStat::default(), |mut total, segment| {
            total.frames += segment.frames;
            total.events += segment.events;
            total.dead_letters += segment.dead_letters;
            total.controls += segment.controls;
            total.frame_bytes += segment.frame_bytes;
            total
        });
        table.add_row(row("all", &total));
    }
    let mut out = output::out();
    writeln!(out, "{table}")?;
    out.flush()?;
    Ok(())
}

fn row(name: &str, segment: &SegmentStat) -> [String; 8] {
    let per_event = segment.frame_bytes as f64 / segment.events.max(1) as f64;
    [
        name.to_owned(),
        if segment.is_sealed { "yes" } else { "no" }.to_owned(),
        segment.frames.to_string(),
        segment.events.to_string(),
        segment.dead_letters.to_string(),
        segment.controls.to_string(),
        segment.frame_bytes.to_string(),
        format!("{per_event:.1}"),
    ]
}

fn print(arguments: &DumpArguments) -> anyhow::Result<()> {
    let mut out = output::out();
    let range = (arguments.from, arguments.to.unwrap_or(u64::MAX));
    dump(disk(&arguments.place)?, LOG_DIR, range, &control, &mut out)?;
    out.flush()?;
    Ok(())
}

/// What a control entry means, for people.
fn control(record: &ControlRecord) -> Option<serde_json::Value> {
    let control = Control::of_record(record).ok()?;
    Some(serde_json::json!({ "kind": control.name(), "content": format!("{control:?}") }))
}
