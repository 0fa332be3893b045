//! Weights of measures and groups, the score, and coverage (health-model §5).

use tidewatch_projections::health::{Health, Reason, State, shown};

use crate::tale::{AS_SAID, DAY, METRICS, Tale, Told};

/// Measures x, y and z as they were said, weighed by these groups.
fn model(top: &str, groups: &str) -> String {
    let measure = |name: &str| format!("{name} = {{ metric = '{name}', {AS_SAID} }}\n");
    let measures = ["x", "y", "z"].map(measure).concat();
    format!("{top}\n{METRICS}[measures]\n{measures}[[profiles]]\nname = 'all'\ngroups = {{ {groups} }}\n")
}

const OUTCOME_AND_EXPERIENCE: &str = "outcome = { weight = 80, measures = { x = 30, y = 10 } }, \
                                      experience = { weight = 20, measures = { z = 5 } }";

fn of(figures: &[(&str, i64)]) -> Tale {
    let mut tale = Tale::default();
    tale.say("a", 1, figures);
    tale
}

/// (weight, score) of the groups, and (weight, contribution) of x, y and z.
type Figures = (Vec<(f64, Option<f64>)>, [(f64, f64); 3]);

fn figures(told: &Told<'_>, health: &Health) -> Figures {
    let groups = &health.figures.as_ref().expect("it has figures").weighed.groups;
    let measure = |name: &str| {
        let measure = told.measure(health, name);
        (measure.weight, measure.contribution)
    };
    (groups.iter().map(|group| (group.weight, group.score)).collect(), ["x", "y", "z"].map(measure))
}

/// Equal but for the last bits: shares such as 0.8·0.75 are no binary fractions.
#[track_caller]
fn close(found: &Figures, expected: &Figures) {
    let flat = |figures: &Figures| -> Vec<f64> {
        let groups = figures.0.iter().flat_map(|(weight, score)| [*weight, score.unwrap_or(-1.0)]);
        groups.chain(figures.1.iter().flat_map(|(weight, contribution)| [*weight, *contribution])).collect()
    };
    let (found, expected) = (flat(found), flat(expected));
    assert_eq!(found.len(), expected.len());
    let differs = found.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 1e-12);
    assert!(!differs, "{found:?} is not {expected:?}");
}

#[test]
fn a_score_is_the_sum_of_effective_weight_times_points() {
    let tale = of(&[("x", 90), ("y", 60), ("z", 20)]);
    let told = tale.told(&model("", OUTCOME_AND_EXPERIENCE), &[]);
    let health = told.health("a", 2 * DAY);
    // e: 0.8·30/40, 0.8·10/40, 0.2·5/5. Outcome: (30·90 + 10·60)/40 = 82.5. Score: 54 + 12 + 4 = 70.
    let groups = vec![(0.8, Some(82.5)), (0.2, Some(20.0))];
    close(&figures(&told, &health), &(groups, [(0.6, 54.0), (0.2, 12.0), (0.2, 4.0)]));
    assert_eq!((health.score(), health.coverage(), health.profile()), (Some(70.0), 1.0, Some(0)));
}

#[test]
fn the_others_carry_the_weight_of_a_missing_measure_and_of_an_unused_group() {
    let model = model("", OUTCOME_AND_EXPERIENCE);
    // Without y, x carries its group: 0.8·90 + 0.2·20 = 76. Covered is 0.8·30/40 + 0.2 = 0.8.
    let tale = of(&[("x", 90), ("z", 20)]);
    let told = tale.told(&model, &[]);
    let health = told.health("a", 2 * DAY);
    let groups = vec![(0.8, Some(90.0)), (0.2, Some(20.0))];
    close(&figures(&told, &health), &(groups, [(0.8, 72.0), (0.0, 0.0), (0.2, 4.0)]));
    assert_eq!((health.score(), health.coverage()), (Some(76.0), 0.8));
    // Without z the first group carries all: 0.75·90 + 0.25·60 = 82.5. Covered is 0.8.
    let tale = of(&[("x", 90), ("y", 60)]);
    let told = tale.told(&model, &[]);
    let health = told.health("a", 2 * DAY);
    let groups = vec![(1.0, Some(82.5)), (0.0, None)];
    close(&figures(&told, &health), &(groups, [(0.75, 67.5), (0.25, 15.0), (0.0, 0.0)]));
    assert_eq!((health.score(), health.coverage()), (Some(82.5), 0.8));
}

