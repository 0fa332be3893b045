//! Figures of one filter, day by day: what plain aggregations are computed from.
//!
//! A series never depends on the order of arrival: its cells are counts, exact sums, sets and extremes.

use std::cmp::Ordering;

use crate::activity::Activity;
use crate::calendar::Day;
use crate::days::{Cell, Days, Slot};
use crate::decimal::{EXACT_DIGITS, QUANTITY_DIGITS};
use crate::event::{Actor, Event, Micros};
use crate::filter::{Field, FieldValue};
use crate::names::{Names, Symbol};
use crate::planted;
use crate::timeline::Order;
use crate::value::Value;

/// An exact sum, in the field's smallest unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sum {
    /// In units of 10^-[`digits`].
    pub total: i128,
    /// Values that were added up.
    pub count: u64,
}

impl Cell for Sum {
    fn merge(&mut self, _: &Names, other: &Self) {
        self.total = planted::sum(self.total, other.total);
        self.count += other.count;
    }
}

/// The first and the last instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The earliest event; after [`Span::last`] when there is none.
    pub first: Micros,
    /// The newest event; before [`Span::first`] when there is none.
    pub last: Micros,
}

impl Default for Span {
    fn default() -> Self {
        Self { first: Micros::MAX, last: Micros::MIN }
    }
}

impl Cell for Span {
    fn merge(&mut self, _: &Names, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// The value that is greatest by (occurred_at, source, id), if there is one.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Newest(pub Option<(Order, Value)>);

impl Newest {
    fn offer(&mut self, names: &Names, order: Order, value: Value) {
        match &self.0 {
            Some((newest, _)) if newest.cmp(&order, names) == Ordering::Greater => {}
            _ => self.0 = Some((order, value)),
        }
    }
}

impl Cell for Newest {
    fn merge(&mut self, names: &Names, other: &Self) {
        if let Some((order, value)) = &other.0 {
            self.offer(names, order.clone(), value.clone());
        }
    }
}

/// Every value, ascending, in units of 10^-[`digits`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Figures(pub Vec<i128>);

impl Cell for Figures {
    fn merge(&mut self, _: &Names, other: &Self) {
        self.0.extend_from_slice(&other.0);
        self.0.sort_unstable();
    }
}

/// One answer of a survey.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// The place of its event.
    pub order: Order,
    /// Who answered; one without a user stands for itself.
    pub user: Option<Symbol>,
    /// `properties.survey`: answers to different surveys do not replace each other.
    pub survey: Option<Value>,
    /// In units of 10^-[`digits`].
    pub value: i128,
}

/// The answers of a day, in order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answers(pub Vec<Answer>);

impl Answers {
    fn insert(&mut self, names: &Names, answer: Answer) {
        let at = self.0.partition_point(|other| other.order.cmp(&answer.order, names) == Ordering::Less);
        self.0.insert(at, answer);
    }
}

impl Cell for Answers {
    fn merge(&mut self, names: &Names, other: &Self) {
        for answer in &other.0 {
            self.insert(names, answer.clone());
        }
    }
}

/// Which sets a series of activity keeps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Wanted {
    /// Whether it keeps which persons were active.
    pub people: bool,
    /// Whether it keeps which features were used.
    pub features: bool,
}

impl std::ops::BitOrAssign for Wanted {
    fn bitor_assign(&mut self, other: Self) {
        self.people |= other.people;
        self.features |= other.features;
    }
}

/// The numbers of an event's user and feature in the rosters of its account, where they are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Numbers {
    /// The number of its user among the people of the account.
    pub user: Option<u32>,
    /// The number of its feature among the features of the account.
    pub feature: Option<u32>,
}

/// What is kept of the events that pass a filter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Need {
    /// How many, on which days, and where wanted by whom and with what.
    Activity(Wanted),
    /// The exact sum and number of a field's values.
    Sum(Field),
    /// The first and the last instant.
    Times,
    /// The newest value of a field.
    Last(Field),
    /// All values of a field.
    Figures(Field),
    /// All values of a field with who gave them.
    Answers(Field),
}

/// One series of an account.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "one variant for each Need, of the same name")]
pub enum Series {
    Activity(Days<Activity>),
    Sum(Days<Sum>),
    Times(Days<Span>),
    Last(Days<Newest>),
    Figures(Days<Figures>),
    Answers(Days<Answers>),
}

/// Decimal places of the unit in which a field's values are summed.
pub fn digits(field: &Field) -> u32 {
    match field {
        Field::Quantity => QUANTITY_DIGITS,
        Field::Amount => 0,
        _ => EXACT_DIGITS,
    }
}

