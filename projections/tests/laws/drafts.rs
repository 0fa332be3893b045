//! Drawn events of every type, and what is folded from them.

use proptest::prelude::*;
use tidewatch_projections::account::Account;
use tidewatch_projections::calendar::{Calendar, Day};
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::{Actor, Currency, Event, Micros, Money, Subject};
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Names;
use tidewatch_projections::plan::{Bounds, Plan};
use tidewatch_projections::settings::{ClosedDays, Scope, Settings};
use tidewatch_projections::tenant::Tenant;
use tidewatch_projections::value::Value;
use tidewatch_projections::vocabulary::{EventType, KNOWN_TYPES};

pub const HOUR: Micros = 3_600_000_000;

/// Whom the events are about.
pub const ACCOUNT: &str = "acme";

/// Every aggregation once.
pub const MODEL: &str = r#"
milestones = [{ name = "kickoff", due_after_days = 3 }, { name = "live", due_after_days = 20 }]
[metrics]
n = { agg = "count", window = 7, filter = { family = "usage" }, skip_closed = true }
all = { agg = "count" }
amount = { agg = "sum", field = "amount", currency = "EUR", window = 30 }
quantity = { agg = "sum", field = "quantity", window = 10, filter = { family = "usage" } }
users = { agg = "active_users", window = 14, filter = { family = "usage" } }
days = { agg = "active_days", window = 14 }
features = { agg = "features_used", window = 14 }
core = { agg = "features_share", window = 14, core = ["export", "import"] }
first = { agg = "first_time" }
last = { agg = "last_time", window = 5 }
since = { agg = "days_since_last", filter = { type = "usage" } }
newest = { agg = "last", field = "properties.score" }
mean = { agg = "mean", field = "properties.score", window = 30 }
median = { agg = "median", field = "quantity", window = 30 }
quantile = { agg = "quantile", field = "properties.score", q = 0.9, window = 30 }
fading = { agg = "decayed_sum", half_life_days = 3 }
nps = { agg = "decayed_mean", field = "properties.score", half_life_days = 5, filter = { type = "nps_answered" } }
per_head = { agg = "ratio", a = "n", b = "users" }
seat = { agg = "per_seat", a = "users" }
change = { agg = "change", a = "n" }
own = { agg = "against_own", a = "n", weeks = 6 }
own_all = { agg = "against_own", a = "all", weeks = 4 }
slope = { agg = "slope", a = "seat", weeks = 5 }
share = { agg = "share", window = 20, a_filter = { type = "ticket_reopened" }, b_filter = { type = "ticket_resolved" } }
happy = { agg = "happiness", window = 30 }
reply = { agg = "first_reply_hours", window = 30 }
resolved = { agg = "resolution_hours", window = 30 }
past_due = { agg = "standing", kind = "oldest_past_due_days" }
owed = { agg = "standing", kind = "amount_past_due", currency = "EUR" }
tickets = { agg = "standing", kind = "open_tickets" }
escalated = { agg = "standing", kind = "open_escalations" }
renewal = { agg = "standing", kind = "days_to_renewal" }
notice = { agg = "standing", kind = "days_to_notice" }
milestones = { agg = "standing", kind = "milestones_share" }
burn = { agg = "standing", kind = "credits_burn" }
seats = { agg = "standing", kind = "seats" }
age = { agg = "standing", kind = "age_days" }
"#;

#[derive(Clone, Debug)]
pub struct Draft {
    pub kind: usize,
    pub hour: i64,
    pub source: u8,
    pub user: Option<u8>,
    pub actor: u8,
    pub entity: u8,
    pub number: i32,
    pub flag: bool,
}

pub fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let draft = (
        0..KNOWN_TYPES.len(),
        0i64..24 * 60,
        0u8..2,
        prop::option::of(0u8..4),
        0u8..5,
        0u8..3,
        -5i32..40,
        any::<bool>(),
    )
        .prop_map(|(kind, hour, source, user, actor, entity, number, flag)| Draft {
            kind,
            hour,
            source,
            user,
            actor,
            entity,
            number,
            flag,
        });
    prop::collection::vec(draft, 0..80)
}

