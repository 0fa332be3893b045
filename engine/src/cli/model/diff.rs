//! `tidewatch model diff`.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::Args;
use tidewatch_projections::model;
use tidewatch_projections::model::difference::differences;

use super::show::adopted;
use crate::cli::client::{Client, Opening};
use crate::cli::metrics::{read_model, read_model_text};
use crate::cli::output;
use crate::cli::place::OptionalPlace;
use crate::serve::model_words;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// A model: a file, `adopted`, `default`, or the position of a version as `model list` tells it.
    #[arg(value_name = "A")]
    from: String,
    /// The model it is held against, named the same way.
    #[arg(value_name = "B")]
    to: String,
    #[command(flatten)]
    place: OptionalPlace,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// A model as a command names it.
enum Named<'a> {
    File(&'a Path),
    Default,
    /// The one in force at a position; 0 is now.
    Adopted(u64),
}

impl<'a> Named<'a> {
    fn of(name: &'a str) -> Self {
        match (name, name.parse::<u64>()) {
            ("adopted", _) => Self::Adopted(0),
            ("default", _) => Self::Default,
            (_, Ok(position)) if position > 0 => Self::Adopted(position),
            _ => Self::File(Path::new(name)),
        }
    }

    fn text(&self, client: Option<&Client>) -> anyhow::Result<String> {
        match (self, client) {
            (Self::File(file), _) => {
                read_model(file)?;
                read_model_text(file)
            }
            (Self::Default, _) => Ok(model::DEFAULT.to_owned()),
            (Self::Adopted(position), Some(client)) => Ok(adopted(client, *position)?.text),
            (Self::Adopted(_), None) => bail!("--data or --server names where a model is adopted"),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (from, to) = (Named::of(&arguments.from), Named::of(&arguments.to));
    let is_adopted = [&from, &to].iter().any(|named| matches!(named, Named::Adopted(_)));
    let client = match arguments.place.place() {
        Some(place) if is_adopted => Some(place.client(Opening::Log(1))?),
        _ => None,
    };
    let texts = (from.text(client.as_ref())?, to.text(client.as_ref())?);
    if let Some(client) = client {
        client.close()?;
    }
    let found = differences(&texts.0, &texts.1).context("the models cannot be compared")?;
    let mut out = output::out();
    for difference in &found {
        let text = model_words::difference(difference);
        match arguments.json {
            true => {
                let fields =
                    [("key", output::json_text(&difference.path)), ("text", output::json_text(&text))];
                writeln!(out, "{}", output::json_object(fields))?;
            }
            false => writeln!(out, "{text}")?,
        }
    }
    if found.is_empty() && !arguments.json {
        writeln!(out, "both mean the same")?;
    }
    Ok(out.flush()?)
}
