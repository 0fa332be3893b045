//! `tidewatch explain`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use tidewatch_proto::v1;

use super::client::Opening;
use super::evidence::{self, EvidenceArguments};
use super::health;
use super::metrics::{as_of, model_text};
use super::output;
use super::place::Place;
use crate::read::scan::AsOf;
use crate::serve::convert;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The model file to score by; the adopted model when not given.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The id of the account.
    #[arg(long, value_name = "A")]
    account: String,
    /// Since when: RFC 3339, a date (its end), or `last`; 28 days before `--to` when not given.
    #[arg(long, value_name = "T", value_parser = as_of)]
    from: Option<AsOf>,
    /// Until when; the account's live instant when not given.
    #[arg(long, value_name = "T", value_parser = as_of)]
    to: Option<AsOf>,
    #[command(flatten)]
    evidence: EvidenceArguments,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    workers: super::Workers,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = arguments.place.client(Opening::Accounts(arguments.workers.count()))?;
    let request = v1::ExplainHealthRequest {
        account: arguments.account.clone(),
        from: arguments.from.map(convert::as_of),
        to: arguments.to.map(convert::as_of),
        model: model_text(arguments.model.as_deref())?,
        evidence: arguments.evidence.asked(),
        ..Default::default()
    };
    let answer = client.ask(client.health().explain_health(request))?;
    client.close()?;
    let (from, to) = (answer.from.unwrap_or_default(), answer.to.unwrap_or_default());
    let mut out = output::out();
    if arguments.json {
        let score = [from.score, to.score].map(output::json_number);
        let object = output::json_object([
            ("score", output::json_list(score)),
            ("lines", output::json_list(answer.changes.iter().map(json))),
        ]);
        writeln!(out, "{object}")?;
        return Ok(out.flush()?);
    }
    writeln!(out, "{}", health::shown(&to))?;
    let score = |health: &v1::Health| {
        let score = health.score.map_or("no score".to_owned(), |score| format!("{score:.1}"));
        format!("{score} at {}", output::instant(health.as_of.as_ref()))
    };
    writeln!(out, "\nfrom {} to {}", score(&from), score(&to))?;
    for change in &answer.changes {
        writeln!(out, "  {}", change.text)?;
        if let Some(found) = &change.evidence {
            write!(out, "{}", evidence::shown(found, 6))?;
        }
    }
    Ok(out.flush()?)
}

fn json(change: &v1::HealthChange) -> String {
    let cause = convert::word(change.cause().as_str_name(), "HEALTH_CAUSE_");
    let fields = [
        ("name", output::json_text(&change.name)),
        ("cause", output::json_text(&cause)),
        ("points", output::json_number(Some(change.points))),
        ("text", output::json_text(&change.text)),
    ];
    let evidence = change.evidence.as_ref().map(|found| ("evidence", evidence::json(found)));
    output::json_object(fields.into_iter().chain(evidence))
}
