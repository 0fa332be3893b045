//! Sentences of health-model §2–4 that could be read in more than one way. What concerns subscriptions alone stands beside them.

use tidewatch_projections::calendar::Day;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::{Currency, Money};
use tidewatch_projections::model::Model;
use tidewatch_projections::scalar::Scalar;
use tidewatch_projections::settings::{ClosedDays, Scope};
use tidewatch_projections::value::Value;
use tidewatch_projections::vocabulary::EventType;

use crate::tale::{DAY, Tale, text};

fn roles(of: &[(&str, Value)]) -> Value {
    Value::Object(of.iter().map(|(role, person)| ((*role).into(), person.clone())).collect())
}

fn whole(number: i128) -> Option<Scalar> {
    Some(Scalar::Integer(number))
}

const UPDATED: EventType = EventType::AccountUpdated;

#[test]
fn each_key_of_roles_is_a_fact_of_its_own() {
    let mut tale = Tale::default();
    tale.tell("a", 1, UPDATED, &[("roles", roles(&[("owner", text("ann")), ("seller", text("bob"))]))]);
    tale.tell("a", 2, UPDATED, &[("roles", roles(&[("seller", Value::Null), ("technical", text("cid"))]))]);
    tale.tell("a", 3, UPDATED, &[("roles", roles(&[("owner", text(""))]))]);
    let account = tale.fold(&tale.plan(""), "a");
    let role = |role: &str, day: i64| account.fact_text(&tale.names, role, (day + 1) * DAY);
    assert_eq!((role("roles.owner", 1), role("roles.seller", 1)), (Some("ann"), Some("bob")));
    assert_eq!((role("roles.seller", 2), role("roles.technical", 2)), (Some("bob"), Some("cid")));
    assert_eq!((role("roles.owner", 2), role("roles.owner", 3)), (Some("ann"), None));
    assert_eq!(account.fact(&tale.names, "roles", 9 * DAY), None);
}

#[test]
fn an_empty_text_says_that_there_is_none_of_a_fact() {
    let mut tale = Tale::default();
    tale.tell("a", 1, UPDATED, &[("tier", text("A")), ("usage_rhythm", text("monthly"))]);
    tale.tell("a", 2, UPDATED, &[("tier", Value::Null)]);
    tale.tell("a", 3, UPDATED, &[("tier", text("")), ("usage_rhythm", text(""))]);
    let account = tale.fold(&tale.plan(""), "a");
    assert_eq!(account.fact_text(&tale.names, "tier", 3 * DAY), Some("A"));
    assert_eq!(account.fact(&tale.names, "tier", 4 * DAY), None);
    assert!(account.facts(&tale.names, 4 * DAY).is_empty());
    let expected = "{ agg = 'standing', kind = 'expected_days' }";
    assert_eq!((tale.value(2, "a", expected), tale.value(3, "a", expected)), (whole(1), whole(20)));
}

#[test]
fn lists_and_objects_do_not_match_last() {
    let mut tale = Tale::default();
    let plan = |value| [("plan", value)];
    let own = EventType::Other(tale.names.intern("my.own"));
    tale.tell("a", 1, own, &plan(Value::Bool(true)));
    tale.tell("a", 2, own, &plan(Value::List(vec![text("gold")])));
    tale.tell("a", 3, own, &plan(Value::Object(vec![("n".into(), text("gold"))])));
    let last = "{ agg = 'last', field = 'properties.plan' }";
    assert_eq!(tale.value(3, "a", last), Some(Scalar::Text("true".into())));
    tale.tell("a", 4, own, &plan(Value::Number(Decimal::from(3))));
    assert_eq!(tale.value(4, "a", last), whole(3));
}

#[test]
fn of_several_merges_the_newest_holds_and_facts_stay_those_of_the_survivor() {
    let mut tale = Tale::default();
    tale.use_daily("a", 1..5);
    tale.tell("a", 1, UPDATED, &[("seats", Value::Number(Decimal::from(9)))]);
    tale.tell("b", 3, EventType::ReferralMade, &[]);
    tale.tell("c", 4, EventType::ReferralMade, &[]);
    tale.tell("a", 10, EventType::AccountMerged, &[("into_account", text("b"))]);
    tale.tell("a", 20, EventType::AccountMerged, &[("into_account", text("c"))]);
    let metrics = "age = { agg = 'standing', kind = 'age_days' }\n\
                   n = { agg = 'count', filter = { type = 'usage' } }\n\
                   seats = { agg = 'standing', kind = 'seats' }";
    assert_eq!(tale.at_end_of(9, "b", metrics), [whole(6), whole(0), None], "before it they are apart");
    assert_eq!(tale.at_end_of(19, "b", metrics), [whole(18), whole(4), None]);
    assert_eq!(tale.at_end_of(20, "b", metrics), [whole(17), whole(0), None]);
    assert_eq!(tale.at_end_of(20, "c", metrics), [whole(19), whole(4), None]);
}

