//! `tidewatch deadletters list | show | count | replay`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use tidewatch_ingest::reject::Reason;
use tidewatch_proto::v1;

use super::client::{Client, Opening};
use super::limits::LimitsFrom;
use super::output::{self, Unit};
use super::place::Place;
use super::reads::{Listed, pages};
use super::writes::{Author, Writes};

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
    place: Place,
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
    place: Place,
    /// Its position, as `list` shows it.
    #[arg(value_name = "SEQ")]
    seq: u64,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct CountArguments {
    #[command(flatten)]
    place: Place,
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
    place: Place,
    #[command(flatten)]
    which: Which,
    /// The mapping to decode them by, which the source then goes on with. When not given: native JSON, for sources that were
    /// read so; on a running engine also what it is configured with.
    #[arg(long, value_name = "FILE", requires = "source")]
    mapping: Option<PathBuf>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: LimitsFrom,
    #[command(flatten)]
    author: Author,
}

fn reason(text: &str) -> Result<Reason, String> {
    Reason::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        format!("{text:?} is no reason; use one of {}", names.join(", "))
    })
}

impl Which {
    /// The filter of the API for them, with `more` terms.
    fn filter(&self, more: impl IntoIterator<Item = String>) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let source = self.source.as_deref().map(|source| format!("source = {}", quoted(source)));
        let reason = self.reason.map(|reason| format!("reason = {}", reason.name()));
        source.into_iter().chain(reason).chain(more).collect::<Vec<_>>().join(" AND ")
    }
}

/// The term that leaves out what was replayed with success.
fn unless(resolved: bool) -> Option<String> {
    (!resolved).then(|| "resolved = false".to_owned())
}

pub(super) fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::List(arguments) => list(arguments),
        Task::Show(arguments) => show(arguments),
        Task::Count(arguments) => count(arguments),
        Task::Replay(arguments) => replay(arguments),
    }
}

/// Where dead letters are read.
struct Letters {
    client: Client,
}

impl Letters {
    fn open(place: &Place) -> anyhow::Result<Self> {
        Ok(Self { client: place.client(Opening::Log(1))? })
    }

    fn close(self) -> anyhow::Result<()> {
        self.client.close()
    }

    /// The oldest that pass a filter.
    fn list(&self, filter: String, limit: usize) -> anyhow::Result<Listed<v1::DeadLetter>> {
        let order_by = "sequence".to_owned();
        let request = v1::ListDeadLettersRequest { filter, order_by, ..Default::default() };
        pages(&self.client, limit, |page_size, page_token| {
            let request = v1::ListDeadLettersRequest { page_size, page_token, ..request.clone() };
            let page = self.client.ask(self.client.dead_letters().list_dead_letters(request))?;
            Ok((page.dead_letters, page.next_page_token))
        })
    }

    /// How many pass a filter, by reason.
    fn count(&self, filter: String) -> anyhow::Result<Vec<v1::ReasonCount>> {
        let request = v1::ListDeadLettersRequest { filter, page_size: 1, ..Default::default() };
        Ok(self.client.ask(self.client.dead_letters().list_dead_letters(request))?.counts)
    }

    /// One with its bytes.
    fn one(&self, sequence: u64) -> anyhow::Result<v1::DeadLetter> {
        let request = v1::GetDeadLetterRequest { sequence, ..Default::default() };
        let answer = self.client.ask(self.client.dead_letters().get_dead_letter(request))?;
        answer.dead_letter.context("the engine answered no dead letter")
    }
}

fn list(arguments: &ListArguments) -> anyhow::Result<()> {
    let after = (arguments.after > 0).then(|| format!("sequence > {}", arguments.after));
    let filter = arguments.which.filter(unless(arguments.resolved).into_iter().chain(after));
    let letters = Letters::open(&arguments.place)?;
    let listed = letters.list(filter, arguments.limit)?;
    letters.close()?;
    let mut out = output::out();
    if arguments.json {
        for letter in &listed.items {
            writeln!(out, "{}", output::json_object(json(letter)))?;
        }
    } else {
        let mut table = output::table(["position", "refused at", "source", "reason", "detail"]);
        for letter in &listed.items {
            let reason = match letter.resolved {
                true => format!("{} (resolved)", letter.reason),
                false => letter.reason.clone(),
            };
            table.add_row([
                letter.sequence.to_string(),
                output::instant(letter.recorded_at.as_ref()),
                letter.source.clone(),
                reason,
                letter.detail.clone(),
            ]);
        }
        writeln!(out, "{table}")?;
    }
    out.flush()?;
    if listed.is_cut {
        output::note(
            "there are more dead letters; a higher --limit shows them, or --after the last position",
        );
    }
    Ok(())
}

