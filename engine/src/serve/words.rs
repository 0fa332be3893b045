//! The words of health: every sentence about a score is made here, from templates with figures, in English.

use tidewatch_projections::health::change::{CameOrWent, Cause, Change, came_and_went};
use tidewatch_projections::health::{Health, MeasureScore, Reason, State};
use tidewatch_projections::metric::evidence::Evidence;
use tidewatch_projections::model::{Agg, Metric, Model, Plain, PlainKind, StandingKind};
use tidewatch_projections::scalar::Scalar;

/// Reasons told of one account at most.
const REASONS_MAX: usize = 3;
/// Points that a measure must take from the best score to be told as a reason.
const REASON_POINTS_MIN: f64 = 1.0;

/// Tells health in words.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// The model that answers.
    pub model: &'a Model,
}

impl Words<'_> {
    /// What keeps an account from the best score, worst first; why it has none.
    pub fn reasons(&self, health: &Health) -> Vec<String> {
        let mut reasons: Vec<String> = self.of_state(health).into_iter().collect();
        if health.score().is_some() {
            let mut lost: Vec<(f64, &MeasureScore)> = measures(health)
                .iter()
                .filter_map(|measure| {
                    let lost = measure.weight * (100.0 - measure.measured.points?);
                    (lost >= REASON_POINTS_MIN).then_some((lost, measure))
                })
                .collect();
            lost.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.measure.cmp(&b.1.measure)));
            let told = lost
                .iter()
                .take(REASONS_MAX)
                .map(|(lost, measure)| format!("{}: −{}", self.found(measure), points(*lost)));
            reasons.extend(told);
        }
        reasons.extend(match health.state {
            State::CatchingUp => Some(
                "it has events of a later day; this is how it stood when not all sources were complete beyond it"
                    .to_owned(),
            ),
            State::NoModel => Some("not scored: the model has no profile".to_owned()),
            _ => None,
        });
        reasons
    }

    fn of_state(&self, health: &Health) -> Option<String> {
        let coverage = || format!("{:.0} %", health.coverage() * 100.0);
        let sentence = match (health.state, health.reason?) {
            (State::Frozen, _) => "paused: the figures are those of its last day before".to_owned(),
            (_, Reason::NoLife) => "nothing happened yet that says anything of its health".to_owned(),
            (_, Reason::Coverage) => {
                format!(
                    "too little is known for a score: measures that have a value hold {} of the weight",
                    coverage()
                )
            }
            (_, Reason::Paused) => "paused, and no score from before".to_owned(),
            (_, Reason::Ended) => "not scored: its last subscription has ended".to_owned(),
            (_, Reason::Closed) => "not scored: closed".to_owned(),
            (_, Reason::Internal) => "not scored: an account of our own".to_owned(),
            (_, Reason::Test) => "not scored: a test account".to_owned(),
            (_, Reason::NeverUsed) => "never used the product".to_owned(),
        };
        Some(sentence)
    }

    /// A measure as it was found: its metric in words, with the value.
    fn found(&self, measure: &MeasureScore) -> String {
        let metric = &self.model.metrics[measure.measured.metric];
        let subject = subject(self.model, metric);
        match (&measure.measured.value, measure.measured.of_seats) {
            _ if measure.measured.stale => format!("{subject}: no news for too long"),
            (None, _) => format!("{subject}: nothing known"),
            (Some(_), Some((part, seats))) => {
                format!("{} {} of {} seats", self.divided(metric), plain(part), plain(seats))
            }
            (Some(value), None) => format!("{subject} {}", figure(metric, value)),
        }
    }

    /// What a figure per seat divides by seats, in words.
    fn divided(&self, metric: &Metric) -> String {
        match &metric.agg {
            Agg::PerSeat { a } => subject(self.model, &self.model.metrics[*a]),
            _ => subject(self.model, metric),
        }
    }

    /// One line of what moved a score.
    pub fn change(&self, from: &Health, to: &Health, change: &Change) -> String {
        let text = match change.measure {
            None => self.rest(from, to),
            Some(measure) => {
                let find =
                    |health: &Health| measures(health).iter().find(|other| other.measure == measure).cloned();
                match (find(from), find(to)) {
                    (Some(before), Some(after)) => self.moved(&before, &after, change.cause),
                    _ => String::new(),
                }
            }
        };
        format!("{text}: {}{}", if change.points < 0.0 { "−" } else { "+" }, points(change.points.abs()))
    }

    fn moved(&self, before: &MeasureScore, after: &MeasureScore, cause: Cause) -> String {
        let value = |measure: &MeasureScore| {
            let metric = &self.model.metrics[measure.measured.metric];
            let value = measure.measured.value.as_ref().filter(|_| measure.measured.present);
            match (value, measure.measured.of_seats) {
                (None, _) => "not measured".to_owned(),
                (Some(_), Some((part, seats))) => format!("{} of {} seats", plain(part), plain(seats)),
                (Some(value), None) => figure(metric, value),
            }
        };
        match cause {
            Cause::Metric => format!("{}, was judged by {}", self.found(after), self.found(before)),
            _ => {
                let metric = &self.model.metrics[after.measured.metric];
                let subject = match after.measured.of_seats {
                    Some(_) => self.divided(metric),
                    None => subject(self.model, metric),
                };
                format!("{subject} {}, was {}", value(after), value(before))
            }
        }
    }

    /// What the rest is made of: the profile, and measures that came or went.
    fn rest(&self, from: &Health, to: &Health) -> String {
        let Ok(scoring) = &self.model.scoring else { return String::new() };
        let mut causes = Vec::new();
        if let (Some(before), Some(after)) = (from.profile(), to.profile())
            && before != after
        {
            causes.push(format!("the profile is {:?} now", scoring.profiles[after].name));
        }
        for moved in came_and_went(from, to) {
            causes.push(match moved {
                CameOrWent::Came(measure) => format!("{} counts now", scoring.measures[measure].name),
                CameOrWent::Went(measure) => format!("{} counts no more", scoring.measures[measure].name),
            });
        }
        match causes.as_slice() {
            [] => "weights that moved, and rounding".to_owned(),
            causes => causes.join(", "),
        }
    }
}

