//! `tidewatch metrics`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{ArgGroup, Args};
use tidewatch_ingest::time::write_rfc3339;
use tidewatch_projections::metric::Scalar;
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Names;

use super::output;
use crate::directory::Directory;
use crate::history::History;
use crate::scan::{AsOf, Question, Row, scan};

#[derive(Args)]
#[command(group = ArgGroup::new("who").required(true).args(["account", "all"]))]
pub(super) struct Arguments {
    #[command(flatten)]
    place: super::Place,
    /// The model file whose metrics are asked; the adopted model when not given.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// When: RFC 3339, a date (its end), or `last`; may repeat.
    #[arg(long, value_name = "T", required = true, value_parser = as_of)]
    as_of: Vec<AsOf>,
    /// Which accounts.
    #[arg(long, value_name = "A", num_args = 1..)]
    account: Vec<String>,
    /// Every account that answers for itself.
    #[arg(long)]
    all: bool,
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
    let directory = Directory::open(&arguments.place.data)?;
    let names = Arc::new(Names::new());
    let history = History::new(Arc::clone(directory.disk()), Arc::clone(&names), u64::MAX);
    let model = match &arguments.model {
        Some(file) => read_model(file)?,
        None => Model::parse(history.preface()?.basis.model_text())?,
    };
    let question = Question {
        model,
        as_of: arguments.as_of.clone(),
        accounts: (!arguments.all).then(|| arguments.account.clone()),
    };
    let rows = scan(&history, &question, arguments.workers.count())?;
    match arguments.json {
        true => print_json(&names, &question.model, &rows)?,
        false => print_table(&names, &question.model, &rows)?,
    }
    Ok(())
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

fn print_json(names: &Names, model: &Model, rows: &[Row]) -> std::io::Result<()> {
    let mut out = output::out();
    for row in rows {
        write!(out, "{{\"account\":{},", output::json_text(names.text(row.account)))?;
        write!(out, "\"as_of\":\"{}\",\"metrics\":{{", write_rfc3339(row.as_of))?;
        for (at, (metric, value)) in model.metrics.iter().zip(&row.values).enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(out, "{comma}{}:{}", output::json_text(&metric.name), output::json_of(value.as_ref()))?;
        }
        writeln!(out, "}}}}")?;
    }
    out.flush()
}

fn print_table(names: &Names, model: &Model, rows: &[Row]) -> std::io::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let metrics = model.metrics.iter().map(|metric| metric.name.clone());
    table.set_header(["account".to_owned(), "as of".to_owned()].into_iter().chain(metrics));
    for row in rows {
        let values = row.values.iter().map(|value| match value {
            None => "–".to_owned(),
            Some(Scalar::Integer(number)) => number.to_string(),
            Some(Scalar::Number(number)) => format!("{number:.4}"),
            Some(Scalar::Text(text)) => text.clone(),
        });
        let head = [names.text(row.account).to_owned(), write_rfc3339(row.as_of).to_string()];
        table.add_row(head.into_iter().chain(values));
    }
    let mut out = output::out();
    writeln!(out, "{table}")?;
    out.flush()
}