/// The field's value in units of 10^-[`digits`], when it is present and numeric.
pub fn exact(field: &Field, names: &Names, event: &Event) -> Option<i128> {
    match field {
        Field::Quantity => event.quantity_or_default().map(i128::from),
        Field::Amount => event.amount.map(|amount| i128::from(amount.minor)),
        _ => field.of(names, event)?.number()?.to_exact(),
    }
}

impl Series {
    /// A series of the kind that keeps this, with nothing in it.
    pub fn new(need: &Need) -> Self {
        match need {
            Need::Activity(_) => Self::Activity(Days::default()),
            Need::Sum(_) => Self::Sum(Days::default()),
            Need::Times => Self::Times(Days::default()),
            Need::Last(_) => Self::Last(Days::default()),
            Need::Figures(_) => Self::Figures(Days::default()),
            Need::Answers(_) => Self::Answers(Days::default()),
        }
    }

    /// Adds an event that passed the filter, to its slot or (`None`) to what is older than the days kept.
    pub fn add(&mut self, need: &Need, names: &Names, event: &Event, slot: Option<Slot>, numbers: Numbers) {
        fn at<C: Cell>(days: &mut Days<C>, slot: Option<Slot>) -> &mut C {
            match slot {
                Some(slot) => days.cell(slot),
                None => days.older_cell(),
            }
        }
        match (self, need) {
            (Self::Activity(days), Need::Activity(wanted)) => {
                let activity = at(days, slot);
                activity.events += 1;
                if event.actor == Actor::Person {
                    activity.note_person(numbers.user.filter(|_| wanted.people));
                }
                if let Some(feature) = numbers.feature.filter(|_| wanted.features) {
                    activity.note_feature(feature);
                }
            }
            (Self::Sum(days), Need::Sum(field)) => {
                if let Some(value) = exact(field, names, event) {
                    at(days, slot).merge(names, &Sum { total: value, count: 1 });
                }
            }
            (Self::Times(days), _) => {
                at(days, slot).merge(names, &Span { first: event.occurred_at, last: event.occurred_at });
            }
            (Self::Last(days), Need::Last(field)) => {
                if let Some(value) = field.of(names, event).and_then(owned) {
                    at(days, slot).offer(names, Order::of(event), value);
                }
            }
            (Self::Figures(days), Need::Figures(field)) => {
                if let Some(value) = exact(field, names, event) {
                    let figures = &mut at(days, slot).0;
                    figures.insert(figures.partition_point(|other| *other < value), value);
                }
            }
            (Self::Answers(days), Need::Answers(field)) => {
                if let Some(value) = exact(field, names, event) {
                    let survey =
                        event.property_named(names, "survey").filter(|survey| **survey != Value::Null);
                    let answer =
                        Answer { order: Order::of(event), user: event.user, survey: survey.cloned(), value };
                    at(days, slot).insert(names, answer);
                }
            }
            (_, need) => unreachable!("a series is made for its need, {need:?}"),
        }
    }

    /// Reads the head of its days: see [`crate::account::Account::touch`].
    pub(crate) fn touch(&self) -> usize {
        match self {
            Self::Activity(days) => days.touch(),
            Self::Sum(days) => days.touch(),
            _ => 0,
        }
    }

    /// A person is not kept any more.
    pub(crate) fn forget_person(&mut self, number: u32) {
        if let Self::Activity(days) = self {
            days.for_each(|activity| activity.forget_person(number));
        }
    }

    /// A feature is not kept any more.
    pub(crate) fn forget_feature(&mut self, number: u32) {
        if let Self::Activity(days) = self {
            days.for_each(|activity| activity.forget_feature(number));
        }
    }

    /// Moves days before `first` into the older cell.
    pub fn trim(&mut self, names: &Names, first: Day) {
        match self {
            Self::Activity(days) => days.trim(names, first),
            Self::Sum(days) => days.trim(names, first),
            Self::Times(days) => days.trim(names, first),
            Self::Last(days) => days.trim(names, first),
            Self::Figures(days) => days.trim(names, first),
            Self::Answers(days) => days.trim(names, first),
        }
    }
}

/// A value that `last` can bring; lists and objects are none.
fn owned(value: FieldValue<'_>) -> Option<Value> {
    match value {
        FieldValue::Text(text) => Some(Value::Text(text.into())),
        FieldValue::Number(number) => Some(Value::Number(number)),
        FieldValue::Other(Value::Bool(truth)) => Some(Value::Bool(*truth)),
        FieldValue::Other(_) => None,
    }
}
