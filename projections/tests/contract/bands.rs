//! Bands: a fold over day ends with a margin (health-model §6).

use tidewatch_projections::health::{Band, Reason, State, Walk};
use tidewatch_projections::vocabulary::EventType;

use crate::tale::{DAY, HOUR, Tale, model_of_today, model_of_x, text};

const RED: Band = Band::Of(0);
const YELLOW: Band = Band::Of(1);
const GREEN: Band = Band::Of(2);

/// The bands at the ends of these days, asked for one by one.
fn bands<const N: usize>(tale: &Tale, model: &str, days: [i64; N]) -> [Band; N] {
    let told = tale.told(model, &[]);
    days.map(|day| told.health("a", (day + 1) * DAY).band)
}

#[test]
fn a_band_is_kept_within_the_margin_from_day_end_to_day_end() {
    let mut tale = Tale::default();
    // Red below 40, yellow below 70, margin 3: green is kept from 67, yellow from 37 to below 73, red to below 43.
    let days = [
        (10, 72, GREEN),
        (11, 67, GREEN),
        (12, 66, YELLOW),
        (13, 72, YELLOW),
        (14, 73, GREEN),
        (15, 30, RED),
        (16, 42, RED),
        (17, 43, YELLOW),
        (18, 37, YELLOW),
        (19, 36, RED),
        (20, 72, GREEN),
        (21, 38, RED),
    ];
    days.iter().for_each(|(day, x, _)| _ = tale.say("a", *day, &[("x", *x)]));
    let told = tale.told(&model_of_x(), &[]);
    for (day, x, band) in days {
        let health = told.health("a", (day + 1) * DAY);
        assert_eq!((health.score(), health.band, health.provisional), (Some(x as f64), band, false), "{day}");
    }
}

#[test]
fn the_first_scored_day_has_no_margin() {
    for (x, band) in [(39, RED), (40, YELLOW), (69, YELLOW), (70, GREEN)] {
        let mut tale = Tale::default();
        tale.say("a", 10, &[]);
        tale.say("a", 12, &[("x", x)]);
        assert_eq!(bands(&tale, &model_of_x(), [11, 12]), [Band::Unknown, band], "{x}");
    }
}

#[test]
fn unknown_days_show_as_unknown_and_leave_the_remembered_band_alone() {
    let mut tale = Tale::default();
    // Under this model x holds for its day only.
    tale.say("a", 10, &[("x", 72)]);
    tale.say("a", 300, &[("x", 68)]);
    let found = bands(&tale, &model_of_today(), [10, 11, 299, 300]);
    assert_eq!(found, [GREEN, Band::Unknown, Band::Unknown, GREEN]);
    // The 68 alone would be yellow.
    let mut tale = Tale::default();
    tale.say("a", 300, &[("x", 68)]);
    assert_eq!(bands(&tale, &model_of_today(), [300]), [YELLOW]);
}

#[test]
fn paused_and_excluded_days_leave_the_remembered_band_alone() {
    let mut tale = Tale::default();
    tale.serve("a", 1, "s");
    tale.say("a", 10, &[("x", 72)]);
    tale.subscription("a", 11, EventType::SubscriptionPaused, "s", &[], &[]);
    tale.say("a", 15, &[("x", 20)]);
    tale.subscription("a", 20, EventType::SubscriptionResumed, "s", &[], &[]);
    tale.say("a", 20, &[("x", 68)]);
    assert_eq!(bands(&tale, &model_of_x(), [10, 15, 20]), [GREEN, GREEN, GREEN]);
    tale.state("a", 30, "kind", text("test"));
    tale.say("a", 32, &[("x", 20)]);
    tale.state("a", 40, "kind", text("customer"));
    tale.say("a", 40, &[("x", 67)]);
    assert_eq!(bands(&tale, &model_of_x(), [30, 32, 40]), [GREEN, Band::Excluded, GREEN]);
}

#[test]
fn within_a_day_the_band_is_one_step_from_the_day_end_before_and_provisional() {
    let mut tale = Tale::default();
    tale.say("a", 10, &[("x", 72)]);
    tale.say("a", 11, &[("x", 66)]);
    tale.say("a", 11, &[("x", 68)]).occurred_at += 3 * HOUR;
    let instants = [11, 13, 16].map(|hour| 11 * DAY + hour * HOUR);
    let told = tale.told(&model_of_x(), &instants);
    let at = |as_of| {
        let health = told.health("a", as_of);
        (health.score(), health.band, health.provisional)
    };
    // The yellow of one o'clock is not remembered: 68 is kept by the green of the 10th.
    assert_eq!(
        instants.map(at),
        [(Some(72.0), GREEN, true), (Some(66.0), YELLOW, true), (Some(68.0), GREEN, true)]
    );
    assert_eq!(at(12 * DAY), (Some(68.0), GREEN, false));
}

#[test]
fn a_late_event_recomputes_from_its_day_on() {
    let mut tale = Tale::default();
    tale.say("a", 10, &[("x", 72)]);
    tale.say("a", 12, &[("x", 68)]);
    assert_eq!(bands(&tale, &model_of_x(), [10, 11, 12, 13]), [GREEN; 4]);
    tale.say("a", 11, &[("x", 50)]);
    assert_eq!(bands(&tale, &model_of_x(), [10, 11, 12, 13]), [GREEN, YELLOW, YELLOW, YELLOW]);
}

#[test]
fn bands_and_margin_are_the_models() {
    let mut tale = Tale::default();
    let days = [(10, 49), (11, 50), (12, 49), (13, 40)];
    days.iter().for_each(|(day, x)| _ = tale.say("a", *day, &[("x", *x)]));
    let model = |margin: u8| {
        let bands = "bands = [{ name = 'low', below = 50 }, { name = 'high' }]";
        format!("{bands}\nband_margin = {margin}\n{}", model_of_x())
    };
    let (low, high) = (Band::Of(0), Band::Of(1));
    assert_eq!(bands(&tale, &model(0), [10, 11, 12, 13]), [low, high, low, low]);
    // Low is kept to below 51.
    assert_eq!(bands(&tale, &model(1), [10, 11, 12, 13]), [low; 4]);
}

#[test]
fn a_walk_over_day_ends_gives_the_answers_asked_for_one_by_one() {
    let mut tale = Tale::default();
    let said = [(10, 72), (11, 68), (14, 71), (15, 66), (18, 72), (19, 41), (22, 38), (23, 42)];
    said.iter().for_each(|(day, x)| _ = tale.say("a", *day, &[("x", *x)]));
    let model = model_of_today();
    let told = tale.told(&model, &[]);
    let mut walk = Walk::new();
    for day in 9..25 {
        let walked = walk.step(&told.at("a", (day + 1) * DAY)).expect("state without bounds is exact");
        assert_eq!(walked, told.health("a", (day + 1) * DAY), "{day}");
        let known = said.iter().any(|(said, _)| *said == day);
        let reason = if day < 10 { Reason::NoLife } else { Reason::Coverage };
        let expected = if known { (State::Scored, None) } else { (State::Unknown, Some(reason)) };
        assert_eq!((walked.state, walked.reason), expected, "{day}");
    }
}
