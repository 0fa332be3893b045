//! The default model, account by account (health-model §7): whole scores worked out by hand from its curves and weights.

use tidewatch_projections::event::QUANTITY_ONE;
use tidewatch_projections::health::{Band, Health, Reason, State};
use tidewatch_projections::model::DEFAULT;
use tidewatch_projections::vocabulary::EventType::*;

use crate::tale::{DAY, HOUR, Tale, Told, money, number, text};

/// One person uses one feature every day from the first to the 400th.
fn in_daily_use() -> Tale {
    let mut tale = Tale::default();
    let (ann, search) = (tale.names.intern("ann"), tale.names.intern("search"));
    for day in 1..=400 {
        let usage = tale.tell("a", day, Usage, &[]);
        (usage.user, usage.feature) = (Some(ann), Some(search));
    }
    tale
}

/// The points of a measure.
fn points(told: &Told<'_>, health: &Health, measure: &str) -> Option<f64> {
    told.measure(health, measure).measured.points
}

#[track_caller]
fn close(found: Option<f64>, expected: f64) {
    let found = found.expect("it has one");
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn an_account_that_only_sends_usage_is_scored_on_usage() {
    let tale = in_daily_use();
    let told = tale.told(DEFAULT, &[]);
    let health = told.health("a", 301 * DAY);
    assert_eq!(told.profile(&health), Some("standard"));
    // Without seats its people against its own past: as ever is 1, and 80 + 20·(1 − 0.9)/(1.3 − 0.9) = 85.
    close(points(&told, &health, "seat_activity"), 85.0);
    // 84 active days of 20 expected in four weeks are 4.2, above 3.
    close(points(&told, &health, "steadiness"), 100.0);
    // 14 days of the last 168 in two weeks: 1/12 is above 0.075.
    close(points(&told, &health, "recency"), 100.0);
    // Without a list of core features, features against its own past, as the people.
    close(points(&told, &health, "depth"), 85.0);
    // A monitor: no change is 75.
    close(points(&told, &health, "momentum"), 75.0);
    assert_eq!(points(&told, &health, "value_reached"), None);
    // (20·85 + 20·100 + 20·100 + 10·85)/70; nothing is known of the experience, so that this is all of the score and 0.8·70/100
    // of the weight.
    close(health.score(), 6550.0 / 70.0);
    close(Some(health.coverage()), 0.56);
    assert_eq!((health.state, health.band), (State::Scored, Band::Of(2)));
}

#[test]
fn seats_are_what_people_are_held_against_and_key_accounts_weigh_experience_more() {
    let mut tale = in_daily_use();
    tale.state("a", 1, "seats", number(4));
    tale.tell("a", 255, NpsAnswered, &[("score", number(8))]);
    // 1 of 4 seats: 20 + 30·(0.25 − 0.1)/(0.3 − 0.1) = 42.5. Outcome: (20·42.5 + 20·100 + 20·100 + 10·85)/70 = 5700/70.
    // One answer of 8, however old, is 8: 75. Score: 0.8·5700/70 + 0.2·75.
    let health = tale.health(DEFAULT, "a", 300);
    close(health.score(), 0.8 * 5700.0 / 70.0 + 15.0);
    // NPS is 20 of 100: 0.8·0.7 + 0.2·0.2.
    close(Some(health.coverage()), 0.6);
    tale.state("a", 299, "tier", text("A"));
    let told = tale.told(DEFAULT, &[]);
    let health = told.health("a", 301 * DAY);
    assert_eq!(told.profile(&health), Some("key account"));
    close(health.score(), 0.7 * 5700.0 / 70.0 + 22.5);
    // 0.7·0.7 + 0.3·0.2.
    close(Some(health.coverage()), 0.55);
}

#[test]
fn value_counts_against_the_own_eight_weeks() {
    let mut tale = in_daily_use();
    // Up to the 285th, so that of the 28 days ending on the 299th the first 14 have some.
    (1..=285).for_each(|day| tale.tell("a", day, Value, &[]).quantity = Some(QUANTITY_ONE));
    let told = tale.told(DEFAULT, &[]);
    let health = told.health("a", 301 * DAY);
    // The windows that end 7, 14, …, 56 days before have 21, 28, …, 28: half of the median, 30 points.
    close(points(&told, &health, "value_reached"), 30.0);
    // (30·30 + 20·85 + 20·100 + 20·100 + 10·85)/100.
    close(health.score(), 74.5);
    close(Some(health.coverage()), 0.8);
}

#[test]
fn a_new_account_is_judged_on_milestones_and_not_against_a_past_it_has_not() {
    let mut tale = in_daily_use();
    tale.state("a", 1, "seats", number(4));
    for (day, milestone) in [(5, "kickoff"), (20, "configured")] {
        tale.tell("a", day, MilestoneReached, &[("milestone", text(milestone))]);
    }
    let told = tale.told(DEFAULT, &[]);
    let health = told.health("a", 42 * DAY);
    assert_eq!(told.profile(&health), Some("onboarding"));
    // On its 40th day kickoff, configuration and training are due, two of them reached; regularity is 28 days of 20.
    close(points(&told, &health, "onboarding"), 200.0 / 3.0);
    close(points(&told, &health, "regularity"), 100.0);
    // No window of 35 days before the one that began on the 6th lies in its life.
    assert_eq!(points(&told, &health, "depth"), None);
    // (45·66.667 + 20·42.5 + 15·100 + 10·100)/90.
    close(health.score(), 6350.0 / 90.0);
    close(Some(health.coverage()), 0.8 * 0.9);
    // At 60 days it is grown; a stage says otherwise.
    assert_eq!(told.profile(&told.health("a", 61 * DAY)), Some("onboarding"));
    assert_eq!(told.profile(&told.health("a", 62 * DAY)), Some("standard"));
    tale.tell("a", 62, StageChanged, &[("stage", text("onboarding"))]);
    tale.state("a", 62, "tier", text("A"));
    let told = tale.told(DEFAULT, &[]);
    assert_eq!(told.profile(&told.health("a", 63 * DAY)), Some("onboarding, key account"));
}

#[test]
fn without_telemetry_goals_and_experience_count_and_the_profile_says_so() {
    let mut tale = in_daily_use();
    tale.say("p", 1, &[]);
    tale.state("p", 1, "deployment", text("on_premise"));
    tale.tell("p", 20, GoalSet, &[("goal", text("faster"))]);
    tale.tell("p", 21, GoalSet, &[("goal", text("cheaper"))]);
    tale.tell("p", 30, GoalMet, &[("goal", text("faster"))]);
    tale.tell("p", 39, NpsAnswered, &[("score", number(8))]);
    for (day, milestone) in [(5, "kickoff"), (20, "configured")] {
        tale.tell("p", day, MilestoneReached, &[("milestone", text(milestone))]);
    }
    let told = tale.told(DEFAULT, &[]);
    let young = told.health("p", 42 * DAY);
    // Milestones 2 of 3, goals 1 of 2: 20 + 80·0.5 = 60, NPS 75. (0.6·66.667 + 0.4·60 + 75)/2 = (64 + 75)/2.
    assert_eq!((told.profile(&young), young.reason), (Some("no telemetry, onboarding"), None));
    close(young.score(), 69.5);
    let grown = told.health("p", 101 * DAY);
    // (60 + 75)/2, and of the weights all of the goals and 20 of 100 of the experience.
    assert_eq!((told.profile(&grown), grown.reason), (Some("no telemetry"), None));
    close(grown.score(), 67.5);
    close(Some(grown.coverage()), 0.6);
}

/// Everything of the customer experience, told of one account by the 300th day.
fn experience(tale: &mut Tale) {
    tale.tell("a", 290, NpsAnswered, &[("score", number(8))]);
    tale.tell("a", 290, CsatAnswered, &[("score", number(4))]);
    tale.tell("a", 290, PulseRecorded, &[("points", number(50))]);
    for ticket in 0..20 {
        let id = ("ticket_id", text(&format!("t{ticket}")));
        tale.tell("a", 280, TicketOpened, std::slice::from_ref(&id));
        let by = [id.clone(), ("by", text("agent"))];
        tale.tell("a", 280, TicketReplied, &by).occurred_at += 4 * HOUR;
        tale.tell("a", 281, TicketResolved, std::slice::from_ref(&id));
        if ticket < 10 {
            let rating = if ticket < 8 { "great" } else { "bad" };
            tale.tell("a", 282, TicketRated, &[id, ("rating", text(rating))]);
        }
    }
    tale.tell("a", 283, TicketReopened, &[("ticket_id", text("t0"))]);
    tale.tell("a", 284, TicketEscalated, &[("ticket_id", text("t0"))]);
    let invoice = [("invoice_id", text("i")), ("due_at", text("1970-09-29"))];
    tale.tell("a", 260, InvoiceIssued, &invoice).amount = money(50_000, "EUR");
    tale.tell("a", 290, PaymentFailed, &invoice[..1]);
    tale.tell("b", 1, InvoicePaid, &[("invoice_id", text("j"))]);
}

#[test]
fn every_measure_of_the_customer_experience_adds_its_points() {
    let mut tale = in_daily_use();
    experience(&mut tale);
    let told = tale.told(DEFAULT, &[]);
    let health = told.health("a", 301 * DAY);
    // The 29th of September 1970 is day 271 of the epoch: on the 300th the invoice is 29 days late.
    for (measure, expected) in [
        ("nps", 75.0),                             // 8 of 10
        ("csat", 75.0),                            // 50 + 50·(4 − 3)/2
        ("pulse", 50.0),                           // yellow
        ("happiness", 50.0 + 50.0 * 60.0 / 80.0),  // 8 great, 2 bad of 10: 60
        ("first_reply", 100.0 - 20.0 * 3.0 / 7.0), // the median of 20 is 4 hours
        ("reopened", 80.0),                        // 1 of 20 resolved: 0.05
        ("escalations", 40.0),                     // one open
        ("past_due", 60.0 - 60.0 * 14.0 / 30.0),   // 29 days, 14 of the 30 from 15 to 45
        ("failed_payments", 60.0),                 // one
    ] {
        close(points(&told, &health, measure), expected);
    }
    // 20·75 + 10·(75 + 50 + 87.5 + 91.428571… + 80 + 40) + 12·32 + 8·60 = 6603 and 2/7, of 100.
    let experience = (6603.0 + 2.0 / 7.0) / 100.0;
    let groups = &health.figures.as_ref().expect("scored").weighed.groups;
    close(groups[1].score, experience);
    close(health.score(), 0.8 * 6550.0 / 70.0 + 0.2 * experience);
    // All of the experience, and 70 of 100 of the outcome.
    close(Some(health.coverage()), 0.76);
}

#[test]
fn who_stops_using_it_ends_red_and_who_never_began_is_judged_on_nothing_used() {
    let mut tale = in_daily_use();
    tale.say("silent", 1, &[]);
    tale.state("silent", 1, "seats", number(4));
    let told = tale.told(DEFAULT, &[]);
    // At the end of the 500th, a hundred days after the last use: every window of 35 days that ends 0 to 8 weeks before is empty,
    // as are the last 12 weeks; 68 of the last 168 days had use, and none of the last 14.
    let health = told.health("a", 501 * DAY);
    for measure in ["seat_activity", "steadiness", "recency", "depth"] {
        close(points(&told, &health, measure), 0.0);
    }
    assert_eq!((health.score(), health.band), (Some(0.0), Band::Of(0)));
    // Who never used the product: 0 people of 4 seats, 0 days of 20, features 0 against 0; recency has no day to count from.
    let health = told.health("silent", 301 * DAY);
    assert_eq!((health.reason, health.score()), (Some(Reason::NeverUsed), Some(0.0)));
    assert_eq!(points(&told, &health, "recency"), None);
    close(Some(health.coverage()), 0.8 * 0.5);
}
