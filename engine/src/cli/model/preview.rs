//! `tidewatch model preview`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use tidewatch_proto::v1;

use crate::cli::Workers;
use crate::cli::client::Opening;
use crate::cli::metrics::{as_of, model_text};
use crate::cli::output::{self, ABSENT};
use crate::cli::place::Place;
use crate::read::scan::AsOf;
use crate::serve::convert;

/// Characters of the longest bar of a distribution.
const BAR_WIDTH: u64 = 30;
/// Measures that are named of an account that moves.
const SHIFTS_SHOWN: usize = 2;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// The model file to compare with the adopted one.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// When: RFC 3339, a date (its end), or `last`; the newest instant at which any account is live when not given.
    #[arg(long, value_name = "T", value_parser = as_of)]
    as_of: Option<AsOf>,
    /// At most so many of the accounts that move.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    workers: Workers,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let model = model_text(Some(&arguments.file))?;
    let client = arguments.place.client(Opening::Accounts(arguments.workers.count()))?;
    let request = v1::PreviewModelRequest {
        model,
        as_of: arguments.as_of.map(convert::as_of),
        moved_max: arguments.limit.into(),
        ..Default::default()
    };
    let answer = client.ask(client.models().preview_model(request))?;
    client.close()?;
    let mut out = output::out();
    match arguments.json {
        true => writeln!(out, "{}", json(&answer))?,
        false => show(&mut out, &answer)?,
    }
    Ok(out.flush()?)
}

fn show(out: &mut impl Write, answer: &v1::PreviewModelResponse) -> io::Result<()> {
    let name = |version: &Option<v1::ModelVersion>| {
        let version = version.clone().unwrap_or_default();
        let name = if version.name.is_empty() { "the model".to_owned() } else { version.name };
        format!("{name} {}", version.version)
    };
    let (before, after) = (name(&answer.before), name(&answer.after));
    let at = output::instant(answer.as_of.as_ref());
    writeln!(out, "{} accounts as of {at}: {before} (adopted) against {after}\n", answer.accounts)?;
    let mut bands = output::table(["band now", "band then", "accounts", ""]);
    let shown = |band: &Option<String>| band.clone().unwrap_or("not scored".to_owned());
    for moved in &answer.bands {
        let note = if moved.before == moved.after { "stay" } else { "" };
        bands.add_row([
            shown(&moved.before),
            shown(&moved.after),
            moved.accounts.to_string(),
            note.to_owned(),
        ]);
    }
    writeln!(out, "{bands}\n")?;
    plot(out, &answer.scores_before, &answer.scores_after)?;
    if answer.moved.is_empty() {
        return writeln!(out, "\nno score moves");
    }
    let mut moved = output::table(["account", "score", "", "", "band", "moved by"]);
    for account in &answer.moved {
        let difference = account.score_after - account.score_before;
        let band = match account.band_before == account.band_after {
            true => account.band_after.clone(),
            false => format!("{} → {}", account.band_before, account.band_after),
        };
        let by: Vec<&str> = account
            .shifts
            .iter()
            .filter(|shift| shift.points * difference > 0.0)
            .take(SHIFTS_SHOWN)
            .map(|shift| shift.text.as_str())
            .collect();
        moved.add_row([
            account.account.clone(),
            format!("{:.1}", account.score_before),
            format!("→ {:.1}", account.score_after),
            output::signed(difference),
            band,
            if by.is_empty() { ABSENT.to_owned() } else { by.join("; ") },
        ]);
    }
    writeln!(out, "\n{moved}")
}

/// Accounts by score, now and then, as bars beside each other, the best scores on top.
fn plot(out: &mut impl Write, before: &[u64], after: &[u64]) -> io::Result<()> {
    let most = before.iter().chain(after).copied().max().unwrap_or_default().max(1);
    let bar = |accounts: u64| "█".repeat((accounts * BAR_WIDTH).div_ceil(most) as usize);
    let width = BAR_WIDTH as usize + 8;
    writeln!(out, "{:>7}  {:<width$}then", "score", "now")?;
    for (place, (now, then)) in before.iter().zip(after).enumerate().rev() {
        let (from, to) = (10 * place, if place + 1 == before.len() { 100 } else { 10 * place + 9 });
        let now = format!("{} {now}", bar(*now));
        writeln!(out, "{:>7}  {:<width$}{} {then}", format!("{from}–{to}"), now.trim_start(), bar(*then))?;
    }
    Ok(())
}

fn json(answer: &v1::PreviewModelResponse) -> String {
    let model = |version: &Option<v1::ModelVersion>| {
        let version = version.clone().unwrap_or_default();
        output::json_object([
            ("name", output::json_text(&version.name)),
            ("version", version.version.to_string()),
            ("digest", output::json_text(&version.digest)),
        ])
    };
    let counts = |counts: &[u64]| output::json_list(counts.iter().map(u64::to_string));
    let band = |moved: &v1::BandMove| {
        output::json_object([
            ("before", output::json_optional(moved.before.as_deref())),
            ("after", output::json_optional(moved.after.as_deref())),
            ("accounts", moved.accounts.to_string()),
        ])
    };
    output::json_object([
        ("as_of", output::json_text(&output::instant(answer.as_of.as_ref()))),
        ("before", model(&answer.before)),
        ("after", model(&answer.after)),
        ("accounts", answer.accounts.to_string()),
        ("bands", output::json_list(answer.bands.iter().map(band))),
        ("scores_before", counts(&answer.scores_before)),
        ("scores_after", counts(&answer.scores_after)),
        ("moved", output::json_list(answer.moved.iter().map(json_moved))),
    ])
}

fn json_moved(account: &v1::MovedAccount) -> String {
    let shift = |shift: &v1::ScoreShift| {
        output::json_object([
            ("name", output::json_text(&shift.name)),
            ("points", output::json_number(Some(shift.points))),
            ("text", output::json_text(&shift.text)),
        ])
    };
    output::json_object([
        ("account", output::json_text(&account.account)),
        ("score_before", output::json_number(Some(account.score_before))),
        ("score_after", output::json_number(Some(account.score_after))),
        ("band_before", output::json_text(&account.band_before)),
        ("band_after", output::json_text(&account.band_after)),
        ("shifts", output::json_list(account.shifts.iter().map(shift))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plot_has_the_best_scores_on_top_and_bars_to_scale() {
        let mut out = Vec::new();
        plot(&mut out, &[1, 0, 30], &[0, 15, 16]).unwrap();
        let expected = format!(
            "  score  {:<38}then\n 20–100  {:<38}{} 16\n  10–19  {:<38}{} 15\n    0–9  {:<38} 0\n",
            "now",
            format!("{} 30", "█".repeat(30)),
            "█".repeat(16),
            "0",
            "█".repeat(15),
            "█ 1",
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
