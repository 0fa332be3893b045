//! `tidewatch health`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use tidewatch_proto::v1;

use super::client::{Client, Opening};
use super::evidence::{self, EvidenceArguments};
use super::metrics::{as_of, model_text};
use super::output::{self, ABSENT};
use super::place::Place;
use super::who::Who;
use crate::read::scan::AsOf;
use crate::serve::convert::{self, status_name};
use crate::serve::health::{reason_name, state_name};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The model file to score by; the adopted model when not given.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// When: RFC 3339, a date (its end), or `last`; may repeat. Each account's live instant when not given.
    #[arg(long, value_name = "T", value_parser = as_of)]
    as_of: Vec<AsOf>,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    evidence: EvidenceArguments,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    workers: super::Workers,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let workers = arguments.workers.count();
    let asked = arguments.evidence.asked();
    // The live instant is that of folded accounts, and so are events found; the log alone answers instants that are named.
    let opening = match (arguments.as_of.as_slice(), &asked) {
        ([], _) | (_, Some(_)) => Opening::Accounts(workers),
        _ => Opening::Log(workers),
    };
    let client = arguments.place.client(opening)?;
    let rows = match &asked {
        Some(asked) => rows_with_evidence(arguments, &client, asked)?,
        None => rows(arguments, &client)?,
    };
    client.close()?;
    let mut out = output::out();
    match (arguments.json, rows.as_slice()) {
        (true, rows) => rows.iter().try_for_each(|health| writeln!(out, "{}", json(health)))?,
        (false, [health]) => writeln!(out, "{}", shown(health))?,
        (false, rows) if asked.is_some() => {
            rows.iter().try_for_each(|health| writeln!(out, "{}\n", shown(health)))?;
        }
        (false, rows) => writeln!(out, "{}", table(rows))?,
    }
    Ok(out.flush()?)
}

/// Asks in parts where one call may not ask for all.
fn rows(arguments: &Arguments, client: &Client) -> anyhow::Result<Vec<v1::Health>> {
    let model = model_text(arguments.model.as_deref())?;
    let mut rows = Vec::new();
    for (instants, accounts) in arguments.who.calls(&arguments.as_of, client.caller()) {
        let request = v1::ScanHealthRequest {
            accounts: accounts.to_vec(),
            as_of: instants.iter().copied().map(convert::as_of).collect(),
            model: model.clone(),
            ..Default::default()
        };
        client.each(client.health().scan_health(request), |message| {
            rows.extend(message.health);
            Ok(())
        })?;
    }
    Ok(rows)
}

/// Asks for each account at each instant by itself: events are told of one health at a time.
fn rows_with_evidence(
    arguments: &Arguments,
    client: &Client,
    asked: &v1::EvidenceAsked,
) -> anyhow::Result<Vec<v1::Health>> {
    let model = model_text(arguments.model.as_deref())?;
    let Some(accounts) = arguments.who.named() else {
        bail!("--evidence tells of accounts that are named; use --account instead of --all");
    };
    let instants = match arguments.as_of.as_slice() {
        [] => vec![None],
        instants => instants.iter().copied().map(|at| Some(convert::as_of(at))).collect(),
    };
    let mut rows = Vec::new();
    for as_of in instants {
        for account in accounts {
            let request = v1::GetHealthRequest {
                account: account.clone(),
                as_of: as_of.clone(),
                model: model.clone(),
                evidence: Some(asked.clone()),
                ..Default::default()
            };
            rows.extend(client.ask(client.health().get_health(request))?.health);
        }
    }
    Ok(rows)
}

/// Said of an account that nothing is known of.
const UNKNOWN: &str = "no event names this account";