#[test]
fn a_monitor_is_shown_and_never_counted() {
    let groups =
        "all = { weight = 1, measures = { x = 1, y = 0 } }, watched = { weight = 1, measures = { z = 0 } }";
    let tale = of(&[("x", 80), ("y", 10), ("z", 10)]);
    let told = tale.told(&model("", groups), &[]);
    let health = told.health("a", 2 * DAY);
    assert_eq!(told.measure(&health, "y").measured.points, Some(10.0));
    // Of a group of monitors the weights that are used sum to 0: it has no score and is not used.
    let groups = vec![(1.0, Some(80.0)), (0.0, None)];
    close(&figures(&told, &health), &(groups, [(1.0, 80.0), (0.0, 0.0), (0.0, 0.0)]));
    assert_eq!(health.score(), Some(80.0));
    // A monitor alone gives no score.
    let health = of(&[("y", 10)]).health(
        &model("coverage_min = 0", "all = { weight = 1, measures = { x = 1, y = 0 } }"),
        "a",
        1,
    );
    assert_eq!((health.state, health.score(), health.coverage()), (State::Unknown, None, 0.0));
}

#[test]
fn a_group_of_weight_0_is_shown_and_never_counted() {
    let groups =
        "all = { weight = 2, measures = { x = 1, y = 1 } }, watched = { weight = 0, measures = { z = 1 } }";
    let tale = of(&[("x", 80), ("y", 60), ("z", 10)]);
    let told = tale.told(&model("", groups), &[]);
    let health = told.health("a", 2 * DAY);
    let groups = vec![(1.0, Some(70.0)), (0.0, Some(10.0))];
    close(&figures(&told, &health), &(groups, [(0.5, 40.0), (0.5, 30.0), (0.0, 0.0)]));
    assert_eq!((health.score(), health.coverage()), (Some(70.0), 1.0));
}

#[test]
fn weights_are_relative() {
    let tale = of(&[("x", 91), ("y", 13), ("z", 57)]);
    let times = |factor: f64| {
        let groups = format!(
            "outcome = {{ weight = {}, measures = {{ x = {}, y = {} }} }}, \
             experience = {{ weight = {}, measures = {{ z = 0.001 }} }}",
            80.0 * factor,
            30.0 / factor,
            10.0 / factor,
            20.0 * factor
        );
        tale.score(&model("", &groups), "a", 1)
    };
    // 0.6·91 + 0.2·13 + 0.2·57 = 68.6, whatever the unit.
    assert_eq!([0.01, 1.0, 7.0].map(times), [Some(68.6); 3]);
}

#[test]
fn scores_and_coverage_are_rounded_to_9_decimals() {
    let thirds = "all = { weight = 1, measures = { x = 1, y = 1, z = 1 } }";
    let score = of(&[("x", 100), ("y", 0), ("z", 0)]).score(&model("", thirds), "a", 1);
    assert_eq!(score, Some(33.333_333_333));
    let score = of(&[("x", 100), ("y", 100), ("z", 0)]).score(&model("", thirds), "a", 1);
    assert_eq!(score, Some(66.666_666_667));
    // One of three is 0.333333333 when rounded, which a third as written with twelve digits is above.
    let of_one = |coverage_min: &str| {
        of(&[("x", 100)]).health(&model(&format!("coverage_min = {coverage_min}"), thirds), "a", 1)
    };
    let (enough, too_little) = (of_one("0.333333333"), of_one("0.333333333333"));
    assert_eq!((enough.state, enough.coverage()), (State::Scored, 0.333_333_333));
    assert_eq!((too_little.state, too_little.reason), (State::Unknown, Some(Reason::Coverage)));
}

#[test]
fn only_below_coverage_min_there_is_no_number() {
    // x holds 0.4 of the weight exactly, which is not below 0.4.
    let two_fifths = "all = { weight = 1, measures = { x = 2, y = 2, z = 1 } }";
    let health = of(&[("x", 70)]).health(&model("", two_fifths), "a", 1);
    assert_eq!((health.state, health.score(), health.coverage()), (State::Scored, Some(70.0), 0.4));
    let health = of(&[("z", 70)]).health(&model("", two_fifths), "a", 1);
    assert_eq!((health.state, health.score(), health.coverage()), (State::Unknown, None, 0.2));
    assert_eq!((health.reason, health.profile()), (Some(Reason::Coverage), Some(0)));
}

#[test]
fn a_score_is_shown_cut_to_whole_points() {
    assert_eq!([0.0, 39.999_999_999, 40.0, 69.5, 100.0].map(shown), [0, 39, 40, 69, 100]);
}
