//! Health of accounts that were merged (health-model §2).

use tidewatch_projections::health::{Band, Health, Reason, State};
use tidewatch_projections::vocabulary::{EventType, Status};

use crate::tale::{AS_SAID, DAY, METRICS, Tale, Told, model_of_x, text};

/// `a` goes into `b` at noon of the 20th.
fn merged() -> Tale {
    let mut tale = Tale::default();
    tale.tell("a", 20, EventType::AccountMerged, &[("into_account", text("b"))]);
    tale
}

fn at(told: &Told<'_>, account: &str, day: i64) -> Health {
    told.health(account, (day + 1) * DAY)
}

#[test]
fn from_the_merge_on_events_of_both_count_and_before_it_they_are_apart() {
    let mut tale = merged();
    tale.say("a", 1, &[("x", 30)]);
    tale.say("b", 5, &[("x", 90)]);
    tale.say("a", 10, &[("x", 50)]);
    let told = tale.told(&model_of_x(), &[]);
    assert_eq!([("a", 19), ("b", 19)].map(|(id, day)| at(&told, id, day).score()), [Some(50.0), Some(90.0)]);
    // x of the 10th is newer than that of the 5th, whose account it was said of does not matter.
    assert_eq!(at(&told, "b", 20).score(), Some(50.0));
}

#[test]
fn a_merged_account_gets_its_survivors_answer_under_the_survivors_name() {
    let mut tale = merged();
    tale.say("a", 1, &[("x", 50)]);
    tale.say("b", 5, &[]);
    let told = tale.told(&model_of_x(), &[]);
    let (of_a, of_b) = (at(&told, "a", 20), at(&told, "b", 20));
    assert_eq!(of_a, of_b);
    assert_eq!((of_a.account, of_a.status), (tale.names.intern("b"), Status::Paying));
    assert_eq!(at(&told, "a", 19).account, tale.names.intern("a"));
}

#[test]
fn the_band_folds_over_day_ends_as_they_were_then() {
    // Before the merge b was unknown: 68 is its first score, and what a remembered is not b's.
    let mut tale = merged();
    tale.say("a", 1, &[("x", 72)]);
    tale.say("b", 5, &[]);
    tale.say("a", 20, &[("x", 68)]);
    let told = tale.told(&model_of_x(), &[]);
    assert_eq!((at(&told, "a", 19).band, at(&told, "b", 19).band), (Band::Of(2), Band::Unknown));
    assert_eq!(at(&told, "b", 20).band, Band::Of(1));
    // Had b been green itself, it would have kept it.
    tale.say("b", 5, &[("x", 72)]);
    let told = tale.told(&model_of_x(), &[]);
    assert_eq!((at(&told, "b", 19).band, at(&told, "b", 20).band), (Band::Of(2), Band::Of(2)));
}

#[test]
fn facts_are_the_survivors_and_life_starts_at_the_earlier_of_both() {
    let mut tale = merged();
    tale.say("a", 1, &[("x", 50)]);
    tale.state("a", 1, "tier", text("A"));
    tale.say("b", 10, &[("x", 50)]);
    let groups = "groups = { all = { weight = 1, measures = { x = 1 } } }\n";
    let when =
        |name: &str, when: &str| format!("[[profiles]]\nname = '{name}'\nwhen = [{{ {when} }}]\n{groups}");
    let profiles = when("key", "tier = 'A'") + &when("young", "age_days_below = 15");
    let model = format!(
        "{METRICS}[measures]\nx = {{ metric = 'x', {AS_SAID} }}\n{profiles}[[profiles]]\nname = 'rest'\n{groups}"
    );
    let told = tale.told(&model, &[]);
    let profile =
        |account: &str, day: i64| told.profile(&at(&told, account, day)).expect("scored").to_owned();
    // On the 20th b is ten days old by itself and nineteen with a; the tier was a's.
    assert_eq!([profile("a", 19), profile("b", 19), profile("b", 20)], ["key", "young", "rest"]);
}

#[test]
fn the_newest_input_of_all_members_keeps_a_measure_fresh() {
    let mut tale = merged();
    tale.say("a", 15, &[("x", 50)]);
    tale.say("b", 2, &[("x", 40)]);
    let model = model_of_x()
        .replace("metric = 'x'", "metric = 'x', max_age_days = 10, input = { type = 'referral_made' }");
    let told = tale.told(&model, &[]);
    let verdict = |day: i64| {
        let health = at(&told, "b", day);
        (health.state, health.reason, health.score())
    };
    assert_eq!(verdict(19), (State::Unknown, Some(Reason::Coverage), None));
    assert_eq!([20, 25].map(verdict), [(State::Scored, None, Some(50.0)); 2]);
    assert_eq!(verdict(26), (State::Unknown, Some(Reason::Coverage), None));
}

#[test]
fn who_ever_used_is_asked_of_all_members() {
    let mut tale = merged();
    tale.use_daily("a", 3..4);
    tale.say("b", 5, &[("x", 50)]);
    let told = tale.told(&model_of_x(), &[]);
    assert_eq!(at(&told, "b", 19).reason, Some(Reason::NeverUsed));
    assert_eq!(at(&told, "b", 20).reason, None);
}
