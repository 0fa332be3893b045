//! The life of an alert as a state machine, and of a case.

use proptest::prelude::*;

use super::case::{self, Action, Case, CaseState, Notice};
use super::change::Change;
use super::figures::Figures;
use super::life::{Finding, Next, Outcome, Today, step};
use super::record::{AccountAlerts, AlertState, Slot, Transition};
use crate::calendar::Day;
use crate::rules::Rules;
use crate::rules::rule::Rule;
use crate::settings::{Closed, ClosedDays, Scope};
use crate::severity::Severity;

fn rule(hold_days: u32) -> Rule {
    let text = format!(
        "[rules]\nr = {{ all = [{{ metric = 'm', ge = 1 }}], severity = 'low', hold_days = {hold_days}, keep_days = 2, cooldown_days = 5 }}\n"
    );
    Rules::parse(&text).unwrap().rules.remove(0)
}

fn found(severity: Severity) -> Outcome {
    let figures = Figures { text: "m is 2".into(), ..Figures::default() };
    Outcome::Found(Finding { name: "r".into(), severity, figures, reopens: true })
}

fn slot() -> Slot {
    Slot { rule: "r".into(), scope: "account".into() }
}

fn transition(alerts: &AccountAlerts, day: Day, change: Change, severity: Severity) -> Transition {
    Transition {
        account: "acme".into(),
        slot: slot(),
        name: "r".into(),
        change,
        day,
        severity,
        cause: "condition".into(),
        figures: Figures::default(),
        number: alerts.next_number(&slot()),
    }
}

/// Lives some days and tells what happened on each: the day counted from 0, and the change.
fn lived(rule: &Rule, outcomes: &[Outcome], closed: &[i32]) -> (Vec<(i32, Change, String)>, AccountAlerts) {
    let of_all = |day: &i32| ClosedDays { scope: Scope::All, from: Day(*day), to: Day(*day) };
    let closed = Closed::of(&closed.iter().map(of_all).collect::<Vec<_>>(), "acme", None, None);
    let mut alerts = AccountAlerts::default();
    let mut told = Vec::new();
    for (day, outcome) in (0..).zip(outcomes) {
        let today = Today { day: Day(day), closed: &closed };
        match step(alerts.get(&slot()), rule, outcome.clone(), today) {
            Next::Same => {}
            Next::Count(counts) => alerts.count(&slot(), counts),
            Next::Change { change, cause, finding } => {
                let severity = finding.map_or(Severity::Low, |finding| finding.severity);
                told.push((day, change, cause.to_string()));
                let transition = Transition { cause, ..transition(&alerts, Day(day), change, severity) };
                alerts.apply(&transition);
            }
        }
    }
    (told, alerts)
}

fn words(told: &[(i32, Change, String)]) -> Vec<(i32, &str, &str)> {
    told.iter().map(|(day, change, cause)| (*day, change.name(), cause.as_str())).collect()
}

const LOW: Severity = Severity::Low;

#[test]
fn an_alert_opens_stays_and_resolves_once_it_was_gone_for_its_days() {
    let (on, gone) = (found(LOW), Outcome::Gone);
    // A day without the condition in between does not end it, and what is missing leaves it as it is.
    let days = [&gone, &on, &on, &gone, &on, &gone, &Outcome::Missing, &gone, &gone].map(Clone::clone);
    let (told, alerts) = lived(&rule(1), &days, &[]);
    assert_eq!(words(&told), [(1, "open", "condition"), (7, "resolved", "passed")]);
    assert_eq!(alerts.get(&slot()).unwrap().state, AlertState::Resolved);
}

#[test]
fn it_opens_again_as_the_same_within_its_cool_down_and_as_another_after_it() {
    let (on, gone) = (found(LOW), Outcome::Gone);
    let mut days = vec![on.clone(), gone.clone(), gone.clone(), gone.clone(), on.clone()];
    let (told, alerts) = lived(&rule(1), &days, &[]);
    assert_eq!(words(&told)[1..], [(2, "resolved", "passed"), (4, "open", "flap")]);
    let alert = alerts.get(&slot()).unwrap();
    assert_eq!((alert.flaps, alert.first_on, alert.opened_on), (1, Day(0), Some(Day(4))));

    days.truncate(4);
    days.extend(vec![gone.clone(); 4]);
    days.push(on);
    let (told, alerts) = lived(&rule(1), &days, &[]);
    assert_eq!(words(&told)[2..], [(7, "closed", "cooled_down"), (8, "open", "condition")]);
    let alert = alerts.get(&slot()).unwrap();
    assert_eq!((alert.flaps, alert.first_on, alert.transitions), (0, Day(8), 1), "another alert");
}

#[test]
fn what_must_last_is_pending_first_and_closed_days_count_for_nothing() {
    let (on, gone) = (found(LOW), Outcome::Gone);
    let days = vec![on.clone(); 5];
    assert_eq!(
        words(&lived(&rule(3), &days, &[]).0),
        [(0, "pending", "condition"), (2, "open", "condition")]
    );
    let (told, _) = lived(&rule(3), &days, &[1, 2]);
    assert_eq!(words(&told), [(0, "pending", "condition"), (4, "open", "condition")]);
    let (told, _) = lived(&rule(3), &[on.clone(), gone.clone()], &[]);
    assert_eq!(words(&told), [(0, "pending", "condition"), (1, "closed", "passed")]);
    // Gone on a closed day is not gone yet.
    let (told, _) = lived(&rule(1), &[on, gone.clone(), gone.clone(), gone], &[1]);
    assert_eq!(words(&told), [(0, "open", "condition"), (3, "resolved", "passed")]);
}

