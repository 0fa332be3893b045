//! `tidewatch model show`.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use clap::Args;
use tidewatch_projections::model;
use tidewatch_proto::v1;

use crate::cli::client::{Client, Opening};
use crate::cli::output;
use crate::cli::place::OptionalPlace;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    place: OptionalPlace,
    /// The annotated default model of this program, whatever is adopted: a file to start from.
    #[arg(long, conflicts_with_all = ["at", "json"])]
    default: bool,
    /// The model in force at a position, as `model list` tells them; the newest when not given.
    #[arg(long, value_name = "POSITION")]
    at: Option<u64>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// The text goes to standard output and what is known of it to standard error, so that it can be kept as a file.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut out = output::out();
    if arguments.default {
        write!(out, "{}", model::DEFAULT)?;
        return Ok(out.flush()?);
    }
    let Some(place) = arguments.place.place() else {
        bail!("--data or --server names where a model is adopted; --default shows the default one");
    };
    let client = place.client(Opening::Log(1))?;
    let model = adopted(&client, arguments.at.unwrap_or_default())?;
    client.close()?;
    let version = model.version.clone().unwrap_or_default();
    let position = model.adopted_at.as_ref().map(|position| position.sequence);
    if arguments.json {
        let object = output::json_object([
            ("name", output::json_text(&version.name)),
            ("version", version.version.to_string()),
            ("digest", output::json_text(&version.digest)),
            ("adopted_at", position.map_or("null".to_owned(), |position| position.to_string())),
            ("text", output::json_text(&model.text)),
        ]);
        writeln!(out, "{object}")?;
        return Ok(out.flush()?);
    }
    let since = match position {
        Some(position) => format!("in force since position {position}"),
        None => "the default, in force since nothing else was adopted".to_owned(),
    };
    let v1::ModelVersion { name, version, digest } = version;
    let name = if name.is_empty() { "without a name".to_owned() } else { name };
    output::note(&format!("model {name}, version {version}, digest {digest}, {since}"));
    write!(out, "{}", model.text)?;
    Ok(out.flush()?)
}

/// The model in force at a position; 0 is now.
pub(super) fn adopted(client: &Client, sequence: u64) -> anyhow::Result<v1::AdoptedModel> {
    let request = v1::GetModelRequest { sequence, ..Default::default() };
    client.ask(client.models().get_model(request))?.model.context("the engine answered no model")
}
