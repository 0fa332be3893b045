//! Which events stand behind a metric (health-model §5, explain): those that its filters let through on the days it looks at.
//!
//! It follows the evaluator: the same windows, closed days left out alike, comparisons ending yesterday. What divides or is
//! compared has the events of all its parts. Of tickets, `first_reply_hours` and `resolution_hours` have the openings they
//! count and what can end a wait on the same days; `standing` has every event of the types that its state is made of.

use super::window::Window;
use crate::account_at::AccountAt;
use crate::calendar::{Calendar, Day};
use crate::event::{Actor, Event, Micros};
use crate::filter::{Field, FieldValue, Filter};
use crate::model::{Agg, HALF_LIVES_MAX, Model, Plain, PlainKind};
use crate::names::Names;
use crate::settings::Closed;
use crate::vocabulary::EventType;

/// The events behind one metric of one account at an instant.
#[derive(Clone)]
pub struct Evidence {
    parts: Vec<Part>,
    calendar: Calendar,
    closed: Closed,
    /// Not before this instant.
    from: Micros,
    /// Before this one.
    before: Micros,
}

/// The events of one filter on some days.
#[derive(Clone)]
struct Part {
    filter: Filter,
    carries: Carries,
    /// Ascending, none next to another.
    days: Vec<(Day, Day)>,
    skips_closed: bool,
}

/// What an event must carry besides passing the filter.
#[derive(Clone)]
enum Carries {
    Anything,
    /// A person's, with a user.
    Person,
    /// A person's, with or without one.
    ByPerson,
    /// A feature, of these where there are any; ascending.
    Feature(Vec<String>),
    /// A number in a field.
    Number(Field),
    /// A text, a number or a truth in a field.
    Value(Field),
}

/// The end of a window.
#[derive(Clone, Copy)]
struct Ending {
    day: Day,
    /// Under a comparison a part without a window begins with life.
    from_life: bool,
}

impl Evidence {
    /// What stands behind a metric of a model, by its place there, at the instant of an account. The model may be another
    /// than the one that the account was folded under.
    pub fn of(model: &Model, metric: usize, account_at: &AccountAt<'_>) -> Self {
        let mut looking = Looking { model, account_at, parts: Vec::new() };
        looking.look(metric, &[Ending { day: account_at.today, from_life: false }]);
        let calendar = account_at.context().plan.calendar.clone();
        let mut evidence = Self {
            parts: looking.parts,
            closed: account_at.closed().clone(),
            from: Micros::MIN,
            before: account_at.as_of,
            calendar,
        };
        // Most events of a long life lie outside, and need no more than two comparisons.
        if let Some((first, last)) = evidence.days() {
            evidence.from = first.map_or(Micros::MIN, |first| evidence.calendar.start(first));
            evidence.before = evidence.before.min(evidence.calendar.end(last));
        }
        evidence
    }

    /// Only those that happened at an instant or after it.
    pub fn since(self, from: Micros) -> Self {
        Self { from: self.from.max(from), ..self }
    }

    /// Whether no event can stand behind the metric: it is made of time and facts alone.
    pub fn is_of_no_event(&self) -> bool {
        self.parts.is_empty()
    }

    /// The first and the last day looked at; the first is `None` where everything seen counts. `None` where no day is looked
    /// at.
    pub fn days(&self) -> Option<(Option<Day>, Day)> {
        let ranges = || self.parts.iter().flat_map(|part| &part.days);
        let (first, last) =
            (ranges().map(|(first, _)| *first).min()?, ranges().map(|(_, last)| *last).max()?);
        let first = match self.from {
            Micros::MIN => first,
            from => first.max(self.calendar.day(from)),
        };
        Some((Some(first).filter(|first| *first > Day::MIN), last))
    }

    /// Whether an event of the account stands behind it.
    pub fn has(&self, names: &Names, event: &Event) -> bool {
        if event.occurred_at < self.from || event.occurred_at >= self.before || event.counts_nowhere() {
            return false;
        }
        let day = self.calendar.day(event.occurred_at);
        self.parts.iter().any(|part| {
            part.has_day(day)
                && !(part.skips_closed && self.closed.contains(day))
                && part.filter.passes(names, event)
                && part.carries.is_met_by(names, event)
        })
    }
}

