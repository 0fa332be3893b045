//! `tidewatch history`.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use tidewatch_ingest::time::read_rfc3339;
use tidewatch_projections::calendar::{Calendar, Day};
use tidewatch_projections::model::Model;
use tidewatch_proto::v1;

use super::client::{Client, Opening};
use super::day;
use super::metrics::model_text;
use super::output::{self, ABSENT};
use super::place::Place;
use super::who::Who;
use crate::serve::health::state_name;

/// Adoptions that are looked for, the newest.
const ADOPTIONS_MAX: usize = 50;
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

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = arguments.place.client(Opening::Log(arguments.workers.count()))?;
    let days = days(arguments, &client)?;
    let mut out = output::out();
    if arguments.json {
        client.close()?;
        days.iter().try_for_each(|day| writeln!(out, "{}", json(day)))?;
        return Ok(out.flush()?);
    }
    if days.is_empty() {
        output::note("no day of life that has closed lies between the two");
        return client.close();
    }
    let settings = client.ask(client.settings().get_settings(v1::GetSettingsRequest::default()))?;
    let settings = settings.settings.unwrap_or_default();
    let limits = band_limits(arguments, &settings)?;
    // A file that is asked for answers for all days; so does the adopted model, but whoever looked then saw another.
    let adoptions = if arguments.model.is_some() { HashMap::new() } else { adoptions(&client, &settings)? };
    client.close()?;
    let mut table =
        output::table(["account", "day", "score", "", "band", "coverage", "profile", "state", ""]);
    output::align_right(&mut table, &[2, 5]);
    for day in &days {
        table.add_row([
            day.account.clone(),
            day.day.clone(),
            day.score.map_or(ABSENT.to_owned(), |score| format!("{score:.1}")),
            bar(day.score.unwrap_or_default(), &limits),
            day.band.clone().unwrap_or(ABSENT.to_owned()),
            format!("{:.0} %", day.coverage * 100.0),
            day.profile.clone().unwrap_or(ABSENT.to_owned()),
            state_name(day.state()).replace('_', " "),
            adoptions.get(&day.day).cloned().unwrap_or_default(),
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    Ok(out.flush()?)
}

/// What was adopted, by the day in the reporting zone on which it was.
fn adoptions(client: &Client, settings: &v1::Settings) -> anyhow::Result<HashMap<String, String>> {
    let calendar = Calendar::new(&settings.zone)?;
    let listed =
        client.ask(client.models().list_model_versions(v1::ListModelVersionsRequest::default()))?.versions;
    let mut adoptions = HashMap::new();
    for adopted in listed.iter().take(ADOPTIONS_MAX) {
        let Some(position) = &adopted.adopted_at else { continue };
        let request = v1::DumpLogRequest { from_sequence: position.sequence, to_sequence: position.sequence };
        client.each(client.logs().dump_log(request), |message| {
            for entry in &message.entries {
                let entry: serde_json::Value = serde_json::from_str(entry)?;
                let recorded_at = entry["recorded_at"].as_str().and_then(|text| read_rfc3339(text).ok());
                if let (Some(at), Some(version)) = (recorded_at, &adopted.version) {
                    let name = if version.name.is_empty() { "without a name" } else { &version.name };
                    // Newest first: of several on one day the last stands.
                    let told = || format!("model {name} {} adopted", version.version);
                    adoptions.entry(calendar.day(at).to_text()).or_insert_with(told);
                }
            }
            Ok(())
        })?;
    }
    Ok(adoptions)
}

/// The scores at which one band ends and the next begins, of the model that answers.
fn band_limits(arguments: &Arguments, settings: &v1::Settings) -> anyhow::Result<Vec<f64>> {
    let file = model_text(arguments.model.as_deref())?;
    let text = if file.is_empty() { &settings.model } else { &file };
    let scoring = Model::parse_adopted(text)?.scoring;
    Ok(scoring.iter().flat_map(|scoring| &scoring.bands).filter_map(|band| band.below).collect())
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

/// A score as a bar of up to [`BAR_CHARS`] characters, in eighths of one; the limits of bands that it does not reach stand
/// behind it.
fn bar(score: f64, limits: &[f64]) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (score / 100.0 * (BAR_CHARS * 8) as f64).round() as usize;
    let mut bar = vec!['█'; eighths / 8];
    bar.resize(BAR_CHARS, ' ');
    for limit in limits {
        let place = (limit / 100.0 * BAR_CHARS as f64) as usize;
        if let Some(behind) = bar.get_mut(place).filter(|character| **character == ' ') {
            *behind = '┊';
        }
    }
    if let Some(end) = bar.get_mut(eighths / 8).filter(|_| !eighths.is_multiple_of(8)) {
        *end = EIGHTHS[eighths % 8];
    }
    bar.into_iter().collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_bands_stand_behind_a_bar() {
        let expected = |filled: &str, rest: &str| {
            format!("{filled}{rest}{}", " ".repeat(BAR_CHARS - filled.chars().count() - rest.chars().count()))
        };
        // 40 is the 16th character, 70 the 28th.
        assert_eq!(bar(0.0, &[40.0, 70.0]), expected(&" ".repeat(16), "┊           ┊"));
        assert_eq!(bar(51.25, &[40.0, 70.0]), expected(&"█".repeat(20), "▌       ┊"));
        assert_eq!(bar(100.0, &[40.0, 70.0]), "█".repeat(BAR_CHARS));
    }
}
