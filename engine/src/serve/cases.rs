//! Cases on the wire: which of them a list holds, and what may be done with one.

use tidewatch_projections::alert::book::AccountRecord;
use tidewatch_projections::alert::case::{Action, Case, CaseState, Closing, RESULTS, SIGNALS};
use tidewatch_projections::alert::record::Alert;
use tidewatch_projections::names::Symbol;
use tidewatch_proto::v1;

use super::api_error::ApiError;
use super::convert;
use super::transitions::wire_figures;
use crate::control::entry::CaseChange;
use crate::control::request::Request;
use crate::fold::view::View;
use crate::write::sequencer::Command;

/// Longest note, reason or name of an assignee, in bytes.
pub const TEXT_BYTES_MAX: usize = 4 * 1024;

/// The cases that a request asks for, in their order.
///
/// # Errors
/// For a state that there is none of.
pub fn list(view: &View, request: &v1::ListCasesRequest) -> Result<Vec<v1::Case>, ApiError> {
    let states = states(&request.states)?;
    let wanted = |case: &Case| {
        if states.is_empty() { case.state.is_open() } else { states.contains(&case.state) }
    };
    let only = (!request.account.is_empty()).then(|| view.names.find(&request.account));
    let is_only = |account: Symbol| only.is_none_or(|only| only == Some(account));
    let book = &view.control_state.alerts;
    let mut found: Vec<(&str, &AccountRecord, &Case)> = book
        .accounts()
        .filter(|(account, _)| is_only(*account))
        .filter_map(|(account, record)| {
            let case = record.case.as_ref().filter(|case| wanted(case))?;
            Some((view.names.text(account), record, case))
        })
        .collect();
    found.sort_unstable_by(|(a_account, _, a), (b_account, _, b)| {
        (b.severity, b.opened_on).cmp(&(a.severity, a.opened_on)).then_with(|| a_account.cmp(b_account))
    });
    Ok(found.into_iter().map(|(account, record, case)| wire(account, record, case)).collect())
}

fn states(names: &[String]) -> Result<Vec<CaseState>, ApiError> {
    let state = |name: &String| CaseState::ALL.into_iter().find(|state| state.name() == name);
    let unknown = |name: &String| ApiError::InvalidAction {
        field: "states",
        problem: format!("names {name:?}; a case is {}", CaseState::ALL.map(CaseState::name).join(", ")),
    };
    names.iter().map(|name| state(name).ok_or_else(|| unknown(name))).collect()
}

fn wire(account: &str, record: &AccountRecord, case: &Case) -> v1::Case {
    let closing = case.closing.as_ref();
    let told = |of: fn(&Closing) -> &str| closing.map_or(String::new(), |closing| of(closing).to_owned());
    v1::Case {
        account: account.to_owned(),
        opened_on: case.opened_on.to_text(),
        state: case.state.name().to_owned(),
        severity: case.severity.name().to_owned(),
        alerts: record.alerts.all().iter().map(wire_alert).collect(),
        assigned_to: case.assigned_to.to_string(),
        snoozed_until: case.snoozed_until.map(convert::timestamp),
        notes: case
            .notes
            .iter()
            .map(|note| v1::CaseNote {
                author: note.author.to_string(),
                at: Some(convert::timestamp(note.at)),
                text: note.text.to_string(),
            })
            .collect(),
        signal: told(|closing| &closing.signal),
        result: told(|closing| &closing.result),
        reason: told(|closing| &closing.reason),
    }
}

fn wire_alert(alert: &Alert) -> v1::Alert {
    v1::Alert {
        rule: alert.name.to_string(),
        scope: alert.slot.scope.to_string(),
        state: alert.state.name().to_owned(),
        severity: alert.severity.name().to_owned(),
        cause: alert.cause.to_string(),
        opened_on: alert.opened_on.map_or(String::new(), |day| day.to_text()),
        changed_on: alert.changed_on.to_text(),
        figures: Some(wire_figures(&alert.figures)),
        flaps: alert.flaps,
    }
}

/// The command that a call asks for.
///
/// # Errors
/// For an action that is none, or lacks something.
pub fn command(asked: &v1::ChangeCaseRequest, request: &Request, tells: bool) -> Result<Command, ApiError> {
    use v1::change_case_request::Action as Asked;
    let missing = || ApiError::InvalidAction {
        field: "action",
        problem: "is missing; name acknowledge, assign, snooze, note or close".to_owned(),
    };
    let action = match asked.action.as_ref().ok_or_else(missing)? {
        Asked::Acknowledge(_) => Action::Acknowledge,
        Asked::Assign(assign) => Action::Assign { to: text("to", &assign.to)? },
        Asked::Snooze(snooze) => Action::Snooze { until: ahead(snooze, request)? },
        Asked::Note(note) => Action::Note { text: said("text", &note.text)? },
        Asked::Close(close) => Action::Close {
            signal: one_of("signal", &close.signal, &SIGNALS)?,
            result: one_of("result", &close.result, &RESULTS)?,
            reason: text("reason", &close.reason)?,
        },
    };
    let author = if request.on_behalf_of.is_empty() { &request.actor } else { &request.on_behalf_of };
    let (account, author) = (asked.account.as_str().into(), author.clone());
    Ok(Command::ChangeCase(CaseChange { account, author, at: request.at, tells, action: Some(action) }))
}

fn text(field: &'static str, text: &str) -> Result<Box<str>, ApiError> {
    match text.len() {
        bytes if bytes > TEXT_BYTES_MAX => Err(ApiError::TooLong { field, bytes, most: TEXT_BYTES_MAX }),
        _ => Ok(text.into()),
    }
}

fn said(field: &'static str, said: &str) -> Result<Box<str>, ApiError> {
    if said.trim().is_empty() {
        return Err(ApiError::InvalidAction { field, problem: "is empty".to_owned() });
    }
    text(field, said)
}

fn one_of(field: &'static str, word: &str, words: &[&str]) -> Result<Box<str>, ApiError> {
    match words.contains(&word) {
        true => Ok(word.into()),
        false => {
            let problem = format!("is {word:?}; use one of {}", words.join(", "));
            Err(ApiError::InvalidAction { field, problem })
        }
    }
}

fn ahead(snooze: &v1::SnoozeCase, request: &Request) -> Result<i64, ApiError> {
    let refused = |problem: &str| ApiError::InvalidAction { field: "until", problem: problem.to_owned() };
    let until = snooze.until.as_ref().ok_or_else(|| refused("is missing"))?;
    let until = convert::micros(until).ok_or_else(|| refused("is no instant"))?;
    if until <= request.at {
        return Err(refused("lies in the past"));
    }
    Ok(until)
}
