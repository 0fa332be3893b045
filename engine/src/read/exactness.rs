//! Decides which questions memory answers exactly; all others are answered from the log.
//!
//! An account in memory keeps its days one by one over the hot horizon and nothing of what lies within a day. So it is
//! exact at ends of days, and at any instant after the account's newest event, as long as no metric looks back past the
//! horizon and no bound was passed.

use tidewatch_projections::account::Account;
use tidewatch_projections::event::Micros;
use tidewatch_projections::metric::{Scalar, evaluate_some};
use tidewatch_projections::model::{Agg, Model, Plain, PlainKind};
use tidewatch_projections::names::Symbol;
use tidewatch_projections::plan::Plan;

use crate::fold::view::View;
use crate::read::scan;

/// The most days before `today` at which any of these metrics looks, given by their places in the model.
pub fn lookback_days(model: &Model, metrics: &[usize]) -> i64 {
    metrics.iter().map(|index| lookback(model, *index)).max().unwrap_or(0)
}

fn lookback(model: &Model, index: usize) -> i64 {
    match &model.metrics[index].agg {
        Agg::Plain(plain) => plain_lookback(plain),
        Agg::Share { window, .. } => i64::from(*window),
        Agg::Standing(_) => 0,
        Agg::Ratio { a, b, .. } => lookback(model, *a).max(lookback(model, *b)),
        Agg::PerSeat { a } => lookback(model, *a),
        // Yesterday and before; both windows may reach back over as many closed days again.
        Agg::Change { window, .. } => 4 * i64::from(*window) + 1,
        Agg::AgainstOwn { a, weeks } | Agg::Slope { a, weeks } => {
            lookback(model, *a) + 7 * i64::from(*weeks) + 1
        }
    }
}

fn plain_lookback(plain: &Plain) -> i64 {
    /// Older values of a decayed sum are left out, in half-lives.
    const HALF_LIVES_MAX: f64 = 10.0;
    let days = match (plain.window, &plain.kind) {
        (Some(window), _) => i64::from(window),
        (None, PlainKind::DecayedSum(_, half_life) | PlainKind::DecayedMean(_, half_life)) => {
            (HALF_LIVES_MAX * half_life).min(f64::from(u32::MAX)) as i64
        }
        // Without a window everything seen counts, and what lies before the horizon is kept added up.
        (None, _) => 0,
    };
    if plain.skip_closed { 2 * days } else { days }
}

/// Whether the accounts that answer together are exact at an instant in memory.
pub fn is_exact(plan: &Plan, lookback_days: i64, members: &[&Account], as_of: Micros) -> bool {
    let Some(horizon_days) = plan.bounds.days_max else { return false };
    let today = plan.calendar.day(as_of - 1);
    let is_day_end = plan.calendar.end(today) == as_of;
    members.iter().all(|member| {
        let depth = member.newest_day().since(today).max(0) + lookback_days;
        let is_between_events = is_day_end || member.newest_at < as_of;
        is_between_events && depth < i64::from(horizon_days) && !member.past_a_bound()
    })
}

/// Some adopted metrics of an account at an instant, by their places in the model and in that order, if memory has all of
/// them exactly. The others may look further back than memory does.
pub fn metrics(
    view: &View,
    account: Symbol,
    as_of: Micros,
    metrics: &[usize],
) -> Option<Vec<Option<Scalar>>> {
    let members = view.members(account, as_of);
    let lookback_days = lookback_days(&view.plan.model, metrics);
    let exact = is_exact(&view.plan, lookback_days, &members, as_of);
    let survivor = view.tenant.merges.survivor(account, as_of);
    exact.then(|| {
        scan::with_members(view, survivor, as_of, |members| {
            evaluate_some(view.context(), members, as_of, metrics)
        })
    })
}
