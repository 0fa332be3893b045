//! The events behind the measures of a score, at an instant and between two.

use tidewatch_proto::v1;
use tonic::Code;

use crate::support::{Served, date, last, line, refused};

/// Three measures: events of seven days, a ratio of them and the newest judgement, and seats, which are made of no event.
const MODEL: &str = "
name = 'counted'
[metrics]
events = { agg = 'count', filter = { family = 'usage' }, window = 7 }
pulse = { agg = 'last', field = 'properties.points', filter = { type = 'pulse_recorded' } }
both = { agg = 'ratio', a = 'events', b = 'pulse' }
seats = { agg = 'standing', kind = 'seats' }
[measures]
events = { metric = 'events', curve = [[0, 0], [10, 100]] }
both = { metric = 'both', curve = [[0, 0], [10, 100]] }
seats = { metric = 'seats', curve = [[0, 0], [10, 100]] }
[[profiles]]
name = 'all'
groups = { all = { weight = 1, measures = { events = 2, both = 1, seats = 1 } } }
";

fn used(id: &str, account: &str, day: u8) -> String {
    let at = format!("2024-02-{day:02}T10:00:00Z");
    line(id, account, "usage", &at, r#""user":"ann","properties":{"feature":"search"}"#)
}

/// Usage of `acme` on days 1 to 20, of `old` on day 19, of `other` on day 19; a judgement of `acme` on day 2.
async fn served() -> Served {
    let mut lines: Vec<String> = (1..=20).map(|day| used(&format!("a{day:02}"), "acme", day)).collect();
    lines.push(line(
        "p",
        "acme",
        "pulse_recorded",
        "2024-02-02T09:00:00Z",
        r#""properties":{"colour":"yellow"}"#,
    ));
    lines.extend([used("o", "old", 19), used("x", "other", 19)]);
    Served::new(&lines).await
}

fn asked(events_max: i32, measures: &[&str]) -> Option<v1::EvidenceAsked> {
    Some(v1::EvidenceAsked { events_max, measures: measures.iter().map(|name| (*name).to_owned()).collect() })
}

fn get(evidence: Option<v1::EvidenceAsked>) -> v1::GetHealthRequest {
    v1::GetHealthRequest {
        account: "acme".into(),
        as_of: last(),
        model: MODEL.into(),
        evidence,
        ..Default::default()
    }
}

async fn behind(served: &Served, request: v1::GetHealthRequest) -> Vec<(String, Vec<String>, u64, String)> {
    let health = served.health().get_health(request).await.unwrap().into_inner().health.unwrap();
    let told = health.measures.into_iter().filter_map(|measure| Some((measure.name, measure.evidence?)));
    told.map(|(name, evidence)| (name, ids(&evidence), evidence.count, evidence.text)).collect()
}

fn ids(evidence: &v1::HealthEvidence) -> Vec<String> {
    evidence.events.iter().map(|entry| entry.event.as_ref().unwrap().id.clone()).collect()
}

fn of(id: &str, ids: &[&str], count: u64, text: &str) -> (String, Vec<String>, u64, String) {
    (id.to_owned(), ids.iter().map(|id| (*id).to_owned()).collect(), count, text.to_owned())
}

#[tokio::test]
async fn each_measure_tells_its_newest_events_and_how_many_there_are() {
    let served = served().await;
    // The model is not the adopted one.
    assert_eq!(
        behind(&served, get(asked(3, &[]))).await,
        [
            of("events", &["a20", "a19", "a18"], 7, "the newest 3 of 7 events from 2024-02-14 to 2024-02-20"),
            of("both", &["a20", "a19", "a18"], 8, "the newest 3 of 8 events up to 2024-02-20"),
            of("seats", &[], 0, "made of facts and time, of no events"),
        ]
    );
    let all = behind(&served, get(asked(0, &["both"]))).await;
    let ids = ["a20", "a19", "a18", "a17", "a16", "a15", "a14", "p"];
    assert_eq!(all, [of("both", &ids, 8, "8 events up to 2024-02-20")]);
    let then = v1::GetHealthRequest { as_of: date("2024-02-03"), ..get(asked(0, &["events"])) };
    let ids = ["a03", "a02", "a01"];
    assert_eq!(
        behind(&served, then).await,
        [of("events", &ids, 3, "3 events from 2024-01-28 to 2024-02-03")]
    );
    assert!(behind(&served, get(None)).await.is_empty(), "none are read unless asked for");
}

#[tokio::test]
async fn an_event_is_told_as_the_timeline_tells_it() {
    let served = served().await;
    let request = get(asked(1, &["events"]));
    let health = served.health().get_health(request).await.unwrap().into_inner().health.unwrap();
    let told = health.measures[0].evidence.as_ref().unwrap().events[0].clone();
    let request = v1::GetTimelineRequest { account: "acme".into(), page_size: 1, ..Default::default() };
    let timeline = served.accounts().get_timeline(request).await.unwrap().into_inner();
    assert_eq!(told, timeline.entries[0]);
    assert_eq!(told.event.unwrap().user, "ann");
}

#[tokio::test]
async fn a_line_between_two_instants_tells_what_happened_between_them() {
    let served = served().await;
    let request = v1::ExplainHealthRequest {
        account: "acme".into(),
        from: date("2024-02-03"),
        to: date("2024-02-09"),
        model: MODEL.into(),
        evidence: asked(2, &[]),
        ..Default::default()
    };
    let answer = served.health().explain_health(request).await.unwrap().into_inner();
    let told: Vec<_> = answer
        .changes
        .iter()
        .map(|line| (line.name.as_str(), line.evidence.as_ref().map(|told| (ids(told), told.text.as_str()))))
        .collect();
    let newest = || vec!["a09".to_owned(), "a08".to_owned()];
    // Three events became seven, and all but the one of day 3 lie after the end of day 3. The judgement of day 2 is older.
    assert_eq!(
        told,
        [
            ("events", Some((newest(), "the newest 2 of 6 events from 2024-02-04 to 2024-02-09"))),
            ("both", Some((newest(), "the newest 2 of 6 events from 2024-02-04 to 2024-02-09"))),
            ("rest", None),
        ]
    );
}

#[tokio::test]
async fn a_survivor_tells_the_events_of_those_merged_into_it() {
    let served = served().await;
    let merge =
        line("m", "old", "account_merged", "2024-02-20T12:00:00Z", r#""properties":{"into_account":"acme"}"#);
    served.import("merge", &[merge]).await;
    let told = behind(&served, get(asked(0, &["events"]))).await;
    assert_eq!(told[0].1, ["a20", "o", "a19", "a18", "a17", "a16", "a15", "a14"]);
    let before = v1::GetHealthRequest { as_of: date("2024-02-19"), ..get(asked(2, &["events"])) };
    assert_eq!(behind(&served, before).await[0].1, ["a19", "a18"], "they are apart before the merge");
    let of_old = v1::GetHealthRequest { account: "old".into(), ..get(asked(1, &["events"])) };
    assert_eq!(behind(&served, of_old).await[0].1, ["a20"], "its survivor answers");
}

#[tokio::test]
async fn what_cannot_be_told_is_refused() {
    let served = served().await;
    let invalid = Code::InvalidArgument;
    for (events_max, measure) in [(101, "events"), (-1, "events"), (1, "evnts")] {
        let answer = served.health().get_health(get(asked(events_max, &[measure]))).await;
        refused(answer, invalid, "INVALID_EVIDENCE");
    }
    let request = v1::ExplainHealthRequest {
        account: "acme".into(),
        model: MODEL.into(),
        evidence: asked(1, &["evnts"]),
        ..Default::default()
    };
    let status = served.health().explain_health(request).await.unwrap_err();
    assert!(status.message().contains("nearest: \"events\""), "{}", status.message());
    let unknown = v1::GetHealthRequest { account: "nobody".into(), ..get(asked(1, &[])) };
    refused(served.health().get_health(unknown).await, Code::NotFound, "ACCOUNT_UNKNOWN");
}
