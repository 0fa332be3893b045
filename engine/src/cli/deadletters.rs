//! `tidewatch deadletters list | show | count | replay`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::reject::Reason;
use tidewatch_ingest::time::write_rfc3339;
use tidewatch_projections::names::Names;

use super::output::{self, Unit};
use crate::app::{Engine, Options, ReplayMapping, Replayed};
use crate::books::{Books, DeadLetterFilter, DeadLetterNote};
use crate::directory::Directory;
use crate::history::History;
use crate::log::{DeadLetter, Entry};

#[derive(Subcommand)]
pub(super) enum Task {
    /// List them, oldest first.
    List(ListArguments),
    /// Show one with its original bytes.
    Show(ShowArguments),
    /// Count them by reason.
    Count(CountArguments),
    /// Decode them again after a fix; what is not refused any more is settled.
    Replay(ReplayArguments),
}

#[derive(Args)]
struct Which {
    /// Of this source only.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Of this reason only, as id_conflict.
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reason: Option<Reason>,
}

#[derive(Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    place: super::place::DataDir,
    #[command(flatten)]
    which: Which,
    /// Those that were replayed with success too.
    #[arg(long)]
    resolved: bool,
    /// Only those after this position.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct ShowArguments {
    #[command(flatten)]
    place: super::place::DataDir,
    /// Its position, as `list` shows it.
    #[arg(value_name = "SEQ")]
    seq: u64,
}

#[derive(Args)]
pub(super) struct CountArguments {
    #[command(flatten)]
    place: super::place::DataDir,
    #[command(flatten)]
    which: Which,
    /// Those that were replayed with success too.
    #[arg(long)]
    resolved: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct ReplayArguments {
    #[command(flatten)]
    place: super::place::DataDir,
    #[command(flatten)]
    which: Which,
    /// The mapping to decode them by, which the source then goes on with; native JSON when not given, for sources that
    /// were read so.
    #[arg(long, value_name = "FILE", requires = "source")]
    mapping: Option<PathBuf>,
}

fn reason(text: &str) -> Result<Reason, String> {
    Reason::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        format!("{text:?} is no reason; use one of {}", names.join(", "))
    })
}

impl Which {
    fn filter(&self, with_resolved: bool) -> DeadLetterFilter {
        DeadLetterFilter { source: self.source.clone(), reason: self.reason, with_resolved }
    }
}

pub(super) fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::List(arguments) => list(arguments),
        Task::Show(arguments) => show(arguments),
        Task::Count(arguments) => count(arguments),
        Task::Replay(arguments) => replay(arguments),
    }
}

/// A stopped directory with books that are up to date.
struct Shelf {
    _directory: Directory,
    books: Books,
    history: History,
}

fn open(place: &super::place::DataDir) -> anyhow::Result<Shelf> {
    let directory = Directory::open(&place.data)?;
    let history = History::new(Arc::clone(directory.disk()), Arc::new(Names::new()), u64::MAX);
    let end = history.end()?;
    let books = Books::open(directory.root())?;
    books.catch_up(&history, end.lineage, end.last_seq)?;
    Ok(Shelf { _directory: directory, books, history })
}

fn list(arguments: &ListArguments) -> anyhow::Result<()> {
    let shelf = open(&arguments.place)?;
    let filter = arguments.which.filter(arguments.resolved);
    let notes = shelf.books.dead_letters(&filter, arguments.after, arguments.limit)?;
    let mut out = output::out();
    if arguments.json {
        for note in &notes {
            writeln!(out, "{}", json_of(note))?;
        }
    } else {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header(["position", "refused at", "source", "reason", "detail"]);
        for note in &notes {
            let reason = match note.is_resolved {
                true => format!("{} (resolved)", note.reason.name()),
                false => note.reason.name().to_owned(),
            };
            table.add_row([
                note.seq.to_string(),
                write_rfc3339(note.at),
                note.source.clone(),
                reason,
                note.detail.clone(),
            ]);
        }
        writeln!(out, "{table}")?;
    }
    out.flush()?;
    Ok(())
}

fn json_of(note: &DeadLetterNote) -> serde_json::Value {
    serde_json::json!({
        "position": note.seq,
        "refused_at": write_rfc3339(note.at),
        "source": note.source,
        "reason": note.reason.name(),
        "detail": note.detail,
        "origin": note.origin,
        "resolved": note.is_resolved,
    })
}

