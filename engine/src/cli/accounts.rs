//! `tidewatch list` and `tidewatch get`, and the table the demo ends with.

use std::io::Write as _;

use clap::Args;
use tidewatch_proto::v1;

use super::output::{self, ABSENT};
use super::place::Place;
use super::reads::Reads;
use crate::serve::convert::status_name;

#[derive(Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    place: Place,
    /// Rows shown, those that lost most usage first.
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
    /// The account.
    account: String,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    workers: super::Workers,
}

/// The metrics of the table; a model that lacks one leaves its column empty.
const COLUMNS: [&str; 5] = ["usage_7d", "people_7d", "usage_change", "nps", "past_due_days"];
/// Decimal places of a metric.
const PLACES: usize = 2;

/// Those that lost most usage first, with the metrics of the table; by id where the model knows no change.
fn losses_first(adopted: &[String]) -> v1::ListAccountsRequest {
    let has = |name: &&str| adopted.iter().any(|metric| metric == name);
    let order_by = Some("usage_change").filter(|name| has(name)).map(|name| format!("metrics.{name}"));
    v1::ListAccountsRequest {
        order_by: order_by.unwrap_or_default(),
        metrics: COLUMNS.into_iter().filter(has).map(str::to_owned).collect(),
        ..Default::default()
    }
}

pub(super) fn list(arguments: &ListArguments) -> anyhow::Result<()> {
    let reads = Reads::open(&arguments.place, arguments.workers.count())?;
    if !arguments.json {
        print_table(&reads, arguments.limit as usize)?;
        return reads.close();
    }
    let request = losses_first(&reads.adopted_metrics()?);
    let (listed, _) = reads.list(&request, arguments.limit as usize)?;
    let accounts: Vec<v1::Account> = listed.into_iter().filter_map(|listed| listed.account).collect();
    let ids: Vec<String> = accounts.iter().map(|account| account.id.clone()).collect();
    let mut out = output::out();
    let rows = reads.live_metrics(&ids)?;
    reads.close()?;
    for (account, row) in accounts.iter().zip(&rows) {
        writeln!(out, "{}", json(account, &row.metrics))?;
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
        writeln!(out, "{}", json(&account, metrics))?;
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

fn fact(account: &v1::Account, of: impl Fn(&v1::AccountFacts) -> &Option<String>) -> String {
    let stated = account.facts.as_ref().and_then(|facts| of(facts).clone());
    stated.unwrap_or_else(|| ABSENT.to_owned())
}

fn json(account: &v1::Account, metrics: &[v1::Metric]) -> String {
    output::json_object([
        ("account", output::json_text(&account.id)),
        ("as_of", output::json_text(&output::instant(account.as_of.as_ref()))),
        ("status", output::json_text(&status_name(account.status()))),
        ("events", account.events.to_string()),
        ("facts", output::json_object(output::facts(account.facts.as_ref()))),
        ("metrics", output::json_metrics(metrics)),
    ])
}

/// The accounts that lost most usage, as a table for people.
pub(super) fn print_table(reads: &Reads, limit: usize) -> anyhow::Result<()> {
    let request = losses_first(&reads.adopted_metrics()?);
    let (listed, total) = reads.list(&request, limit)?;
    let mut table = output::table([
        "account",
        "name",
        "tier",
        "status",
        "usage 7 d",
        "people 7 d",
        "change 28 d",
        "NPS",
        "past due d",
    ]);
    for listed in &listed {
        let Some(account) = &listed.account else { continue };
        let metric = |name: &str| listed.metrics.iter().find(|metric| metric.name == name);
        let shown = |name| metric(name).map_or(ABSENT.to_owned(), |metric| output::shown(metric, PLACES));
        table.add_row([
            account.id.clone(),
            fact(account, |facts| &facts.name),
            fact(account, |facts| &facts.tier),
            status_name(account.status()),
            shown("usage_7d"),
            shown("people_7d"),
            metric("usage_change").map_or(ABSENT.to_owned(), output::percent),
            shown("nps"),
            shown("past_due_days"),
        ]);
    }
    let mut out = output::out();
    writeln!(out, "{table}")?;
    writeln!(out, "{} of {total} accounts, those that lost most usage first", listed.len())?;
    Ok(out.flush()?)
}
