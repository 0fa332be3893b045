//! `tidewatch model check`.

use std::path::PathBuf;

use clap::Args;
use tidewatch_proto::v1;

use crate::cli::Workers;
use crate::cli::client::Opening;
use crate::cli::findings::{Finding, print};
use crate::cli::metrics::read_model_text;
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
    let findings: Vec<Finding> = findings.into_iter().map(finding).collect();
    let refusal = format!("the model {} has", arguments.file.display());
    print(&arguments.file, &findings, arguments.json, &refusal)
}

fn finding(finding: v1::ModelFinding) -> Finding {
    Finding {
        is_error: finding.severity() != v1::ModelFindingSeverity::Doubt,
        key: finding.key,
        line: Some(finding.line as usize).filter(|line| *line > 0),
        nearest: Some(finding.nearest).filter(|nearest| !nearest.is_empty()),
        text: finding.text,
    }
}
