//! `tidewatch rules check`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use tidewatch_projections::model::places::Places;
use tidewatch_projections::model::{self, Model, ModelError};
use tidewatch_projections::rules::Rules;
use tidewatch_projections::rules::doubt::{About, Doubt};

use crate::cli::metrics::read_model;
use crate::cli::output;

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

/// Something about a file that is told.
struct Finding {
    is_error: bool,
    key: String,
    line: Option<usize>,
    nearest: Option<String>,
    text: String,
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
    let errors = findings.iter().filter(|finding| finding.is_error).count();
    let mut out = output::out();
    if arguments.json {
        let object = output::json_object([
            ("file", output::json_text(&arguments.file.to_string_lossy())),
            ("usable", (errors == 0).to_string()),
            ("findings", output::json_list(findings.iter().map(Finding::json))),
        ]);
        writeln!(out, "{object}")?;
    } else {
        for finding in &findings {
            let place = finding.line.map_or_else(|| file.to_string(), |line| format!("{file}:{line}"));
            writeln!(out, "{place}: {}: {}", finding.severity(), finding.text)?;
        }
        if findings.is_empty() {
            writeln!(out, "{file}: nothing wrong, nothing doubtful")?;
        }
    }
    out.flush()?;
    match errors {
        0 => Ok(()),
        1 => bail!("the rules {file} have an error and cannot be used"),
        errors => bail!("the rules {file} have {errors} errors and cannot be used"),
    }
}

/// Errors, or doubts where there are none, in the order of the file.
fn findings(text: &str, model: &Model) -> Vec<Finding> {
    let places = Places::of(text);
    let mut findings: Vec<Finding> = match Rules::parse(text) {
        Ok(rules) => rules.doubts(model).iter().map(|doubt| Finding::of_doubt(&places, doubt)).collect(),
        Err(_) => Rules::errors(text).iter().map(|error| Finding::of_error(&places, error)).collect(),
    };
    findings.sort_by_key(|finding| finding.line);
    findings
}

impl Finding {
    fn of_error(places: &Places<'_>, error: &ModelError) -> Self {
        Self {
            is_error: true,
            key: error.path().unwrap_or_default().to_owned(),
            line: places.line_of_error(error),
            nearest: error.nearest().map(str::to_owned),
            text: error.to_string(),
        }
    }

    fn of_doubt(places: &Places<'_>, doubt: &Doubt) -> Self {
        Self {
            is_error: false,
            key: doubt.path.clone(),
            line: places.line(&doubt.path),
            nearest: doubt.about.nearest().map(str::to_owned),
            text: format!("{}: {}", doubt.path, about(&doubt.about)),
        }
    }

    fn severity(&self) -> &'static str {
        if self.is_error { "error" } else { "doubt" }
    }

    fn json(&self) -> String {
        output::json_object([
            ("severity", output::json_text(self.severity())),
            ("key", output::json_text(&self.key)),
            ("line", self.line.map_or_else(|| "null".to_owned(), |line| line.to_string())),
            ("nearest", output::json_optional(self.nearest.as_deref())),
            ("text", output::json_text(&self.text)),
        ])
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
