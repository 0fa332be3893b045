//! Native JSON, line by line: what becomes an event and which, what is refused and why.

use proptest::prelude::*;
use tidewatch_ingest::batch::Origin;
use tidewatch_ingest::content::fingerprint;
use tidewatch_ingest::contract;
use tidewatch_ingest::draft::DecodeContext;
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::native;
use tidewatch_ingest::reject::{Reason, Rejection};
use tidewatch_projections::event::Event;
use tidewatch_projections::names::Names;

fn decode(names: &Names, line: &[u8]) -> Result<Event, Rejection> {
    let limits = Limits::default();
    let with = DecodeContext { names, tenant: "main", source: names.intern("shop"), limits: &limits };
    let (topic, topic_id) = (names.intern("orders"), names.intern("k-_dznwpThOFkvNWSIwDgA"));
    let origin = Origin::Kafka { topic, topic_id, partition: 3, offset: 41 };
    native::decode(line, &with, &origin)
}

/// The event written back, or the refusal.
fn outcome(line: &str) -> String {
    let names = Names::new();
    match decode(&names, line.as_bytes()) {
        Ok(event) => {
            let mut out = Vec::new();
            native::write(&names, &event, &mut out);
            String::from_utf8(out).unwrap()
        }
        Err(rejection) => rejection.to_string(),
    }
}