#[test]
fn under_change_the_previous_window_ends_the_day_before_the_first_day_the_current_one_reached() {
    let mut tale = Tale::default();
    tale.use_daily("a", 100..200);
    tale.use_daily("a", 150..151);
    let closed = |from, to| ClosedDays { scope: Scope::All, from: Day(from), to: Day(to) };
    tale.settings.closed_days = vec![closed(155, 157)];
    // Of the five days up to the 159th three are closed: it reaches the 152nd, and the window before ends on the 151st.
    let metrics = "c = { agg = 'change', a = 'n' }\n\
                   n = { agg = 'count', window = 5, filter = { type = 'usage' }, skip_closed = true }";
    assert_eq!(tale.at_end_of(160, "a", metrics), [Some(Scalar::Number((5.0 - 6.0) / 6.0)), whole(5)]);
    tale.settings.closed_days.push(closed(140, 151));
    assert_eq!(tale.at_end_of(160, "a", metrics)[0], None, "fewer than half of the days before are left");
}

#[test]
fn windows_that_begin_before_life_are_left_out_of_a_slope() {
    let mut tale = Tale::default();
    tale.use_daily("other", 0..1);
    for day in 100..128 {
        tale.use_daily("a", day..day + 1);
        (0..(day - 100) / 7).for_each(|_| tale.use_daily("a", day..day + 1));
    }
    // Weeks of 7, 14, 21 and 28 events, and of those before life nothing is said.
    let slope = "{ agg = 'slope', a = 'n', weeks = 8 }";
    let metrics = format!("m = {slope}\nn = {{ agg = 'count', window = 7, filter = {{ type = 'usage' }} }}");
    assert_eq!(tale.at_end_of(128, "a", &metrics)[0], Some(Scalar::Number(7.0 / 17.5)));
    assert_eq!(tale.at_end_of(114, "a", &metrics)[0], None, "two weeks are too few");
}

#[test]
fn parts_of_a_change_that_treat_closed_days_differently_are_refused() {
    let model = |skip: &str| {
        Model::parse(&format!(
            "[metrics]\na = {{ agg = 'count', window = 7, skip_closed = true }}\n\
             b = {{ agg = 'active_days', window = 7{skip} }}\n\
             r = {{ agg = 'ratio', a = 'a', b = 'b' }}\nc = {{ agg = 'change', a = 'r' }}\n\
             o = {{ agg = 'against_own', a = 'r', weeks = 4 }}"
        ))
    };
    let refused = model("").expect_err("one part skips, the other does not").to_string();
    assert!(refused.contains("metrics.c") && refused.contains("skip_closed"), "{refused}");
    assert!(model(", skip_closed = true").is_ok());
    assert!(model(", skip_closed = false").is_err());
}

#[test]
fn active_users_is_missing_until_a_type_it_can_match_carried_a_user() {
    let mut tale = Tale::default();
    tale.use_daily("a", 1..4);
    tale.tell("b", 1, EventType::ReferralMade, &[]).user = Some(tale.names.intern("u"));
    let people = "{ agg = 'active_users', window = 7, filter = { type = 'usage' } }";
    assert_eq!(tale.value(3, "a", people), None);
    tale.tell("b", 3, EventType::Usage, &[]).user = Some(tale.names.intern("u"));
    assert_eq!((tale.value(2, "a", people), tale.value(3, "a", people)), (None, whole(0)));
}

#[test]
fn of_several_issues_of_an_invoice_the_newest_with_an_amount_counts() {
    let mut tale = Tale::default();
    let euros = |minor| Some(Money { minor, currency: Currency::from_code("EUR").expect("a code") });
    let invoice = |due: i32| [("due_at", text(&Day(due).to_text())), ("invoice_id", text("i"))];
    tale.tell("a", 1, EventType::InvoiceIssued, &invoice(10)).amount = euros(500);
    tale.tell("a", 2, EventType::InvoiceIssued, &invoice(12)).amount = euros(900);
    tale.tell("a", 3, EventType::InvoiceIssued, &invoice(99));
    tale.tell("b", 1, EventType::InvoicePaid, &invoice(0));
    let metrics = "days = { agg = 'standing', kind = 'oldest_past_due_days' }\n\
                   owed = { agg = 'standing', kind = 'amount_past_due', currency = 'EUR' }";
    assert_eq!(tale.at_end_of(15, "a", metrics), [whole(3), whole(900)]);
    assert_eq!(tale.at_end_of(12, "a", metrics), [whole(0), whole(0)]);
}
