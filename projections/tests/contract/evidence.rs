//! Which events stand behind a metric (health-model §5, explain).

use tidewatch_projections::calendar::Day;
use tidewatch_projections::health::judged_at;
use tidewatch_projections::metric::evidence::Evidence;
use tidewatch_projections::model::Model;
use tidewatch_projections::settings::{ClosedDays, Scope};
use tidewatch_projections::vocabulary::EventType::{
    NpsAnswered, SubscriptionPaused, TicketClosed, TicketOpened, TicketReplied, TicketUpdated, Usage,
};

use crate::tale::{DAY, HOUR, Tale, Told, number, text};

const METRICS: &str = "
events = { agg = 'count', filter = { family = 'usage' }, window = 7 }
ever = { agg = 'count', filter = { family = 'usage' } }
people = { agg = 'active_users', filter = { family = 'usage' }, window = 7 }
own = { agg = 'against_own', a = 'pair', weeks = 3 }
pair = { agg = 'count', filter = { family = 'usage' }, window = 2 }
change = { agg = 'change', a = 'events' }
open_days = { agg = 'active_days', filter = { family = 'usage' }, window = 4, skip_closed = true }
reply = { agg = 'first_reply_hours', filter = { 'properties.priority' = 'high' }, window = 7 }
nps = { agg = 'decayed_mean', field = 'properties.score', half_life_days = 0.5 }
against_seats = { agg = 'ratio', a = 'events', b = 'seats' }
nps_of_usage = { agg = 'ratio', a = 'nps', b = 'events' }
seats = { agg = 'standing', kind = 'seats' }
";

fn evidence(told: &Told<'_>, as_of: i64, metric: &str) -> Evidence {
    let index = told.plan.model.metrics.iter().position(|other| other.name == metric).expect(metric);
    Evidence::of(&told.plan.model, index, &told.at("a", as_of))
}

/// The ids of the events of a tale that stand behind a metric at an instant, in the order in which they were told.
fn behind(tale: &Tale, as_of: i64, metric: &str) -> Vec<String> {
    let told = tale.told(&format!("[metrics]{METRICS}"), &[as_of]);
    let evidence = evidence(&told, as_of, metric);
    tale.events().filter(|event| evidence.has(&tale.names, event)).map(|event| event.id.to_string()).collect()
}

fn ids(ids: impl IntoIterator<Item = i64>) -> Vec<String> {
    ids.into_iter().map(|id| id.to_string()).collect()
}

/// An event on each of the days 0 to 39, with the day as its id.
fn daily() -> Tale {
    let mut tale = Tale::default();
    tale.use_daily("a", 0..40);
    tale
}

#[test]
fn a_level_has_the_days_of_its_window_today_included_up_to_the_instant() {
    let tale = daily();
    assert_eq!(behind(&tale, 31 * DAY, "events"), ids(24..31));
    assert_eq!(behind(&tale, 30 * DAY + 11 * HOUR, "events"), ids(24..30), "that of today comes at noon");
    assert_eq!(behind(&tale, 31 * DAY, "ever"), ids(0..31));
}

#[test]
fn a_comparison_has_both_sides_and_ends_yesterday() {
    let tale = daily();
    assert_eq!(behind(&tale, 31 * DAY, "change"), ids(16..30));
    // Two days ending on day 29, and one, two and three weeks before.
    assert_eq!(behind(&tale, 31 * DAY, "own"), ids([7, 8, 14, 15, 21, 22, 28, 29]));
    // The window of three weeks ago would begin before life.
    let mut young = Tale::default();
    young.use_daily("a", 8..40);
    assert_eq!(behind(&young, 31 * DAY, "own"), ids([14, 15, 21, 22, 28, 29].map(|day| day - 8)));
}

#[test]
fn closed_days_are_left_out_and_made_up_for() {
    let mut tale = daily();
    tale.settings.closed_days.push(ClosedDays { scope: Scope::All, from: Day(28), to: Day(29) });
    assert_eq!(behind(&tale, 31 * DAY, "open_days"), ids([25, 26, 27, 30]));
}

#[test]
fn an_event_must_carry_what_the_aggregation_reads() {
    let mut tale = Tale::default();
    let ann = tale.names.intern("ann");
    tale.tell("a", 1, Usage, &[]).user = Some(ann);
    tale.tell("a", 1, Usage, &[]);
    let of_a_machine = tale.tell("a", 1, Usage, &[]);
    of_a_machine.actor = tidewatch_projections::event::Actor::Service;
    of_a_machine.user = Some(ann);
    let of_our_own = tale.tell("a", 1, Usage, &[]);
    of_our_own.actor = tidewatch_projections::event::Actor::Internal;
    of_our_own.user = Some(ann);
    assert_eq!(behind(&tale, 2 * DAY, "people"), ["0"]);
    assert_eq!(behind(&tale, 2 * DAY, "events"), ["0", "1", "2"]);
}

