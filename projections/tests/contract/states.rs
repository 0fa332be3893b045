//! Whether an account has a score, and if not, why (health-model §2, §3, §5).

use tidewatch_projections::event::Actor;
use tidewatch_projections::health::{Band, Health, Reason, State, health};
use tidewatch_projections::vocabulary::{EventType, Status};

use crate::tale::{AS_SAID, DAY, HOUR, METRICS, Tale, model_of_today, model_of_x, text};

type Verdict = (State, Option<Reason>, Band, Option<f64>);

fn verdict(health: &Health) -> Verdict {
    (health.state, health.reason, health.band, health.score())
}

fn at(tale: &Tale, day: i64) -> Verdict {
    verdict(&tale.health(&model_of_x(), "a", day))
}

const YELLOW: Band = Band::Of(1);

fn scored(score: f64) -> Verdict {
    (State::Scored, None, YELLOW, Some(score))
}

fn excluded(reason: Reason) -> Verdict {
    (State::StatusExcluded, Some(reason), Band::Excluded, None)
}

fn unknown(reason: Reason) -> Verdict {
    (State::Unknown, Some(reason), Band::Unknown, None)
}

#[test]
fn without_a_first_day_of_life_it_is_unknown() {
    let mut tale = Tale::default();
    tale.state("a", 1, "tier", text("A"));
    tale.say("a", 5, &[("x", 50)]);
    assert_eq!([1, 4].map(|day| at(&tale, day)), [unknown(Reason::NoLife); 2]);
    let health = tale.health(&model_of_x(), "a", 4);
    assert_eq!((health.coverage(), health.profile(), health.figures), (0.0, None, None));
    assert_eq!(at(&tale, 5), scored(50.0));
}

#[test]
fn a_model_without_profiles_scores_nobody() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("x", 50)]);
    let health = tale.health(METRICS, "a", 1);
    assert_eq!(verdict(&health), (State::NoModel, None, Band::Unknown, None));
}

#[test]
fn an_ended_account_is_scored_up_to_its_first_day_without_service() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("x", 50)]);
    tale.serve("a", 1, "s");
    tale.subscription("a", 10, EventType::SubscriptionCancelled, "s", &[("effective_at", 20)], &[]);
    // The 20th is day 1 of no service: from the day after it has no score.
    assert_eq!(tale.health(&model_of_x(), "a", 19).status, Status::Leaving);
    assert_eq!(tale.health(&model_of_x(), "a", 20).status, Status::Ended);
    assert_eq!([19, 20].map(|day| at(&tale, day)), [scored(50.0); 2]);
    assert_eq!([21, 90].map(|day| at(&tale, day)), [excluded(Reason::Ended); 2]);
    // Who comes back is scored again.
    tale.serve("a", 30, "t");
    assert_eq!((at(&tale, 29), at(&tale, 30)), (excluded(Reason::Ended), scored(50.0)));
}

#[test]
fn a_closed_account_has_no_score_from_the_day_after() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("x", 50)]);
    tale.tell("a", 20, EventType::AccountClosed, &[]);
    assert_eq!((at(&tale, 20), at(&tale, 21)), (scored(50.0), excluded(Reason::Closed)));
    let health = tale.health(&model_of_x(), "a", 21);
    assert_eq!((health.status, health.coverage(), health.profile()), (Status::Closed, 0.0, None));
}

#[test]
fn internal_and_test_accounts_have_no_score_from_the_day_after() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("x", 50)]);
    tale.state("a", 20, "kind", text("internal"));
    tale.state("a", 22, "kind", text("test"));
    tale.state("a", 30, "kind", text("customer"));
    tale.state("a", 40, "kind", text("test"));
    tale.state("a", 50, "kind", text("partner"));
    assert_eq!([20, 21].map(|day| at(&tale, day)), [scored(50.0), excluded(Reason::Internal)]);
    // It was none to be scored already when it became a test.
    assert_eq!([22, 29].map(|day| at(&tale, day)), [excluded(Reason::Test); 2]);
    assert_eq!([30, 39, 40].map(|day| at(&tale, day)), [scored(50.0); 3]);
    assert_eq!([41, 50].map(|day| at(&tale, day)), [excluded(Reason::Test), scored(50.0)]);
}

/// An account in service from the 1st that is paused on the 20th and goes on on the 30th.
fn paused(tale: &mut Tale) {
    tale.serve("a", 1, "s");
    tale.subscription("a", 20, EventType::SubscriptionPaused, "s", &[], &[]);
    tale.subscription("a", 30, EventType::SubscriptionResumed, "s", &[], &[]);
}