fn json(letter: &v1::DeadLetter) -> Vec<(&'static str, String)> {
    vec![
        ("position", letter.sequence.to_string()),
        ("refused_at", output::json_text(&output::instant(letter.recorded_at.as_ref()))),
        ("source", output::json_text(&letter.source)),
        ("reason", output::json_text(&letter.reason)),
        ("detail", output::json_text(&letter.detail)),
        ("origin", output::json_text(&letter.origin)),
        ("resolved", letter.resolved.to_string()),
    ]
}

fn show(arguments: &ShowArguments) -> anyhow::Result<()> {
    let letters = Letters::open(&arguments.place)?;
    let letter = letters.one(arguments.seq)?;
    letters.close()?;
    let original = letter.original.as_deref().unwrap_or_default();
    let whole_bytes = letter.whole_bytes.unwrap_or(original.len() as u64);
    let mut out = output::out();
    if arguments.json {
        let mut fields = json(&letter);
        fields.push(("whole_bytes", whole_bytes.to_string()));
        fields.push(match std::str::from_utf8(original) {
            Ok(text) => ("original", output::json_text(text)),
            Err(_) => ("original_hex", output::json_text(&hex(original))),
        });
        writeln!(out, "{}", output::json_object(fields))?;
        return Ok(out.flush()?);
    }
    writeln!(out, "position    {}{}", letter.sequence, if letter.resolved { " (resolved)" } else { "" })?;
    writeln!(out, "source      {}", letter.source)?;
    writeln!(out, "origin      {}", letter.origin)?;
    writeln!(out, "refused at  {}", output::instant(letter.recorded_at.as_ref()))?;
    writeln!(out, "reason      {}", letter.reason)?;
    writeln!(out, "detail      {}", letter.detail)?;
    match (original.len() as u64) < whole_bytes {
        true => writeln!(out, "original    first {} of {whole_bytes} bytes", original.len())?,
        false => writeln!(out, "original    {whole_bytes} bytes")?,
    }
    out.write_all(original)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn count(arguments: &CountArguments) -> anyhow::Result<()> {
    let filter = arguments.which.filter(unless(arguments.resolved));
    let letters = Letters::open(&arguments.place)?;
    let mut counts = letters.count(filter)?;
    letters.close()?;
    let mut out = output::out();
    if arguments.json {
        counts.sort_by(|left, right| left.reason.cmp(&right.reason));
        let fields = counts.iter().map(|count| (count.reason.as_str(), count.count.to_string()));
        writeln!(out, "{}", output::json_object(fields))?;
    } else {
        for count in &counts {
            writeln!(out, "{:<22}{:>10}", count.reason, count.count)?;
        }
        writeln!(out, "{:<22}{:>10}", "all", counts.iter().map(|count| count.count).sum::<u64>())?;
    }
    Ok(out.flush()?)
}

fn replay(arguments: &ReplayArguments) -> anyhow::Result<()> {
    let asked = v1::ReplayDeadLettersRequest {
        filter: Which { source: None, reason: arguments.which.reason }.filter(None),
        source: arguments.which.source.clone().unwrap_or_default(),
        mapping: super::import::read_mapping_text(arguments.mapping.as_deref())?,
        ..Default::default()
    };
    let limits = arguments.limits.read_at(&arguments.place)?;
    let writes = Writes::open_under(&arguments.place, &arguments.author, None, limits)?;
    let bar = output::bar(Unit::Entries, "decoding again");
    let answer = writes.replay(asked)?;
    bar.finish_and_clear();
    writes.close()?;
    let v1::ReplayDeadLettersResponse { resolved, refused, accepted, cut, .. } = answer;
    let mut out = output::out();
    if arguments.json {
        let fields = [("resolved", resolved), ("new", accepted), ("refused", refused), ("cut", cut)];
        let fields = fields.map(|(key, count)| (key, count.to_string()));
        writeln!(out, "{}", output::json_object(fields))?;
    } else {
        writeln!(out, "{resolved} resolved ({accepted} new events), {refused} refused again")?;
    }
    out.flush()?;
    if cut > 0 {
        bail!(
            "{cut} cannot be replayed because only the beginning of each record is kept (`list` shows how much); \
             import those records again from where they came from, smaller or with a larger limits.record_bytes_max"
        );
    }
    Ok(())
}
