//! Mapped JSON: the examples of the manual, what a mapping file may not say, and what a guess makes of feeds.

use std::path::Path;

use proptest::prelude::*;
use tidewatch_ingest::batch::Origin;
use tidewatch_ingest::draft::DecodeContext;
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::mapping::Mapping;
use tidewatch_ingest::mapping::check::{Outcome, check};
use tidewatch_ingest::mapping::guess::guess;
use tidewatch_projections::names::Names;

fn outcomes(mapping: &str, records: &str) -> Vec<String> {
    let mapping = Mapping::parse(mapping).unwrap();
    let report = check(&mapping, records.lines().map(str::as_bytes), &Limits::default(), usize::MAX);
    let all = report.samples.into_iter().flat_map(|sample| sample.results);
    all.map(|became| match became.outcome {
        Outcome::Event(line) => line,
        Outcome::Rejected(rejection) => rejection.to_string(),
        Outcome::Filtered => "filtered".to_owned(),
    })
    .collect()
}

/// The fenced blocks of a kind, in order.
fn blocks<'t>(text: &'t str, kind: &str) -> Vec<&'t str> {
    let open = format!("```{kind}\n");
    text.split(&open).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_examples_of_the_manual_are_true() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/MAPPING.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    let (mappings, records, events) =
        (blocks(&manual, "toml"), blocks(&manual, "json"), blocks(&manual, "events"));
    assert_eq!((mappings.len(), records.len(), events.len()), (2, 2, 2));
    for ((mapping, records), events) in mappings.into_iter().zip(records).zip(events) {
        let expected: Vec<&str> = events.lines().collect();
        assert_eq!(outcomes(mapping, records), expected);
    }
}

const HEAD: &str =
    "[defaults]\naccount = \"$.a\"\noccurred_at = { from = \"$.t\", time = \"s\" }\ntype = \"note\"\n";

#[test]
fn what_a_mapping_may_not_say_is_told_with_place_and_remedy() {
    for (rest, expected) in [
        (
            "[[rule]]",
            "the mapping: unknown key \"rule\"; nearest valid key: \"rules\" (valid: version, description, unmatched, defaults, rules)",
        ),
        ("[[rules]]\nwehn = {}", "rules[1]: unknown key \"wehn\"; nearest valid key: \"when\""),
        (
            "[[rules]]\nuser = { form = \"$.u\" }",
            "rules[1].user: unknown key \"form\"; nearest valid key: \"from\"",
        ),
        ("[[rules]]\nuser = \"$u\"", "rules[1].user: \"$u\" is not a path such as"),
        ("[[rules]]\nuser = \"{$.u\"", "rules[1].user: \"{$.u\" is not a template such as"),
        (
            "[[rules]]\nuser = { from = \"$.u\", time = \"hours\" }",
            "rules[1].user.time: \"hours\" is not rfc3339, s, ms",
        ),
        (
            "[[rules]]\nuser = { from = \"$.u\", time = \"%Y-%!\" }",
            "rules[1].user.time: the pattern \"%Y-%!\" is not valid",
        ),
        (
            "[[rules]]\nuser = { from = \"$.u\", time = \"date\", zone = \"Mars\" }",
            "rules[1].user.zone: \"Mars\" is not an IANA time zone",
        ),
        (
            "[[rules]]\nuser = { from = \"$.u\", unit = \"minor\" }",
            "rules[1].user: unit is for the target amount only",
        ),
        ("[[rules]]\nuser = { value = 1, from = \"$.u\" }", "rules[1].user: give one of from"),
        ("[[rules]]\namount = \"$.x\"", "rules[1]: amount needs currency"),
        ("[[rules]]\nwithout = \"type\"", "rules[1]: nothing gives type"),
        ("[[rules]]\nwithout = \"user\"", "rules[1].without: the defaults have no \"user\" to leave out"),
        ("[[rules]]\nwithout = \"account\"", "rules[1]: nothing says whom it is about"),
        ("[[rules]]\nref = { id = \"$.x\" }", "rules[1]: ref needs both system and id"),
        ("[[rules]]\nskip = true\nalso = true", "rules[1]: skip and also exclude each other"),
        (
            "[[rules]]\n[[rules]]\nwhen = { a = 1 }",
            "rules[2]: it is never reached: rules[1] has no condition",
        ),
        (
            "[[rules]]\nwhen = { props.kind = 1 }",
            "a path of several keys is written in quotes, as \"a.kind\" = …",
        ),
        ("[[rules]]\nwhen = { a = { ge = \"x\" } }", "rules[1].when.a.ge: \"x\" is not a number"),
        ("", "the mapping: it has no rule"),
        ("[[rules]]\nx = ", "the mapping is not valid TOML"),
    ] {
        let error = Mapping::parse(&format!("{HEAD}{rest}")).expect_err(rest).to_string();
        assert!(error.contains(expected), "{rest}\n{error}");
    }
    assert!(Mapping::parse("version = 2").unwrap_err().to_string().contains("2 is not 1"));
}