/// One account with everything its score is made of.
pub(super) fn shown(health: &v1::Health) -> String {
    if health.as_of.is_none() {
        return format!("{}: {UNKNOWN}", health.account);
    }
    let score = health.shown.map_or(ABSENT.to_owned(), |shown| shown.to_string());
    let model = health.model.clone().unwrap_or_default();
    // That there is a score goes without saying, and so does that there is none where the band says it.
    let state = match health.state() {
        v1::HealthState::Scored | v1::HealthState::Unknown => String::new(),
        state => format!("  {}", state_name(state).replace('_', " ")),
    };
    let mut text = format!(
        "{}  {}  {}  {}{state}\nas of {}, coverage {:.0} %, profile {}, model {} {}\n",
        health.account,
        score,
        health.band.as_deref().unwrap_or(ABSENT),
        status_name(health.status()),
        output::instant(health.as_of.as_ref()),
        health.coverage * 100.0,
        health.profile.as_deref().unwrap_or(ABSENT),
        model.name,
        model.version,
    );
    if let Some(set) = &health.r#override {
        let until = output::instant(set.expires_at.as_ref());
        text.push_str(&format!("  {} by hand until {until}, by {}: {}\n", set.band, set.author, set.reason));
    }
    for reason in &health.reasons {
        text.push_str(&format!("  {reason}\n"));
    }
    let mut table = output::table(["measure", "group", "metric", "value", "points", "weight", "adds", ""]);
    output::align_right(&mut table, &[3, 4, 5, 6]);
    for measure in &health.measures {
        let metric = measure.metric.clone().unwrap_or_default();
        let note = match (measure.stale, measure.present, measure.used) {
            (true, ..) => "stale",
            (_, false, true) => "filled in",
            (_, false, false) => "missing",
            _ if measure.weight == 0.0 => "monitor",
            _ => "",
        };
        table.add_row([
            measure.name.clone(),
            measure.group.clone(),
            metric.name.clone(),
            output::shown(&metric, 2),
            measure.points.map_or(ABSENT.to_owned(), |points| format!("{points:.0}")),
            format!("{:.1} %", measure.weight * 100.0),
            format!("{:.1}", measure.contribution),
            note.to_owned(),
        ]);
    }
    if !health.measures.is_empty() {
        text.push_str(&table.trim_fmt());
    }
    for measure in &health.measures {
        if let Some(found) = &measure.evidence {
            text.push_str(&format!("\n\n{}\n", measure.name));
            text.push_str(evidence::shown(found, 2).trim_end());
        }
    }
    text
}

/// Accounts in the order given, one line each, with the reason that weighs most.
fn table(rows: &[v1::Health]) -> String {
    let mut table =
        output::table(["account", "as of", "score", "band", "coverage", "status", "first reason"]);
    output::align_right(&mut table, &[2, 4]);
    for health in rows {
        table.add_row([
            health.account.clone(),
            output::instant(health.as_of.as_ref()),
            health.shown.map_or(ABSENT.to_owned(), |shown| shown.to_string()),
            health.band.clone().unwrap_or(ABSENT.to_owned()),
            format!("{:.0} %", health.coverage * 100.0),
            if health.as_of.is_some() { status_name(health.status()) } else { ABSENT.to_owned() },
            match &health.as_of {
                Some(_) => health.reasons.first().cloned().unwrap_or_default(),
                None => UNKNOWN.to_owned(),
            },
        ]);
    }
    table.trim_fmt()
}

/// The form that programs rely on: every key is always there.
fn json(health: &v1::Health) -> String {
    let model = health.model.clone().unwrap_or_default();
    let groups = health.groups.iter().map(|group| {
        output::json_object([
            ("name", output::json_text(&group.name)),
            ("weight", output::json_number(Some(group.weight))),
            ("score", output::json_number(group.score)),
        ])
    });
    output::json_object([
        ("account", output::json_text(&health.account)),
        ("as_of", output::json_text(&output::instant(health.as_of.as_ref()))),
        ("state", output::json_text(&state_name(health.state()))),
        ("reason", output::json_optional(reason_name(health.reason()).as_deref())),
        ("status", output::json_text(&status_name(health.status()))),
        ("score", output::json_number(health.score)),
        ("shown", health.shown.map_or("null".to_owned(), |shown| shown.to_string())),
        ("band", output::json_optional(health.band.as_deref())),
        ("provisional", health.provisional.to_string()),
        ("coverage", output::json_number(Some(health.coverage))),
        ("profile", output::json_optional(health.profile.as_deref())),
        (
            "model",
            output::json_object([
                ("name", output::json_text(&model.name)),
                ("version", model.version.to_string()),
                ("digest", output::json_text(&model.digest)),
            ]),
        ),
        ("groups", output::json_list(groups)),
        ("measures", output::json_list(health.measures.iter().map(json_measure))),
    ])
}

fn json_measure(measure: &v1::HealthMeasure) -> String {
    let metric = measure.metric.clone().unwrap_or_default();
    let fields = [
        ("name", output::json_text(&measure.name)),
        ("group", output::json_text(&measure.group)),
        ("metric", output::json_text(&metric.name)),
        ("value", output::json_metric(&metric)),
        ("points", output::json_number(measure.points)),
        ("present", measure.present.to_string()),
        ("stale", measure.stale.to_string()),
        ("used", measure.used.to_string()),
        ("weight", output::json_number(Some(measure.weight))),
        ("contribution", output::json_number(Some(measure.contribution))),
    ];
    let evidence = measure.evidence.as_ref().map(|found| ("evidence", evidence::json(found)));
    output::json_object(fields.into_iter().chain(evidence))
}
