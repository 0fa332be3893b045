//! The daily activity of an account, as the drop detector reads it.

use crate::account_at::AccountAt;
use crate::calendar::Day;
use crate::days::Slot;
use crate::decimal::QUANTITY_DIGITS;
use crate::event::Micros;
use crate::series::Series;
use crate::value::Value;

/// Units of a quantity in one.
const ONE: f64 = 10_u64.pow(QUANTITY_DIGITS) as f64;
/// An account that never said when it went live lives from this day on, its first use being day 0 (alerts §3).
const LIVE_AFTER_DAYS: i64 = 60;
const MILESTONE_LIVE: &str = "live";
const STAGE: &str = "stage";
const STAGE_ONBOARDING: &str = "onboarding";

/// Adds up what a series of quantities holds on some days that end with `last`, over all accounts that count together. Less than
/// nothing (a correction) counts as nothing.
pub fn counts<const DAYS: usize>(account_at: &AccountAt<'_>, series: usize, last: Day) -> [f64; DAYS] {
    let first = last.plus(1 - DAYS as i64);
    let mut totals = [0_i128; DAYS];
    for member in account_at.members() {
        if let Some(Series::Sum(days)) = member.series(series) {
            for (slot, sum) in days.between(first, Slot::end_of(last)) {
                totals[slot.day.since(first) as usize] += sum.total;
            }
        }
    }
    totals.map(|total| (total as f64 / ONE).max(0.0))
}

/// The first day on which the product was used, over all accounts that count together.
pub fn first_use(account_at: &AccountAt<'_>) -> Option<Day> {
    let calendar = &account_at.context().plan.calendar;
    let first = account_at.members().iter().filter_map(|member| member.first_use_at).min()?;
    Some(calendar.day(first)).filter(|day| *day <= account_at.today)
}

/// The day from which the detector counts an account's age: the earliest of its going live, the end of its onboarding and 60
/// days after its first use, but never before that use.
pub fn live_from(account_at: &AccountAt<'_>) -> Option<Day> {
    let first = first_use(account_at)?;
    let calendar = &account_at.context().plan.calendar;
    let before = |at: &Micros| *at < account_at.as_of;
    let reached = account_at.members().iter().filter_map(|member| {
        let (_, seen) = member.milestones.iter().find(|(name, _)| name.as_ref() == MILESTONE_LIVE)?;
        Some(seen.first_at).filter(before)
    });
    let live = reached.chain(onboarded_at(account_at).filter(before)).min().map(|at| calendar.day(at));
    let latest = first.plus(LIVE_AFTER_DAYS);
    Some(live.map_or(latest, |live| live.min(latest)).max(first))
}

/// When the stage `onboarding` ended.
fn onboarded_at(account_at: &AccountAt<'_>) -> Option<Micros> {
    let names = account_at.context().names;
    let stages = account_at.own()?.fact_history(names, STAGE)?.all();
    let is_onboarding = |stage: &Value| stage.as_text() == Some(STAGE_ONBOARDING);
    let ended = stages.windows(2).find(|pair| is_onboarding(&pair[0].1) && !is_onboarding(&pair[1].1))?;
    Some(ended[1].0.at)
}
