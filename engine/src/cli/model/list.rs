//! `tidewatch model list`.

use std::io::Write as _;

use clap::Args;
use tidewatch_proto::v1;

use crate::cli::client::Opening;
use crate::cli::output;
use crate::cli::place::Place;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = arguments.place.client(Opening::Log(1))?;
    let answer = client.ask(client.models().list_model_versions(v1::ListModelVersionsRequest::default()))?;
    client.close()?;
    let mut out = output::out();
    let rows = answer.versions.iter().map(|adopted| {
        let position = adopted.adopted_at.as_ref().map_or(0, |position| position.sequence);
        (position, adopted.version.clone().unwrap_or_default())
    });
    if arguments.json {
        for (position, v1::ModelVersion { name, version, digest }) in rows {
            let object = output::json_object([
                ("adopted_at", position.to_string()),
                ("name", output::json_text(&name)),
                ("version", version.to_string()),
                ("digest", output::json_text(&digest)),
            ]);
            writeln!(out, "{object}")?;
        }
    } else if answer.versions.is_empty() {
        writeln!(out, "nothing was adopted: the default model is in force")?;
    } else {
        let mut table = output::table(["position", "name", "version", "digest"]);
        for (position, v1::ModelVersion { name, version, digest }) in rows {
            table.add_row([position.to_string(), name, version.to_string(), digest]);
        }
        writeln!(out, "{table}")?;
    }
    Ok(out.flush()?)
}
