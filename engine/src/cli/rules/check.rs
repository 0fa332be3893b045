//! `tidewatch rules check`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tidewatch_projections::model::places::Places;
use tidewatch_projections::model::{self, Model, ModelError};
use tidewatch_projections::rules::Rules;
use tidewatch_projections::rules::doubt::{About, Doubt};

use crate::cli::findings::{Finding, print};
use crate::cli::metrics::read_model;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// The rule file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The model whose metrics and bands the rules must name; the default model when not given.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let file = arguments.file.display();
    let text =
        std::fs::read_to_string(&arguments.file).with_context(|| format!("cannot read the rules {file}"))?;
    let model = match &arguments.model {
        Some(file) => read_model(file)?,
        None => Model::parse(model::DEFAULT).context("the default model")?,
    };
    let findings = findings(&text, &model);
    print(&arguments.file, &findings, arguments.json, &format!("the rules {file} have"))
}

/// Errors, or doubts where there are none, in the order of the file.
fn findings(text: &str, model: &Model) -> Vec<Finding> {
    let places = Places::of(text);
    let mut findings: Vec<Finding> = match Rules::read(text) {
        Ok(rules) => rules.doubts(model).iter().map(|doubt| of_doubt(&places, doubt)).collect(),
        Err(errors) => errors.iter().map(|error| of_error(&places, error)).collect(),
    };
    findings.sort_by_key(|finding| finding.line);
    findings
}

fn of_error(places: &Places<'_>, error: &ModelError) -> Finding {
    Finding {
        is_error: true,
        key: error.path().unwrap_or_default().to_owned(),
        line: places.line_of_error(error),
        nearest: error.nearest().map(str::to_owned),
        text: error.to_string(),
    }
}

fn of_doubt(places: &Places<'_>, doubt: &Doubt) -> Finding {
    Finding {
        is_error: false,
        key: doubt.path.clone(),
        line: places.line(&doubt.path),
        nearest: doubt.about.nearest().map(str::to_owned),
        text: format!("{}: {}", doubt.path, about(&doubt.about)),
    }
}

/// What is doubtful, in words.
fn about(about: &About) -> String {
    let meant = match about.nearest() {
        Some(nearest) => format!(" (nearest: {nearest:?})"),
        None => String::new(),
    };
    match about {
        About::NoMetric { name, .. } => {
            format!(
                "the model has no metric {name:?}{meant}: the rule is shown as no_metric and not evaluated"
            )
        }
        About::NoBand { name, .. } => {
            format!("the model has no band {name:?}{meant}, so it is never entered")
        }
        About::UnreachedRoute { by } => format!("routes[{by}] before it takes everything"),
        About::UnusedReceiver => "no route names it".to_owned(),
        About::NoRoutes => "there is no route, so nobody is told".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_stand_in_the_order_of_the_file() {
        let model = Model::parse(model::DEFAULT).unwrap();
        let told = |text: &str| -> Vec<(Option<usize>, bool, String)> {
            let findings = findings(text, &model).into_iter();
            findings.map(|finding| (finding.line, finding.is_error, finding.text)).collect()
        };
        let text = "[receivers.x]\nkind = 'kafka'\n[rules]\na = { all = [{ metric = 'usage_7', ge = 1 }], severity = 'low' }\n";
        assert_eq!(
            told(text),
            [
                (Some(1), false, "receivers: there is no route, so nobody is told".to_owned()),
                (
                    Some(4),
                    false,
                    "rules.a.all[0].metric: the model has no metric \"usage_7\" (nearest: \"usage_7d\"): the rule is shown as \
                     no_metric and not evaluated"
                        .to_owned()
                ),
            ]
        );
        let [(line, is_error, said)] = told(&text.replace("'low'", "'lwo'")).try_into().unwrap();
        assert_eq!((line, is_error), (Some(4), true));
        assert!(said.ends_with("(nearest: \"low\")"), "{said}");
    }
}
