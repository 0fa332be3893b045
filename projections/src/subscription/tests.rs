//! The sentences of health-model §2 on subscriptions, one by one.

use super::*;
use crate::names::Names;

fn day(text: &str) -> Day {
    Day::parse(text).expect("a date")
}

fn at(day: Day) -> Micros {
    i64::from(day.0) * 86_400_000_000
}

fn line(names: &Names, changes: Vec<(&str, Change)>) -> Timeline<Recorded> {
    let mut line = Timeline::default();
    let source = names.intern("billing");
    for (index, (on, change)) in changes.into_iter().enumerate() {
        let order = Order { at: at(day(on)), source, id: index.to_string().into() };
        line.insert(names, order, Recorded { day: day(on), change });
    }
    line
}

fn terms(from: &str, to: &str) -> Terms {
    Terms { from: Some(day(from)), term_end: Some(day(to)), ..Terms::default() }
}

fn started(from: &str, to: &str) -> Change {
    Change::Started(terms(from, to))
}

fn renewed(from: &str, to: &str) -> Change {
    Change::Renewed(terms(from, to))
}

fn cancelled(effective: &str) -> Change {
    Change::Cancelled { effective: Some(day(effective)) }
}

const PAUSED: Change = Change::Paused { until: None };

fn money(minor: i64) -> Money {
    Money { minor, currency: crate::event::Currency::from_code("EUR").expect("a code") }
}

fn on(line: &Timeline<Recorded>, names: &Names, today: &str) -> SubscriptionState {
    standing(line, &Timeline::default(), names, at(day(today).plus(1)), day(today)).expect("it was seen")
}

#[test]
fn a_month_at_the_end_of_january_rolls_without_drifting() {
    let names = Names::new();
    let terms = Terms { auto_renew: Some(true), ..terms("2024-01-31", "2024-02-28") };
    let line = line(&names, vec![("2024-01-31", Change::Started(terms))]);
    let term = |today| on(&line, &names, today).term;
    assert_eq!(term("2024-02-28"), Term { start: day("2024-01-31"), end: Some(day("2024-02-28")) });
    assert_eq!(term("2024-03-01"), Term { start: day("2024-02-29"), end: Some(day("2024-03-30")) });
    assert_eq!(term("2024-04-01"), Term { start: day("2024-03-31"), end: Some(day("2024-04-29")) });
}

#[test]
fn a_cancellation_stops_the_rolling_and_a_withdrawal_starts_it_again() {
    let names = Names::new();
    let start = Terms { auto_renew: Some(true), ..terms("2023-01-01", "2023-12-31") };
    let cancelled = Change::Cancelled { effective: Some(day("2025-06-01")) };
    let mut changes = vec![("2023-01-01", Change::Started(start)), ("2024-03-01", cancelled)];
    let before = line(&names, changes.clone());
    let standing = on(&before, &names, "2025-03-01");
    assert_eq!(standing.term.end, Some(day("2024-12-31")));
    assert!(standing.live && standing.cancelled);
    assert!(!on(&before, &names, "2025-06-01").live, "the effective day is the first without service");
    changes.push(("2024-04-01", Change::Withdrawn));
    let standing = on(&line(&names, changes), &names, "2025-07-01");
    assert_eq!(standing.term.end, Some(day("2025-12-31")));
    assert!(standing.live && !standing.cancelled);
}

#[test]
fn figures_count_from_the_day_they_name_and_never_before_their_event() {
    let names = Names::new();
    let start = Terms { seats: Some(5), ..terms("2024-01-01", "2024-12-31") };
    let later = Terms { from: Some(day("2024-06-01")), seats: Some(9), ..Terms::default() };
    let backdated = Terms { from: Some(day("2024-01-15")), seats: Some(7), ..Terms::default() };
    let line = line(
        &names,
        vec![
            ("2024-01-01", Change::Started(start)),
            ("2024-02-01", Change::Changed(later)),
            ("2024-03-01", Change::Changed(backdated)),
        ],
    );
    let seats = |today| on(&line, &names, today).seats;
    assert_eq!(seats("2024-02-15"), Some(5));
    assert_eq!(seats("2024-03-01"), Some(7));
    assert_eq!(seats("2024-06-01"), Some(9));
}

#[test]
fn first_heard_of_by_another_event_it_counts_as_begun() {
    let names = Names::new();
    let line = line(&names, vec![("2024-05-01", Change::Changed(Terms::default()))]);
    assert!(on(&line, &names, "2024-05-01").live);
}

