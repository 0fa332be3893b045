//! `tidewatch log verify | stat | dump`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use clap::{Args, Subcommand};
use tidewatch_ingest::native;
use tidewatch_ingest::time::write_rfc3339;
use tidewatch_projections::names::Names;

use super::output;
use crate::control::Control;
use crate::directory::{Directory, LOG_DIR};
use crate::log::{Entry, Frame, LogError, LogReader};

#[derive(Subcommand)]
pub(super) enum Task {
    /// Read every frame and check every checksum and every entry.
    Verify(Arguments),
    /// Count what is in it.
    Stat(Arguments),
    /// Print entries as JSON, one a line.
    Dump(DumpArguments),
}

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: super::Place,
}

#[derive(Args)]
pub(super) struct DumpArguments {
    #[command(flatten)]
    place: super::Place,
    /// The first sequence.
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    from: u64,
    /// At most so many entries.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

pub(super) fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Verify(arguments) => verify(arguments),
        Task::Stat(arguments) => stat(arguments),
        Task::Dump(arguments) => dump(arguments),
    }
}

/// Counts of a log.
#[derive(Default)]
struct Counts {
    frames: u64,
    bytes: u64,
    events: u64,
    dead_letters: BTreeMap<&'static str, u64>,
    controls: BTreeMap<&'static str, u64>,
    last_seq: u64,
    event_span: Option<(i64, i64)>,
}

impl Counts {
    fn take(&mut self, frame: &Frame) -> anyhow::Result<()> {
        self.frames += 1;
        self.bytes += frame.header.frame_bytes();
        self.last_seq = frame.header.next_seq() - 1;
        self.event_span = match (self.event_span, frame.header.event_span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (a, b) => a.or(b),
        };
        for (_, entry) in &frame.entries {
            match entry {
                Entry::Event(_) => self.events += 1,
                Entry::DeadLetter(letter) => *self.dead_letters.entry(letter.reason.name()).or_default() += 1,
                Entry::Control(record) => {
                    *self.controls.entry(Control::of_record(record)?.name()).or_default() += 1;
                }
            }
        }
        Ok(())
    }
}

fn frames(
    place: &super::Place,
    names: &Arc<Names>,
    from_seq: u64,
    mut each: impl FnMut(Frame) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let directory = Directory::open(&place.data)?;
    let mut reader = LogReader::new(Arc::clone(directory.disk()), LOG_DIR, Arc::clone(names), from_seq);
    while let Some(frame) = reader.next_frame().map_err(|error: LogError| anyhow::Error::from(error))? {
        if !each(frame)? {
            break;
        }
    }
    Ok(())
}

fn count(place: &super::Place) -> anyhow::Result<Counts> {
    let mut counts = Counts::default();
    frames(place, &Arc::new(Names::new()), 1, |frame| counts.take(&frame).map(|()| true))?;
    Ok(counts)
}

fn verify(arguments: &Arguments) -> anyhow::Result<()> {
    let counts = count(&arguments.place)?;
    writeln!(
        output::out(),
        "the log is whole: {} entries in {} frames, {} bytes, every checksum holds",
        counts.last_seq,
        counts.frames,
        counts.bytes
    )?;
    Ok(())
}

fn stat(arguments: &Arguments) -> anyhow::Result<()> {
    let counts = count(&arguments.place)?;
    let mut out = output::out();
    writeln!(out, "entries       {:>14}", counts.last_seq)?;
    writeln!(out, "events        {:>14}", counts.events)?;
    for (what, of) in [("dead letters", &counts.dead_letters), ("control", &counts.controls)] {
        writeln!(out, "{what:<14}{:>14}", of.values().sum::<u64>())?;
        for (name, count) in of {
            writeln!(out, "  {name:<22}{count:>4}")?;
        }
    }
    writeln!(out, "frames        {:>14}", counts.frames)?;
    writeln!(out, "bytes         {:>14}", counts.bytes)?;
    if counts.events > 0 {
        writeln!(out, "bytes/event   {:>14.1}", counts.bytes as f64 / counts.events as f64)?;
    }
    if let Some((first, last)) = counts.event_span {
        writeln!(out, "first event   {}", write_rfc3339(first))?;
        writeln!(out, "last event    {}", write_rfc3339(last))?;
    }
    out.flush()?;
    Ok(())
}

fn dump(arguments: &DumpArguments) -> anyhow::Result<()> {
    let names = Arc::new(Names::new());
    let mut out = output::out();
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    frames(&arguments.place, &names, arguments.from, |frame| {
        let recorded_at = write_rfc3339(frame.header.recorded_at);
        for (seq, entry) in &frame.entries {
            if left == 0 {
                return Ok(false);
            }
            left -= 1;
            write!(out, "{{\"seq\":{seq},\"recorded_at\":\"{recorded_at}\",")?;
            match entry {
                Entry::Event(event) => {
                    let mut line = Vec::new();
                    native::write(&names, event, &mut line);
                    writeln!(
                        out,
                        "\"generation\":{},\"event\":{}}}",
                        event.generation,
                        String::from_utf8_lossy(&line)
                    )?;
                }
                Entry::DeadLetter(letter) => {
                    let letter = serde_json::json!({
                        "source": names.text(letter.source),
                        "reason": letter.reason.name(),
                        "detail": &*letter.detail,
                        "original": String::from_utf8_lossy(&letter.original),
                    });
                    writeln!(out, "\"dead_letter\":{letter}}}")?;
                }
                Entry::Control(record) => {
                    let control = Control::of_record(record)?;
                    let what = output::json_text(&format!("{control:?}"));
                    writeln!(out, "\"control\":\"{}\",\"what\":{what}}}", control.name())?;
                }
            }
        }
        Ok(true)
    })?;
    out.flush()?;
    Ok(())
}
