//! Health day by day: what one day takes over from those before it is the band, and what a pause freezes (health-model §2, §6).

use super::standing::{Standing, beside_a_score, is_paused, standing};
use super::{Band, Figures, Health, Inexact, Reason, State, band};
use crate::account_at::AccountAt;
use crate::calendar::Day;
use crate::context::Context;
use crate::names::Symbol;

/// A walk over instants of one account in rising order. What a step needs of the days before it is looked up once, and
/// taken over from the step before where that was the day end before.
#[derive(Default)]
pub struct Walk {
    /// What is remembered at the end of a day.
    kept: Option<Memory>,
}

/// What a day end hands on.
#[derive(Clone, Copy)]
struct Memory {
    /// The account that answered: a merged one hands nothing on to its survivor, which has day ends of its own.
    account: Symbol,
    day: Day,
    /// The band of the newest scored day.
    held: Option<usize>,
}

impl Walk {
    /// A walk that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// The health at an instant.
    ///
    /// # Errors
    /// When memory does not hold all that the answer depends on.
    pub fn step(&mut self, account_at: &AccountAt<'_>) -> Result<Health, Inexact> {
        let provisional = account_at.context().plan.calendar.end(account_at.today) != account_at.as_of;
        let answer = |state, reason, band, figures| Health {
            account: account_at.survivor,
            as_of: account_at.as_of,
            state,
            reason,
            status: account_at.since().status,
            band,
            provisional,
            figures,
        };
        let unknown = |reason, figures| answer(State::Unknown, Some(reason), Band::Unknown, figures);
        let health = match standing(account_at)? {
            Standing::NoModel => answer(State::NoModel, None, Band::Unknown, None),
            Standing::Excluded(reason) => answer(State::StatusExcluded, Some(reason), Band::Excluded, None),
            Standing::NoLife => unknown(Reason::NoLife, None),
            Standing::TooLittle(figures) => unknown(Reason::Coverage, Some(figures)),
            Standing::Paused => match before_pause(account_at)? {
                Some((band, figures)) => {
                    answer(State::Frozen, Some(Reason::Paused), Band::Of(band), Some(figures))
                }
                None => unknown(Reason::Paused, None),
            },
            Standing::Scored(figures) => {
                let band = self.band(account_at, &figures)?;
                let state = if account_at.catching_up { State::CatchingUp } else { State::Scored };
                answer(state, beside_a_score(account_at), Band::Of(band), Some(figures))
            }
        };
        if !provisional {
            let held = match (health.state, health.band) {
                (State::Scored | State::CatchingUp, Band::Of(band)) => Some(Some(band)),
                // What has no score leaves the remembered band alone.
                _ => self.remembered(account_at, account_at.today.plus(-1)).map(|memory| memory.held),
            };
            self.kept = held.map(|held| Memory { account: account_at.survivor, day: account_at.today, held });
        }
        Ok(health)
    }

    /// What a day end of the same account handed on, if this walk was there last.
    fn remembered(&self, account_at: &AccountAt<'_>, day: Day) -> Option<Memory> {
        self.kept.filter(|kept| kept.day == day && kept.account == account_at.survivor)
    }

    /// The band of a scored instant: one step from the day end before, which is looked up as far back as the margin leaves it
    /// open.
    fn band(&self, account_at: &AccountAt<'_>, figures: &Figures) -> Result<usize, Inexact> {
        let scoring = account_at.context().plan.model.scoring.as_ref().expect("it was scored");
        let score = figures.weighed.score.expect("it was scored");
        if band::is_certain(scoring, score) {
            return Ok(band::next(scoring, None, score));
        }
        let mut open = vec![score];
        let mut held = None;
        let mut day = account_at.today.plus(-1);
        while account_at.first_day().is_some_and(|first| first <= day) {
            if let Some(memory) = self.remembered(account_at, day) {
                held = memory.held;
                break;
            }
            if let Standing::Scored(figures) = standing(&account_at.at_end_of(day))? {
                let score = figures.weighed.score.expect("it was scored");
                if band::is_certain(scoring, score) {
                    held = Some(band::next(scoring, None, score));
                    break;
                }
                open.push(score);
            }
            day = day.plus(-1);
        }
        for score in open.into_iter().rev() {
            held = Some(band::next(scoring, held, score));
        }
        Ok(held.expect("the instant itself is scored"))
    }
}

/// The instant whose figures the health of an account has: its own; of a paused one the newest day end at which it was not
/// paused. `None` where there was none.
///
/// # Errors
/// When memory does not hold all that the answer depends on.
pub fn judged_at<'a>(account_at: &AccountAt<'a>) -> Result<Option<AccountAt<'a>>, Inexact> {
    if account_at.is_past_a_bound() {
        return Err(Inexact);
    }
    if is_paused(account_at) {
        return last_before_pause(account_at);
    }
    let AccountAt { context, survivor, as_of, .. } = *account_at;
    Ok(Some(AccountAt::new(context, survivor, as_of)))
}

/// The newest day end at which a paused account was not paused.
fn last_before_pause<'a>(account_at: &AccountAt<'a>) -> Result<Option<AccountAt<'a>>, Inexact> {
    let calendar = &account_at.context().plan.calendar;
    let oldest = account_at.members().iter().map(|member| member.oldest_at).min();
    let Some(first) = oldest.map(|at| calendar.day(at)) else { return Ok(None) };
    let mut day = account_at.today.plus(-1);
    while first <= day {
        let then = account_at.at_end_of(day);
        if then.is_past_a_bound() {
            return Err(Inexact);
        }
        if !is_paused(&then) {
            return Ok(Some(then));
        }
        day = day.plus(-1);
    }
    Ok(None)
}

/// Band and figures of the newest day end at which a paused account was not paused, if it had a score there.
fn before_pause(account_at: &AccountAt<'_>) -> Result<Option<(usize, Figures)>, Inexact> {
    let Some(then) = last_before_pause(account_at)? else { return Ok(None) };
    Ok(match standing(&then)? {
        Standing::Scored(figures) => {
            let band = Walk::new().band(&then, &figures)?;
            Some((band, figures))
        }
        _ => None,
    })
}

/// Health at the ends of days from one to another, both included, of every day of life.
///
/// # Errors
/// When memory does not hold all that the answer depends on.
pub fn history(
    context: Context<'_>,
    account: Symbol,
    from: Day,
    to: Day,
    mut each: impl FnMut(Day, Health),
) -> Result<(), Inexact> {
    let mut walk = Walk::new();
    let mut day = from;
    while day <= to {
        let account_at = AccountAt::new(context, account, context.plan.calendar.end(day));
        if account_at.first_day().is_some() {
            each(day, walk.step(&account_at)?);
        }
        day = day.plus(1);
    }
    Ok(())
}