fn show(arguments: &ShowArguments) -> anyhow::Result<()> {
    let shelf = open(&arguments.place)?;
    let seq = arguments.seq;
    let notes = shelf.books.dead_letters(
        &DeadLetterFilter { with_resolved: true, ..DeadLetterFilter::default() },
        seq.saturating_sub(1),
        1,
    )?;
    let note = notes.into_iter().find(|note| note.seq == seq);
    let note =
        note.with_context(|| format!("position {seq} holds no dead letter; `list` shows those there are"))?;
    let Some(Entry::DeadLetter(letter)) = shelf.history.entry(seq)? else {
        bail!("position {seq} is no dead letter in the log; delete the folder books and ask again");
    };
    let mut out = output::out();
    writeln!(out, "position    {seq}{}", if note.is_resolved { " (resolved)" } else { "" })?;
    writeln!(out, "source      {}", note.source)?;
    writeln!(out, "origin      {}", note.origin)?;
    writeln!(out, "refused at  {}", write_rfc3339(note.at))?;
    writeln!(out, "reason      {}", note.reason.name())?;
    writeln!(out, "detail      {}", note.detail)?;
    match letter.is_cut() {
        true => writeln!(out, "original    first {} of {} bytes", letter.original.len(), letter.whole_bytes)?,
        false => writeln!(out, "original    {} bytes", letter.original.len())?,
    }
    out.write_all(&letter.original)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

fn count(arguments: &CountArguments) -> anyhow::Result<()> {
    let shelf = open(&arguments.place)?;
    let counts = shelf.books.count(&arguments.which.filter(arguments.resolved))?;
    let mut out = output::out();
    if arguments.json {
        let counts: serde_json::Map<String, serde_json::Value> =
            counts.iter().map(|(reason, count)| (reason.name().into(), (*count).into())).collect();
        writeln!(out, "{}", serde_json::Value::from(counts))?;
    } else {
        for (reason, count) in &counts {
            writeln!(out, "{:<22}{count:>10}", reason.name())?;
        }
        writeln!(out, "{:<22}{:>10}", "all", counts.values().sum::<u64>())?;
    }
    out.flush()?;
    Ok(())
}

fn replay(arguments: &ReplayArguments) -> anyhow::Result<()> {
    let (format, digest): (_, Box<str>) = match &arguments.mapping {
        None => (Format::Native, "".into()),
        Some(file) => {
            let mapping = super::import::read_mapping(file)?;
            let digest = mapping.digest().into();
            (Format::Mapped(Arc::new(mapping)), digest)
        }
    };
    let mapping = ReplayMapping { digest, is_new_welcome: arguments.mapping.is_some() };
    let bar = output::bar(Unit::Entries, "reading the log");
    let options = Options { is_new_welcome: false, ..Options::new(None) };
    let engine = Engine::open(&arguments.place.data, options, &output::reading(&bar))?;
    bar.finish_and_clear();
    let history = engine.history();
    let books = Books::open(engine.directory().root())?;
    let end = history.end()?;
    books.catch_up(&history, end.lineage, end.last_seq)?;
    let mut by_source: BTreeMap<String, Vec<(u64, DeadLetter)>> = BTreeMap::new();
    for note in books.dead_letters(&arguments.which.filter(false), 0, usize::MAX)? {
        if let Some(Entry::DeadLetter(letter)) = history.entry(note.seq)? {
            by_source.entry(note.source).or_default().push((note.seq, letter));
        }
    }
    let mut total = Replayed::default();
    for (source, letters) in by_source {
        let tenant = engine.directory().tenant();
        let names = Arc::clone(engine.names());
        let decoder = Decoder::new(names, tenant, &source, Limits::default(), format.clone());
        let replayed = engine.replay(&source, letters, &decoder, mapping.clone())?;
        total.resolved += replayed.resolved;
        total.refused += replayed.refused;
        total.accepted += replayed.accepted;
        total.cut += replayed.cut;
    }
    engine.shutdown()?;
    let Replayed { resolved, refused, accepted, cut } = total;
    writeln!(output::out(), "{resolved} resolved ({accepted} new events), {refused} refused again")?;
    if cut > 0 {
        bail!(
            "{cut} cannot be replayed because only the beginning of each record is kept (`list` shows how much); \
             import those records again from where they came from, smaller or with a larger record_bytes_max"
        );
    }
    Ok(())
}
