//! Plain aggregations: figures of the events that pass one filter.

use std::collections::BTreeSet;

use super::window::Window;
use super::{Moment, Part, Scalar, scalar_of};
use crate::account::Account;
use crate::account_at::AccountAt;
use crate::activity::Activity;
use crate::calendar::Day;
use crate::days::{Cell, Days, Slot};
use crate::decimal::exact_to_f64;
use crate::filter::{Field, Filter};
use crate::model::{HALF_LIVES_MAX, Plain, PlainKind};
use crate::names::Symbol;
use crate::plan::Input;
use crate::series::{Answer, Newest, Series, Span, Sum, digits};
use crate::value::Value;

impl AccountAt<'_> {
    /// A plain metric at a moment.
    pub(super) fn plain(&self, plain: &Plain, input: Input, moment: Moment) -> Part {
        let window = match plain.window {
            Some(days) if plain.skip_closed => match Window::skipping(days, moment.day, self.closed()) {
                Some(window) => window,
                None => return Part { value: None, first: Some(moment.day) },
            },
            None if moment.from_life => {
                Window::from(self.first_day().unwrap_or(moment.day.plus(1)), moment.day)
            }
            days => Window::plain(days, moment.day),
        };
        let first = plain.window.map(|_| window.first);
        let users = plain.kind == PlainKind::ActiveUsers;
        let fed = self.fed(moment, users, |kind| plain.filter.can_match(self.context.names, kind));
        let value = match (fed, input) {
            (false, _) => None,
            (true, Input::Series(index)) => self.figure(&plain.kind, index, &window, moment),
            (true, Input::TicketBit(bit)) => self.tickets(&plain.kind, bit, &window, moment),
            (true, Input::None | Input::Pair(..)) => {
                unreachable!("a plain metric reads one series or tickets")
            }
        };
        Part { value, first }
    }

    /// Whether any matching type is fed at the end of the moment's day.
    pub(super) fn fed(
        &self,
        moment: Moment,
        users: bool,
        matches: impl Fn(crate::vocabulary::EventType) -> bool,
    ) -> bool {
        self.context.tenant.feed.any_fed(
            &self.plan().calendar,
            moment.day,
            users,
            self.sends_telemetry(moment.at),
            matches,
        )
    }

    /// Two independent counts over one window.
    pub(super) fn share(
        &self,
        above: (&Filter, usize),
        below: (&Filter, usize),
        window: u32,
        min: u64,
        moment: Moment,
    ) -> Part {
        let days = Window::plain(Some(window), moment.day);
        let count = |(filter, series): (&Filter, usize)| {
            let fed = self.fed(moment, false, |kind| filter.can_match(self.context.names, kind));
            fed.then(|| self.count(series, &days, moment.slot))
        };
        let value = match (count(above), count(below)) {
            (Some(a), Some(b)) if b >= min && b > 0 => Some(Scalar::Number(a as f64 / b as f64)),
            _ => None,
        };
        Part { value, first: Some(days.first) }
    }

    fn count(&self, series: usize, window: &Window<'_>, last: Slot) -> u64 {
        let mut total = 0;
        self.each_activity(series, |_, days| {
            cells(days, window, last, |_, activity| total += activity.events);
        });
        total
    }

    /// Calls `read` with one series of each member that has any of it.
    fn each(&self, index: usize, mut read: impl FnMut(&Series)) {
        self.members().iter().filter_map(|member| member.series(index)).for_each(&mut read);
    }

    /// Calls `read` with the days of activity of each member that has any.
    fn each_activity(&self, index: usize, mut read: impl FnMut(&Account, &Days<Activity>)) {
        for member in self.members() {
            match member.series(index) {
                Some(Series::Activity(days)) => read(member, days),
                Some(_) => unreachable!("the plan keeps activity here"),
                None => {}
            }
        }
    }

    fn figure(&self, kind: &PlainKind, index: usize, window: &Window<'_>, moment: Moment) -> Option<Scalar> {
        let last = moment.slot;
        match kind {
            PlainKind::Count => Some(Scalar::Integer(i128::from(self.count(index, window, last)))),
            PlainKind::Sum(field) => Some(match digits(field) {
                0 => Scalar::Integer(self.sum(index, window, last).total),
                digits => Scalar::Number(exact_to_f64(self.sum(index, window, last).total, digits)),
            }),
            PlainKind::Mean(field) => {
                let sum = self.sum(index, window, last);
                (sum.count > 0)
                    .then(|| Scalar::Number(exact_to_f64(sum.total, digits(field)) / sum.count as f64))
            }
            PlainKind::ActiveUsers => {
                let people = self.names_in(index, window, last, |account, active| {
                    active.people().map(|number| account.people.name(number)).collect()
                });
                Some(Scalar::Integer(people.len() as i128))
            }
            PlainKind::ActiveDays => {
                // Days rise within a member, so that only those of several members have to be put in order.
                let mut active: Vec<Day> = Vec::new();
                self.each_activity(index, |_, days| {
                    cells(days, window, last, |day, activity| {
                        if activity.by_anyone() && active.last() != Some(&day) {
                            active.push(day);
                        }
                    });
                });
                active.sort_unstable();
                active.dedup();
                Some(Scalar::Integer(active.len() as i128))
            }
            PlainKind::FeaturesUsed { core } => {
                Some(Scalar::Integer(self.features(index, window, last, core) as i128))
            }
            PlainKind::FeaturesShare { core } => (!core.is_empty())
                .then(|| Scalar::Number(self.features(index, window, last, core) as f64 / core.len() as f64)),
            PlainKind::FirstTime => {
                self.span(index, window, last).map(|span| Scalar::Integer(i128::from(span.first)))
            }
            PlainKind::LastTime => {
                self.span(index, window, last).map(|span| Scalar::Integer(i128::from(span.last)))
            }
            PlainKind::DaysSinceLast => self.span(index, window, last).map(|span| {
                Scalar::Integer(i128::from(moment.day.since(self.plan().calendar.day(span.last))))
            }),
            PlainKind::Last(_) => {
                let mut newest = Newest::default();
                self.each(index, |series| {
                    let Series::Last(days) = series else { unreachable!("the plan keeps the newest here") };
                    cells(days, window, last, |_, cell| newest.merge(self.context.names, cell));
                });
                newest.0.and_then(|(_, value)| scalar_of(&value))
            }
            PlainKind::Quantile(field, q) => {
                let mut numbers = Vec::new();
                self.each(index, |series| {
                    let Series::Figures(days) = series else { unreachable!("the plan keeps figures here") };
                    cells(days, window, last, |_, cell| numbers.extend_from_slice(&cell.0));
                });
                numbers.sort_unstable();
                let exact: Vec<f64> = numbers.iter().map(|n| exact_to_f64(*n, digits(field))).collect();
                quantile(&exact, *q).map(Scalar::Number)
            }
            PlainKind::DecayedSum(field, half_life) => {
                Some(Scalar::Number(self.decayed_sum(field.as_ref(), *half_life, index, window, moment)))
            }
            PlainKind::DecayedMean(field, half_life) => {
                self.decayed_mean(field, *half_life, index, window, moment).map(Scalar::Number)
            }
            PlainKind::Happiness | PlainKind::FirstReplyHours | PlainKind::ResolutionHours => {
                unreachable!("tickets have no series")
            }
        }
    }

    fn sum(&self, index: usize, window: &Window<'_>, last: Slot) -> Sum {
        let mut sum = Sum::default();
        self.each(index, |series| {
            let Series::Sum(days) = series else { unreachable!("the plan keeps sums here") };
            cells(days, window, last, |_, cell| sum.merge(self.context.names, cell));
        });
        sum
    }

    /// The names, each once, that `of` finds in the activity of a window.
    fn names_in(
        &self,
        index: usize,
        window: &Window<'_>,
        last: Slot,
        of: impl Fn(&Account, &Activity) -> Vec<Symbol>,
    ) -> Vec<Symbol> {
        let mut found = Vec::new();
        self.each_activity(index, |account, days| {
            let mut all = Activity::default();
            cells(days, window, last, |_, activity| all.merge(self.context.names, activity));
            found.extend(of(account, &all));
        });
        found.sort_unstable();
        found.dedup();
        found
    }

    fn features(&self, index: usize, window: &Window<'_>, last: Slot, core: &[String]) -> usize {
        let used = self.names_in(index, window, last, |account, active| {
            active.features().map(|number| account.features.name(number)).collect()
        });
        let is_core = |feature: &&Symbol| {
            let name = self.context.names.text(**feature);
            core.binary_search_by(|other| other.as_str().cmp(name)).is_ok()
        };
        if core.is_empty() { used.len() } else { used.iter().filter(is_core).count() }
    }

    fn span(&self, index: usize, window: &Window<'_>, last: Slot) -> Option<Span> {
        let mut span = Span::default();
        self.each(index, |series| {
            let Series::Times(days) = series else { unreachable!("the plan keeps times here") };
            cells(days, window, last, |_, cell| span.merge(self.context.names, cell));
        });
        (span.first <= span.last).then_some(span)
    }

    /// Σ v·2^(−age/hl), days ascending, from exact sums of each day.
    fn decayed_sum(
        &self,
        field: Option<&Field>,
        half_life: f64,
        index: usize,
        window: &Window<'_>,
        moment: Moment,
    ) -> f64 {
        let window = aged(window, half_life, moment.day);
        let mut by_day: std::collections::BTreeMap<Day, i128> = std::collections::BTreeMap::new();
        self.each(index, |series| match series {
            Series::Activity(days) => {
                cells(days, &window, moment.slot, |day, activity| {
                    *by_day.entry(day).or_default() += i128::from(activity.events)
                });
            }
            Series::Sum(days) => {
                cells(days, &window, moment.slot, |day, sum| *by_day.entry(day).or_default() += sum.total);
            }
            _ => unreachable!("the plan keeps activity or sums here"),
        });
        let digits = field.map_or(0, digits);
        by_day
            .iter()
            .map(|(day, total)| exact_to_f64(*total, digits) * decay(*day, half_life, moment.day))
            .sum()
    }

    /// Σ v·2^(−age/hl) / Σ 2^(−age/hl) over the newest answer of each (user, survey).
    fn decayed_mean(
        &self,
        field: &Field,
        half_life: f64,
        index: usize,
        window: &Window<'_>,
        moment: Moment,
    ) -> Option<f64> {
        let window = aged(window, half_life, moment.day);
        let mut answers: Vec<(Day, &Answer)> = Vec::new();
        for member in self.members() {
            let Some(series) = member.series(index) else { continue };
            let Series::Answers(days) = series else { unreachable!("the plan keeps answers here") };
            for (slot, cell) in days.between(window.first, moment.slot) {
                answers.extend(cell.0.iter().map(|answer| (slot.day, answer)));
            }
        }
        answers.sort_by(|a, b| a.1.order.cmp(&b.1.order, self.context.names));
        let mut newest: Vec<(Day, &Answer)> = Vec::new();
        let mut known: BTreeSet<(Symbol, Option<String>)> = BTreeSet::new();
        for (day, answer) in answers.into_iter().rev() {
            if let Some(user) = answer.user {
                let key = (user, answer.survey.as_ref().map(Value::to_json));
                if !known.insert(key) {
                    continue;
                }
            }
            newest.push((day, answer));
        }
        let mut weighted = 0.0;
        let mut weights = 0.0;
        for (day, answer) in newest.into_iter().rev() {
            let weight = decay(day, half_life, moment.day);
            weighted += exact_to_f64(answer.value, digits(field)) * weight;
            weights += weight;
        }
        (weights > 0.0).then(|| weighted / weights)
    }
}

