//! `tidewatch alerts`: what was decided about alerts.

use std::io::Write as _;

use clap::Args;
use comfy_table::Table;
use tidewatch_projections::calendar::Day;
use tidewatch_proto::v1;

use super::client::Opening;
use super::day;
use super::output;
use super::place::Place;

/// Transitions that the table shows; all of them are printed with `--json`.
const SHOWN_MAX: usize = 100;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The first day whose decisions are told, as 2026-03-01.
    #[arg(long, value_name = "D", value_parser = day)]
    from: Option<Day>,
    /// The last day, included.
    #[arg(long, value_name = "D", value_parser = day)]
    to: Option<Day>,
    /// Only those of this account.
    #[arg(long, value_name = "A", default_value = "", hide_default_value = true)]
    account: String,
    /// One JSON object a transition and line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = arguments.place.client(Opening::Log(1))?;
    let text = |day: Option<Day>| day.map_or(String::new(), Day::to_text);
    let request = v1::ListTransitionsRequest {
        from: text(arguments.from),
        to: text(arguments.to),
        account: arguments.account.clone(),
        min_position: String::new(),
    };
    let mut out = output::out();
    let (mut newest, mut total) = (Vec::new(), 0);
    client.each(client.alerts().list_transitions(request), |message| {
        total += message.transitions.len();
        for transition in message.transitions {
            if arguments.json {
                writeln!(out, "{}", json(&transition))?;
                continue;
            }
            newest.push(transition);
            if newest.len() > 2 * SHOWN_MAX {
                newest.drain(..SHOWN_MAX);
            }
        }
        Ok(())
    })?;
    client.close()?;
    if arguments.json {
        return Ok(out.flush()?);
    }
    if total == 0 {
        output::note("nothing was decided about any alert yet");
        return Ok(());
    }
    let shown = &newest[newest.len().saturating_sub(SHOWN_MAX)..];
    writeln!(out, "{}", table(shown).trim_fmt())?;
    if total > shown.len() {
        writeln!(out, "the newest {} of {total} transitions; --json prints all", shown.len())?;
    }
    Ok(out.flush()?)
}

/// Characters of the sentence that a table shows.
const TEXT_COLUMNS: usize = 90;

/// The form that programs rely on.
pub(super) fn json(transition: &v1::AlertTransition) -> String {
    let figures = transition.figures.clone().unwrap_or_default();
    let mut told = vec![
        ("p", output::json_number(figures.p)),
        ("drop", output::json_number(figures.drop)),
        ("expected", output::json_number(figures.expected)),
        ("text", output::json_text(&figures.text)),
    ];
    let values: Vec<(&str, String)> = figures
        .values
        .iter()
        .map(|(name, value)| (name.as_str(), output::json_number(Some(*value))))
        .collect();
    if !values.is_empty() {
        told.push(("values", output::json_object(values)));
    }
    if !figures.members.is_empty() {
        let members = figures.members.iter().map(|member| output::json_text(member));
        told.push(("members", output::json_list(members)));
    }
    output::json_object([
        ("at", output::json_text(&output::instant(transition.at.as_ref()))),
        ("account", output::json_text(&transition.account)),
        ("rule", output::json_text(&transition.rule)),
        ("scope", output::json_text(&transition.scope)),
        ("transition", output::json_text(&transition.transition)),
        ("severity", output::json_text(&transition.severity)),
        ("cause", output::json_text(&transition.cause)),
        ("figures", output::json_object(told)),
    ])
}

/// Transitions for people, in their order.
pub(super) fn table(transitions: &[v1::AlertTransition]) -> Table {
    let mut table = output::table(["day", "account", "alert", "became", "severity", "why", "what happened"]);
    for transition in transitions {
        let text = transition.figures.as_ref().map_or("", |figures| figures.text.as_str());
        let name = match transition.scope.as_str() {
            "account" => transition.rule.clone(),
            scope => format!("{} ({scope})", transition.rule),
        };
        table.add_row([
            transition.day.clone(),
            transition.account.clone(),
            name,
            transition.transition.clone(),
            transition.severity.clone(),
            transition.cause.replace('_', " "),
            output::cut(text, TEXT_COLUMNS),
        ]);
    }
    table
}
