//! A model made ready to fold: distinct filters, the series they feed, and where days are cut.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::calendar::{Calendar, Day};
use crate::days::Slot;
use crate::event::{Event, Micros};
use crate::filter::Filter;
use crate::model::scoring::Scoring;
use crate::model::{Agg, Model, Plain, PlainKind};
use crate::names::Names;
use crate::series::{Need, Wanted};
use crate::vocabulary::{EventType, KNOWN_TYPES};

/// Bounds on the state of one account. A bound costs time and never an answer: an account past one is marked, and the
/// affected metrics are answered from the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Days kept one by one, counted back from the account's newest; older ones are added up. `None`: all.
    pub days_max: Option<u32>,
    /// Tickets, invoices, subscriptions, people or features kept, each.
    pub entities_max: usize,
    /// Values kept of one fact, or events of one ticket, invoice or subscription.
    pub changes_max: usize,
    /// Facts kept (health-model §1: at most 200 attributes).
    pub facts_max: usize,
    /// Whether it is kept when people and features were seen, and the newest answers; metrics do not need it.
    pub profiles: bool,
}

impl Bounds {
    /// The bounds of live state: the hot horizon of the design (400 days), and room for every account met so far.
    pub const LIVE: Self = Self {
        days_max: Some(400),
        entities_max: 50_000,
        changes_max: 4_096,
        facts_max: 256,
        profiles: true,
    };
    /// No bounds: the state of a scan of the log.
    pub const NONE: Self = Self {
        days_max: None,
        entities_max: usize::MAX,
        changes_max: usize::MAX,
        facts_max: usize::MAX,
        profiles: false,
    };
}

/// One series to keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeriesSpec {
    /// Index of its filter.
    pub filter: usize,
    /// What is kept of each event that passes the filter.
    pub need: Need,
}

/// Where a metric finds its figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// Composed of others, or of entities alone.
    None,
    /// The series with this index among [`Plan::specs`].
    Series(usize),
    /// Two series: the counts of a share.
    Pair(usize, usize),
    /// The bit that marks events of tickets which pass the filter.
    TicketBit(u32),
}

/// Where a plan keeps when the input events of a measure happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InputTimes {
    /// Days after which the newest is too old.
    pub max_age_days: u32,
    /// The series of each attempt of the measure; none where nothing feeds it.
    pub by_attempt: Vec<Vec<usize>>,
}

/// A compiled model. Folding needs it, and so does every answer.
#[derive(Clone)]
pub struct Plan {
    /// The model it was compiled from.
    pub model: Model,
    /// Days of the reporting zone.
    pub calendar: Calendar,
    /// The bounds of each account.
    pub bounds: Bounds,
    filters: Vec<Filter>,
    series: Vec<SeriesSpec>,
    inputs: Vec<Input>,
    ticket_filters: Vec<usize>,
    /// By measure of the model that can become stale.
    input_times: Vec<(usize, InputTimes)>,
    /// By measure of the model: the most days before today at which it looks.
    measure_lookback_days: Vec<i64>,
    /// By type of the contract: what its events can feed.
    feeds: Vec<Feeds>,
    /// Asked instants inside days, ascending, by day.
    cuts: BTreeMap<Day, Vec<Micros>>,
}

/// What events of one type can feed.
#[derive(Clone, Debug, Default)]
pub struct Feeds {
    /// Series in ascending order.
    series: Vec<usize>,
    /// The sets that any of them keeps.
    pub wanted: Wanted,
}

/// How many events there were, without whose and with which features.
pub(crate) const COUNT: Need = Need::Activity(Wanted { people: false, features: false });

/// Most distinct filters over tickets, one bit each.
const TICKET_FILTERS_MAX: usize = 64;

impl Plan {
    /// Compiles a model for a calendar. `cuts` are the instants that will be asked about; ends of days need none.
    ///
    /// # Errors
    /// More than 64 distinct filters over tickets.
    pub fn compile(
        model: Model,
        names: &Names,
        calendar: Calendar,
        bounds: Bounds,
        cuts: &[Micros],
    ) -> Result<Self, crate::model::ModelError> {
        let mut plan = Self {
            model: Model { metrics: Vec::new(), ..model.clone() },
            calendar,
            bounds,
            filters: Vec::new(),
            series: Vec::new(),
            inputs: Vec::new(),
            ticket_filters: Vec::new(),
            input_times: Vec::new(),
            measure_lookback_days: Vec::new(),
            feeds: Vec::new(),
            cuts: BTreeMap::new(),
        };
        for metric in &model.metrics {
            let input = match &metric.agg {
                Agg::Plain(plain) => plan.plain_input(plain, &metric.name)?,
                Agg::Share { a, b, .. } => {
                    let above = plan.series(a, COUNT);
                    let below = plan.series(b, COUNT);
                    Input::Pair(above, below)
                }
                _ => Input::None,
            };
            plan.inputs.push(input);
        }
        if let Ok(scoring) = &model.scoring {
            plan.compile_measures(&model, scoring);
        }
        plan.model = model;
        plan.index_feeds(names);
        for cut in cuts {
            let day = plan.calendar.day(cut - 1);
            if plan.calendar.end(day) != *cut {
                let of_day = plan.cuts.entry(day).or_default();
                if let Err(at) = of_day.binary_search(cut) {
                    of_day.insert(at, *cut);
                }
            }
        }
        Ok(plan)
    }

