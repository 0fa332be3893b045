//! What a measure is worth at an instant: its metric made into points, or what stands in for it (health-model §5).

use super::Inexact;
use crate::account_at::AccountAt;
use crate::calendar::Day;
use crate::model::measure::{Measure, Missing};
use crate::model::{Agg, HALF_LIVES_MAX};
use crate::scalar::Scalar;
use crate::series::Series;

/// What is neither good nor bad.
const NEUTRAL_POINTS: f64 = 50.0;

/// A measure at an instant.
#[derive(Clone, PartialEq, Debug)]
pub struct Measured {
    /// Index of the metric in the model: the first attempt with a number, else the first.
    pub metric: usize,
    /// Its value.
    pub value: Option<Scalar>,
    /// Whether it was measured: it has a number, and its input is not too old.
    pub present: bool,
    /// Whether its newest input event is too old, or there was never any.
    pub stale: bool,
    /// From 0 to 100, measured or filled in; `None`: it is not used.
    pub points: Option<f64>,
    /// What is divided by seats, and the seats, where the metric is a figure per seat: people read "14 of 60 seats".
    pub of_seats: Option<(f64, f64)>,
}

/// Measures one measure of the model, by its place there.
///
/// # Errors
/// When memory does not reach back far enough.
pub(super) fn measure(
    account_at: &AccountAt<'_>,
    measure: &Measure,
    index: usize,
) -> Result<Measured, Inexact> {
    let measured = as_found(account_at, measure, index)?;
    if measured.present {
        return Ok(measured);
    }
    let points = match measure.missing {
        Missing::Exclude => None,
        Missing::Neutral => Some(NEUTRAL_POINTS),
        Missing::Worst => Some(0.0),
        Missing::Last { half_life_days } => last_known(account_at, measure, index, half_life_days)?,
    };
    Ok(Measured { points, ..measured })
}

/// The measure without anything that stands in for it.
fn as_found(account_at: &AccountAt<'_>, measure: &Measure, index: usize) -> Result<Measured, Inexact> {
    if !account_at.is_exact(account_at.context().plan.measure_lookback_days(index)) {
        return Err(Inexact);
    }
    let number = |metric: usize| account_at.metric(metric).and_then(Scalar::number);
    let chosen = measure.attempts.iter().position(|attempt| number(attempt.metric).is_some()).unwrap_or(0);
    let attempt = &measure.attempts[chosen];
    let stale = is_stale(account_at, index, chosen);
    let points = number(attempt.metric).filter(|_| !stale).map(|value| attempt.curve.points(value));
    Ok(Measured {
        metric: attempt.metric,
        value: account_at.metric(attempt.metric).cloned(),
        present: points.is_some(),
        stale,
        points,
        of_seats: of_seats(account_at, attempt.metric),
    })
}

/// What a figure per seat is made of, at the instant itself.
fn of_seats(account_at: &AccountAt<'_>, metric: usize) -> Option<(f64, f64)> {
    match account_at.context().plan.model.metrics[metric].agg {
        Agg::PerSeat { a } => Some((account_at.metric(a)?.number()?, account_at.seats()?.to_f64())),
        _ => None,
    }
}

/// Whether the newest input event of an attempt is older than the measure allows, or was never seen.
fn is_stale(account_at: &AccountAt<'_>, measure: usize, attempt: usize) -> bool {
    let Some(times) = account_at.context().plan.input_times(measure) else { return false };
    let series = &times.by_attempt[attempt];
    // Nothing feeds what is asked for: it cannot grow old.
    if series.is_empty() {
        return false;
    }
    let newest = series.iter().filter_map(|series| newest_day(account_at, *series)).max();
    newest.is_none_or(|day| account_at.today.since(day) > i64::from(times.max_age_days))
}

/// The day of the newest event of a series of times.
fn newest_day(account_at: &AccountAt<'_>, series: usize) -> Option<Day> {
    let plan = account_at.context().plan;
    let last = plan.last_slot(account_at.as_of);
    let newest_of = |series: &Series| {
        let Series::Times(days) = series else { unreachable!("the plan keeps times of input events") };
        let kept = days.between(Day::MIN, last).last().map(|(_, span)| span.last);
        kept.or_else(|| days.older().map(|span| span.last))
    };
    let members = account_at.members().iter();
    members.filter_map(|member| newest_of(member.series(series)?)).max().map(|at| plan.calendar.day(at))
}

/// The points at the end of the newest earlier day at which it was present, fading to neutral:
/// 50 + (p − 50)·2^(−age/half-life).
fn last_known(
    account_at: &AccountAt<'_>,
    measure: &Measure,
    index: usize,
    half_life_days: f64,
) -> Result<Option<f64>, Inexact> {
    let context = account_at.context();
    // Before the first event of all nothing was measured.
    let Some(first) = context.tenant.oldest_at.map(|at| context.plan.calendar.day(at)) else {
        return Ok(None);
    };
    let age_days_max = (HALF_LIVES_MAX * half_life_days).floor() as i64;
    for age_days in 1..=age_days_max {
        let day = account_at.today.plus(-age_days);
        if day < first {
            break;
        }
        let then = as_found(&account_at.at_end_of(day), measure, index)?;
        if let Some(points) = then.points {
            let faded = libm::exp2(-(age_days as f64) / half_life_days);
            return Ok(Some(NEUTRAL_POINTS + (points - NEUTRAL_POINTS) * faded));
        }
    }
    Ok(None)
}