#[test]
fn what_has_decayed_is_looked_at_for_ten_half_lives() {
    let mut tale = Tale::default();
    (1..10).for_each(|day| _ = tale.tell("a", day, NpsAnswered, &[("score", number(9))]));
    tale.tell("a", 9, NpsAnswered, &[("score", text("nine"))]);
    // ⌊10 · 0.5⌋ = 5 days before day 9.
    assert_eq!(behind(&tale, 10 * DAY, "nps"), ids(3..9));
}

#[test]
fn waits_have_the_openings_that_count_and_what_ends_them() {
    let mut tale = Tale::default();
    let ticket = ("ticket_id", text("1"));
    tale.tell("a", 1, TicketOpened, &[ticket.clone(), ("priority", text("high"))]);
    tale.tell("a", 8, TicketOpened, &[("ticket_id", text("2")), ("priority", text("high"))]);
    tale.tell("a", 8, TicketOpened, &[("ticket_id", text("3")), ("priority", text("low"))]);
    tale.tell("a", 9, TicketReplied, &[("ticket_id", text("2")), ("by", text("agent"))]);
    tale.tell("a", 9, TicketUpdated, std::slice::from_ref(&ticket));
    tale.tell("a", 9, TicketClosed, std::slice::from_ref(&ticket));
    assert_eq!(behind(&tale, 10 * DAY, "reply"), ["1", "3", "5"]);
}

#[test]
fn a_ratio_has_the_events_of_both_and_facts_have_none() {
    let mut tale = daily();
    tale.tell("a", 30, NpsAnswered, &[("score", number(9))]);
    assert_eq!(
        behind(&tale, 31 * DAY, "nps_of_usage"),
        ids(24..31).into_iter().chain(ids([40])).collect::<Vec<_>>()
    );
    assert_eq!(behind(&tale, 31 * DAY, "against_seats"), ids(24..31));
    let told = tale.told(&format!("[metrics]{METRICS}"), &[]);
    assert!(evidence(&told, 31 * DAY, "seats").is_of_no_event());
    assert!(!evidence(&told, 31 * DAY, "against_seats").is_of_no_event());
}

#[test]
fn the_days_looked_at_are_told() {
    let tale = daily();
    let told = tale.told(&format!("[metrics]{METRICS}"), &[]);
    let days = |evidence: Evidence| evidence.days().map(|(first, last)| (first.map(|day| day.0), last.0));
    assert_eq!(days(evidence(&told, 31 * DAY, "change")), Some((Some(16), 29)));
    assert_eq!(days(evidence(&told, 31 * DAY, "ever")), Some((None, 30)));
    assert_eq!(days(evidence(&told, 31 * DAY, "ever").since(20 * DAY)), Some((Some(20), 30)));
    assert_eq!(days(evidence(&told, 31 * DAY, "seats")), None);
    let since = evidence(&told, 31 * DAY, "events").since(28 * DAY + 13 * HOUR);
    let found: Vec<_> =
        tale.events().filter(|event| since.has(&tale.names, event)).map(|event| &*event.id).collect();
    assert_eq!(found, ["29", "30"]);
}

#[test]
fn another_model_than_the_one_folded_can_ask() {
    let tale = daily();
    let told = tale.told("[metrics]\nx = { agg = 'count' }", &[]);
    let other = Model::parse(&format!("[metrics]{METRICS}")).expect("a model");
    let index = other.metrics.iter().position(|metric| metric.name == "own").expect("it is there");
    let evidence = Evidence::of(&other, index, &told.at("a", 31 * DAY));
    assert_eq!(tale.events().filter(|event| evidence.has(&tale.names, event)).count(), 8);
}

#[test]
fn a_paused_account_is_judged_at_the_end_of_the_last_day_before() {
    let mut tale = daily();
    tale.serve("a", 0, "s");
    tale.subscription("a", 30, SubscriptionPaused, "s", &[], &[]);
    let told = tale.told("[metrics]\nx = { agg = 'count' }", &[]);
    let judged = |as_of: i64| judged_at(&told.at("a", as_of)).expect("exact").map(|then| then.as_of);
    assert_eq!(judged(30 * DAY), Some(30 * DAY));
    assert_eq!(judged(35 * DAY), Some(30 * DAY));
}
