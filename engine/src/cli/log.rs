//! `tidewatch log verify | stat | dump`.
//!
//! With `--data` they read the files themselves and open no engine: they take no lock, so that they work beside a running
//! engine, and they need no log that can be opened, because a damaged one is what they are for.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use tidewatch_proto::v1;
use tidewatch_proto::v1::verify_log_response::Part;

use super::client::Opening;
use super::output::{self, Unit};
use super::place::Place;
use crate::serve::services::logs;
use crate::storage::directory::{DirectoryError, LOG_DIR};
use crate::storage::disk::Disk;
use crate::storage::disk::real::RealDisk;
use crate::storage::log::{dump, stat, verify};

#[derive(Subcommand)]
pub(super) enum Task {
    /// Read every frame and check every checksum and every entry; works beside a running engine with --data too.
    Verify(Arguments),
    /// Count what is in it, by segment.
    Stat(Arguments),
    /// Print entries as JSON, one a line.
    Dump(DumpArguments),
}

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct DumpArguments {
    #[command(flatten)]
    place: Place,
    /// Begin at this sequence.
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    from: u64,
    /// End after this sequence.
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

/// How a place is opened that is no directory.
const READING: Opening<'static> = Opening::Log(1);

/// The disk of a directory, which another process may hold: the log can be read beside its writer.
fn disk(root: &Path) -> anyhow::Result<Arc<dyn Disk>> {
    if !root.join(LOG_DIR).is_dir() {
        return Err(DirectoryError::Missing { path: root.to_owned() }.into());
    }
    Ok(Arc::new(RealDisk::new(root)?))
}

fn check(arguments: &Arguments) -> anyhow::Result<()> {
    let (verified, damage) = verified(&arguments.place)?;
    let mut out = output::out();
    if arguments.json {
        let tail = verified.tail.as_ref().map_or_else(
            || "null".to_owned(),
            |tail| {
                output::json_object([
                    ("file", output::json_text(&tail.file)),
                    ("offset", tail.offset.to_string()),
                    ("bytes", tail.bytes.to_string()),
                ])
            },
        );
        let sentences: Vec<String> =
            damage.iter().map(|damage| output::json_text(&damage.sentence)).collect();
        let object = output::json_object([
            ("entries", verified.entries.to_string()),
            ("frames", verified.frames.to_string()),
            ("segments", verified.segments.to_string()),
            ("bytes", verified.bytes.to_string()),
            ("position", verified.last_sequence.to_string()),
            ("tail", tail),
            ("damage", format!("[{}]", sentences.join(","))),
        ]);
        writeln!(out, "{object}")?;
    } else {
        writeln!(
            out,
            "{} entries in {} frames of {} segments, {} bytes, up to position {}",
            verified.entries, verified.frames, verified.segments, verified.bytes, verified.last_sequence
        )?;
        if let Some(tail) = &verified.tail {
            writeln!(
                out,
                "{}: {} bytes after offset {} were never durable ({}); opening cuts them",
                tail.file, tail.bytes, tail.offset, tail.problem
            )?;
        }
        for damage in &damage {
            writeln!(out, "DAMAGE {}", damage.sentence)?;
        }
    }
    out.flush()?;
    match damage.len() {
        0 => Ok(()),
        count => bail!("the log is damaged in {count} places; restore the named files from a backup"),
    }
}

fn verified(place: &Place) -> anyhow::Result<(v1::LogVerified, Vec<v1::LogDamage>)> {
    let bar = output::bar(Unit::Bytes, "checking");
    let found = match place.directory() {
        Some(root) => {
            let verified = verify(disk(root)?.as_ref(), LOG_DIR, |bytes| {
                bar.inc(bytes);
                true
            })?;
            (logs::wire_verified(&verified), verified.damage.iter().map(logs::wire_damage).collect())
        }
        None => {
            let client = place.client(READING)?;
            let (mut verified, mut damage) = (None, Vec::new());
            client.each(client.logs().verify_log(v1::VerifyLogRequest {}), |message| {
                match message.part {
                    Some(Part::CheckedBytes(bytes)) => bar.set_position(bytes),
                    Some(Part::Damage(found)) => damage.push(found),
                    Some(Part::Verified(figures)) => verified = Some(figures),
                    None => {}
                }
                Ok(())
            })?;
            (verified.context("the engine ended the check without its figures")?, damage)
        }
    };
    bar.finish_and_clear();
    Ok(found)
}

fn count(arguments: &Arguments) -> anyhow::Result<()> {
    let segments = segments(&arguments.place)?;
    let mut out = output::out();
    if arguments.json {
        for segment in &segments {
            let object = output::json_object([
                ("segment", output::json_text(&segment.file)),
                ("sealed", segment.sealed.to_string()),
                ("frames", segment.frames.to_string()),
                ("events", segment.events.to_string()),
                ("dead_letters", segment.dead_letters.to_string()),
                ("control", segment.controls.to_string()),
                ("bytes", segment.frame_bytes.to_string()),
            ]);
            writeln!(out, "{object}")?;
        }
        return Ok(out.flush()?);
    }
    let header = ["segment", "sealed", "frames", "events", "dead letters", "control", "bytes", "bytes/event"];
    let mut table = output::table(header);
    for segment in &segments {
        table.add_row(row(&segment.file, segment));
    }
    if segments.len() > 1 {
        let total = segments.iter().fold(v1::StatLogResponse::default(), |mut total, segment| {
            total.frames += segment.frames;
            total.events += segment.events;
            total.dead_letters += segment.dead_letters;
            total.controls += segment.controls;
            total.frame_bytes += segment.frame_bytes;
            total
        });
        table.add_row(row("all", &total));
    }
    writeln!(out, "{table}")?;
    Ok(out.flush()?)
}

fn segments(place: &Place) -> anyhow::Result<Vec<v1::StatLogResponse>> {
    let bar = output::bar(Unit::Bytes, "counting");
    let segments = match place.directory() {
        Some(root) => {
            let segments = stat(disk(root)?.as_ref(), LOG_DIR, |bytes| {
                bar.inc(bytes);
                true
            })?;
            segments.iter().map(logs::wire_stat).collect()
        }
        None => {
            let client = place.client(READING)?;
            let mut segments = Vec::new();
            client.each(client.logs().stat_log(v1::StatLogRequest {}), |segment| {
                segments.push(segment);
                Ok(())
            })?;
            segments
        }
    };
    bar.finish_and_clear();
    Ok(segments)
}

fn row(name: &str, segment: &v1::StatLogResponse) -> [String; 8] {
    let per_event = segment.frame_bytes as f64 / segment.events.max(1) as f64;
    [
        name.to_owned(),
        if segment.sealed { "yes" } else { "no" }.to_owned(),
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
    match arguments.place.directory() {
        Some(root) => {
            let range = (arguments.from, arguments.to.unwrap_or(u64::MAX));
            dump(disk(root)?, LOG_DIR, range, &logs::control, &mut out)?;
        }
        None => {
            let client = arguments.place.client(READING)?;
            let request = v1::DumpLogRequest {
                from_sequence: arguments.from,
                to_sequence: arguments.to.unwrap_or_default(),
            };
            client.each(client.logs().dump_log(request), |message| {
                Ok(message.entries.iter().try_for_each(|entry| writeln!(out, "{entry}"))?)
            })?;
        }
    }
    Ok(out.flush()?)
}