#[test]
fn a_digest_covers_the_meaning_only() {
    let digest = |file: &str| Mapping::parse(file).unwrap().digest().to_owned();
    let base = digest(&format!("{HEAD}[[rules]]\nname = \"x\"\nuser = \"$.u\""));
    assert_eq!(
        base,
        digest(&format!("# new\ndescription = \"y\"\n{HEAD}[[rules]]\nuser   =  \"$.u\" # who"))
    );
    assert_ne!(base, digest(&format!("{HEAD}[[rules]]\nuser = \"$.v\"")));
    assert_eq!(base.len(), 64);
}

#[test]
fn events_of_one_record_keep_their_ids_when_a_rule_is_filtered() {
    let mapping = format!(
        "{HEAD}[[rules]]\nid = \"$.id\"\nskip = true\nwhen = {{ own = false }}\n[[rules]]\nid = \"$.id\"\n\
         [[rules]]\nalso = true\nid = \"$.id\"\nwhen = {{ b = true }}\n[[rules]]\nalso = true\nid = \"$.id\"\n"
    );
    let ids = |record: &str| {
        let lines = outcomes(&mapping, record);
        let id = |line: &String| {
            line.split("\"id\":\"").nth(1).map_or(line.clone(), |rest| rest.split('"').next().unwrap().into())
        };
        lines.iter().map(id).collect::<Vec<String>>()
    };
    assert_eq!(ids(r#"{"id":"x","a":"acme","t":1,"b":true}"#), ["x", "x#3", "x#4"]);
    assert_eq!(ids(r#"{"id":"x","a":"acme","t":1}"#), ["x", "x#4"]);
    assert_eq!(ids(r#"{"id":"x","a":"acme","t":1,"own":false}"#), ["filtered", "x#4"]);
    assert_eq!(ids(r#"{"a":"acme","t":1}"#), ["sample:1", "sample:1#4"]);
    // One record is one dead letter, however many of its events fail.
    assert_eq!(outcomes(&mapping, r#"{"id":"x","a":"acme","t":"soon"}"#).len(), 1);
}

#[test]
fn values_are_worked_on_in_a_fixed_order() {
    for (source, record, expected) in [
        (
            r#"{ from = "$.x", trim = true, lower = true, after = "@", before = "." }"#,
            r#""  Ann@ACME.example ""#,
            r#""acme""#,
        ),
        (r#"{ from = "$.x", map = { a = 1, b = true } }"#, r#""b""#, "true"),
        (r#"{ from = "$.x", map = { "7" = "seven" } }"#, "7.0", r#""seven""#),
        (r#"{ from = "$.x", map = { a = 1 }, unlisted = "keep" }"#, r#""z""#, r#""z""#),
        (r#"{ from = "$.x", map = { a = 1 }, unlisted = "drop", default = 0 }"#, r#""z""#, "0"),
        (r#"{ from = "$.x", as = "number", times = 0.1 }"#, r#""0.3""#, "0.03"),
        (r#"{ from = "$.x", as = "number" }"#, r#""""#, "absent"),
        (r#"{ from = "$.x", as = "bool" }"#, "1", "true"),
        (r#"{ from = "$.x", decimal = "," }"#, r#""1.234,50 EUR""#, "1234.5"),
        (r#"{ from = "$.x", decimal = ".", times = 100, as = "text" }"#, r#""$1,234.50""#, "123450"),
        (r#"{ from = "$.x", decimal = "." }"#, r#"" ""#, "absent"),
        (r#"{ from = "$.x", decimal = "." }"#, "2.5", "2.5"),
        (r#"{ from = "$.x", time = "ns" }"#, "1714550400123456789", r#""2024-05-01T08:00:00.123456Z""#),
        (r#"{ from = "$.x", time = "s" }"#, "-0.0000001", r#""1969-12-31T23:59:59.999999Z""#),
        (
            r#"{ from = "$.x", time = "%d %b %Y %H:%M:%S %z" }"#,
            r#""01 May 2024 10:00:00 +0200""#,
            r#""2024-05-01T08:00:00Z""#,
        ),
        (r#"{ from = "$.x", time = "%m/%d/%y" }"#, r#""5/1/24""#, r#""2024-05-01""#),
        (r#"["$.none", "$.x"]"#, "[1,2]", "[1,2]"),
        (r#""n-{$.x}""#, "5", r#""n-5""#),
        (r#""n-{$.x}""#, "null", "absent"),
        (r#"{ value = "$.x" }"#, "1", r#""$.x""#),
    ] {
        let found = outcomes(
            &format!("{HEAD}[[rules]]\nproperties = {{ p = {source} }}"),
            &format!(r#"{{"a":"acme","t":0,"x":{record}}}"#),
        );
        let value = found[0].split("\"p\":").nth(1).map_or("absent", |rest| rest.strip_suffix("}}").unwrap());
        assert_eq!(value, expected, "{source} of {record}: {found:?}");
    }
}

#[test]
fn clock_changes_move_skipped_times_forward_and_take_the_first_of_repeated_ones() {
    let mapping = "[[rules]]\naccount = \"$.a\"\ntype = \"note\"\n\
                   occurred_at = { from = \"$.t\", time = [\"%Y-%m-%d %H:%M\", \"date\"], zone = \"America/New_York\" }";
    for (time, expected) in [
        ("2024-03-10 02:30", "2024-03-10T07:30:00Z"),
        ("2024-11-03 01:30", "2024-11-03T05:30:00Z"),
        ("2024-07-01", "2024-07-01T04:00:00Z"),
    ] {
        let found = outcomes(mapping, &format!(r#"{{"a":"acme","t":"{time}"}}"#));
        assert!(found[0].contains(expected), "{found:?}");
    }
    let found = outcomes(mapping, r#"{"a":"acme","t":"yesterday"}"#);
    assert!(found[0].starts_with("bad_time: occurred_at from $.t: \"yesterday\" does not fit"), "{found:?}");
}

#[test]
fn a_check_tells_what_is_not_read() {
    let mapping = Mapping::parse(&format!(
        "{HEAD}[[rules]]\nwhen = {{ k = 1 }}\n[[rules]]\nskip = true\nwhen = {{ k = 2 }}"
    ))
    .unwrap();
    let records = "{\"a\":\"x\",\"t\":0,\"k\":1,\"lost\":true}\n\n{\"k\":2,\"lost\":1}\n{\"k\":3}\nnot json";
    let report = check(&mapping, records.lines().map(str::as_bytes), &Limits::default(), 1);
    assert_eq!((report.records, report.accepted, report.filtered, report.samples.len()), (4, 1, 1, 1));
    assert_eq!(report.by_rule, [1, 1]);
    assert_eq!(report.unread.get("lost"), Some(&2));
    assert_eq!(report.rejected.values().map(|(count, _)| count).sum::<u64>(), 2);
    assert!(report.rejected.values().any(|(_, first)| first.starts_with("no_rule: ")));
    assert!(!report.passes());
}

fn guessed(records: &str) -> String {
    let guess = guess(records.lines().map(str::as_bytes), &Limits::default()).unwrap();
    assert!(guess.report.passes(), "{}\n{:?}", guess.file, guess.report);
    assert!(guess.report.rejected.is_empty(), "{}\n{:?}", guess.file, guess.report.rejected);
    guess.report.types.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_guess_finds_its_way_in_other_peoples_feeds() {
    let tracker = r#"{"messageId":"1","event":"Report Viewed","type":"track","userId":"u1","context":{"groupId":"g1"},"timestamp":"2024-05-01T08:00:00.000Z","properties":{"report":"x"}}
{"messageId":"2","event":null,"name":"Home","type":"page","userId":"u2","context":{"groupId":"g1"},"timestamp":"2024-05-01T09:00:00.000Z","properties":{}}"#;
    assert_eq!(guessed(tracker), "usage 2");
    let payments = r#"{"id":"evt_1","type":"invoice.paid","created":1714550400,"data":{"customer":"cus_1","number":"F-1","amount":1200,"currency":"usd"}}
{"id":"evt_2","type":"charge.refunded","created":1714550500,"data":{"customer":"cus_1","amount":200,"currency":"usd"}}
{"id":"evt_3","type":"customer.subscription.created","created":1714550600,"data":{"customer":"cus_2","subscription":"sub_1","amount":900,"currency":"usd"}}"#;
    assert_eq!(guessed(payments), "invoice_paid 1, refund_issued 1, subscription_started 1");
    let tickets = r#"{"event_type":"ticket.created","ticket":{"id":7,"subject":"Help"},"organization":{"id":12},"requester_id":99,"created_at":"2024-05-01 08:00:00"}
{"event_type":"ticket.solved","ticket":{"id":7},"organization":{"id":12},"requester_id":99,"created_at":"2024-05-02 08:00:00"}"#;
    assert_eq!(guessed(tickets), "ticket_opened 1, ticket_resolved 1");
    let counters = r#"{"site":"north","value":3.5,"when":"2024-05-01"}
{"site":"south","value":2,"when":"2024-05-02"}"#;
    assert_eq!(guessed(counters), "usage 2");
}

/// A feed of `count` records, and the places where a guess found what every event needs.
fn found(count: usize, record: impl Fn(usize) -> String) -> Vec<(String, String)> {
    let records: Vec<String> = (0..count).map(record).collect();
    let guess = guess(records.iter().map(String::as_bytes), &Limits::default()).unwrap();
    assert!(guess.report.passes(), "{}\n{:?}", guess.file, guess.report);
    guess.found
}

#[test]
fn a_guess_reads_names_and_times_that_it_was_never_told() {
    let place = |found: &[(String, String)], target: &str| {
        found.iter().find(|(name, _)| name == target).map_or("none".to_owned(), |(_, path)| path.clone())
    };
    let spaced = found(30, |n| {
        format!(
            r#"{{"Event ID":{n},"Account Name":"a{}","User Email":"u@x.y","Event Name":"Opened","Event Date":"05/{:02}/2024 08:00"}}"#,
            n % 3,
            n % 28 + 1
        )
    });
    assert_eq!(place(&spaced, "account"), "$[\"Account Name\"]");
    assert_eq!(place(&spaced, "occurred_at"), "$[\"Event Date\"] as %m/%d/%Y %H:%M");
    assert_eq!(
        (place(&spaced, "id"), place(&spaced, "type")),
        ("$[\"Event ID\"]".into(), "$[\"Event Name\"]".into())
    );

    let nested = found(30, |n| {
        format!(
            r#"{{"meta":{{"envelope":{{"event":{{"id":"e{n}","name":"click","time":"2024-05-01T08:00:{n:02}+0200"}},"customer":{{"account":{{"id":"a1"}},"person":{{"id":"p{n}"}}}}}}}}}}"#
        )
    });
    assert_eq!(place(&nested, "account"), "$.meta.envelope.customer.account.id");
    assert_eq!(place(&nested, "occurred_at"), "$.meta.envelope.event.time as %Y-%m-%dT%H:%M:%S%.f%z");

    let access = found(30, |n| {
        format!(
            r#"{{"tenant_id":"t1","actor":{{"id":"u{n}","type":"user"}},"time_ms":{},"endpoint":"/v1"}}"#,
            1_704_067_200_000u64 + n as u64
        )
    });
    assert_eq!(place(&access, "occurred_at"), "$.time_ms as ms");
    assert_eq!(
        (place(&access, "account"), place(&access, "user")),
        ("$.tenant_id".into(), "$.actor.id".into())
    );
    assert_eq!(place(&access, "type"), "none", "the type of a user is not the type of the event");

    let texts =
        found(30, |n| format!(r#"{{"uuid":"{n}","ts":"{}","org":"o","action":"made"}}"#, 1_704_067_200 + n));
    assert_eq!(place(&texts, "occurred_at"), "$.ts as s");

    let foreign = found(30, |n| {
        format!(
            r#"{{"Belegnr":"R{n}","Kunde":"k1","Datum":"{:02}.05.2024","Art":"Rechnung","Betrag":"1.234,50 EUR"}}"#,
            n % 28 + 1
        )
    });
    assert_eq!(place(&foreign, "occurred_at"), "$.Datum as %d.%m.%Y");
    assert_eq!((place(&foreign, "account"), place(&foreign, "id")), ("$.Kunde".into(), "$.Belegnr".into()));
}

#[test]
fn a_guess_takes_the_id_of_the_thing_and_not_of_the_message() {
    let payments = r#"{"id":"evt_1","type":"invoice.paid","created":1714550400,"data":{"object":{"id":"in_1","customer":"c","amount_paid":1200,"currency":"usd"}}}
{"id":"evt_2","type":"customer.subscription.deleted","created":1714550500,"data":{"object":{"id":"sub_1","customer":"c"}}}"#;
    let guess = guess(payments.lines().map(str::as_bytes), &Limits::default()).unwrap();
    let became: Vec<String> = outcomes(&guess.file, payments);
    assert!(became[0].contains(r#""invoice_id":"in_1""#), "{became:?}");
    assert!(
        became[1].contains(r#""type":"subscription_ended""#)
            && became[1].contains(r#""subscription_id":"sub_1""#),
        "{became:?}"
    );
    let answers = r#"{"response_id":1,"company":"a","nps_score":9,"submitted_at":"2024-05-01T08:00:00Z"}
{"response_id":2,"company":"b","nps_score":0,"submitted_at":"2024-05-02T08:00:00Z"}"#;
    assert_eq!(guessed(answers), "nps_answered 2");
}

#[test]
fn a_guess_says_what_it_misses() {
    let error = |records: &str| {
        guess(records.lines().map(str::as_bytes), &Limits::default()).unwrap_err().to_string()
    };
    assert!(error("x\ny").starts_with("none of the 2 lines is a JSON object"));
    assert!(error(r#"{"a":1}"#).starts_with("no field looks like the time of the event"));
    assert!(
        error(r#"{"ts":"2024-05-01T08:00:00Z","x":1}"#)
            .starts_with("no field looks like an account or a user")
    );
}

proptest! {
    #[test]
    fn any_text_is_a_mapping_or_an_error(file in r#"[\[\]{}="'$. a-z0-9\n]{0,80}"#) {
        let _ = Mapping::parse(&file);
    }

    #[test]
    fn any_bytes_are_mapped_or_refused(record in prop::collection::vec(any::<u8>(), 0..120)) {
        let mapping = Mapping::parse(&format!("{HEAD}copy = \"$\"\n[[rules]]")).unwrap();
        let names = Names::new();
        let limits = Limits::default();
        let with = DecodeContext { names: &names, tenant: "main", source: names.intern("s"), limits: &limits };
        let mut made = 0;
        mapping.apply(&record, &with, &Origin::Line { digest: with.source, line: 1 }, &mut |_| made += 1);
        prop_assert_eq!(made, 1);
    }

    #[test]
    fn any_samples_give_a_guess_or_an_error(
        records in prop::collection::vec(
            r#"\{"(id|ts|type|account|props|a\.b|x y|amount|currency)":("[a-z0-9$\{\}."\\]{0,5}"|[0-9]{1,12}|\{"(id|ticket)":1\}|null),"(user|ts|data)":("2024-05-01"|[0-9]{10}|\[1\])\}"#,
            1..5,
        ),
    ) {
        let _ = guess(records.iter().map(String::as_bytes), &Limits::default());
    }
}
