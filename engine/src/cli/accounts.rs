//! `tidewatch list` and `tidewatch get`, and the table the demo ends with.

use std::cmp::Ordering;
use std::io::Write as _;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use tidewatch_ingest::time::write_rfc3339;
use tidewatch_projections::account::Account;
use tidewatch_projections::event::Micros;
use tidewatch_projections::metric::{Scalar, evaluate};
use tidewatch_projections::names::Names;
use tidewatch_projections::status::{Since, status};

use super::output;
use crate::directory::Directory;
use crate::history::History;
use crate::position::Position;
use crate::view::View;

#[derive(Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    place: super::Place,
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
    place: super::Place,
    /// The account.
    account: String,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    workers: super::Workers,
}

/// One account as a row.
struct Row<'v> {
    id: &'v str,
    account: &'v Account,
    as_of: Micros,
    status: Since,
    values: Vec<Option<Scalar>>,
}

impl Row<'_> {
    fn metric(&self, view: &View, name: &str) -> Option<&Scalar> {
        let index = view.plan.model.metrics.iter().position(|metric| metric.name == name)?;
        self.values[index].as_ref()
    }

    fn fact(&self, view: &View, key: &str) -> String {
        self.account.fact_text(&view.names, key, self.as_of).unwrap_or("–").to_owned()
    }
}

/// Folds the log of a directory that nobody holds.
fn fold(place: &super::Place, workers: usize) -> anyhow::Result<View> {
    let directory = Directory::open(&place.data)?;
    let names = Arc::new(Names::new());
    let history = History::new(Arc::clone(directory.disk()), names, u64::MAX);
    let preface = history.preface()?;
    let ground = history.adopted_ground(&preface.basis)?;
    let fold = history.fold(workers, ground)?;
    Ok(fold.settle(Position { shard: 0, lineage: 0, seq: preface.last_seq }))
}

fn row<'v>(view: &'v View, account: &'v Account) -> Option<Row<'v>> {
    let own = [account];
    let (as_of, _) = view.live_instant(&own);
    let members = view.members(account.id, as_of);
    let survivor = *members.first()?;
    let values = evaluate(view.context(), &members, as_of);
    let status = status(view.context(), &members, as_of);
    Some(Row { id: view.names.text(survivor.id), account: survivor, as_of, status, values })
}

/// Accounts that answer for themselves, those that lost most usage first.
fn rows(view: &View) -> Vec<Row<'_>> {
    let alone = |account: &&Account| {
        let (as_of, _) = view.live_instant(&[account]);
        view.tenant.merges.survivor(account.id, as_of) == account.id
    };
    let mut rows: Vec<Row<'_>> =
        view.accounts().map(Arc::as_ref).filter(alone).filter_map(|account| row(view, account)).collect();
    rows.sort_by(|a, b| {
        let change = |row: &Row<'_>| row.metric(view, "usage_change").and_then(Scalar::number);
        match (change(a), change(b)) {
            (Some(x), Some(y)) => x.total_cmp(&y),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
        .then_with(|| a.id.cmp(b.id))
    });
    rows
}

pub(super) fn list(arguments: &ListArguments) -> anyhow::Result<()> {
    let view = fold(&arguments.place, arguments.workers.count())?;
    match arguments.json {
        true => {
            let mut out = output::out();
            for row in rows(&view).iter().take(arguments.limit as usize) {
                writeln!(out, "{}", json(&view, row))?;
            }
            out.flush()?;
        }
        false => print_table(&view, arguments.limit as usize)?,
    }
    Ok(())
}

pub(super) fn get(arguments: &GetArguments) -> anyhow::Result<()> {
    let view = fold(&arguments.place, arguments.workers.count())?;
    let known = view.names.find(&arguments.account).and_then(|account| {
        let survivor = view.tenant.merges.survivor(account, Micros::MAX);
        view.account(survivor)
    });
    let Some(row) = known.and_then(|account| row(&view, account)) else {
        bail!(
            "no event names the account {:?}; `tidewatch list --data {}` shows the accounts there are",
            arguments.account,
            arguments.place.data.display()
        );
    };
    let mut out = output::out();
    if arguments.json {
        writeln!(out, "{}", json(&view, &row))?;
        return Ok(out.flush()?);
    }
    writeln!(out, "{}  {}  {}", row.id, row.fact(&view, "name"), row.status.status.name())?;
    writeln!(out, "as of {}, {} events", write_rfc3339(row.as_of), row.account.events)?;
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    for (metric, value) in view.plan.model.metrics.iter().zip(&row.values) {
        table.add_row([metric.name.clone(), shown(value.as_ref())]);
    }
    for (key, value) in row.account.facts(&view.names, row.as_of) {
        table.add_row([key.to_owned(), value.to_json()]);
    }
    writeln!(out, "{table}")?;
    Ok(out.flush()?)
}

fn json(view: &View, row: &Row<'_>) -> String {
    let metrics = view.plan.model.metrics.iter().zip(&row.values);
    let metrics: Vec<String> = metrics
        .map(|(metric, value)| {
            format!("{}:{}", output::json_text(&metric.name), output::json_of(value.as_ref()))
        })
        .collect();
    let facts: Vec<String> = row
        .account
        .facts(&view.names, row.as_of)
        .into_iter()
        .map(|(key, value)| format!("{}:{}", output::json_text(key), value.to_json()))
        .collect();
    format!(
        "{{\"account\":{},\"as_of\":\"{}\",\"status\":\"{}\",\"facts\":{{{}}},\"metrics\":{{{}}}}}",
        output::json_text(row.id),
        write_rfc3339(row.as_of),
        row.status.status.name(),
        facts.join(","),
        metrics.join(",")
    )
}

fn shown(value: Option<&Scalar>) -> String {
    match value {
        None => "–".to_owned(),
        Some(Scalar::Integer(number)) => number.to_string(),
        Some(Scalar::Number(number)) => format!("{number:.2}"),
        Some(Scalar::Text(text)) => text.clone(),
    }
}

fn percent(value: Option<&Scalar>) -> String {
    value.and_then(Scalar::number).map_or("–".to_owned(), |share| format!("{:+.0} %", share * 100.0))
}

/// The accounts that lost most usage, as a table for people.
pub(super) fn print_table(view: &View, limit: usize) -> anyhow::Result<()> {
    let rows = rows(view);
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header([
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
    for row in rows.iter().take(limit) {
        table.add_row([
            row.id.to_owned(),
            row.fact(view, "name"),
            row.fact(view, "tier"),
            row.status.status.name().to_owned(),
            shown(row.metric(view, "usage_7d")),
            shown(row.metric(view, "people_7d")),
            percent(row.metric(view, "usage_change")),
            shown(row.metric(view, "nps")),
            shown(row.metric(view, "past_due_days")),
        ]);
    }
    let mut out = output::out();
    writeln!(out, "{table}")?;
    writeln!(out, "{} of {} accounts, those that lost most usage first", rows.len().min(limit), rows.len())?;
    out.flush()?;
    Ok(())
}