#[test]
fn a_converted_trial_has_no_term_until_one_is_stated() {
    let names = Names::new();
    let converted = |terms| {
        line(
            &names,
            vec![
                ("2024-01-01", Change::TrialStarted(terms_of_trial())),
                ("2024-01-20", Change::TrialConverted(terms)),
            ],
        )
    };
    assert_eq!(on(&converted(Terms::default()), &names, "2024-01-10").term.end, Some(day("2024-01-31")));
    assert_eq!(on(&converted(Terms::default()), &names, "2024-02-10").term.end, None);
    let stated = converted(terms("2024-01-20", "2025-01-19"));
    assert_eq!(on(&stated, &names, "2024-02-10").term.end, Some(day("2025-01-19")));
}

fn terms_of_trial() -> Terms {
    terms("2024-01-01", "2024-01-31")
}

#[test]
fn a_trial_ends_once_though_its_start_was_never_heard_of_and_a_conversion_undoes_no_other_end() {
    let names = Names::new();
    let mut changes = vec![("2024-01-10", Change::TrialEnded)];
    let ended = on(&line(&names, changes.clone()), &names, "2024-01-15");
    assert_eq!((ended.live, ended.trial, ended.ended_on), (false, true, Some(day("2024-01-10"))));
    changes.push(("2024-01-12", Change::TrialConverted(Terms::default())));
    let converted = on(&line(&names, changes.clone()), &names, "2024-01-15");
    assert!(converted.live && !converted.trial);
    changes.insert(0, ("2024-01-05", Change::Ended));
    let over = on(&line(&names, changes.clone()), &names, "2024-01-15");
    assert_eq!((over.live, over.ended_on), (false, Some(day("2024-01-05"))));
    changes.push(("2024-01-14", Change::Started(Terms::default())));
    assert!(on(&line(&names, changes), &names, "2024-01-15").live, "a start begins afresh");
}

#[test]
fn a_pause_ends_with_its_last_day() {
    let names = Names::new();
    let line = line(
        &names,
        vec![
            ("2024-01-01", Change::Started(terms("2024-01-01", "2024-12-31"))),
            ("2024-02-01", Change::Paused { until: Some(day("2024-02-10")) }),
        ],
    );
    assert!(on(&line, &names, "2024-02-10").paused);
    assert!(!on(&line, &names, "2024-02-11").paused);
}

#[test]
fn a_start_undoes_the_cancellation_the_end_and_the_pause_before_it() {
    let names = Names::new();
    let line = line(
        &names,
        vec![
            ("2025-01-01", started("2025-01-01", "2025-12-31")),
            ("2025-03-01", cancelled("2025-04-10")),
            ("2025-04-05", PAUSED),
            ("2025-04-10", Change::Ended),
            ("2025-05-20", started("2025-08-01", "2026-07-31")),
        ],
    );
    let before = on(&line, &names, "2025-07-31");
    assert_eq!((before.live, before.served, before.ended_on), (false, true, Some(day("2025-04-10"))));
    let after = on(&line, &names, "2025-08-01");
    assert_eq!((after.live, after.cancelled, after.paused, after.ended_on), (true, false, false, None));
    assert_eq!(after.term.end, Some(day("2026-07-31")));
}

#[test]
fn a_renewal_that_starts_when_service_would_end_undoes_the_cancellation_and_an_earlier_one_does_not() {
    let names = Names::new();
    let renewed_from = |from| {
        line(
            &names,
            vec![
                ("2025-01-10", started("2025-01-01", "2025-12-31")),
                ("2025-10-01", cancelled("2026-01-01")),
                ("2025-11-20", renewed(from, "2026-12-31")),
            ],
        )
    };
    let kept = renewed_from("2026-01-01");
    assert!(on(&kept, &names, "2025-11-19").cancelled);
    for today in ["2025-11-20", "2025-12-31", "2026-01-01"] {
        let standing = on(&kept, &names, today);
        assert_eq!((standing.live, standing.cancelled), (true, false), "{today}");
    }
    let early = renewed_from("2025-12-20");
    assert!(on(&early, &names, "2025-12-31").cancelled);
    assert!(!on(&early, &names, "2026-01-01").live);
}

#[test]
fn a_renewal_without_service_begins_again_on_the_day_it_names() {
    let names = Names::new();
    let line = line(
        &names,
        vec![
            ("2025-01-10", started("2025-01-01", "2025-12-31")),
            ("2025-06-15", Change::Ended),
            ("2025-07-01", renewed("2025-09-01", "2026-08-31")),
        ],
    );
    let between = on(&line, &names, "2025-08-31");
    assert_eq!((between.live, between.ended_on), (false, Some(day("2025-06-15"))));
    let again = on(&line, &names, "2025-09-01");
    assert_eq!((again.live, again.ended_on), (true, None));
}

