//! `tidewatch timeline`.

use std::io::Write as _;

use anyhow::bail;
use clap::Args;
use tidewatch_ingest::time::write_rfc3339;
use tidewatch_projections::calendar::Calendar;
use tidewatch_projections::event::Micros;
use tidewatch_proto::v1;

use super::output::{self, ABSENT};
use super::place::Place;
use super::reads::Reads;
use crate::read::scan::AsOf;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The id of the account.
    #[arg(long, value_name = "A")]
    account: String,
    /// Only events from this instant on: RFC 3339, or a date (its start in the reporting zone).
    #[arg(long, value_name = "T", value_parser = super::metrics::as_of)]
    from: Option<AsOf>,
    /// Only events before this instant: RFC 3339, or a date (its end in the reporting zone).
    #[arg(long, value_name = "T", value_parser = super::metrics::as_of)]
    to: Option<AsOf>,
    /// Only events of these types, as ticket_opened.
    #[arg(long = "type", value_name = "TYPE", num_args = 1..)]
    types: Vec<String>,
    /// At most so many, the newest.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    workers: super::Workers,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let reads = Reads::open(&arguments.place, arguments.workers.count())?;
    let filter = filter(arguments, &reads.calendar()?)?;
    let request = v1::GetTimelineRequest { account: arguments.account.clone(), filter, ..Default::default() };
    let listed = reads.timeline(&request, arguments.limit as usize)?;
    reads.close()?;
    let mut out = output::out();
    if arguments.json {
        for entry in &listed.items {
            writeln!(out, "{}", json(entry))?;
        }
    } else {
        let mut table = output::table(["occurred at", "type", "user", "source", "id", "properties"]);
        for entry in &listed.items {
            let Some(event) = &entry.event else { continue };
            let properties = output::json_values(&event.properties);
            table.add_row(head(event).into_iter().chain([
                event.source.clone(),
                event.id.clone(),
                properties,
            ]));
        }
        writeln!(out, "{table}")?;
    }
    out.flush()?;
    if listed.is_cut {
        output::note("there are older events; a higher --limit shows them");
    }
    Ok(())
}

/// When an event happened, what it is and whose: the first cells of its row.
pub(super) fn head(event: &v1::Event) -> [String; 3] {
    let user = if event.user.is_empty() { ABSENT } else { &event.user };
    [output::instant(event.occurred_at.as_ref()), event.r#type.clone(), user.to_owned()]
}

fn filter(arguments: &Arguments, calendar: &Calendar) -> anyhow::Result<String> {
    let mut terms = Vec::new();
    let mut bound = |comparison: &str, at: Micros| {
        terms.push(format!("occurred_at {comparison} \"{}\"", write_rfc3339(at)));
    };
    match arguments.from {
        Some(AsOf::At(at)) => bound(">=", at),
        Some(AsOf::EndOf(day)) => bound(">=", calendar.start(day)),
        Some(AsOf::Last) => bail!("--from last names nothing; use an instant or a date"),
        None => {}
    }
    match arguments.to {
        Some(AsOf::At(at)) => bound("<", at),
        Some(AsOf::EndOf(day)) => bound("<", calendar.end(day)),
        Some(AsOf::Last) | None => {}
    }
    let quoted = |kind: &String| format!("type = \"{}\"", kind.replace('\\', "\\\\").replace('"', "\\\""));
    if !arguments.types.is_empty() {
        let types: Vec<String> = arguments.types.iter().map(quoted).collect();
        terms.push(format!("({})", types.join(" OR ")));
    }
    Ok(terms.join(" AND "))
}

/// The form for programs: an event with its place in the log.
pub(super) fn json(entry: &v1::TimelineEntry) -> String {
    let event = entry.event.clone().unwrap_or_default();
    let optional = |text: &str| if text.is_empty() { "null".to_owned() } else { output::json_text(text) };
    let number = |number: Option<i64>| number.map_or_else(|| "null".to_owned(), |number| number.to_string());
    let account = match &event.subject {
        Some(v1::event::Subject::Account(account)) => account.as_str(),
        _ => "",
    };
    output::json_object([
        ("sequence", entry.sequence.to_string()),
        ("recorded_at", output::json_text(&output::instant(entry.recorded_at.as_ref()))),
        ("source", output::json_text(&event.source)),
        ("id", output::json_text(&event.id)),
        ("account", optional(account)),
        ("user", optional(&event.user)),
        ("actor", output::json_text(&event.actor().as_str_name()["ACTOR_".len()..].to_lowercase())),
        ("product", optional(&event.product)),
        ("type", output::json_text(&event.r#type)),
        ("occurred_at", output::json_text(&output::instant(event.occurred_at.as_ref()))),
        ("quantity_micros", number(event.quantity_micros)),
        ("amount_minor", number(event.amount_minor)),
        ("currency", optional(&event.currency)),
        ("properties", output::json_values(&event.properties)),
    ])
}