/// 2^(−age/hl), from one implementation in Rust so that bits agree on all targets.
fn decay(day: Day, half_life: f64, today: Day) -> f64 {
    libm::exp2(-(today.since(day) as f64) / half_life)
}

/// The part of a window within the greatest age that counts.
fn aged<'a>(window: &Window<'a>, half_life: f64, today: Day) -> Window<'a> {
    let age_days_max = (HALF_LIVES_MAX * half_life).floor() as i64;
    let oldest = today.plus(-age_days_max);
    Window::from(window.first.max(oldest), window.last)
}

/// Calls `read` with the cells of a window, oldest first, what is older than the days kept included.
fn cells<C: Cell>(days: &Days<C>, window: &Window<'_>, last: Slot, mut read: impl FnMut(Day, &C)) {
    if window.first == Day::MIN
        && let Some(older) = days.older()
    {
        read(Day::MIN, older);
    }
    for (slot, cell) in days.between(window.first, last) {
        if window.counts(slot.day) {
            read(slot.day, cell);
        }
    }
}

/// The quantile of ascending values: h = (n−1)q, x⌊h⌋ + (h−⌊h⌋)(x⌊h⌋₊₁ − x⌊h⌋); `None` of nothing.
pub(super) fn quantile(ascending: &[f64], q: f64) -> Option<f64> {
    let h = ascending.len().checked_sub(1)? as f64 * q;
    let below = h.floor() as usize;
    let above = (below + 1).min(ascending.len() - 1);
    Some(ascending[below] + (h - h.floor()) * (ascending[above] - ascending[below]))
}