#[test]
fn a_renewal_leaves_the_pause_and_without_a_start_begins_on_the_day_of_its_event() {
    let names = Names::new();
    let unstated = Terms { term_end: Some(day("2026-11-30")), ..Terms::default() };
    let line = line(
        &names,
        vec![
            ("2025-01-01", started("2025-01-01", "2025-11-30")),
            ("2025-10-20", PAUSED),
            ("2025-12-01", Change::Renewed(unstated)),
        ],
    );
    let standing = on(&line, &names, "2025-12-10");
    assert!(standing.live && standing.paused);
    assert_eq!(standing.term, Term { start: day("2025-12-01"), end: Some(day("2026-11-30")) });
}

#[test]
fn what_means_all_of_the_account_catches_what_had_begun() {
    let names = Names::new();
    let all = line(&names, vec![("2025-05-01", PAUSED), ("2025-05-03", Change::Withdrawn)]);
    let status = |changes, today| {
        let standing = standing(&line(&names, changes), &all, &names, at(day(today).plus(1)), day(today));
        standing.map(|standing| (standing.paused, standing.cancelled))
    };
    let cancelled = |on| (on, Change::Cancelled { effective: Some(day("2026-12-31")) });
    let running = vec![("2025-01-05", Change::Started(Terms::default())), cancelled("2025-04-01")];
    assert_eq!(status(running.clone(), "2025-05-02"), Some((true, true)));
    assert_eq!(status(running, "2025-05-04"), Some((true, false)));
    let announced = vec![("2025-04-01", started("2025-10-15", "2026-10-14")), cancelled("2025-04-02")];
    assert_eq!(status(announced, "2025-11-01"), Some((false, true)));
    let later = vec![("2025-07-01", Change::Started(Terms::default()))];
    assert_eq!(status(later, "2025-07-01"), Some((false, false)));
    let unheard = vec![("2025-04-01", Change::Changed(Terms::default()))];
    assert_eq!(status(unheard, "2025-05-04"), Some((true, false)));
}

#[test]
fn a_trial_stays_one_until_the_day_its_paid_start_names_and_only_its_seats_carry_over() {
    let names = Names::new();
    let trial = Terms { seats: Some(3), amount: Some(money(0)), ..terms("2025-05-01", "2025-06-30") };
    let paid = Terms { auto_renew: Some(true), ..terms("2025-07-20", "2026-07-19") };
    let line = line(
        &names,
        vec![("2025-05-01", Change::TrialStarted(trial)), ("2025-05-20", Change::Started(paid))],
    );
    let before = on(&line, &names, "2025-07-19");
    assert_eq!((before.trial, before.amount, before.seats), (true, Some(money(0)), Some(3)));
    assert_eq!(before.term.end, Some(day("2025-06-30")), "a term that passed with no word stays");
    let after = on(&line, &names, "2025-07-20");
    assert_eq!((after.trial, after.amount, after.seats), (false, None, Some(3)));
    assert_eq!(after.term.end, Some(day("2026-07-19")));
}

#[test]
fn a_trial_started_after_a_paid_start_is_a_trial_again() {
    let names = Names::new();
    let paid = Terms { amount: Some(money(900)), seats: Some(6), ..terms("2025-01-05", "2026-01-04") };
    let trial = Terms { amount: Some(money(0)), ..terms("2025-06-01", "2025-09-01") };
    let line = line(
        &names,
        vec![
            ("2025-01-05", Change::Started(paid)),
            ("2025-06-01", Change::TrialStarted(trial)),
            ("2025-10-10", Change::TrialConverted(Terms::default())),
        ],
    );
    let again = on(&line, &names, "2025-09-30");
    assert_eq!((again.live, again.trial, again.amount), (true, true, Some(money(0))));
    let converted = on(&line, &names, "2025-10-10");
    assert_eq!((converted.trial, converted.amount, converted.seats), (false, Some(money(900)), Some(6)));
    assert_eq!(converted.term.end, Some(day("2026-01-04")));
}

#[test]
fn what_was_cancelled_before_it_began_gave_no_day_of_service() {
    let names = Names::new();
    let line = line(
        &names,
        vec![("2025-05-01", started("2025-08-01", "2026-07-31")), ("2025-06-15", cancelled("2025-06-20"))],
    );
    for today in ["2025-06-30", "2025-08-01", "2026-08-01"] {
        let standing = on(&line, &names, today);
        assert_eq!((standing.live, standing.served), (false, false), "{today}");
    }
}

#[test]
fn a_term_that_would_begin_on_the_day_of_the_cancellation_does_not() {
    let names = Names::new();
    let cancelled_on = |cancelled_on| {
        let start = Terms { auto_renew: Some(true), ..terms("2025-01-10", "2025-02-09") };
        let changes = vec![("2025-01-10", Change::Started(start)), (cancelled_on, cancelled("2026-05-01"))];
        on(&line(&names, changes), &names, "2025-09-30").term.start
    };
    assert_eq!(cancelled_on("2025-06-10"), day("2025-05-10"));
    assert_eq!(cancelled_on("2025-06-11"), day("2025-06-10"));
}
