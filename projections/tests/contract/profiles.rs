//! Which profile applies: the first whose condition holds (health-model §7).

use tidewatch_projections::health::State;
use tidewatch_projections::vocabulary::EventType::{self, *};

use crate::tale::{AS_SAID, DAY, METRICS, Tale, money, number, text};

/// A model whose profiles apply under these conditions, in this order, and then to all the rest.
fn model(conditions: &[(&str, &str)]) -> String {
    let groups = "groups = { all = { weight = 1, measures = { x = 1 } } }\n";
    let profile =
        |(name, when): &(&str, &str)| format!("[[profiles]]\nname = '{name}'\nwhen = {when}\n{groups}");
    let profiles: String = conditions.iter().map(profile).collect();
    format!(
        "{METRICS}[measures]\nx = {{ metric = 'x', {AS_SAID} }}\n{profiles}[[profiles]]\nname = 'rest'\n{groups}"
    )
}

/// The profile of account `a` at the end of a day.
fn chosen(tale: &Tale, conditions: &[(&str, &str)], day: i64) -> String {
    let told = tale.told(&model(conditions), &[]);
    let health = told.health("a", (day + 1) * DAY);
    assert_eq!(health.state, State::Scored);
    told.profile(&health).expect("it is scored").to_owned()
}

/// Whether a condition of these facts holds for account `a` at the end of a day.
fn holds(tale: &Tale, facts: &str, day: i64) -> bool {
    chosen(tale, &[("special", &format!("[{{ {facts} }}]"))], day) == "special"
}

/// An account that is scored from the first day on.
fn told() -> Tale {
    let mut tale = Tale::default();
    tale.say("a", 1, &[("x", 50)]);
    tale
}

fn start(tale: &mut Tale, id: &str, per: &str, amount: Option<(i64, &str)>, term: (i32, i32)) {
    let dates = [("term_start", term.0), ("term_end", term.1)];
    let event = tale.subscription("a", 1, SubscriptionStarted, id, &dates, &[("amount_per", text(per))]);
    event.amount = amount.and_then(|(minor, currency)| money(minor, currency));
}

#[test]
fn the_first_that_holds_in_the_order_of_the_file_applies() {
    let mut tale = told();
    tale.state("a", 5, "tier", text("A"));
    tale.state("a", 9, "segment", text("retail"));
    tale.state("a", 12, "tier", text("B"));
    let conditions = [
        ("both", "[{ tier = 'A', segment = 'retail' }]"),
        ("key", "[{ tier = 'A' }]"),
        ("either", "[{ segment = 'school' }, { segment = 'retail' }]"),
    ];
    // All facts of an alternative must hold, any alternative is enough, and facts are those of the instant.
    let found = [4, 5, 9, 12].map(|day| chosen(&tale, &conditions, day));
    assert_eq!(found, ["rest", "key", "both", "either"]);
}

#[test]
fn a_missing_fact_passes_no_test_not_even_not() {
    let tale = told();
    for test in ["'A'", "['A', 'B']", "{ not = 'A' }", "{ exists = false }", "{ exists = true }"] {
        assert!(!holds(&tale, &format!("tier = {test}"), 1), "{test}");
    }
    let mut tale = told();
    tale.state("a", 1, "tier", text("B"));
    let passed = ["'A'", "['A', 'B']", "{ not = 'A' }", "{ exists = false }", "{ exists = true }"]
        .map(|test| holds(&tale, &format!("tier = {test}"), 1));
    assert_eq!(passed, [false, true, true, false, true]);
    // An empty text says that there is none.
    tale.state("a", 2, "tier", text(""));
    assert!(!holds(&tale, "tier = { not = 'A' }", 2));
}

#[test]
fn who_states_no_kind_is_a_customer() {
    let tale = told();
    assert!(holds(&tale, "kind = 'customer'", 1) && holds(&tale, "kind = { not = 'partner' }", 1));
    let mut tale = told();
    tale.state("a", 1, "kind", text("partner"));
    assert!(holds(&tale, "kind = 'partner'", 1) && !holds(&tale, "kind = 'customer'", 1));
}

#[test]
fn any_name_is_a_fact_and_roles_are_one_each() {
    let mut tale = told();
    let owner = tidewatch_projections::value::Value::Object(vec![("owner".into(), text("ann"))]);
    tale.tell(
        "a",
        1,
        AccountUpdated,
        &[("roles", owner), ("beta", number(3)), ("deployment", text("cloud"))],
    );
    for facts in ["roles.owner = 'ann'", "beta = { ge = 3 }", "deployment = 'cloud', beta = 3"] {
        assert!(holds(&tale, facts, 1), "{facts}");
    }
    for facts in ["roles.owner = 'bob'", "roles.seller = { not = 'ann' }", "beta = { gt = 3 }", "beta = '3'"]
    {
        assert!(!holds(&tale, facts, 1), "{facts}");
    }
}