#[test]
fn severity_is_told_and_an_account_that_ends_has_no_alert() {
    let days = [found(LOW), found(Severity::High), found(LOW), Outcome::NotJudged, Outcome::Over("left")];
    let (told, _) = lived(&rule(1), &days, &[]);
    let expected =
        [(0, "open", "condition"), (1, "updated", "worse"), (2, "updated", "better"), (4, "closed", "left")];
    assert_eq!(words(&told), expected);
}

#[test]
fn a_case_opens_with_what_is_told_and_takes_back_what_opens_within_a_week() {
    let (mut alerts, mut case): (AccountAlerts, Option<Case>) = Default::default();
    let mut take = |case: &mut Option<Case>, day: i32, change: Change, severity: Severity| {
        let transition = transition(&alerts, Day(day), change, severity);
        alerts.apply(&transition);
        case::take(case, &alerts, &transition)
    };
    assert_eq!(take(&mut case, 0, Change::Found, LOW), None);
    assert_eq!(case, None);
    assert_eq!(take(&mut case, 1, Change::Updated, Severity::High), Some(Notice::Opened), "it got worse");
    assert_eq!(take(&mut case, 2, Change::Updated, Severity::Critical), Some(Notice::Worse));
    assert_eq!(take(&mut case, 5, Change::Resolved, LOW), Some(Notice::Resolved));
    assert_eq!(take(&mut case, 12, Change::Open, LOW), Some(Notice::Opened));
    assert_eq!(case.as_ref().map(|case| (case.opened_on, case.notices)), Some((Day(1), 4)), "the same case");
    assert_eq!(take(&mut case, 14, Change::Resolved, LOW), Some(Notice::Resolved));
    assert_eq!(take(&mut case, 22, Change::Open, LOW), Some(Notice::Opened));
    assert_eq!(case.map(|case| (case.opened_on, case.notices)), Some((Day(22), 1)), "another one");
}

#[test]
fn a_snooze_ends_with_its_time_or_when_it_gets_worse() {
    let (mut alerts, mut case): (AccountAlerts, Option<Case>) = Default::default();
    let mut take = |case: &mut Option<Case>, change: Change, severity: Severity| {
        let transition = transition(&alerts, Day(0), change, severity);
        alerts.apply(&transition);
        case::take(case, &alerts, &transition)
    };
    take(&mut case, Change::Open, LOW);
    let snooze = Action::Snooze { until: 100 };
    let snoozed = case.as_mut().unwrap();
    assert_eq!(snoozed.act(&snooze, "ann", 1), Some(Notice::Snoozed));
    assert_eq!(snoozed.wake(99), None);
    assert_eq!(snoozed.wake(100), Some(Notice::Awake));
    assert_eq!((snoozed.state, snoozed.snoozed_until), (CaseState::Open, None));
    snoozed.act(&snooze, "ann", 1);
    assert_eq!(take(&mut case, Change::Updated, Severity::High), Some(Notice::Worse));
    assert_eq!(case.unwrap().state, CaseState::Open);
}

fn outcomes() -> impl Strategy<Value = Vec<Outcome>> {
    let outcome = prop_oneof![
        4 => Just(found(LOW)),
        1 => Just(found(Severity::High)),
        4 => Just(Outcome::Gone),
        1 => Just(Outcome::Missing),
        1 => Just(Outcome::NotJudged),
    ];
    proptest::collection::vec(outcome, 0..60)
}

proptest! {
    /// Beside a plain account of the days: it is open from the last of `hold` days in a row until the last of `keep` days without.
    #[test]
    fn lives_follow_the_days(outcomes in outcomes(), hold in 1_u32..4) {
        let rule = rule(hold);
        let (told, _) = lived(&rule, &outcomes, &[]);
        let mut is_open = false;
        let mut before: Option<i32> = None;
        for (day, change, _) in &told {
            prop_assert!(before.is_none_or(|before| before < *day), "one a day");
            before = Some(*day);
            let run = outcomes[..=*day as usize].iter().rev();
            match change {
                Change::Open => {
                    prop_assert!(!is_open, "it opens once");
                    is_open = true;
                    prop_assert!(matches!(outcomes[*day as usize], Outcome::Found(_)));
                }
                Change::Resolved => {
                    prop_assert!(is_open);
                    is_open = false;
                    let judged = run.filter(|outcome| !matches!(outcome, Outcome::Missing | Outcome::NotJudged));
                    let gone = judged.take_while(|outcome| **outcome == Outcome::Gone).count();
                    prop_assert!(gone >= rule.keep_days as usize, "gone for {} days", gone);
                }
                Change::Updated => prop_assert!(is_open),
                _ => prop_assert!(!is_open),
            }
        }
    }
}