    fn compile_measures(&mut self, model: &Model, scoring: &Scoring) {
        for (index, measure) in scoring.measures.iter().enumerate() {
            let metrics: Vec<usize> = measure.attempts.iter().map(|attempt| attempt.metric).collect();
            self.measure_lookback_days.push(model.lookback_days(&metrics));
            if let Some(max_age_days) = measure.max_age_days {
                let series_of = |attempt| {
                    let filters = model.input_events(measure, attempt);
                    filters.iter().map(|filter| self.series(filter, Need::Times)).collect()
                };
                let by_attempt = (0..measure.attempts.len()).map(series_of).collect();
                self.input_times.push((index, InputTimes { max_age_days, by_attempt }));
            }
        }
    }

    fn plain_input(&mut self, plain: &Plain, name: &str) -> Result<Input, crate::model::ModelError> {
        let need = match &plain.kind {
            PlainKind::Count | PlainKind::ActiveDays | PlainKind::DecayedSum(None, _) => COUNT,
            PlainKind::Sum(field) | PlainKind::Mean(field) | PlainKind::DecayedSum(Some(field), _) => {
                Need::Sum(field.clone())
            }
            PlainKind::ActiveUsers => Need::Activity(Wanted { people: true, features: false }),
            PlainKind::FeaturesUsed { .. } | PlainKind::FeaturesShare { .. } => {
                Need::Activity(Wanted { people: false, features: true })
            }
            PlainKind::FirstTime | PlainKind::LastTime | PlainKind::DaysSinceLast => Need::Times,
            PlainKind::Last(field) => Need::Last(field.clone()),
            PlainKind::Quantile(field, _) => Need::Figures(field.clone()),
            PlainKind::DecayedMean(field, _) => Need::Answers(field.clone()),
            PlainKind::Happiness | PlainKind::FirstReplyHours | PlainKind::ResolutionHours => {
                let filter = self.filter(&plain.filter);
                let bit =
                    self.ticket_filters.iter().position(|other| *other == filter).unwrap_or_else(|| {
                        self.ticket_filters.push(filter);
                        self.ticket_filters.len() - 1
                    });
                if bit >= TICKET_FILTERS_MAX {
                    let reason = format!("more than {TICKET_FILTERS_MAX} distinct filters over tickets");
                    return Err(crate::model::ModelError::Refused {
                        path: format!("metrics.{name}"),
                        reason,
                    });
                }
                return Ok(Input::TicketBit(bit as u32));
            }
        };
        Ok(Input::Series(self.series(&plain.filter, need)))
    }

    fn filter(&mut self, filter: &Filter) -> usize {
        self.filters.iter().position(|other| other == filter).unwrap_or_else(|| {
            self.filters.push(filter.clone());
            self.filters.len() - 1
        })
    }

    /// The series of a filter's figures; all activity of one filter is one series.
    fn series(&mut self, filter: &Filter, need: Need) -> usize {
        let filter = self.filter(filter);
        for (index, other) in self.series.iter_mut().enumerate() {
            if other.filter != filter {
                continue;
            }
            match (&mut other.need, &need) {
                (Need::Activity(wanted), Need::Activity(more)) => *wanted |= *more,
                (kept, need) if kept == need => {}
                _ => continue,
            }
            return index;
        }
        self.series.push(SeriesSpec { filter, need });
        self.series.len() - 1
    }

    /// The series of a filter's figures that something beside the model reads; [`Plan::index_feeds`] must follow.
    pub(crate) fn watch(&mut self, filter: &Filter, need: Need) -> usize {
        self.series(filter, need)
    }

    /// Finds out anew which series each type feeds.
    pub(crate) fn index_feeds(&mut self, names: &Names) {
        self.feeds = KNOWN_TYPES.iter().map(|(kind, _, _)| self.feeds_of(names, *kind)).collect();
    }

    fn feeds_of(&self, names: &Names, kind: EventType) -> Feeds {
        let mut feeds = Feeds::default();
        for (index, spec) in self.series.iter().enumerate() {
            if self.filters[spec.filter].can_match(names, kind) {
                feeds.series.push(index);
                if let Need::Activity(wanted) = spec.need {
                    feeds.wanted |= wanted;
                }
            }
        }
        feeds
    }

    /// Whether accounts that were folded under one of two plans are what the other one makes of their events: both keep the same
    /// series, cut days alike and have the same bounds, and differ in what is read from them.
    pub fn folds_alike(&self, other: &Self) -> bool {
        self.calendar == other.calendar
            && self.bounds == other.bounds
            && self.cuts == other.cuts
            && self.filters == other.filters
            && self.series == other.series
            && self.ticket_filters == other.ticket_filters
    }

