//! Points of a measure: curve, `otherwise`, and what stands in for a missing value (health-model §5).

use tidewatch_projections::health::{Reason, State};
use tidewatch_projections::scalar::Scalar;
use tidewatch_projections::vocabulary::EventType;

use crate::tale::{AS_SAID, DAY, METRICS, Tale, model_of_x, text};

/// A model of measures, all of one group; weights are as in `{ a = 1 }`.
fn model(measures: &str, weights: &str) -> String {
    let profile =
        format!("[[profiles]]\nname = 'all'\ngroups = {{ all = {{ weight = 1, measures = {weights} }} }}\n");
    format!("coverage_min = 0.1\n{METRICS}[measures]\n{measures}\n{profile}")
}

#[test]
fn a_curve_is_linear_between_its_pairs_and_flat_outside() {
    let mut tale = Tale::default();
    let said = [(1, 5), (2, 10), (3, 15), (4, 20), (5, 25), (6, 40), (7, 900)];
    said.iter().for_each(|(day, x)| _ = tale.say("a", *day, &[("x", *x)]));
    let model = model_of_x().replace(AS_SAID, "curve = [[10, 20], [20, 60], [40, 100]]");
    let score = |day| tale.score(&model, "a", day).expect("it is scored");
    // 20 + 40·(15 − 10)/(20 − 10) = 40 and 60 + 40·(25 − 20)/(40 − 20) = 70.
    assert_eq!([1, 2, 3, 4, 5, 6, 7].map(score), [20.0, 20.0, 40.0, 60.0, 70.0, 100.0, 100.0]);
}

#[test]
fn otherwise_is_tried_in_order_and_a_text_is_missing() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[]);
    tale.say("a", 2, &[("z", 3)]);
    tale.say("a", 3, &[("y", 2)]);
    tale.say("a", 4, &[("x", 1)]);
    tale.tell("a", 5, EventType::ReferralMade, &[("x", text("many"))]);
    // Each metric has points of its own, so that the score tells which was taken: 10, 20 or 30.
    let flat = |points: i64| format!("curve = [[0, {points}], [9, {points}]]");
    let measure = format!(
        "m = {{ metric = 'x', {}, otherwise = [{{ metric = 'y', {} }}, {{ metric = 'z', {} }}] }}",
        flat(10),
        flat(20),
        flat(30)
    );
    let told = tale.told(&model(&measure, "{ m = 1 }"), &[]);
    let at = |day: i64| {
        let health = told.health("a", (day + 1) * DAY);
        let measured = told.measure(&health, "m").measured.clone();
        let metric = told.plan.model.metrics[measured.metric].name.clone();
        (health.score(), metric, measured.value)
    };
    let whole = |number| Some(Scalar::Integer(number));
    assert_eq!(at(1), (None, "x".to_owned(), None), "the first, if none has a value");
    assert_eq!(at(2), (Some(30.0), "z".to_owned(), whole(3)));
    assert_eq!(at(3), (Some(20.0), "y".to_owned(), whole(2)));
    assert_eq!(at(4), (Some(10.0), "x".to_owned(), whole(1)));
    assert_eq!(at(5), (Some(20.0), "y".to_owned(), whole(2)));
}

#[test]
fn a_missing_measure_is_left_out_or_counts_50_or_0() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("x", 80)]);
    let missing = |name: &str, policy: &str| format!("{name} = {{ metric = 'y', {AS_SAID}{policy} }}\n");
    let measures = format!("here = {{ metric = 'x', {AS_SAID} }}\n")
        + &missing("excluded", "")
        + &missing("excluded_too", ", missing = 'exclude'")
        + &missing("neutral", ", missing = 'neutral'")
        + &missing("worst", ", missing = 'worst'");
    let weights = "{ here = 1, excluded = 1, excluded_too = 1, neutral = 2, worst = 3 }";
    let told = tale.told(&model(&measures, weights), &[]);
    let health = told.health("a", 2 * DAY);
    // Used are 80·1, 50·2 and 0·3 of the weights 1 + 2 + 3: 180/6 = 30; measured is 1 of 8.
    assert_eq!((health.score(), health.coverage()), (Some(30.0), 0.125));
    let points = |name: &str| {
        let measure = told.measure(&health, name);
        (measure.measured.present, measure.measured.points, measure.weight)
    };
    assert_eq!(points("here"), (true, Some(80.0), 1.0 / 6.0));
    assert_eq!((points("excluded"), points("excluded_too")), ((false, None, 0.0), (false, None, 0.0)));
    assert_eq!(
        (points("neutral"), points("worst")),
        ((false, Some(50.0), 2.0 / 6.0), (false, Some(0.0), 0.5))
    );
}