impl Part {
    fn has_day(&self, day: Day) -> bool {
        let after = self.days.partition_point(|(first, _)| *first <= day);
        after > 0 && day <= self.days[after - 1].1
    }
}

impl Carries {
    fn of(kind: &PlainKind) -> Self {
        match kind {
            PlainKind::Count
            | PlainKind::FirstTime
            | PlainKind::LastTime
            | PlainKind::DaysSinceLast
            | PlainKind::DecayedSum(None, _)
            | PlainKind::FirstReplyHours
            | PlainKind::ResolutionHours => Self::Anything,
            PlainKind::ActiveUsers => Self::Person,
            PlainKind::ActiveDays => Self::ByPerson,
            PlainKind::FeaturesUsed { core } | PlainKind::FeaturesShare { core } => {
                Self::Feature(core.clone())
            }
            PlainKind::Last(field) => Self::Value(field.clone()),
            PlainKind::Sum(field)
            | PlainKind::Mean(field)
            | PlainKind::Quantile(field, _)
            | PlainKind::DecayedSum(Some(field), _)
            | PlainKind::DecayedMean(field, _) => Self::Number(field.clone()),
            PlainKind::Happiness => Self::Value(Field::Property("rating".into())),
        }
    }

    fn is_met_by(&self, names: &Names, event: &Event) -> bool {
        match self {
            Self::Anything => true,
            Self::Person => event.actor == Actor::Person && event.user.is_some(),
            Self::ByPerson => event.actor == Actor::Person,
            Self::Feature(core) => event.feature.is_some_and(|feature| {
                let name = names.text(feature);
                core.is_empty() || core.binary_search_by(|other| other.as_str().cmp(name)).is_ok()
            }),
            Self::Number(field) => field.of(names, event).and_then(FieldValue::number).is_some(),
            Self::Value(field) => match field.of(names, event) {
                Some(FieldValue::Other(value)) => matches!(value, crate::value::Value::Bool(_)),
                value => value.is_some(),
            },
        }
    }
}

/// Gathers what a metric and its parts look at.
struct Looking<'m, 'a> {
    model: &'m Model,
    account_at: &'m AccountAt<'a>,
    parts: Vec<Part>,
}

impl Looking<'_, '_> {
    fn look(&mut self, metric: usize, endings: &[Ending]) {
        let model = self.model;
        match &model.metrics[metric].agg {
            Agg::Plain(plain) => self.look_plain(plain, metric, endings),
            Agg::Share { window, .. } => {
                let days = endings.iter().map(|ending| {
                    let window = Window::plain(Some(*window), ending.day);
                    (window.first, window.last)
                });
                self.add(model.inputs_of(metric), &Carries::Anything, days.collect(), false);
            }
            Agg::Standing(_) => {
                let days = endings.iter().map(|ending| (Day::MIN, ending.day));
                self.add(model.inputs_of(metric), &Carries::Anything, days.collect(), false);
            }
            Agg::Ratio { a, b, .. } => {
                self.look(*a, endings);
                self.look(*b, endings);
            }
            Agg::PerSeat { a } => self.look(*a, endings),
            Agg::Change { a, window } => {
                let now = self.complete(0);
                let first = self.first_reached(*a, now);
                let first = first.unwrap_or_else(|| now.day.plus(1 - i64::from(*window)));
                self.look(*a, &[now, Ending { day: first.plus(-1), from_life: true }]);
            }
            Agg::AgainstOwn { a, weeks } => self.look_weekly(*a, 0..=i64::from(*weeks)),
            Agg::Slope { a, weeks } => self.look_weekly(*a, 0..=i64::from(*weeks) - 1),
        }
    }

    /// The windows that end yesterday, so many weeks before; of the past only those within life.
    fn look_weekly(&mut self, metric: usize, weeks: std::ops::RangeInclusive<i64>) {
        let life = self.account_at.first_day();
        let is_within_life = |ending: &Ending| match (life, self.first_reached(metric, *ending)) {
            (None, _) => false,
            (Some(life), Some(first)) => life <= first,
            (Some(life), None) => life <= ending.day,
        };
        let endings = weeks.map(|week| self.complete(7 * week));
        let endings: Vec<Ending> = endings
            .enumerate()
            .filter(|(week, at)| *week == 0 || is_within_life(at))
            .map(|(_, at)| at)
            .collect();
        self.look(metric, &endings);
    }

