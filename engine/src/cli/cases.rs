//! `tidewatch cases [ack | assign | snooze | note | close]`.

use std::io::Write as _;

use clap::{Args, Subcommand};
use jiff::SignedDuration;
use tidewatch_projections::alert::case::{RESULTS, SIGNALS};
use tidewatch_proto::v1;
use tidewatch_proto::v1::change_case_request::Action;

use super::client::Opening;
use super::output;
use super::place::{OptionalPlace, Place};
use super::writes::{Author, Writes};
use crate::clock::{Clock as _, SystemClock};
use crate::serve::convert;

/// Characters of the sentence that a table shows.
const TEXT_COLUMNS: usize = 90;
const PAGE: i32 = 1_000;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: OptionalPlace,
    /// Cases in this state: open, acknowledged, snoozed, resolved or closed; those that ask for something when not given.
    #[arg(long, value_name = "STATE")]
    state: Vec<String>,
    /// Only that of this account.
    #[arg(long, value_name = "A", default_value = "", hide_default_value = true)]
    account: String,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Take the case of an account on.
    Ack(Of),
    /// Give it to a person.
    Assign {
        #[command(flatten)]
        of: Of,
        /// Who has it from here on.
        #[arg(long, value_name = "WHO")]
        to: String,
    },
    /// Put it off; it comes back by itself, and earlier when it gets worse.
    Snooze {
        #[command(flatten)]
        of: Of,
        /// For how long, as 72h or 7d.
        #[arg(long = "for", value_name = "DURATION")]
        duration: SignedDuration,
    },
    /// Write something down.
    Note {
        #[command(flatten)]
        of: Of,
        /// What others will read.
        #[arg(long, value_name = "TEXT")]
        text: String,
    },
    /// End it, saying what it was worth and what came of it.
    Close {
        #[command(flatten)]
        of: Of,
        /// What it was worth.
        #[arg(long, value_name = "SIGNAL", value_parser = clap::builder::PossibleValuesParser::new(SIGNALS))]
        signal: String,
        /// What came of it.
        #[arg(long, value_name = "RESULT", value_parser = clap::builder::PossibleValuesParser::new(RESULTS))]
        result: String,
        /// Why, in words.
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
    },
}

#[derive(Args)]
struct Of {
    #[command(flatten)]
    place: Place,
    /// The id of the account.
    account: String,
    #[command(flatten)]
    author: Author,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Some(task) = &arguments.task else { return list(arguments) };
    let (of, action) = match task {
        Task::Ack(of) => (of, Action::Acknowledge(v1::AcknowledgeCase {})),
        Task::Assign { of, to } => (of, Action::Assign(v1::AssignCase { to: to.clone() })),
        Task::Snooze { of, duration } => {
            let after_us = i64::try_from(duration.as_micros())?;
            let until = convert::timestamp(SystemClock.now().saturating_add(after_us));
            (of, Action::Snooze(v1::SnoozeCase { until: Some(until) }))
        }
        Task::Note { of, text } => (of, Action::Note(v1::NoteCase { text: text.clone() })),
        Task::Close { of, signal, result, reason } => {
            let (signal, result, reason) = (signal.clone(), result.clone(), reason.clone());
            (of, Action::Close(v1::CloseCase { signal, result, reason }))
        }
    };
    let asked =
        v1::ChangeCaseRequest { account: of.account.clone(), action: Some(action), ..Default::default() };
    let writes = Writes::open(&of.place, &of.author, None)?;
    let position = writes.change_case(asked)?;
    writes.close()?;
    output::note(&format!("logged at {}", position.sequence));
    Ok(())
}

fn list(arguments: &Arguments) -> anyhow::Result<()> {
    let place = arguments.place.place();
    let place = place.ok_or_else(|| anyhow::anyhow!("name the data directory with --data, or --server"))?;
    let client = place.client(Opening::Log(1))?;
    let mut cases = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListCasesRequest {
            states: arguments.state.clone(),
            account: arguments.account.clone(),
            page_size: PAGE,
            page_token,
            min_position: String::new(),
        };
        let page = client.ask(client.alerts().list_cases(request))?;
        cases.extend(page.cases);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    client.close()?;
    let mut out = output::out();
    if arguments.json {
        cases.iter().try_for_each(|case| writeln!(out, "{}", json(case)))?;
        return Ok(out.flush()?);
    }
    if cases.is_empty() {
        output::note("no case asks for anything");
        return Ok(());
    }
    writeln!(out, "{}", table(&cases).trim_fmt())?;
    Ok(out.flush()?)
}

/// The alerts of a case that say why it is there, the most severe first.
fn speaking(case: &v1::Case) -> Vec<&v1::Alert> {
    let mut alerts: Vec<&v1::Alert> = case
        .alerts
        .iter()
        .filter(|alert| matches!(alert.state.as_str(), "open" | "held" | "inhibited"))
        .collect();
    if alerts.is_empty() {
        alerts.extend(case.alerts.iter().filter(|alert| alert.state == "resolved"));
    }
    alerts
}

/// Cases for people, in their order.
pub(super) fn table(cases: &[v1::Case]) -> comfy_table::Table {
    let mut table =
        output::table(["account", "severity", "state", "since", "who", "alerts", "what happened"]);
    for case in cases {
        let alerts = speaking(case);
        let names: Vec<&str> = alerts.iter().map(|alert| alert.rule.as_str()).collect();
        let text = alerts.first().and_then(|alert| alert.figures.as_ref());
        table.add_row([
            case.account.clone(),
            case.severity.clone(),
            case.state.clone(),
            case.opened_on.clone(),
            case.assigned_to.clone(),
            names.join(", "),
            output::cut(text.map_or("", |figures| &figures.text), TEXT_COLUMNS),
        ]);
    }
    table
}

fn json(case: &v1::Case) -> String {
    let alert = |alert: &v1::Alert| {
        let figures = alert.figures.clone().unwrap_or_default();
        output::json_object([
            ("rule", output::json_text(&alert.rule)),
            ("scope", output::json_text(&alert.scope)),
            ("state", output::json_text(&alert.state)),
            ("severity", output::json_text(&alert.severity)),
            ("cause", output::json_text(&alert.cause)),
            ("opened_on", output::json_text(&alert.opened_on)),
            ("flaps", alert.flaps.to_string()),
            ("text", output::json_text(&figures.text)),
        ])
    };
    let note = |note: &v1::CaseNote| {
        output::json_object([
            ("author", output::json_text(&note.author)),
            ("at", output::json_text(&output::instant(note.at.as_ref()))),
            ("text", output::json_text(&note.text)),
        ])
    };
    let until = case.snoozed_until.as_ref().map(|until| output::instant(Some(until)));
    output::json_object([
        ("account", output::json_text(&case.account)),
        ("opened_on", output::json_text(&case.opened_on)),
        ("state", output::json_text(&case.state)),
        ("severity", output::json_text(&case.severity)),
        ("assigned_to", output::json_text(&case.assigned_to)),
        ("snoozed_until", output::json_optional(until.as_deref())),
        ("signal", output::json_text(&case.signal)),
        ("result", output::json_text(&case.result)),
        ("reason", output::json_text(&case.reason)),
        ("alerts", output::json_list(case.alerts.iter().map(alert))),
        ("notes", output::json_list(case.notes.iter().map(note))),
    ])
}
