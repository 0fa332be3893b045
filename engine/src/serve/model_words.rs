//! The words of models: every sentence about what is wrong with one, doubtful of it or different in it is made here, in English.

use tidewatch_projections::health::shift::{Part, Shift};
use tidewatch_projections::model::difference::{Change, CurvePoint, Difference, Weight};
use tidewatch_projections::model::doubt::{About, Doubt};

/// Changed points of a curve that one sentence tells at most.
const POINTS_TOLD_MAX: usize = 6;

/// What is doubtful, after the path of its key.
pub fn doubt(doubt: &Doubt) -> String {
    let sentence = match &doubt.about {
        About::FlatCurve { points } => {
            format!("every value is worth {points} points, so the measure tells nobody apart")
        }
        About::FlatPart { from, to, points } => {
            format!("values from {from} to {to} are all worth {points} points and are not told apart")
        }
        About::Turn { at, rises_before: true } => {
            format!("points rise up to the value {at} and fall after it")
        }
        About::Turn { at, rises_before: false } => {
            format!("points fall up to the value {at} and rise after it")
        }
        About::UnusedMetric => "no measure uses it; only lists and `metrics` show it".to_owned(),
        About::UnusedMeasure => "no profile has it, so it counts nowhere".to_owned(),
        About::UnusedWeights => "no profile refers to these weights".to_owned(),
        About::UnknownType { name, nearest } => {
            format!(
                "{name:?} is no type of the contract (nearest: {nearest:?}); only a source that sends it feeds this"
            )
        }
        About::MatchesNoType => {
            "no type of the contract meets these conditions, so nothing ever matches".to_owned()
        }
        About::Unfed { types } if types.is_empty() => {
            "no source has sent an event that it could be made of; it is missing for every account".to_owned()
        }
        About::Unfed { types } => {
            format!("no source has sent {}; it is missing for every account", types.join(", "))
        }
        About::NoUsers => {
            "no event that it counts has named a user; it is missing for every account".to_owned()
        }
        About::UnreachedProfile => "it applies to no account as of now".to_owned(),
        About::UnseenFeature { name, nearest } if nearest.is_empty() => {
            format!("no account has used a feature {name:?}, nor any other")
        }
        About::UnseenFeature { name, nearest } => {
            format!("no account has used a feature {name:?}; nearest of those used: {nearest:?}")
        }
    };
    format!("{}: {sentence}", doubt.path)
}

/// What differs between two models, after its path.
pub fn difference(difference: &Difference) -> String {
    let sentence = match &difference.change {
        Change::Added(value) => format!("new, {value}"),
        Change::Removed(value) => format!("gone, was {value}"),
        Change::Value { from, to } => format!("{from} → {to}"),
        Change::Curve(points) => curve(points),
        Change::Weight { from, to } => weight(*from, *to),
        Change::Order(names) => format!("tried in another order: {}", names.join(", ")),
    };
    format!("{}: {sentence}", difference.path)
}

fn curve(points: &[CurvePoint]) -> String {
    let mut told: Vec<String> = points
        .iter()
        .take(POINTS_TOLD_MAX)
        .map(|point| format!("at {} {} → {}", point.value, figure(point.from), figure(point.to)))
        .collect();
    if points.len() > POINTS_TOLD_MAX {
        told.push(format!("and at {} more values", points.len() - POINTS_TOLD_MAX));
    }
    format!("points {}", told.join(", "))
}

/// A number with at most two places, and no more than it needs.
fn figure(number: f64) -> String {
    ((number * 100.0).round() / 100.0).to_string()
}

fn weight(from: Option<Weight>, to: Option<Weight>) -> String {
    let share = |weight: Weight| format!("{:.1} %", weight.share * 100.0);
    match (from, to) {
        (Some(from), Some(to)) if from.weight == to.weight => format!(
            "weighs {} as before, which is {} → {} of the score because others changed",
            to.weight,
            share(from),
            share(to)
        ),
        (Some(from), Some(to)) => format!(
            "weighs {} → {}, which is {} → {} of the score",
            from.weight,
            to.weight,
            share(from),
            share(to)
        ),
        (None, Some(to)) => format!("new, weighs {}, which is {} of the score", to.weight, share(to)),
        (Some(from), None) => {
            format!("gone, weighed {}, which was {} of the score", from.weight, share(from))
        }
        (None, None) => String::new(),
    }
}

/// What one measure adds to the difference between two models.
pub fn shift(shift: &Shift) -> String {
    let part = |part: Part| format!("{:.0} points at {:.1} % of the score", part.points, part.weight * 100.0);
    let what = match (shift.from, shift.to) {
        (Some(from), Some(to)) if from == to => format!("{} as before", part(to)),
        (Some(from), Some(to)) => format!("{}, was {}", part(to), part(from)),
        (None, Some(to)) => format!("counts now, {}", part(to)),
        (Some(from), None) => format!("counts no more, was {}", part(from)),
        (None, None) => String::new(),
    };
    let sign = if shift.points < 0.0 { "−" } else { "+" };
    format!("{}: {what}: {sign}{:.1}", shift.measure, shift.points.abs())
}

#[cfg(test)]
mod tests {
    use tidewatch_projections::model::DEFAULT;
    use tidewatch_projections::model::difference::differences;

    #[test]
    fn differences_are_told_in_sentences() {
        let changed = [
            ("band_margin = 3", "band_margin = 4"),
            ("{ name = \"red\", below = 40 }", "{ name = \"red\", below = 45 }"),
            ("curve = [[0, 0], [0.04, 50], [0.075, 100]]", "curve = [[0, 0], [0.05, 50], [0.075, 100]]"),
            ("days_silent      = { agg = \"days_since_last\", filter = { family = \"usage\" } }", ""),
            (", { metric = \"days_silent\", curve = [[0, 100], [7, 90], [30, 60], [90, 0]] }", ""),
            ("goals_only = { goals = 1 }", "goals_only = { goals = 2 }"),
            ("when = [{ tier = \"A\" }]", "when = [{ tier = [\"A\", \"S\"] }]"),
            (
                "name = \"standard\"\ngroups = { outcome = { weight = 80",
                "name = \"standard\"\ngroups = { outcome = { weight = 60",
            ),
        ];
        let mut text = DEFAULT.to_owned();
        for (part, by) in changed {
            assert!(text.contains(part), "{part}");
            text = text.replacen(part, by, 1);
        }
        let told: Vec<String> = differences(DEFAULT, &text).unwrap().iter().map(super::difference).collect();
        assert_eq!(
            told[..7],
            [
                "band_margin: 3 → 4",
                "bands.red.below: 40 → 45",
                "metrics.days_silent: gone, was { agg = \"days_since_last\", filter = { family = \"usage\" } }",
                "measures.recency.curve: points at 0.04 50 → 40, at 0.05 64.29 → 50",
                "measures.recency.otherwise[1].curve: gone, was [[0, 100], [7, 90], [30, 60], [90, 0]]",
                "measures.recency.otherwise[1].metric: gone, was \"days_silent\"",
                "profiles[\"key account\"].when: [{ tier = \"A\" }] → [{ tier = [\"A\", \"S\"] }]",
            ]
        );
        let standard = "profiles[\"standard\"].groups.";
        let nps = "weighs 20 as before, which is 4.0 % → 5.0 % of the score because others changed";
        assert!(told.contains(&format!("{standard}experience.nps: {nps}")), "{told:#?}");
        assert!(told[7..].iter().all(|sentence| sentence.starts_with(standard)), "{told:#?}");
    }
}