    /// The end of a complete day, so many days before yesterday.
    fn complete(&self, days: i64) -> Ending {
        Ending { day: self.account_at.today.plus(-1 - days), from_life: true }
    }

    fn look_plain(&mut self, plain: &Plain, metric: usize, endings: &[Ending]) {
        let days = endings.iter().filter_map(|ending| self.window(plain, *ending)).collect();
        let carries = Carries::of(&plain.kind);
        match plain.kind {
            PlainKind::FirstReplyHours | PlainKind::ResolutionHours => {
                let opened = plain.filter.clone().with_types(&[EventType::TicketOpened]);
                let ends_work = [EventType::TicketResolved, EventType::TicketClosed];
                let ends = match plain.kind {
                    PlainKind::ResolutionHours => Filter::of_types(&ends_work),
                    _ => Filter::of_types(&[EventType::TicketReplied, ends_work[0], ends_work[1]]),
                };
                self.add(vec![opened, ends], &carries, days, false);
            }
            _ => self.add(self.model.inputs_of(metric), &carries, days, plain.skip_closed),
        }
    }

    /// The first and the last day, as the evaluator has them; `None` where too few open days are left.
    fn window(&self, plain: &Plain, ending: Ending) -> Option<(Day, Day)> {
        let day = ending.day;
        let window = match plain.window {
            Some(days) if plain.skip_closed => Window::skipping(days, day, self.account_at.closed())?,
            None if ending.from_life => Window::from(self.account_at.first_day().unwrap_or(day.plus(1)), day),
            days => Window::plain(days, day),
        };
        let oldest = match plain.kind {
            PlainKind::DecayedSum(_, half_life) | PlainKind::DecayedMean(_, half_life) => {
                day.plus(-((HALF_LIVES_MAX * half_life).floor() as i64))
            }
            _ => Day::MIN,
        };
        Some((window.first.max(oldest), window.last))
    }

    /// The first day that a part with a window reached.
    fn first_reached(&self, metric: usize, ending: Ending) -> Option<Day> {
        match &self.model.metrics[metric].agg {
            Agg::Plain(plain) if plain.window.is_none() => None,
            Agg::Plain(plain) => Some(self.window(plain, ending).map_or(ending.day, |(first, _)| first)),
            Agg::Share { window, .. } => Some(Window::plain(Some(*window), ending.day).first),
            Agg::Ratio { a, b, .. } => {
                let (a, b) = (self.first_reached(*a, ending), self.first_reached(*b, ending));
                a.into_iter().chain(b).min()
            }
            Agg::PerSeat { a } => self.first_reached(*a, ending),
            Agg::Standing(_) | Agg::Change { .. } | Agg::AgainstOwn { .. } | Agg::Slope { .. } => None,
        }
    }

    fn add(&mut self, filters: Vec<Filter>, carries: &Carries, days: Vec<(Day, Day)>, skips_closed: bool) {
        let days = joined(days);
        let part = |filter| Part { filter, carries: carries.clone(), days: days.clone(), skips_closed };
        self.parts.extend(filters.into_iter().map(part));
    }
}

/// Ranges of days in order, those that touch or overlap as one.
fn joined(mut days: Vec<(Day, Day)>) -> Vec<(Day, Day)> {
    days.retain(|(first, last)| first <= last);
    days.sort_unstable();
    let mut joined: Vec<(Day, Day)> = Vec::with_capacity(days.len());
    for (first, last) in days {
        match joined.last_mut() {
            Some(before) if first <= before.1.plus(1) => before.1 = before.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one() {
        let ranges = |days: &[(i32, i32)]| days.iter().map(|(a, b)| (Day(*a), Day(*b))).collect::<Vec<_>>();
        assert_eq!(joined(ranges(&[(8, 10), (1, 3), (4, 5), (9, 12), (7, 6)])), ranges(&[(1, 5), (8, 12)]));
    }
}
