//! What moves the score of an account when another model answers: one line for each measure, by its name, which sum to the
//! difference.

use super::Health;
use crate::model::Model;

/// A health and the model that gave it.
#[derive(Clone, Copy)]
pub struct Judged<'a> {
    /// The model.
    pub model: &'a Model,
    /// The health under it.
    pub health: &'a Health,
}

/// What a measure does to a score.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Part {
    /// Its share of the score, from 0 to 1.
    pub weight: f64,
    /// Its points, from 0 to 100.
    pub points: f64,
}

/// What one measure adds to the difference.
#[derive(Clone, PartialEq, Debug)]
pub struct Shift {
    /// The name of the measure, under one model or both.
    pub measure: String,
    /// What it does under the first; `None`: it does not count there.
    pub from: Option<Part>,
    /// What it does under the second.
    pub to: Option<Part>,
    /// What it adds to the difference of the scores.
    pub points: f64,
}

/// What moves a score from one model to another, greatest first; empty where there is no score under either.
///
/// With ē and p̄ the means of a measure's share and points under both, and s̄ the mean of both scores, a measure adds
/// ē·Δp + (p̄ − s̄)·Δe: what its points do, and what it does by drawing the score towards them. One that counts under one model
/// only has the same points under the other. Shares sum to 1, so the lines sum to the difference.
pub fn shifts(from: Judged<'_>, to: Judged<'_>) -> Vec<Shift> {
    let (Some(before), Some(after)) = (from.health.score(), to.health.score()) else { return Vec::new() };
    let middle = (before + after) / 2.0;
    let (old, new) = (parts(from), parts(to));
    let find = |parts: &[(&str, Part)], name: &str| {
        parts.iter().find(|(other, _)| *other == name).map(|(_, part)| *part)
    };
    let gone = old.iter().filter(|(name, _)| find(&new, name).is_none());
    let mut shifts: Vec<Shift> = new
        .iter()
        .chain(gone)
        .map(|(name, part)| {
            let (from, to) = (find(&old, name), find(&new, name));
            let absent = Part { weight: 0.0, points: part.points };
            let (a, b) = (from.unwrap_or(absent), to.unwrap_or(absent));
            let (weight, mean) = ((a.weight + b.weight) / 2.0, (a.points + b.points) / 2.0);
            let points = weight * (b.points - a.points) + (mean - middle) * (b.weight - a.weight);
            Shift { measure: (*name).to_owned(), from, to, points }
        })
        .collect();
    shifts.sort_by(|a, b| b.points.abs().total_cmp(&a.points.abs()).then_with(|| a.measure.cmp(&b.measure)));
    shifts
}

/// The measures that count, by name.
fn parts(judged: Judged<'_>) -> Vec<(&str, Part)> {
    let (Some(figures), Ok(scoring)) = (&judged.health.figures, &judged.model.scoring) else {
        return Vec::new();
    };
    let part = |measure: &super::MeasureScore| {
        let points = measure.measured.points?;
        let name = scoring.measures[measure.measure].name.as_str();
        (measure.weight > 0.0).then_some((name, Part { weight: measure.weight, points }))
    };
    figures.weighed.measures.iter().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Band, Figures, MeasureScore, Measured, State, Weighed};
    use crate::names::Names;
    use crate::vocabulary::Status;

    fn model(measures: &[&str]) -> Model {
        let all = |text: fn(&str) -> String| measures.iter().map(|name| text(name)).collect::<Vec<_>>();
        let text = format!(
            "[metrics]\nx = {{ agg = \"count\" }}\n[measures]\n{}\n[[profiles]]\nname = \"all\"\ngroups = {{ g = {{ weight = 1, \
             measures = {{ {} }} }} }}\n",
            all(|name| format!("{name} = {{ metric = \"x\", curve = [[0, 0], [1, 100]] }}")).join("\n"),
            all(|name| format!("{name} = 1")).join(", "),
        );
        Model::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// Health under a model: the share and the points of each measure, by place.
    fn health(names: &Names, parts: &[(f64, f64)]) -> Health {
        let measure = |(measure, (weight, points)): (usize, &(f64, f64))| MeasureScore {
            measure,
            group: 0,
            measured: Measured {
                metric: 0,
                value: None,
                present: true,
                stale: false,
                points: Some(*points),
                of_seats: None,
            },
            weight: *weight,
            contribution: weight * points,
        };
        let score = parts.iter().map(|(weight, points)| weight * points).sum();
        let measures = parts.iter().enumerate().map(measure).collect();
        let weighed = Weighed { score: Some(score), coverage: 1.0, groups: Vec::new(), measures };
        Health {
            account: names.intern("acme"),
            as_of: 0,
            state: State::Scored,
            reason: None,
            status: Status::Paying,
            band: Band::Unknown,
            provisional: false,
            figures: Some(Figures { profile: 0, weighed }),
        }
    }

    fn told(from: (&[&str], &[(f64, f64)]), to: (&[&str], &[(f64, f64)])) -> Vec<(String, f64)> {
        let names = Names::new();
        let (old, new) = (model(from.0), model(to.0));
        let (before, after) = (health(&names, from.1), health(&names, to.1));
        let from = Judged { model: &old, health: &before };
        let shifts = shifts(from, Judged { model: &new, health: &after });
        let difference = after.score().unwrap() - before.score().unwrap();
        let sum: f64 = shifts.iter().map(|shift| shift.points).sum();
        assert!((sum - difference).abs() < 1e-9, "{sum} is not {difference}");
        shifts.into_iter().map(|shift| (shift.measure, shift.points)).collect()
    }

    #[test]
    fn other_points_move_a_score_by_their_share() {
        let found =
            told((&["a", "b"], &[(0.5, 80.0), (0.5, 20.0)]), (&["a", "b"], &[(0.5, 60.0), (0.5, 20.0)]));
        assert_eq!(found, [("a".to_owned(), -10.0), ("b".to_owned(), 0.0)]);
    }

    #[test]
    fn a_measure_that_comes_draws_the_score_towards_its_points() {
        // 80 before; the new measure has 0 points and a fifth of the weight: 64 after.
        let found = told((&["a"], &[(1.0, 80.0)]), (&["a", "b"], &[(0.8, 80.0), (0.2, 0.0)]));
        assert_eq!(found[0].0, "b");
        // Mean score 72: b adds (0 − 72)·0.2, a adds (80 − 72)·(−0.2).
        assert!((found[0].1 + 14.4).abs() < 1e-9 && (found[1].1 + 1.6).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn one_that_goes_and_one_that_weighs_more_share_the_rest() {
        let found = told(
            (&["a", "b", "c"], &[(0.5, 90.0), (0.25, 10.0), (0.25, 50.0)]),
            (&["a", "c"], &[(0.5, 90.0), (0.5, 40.0)]),
        );
        assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["b", "c", "a"]);
    }
}