    /// The series to keep, in a fixed order.
    pub fn specs(&self) -> &[SeriesSpec] {
        &self.series
    }

    /// Where metric `index` finds its figures.
    pub fn input(&self, index: usize) -> Input {
        self.inputs[index]
    }

    /// When the input events of a measure happened; `None` where their age does not matter.
    pub fn input_times(&self, measure: usize) -> Option<&InputTimes> {
        let at = self.input_times.binary_search_by_key(&measure, |(index, _)| *index).ok()?;
        Some(&self.input_times[at].1)
    }

    /// The most days before today at which a measure of the model looks, whatever stands in for it when it is missing.
    pub fn measure_lookback_days(&self, measure: usize) -> i64 {
        self.measure_lookback_days[measure]
    }

    /// Calls `feed` with every series that an event feeds, of those its type can.
    pub fn for_each_fed(
        &self,
        feeds: &Feeds,
        names: &Names,
        event: &Event,
        mut feed: impl FnMut(usize, &Need),
    ) {
        let mut tested = None;
        for index in &feeds.series {
            let SeriesSpec { filter, need } = &self.series[*index];
            let passes = match tested {
                Some((other, passed)) if other == *filter => passed,
                _ => self.filters[*filter].passes_beyond_type(names, event),
            };
            tested = Some((*filter, passes));
            if passes {
                feed(*index, need);
            }
        }
    }

    /// What events of a type can feed; of one outside the contract it is found out anew, at some cost.
    pub fn feeds(&self, names: &Names, kind: EventType) -> Cow<'_, Feeds> {
        match kind.index() {
            Some(known) => Cow::Borrowed(&self.feeds[known]),
            None => Cow::Owned(self.feeds_of(names, kind)),
        }
    }

    /// The bits of the ticket filters that an event passes.
    pub fn ticket_bits(&self, names: &Names, event: &Event) -> u64 {
        let passing =
            |(bit, filter): (usize, &usize)| u64::from(self.filters[*filter].passes(names, event)) << bit;
        self.ticket_filters.iter().enumerate().map(passing).fold(0, |bits, bit| bits | bit)
    }

    /// The slot an instant falls into.
    pub fn slot(&self, at: Micros) -> Slot {
        let day = self.calendar.day(at);
        let part = match self.cuts.is_empty() {
            true => 0,
            false => self.cuts.get(&day).map_or(0, |cuts| cuts.partition_point(|cut| *cut <= at)),
        };
        Slot { day, part: u16::try_from(part).unwrap_or(u16::MAX) }
    }

    /// The last slot before an instant: exact at ends of days and at the instants given as cuts; elsewhere the whole
    /// day is taken, which is exact when nothing is known from the rest of it.
    pub fn last_slot(&self, as_of: Micros) -> Slot {
        let day = self.calendar.day(as_of - 1);
        let index = self.cuts.get(&day).and_then(|cuts| cuts.binary_search(&as_of).ok());
        match index.and_then(|index| u16::try_from(index).ok()) {
            Some(part) => Slot { day, part },
            None => Slot::end_of(day),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_fold_alike_that_keep_the_same_series() {
        let names = Names::new();
        let plan = |text: &str, calendar: Calendar| {
            let model = Model::parse(&format!("[metrics]\n{text}")).unwrap();
            Plan::compile(model, &names, calendar, Bounds::LIVE, &[]).unwrap()
        };
        let uses = "uses = { agg = 'count', filter = { type = 'usage' } }\n";
        let plain = plan(uses, Calendar::utc());
        let is_alike = |text: &str| plain.folds_alike(&plan(text, Calendar::utc()));
        assert!(is_alike("recently = { agg = 'count', filter = { type = 'usage' }, window = 7 }"));
        assert!(!is_alike("uses = { agg = 'count', filter = { type = 'value' } }"));
        assert!(!is_alike("people = { agg = 'active_users', filter = { type = 'usage' }, window = 7 }"));
        assert!(!is_alike(&format!("{uses}hours = {{ agg = 'first_reply_hours', window = 90 }}")));
        assert!(!plain.folds_alike(&plan(uses, Calendar::new("Asia/Tokyo").unwrap())));
    }

    #[test]
    fn a_day_is_cut_at_the_asked_instants_only() {
        let names = Names::new();
        let model =
            Model::parse("[metrics]\na = { agg = 'count' }\nb = { agg = 'count', window = 3 }").unwrap();
        let noon = 12 * 3_600_000_000;
        let day_us = 24 * 3_600_000_000;
        let plan =
            Plan::compile(model, &names, Calendar::utc(), Bounds::NONE, &[noon, day_us, noon]).unwrap();
        assert_eq!(plan.specs().len(), 1, "two counts of one filter share a series");
        assert!(plan.slot(noon - 1) <= plan.last_slot(noon));
        assert!(plan.slot(noon) > plan.last_slot(noon));
        assert!(plan.slot(day_us - 1) <= plan.last_slot(day_us));
        assert!(plan.slot(day_us) > plan.last_slot(day_us));
    }
}
