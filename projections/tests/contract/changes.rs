//! What moved a score between two instants (health-model §5, explain).

use tidewatch_projections::health::change::{CameOrWent, Cause, Change, came_and_went, changes};

use crate::tale::{AS_SAID, DAY, METRICS, Tale, Told};

const GROUPS: &str = "outcome = { weight = 80, measures = { x = 30, y = 10 } }, \
                      experience = { weight = 20, measures = { z = 5 } }";

/// Measures x, y and z, the first with these keys more.
fn model(more: &str) -> String {
    let measure = |name: &str, more: &str| format!("{name} = {{ metric = '{name}', {AS_SAID}{more} }}\n");
    let measures = measure("x", more) + &measure("y", "") + &measure("z", "");
    format!("{METRICS}[measures]\n{measures}[[profiles]]\nname = 'all'\ngroups = {{ {GROUPS} }}\n")
}

/// The lines between the ends of two days: measure, cause, points; what came and went; and the scores.
struct Explained {
    lines: Vec<(String, Cause, f64)>,
    came_and_went: Vec<String>,
    scores: (Option<f64>, Option<f64>),
}

fn explained(told: &Told<'_>, from: i64, to: i64) -> Explained {
    let (from, to) = (told.health("a", (from + 1) * DAY), told.health("a", (to + 1) * DAY));
    let measures = &told.plan.model.scoring.as_ref().expect("it was parsed").measures;
    let name = |measure: usize| measures[measure].name.clone();
    let line =
        |change: Change| (change.measure.map_or("the rest".to_owned(), name), change.cause, change.points);
    let one_sided = came_and_went(&from, &to).into_iter().map(|measure| match measure {
        CameOrWent::Came(measure) => format!("+{}", name(measure)),
        CameOrWent::Went(measure) => format!("-{}", name(measure)),
    });
    Explained {
        lines: changes(&from, &to).into_iter().map(line).collect(),
        came_and_went: one_sided.collect(),
        scores: (from.score(), to.score()),
    }
}

/// The lines are these, to 1e-12, and sum to the difference of the scores.
#[track_caller]
fn assert_lines(explained: &Explained, expected: &[(&str, Cause, f64)]) {
    let named = |(name, cause, _): &(String, Cause, f64)| (name.clone(), *cause);
    let found: Vec<_> = explained.lines.iter().map(named).collect();
    let wanted: Vec<_> = expected.iter().map(|(name, cause, _)| ((*name).to_owned(), *cause)).collect();
    assert_eq!(found, wanted);
    for ((name, _, points), (_, _, wanted)) in explained.lines.iter().zip(expected) {
        assert!((points - wanted).abs() < 1e-12, "{name}: {points} is not {wanted}");
    }
    let (Some(from), Some(to)) = explained.scores else { panic!("both are scored") };
    let sum: f64 = explained.lines.iter().map(|(_, _, points)| points).sum();
    assert!((sum - (to - from)).abs() < 1e-9, "{sum} is not {to} − {from}");
}

#[test]
fn lines_are_mean_weight_times_the_change_of_points_and_the_rest_has_the_weights() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("x", 90), ("y", 60)]);
    tale.say("a", 5, &[("x", 50), ("z", 20)]);
    let told = tale.told(&model(""), &[]);
    let explained = explained(&told, 1, 5);
    // Weights of x, y, z: 0.75, 0.25, 0 and then 0.6, 0.2, 0.2; scores 82.5 and 30 + 12 + 4 = 46.
    assert_eq!(explained.scores, (Some(82.5), Some(46.0)));
    // x: (0.75 + 0.6)/2·(50 − 90) = −27. y stayed as it was and has no line. The rest: of x (90 + 50)/2·(0.6 − 0.75) = −10.5,
    // of y 60·(0.2 − 0.25) = −3, and z, which came, 0.2·20 = 4: −9.5 together.
    assert_lines(&explained, &[("x", Cause::Value, -27.0), ("the rest", Cause::Rest, -9.5)]);
    assert_eq!(explained.came_and_went, ["+z"]);
    let back = self::explained(&told, 5, 1);
    assert_lines(&back, &[("x", Cause::Value, 27.0), ("the rest", Cause::Rest, 9.5)]);
    assert_eq!(back.came_and_went, ["-z"]);
}

#[test]
fn the_greatest_line_is_first_whichever_way_it_went() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("x", 50), ("y", 50), ("z", 50)]);
    tale.say("a", 5, &[("x", 60), ("y", 0), ("z", 90)]);
    let told = tale.told(&model(""), &[]);
    // Weights 0.6, 0.2, 0.2 at both ends: 0.6·10, 0.2·−50, 0.2·40.
    assert_lines(
        &explained(&told, 1, 5),
        &[
            ("y", Cause::Value, -10.0),
            ("z", Cause::Value, 8.0),
            ("x", Cause::Value, 6.0),
            ("the rest", Cause::Rest, 0.0),
        ],
    );
}

#[test]
fn another_metric_and_what_stands_in_are_causes_of_their_own() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("y", 60), ("z", 50), ("w", 40)]);
    tale.say("a", 5, &[("x", 80)]);
    let more = format!(", otherwise = [{{ metric = 'w', {AS_SAID} }}]");
    let with_w = |more: &str| {
        model(more).replace("[measures]", "w = { agg = 'last', field = 'properties.w' }\n[measures]")
    };
    let told = tale.told(&with_w(&more), &[]);
    // w answered for x: 0.6·(80 − 40).
    let lines = [("x", Cause::Metric, 24.0), ("the rest", Cause::Rest, 0.0)];
    assert_lines(&explained(&told, 1, 5), &lines);
    // 0 stood in for it: 0.6·(80 − 0).
    let told = tale.told(&with_w(", missing = 'worst'"), &[]);
    let lines = [("x", Cause::Filled, 48.0), ("the rest", Cause::Rest, 0.0)];
    assert_lines(&explained(&told, 1, 5), &lines);
}

#[test]
fn without_a_score_at_either_end_there_is_nothing_to_tell() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[]);
    tale.say("a", 5, &[("x", 50), ("y", 50)]);
    let told = tale.told(&model(""), &[]);
    for (from, to) in [(1, 5), (5, 1), (1, 1)] {
        assert!(explained(&told, from, to).lines.is_empty());
    }
    // Between two equal ends nothing moved, and the rest says so.
    assert_lines(&explained(&told, 5, 6), &[("the rest", Cause::Rest, 0.0)]);
}

#[test]
fn another_profile_moves_weights_and_they_are_the_rest() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("x", 90), ("y", 10)]);
    tale.state("a", 5, "tier", crate::tale::text("A"));
    let weigh = |name: &str, when: &str, x: u8, y: u8| {
        format!(
            "[[profiles]]\nname = '{name}'\n{when}groups = {{ all = {{ weight = 1, measures = {{ x = {x}, y = {y} }} }} }}\n"
        )
    };
    let profiles = weigh("key", "when = [{ tier = 'A' }]\n", 1, 3) + &weigh("rest", "", 3, 1);
    let model = model("").split("[[profiles]]").next().expect("a text").to_owned() + &profiles;
    let told = tale.told(&model, &[]);
    // 0.75·90 + 0.25·10 = 70 became 0.25·90 + 0.75·10 = 30, and no points changed.
    let explained = explained(&told, 1, 5);
    assert_eq!(explained.scores, (Some(70.0), Some(30.0)));
    assert_lines(&explained, &[("the rest", Cause::Rest, -40.0)]);
    assert!(explained.came_and_went.is_empty());
}