#[test]
fn the_stage_is_the_newest_of_stage_changed_and_account_updated() {
    let mut tale = told();
    tale.tell("a", 2, StageChanged, &[("stage", text("onboarding"))]);
    tale.state("a", 5, "stage", text("adoption"));
    tale.tell("a", 8, StageChanged, &[("stage", text("onboarding"))]);
    let onboarding = [1, 2, 5, 8].map(|day| holds(&tale, "stage = 'onboarding'", day));
    assert_eq!(onboarding, [false, true, false, true]);
}

#[test]
fn age_counts_from_the_first_day_of_life() {
    let mut tale = Tale::default();
    tale.state("a", 1, "tier", text("A"));
    tale.say("a", 10, &[("x", 50)]);
    // On the 14th it is four days old.
    assert!(holds(&tale, "age_days_below = 5", 14) && !holds(&tale, "age_days_below = 5", 15));
}

#[test]
fn ever_used_is_so_from_the_first_use() {
    let mut tale = told();
    tale.use_daily("a", 5..6);
    assert!(holds(&tale, "ever_used = false", 4) && !holds(&tale, "ever_used = true", 4));
    assert!(holds(&tale, "ever_used = true", 90) && !holds(&tale, "ever_used = false", 90));
}

#[test]
fn status_is_that_of_its_subscriptions() {
    let status = |kind: EventType, amount: Option<i64>, expected: &str| {
        let mut tale = told();
        let dates = [("term_start", 1), ("term_end", 365)];
        tale.subscription("a", 1, kind, "s", &dates, &[("amount_per", text("year"))]).amount =
            amount.and_then(|minor| money(minor, "EUR"));
        assert!(holds(&tale, &format!("status = '{expected}'"), 2), "{expected}");
        assert!(holds(&tale, &format!("status = ['closed', '{expected}']"), 2), "{expected}");
        assert!(!holds(&tale, &format!("status = {{ not = '{expected}' }}"), 2), "{expected}");
    };
    status(SubscriptionStarted, Some(900), "paying");
    status(SubscriptionStarted, Some(0), "free");
    status(TrialStarted, None, "trial");
    assert!(holds(&told(), "status = 'paying'", 1), "no subscription ever");
    let mut tale = told();
    start(&mut tale, "s", "year", Some((900, "EUR")), (1, 365));
    tale.subscription("a", 2, SubscriptionCancelled, "s", &[("effective_at", 90)], &[]);
    assert!(holds(&tale, "status = 'leaving'", 2));
}

#[test]
fn seats_are_those_of_subscriptions_else_those_stated() {
    let mut tale = told();
    assert!(!holds(&tale, "seats = { lt = 10 }", 1), "they are missing");
    tale.state("a", 1, "seats", number(5));
    assert!(holds(&tale, "seats = { lt = 10 }", 1) && holds(&tale, "seats = 5", 1));
    let dates = [("term_start", 3), ("term_end", 365)];
    tale.subscription("a", 3, SubscriptionStarted, "s", &dates, &[("seats", number(12))]);
    assert!(!holds(&tale, "seats = { lt = 10 }", 3) && holds(&tale, "seats = { ge = 12, le = 12 }", 3));
}

#[test]
fn amounts_are_annualised_and_added() {
    // 1,000 a month are 12,000 a year.
    let mut tale = told();
    assert!(!holds(&tale, "amount = { ge = 0 }", 1), "there is none");
    start(&mut tale, "monthly", "month", Some((1_000, "EUR")), (1, 365));
    assert!(holds(&tale, "amount = 12000", 1));
    // With 500 a year, 12,500.
    start(&mut tale, "yearly", "year", Some((500, "EUR")), (1, 365));
    assert!(holds(&tale, "amount = 12500", 1));
    // With 730 for the 73 days from the 1st to the 73rd, · 365/73, 3,650 more.
    start(&mut tale, "term", "term", Some((730, "EUR")), (1, 73));
    assert!(holds(&tale, "amount = 16150", 1) && holds(&tale, "amount = { gt = 16149, lt = 16151 }", 1));
    // A trial's is none of them.
    let dates = [("term_start", 1), ("term_end", 30)];
    tale.subscription("a", 1, TrialStarted, "trial", &dates, &[("amount_per", text("year"))]).amount =
        money(900, "EUR");
    assert!(holds(&tale, "amount = 16150", 1));
    // Neither is one that has ended.
    start(&mut tale, "over", "year", Some((900, "EUR")), (1, 365));
    tale.subscription("a", 1, SubscriptionEnded, "over", &[], &[("cause", text("lapsed"))]);
    assert!(holds(&tale, "amount = 16150", 2));
}

#[test]
fn an_amount_is_missing_where_one_has_none_or_currencies_differ() {
    let any = "amount = { ge = 0 }";
    let mut tale = told();
    start(&mut tale, "s", "year", Some((500, "EUR")), (1, 365));
    assert!(holds(&tale, any, 1));
    let mut other = told();
    start(&mut other, "s", "year", Some((500, "EUR")), (1, 365));
    start(&mut other, "t", "year", Some((500, "USD")), (1, 365));
    assert!(!holds(&other, any, 1), "currencies differ");
    start(&mut tale, "u", "year", None, (1, 365));
    assert!(!holds(&tale, any, 1), "one has none");
}