pub fn event(names: &Names, index: usize, draft: &Draft) -> Event {
    let day = |days: i64| Value::Text(jiff_date(draft.hour / 24 + days).into());
    let number = |number: i32| Value::Number(Decimal::from(i64::from(number)));
    let text = |text: &str| Value::Text(text.into());
    let entity = text(&format!("e{}", draft.entity));
    let mut properties = vec![
        ("auto_renew", Value::Bool(draft.flag)),
        ("by", text(if draft.flag { "agent" } else { "customer" })),
        ("commit_quantity", number(draft.number.abs() * 10 + 1)),
        ("due_at", day(i64::from(draft.number))),
        ("effective_at", day(i64::from(draft.number) / 2)),
        ("invoice_id", entity.clone()),
        ("milestone", text(if draft.flag { "kickoff" } else { "live" })),
        ("notice_days", number(draft.number)),
        ("roles", roles(draft)),
        ("rating", text(["great", "okay", "bad"][draft.entity as usize])),
        ("score", number(draft.number)),
        ("seats", number(draft.number)),
        ("stage", text(if draft.flag { "onboarding" } else { "adoption" })),
        ("subscription_id", entity.clone()),
        ("term_end", day(i64::from(draft.number) + 10)),
        ("term_start", day(i64::from(draft.number) / 3)),
        ("ticket_id", entity),
    ];
    properties.sort_by_key(|(key, _)| *key);
    let kind = KNOWN_TYPES[draft.kind].0;
    let kind = if kind == EventType::AccountMerged { EventType::Usage } else { kind };
    Event {
        source: names.intern(["app", "crm"][draft.source as usize]),
        generation: 0,
        id: format!("{index}").into(),
        subject: Subject::Account(names.intern(ACCOUNT)),
        user: draft.user.map(|user| names.intern(&format!("u{user}"))),
        actor: [Actor::Person, Actor::Person, Actor::Person, Actor::Service, Actor::Internal]
            [draft.actor as usize],
        product: None,
        kind,
        occurred_at: draft.hour * HOUR,
        quantity: draft.flag.then_some(i64::from(draft.number) * 500_000),
        amount: Some(Money {
            minor: i64::from(draft.number) * 100,
            currency: Currency::from_code(if draft.entity == 0 { "USD" } else { "EUR" }).expect("a code"),
        }),
        feature: Some(names.intern(["export", "import", "chat"][draft.entity as usize])),
        metric: None,
        properties: properties.into_iter().map(|(key, value)| (names.intern(key), value)).collect(),
        unknown: Box::default(),
    }
}

/// Who is in charge: one role or two, of which one may be told to be vacant.
fn roles(draft: &Draft) -> Value {
    let person = |number: u8| Value::Text(format!("p{number}").into());
    let vacant = Value::Text("".into());
    let seller = ("seller".into(), if draft.number < 0 { vacant } else { person(draft.source) });
    let owner = ("owner".into(), person(draft.entity));
    Value::Object(if draft.flag { vec![owner, seller] } else { vec![owner] })
}

fn jiff_date(day: i64) -> String {
    Day(i32::try_from(day).expect("a small number")).to_string()
}

pub fn settings() -> Settings {
    let from = Day(20);
    let to = Day(23);
    Settings { closed_days: vec![ClosedDays { scope: Scope::All, from, to }], ..Settings::default() }
}

/// Bounds that nearly every account of these tests passes.
pub const NARROW: Bounds =
    Bounds { days_max: Some(20), entities_max: 2, changes_max: 3, facts_max: 3, profiles: true };

pub fn plan(model: &str, names: &Names, bounds: Bounds, cuts: &[Micros]) -> Plan {
    let model = Model::parse(model).expect("a model");
    Plan::compile(model, names, Calendar::utc(), bounds, cuts).expect("few ticket filters")
}

pub fn fold(plan: &Plan, names: &Names, events: &[Event]) -> Account {
    let mut account = Account::new(names.intern(ACCOUNT));
    events.iter().for_each(|event| account.apply(plan, names, event));
    account
}

pub fn tenant(names: &Names, events: &[Event]) -> Tenant {
    let mut tenant = Tenant::default();
    events.iter().for_each(|event| tenant.observe(names, event));
    tenant
}

pub fn events(names: &Names, drafts: &[Draft]) -> Vec<Event> {
    drafts.iter().enumerate().map(|(index, draft)| event(names, index, draft)).collect()
}

/// Part of the events backwards, and then the others in order after them.
pub fn turned(events: &[Event], at: prop::sample::Index) -> Vec<Event> {
    let mut turned = events.to_vec();
    if !turned.is_empty() {
        let by = at.index(turned.len());
        turned.rotate_left(by);
        turned[..by].reverse();
    }
    turned
}
