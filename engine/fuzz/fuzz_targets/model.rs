//! Any text as a model file: refused in a sentence, or compiled and evaluated for an account of all families.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tidewatch_ingest::batch::Origin;
use tidewatch_ingest::draft::DecodeContext;
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::native;
use tidewatch_projections::account::Account;
use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::calendar::Calendar;
use tidewatch_projections::event::Event;
use tidewatch_projections::context::Context;
use tidewatch_projections::scalar::Scalar;
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Names;
use tidewatch_projections::plan::{Bounds, Plan};
use tidewatch_projections::settings::Settings;
use tidewatch_projections::tenant::Tenant;

const DAY_US: i64 = 86_400_000_000;
/// Type, quantity or amount, properties: one a day.
const STORY: [(&str, &str, &str); 14] = [
    ("account_updated", "", r#""seats":9,"stage":"onboarding","usage_rhythm":"weekly""#),
    (
        "subscription_started",
        r#","amount":1200,"currency":"EUR""#,
        r#""subscription_id":"s","term_end":"2024-02-29","auto_renew":true,"notice_days":3,"commit_quantity":5"#,
    ),
    ("usage", r#","quantity":2.5"#, r#""feature":"export","duration_s":7"#),
    ("usage", "", r#""feature":"search""#),
    ("value", r#","quantity":"0.5""#, r#""metric":"m""#),
    ("invoice_issued", r#","amount":"10.50","currency":"EUR""#, r#""invoice_id":"i","due_at":"2024-01-07""#),
    ("invoice_paid", r#","amount":"4","currency":"EUR""#, r#""invoice_id":"i""#),
    ("credits_used", r#","quantity":3"#, r#""subscription_id":"s""#),
    ("ticket_opened", "", r#""ticket_id":"t""#),
    ("ticket_rated", "", r#""ticket_id":"t","rating":"great""#),
    ("nps_answered", "", r#""score":9"#),
    ("pulse_recorded", "", r#""colour":"red""#),
    ("milestone_reached", "", r#""milestone":"kickoff""#),
    ("page_viewed", "", r#""n":-1e6,"ok":true,"list":[1]"#),
];

static EVENTS: LazyLock<(Names, Vec<Event>)> = LazyLock::new(|| {
    let names = Names::new();
    let limits = Limits::default();
    let with = DecodeContext { names: &names, tenant: "main", source: names.intern("app"), limits: &limits };
    let origin = Origin::Line { digest: with.source, line: 1 };
    let event = |(day, (kind, amount, properties)): (i64, &(&str, &str, &str))| {
        let at = 1_704_067_200_000_000 + day * DAY_US;
        let line = format!(
            r#"{{"id":"{day}","account":"acme","user":"ann","type":"{kind}","occurred_at":{at}{amount},"properties":{{{properties}}}}}"#
        );
        native::decode(line.as_bytes(), &with, &origin).expect("the story is in the contract")
    };
    // Twice, a month apart.
    let events = (0..).zip(&STORY).chain((31..).zip(&STORY)).map(event).collect();
    (names, events)
});

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let model = match Model::parse(text) {
        Ok(model) => model,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let (names, events) = &*EVENTS;
    let calendar = Calendar::new("Europe/Berlin").expect("the zone exists");
    let Ok(plan) = Plan::compile(model, names, calendar, Bounds::NONE, &[]) else { return };
    let mut tenant = Tenant::default();
    let mut account = Account::new(names.intern("acme"));
    for event in events {
        tenant.observe(names, event);
        account.apply(&plan, names, event);
    }
    let settings = Settings::default();
    let accounts = BTreeMap::new();
    let context = Context { plan: &plan, settings: &settings, tenant: &tenant, names, accounts: &accounts };
    for day in [0, 10, 40, 100] {
        let figures = AccountAt::alone(context, &account, 1_704_067_200_000_000 + day * DAY_US).metrics();
        assert_eq!(figures.len(), plan.model.metrics.len());
        let is_number =
            |figure: &Option<Scalar>| !matches!(figure, Some(Scalar::Number(number)) if number.is_nan());
        assert!(figures.iter().all(is_number), "{figures:?}");
    }
});