#[test]
fn a_pause_freezes_the_answer_of_the_newest_day_end_before_it() {
    let mut tale = Tale::default();
    paused(&mut tale);
    tale.say("a", 18, &[("x", 41)]);
    tale.say("a", 19, &[("x", 50)]);
    tale.say("a", 20, &[("x", 20)]);
    tale.say("a", 25, &[("x", 90)]);
    let frozen = (State::Frozen, Some(Reason::Paused), YELLOW, Some(50.0));
    assert_eq!([19, 20, 25, 29].map(|day| at(&tale, day)), [scored(50.0), frozen, frozen, frozen]);
    assert_eq!(at(&tale, 30), (State::Scored, None, Band::Of(2), Some(90.0)));
    let health = tale.health(&model_of_x(), "a", 29);
    assert_eq!((health.status, health.coverage(), health.profile()), (Status::Paused, 1.0, Some(0)));
    // At eleven on the 20th it was not paused yet, and x said at noon was not either; at one it was.
    let instants = [11, 13].map(|hour| 20 * DAY + hour * HOUR);
    let told = tale.told(&model_of_x(), &instants);
    let verdicts = instants.map(|at| verdict(&told.health("a", at)));
    assert_eq!(verdicts, [scored(50.0), frozen]);
}

#[test]
fn a_pause_after_a_day_without_a_score_is_unknown() {
    let mut tale = Tale::default();
    paused(&mut tale);
    tale.say("a", 18, &[("x", 50)]);
    // Under this model x holds for its day only: the 19th has no score.
    let health = tale.health(&model_of_today(), "a", 25);
    assert_eq!(verdict(&health), unknown(Reason::Paused));
    assert_eq!((health.coverage(), health.profile()), (0.0, None));
}

#[test]
fn a_pause_that_names_its_end_ends_with_that_day() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("x", 50)]);
    tale.serve("a", 1, "s");
    tale.subscription("a", 20, EventType::SubscriptionPaused, "s", &[("until", 24)], &[]);
    let state = |day: i64| at(&tale, day).0;
    assert_eq!([19, 20, 24, 25].map(state), [State::Scored, State::Frozen, State::Frozen, State::Scored]);
}

/// Usage of the last 28 days, ten of them the best; half of the weight is x.
fn model_of_usage() -> String {
    format!(
        "{METRICS}n = {{ agg = 'count', window = 28, filter = {{ type = 'usage' }} }}\n\
         [measures]\nuse = {{ metric = 'n', curve = [[0, 0], [10, 100]] }}\nx = {{ metric = 'x', {AS_SAID} }}\n\
         [[profiles]]\nname = 'all'\ngroups = {{ all = {{ weight = 1, measures = {{ use = 1, x = 1 }} }} }}\n"
    )
}

#[test]
fn who_never_used_is_judged_on_0_and_it_is_said_beside_the_score() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("x", 90)]);
    tale.state("elsewhere", 1, "deployment", text("on_premise"));
    tale.say("elsewhere", 1, &[("x", 90)]);
    tale.use_daily("b", 10..11);
    let at = |account: &str, day: i64| {
        let health = tale.health(&model_of_usage(), account, day);
        (health.state, health.reason, health.score(), health.coverage())
    };
    // Before anybody's usage came in, silence says nothing; from that day on it is 0: (0 + 90)/2.
    assert_eq!(at("a", 9), (State::Scored, None, Some(90.0), 0.5));
    assert_eq!(at("a", 10), (State::Scored, Some(Reason::NeverUsed), Some(45.0), 1.0));
    // One use of ten: (10 + …)/1, as b has no x.
    assert_eq!(at("b", 10), (State::Scored, None, Some(10.0), 0.5));
    // Long after its only use it is silent, and that is not never.
    assert_eq!(at("b", 60), (State::Scored, None, Some(0.0), 0.5));
    // Without telemetry nobody knows.
    assert_eq!(at("elsewhere", 10), (State::Scored, None, Some(90.0), 0.5));
}

#[test]
fn use_by_the_vendors_own_people_feeds_usage_and_starts_no_life() {
    let mut tale = Tale::default();
    tale.tell("a", 1, EventType::Usage, &[]).actor = Actor::Internal;
    tale.say("b", 1, &[("x", 90)]);
    let verdict_of = |account: &str| verdict(&tale.health(&model_of_usage(), account, 1));
    assert_eq!(verdict_of("a"), unknown(Reason::NoLife));
    assert_eq!(verdict_of("b"), (State::Scored, Some(Reason::NeverUsed), YELLOW, Some(45.0)));
}

#[test]
fn never_used_stands_beside_a_score_only() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[]);
    tale.use_daily("b", 1..2);
    let health = tale.health(&model_of_x(), "a", 1);
    assert_eq!(verdict(&health), unknown(Reason::Coverage));
}

#[test]
fn catching_up_takes_the_place_of_scored_only() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("x", 50)]);
    tale.say("b", 1, &[]);
    let (model, end) = (model_of_x(), 2 * DAY);
    let told = tale.told(&model, &[]);
    let behind = |account: &str| verdict(&health(&told.at(account, end).catching_up(true)).expect("exact"));
    assert_eq!(behind("a"), (State::CatchingUp, None, YELLOW, Some(50.0)));
    assert_eq!(behind("b"), unknown(Reason::Coverage));
}
