//! `tidewatch history`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use tidewatch_projections::calendar::Day;
use tidewatch_proto::v1;

use super::client::{Client, Opening};
use super::metrics::model_text;
use super::output::{self, ABSENT};
use super::place::Place;
use super::who::Who;
use crate::serve::health::state_name;

/// Width of the bar of the best score.
const BAR_CHARS: usize = 40;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The model file to score by; the adopted model when not given.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The first day, as 2026-03-01.
    #[arg(long, value_name = "D", value_parser = day)]
    from: Day,
    /// The last day, as 2026-03-31.
    #[arg(long, value_name = "D", value_parser = day)]
    to: Day,
    #[command(flatten)]
    who: Who,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    workers: super::Workers,
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| format!("{text:?} is no date; use 2026-03-01"))
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = arguments.place.client(Opening::Log(arguments.workers.count()))?;
    let days = days(arguments, &client)?;
    client.close()?;
    let mut out = output::out();
    if arguments.json {
        days.iter().try_for_each(|day| writeln!(out, "{}", json(day)))?;
    } else {
        let mut table =
            output::table(["account", "day", "score", "", "band", "coverage", "profile", "state"]);
        for day in &days {
            table.add_row([
                day.account.clone(),
                day.day.clone(),
                day.score.map_or(ABSENT.to_owned(), |score| format!("{score:.1}")),
                day.score.map_or_else(String::new, bar),
                day.band.clone().unwrap_or(ABSENT.to_owned()),
                format!("{:.0} %", day.coverage * 100.0),
                day.profile.clone().unwrap_or(ABSENT.to_owned()),
                state_name(day.state()),
            ]);
        }
        writeln!(out, "{table}")?;
    }
    Ok(out.flush()?)
}

fn days(arguments: &Arguments, client: &Client) -> anyhow::Result<Vec<v1::HealthDay>> {
    let model = model_text(arguments.model.as_deref())?;
    let mut days = Vec::new();
    for accounts in arguments.who.parts() {
        let request = v1::GetHealthHistoryRequest {
            accounts: accounts.to_vec(),
            from: arguments.from.to_text(),
            to: arguments.to.to_text(),
            model: model.clone(),
            ..Default::default()
        };
        client.each(client.health().get_health_history(request), |message| {
            days.extend(message.days);
            Ok(())
        })?;
    }
    Ok(days)
}

/// A score as a bar of up to [`BAR_CHARS`] characters, in eighths of one.
fn bar(score: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (score / 100.0 * (BAR_CHARS * 8) as f64).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// The form that programs rely on.
fn json(day: &v1::HealthDay) -> String {
    output::json_object([
        ("account", output::json_text(&day.account)),
        ("day", output::json_text(&day.day)),
        ("state", output::json_text(&state_name(day.state()))),
        ("score", output::json_number(day.score)),
        ("band", output::json_optional(day.band.as_deref())),
        ("coverage", output::json_number(Some(day.coverage))),
        ("profile", output::json_optional(day.profile.as_deref())),
    ])
}
