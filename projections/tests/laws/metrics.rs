//! Laws of the fold and of metrics: order, cuts, splits and merges of the same events change no answer.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidewatch_projections::account::Account;
use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::canonical;
use tidewatch_projections::context::Context;
use tidewatch_projections::event::{Event, Micros};
use tidewatch_projections::names::Names;
use tidewatch_projections::plan::{Bounds, Plan};
use tidewatch_projections::scalar::Scalar;

use crate::drafts::{HOUR, MODEL, NARROW, drafts, events, fold, plan, settings, tenant, turned};

fn named(plan: &Plan, values: Vec<Option<Scalar>>) -> Vec<(String, Option<Scalar>)> {
    plan.model.metrics.iter().map(|metric| metric.name.clone()).zip(values).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn arrival_changes_no_state(drafts in drafts(), at in any::<prop::sample::Index>()) {
        let names = Names::new();
        let events = events(&names, &drafts);
        let turned = turned(&events, at);
        for bounds in [Bounds::LIVE, NARROW] {
            let plan = plan(MODEL, &names, bounds, &[]);
            let bytes = |events: &[Event]| {
                let mut bytes = Vec::new();
                canonical::write_account(&fold(&plan, &names, events), &names, &mut bytes);
                bytes
            };
            prop_assert_eq!(bytes(&events), bytes(&turned));
        }
        prop_assert_eq!(tenant(&names, &events), tenant(&names, &turned));
    }

    #[test]
    fn an_answer_about_the_past_is_the_answer_given_then(drafts in drafts(), hours in prop::collection::vec(1i64..24 * 62, 1..4)) {
        let names = Names::new();
        let events = events(&names, &drafts);
        let instants: Vec<Micros> = hours.iter().map(|hour| hour * HOUR + 1).collect();
        let settings = settings();
        // Feed looks past the instant by contract, so both sides are given the same one.
        let tenant = tenant(&names, &events);
        let cut = plan(MODEL, &names, Bounds::NONE, &instants);
        let whole = fold(&cut, &names, &events);
        for as_of in instants {
            let seen: Vec<Event> = events.iter().filter(|event| event.occurred_at < as_of).cloned().collect();
            let then = fold(&cut, &names, &seen);
            let accounts = BTreeMap::new();
            let context =
                Context { plan: &cut, settings: &settings, tenant: &tenant, names: &names, accounts: &accounts };
            let answer = |account: &Account| {
                named(&cut, AccountAt::alone(context, account, as_of).metrics())
            };
            prop_assert_eq!(answer(&whole), answer(&then));
        }
    }

    #[test]
    fn bounded_state_answers_as_unbounded(drafts in drafts()) {
        let names = Names::new();
        let events = events(&names, &drafts);
        let settings = settings();
        let tenant = tenant(&names, &events);
        let as_of = 24 * 61 * HOUR;
        let answer = |bounds: Bounds| {
            let plan = plan(MODEL, &names, bounds, &[]);
            let account = fold(&plan, &names, &events);
            let accounts = BTreeMap::new();
            let context =
                Context { plan: &plan, settings: &settings, tenant: &tenant, names: &names, accounts: &accounts };
            named(&plan, AccountAt::alone(context, &account, as_of).metrics())
        };
        prop_assert_eq!(answer(Bounds::LIVE), answer(Bounds::NONE));
    }
}
