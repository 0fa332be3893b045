//! Any text as the filter and the order of a list: refused at a place inside it, or used as logic and order demand.
#![no_main]

use std::cmp::Ordering;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tidewatch_engine::serve::columns::EventColumn;
use tidewatch_engine::serve::filter::{COMPARISONS_MAX, DEPTH_MAX, FILTER_BYTES_MAX, Filter, FilterError};
use tidewatch_engine::serve::order::Order;
use tidewatch_ingest::batch::Origin;
use tidewatch_ingest::draft::DecodeContext;
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::native;
use tidewatch_projections::event::Event;
use tidewatch_projections::names::Names;

const LINES: [&str; 4] = [
    r#"{"id":"1","account":"acme","type":"usage","occurred_at":1700000000000000,"quantity":"2.5","properties":{"feature":"export","n":7,"ok":true}}"#,
    r#"{"id":"2","account":"acme","user":"ann","type":"invoice_paid","occurred_at":1700000001000000,"amount":1200,"currency":"EUR","properties":{"invoice_id":"i1","note":"a \"b\" c"}}"#,
    r#"{"id":"3","account":"Ärger","actor":"service","product":"p","type":"value","occurred_at":"2024-02-29T12:00:00Z","properties":{"metric":"m","n":-0.5,"day":"2024-01-01"}}"#,
    r#"{"id":"4","account":"acme","type":"page_viewed","occurred_at":0,"properties":{"n":null,"list":[1]}}"#,
];

static EVENTS: LazyLock<(Names, Vec<Event>)> = LazyLock::new(|| {
    let names = Names::new();
    let limits = Limits::default();
    let with = DecodeContext { names: &names, tenant: "main", source: names.intern("app"), limits: &limits };
    let origin = Origin::Line { digest: with.source, line: 1 };
    let events = LINES.map(|line| native::decode(line.as_bytes(), &with, &origin).expect("these are events"));
    (names, events.into())
});

fn parse(text: &str) -> Result<Filter<EventColumn>, FilterError> {
    Filter::parse(text, &|path| EventColumn::resolve(path))
}

fn matching(filter: &Filter<EventColumn>) -> Vec<bool> {
    let (names, events) = &*EVENTS;
    events.iter().map(|event| filter.matches(&mut |column| column.operand(names, event))).collect()
}

fn check_place(text: &str, error: &FilterError, is_limit: bool) {
    assert!(is_limit || (error.offset <= text.len() && text.is_char_boundary(error.offset)), "{error}");
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (filter, order) = text.split_once('\n').unwrap_or((text, text));
    match parse(filter) {
        Err(error) => check_place(filter, &error, filter.len() > FILTER_BYTES_MAX),
        Ok(parsed) => {
            let found = matching(&parsed);
            // In parentheses, negated and doubled it means what it must, where it still is within the limits.
            let is_empty = filter.trim().is_empty();
            for (text, expected) in [
                (format!("({filter})"), found.clone()),
                (format!("NOT ({filter})"), found.iter().map(|found| !found).collect()),
                (format!("-({filter})"), found.iter().map(|found| !found).collect()),
                (format!("({filter}) AND ({filter})"), found.clone()),
                (format!("id = none OR ({filter})"), found.clone()),
            ] {
                match parse(&text) {
                    Ok(parsed) => assert_eq!(matching(&parsed), expected, "{text}"),
                    Err(error) => {
                        let is_limit = text.len() > FILTER_BYTES_MAX
                            || error.problem.contains(&DEPTH_MAX.to_string())
                            || error.problem.contains(&COMPARISONS_MAX.to_string());
                        assert!(is_empty || is_limit, "{text}: {error}");
                    }
                }
            }
        }
    }
    match Order::parse(order, &|path| EventColumn::resolve(path)) {
        Err(error) => check_place(order, &error, order.len() > FILTER_BYTES_MAX),
        Ok(order) => {
            let (names, events) = &*EVENTS;
            let keys: Vec<_> =
                events.iter().map(|event| order.key(&mut |column| column.operand(names, event))).collect();
            for a in &keys {
                assert_eq!(order.compare(a, a), Ordering::Equal);
                for b in &keys {
                    assert_eq!(order.compare(a, b), order.compare(b, a).reverse());
                    for c in &keys {
                        let is_chain = order.compare(a, b).is_le() && order.compare(b, c).is_le();
                        assert!(!is_chain || order.compare(a, c).is_le());
                    }
                }
            }
        }
    }
});