fn measures(health: &Health) -> &[MeasureScore] {
    health.figures.as_ref().map_or(&[], |figures| &figures.weighed.measures)
}

/// How many events stand behind a metric, and between which days; `shown` of them are told.
pub fn evidence(evidence: &Evidence, count: u64, shown: usize) -> String {
    if evidence.is_of_no_event() {
        return "made of facts and time, of no events".to_owned();
    }
    let between = match evidence.days() {
        None => return "no event: too few open days to look at".to_owned(),
        Some((None, last)) => format!("up to {}", last.to_text()),
        Some((Some(first), last)) if first == last => format!("on {}", last.to_text()),
        Some((Some(first), last)) => format!("from {} to {}", first.to_text(), last.to_text()),
    };
    match count {
        0 => format!("no event {between}"),
        1 => format!("1 event {between}"),
        count if count > shown as u64 => format!("the newest {shown} of {count} events {between}"),
        count => format!("{count} events {between}"),
    }
}

/// A number without digits that say nothing.
fn plain(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}

/// Points to a tenth, whole from ten on.
fn points(points: f64) -> String {
    if points >= 10.0 { format!("{points:.0}") } else { format!("{points:.1}") }
}

/// What a metric measures, in words that a value can follow.
fn subject(model: &Model, metric: &Metric) -> String {
    let of = |index: &usize| subject(model, &model.metrics[*index]);
    match &metric.agg {
        Agg::Plain(plain) => plain_subject(plain, &metric.name),
        Agg::Share { window, .. } => format!("{} in {window} days", spaced(&metric.name)),
        Agg::Standing(kind) => standing_subject(*kind).to_owned(),
        Agg::Ratio { a, b, .. } => format!("{} ÷ {}", of(a), of(b)),
        Agg::PerSeat { a } => format!("{} per seat", of(a)),
        Agg::Change { a, .. } => format!("change of {}", of(a)),
        Agg::AgainstOwn { a, weeks } => format!("{} against its own {weeks} weeks before", of(a)),
        Agg::Slope { a, weeks } => format!("trend over {weeks} weeks of {}", of(a)),
    }
}

fn plain_subject(plain: &Plain, name: &str) -> String {
    let what = match &plain.kind {
        PlainKind::ActiveUsers => "active people",
        PlainKind::ActiveDays => "active days",
        PlainKind::FeaturesUsed { .. } => "features used",
        PlainKind::FeaturesShare { .. } => "share of core features used",
        PlainKind::DaysSinceLast => return "days silent".to_owned(),
        PlainKind::Happiness => "happiness with support",
        PlainKind::FirstReplyHours => "hours to the first reply",
        PlainKind::ResolutionHours => "hours to the solution",
        _ => return with_window(&spaced(without_days(name)), plain.window),
    };
    with_window(what, plain.window)
}

fn with_window(what: &str, window: Option<u32>) -> String {
    match window {
        Some(1) => format!("{what} today"),
        Some(days) => format!("{what} in {days} days"),
        None => what.to_owned(),
    }
}

/// A name without the days that it ends with, as `usage_28d`: the window is told in words.
fn without_days(name: &str) -> &str {
    match name.rsplit_once('_') {
        Some((stem, days)) if days.strip_suffix('d').is_some_and(|days| days.parse::<u32>().is_ok()) => stem,
        _ => name,
    }
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

fn standing_subject(kind: StandingKind) -> &'static str {
    match kind {
        StandingKind::OldestPastDueDays => "days past due",
        StandingKind::AmountPastDue(_) => "amount past due",
        StandingKind::OpenTickets => "open tickets",
        StandingKind::OpenEscalations => "open escalations",
        StandingKind::DaysToRenewal => "days to the renewal",
        StandingKind::DaysToNotice => "days to the notice deadline",
        StandingKind::MilestonesShare => "share of due milestones reached",
        StandingKind::ExpectedDays => "active days expected in 28",
        StandingKind::CreditsBurn => "credits used against the plan",
        StandingKind::Seats => "seats",
        StandingKind::AgeDays => "days of age",
    }
}

/// A value as people read it: shares and comparisons in per cent.
fn figure(metric: &Metric, value: &Scalar) -> String {
    let is_share =
        matches!(
            metric.agg,
            Agg::Share { .. }
                | Agg::Change { .. }
                | Agg::AgainstOwn { .. }
                | Agg::Standing(StandingKind::MilestonesShare | StandingKind::CreditsBurn)
        ) || matches!(&metric.agg, Agg::Plain(Plain { kind: PlainKind::FeaturesShare { .. }, .. }));
    match value {
        Scalar::Integer(whole) => whole.to_string(),
        Scalar::Text(text) => text.clone(),
        Scalar::Number(number) if is_share => format!("{:.0} %", number * 100.0),
        Scalar::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        Scalar::Number(number) => format!("{number:.2}"),
    }
}
