//! Whether an account is scored at all, and with which figures, before any day before is looked at.

use super::measured::measure;
use super::weighed::weigh;
use super::{Figures, Inexact, Reason, profile};
use crate::account_at::AccountAt;
use crate::calendar::Day;
use crate::model::scoring::Scoring;
use crate::value::Value;
use crate::vocabulary::{EventType, Status};

/// What an instant says by itself.
pub(super) enum Standing {
    /// It has a score.
    Scored(Figures),
    /// It has figures and too few of them.
    TooLittle(Figures),
    /// Nothing started its life.
    NoLife,
    /// It is paused, whatever its figures.
    Paused,
    /// It is not one of those that are scored.
    Excluded(Reason),
    /// There is nothing to score it by.
    NoModel,
}

/// The standing of an account at its instant.
///
/// # Errors
/// When memory does not hold all that the answer depends on.
pub(super) fn standing(account_at: &AccountAt<'_>) -> Result<Standing, Inexact> {
    let Ok(scoring) = &account_at.context().plan.model.scoring else { return Ok(Standing::NoModel) };
    if scoring.profiles.is_empty() {
        return Ok(Standing::NoModel);
    }
    // Status, facts and life are wrong where something was not kept.
    if account_at.is_past_a_bound() {
        return Err(Inexact);
    }
    if let Some(reason) = exclusion(account_at) {
        return Ok(Standing::Excluded(reason));
    }
    if is_paused(account_at) {
        return Ok(Standing::Paused);
    }
    if account_at.first_day().is_none() {
        return Ok(Standing::NoLife);
    }
    let figures = figures(scoring, account_at)?;
    let enough = figures.weighed.score.is_some() && figures.weighed.coverage >= scoring.coverage_min;
    Ok(if enough { Standing::Scored(figures) } else { Standing::TooLittle(figures) })
}

pub(super) fn is_paused(account_at: &AccountAt<'_>) -> bool {
    account_at.since().status == Status::Paused
}

fn figures(scoring: &Scoring, account_at: &AccountAt<'_>) -> Result<Figures, Inexact> {
    let profile = profile::choose(scoring, account_at).expect("the last profile applies to every account");
    let weights = scoring.profiles[profile].groups.iter().flat_map(|group| &group.measures);
    let measured = weights
        .map(|weighted| measure(account_at, &scoring.measures[weighted.measure], weighted.measure))
        .collect::<Result<_, _>>()?;
    Ok(Figures { profile, weighed: weigh(&scoring.profiles[profile], measured) })
}

/// Why an account is not scored: it ended, was closed or became internal or a test before today.
fn exclusion(account_at: &AccountAt<'_>) -> Option<Reason> {
    let since = account_at.since();
    let of_status = match since.status {
        Status::Ended => Some(Reason::Ended),
        Status::Closed => Some(Reason::Closed),
        _ => None,
    };
    let has_come = |day: &Day| account_at.today > *day;
    if let Some(reason) = of_status
        && since.since.is_none_or(|day| has_come(&day))
    {
        return Some(reason);
    }
    let (reason, day) = excluded_kind(account_at)?;
    has_come(&day).then_some(reason)
}

/// The kind that keeps an account from being scored, and the day it took one of those kinds.
fn excluded_kind(account_at: &AccountAt<'_>) -> Option<(Reason, Day)> {
    let history = account_at.own()?.fact_history(account_at.context().names, "kind")?;
    let reason_of = |kind: &Value| match kind.as_text() {
        Some("internal") => Some(Reason::Internal),
        Some("test") => Some(Reason::Test),
        _ => None,
    };
    let seen = history.before(account_at.as_of);
    let reason = reason_of(&seen.last()?.1)?;
    let run = seen.iter().rev().take_while(|(_, kind)| reason_of(kind).is_some());
    let (began, _) = run.last()?;
    Some((reason, account_at.context().plan.calendar.day(began.at)))
}

/// What is said beside a score: the product was never used, though use arrives from others.
pub(super) fn beside_a_score(account_at: &AccountAt<'_>) -> Option<Reason> {
    let feed = &account_at.context().tenant.feed;
    let calendar = &account_at.context().plan.calendar;
    let telemetry = account_at.sends_telemetry(account_at.as_of);
    let fed = feed.any_fed(calendar, account_at.today, false, telemetry, |kind| kind == EventType::Usage);
    (fed && !account_at.has_used()).then_some(Reason::NeverUsed)
}
