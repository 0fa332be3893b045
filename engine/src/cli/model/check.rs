//! `tidewatch model check`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use tidewatch_proto::v1;

use crate::cli::Workers;
use crate::cli::client::Opening;
use crate::cli::metrics::read_model_text;
use crate::cli::output;
use crate::cli::place::OptionalPlace;
use crate::serve::model_check;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// The model file to check.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: OptionalPlace,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    workers: Workers,
}

/// Without a place the file alone is judged; with one, what is doubtful for its accounts is told too.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let text = read_model_text(&arguments.file)?;
    let findings = match arguments.place.place() {
        None => model_check::check(&text).findings,
        Some(place) => {
            let client = place.client(Opening::Accounts(arguments.workers.count()))?;
            let request = v1::CheckModelRequest { model: text, ..Default::default() };
            let answer = client.ask(client.models().check_model(request))?;
            client.close()?;
            answer.findings
        }
    };
    let is_error = |finding: &&v1::ModelFinding| finding.severity() == v1::ModelFindingSeverity::Error;
    let errors = findings.iter().filter(is_error).count();
    let mut out = output::out();
    if arguments.json {
        let object = output::json_object([
            ("file", output::json_text(&arguments.file.to_string_lossy())),
            ("usable", (errors == 0).to_string()),
            ("findings", output::json_list(findings.iter().map(json))),
        ]);
        writeln!(out, "{object}")?;
    } else {
        for finding in &findings {
            let place = match finding.line {
                0 => arguments.file.display().to_string(),
                line => format!("{}:{line}", arguments.file.display()),
            };
            writeln!(out, "{place}: {}: {}", severity(finding), finding.text)?;
        }
        if findings.is_empty() {
            writeln!(out, "{}: nothing wrong, nothing doubtful", arguments.file.display())?;
        }
    }
    out.flush()?;
    match errors {
        0 => Ok(()),
        1 => bail!("the model {} has an error and cannot be used", arguments.file.display()),
        errors => bail!("the model {} has {errors} errors and cannot be used", arguments.file.display()),
    }
}

fn severity(finding: &v1::ModelFinding) -> &'static str {
    match finding.severity() {
        v1::ModelFindingSeverity::Doubt => "doubt",
        v1::ModelFindingSeverity::Error | v1::ModelFindingSeverity::Unspecified => "error",
    }
}

fn json(finding: &v1::ModelFinding) -> String {
    let line = if finding.line == 0 { "null".to_owned() } else { finding.line.to_string() };
    let nearest = Some(finding.nearest.as_str()).filter(|nearest| !nearest.is_empty());
    output::json_object([
        ("severity", output::json_text(severity(finding))),
        ("key", output::json_text(&finding.key)),
        ("line", line),
        ("nearest", output::json_optional(nearest)),
        ("text", output::json_text(&finding.text)),
    ])
}
