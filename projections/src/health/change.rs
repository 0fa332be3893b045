//! Why a score differs between two instants (health-model §5, explain): with ē and p̄ the means of both ends, Σ ē·Δp over the
//! measures used at both, and one line for the rest, Σ p̄·Δe and what came or went.

use super::Health;
use super::weighed::MeasureScore;

/// One line of what moved a score.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// Index of the measure in the model; `None`: the rest.
    pub measure: Option<usize>,
    /// What moved it.
    pub cause: Cause,
    /// What it adds to the difference of the scores.
    pub points: f64,
}

/// What moved a score.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// The value of the measure's metric changed.
    Value,
    /// Another of the metrics that the measure tries answers.
    Metric,
    /// Something stands in for the measure at one end or both.
    Filled,
    /// Weights moved, and measures came or went.
    Rest,
}

/// A measure used at both ends.
struct Pair<'a> {
    from: &'a MeasureScore,
    to: &'a MeasureScore,
    /// ē·Δp.
    points: f64,
}

/// What moved the score from one health to another: the measures that moved it, greatest first, and the rest, which is always
/// there. They sum to the difference of the scores. Empty where there is no score at either end.
pub fn changes(from: &Health, to: &Health) -> Vec<Change> {
    let (Some(before), Some(after)) = (from.score(), to.score()) else { return Vec::new() };
    let pairs = pairs(from, to);
    let mut changes: Vec<Change> = pairs
        .iter()
        .filter(|pair| pair.points != 0.0)
        .map(|pair| Change {
            measure: Some(pair.to.measure),
            cause: cause(pair.from, pair.to),
            points: pair.points,
        })
        .collect();
    changes.sort_by(|a, b| b.points.abs().total_cmp(&a.points.abs()).then_with(|| a.measure.cmp(&b.measure)));
    let told: f64 = changes.iter().map(|change| change.points).sum();
    // Scores are rounded to 9 decimals: the rest takes that up, so that the lines sum to what is shown.
    changes.push(Change { measure: None, cause: Cause::Rest, points: (after - before) - told });
    changes
}

fn measures(health: &Health) -> &[MeasureScore] {
    health.figures.as_ref().map_or(&[], |figures| &figures.weighed.measures)
}

fn pairs<'a>(from: &'a Health, to: &'a Health) -> Vec<Pair<'a>> {
    let of_both = |to: &'a MeasureScore| {
        let from = measures(from).iter().find(|from| from.measure == to.measure)?;
        let (before, after) = (from.measured.points?, to.measured.points?);
        let points = (from.weight + to.weight) / 2.0 * (after - before);
        Some(Pair { from, to, points })
    };
    measures(to).iter().filter_map(of_both).collect()
}

fn cause(from: &MeasureScore, to: &MeasureScore) -> Cause {
    if !from.measured.present || !to.measured.present {
        Cause::Filled
    } else if from.measured.metric != to.measured.metric {
        Cause::Metric
    } else {
        Cause::Value
    }
}

/// A measure that counts at one end only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CameOrWent {
    /// It counts at the later end.
    Came(usize),
    /// It counted at the earlier end.
    Went(usize),
}

/// The measures, by their places in the model, that count at one end only: causes of the rest. Monitors never count.
pub fn came_and_went(from: &Health, to: &Health) -> Vec<CameOrWent> {
    let counts = |health: &Health, measure: usize| {
        let found = measures(health).iter().find(|other| other.measure == measure);
        found.is_some_and(|found| found.weight > 0.0)
    };
    let came = measures(to).iter().map(|measure| measure.measure);
    let came = came.filter(|measure| counts(to, *measure) && !counts(from, *measure));
    let went = measures(from).iter().map(|measure| measure.measure);
    let went = went.filter(|measure| counts(from, *measure) && !counts(to, *measure));
    came.map(CameOrWent::Came).chain(went.map(CameOrWent::Went)).collect()
}
