//! When a measure is stale: its newest input event is too old, or was never seen (health-model §5).

use tidewatch_projections::scalar::Scalar;
use tidewatch_projections::vocabulary::EventType::{self, *};

use crate::tale::{AS_SAID, DAY, METRICS, Tale, number, text};

/// A model of one measure `m` of at most five days, and a `y` that keeps the score.
fn model(metrics: &str, measure: &str) -> String {
    format!(
        "coverage_min = 0.1\n{METRICS}{metrics}\n[measures]\nm = {{ {measure}, max_age_days = 5 }}\n\
         anchor = {{ metric = 'y', {AS_SAID} }}\n\
         [[profiles]]\nname = 'all'\ngroups = {{ all = {{ weight = 1, measures = {{ m = 1, anchor = 1 }} }} }}"
    )
}

/// Whether `m` is stale at the end of a day, and whether it is present; never both.
fn stale(tale: &Tale, model: &str, day: i64) -> bool {
    let told = tale.told(model, &[]);
    let health = told.health("a", (day + 1) * DAY);
    let measured = &told.measure(&health, "m").measured;
    assert!(!(measured.stale && measured.present), "{measured:?}");
    measured.stale
}

fn of_metric(metric: &str) -> String {
    model(&format!("m = {metric}"), &format!("metric = 'm', {AS_SAID}"))
}

#[test]
fn an_input_is_too_old_the_day_after_its_last_allowed_one() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("y", 50)]);
    tale.say("a", 10, &[("x", 90)]);
    let model = model("", &format!("metric = 'x', {AS_SAID}"));
    let told = tale.told(&model, &[]);
    let at = |day: i64| {
        let health = told.health("a", (day + 1) * DAY);
        let measured = told.measure(&health, "m").measured.clone();
        (measured.stale, measured.present, measured.points, measured.value, health.score())
    };
    let value = Some(Scalar::Integer(90));
    // Five days after the 10th it still counts, (90 + 50)/2; then its value is shown and missing.
    assert_eq!(at(15), (false, true, Some(90.0), value.clone(), Some(70.0)));
    assert_eq!(at(16), (true, false, None, value, Some(50.0)));
}

#[test]
fn what_was_never_seen_is_stale_though_its_count_is_0() {
    let mut tale = Tale::default();
    tale.say("a", 10, &[("y", 50)]);
    tale.tell("b", 1, TicketOpened, &[("ticket_id", text("t"))]);
    let tickets = of_metric("{ agg = 'count', window = 30, filter = { type = 'ticket_opened' } }");
    let told = tale.told(&tickets, &[]);
    let measured = told.measure(&told.health("a", 11 * DAY), "m").measured.clone();
    assert_eq!((measured.value, measured.stale), (Some(Scalar::Integer(0)), true));
    tale.tell("a", 10, TicketOpened, &[("ticket_id", text("t"))]);
    assert!(!stale(&tale, &tickets, 10));
}

#[test]
fn only_events_of_the_input_filter_keep_it_fresh() {
    let mut tale = Tale::default();
    tale.say("a", 20, &[("x", 90), ("y", 50)]);
    tale.tell("a", 10, NpsAnswered, &[("score", number(9))]);
    let model = model("", &format!("metric = 'x', {AS_SAID}, input = {{ type = 'nps_answered' }}"));
    assert!(!stale(&tale, &model, 15) && stale(&tale, &model, 20));
    tale.tell("a", 18, NpsAnswered, &[("score", number(9))]);
    assert!(!stale(&tale, &model, 23) && stale(&tale, &model, 24));
}

#[test]
fn it_is_judged_on_the_metric_chosen_else_on_the_first() {
    let nps = "nps = { agg = 'last', field = 'properties.score', filter = { type = 'nps_answered' } }";
    let csat = "csat = { agg = 'last', field = 'properties.score', filter = { type = 'csat_answered' } }";
    let tries = |first: &str, then: &str| {
        let measure =
            format!("metric = '{first}', {AS_SAID}, otherwise = [{{ metric = '{then}', {AS_SAID} }}]");
        model(&format!("{nps}\n{csat}"), &measure)
    };
    let mut tale = Tale::default();
    tale.say("a", 1, &[("y", 50)]);
    tale.tell("a", 10, NpsAnswered, &[("score", number(9))]);
    tale.tell("a", 20, CsatAnswered, &[("score", number(5))]);
    // A value of the first is chosen though it is too old and that of the other is not.
    assert!(stale(&tale, &tries("nps", "csat"), 21) && !stale(&tale, &tries("csat", "nps"), 21));
    // Neither has a value: the answer of the 30th has no score. It is the newest input of the first all the same.
    let mut tale = Tale::default();
    tale.say("a", 1, &[("y", 50)]);
    tale.tell("a", 30, NpsAnswered, &[]);
    assert!(!stale(&tale, &tries("nps", "csat"), 31) && stale(&tale, &tries("csat", "nps"), 31));
}

#[test]
fn what_no_event_feeds_is_never_stale() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("y", 50)]);
    tale.state("a", 1, "seats", number(9));
    for kind in ["seats", "age_days", "expected_days"] {
        let model = of_metric(&format!("{{ agg = 'standing', kind = '{kind}' }}"));
        let told = tale.told(&model, &[]);
        assert!(told.measure(&told.health("a", 300 * DAY), "m").measured.present, "{kind}");
    }
}