/// `fields` behind an envelope that is complete.
fn with(fields: &str) -> String {
    format!(r#"{{"id":"1","account":"acme","occurred_at":"2024-05-01T08:00:00Z",{fields}}}"#)
}

#[test]
fn a_refused_record_leaves_no_name_behind() {
    let names = Names::new();
    let envelope = r#""id":"1","account":"a stranger","user":"another","product":"x","occurred_at":0"#;
    let known = decode(&names, br#"{"account":"acme","type":"note","occurred_at":0}"#).map(|_| names.count());
    for rest in [
        r#""type":"usage","properties":{"metric":"m","unheard":1}"#.to_owned(),
        r#""type":"unheard","ref":{"system":"s","id":"i"}"#.to_owned(),
        r#""occurred_at":"yesterday","type":"unheard""#.to_owned(),
        format!(r#""type":"unheard","properties":{{"feature":"{}"}}"#, "f".repeat(513)),
        format!(r#""type":"unheard","source":"{}""#, "s".repeat(513)),
    ] {
        let line = format!("{{{envelope},{rest}}}");
        assert!(decode(&names, line.as_bytes()).is_err(), "{line}");
        assert_eq!(Ok(names.count()), known, "{line}");
    }
}

const HEAD: &str = r#"{"source":"shop","id":"1","account":"acme","#;
const AT: &str = r#""occurred_at":"2024-05-01T08:00:00Z""#;

#[test]
fn events_keep_what_the_line_says() {
    for (line, expected) in [
        (
            r#" {"tenant":"main","source":"crm","id":"7","account":"acme","user":"ann","actor":"service","product":"pro",
                "type":"usage","occurred_at":"2024-05-01T10:00:00.1234567+02:00","quantity":"2.50000019",
                "properties":{"z":[1.0,{"b":null,"a":"x"}],"feature":"export"}} "#,
            r#"{"source":"crm","id":"7","account":"acme","user":"ann","actor":"service","product":"pro","type":"usage","occurred_at":"2024-05-01T08:00:00.123456Z","quantity":2.5,"properties":{"feature":"export","z":[1,{"a":"x","b":null}]}}"#,
        ),
        (
            r#"{"type":"note","user":"ann","account":"","source":"","id":null,"occurred_at":1714550400000000}"#,
            r#"{"source":"shop","id":"orders/k-_dznwpThOFkvNWSIwDgA/3/41","user":"ann","type":"note","occurred_at":"2024-05-01T08:00:00Z"}"#,
        ),
        (
            r#"{"type":"note","ref":{"id":"9","system":"crm"},"user":"","occurred_at":0,"new_field":{"b":1e2,"a":[]}}"#,
            r#"{"source":"shop","id":"orders/k-_dznwpThOFkvNWSIwDgA/3/41","ref":{"id":"9","system":"crm"},"type":"note","occurred_at":"1970-01-01T00:00:00Z","new_field":{"a":[],"b":100}}"#,
        ),
        (
            &with(r#""type":"pulse_recorded","properties":{"colour":"yellow"}"#),
            &format!(
                r#"{HEAD}"type":"pulse_recorded",{AT},"properties":{{"colour":"yellow","points":50}}}}"#
            ),
        ),
        (
            &with(r#""type":"note","currency":"EUR""#),
            &format!(r#"{HEAD}"type":"note",{AT},"currency":"EUR"}}"#),
        ),
        (
            &with(r#""type":"note","properties":{"feature":"","metric":7}"#),
            &format!(r#"{HEAD}"type":"note",{AT},"properties":{{"feature":"","metric":7}}}}"#),
        ),
    ] {
        assert_eq!(outcome(line), expected, "{line}");
    }
}

#[test]
fn integers_are_minor_units_and_everything_else_major_ones() {
    for (kind, amount, currency, expected) in [
        ("note", "1234", "EUR", "1234 EUR"),
        ("note", "12.34", "eur", "1234 EUR"),
        ("note", "12.340", "EUR", "1234 EUR"),
        ("note", r#""12""#, "EUR", "1200 EUR"),
        ("note", "1e1", "EUR", "1000 EUR"),
        ("note", "0.29", "USD", "29 USD"),
        ("note", "-0.07", "USD", "-7 USD"),
        ("note", "500", "JPY", "500 JPY"),
        ("note", "500.0", "JPY", "500 JPY"),
        ("note", r#""1.234""#, "KWD", "1234 KWD"),
        ("note", "92233720368547758.07", "USD", "9223372036854775807 USD"),
        ("refund_issued", "500", "USD", "-500 USD"),
        ("refund_issued", "-500", "USD", "-500 USD"),
        ("credit_issued", "5.00", "USD", "-500 USD"),
        ("note", "12.345", "USD", "bad_amount: 12.345 USD has more than the 2 decimal places of USD"),
        ("note", "0.5", "JPY", "bad_amount: 0.5 JPY has more than the 0 decimal places of JPY"),
        (
            "note",
            "9223372036854775808",
            "USD",
            "bad_amount: 9223372036854775808 minor units of USD do not fit 64 bits",
        ),
        ("note", "1", "EURO", "bad_amount: \"EURO\" is no ISO 4217 currency code"),
        ("note", "1", "", "bad_amount: an amount needs a currency, which is absent or empty"),
        ("note", r#""1,50""#, "EUR", "bad_amount: amount \"1,50\" is no decimal number"),
        ("note", "true", "EUR", "bad_amount: amount is a truth value; it must be a number"),
    ] {
        let line = with(&format!(r#""type":"{kind}","amount":{amount},"currency":"{currency}""#));
        let names = Names::new();
        let found = match decode(&names, line.as_bytes()) {
            Ok(event) => event.amount.map(|m| format!("{} {}", m.minor, m.currency.code())).unwrap(),
            Err(rejection) => rejection.to_string(),
        };
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn refusals_name_the_field_and_what_it_must_be() {
    for (line, expected) in [
        (
            with(r#""type":"usage""#),
            "missing_field: usage needs properties.feature, which is a text that is not empty",
        ),
        (
            with(r#""type":"usage","properties":{"feature":""}"#),
            "missing_field: usage needs properties.feature; it is empty",
        ),
        (
            with(r#""type":"usage","properties":{"feature":7}"#),
            "bad_field: properties.feature of usage is 7; it must be a text that is not empty",
        ),
        (
            with(r#""type":"value","properties":{"metric":null}"#),
            "missing_field: value needs properties.metric, which is a text that is not empty",
        ),
        (
            with(r#""type":"nps_answered","properties":{"score":11}"#),
            "bad_field: properties.score of nps_answered is 11; it must be a number from 0 to 10",
        ),
        (
            with(r#""type":"csat_answered","properties":{"score":0}"#),
            "bad_field: properties.score of csat_answered is 0; it must be a number from 1 to 5",
        ),
        (
            with(r#""type":"csat_answered","properties":{"score":"5"}"#),
            "bad_field: properties.score of csat_answered is \"5\"; it must be a number from 1 to 5",
        ),
        (with(r#""type":"""#), "missing_field: type is absent, null or empty"),
        (with(r#""type":7"#), "bad_field: type is a number; it must be a text"),
        (
            with(r#""type":"note","tenant":"other""#),
            "wrong_tenant: the record is of tenant \"other\"; this directory holds \"main\"",
        ),
        (
            with(r#""type":"note","actor":"bot""#),
            "bad_field: actor is \"bot\"; it must be person, service or internal",
        ),
        (
            with(r#""type":"note","ref":{"system":"crm","id":"1"}"#),
            "no_subject: both account and ref are given; give one of them",
        ),
        (
            with(r#""type":"note","ref":{"system":"","id":"1"}"#),
            "no_subject: both account and ref are given; give one of them",
        ),
        (with(r#""type":"note","quantity":"many""#), "bad_field: quantity \"many\" is no decimal number"),
        (
            with(r#""type":"note","quantity":1e13"#),
            "bad_field: quantity 10000000000000 does not fit 64 bits of millionths",
        ),
        (with(r#""type":"note","properties":[]"#), "bad_field: properties is a list; it must be an object"),
        (with(r#""type":"note","user":5"#), "bad_field: user is a number; it must be a text"),
        (r#"{"type":"note","occurred_at":0}"#.into(), "no_subject: none of account, ref and user is given"),
        (
            r#"{"type":"note","occurred_at":0,"ref":{"system":"crm"}}"#.into(),
            "missing_field: ref.id is absent, null or empty",
        ),
        (
            r#"{"type":"note","occurred_at":0,"ref":{"system":"crm","id":"1","x":1}}"#.into(),
            "bad_field: ref has the field \"x\"; it takes system and id only",
        ),
        (r#"{"type":"note","account":"a"}"#.into(), "missing_field: occurred_at is absent, null or empty"),
        (
            r#"{"type":"note","account":"a","occurred_at":1.5}"#.into(),
            "bad_time: occurred_at 1.5 is no integer of microseconds since the epoch",
        ),
        (
            r#"{"type":"note","account":"a","occurred_at":999999999999999999}"#.into(),
            "bad_time: 999999999999999999 µs since the epoch lies outside the years 0001 to 9999",
        ),
    ] {
        assert_eq!(outcome(&line), expected, "{line}");
    }
}

#[test]
fn a_field_that_is_not_required_never_loses_its_event() {
    for (kind, properties, unread) in [
        (
            "ticket_rated",
            r#"{"rating":"good","ticket_id":"t"}"#,
            "rating: it is \"good\", not one of great, okay, bad",
        ),
        ("pulse_recorded", r#"{"colour":"blue"}"#, "colour: it is \"blue\", not one of red, yellow, green"),
        (
            "invoice_issued",
            r#"{"due_at":"soon","invoice_id":"i"}"#,
            "due_at: it is \"soon\", not a date, an RFC 3339 time or integer microseconds",
        ),
        (
            "subscription_started",
            r#"{"seats":"5","subscription_id":"s"}"#,
            "seats: it is \"5\", not a number",
        ),
        ("usage", r#"{"duration_s":"90","feature":"f"}"#, "duration_s: it is \"90\", not a number"),
        ("ticket_replied", r#"{"public":1,"ticket_id":"t"}"#, "public: it is 1, not true or false"),
        (
            "account_updated",
            r#"{"kind":"prospect"}"#,
            "kind: it is \"prospect\", not one of customer, partner, internal, test",
        ),
        ("account_merged", r#"{"into_account":7}"#, "into_account: it is 7, not a text that is not empty"),
        ("csat_answered", r#"{"score":5,"ticket_id":null}"#, ""),
        ("ticket_updated", r#"{"note":"no ticket"}"#, ""),
        ("account_merged", r#"{"note":"into nobody"}"#, ""),
        ("user_identified", r#"{"email":"a@b.example"}"#, ""),
        ("user_deactivated", r#"{"note":"nobody"}"#, ""),
        ("stakeholder_changed", r#"{"role":"buyer","state":"joined"}"#, ""),
    ] {
        let line = with(&format!(r#""type":"{kind}","properties":{properties}"#));
        assert_eq!(outcome(&line), format!(r#"{HEAD}"type":"{kind}",{AT},"properties":{properties}}}"#));
        let names = Names::new();
        let event = decode(&names, line.as_bytes()).unwrap();
        let found: Vec<String> = contract::unread(&names, &event)
            .map(|unread| format!("{}: {}", unread.key, unread.detail))
            .collect();
        assert_eq!(found.join("; "), unread, "{line}");
    }
}

#[test]
fn a_pulse_has_the_points_of_its_colour_whatever_it_brings() {
    let line = with(r#""type":"pulse_recorded","properties":{"colour":"red","points":50}"#);
    let expected =
        format!(r#"{HEAD}"type":"pulse_recorded",{AT},"properties":{{"colour":"red","points":0}}}}"#);
    assert_eq!(outcome(&line), expected);
}

#[test]
fn ids_past_their_limit_are_refused_and_at_it_are_kept() {
    let names = Names::new();
    let line = |length: usize| {
        format!(r#"{{"id":"{}","account":"a","type":"t","occurred_at":0}}"#, "x".repeat(length))
    };
    assert_eq!(decode(&names, line(512).as_bytes()).unwrap().id.len(), 512);
    assert_eq!(
        decode(&names, line(513).as_bytes()).unwrap_err().to_string(),
        "over_limit: id of 513 bytes is past id_bytes_max = 512"
    );
}

fn content(line: &str) -> u64 {
    let names = Names::new();
    // Other strings first: symbols differ between runs, fingerprints must not.
    names.intern(line);
    fingerprint(&names, &decode(&names, line.as_bytes()).unwrap())
}

#[test]
fn a_fingerprint_is_fixed_for_all_time() {
    let line = with(
        r#""type":"invoice_issued","amount":"10.50","currency":"EUR","user":"ann","quantity":1.5,"properties":{"invoice_id":"i1","paid":false,"tags":["a",{"k":0.1}],"none":null},"extra":1"#,
    );
    assert_eq!(content(&line), FIXED);
}

#[test]
fn content_is_what_the_line_means_and_not_how_it_is_written() {
    let base = r#"{"id":"1","account":"a","type":"note","occurred_at":"2024-05-01T08:00:00Z","quantity":1,"amount":150,"currency":"EUR","properties":{"a":1.0,"b":{"x":1,"y":2}}}"#;
    for same in [
        r#"{"properties": {"b":{"y":2e0,"x":1}, "a":1}, "currency":"eur", "amount":"1.5", "quantity":"1.0", "occurred_at":1714550400000000, "type":"note", "account":"a", "id":"1", "user":""}"#,
        r#"{"id":"\u0031","account":"a","type":"note","occurred_at":"2024-05-01T10:00:00.0000009+02:00","quantity":1,"amount":1.50,"currency":"EUR","properties":{"a":1.0,"b":{"x":1,"y":2}},"tenant":"main","source":"shop","actor":"person","extra":null}"#,
    ] {
        assert_eq!(content(same), content(base), "{same}");
    }
    for (from, to) in [
        ("\"a\":1.0", "\"a\":\"1\""),
        ("\"a\":1.0", "\"c\":1.0"),
        ("\"note\"", "\"nota\""),
        ("150", "151"),
        ("\"quantity\":1,", ""),
        ("\"account\":\"a\"", "\"user\":\"a\""),
        ("\"account\":\"a\"", "\"account\":\"a\",\"user\":\"u\""),
        ("00Z", "01Z"),
        ("EUR", "USD"),
        ("\"quantity\"", "\"extra\":1,\"quantity\""),
    ] {
        assert_ne!(content(&base.replace(from, to)), content(base), "{from} → {to}");
    }
}

fn json_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        (any::<i32>(), -9i32..9).prop_map(|(m, e)| format!("{m}e{e}")),
        "[a-zé\\x00-\\x1f\"\\\\]{0,8}".prop_map(|text| quote(&text)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::btree_map("[a-d]{1,2}", inner, 0..4).prop_map(|map| {
                let fields: Vec<String> =
                    map.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

fn quote(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn fields() -> impl Strategy<Value = Vec<String>> {
    let properties = prop::collection::btree_map("[a-f]{1,3}|feature|metric", json_value(), 0..5);
    let unknown = prop::collection::btree_map("x_[a-f]{1,3}", json_value(), 0..3);
    let text = "[a-z]{1,6}";
    (
        text,
        text,
        prop::option::of(text),
        -62_000_000_000_000_000i64..253_000_000_000_000_000,
        properties,
        unknown,
        any::<i64>(),
    )
        .prop_map(|(id, account, user, at, properties, unknown, quantity)| {
            let mut fields = vec![
                format!(r#""id":"{id}""#),
                format!(r#""account":"{account}""#),
                r#""type":"note""#.to_owned(),
                format!(r#""occurred_at":{at}"#),
                format!(r#""quantity":{quantity}e-6"#),
                r#""amount":-5"#.to_owned(),
                r#""currency":"CHF""#.to_owned(),
            ];
            fields.extend(user.map(|user| format!(r#""user":"{user}""#)));
            let inner: Vec<String> =
                properties.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            fields.push(format!(r#""properties":{{{}}}"#, inner.join(",")));
            fields.extend(unknown.iter().map(|(key, value)| format!("\"{key}\":{value}")));
            fields
        })
}

proptest! {
    #[test]
    fn written_events_decode_to_themselves(fields in fields()) {
        let names = Names::new();
        let line = format!("{{{}}}", fields.join(","));
        let event = decode(&names, line.as_bytes()).unwrap();
        let mut written = Vec::new();
        native::write(&names, &event, &mut written);
        prop_assert_eq!(decode(&names, &written).unwrap(), event, "{}", String::from_utf8_lossy(&written));
    }

    #[test]
    fn key_order_and_white_space_do_not_matter(
        (fields, shuffled) in fields().prop_flat_map(|f| (Just(f.clone()), Just(f).prop_shuffle())),
        space in "[ \t\r\n]{0,3}",
    ) {
        let separator = format!(",{space}");
        let line = format!("{{{}}}", fields.join(","));
        let other = format!("{space}{{{space}{}{space}}}{space}", shuffled.join(&separator));
        prop_assert_eq!(content(&line), content(&other));
    }

    #[test]
    fn any_bytes_become_an_event_or_a_rejection(line in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&Names::new(), &line);
    }

    #[test]
    fn any_value_in_any_field_becomes_an_event_or_a_rejection(
        field in "tenant|source|id|account|ref|user|actor|product|type|occurred_at|quantity|amount|properties",
        value in json_value(),
    ) {
        let line = format!(r#"{{"{field}":{value},"currency":"EUR"}}"#);
        if let Err(rejection) = decode(&Names::new(), line.as_bytes()) {
            prop_assert!(Reason::ALL.contains(&rejection.reason));
        }
    }
}

/// Format 1 of the fingerprint: a change here breaks deduplication of every log that exists.
const FIXED: u64 = 5_198_935_209_798_536_731;
