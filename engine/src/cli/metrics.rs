//! `tidewatch metrics`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use tidewatch_projections::model::Model;
use tidewatch_proto::v1;

use super::client::{Client, Opening};
use super::output;
use super::place::Place;
use super::who::Who;
use crate::read::scan::AsOf;
use crate::serve::convert;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The model file whose metrics are asked; the adopted model when not given.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// When: RFC 3339, a date (its end), or `last`; may repeat.
    #[arg(long, value_name = "T", required = true, value_parser = as_of)]
    as_of: Vec<AsOf>,
    #[command(flatten)]
    who: Who,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    workers: super::Workers,
}

/// Reads an instant of the command line.
pub(super) fn as_of(text: &str) -> Result<AsOf, String> {
    AsOf::parse(text).ok_or_else(|| {
        format!("{text:?} is no instant; use RFC 3339 as 2024-03-01T12:00:00Z, a date as 2024-03-01, or last")
    })
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = arguments.place.client(Opening::Log(arguments.workers.count()))?;
    let rows = rows(arguments, &client)?;
    client.close()?;
    match arguments.json {
        true => print_json(&rows)?,
        false => print_table(&rows)?,
    }
    Ok(())
}

/// Asks in parts where one call may not ask for all.
fn rows(arguments: &Arguments, client: &Client) -> anyhow::Result<Vec<v1::MetricRow>> {
    let model = model_text(arguments.model.as_deref())?;
    let mut rows = Vec::new();
    for (instants, accounts) in arguments.who.calls(&arguments.as_of, client.caller()) {
        let request = v1::ScanMetricsRequest {
            accounts: accounts.to_vec(),
            as_of: instants.iter().copied().map(convert::as_of).collect(),
            model: model.clone(),
            ..Default::default()
        };
        rows.extend(super::reads::scan(client, request)?);
    }
    Ok(rows)
}

/// The text of a model file that can be used; empty where none is given.
pub(super) fn model_text(file: Option<&Path>) -> anyhow::Result<String> {
    let Some(file) = file else { return Ok(String::new()) };
    read_model(file)?;
    read_model_text(file)
}

/// Reads a model file.
pub(super) fn read_model(file: &Path) -> anyhow::Result<Model> {
    let text = read_model_text(file)?;
    Model::parse(&text).with_context(|| format!("the model {} cannot be used", file.display()))
}

/// Reads a model file without parsing it.
pub(super) fn read_model_text(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read the model {}", file.display()))
}

fn print_json(rows: &[v1::MetricRow]) -> std::io::Result<()> {
    let mut out = output::out();
    for row in rows {
        let object = output::json_object([
            ("account", output::json_text(&row.account)),
            ("as_of", output::json_text(&output::instant(row.as_of.as_ref()))),
            ("metrics", output::json_metrics(&row.metrics)),
        ]);
        writeln!(out, "{object}")?;
    }
    out.flush()
}

fn print_table(rows: &[v1::MetricRow]) -> std::io::Result<()> {
    const PLACES: usize = 4;
    let names = rows.first().into_iter().flat_map(|row| &row.metrics).map(|metric| metric.name.as_str());
    let mut table = output::table(["account", "as of"].into_iter().chain(names));
    for row in rows {
        let head = [row.account.clone(), output::instant(row.as_of.as_ref())];
        let values = row.metrics.iter().map(|metric| output::shown(metric, PLACES));
        table.add_row(head.into_iter().chain(values));
    }
    let mut out = output::out();
    writeln!(out, "{table}")?;
    out.flush()
}