#[test]
fn of_per_seat_the_events_of_a_count() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("y", 50)]);
    tale.state("a", 1, "seats", number(10));
    tale.tell("a", 10, Usage, &[]);
    tale.state("a", 14, "seats", number(20));
    let a = "{ agg = 'count', window = 90, filter = { type = 'usage' } }\n";
    let model =
        model(&format!("n = {a}m = {{ agg = 'per_seat', a = 'n' }}"), &format!("metric = 'm', {AS_SAID}"));
    assert!(!stale(&tale, &model, 15) && stale(&tale, &model, 16));
}

#[test]
fn of_a_comparison_the_events_of_what_it_compares_count() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("y", 50)]);
    tale.tell("a", 10, Usage, &[]);
    let a = "n = { agg = 'count', window = 7, filter = { type = 'usage' } }\n";
    for comparison in
        ["'change', a = 'n'", "'against_own', a = 'n', weeks = 4", "'slope', a = 'n', weeks = 4"]
    {
        let model = model(&format!("{a}m = {{ agg = {comparison} }}"), &format!("metric = 'm', {AS_SAID}"));
        assert!(!stale(&tale, &model, 15) && stale(&tale, &model, 16), "{comparison}");
    }
}

#[test]
fn of_a_ratio_and_a_share_the_events_of_both_parts_count() {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("y", 50)]);
    tale.tell("a", 10, TicketResolved, &[("ticket_id", text("t"))]);
    let share = "{ agg = 'share', window = 90, a_filter = { type = 'ticket_reopened' }, \
                 b_filter = { type = 'ticket_resolved' } }";
    let of = |kind: &str| format!("{{ agg = 'count', window = 90, filter = {{ type = '{kind}' }} }}");
    let ratio = model(
        &format!(
            "r = {}\ns = {}\nm = {{ agg = 'ratio', a = 'r', b = 's' }}",
            of("ticket_reopened"),
            of("ticket_resolved")
        ),
        &format!("metric = 'm', {AS_SAID}"),
    );
    assert!(stale(&tale, &of_metric(share), 16) && stale(&tale, &ratio, 16));
    tale.tell("a", 12, TicketReopened, &[("ticket_id", text("t"))]);
    assert!(!stale(&tale, &of_metric(share), 17) && !stale(&tale, &ratio, 17));
    assert!(stale(&tale, &of_metric(share), 18) && stale(&tale, &ratio, 18));
}

/// Every type of a metric's input events keeps a measure of it fresh, and no other type does.
#[track_caller]
fn fed_by(metric: &str, types: &[EventType]) {
    let model = of_metric(metric);
    for kind in tidewatch_projections::vocabulary::KNOWN_TYPES.map(|(kind, _, _)| kind) {
        // Merging and closing change who is asked.
        if matches!(kind, AccountMerged | AccountClosed) {
            continue;
        }
        let mut tale = Tale::default();
        tale.say("a", 1, &[("y", 50)]);
        tale.subscription("a", 1, SubscriptionStarted, "s", &[("term_start", 1), ("term_end", 365)], &[]);
        let ids = [("invoice_id", text("i")), ("ticket_id", text("t")), ("milestone", text("live"))];
        // Of another subscription, so that the account stays in service.
        tale.subscription("a", 20, kind, "other", &[("term_start", 20)], &ids);
        assert_eq!(stale(&tale, &model, 22), !types.contains(&kind), "{kind:?} of {metric}");
    }
}

const TICKETS: [EventType; 9] = [
    TicketOpened,
    TicketReplied,
    TicketUpdated,
    TicketResolved,
    TicketClosed,
    TicketReopened,
    TicketEscalated,
    TicketDeescalated,
    TicketRated,
];

#[test]
fn waiting_times_are_fed_by_all_ticket_types_and_happiness_by_ratings() {
    fed_by("{ agg = 'first_reply_hours', window = 90 }", &TICKETS);
    fed_by("{ agg = 'resolution_hours', window = 90 }", &TICKETS);
    fed_by("{ agg = 'happiness', window = 90 }", &[TicketRated]);
}

#[test]
fn standings_of_tickets_are_fed_by_what_opens_and_ends_them() {
    let ends = [TicketOpened, TicketReopened, TicketResolved, TicketClosed];
    fed_by("{ agg = 'standing', kind = 'open_tickets' }", &ends);
    let escalations = [ends.as_slice(), &[TicketEscalated, TicketDeescalated]].concat();
    fed_by("{ agg = 'standing', kind = 'open_escalations' }", &escalations);
}

#[test]
fn standings_of_invoices_milestones_and_terms_are_fed_by_their_events() {
    let invoices = [InvoiceIssued, InvoicePaid, InvoiceVoided, CreditIssued];
    fed_by("{ agg = 'standing', kind = 'oldest_past_due_days' }", &invoices);
    fed_by("{ agg = 'standing', kind = 'amount_past_due', currency = 'EUR' }", &invoices);
    fed_by("{ agg = 'standing', kind = 'milestones_share' }", &[MilestoneReached]);
    let terms = [
        SubscriptionStarted,
        TrialStarted,
        TrialConverted,
        TrialEnded,
        SubscriptionChanged,
        SubscriptionRenewed,
        SubscriptionCancelled,
        CancellationWithdrawn,
        SubscriptionEnded,
        SubscriptionPaused,
        SubscriptionResumed,
    ];
    fed_by("{ agg = 'standing', kind = 'days_to_renewal' }", &terms);
    fed_by("{ agg = 'standing', kind = 'days_to_notice' }", &terms);
    fed_by("{ agg = 'standing', kind = 'credits_burn' }", &[terms.as_slice(), &[CreditsUsed]].concat());
}
