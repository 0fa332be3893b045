//! What a metric is worth at an instant: one evaluator for the live answer and for every past one (health-model §4).

mod compare;
pub mod evidence;
mod plain;
mod standing;
mod tickets;
mod window;

use std::cell::OnceCell;

use crate::account_at::AccountAt;
use crate::calendar::Day;
use crate::days::Slot;
use crate::event::Micros;
use crate::model::Agg;
use crate::plan::{Input, Plan};
use crate::scalar::Scalar;
use crate::value::Value;

/// A moment at which a plain metric is worth something: `as_of` itself, or the end of a complete day before it.
#[derive(Clone, Copy)]
struct Moment {
    at: Micros,
    day: Day,
    slot: Slot,
    /// Under a comparison a part without a window begins with life.
    from_life: bool,
}

impl AccountAt<'_> {
    /// Every metric of the model, in its order.
    pub fn metrics(&self) -> Vec<Option<Scalar>> {
        (0..self.plan().model.metrics.len()).map(|index| self.metric(index).cloned()).collect()
    }

    /// One metric, by its place in the model; computed once.
    pub fn metric(&self, index: usize) -> Option<&Scalar> {
        let none_yet = || self.plan().model.metrics.iter().map(|_| OnceCell::new()).collect();
        self.metrics.get_or_init(none_yet)[index].get_or_init(|| self.level(index)).as_ref()
    }

    fn plan(&self) -> &Plan {
        self.context.plan
    }

    fn now(&self) -> Moment {
        Moment { at: self.as_of, day: self.today, slot: self.plan().last_slot(self.as_of), from_life: false }
    }

    /// The end of a complete day; today or later is never asked for.
    fn end_of(&self, day: Day) -> Moment {
        Moment { at: self.plan().calendar.end(day), day, slot: Slot::end_of(day), from_life: true }
    }

    /// A metric asked at `as_of`.
    fn level(&self, index: usize) -> Option<Scalar> {
        match &self.plan().model.metrics[index].agg {
            Agg::Change { a, window } => self.change(*a, *window).map(Scalar::Number),
            Agg::AgainstOwn { a, weeks } => self.against_own(*a, *weeks).map(Scalar::Number),
            Agg::Slope { a, weeks } => self.slope(*a, *weeks).map(Scalar::Number),
            Agg::PerSeat { a } => {
                let above = self.level(*a)?.number()?;
                self.per_seat(above, self.last_day(*a))
            }
            Agg::Ratio { a, b, min_b } => {
                ratio(self.level(*a)?.number()?, self.level(*b)?.number()?, *min_b).map(Scalar::Number)
            }
            _ => self.part(index, self.now()).value,
        }
    }

    /// The last moment a metric looks at.
    fn last_day(&self, index: usize) -> Moment {
        match &self.plan().model.metrics[index].agg {
            Agg::Change { .. } | Agg::AgainstOwn { .. } | Agg::Slope { .. } => {
                self.end_of(self.today.plus(-1))
            }
            Agg::PerSeat { a } => self.last_day(*a),
            Agg::Ratio { a, b, .. } => {
                let (above, below) = (self.last_day(*a), self.last_day(*b));
                if above.day >= below.day { above } else { below }
            }
            Agg::Plain(_) | Agg::Share { .. } | Agg::Standing(_) => self.now(),
        }
    }

    fn per_seat(&self, above: f64, moment: Moment) -> Option<Scalar> {
        let seats = self.seats_at(moment)?;
        (seats > 0.0).then(|| Scalar::Number(above / seats))
    }
}

/// a / b, missing where b ≤ 0 or below `min_b`.
fn ratio(above: f64, below: f64, min_b: Option<f64>) -> Option<f64> {
    let enough = below > 0.0 && min_b.is_none_or(|least| below >= least);
    enough.then(|| above / below)
}

/// A part of a comparison at one moment: its value, and the first day its window reached.
struct Part {
    value: Option<Scalar>,
    /// `None`: the part has no window and begins with life.
    first: Option<Day>,
}

impl AccountAt<'_> {
    /// What a plain metric, a standing, or a ratio or per_seat of such is worth at a moment.
    fn part(&self, index: usize, moment: Moment) -> Part {
        match &self.plan().model.metrics[index].agg {
            Agg::Plain(plain) => self.plain(plain, self.plan().input(index), moment),
            Agg::Share { a, b, window, min } => {
                let Input::Pair(above, below) = self.plan().input(index) else {
                    unreachable!("a share counts two series")
                };
                self.share((a, above), (b, below), *window, *min, moment)
            }
            Agg::Standing(kind) => Part { value: self.standing(*kind, moment), first: None },
            Agg::Ratio { a, b, min_b } => {
                let (above, below) = (self.part(*a, moment), self.part(*b, moment));
                let value = above.value.zip(below.value).and_then(|(above, below)| {
                    ratio(above.number()?, below.number()?, *min_b).map(Scalar::Number)
                });
                let first = match (above.first, below.first) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
                Part { value, first }
            }
            Agg::PerSeat { a } => {
                let above = self.part(*a, moment);
                let value = above.value.and_then(|value| self.per_seat(value.number()?, moment));
                Part { value, first: above.first }
            }
            Agg::Change { .. } | Agg::AgainstOwn { .. } | Agg::Slope { .. } => {
                unreachable!("the grammar compares no comparison")
            }
        }
    }
}

/// A value as `last` answers it.
fn scalar_of(value: &Value) -> Option<Scalar> {
    match value {
        Value::Null | Value::List(_) | Value::Object(_) => None,
        Value::Text(text) => Some(Scalar::Text(text.to_string())),
        Value::Number(number) => Some(match number.exponent() {
            0.. => number.scaled(0).map_or(Scalar::Number(number.to_f64()), Scalar::Integer),
            _ => Scalar::Number(number.to_f64()),
        }),
        Value::Bool(truth) => Some(Scalar::Text(truth.to_string())),
    }
}
