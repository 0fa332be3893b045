//! `tidewatch list` and `tidewatch get`, and the table the demo ends with: by score, worst first.

use std::io::Write as _;

use clap::Args;
use tidewatch_proto::v1;

use super::output::{self, ABSENT};
use super::place::Place;
use super::reads::Reads;
use super::sparkline;
use crate::serve::convert::{self, status_name};
use crate::serve::health::state_name;

#[derive(Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    place: Place,
    /// Rows shown, worst score first.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    workers: super::Workers,
}

#[derive(Args)]
pub(super) struct GetArguments {
    #[command(flatten)]
    place: Place,
    /// The id of the account.
    account: String,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    workers: super::Workers,
}

/// Columns of a terminal that the name of an account takes at most.
const NAME_COLUMNS: usize = 32;
/// Decimal places of a metric.
const PLACES: usize = 2;

pub(super) fn list(arguments: &ListArguments) -> anyhow::Result<()> {
    let reads = Reads::open(&arguments.place, arguments.workers.count())?;
    if !arguments.json {
        print_table(&reads, arguments.limit as usize)?;
        return reads.close();
    }
    let (listed, _) = reads.by_score(arguments.limit as usize)?;
    let ids: Vec<String> =
        listed.iter().filter_map(|listed| Some(listed.account.as_ref()?.id.clone())).collect();
    let mut out = output::out();
    let rows = reads.live_metrics(&ids)?;
    reads.close()?;
    for (listed, row) in listed.iter().zip(&rows) {
        let (Some(account), Some(health)) = (&listed.account, &listed.health) else { continue };
        writeln!(out, "{}", json(account, Some(health), &row.metrics))?;
    }
    Ok(out.flush()?)
}

pub(super) fn get(arguments: &GetArguments) -> anyhow::Result<()> {
    let reads = Reads::open(&arguments.place, arguments.workers.count())?;
    let account = reads.account(&arguments.account)?;
    let rows = reads.live_metrics(std::slice::from_ref(&account.id))?;
    reads.close()?;
    let metrics = rows.first().map_or(&[][..], |row| row.metrics.as_slice());
    let mut out = output::out();
    if arguments.json {
        writeln!(out, "{}", json(&account, None, metrics))?;
        return Ok(out.flush()?);
    }
    let name = fact(&account, |facts| &facts.name);
    writeln!(out, "{}  {name}  {}", account.id, status_name(account.status()))?;
    writeln!(out, "as of {}, {} events", output::instant(account.as_of.as_ref()), account.events)?;
    let mut table = output::table([] as [&str; 0]);
    for metric in metrics {
        table.add_row([metric.name.clone(), output::shown(metric, PLACES)]);
    }
    for (key, value) in output::facts(account.facts.as_ref()) {
        table.add_row([key.to_owned(), value]);
    }
    writeln!(out, "{table}")?;
    Ok(out.flush()?)
}

/// The band; one that a person set stands before what was computed.
fn band(health: &v1::Health) -> String {
    let computed = health.band.clone().unwrap_or(ABSENT.to_owned());
    match &health.r#override {
        Some(set) => format!("{} by hand ({computed})", set.band),
        None => computed,
    }
}

fn fact(account: &v1::Account, of: impl Fn(&v1::AccountFacts) -> &Option<String>) -> String {
    let stated = account.facts.as_ref().and_then(|facts| of(facts).clone());
    stated.unwrap_or_else(|| ABSENT.to_owned())
}

fn json(account: &v1::Account, health: Option<&v1::Health>, metrics: &[v1::Metric]) -> String {
    let health = health.map(|health| {
        [
            ("state", output::json_text(&state_name(health.state()))),
            ("score", output::json_number(health.score)),
            ("band", output::json_optional(health.band.as_deref())),
            ("coverage", output::json_number(Some(health.coverage))),
            ("override", output::json_optional(health.r#override.as_ref().map(|set| set.band.as_str()))),
            ("reasons", output::json_list(health.reasons.iter().map(|reason| output::json_text(reason)))),
        ]
    });
    let of_account = [
        ("account", output::json_text(&account.id)),
        ("as_of", output::json_text(&output::instant(account.as_of.as_ref()))),
        ("status", output::json_text(&status_name(account.status()))),
        ("events", account.events.to_string()),
        ("facts", output::json_object(output::facts(account.facts.as_ref()))),
        ("metrics", output::json_metrics(metrics)),
    ];
    output::json_object(of_account.into_iter().chain(health.into_iter().flatten()))
}

/// The accounts by score, worst first, as a table for people: with the one reason that weighs most.
pub(super) fn print_table(reads: &Reads, limit: usize) -> anyhow::Result<()> {
    let (listed, total) = reads.by_score(limit)?;
    let listed: Vec<(v1::Account, v1::Health)> =
        listed.into_iter().filter_map(|listed| listed.account.zip(listed.health)).collect();
    if listed.is_empty() {
        output::note("no account yet: nothing was imported, and no source has brought anything");
        return Ok(());
    }
    let row = |(account, health): &'_ (v1::Account, v1::Health)| sparkline::Row {
        account: account.id.clone(),
        as_of: health.as_of.as_ref().and_then(convert::micros).unwrap_or_default(),
        score: health.score,
    };
    let rows: Vec<sparkline::Row> = listed.iter().map(row).collect();
    let lines = sparkline::lines(reads.client(), &reads.calendar()?, &rows)?;
    let mut table = output::table([
        "score",
        sparkline::HEADER,
        "band",
        "account",
        "name",
        "tier",
        "status",
        "coverage",
        "first reason",
    ]);
    output::align_right(&mut table, &[0, 7]);
    for ((account, health), line) in listed.iter().zip(lines) {
        table.add_row([
            health.shown.map_or(ABSENT.to_owned(), |shown| shown.to_string()),
            line,
            band(health),
            account.id.clone(),
            output::cut(&fact(account, |facts| &facts.name), NAME_COLUMNS),
            fact(account, |facts| &facts.tier),
            status_name(account.status()),
            format!("{:.0} %", health.coverage * 100.0),
            health.reasons.first().cloned().unwrap_or_default(),
        ]);
    }
    let mut out = output::out();
    writeln!(out, "{}", table.trim_fmt())?;
    writeln!(out, "{} of {total} accounts, worst score first", listed.len())?;
    let behind = |health: &v1::Health| health.state() == v1::HealthState::CatchingUp;
    let behind: Vec<&v1::Health> =
        listed.iter().map(|(_, health)| health).filter(|health| behind(health)).collect();
    if let Some(health) = behind.first() {
        writeln!(
            out,
            "{} of them stand at {}: they have newer events, and not all sources are complete beyond it",
            behind.len(),
            output::instant(health.as_of.as_ref())
        )?;
    }
    Ok(out.flush()?)
}