/// Anchored by a y of 50 that never fades, so that there is a score either way.
fn fading(half_life_days: &str, more: &str) -> String {
    let last = format!("missing = 'last', half_life_days = {half_life_days}");
    let measures = format!(
        "m = {{ metric = 'today', {AS_SAID}, {last}{more} }}\nanchor = {{ metric = 'y', {AS_SAID} }}"
    );
    model(&measures, "{ m = 1, anchor = 1 }")
}

/// The points of `m` at the end of a day.
fn points(tale: &Tale, model: &str, day: i64) -> Option<f64> {
    let told = tale.told(model, &[]);
    told.measure(&told.health("a", (day + 1) * DAY), "m").measured.points
}

#[test]
fn the_last_answer_fades_to_50_by_its_half_life_for_ten_of_them() {
    let mut tale = Tale::default();
    tale.say("a", 5, &[("y", 50)]);
    tale.say("a", 10, &[("x", 90)]);
    tale.say("a", 12, &[("x", 10)]);
    let two = fading("2", "");
    assert_eq!(points(&tale, &two, 9), None, "no day before had a value");
    assert_eq!(points(&tale, &two, 10), Some(90.0));
    // 50 + (90 − 50)·2^(−1/2) = 50 + 28.284271247…
    let faded = points(&tale, &two, 11).expect("the 10th stands in");
    assert!((faded - 78.284_271_247_461_9).abs() < 1e-12, "{faded}");
    // d is the newest day: 50 + (10 − 50)·2^(−2/2).
    assert_eq!((points(&tale, &two, 12), points(&tale, &two, 14)), (Some(10.0), Some(30.0)));
    // Ten half-lives are 20 days: 50 − 40/1024, and a day later nothing.
    assert_eq!((points(&tale, &two, 32), points(&tale, &two, 33)), (Some(49.960_937_5), None));
    // Ten half-lives of a quarter of a day are two days and a half: 50 − 40·2^(−2/0.25) on the second.
    let quarter = fading("0.25", "");
    assert_eq!((points(&tale, &quarter, 14), points(&tale, &quarter, 15)), (Some(49.843_75), None));
}

#[test]
fn what_stands_in_is_used_and_not_present() {
    let mut tale = Tale::default();
    tale.say("a", 10, &[("x", 90), ("y", 50)]);
    let told = tale.told(&fading("2", ""), &[]);
    let health = told.health("a", 13 * DAY);
    let measure = told.measure(&health, "m");
    // 50 + 40·2^(−2/2) = 70, and half of the weight is measured: (70 + 50)/2 = 60.
    assert_eq!((measure.measured.present, measure.measured.points), (false, Some(70.0)));
    assert_eq!((measure.measured.value.clone(), measure.contribution), (None, 35.0));
    assert_eq!((health.score(), health.coverage()), (Some(60.0), 0.5));
}

#[test]
fn a_stale_measure_fades_from_the_last_day_it_was_not() {
    let mut tale = Tale::default();
    tale.say("a", 10, &[("x", 90), ("y", 50)]);
    let model = fading("1", ", max_age_days = 3").replace("'today'", "'x'");
    // Present up to the 13th; on the 15th two days have gone: 50 + 40·2^(−2).
    assert_eq!([13, 14, 15].map(|day| points(&tale, &model, day)), [Some(90.0), Some(70.0), Some(60.0)]);
}

#[test]
fn without_any_points_there_is_no_score_whatever_coverage_is_asked_for() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[]);
    let model = format!("coverage_min = 0\n{}", model_of_x());
    let health = tale.health(&model, "a", 1);
    assert_eq!((health.state, health.reason), (State::Unknown, Some(Reason::Coverage)));
    assert_eq!((health.score(), health.coverage()), (None, 0.0));
}
