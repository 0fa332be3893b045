//! Metrics: from memory, from the log, of an inline model, of everybody.

use tidewatch_engine::cancellation::Cancellation;
use tidewatch_engine::read::past::of_own_events;
use tidewatch_engine::read::scan::{AsOf, Columns, Question, rows as rows_of, scan};
use tidewatch_engine::serve::convert;
use tidewatch_projections::model::{DEFAULT, Model};
use tidewatch_proto::v1;
use tokio_stream::StreamExt as _;
use tonic::Code;
use v1::metric::Value::{Integer, Number};

use crate::support::{Served, date, last, line, refused, usage};

const MODEL: &str = "[metrics]\nuses = { agg = 'count', window = 2, filter = { family = 'usage' } }\n\
                     people = { agg = 'active_users', window = 7, filter = { family = 'usage' } }\n";

fn week() -> Vec<String> {
    (1..=7).map(|day| usage(&format!("u{day}"), "acme", &format!("2024-02-0{day}T10:00:00Z"))).collect()
}

fn ask(as_of: Vec<v1::AsOf>, model: &str, metrics: &[&str]) -> v1::GetMetricsRequest {
    v1::GetMetricsRequest {
        account: "acme".into(),
        as_of,
        model: model.into(),
        metrics: metrics.iter().map(|name| (*name).to_owned()).collect(),
        min_position: String::new(),
    }
}

async fn rows(served: &Served, request: v1::GetMetricsRequest) -> Vec<v1::MetricRow> {
    served.metrics().get_metrics(request).await.unwrap().into_inner().rows
}

#[tokio::test]
async fn memory_and_log_agree_at_every_instant() {
    let served = Served::new(&week()).await;
    let adopted = tidewatch_projections::model::DEFAULT;
    let noon = v1::AsOf {
        instant: Some(v1::as_of::Instant::At(tidewatch_proto::prost_types::Timestamp {
            seconds: 1_707_048_000,
            nanos: 0,
        })),
    };
    for as_of in [vec![], vec![last().unwrap()], vec![date("2024-02-03").unwrap(), noon]] {
        let memory = rows(&served, ask(as_of.clone(), "", &[])).await;
        let log = rows(&served, ask(as_of, adopted, &[])).await;
        assert_eq!(memory, log);
        assert!(memory.iter().all(|row| row.metrics.len() > 20 && row.state() == v1::MetricState::Current));
    }
}

#[tokio::test]
async fn an_inline_model_is_asked_for_chosen_metrics_at_chosen_instants() {
    let served = Served::new(&week()).await;
    let as_of = vec![date("2024-02-01").unwrap(), last().unwrap()];
    let rows = rows(&served, ask(as_of, MODEL, &["people", "uses"])).await;
    let values: Vec<Vec<_>> =
        rows.iter().map(|row| row.metrics.iter().map(|metric| metric.value.clone()).collect()).collect();
    assert_eq!(values[0], [Some(Integer(1)), Some(Integer(1))]);
    assert_eq!(values[1], [Some(Integer(1)), Some(Integer(2))]);
    assert_eq!(rows[1].as_of.as_ref().unwrap().seconds, 1_707_300_000);
}

#[tokio::test]
async fn missing_is_not_zero() {
    let served = Served::new(&week()).await;
    let rows = rows(&served, ask(vec![last().unwrap()], "", &["nps", "usage_28d", "people_per_seat"])).await;
    let values: Vec<_> = rows[0].metrics.iter().map(|metric| metric.value.clone()).collect();
    assert_eq!(values, [None, Some(Integer(7)), None]);
    assert!(!matches!(values[0], Some(Number(_))));
}

#[tokio::test]
async fn a_scan_answers_everybody_by_instant_and_id() {
    let others = vec![usage("g", "globex", "2024-02-02T00:00:00Z")];
    let served = Served::new(&[week(), others].concat()).await;
    let request = v1::ScanMetricsRequest {
        as_of: vec![date("2024-02-01").unwrap(), last().unwrap()],
        model: MODEL.into(),
        ..Default::default()
    };
    let stream = served.metrics().scan_metrics(request).await.unwrap().into_inner();
    let messages: Vec<v1::ScanMetricsResponse> = stream.map(Result::unwrap).collect().await;
    let accounts: Vec<&str> =
        messages.iter().map(|message| message.row.as_ref().unwrap().account.as_str()).collect();
    assert_eq!(accounts, ["acme", "acme", "globex"], "globex has no event before the first instant");
    assert!(messages[0].freshness.is_some() && messages[1].freshness.is_none());
}

#[tokio::test]
async fn an_account_that_no_event_names_has_the_row_of_its_log_and_fails_no_other() {
    let served = Served::new(&week()).await;
    let accounts = ["ghost", "acme", ""].map(str::to_owned).to_vec();
    let ask = async |as_of: Vec<v1::AsOf>, model: &str| {
        let (accounts, model) = (accounts.clone(), model.to_owned());
        let request = v1::ScanMetricsRequest { accounts, as_of, model, ..Default::default() };
        let stream = served.metrics().scan_metrics(request).await.unwrap().into_inner();
        stream.map(|message| message.unwrap().row.unwrap()).collect::<Vec<v1::MetricRow>>().await
    };
    let is_unknown = |row: &v1::MetricRow| row.state() == v1::MetricState::AccountUnknown;
    for (model, text) in [(DEFAULT, ""), (DEFAULT, DEFAULT), (MODEL, MODEL)] {
        let rows = ask(vec![date("2024-02-03").unwrap(), last().unwrap()], text).await;
        let as_of = vec![AsOf::parse("2024-02-03").unwrap(), AsOf::Last];
        let model = Model::parse(model).unwrap();
        let question = Question { model, as_of, accounts: Some(accounts.clone()) };
        let columns = Columns::all(&question.model);
        let of_log = scan(&served.engine.history(), &question, &columns, 2).unwrap();
        assert_eq!(rows.len(), of_log.len());
        for (row, of_log) in rows.iter().zip(of_log) {
            assert_eq!(is_unknown(row), row.account != "acme");
            assert_eq!(row.account, served.engine.names().text(of_log.account));
            assert_eq!(row.as_of, Some(convert::timestamp(of_log.as_of)));
            let metrics = question.model.metrics.iter().zip(&of_log.value);
            let metrics = metrics.map(|(metric, value)| convert::metric(&metric.name, value.as_ref()));
            assert_eq!(row.metrics, metrics.collect::<Vec<_>>());
        }
        let live = ask(vec![], text).await;
        assert_eq!(live.iter().map(is_unknown).collect::<Vec<_>>(), [true, false, true]);
        assert!(live[0].as_of.is_none() && live[0].metrics.iter().all(|metric| metric.value.is_none()));
        assert!(live[1].as_of.is_some());
    }
}

#[tokio::test]
async fn accounts_folded_from_their_own_events_have_the_rows_of_a_scan_of_everything() {
    let accounts = ["acme", "globex", "initech", "umbrella", "ghost"];
    let mut lines = week();
    for (place, account) in accounts[1..4].iter().enumerate() {
        let id = |day| format!("{account}-{day}");
        lines.extend((1..=9).map(|day| usage(&id(day), account, &format!("2024-02-0{day}T0{place}:30:00Z"))));
    }
    let into = r#""properties":{"into_account":"globex"}"#;
    lines.push(line("merge", "acme", "account_merged", "2024-02-05T00:00:00Z", into));
    let served = Served::new(&lines).await;
    let (history, view) = (served.engine.history(), served.engine.view().unwrap());
    let cuts = ["2024-02-03", "2024-02-06T01:15:00Z"].map(|at| AsOf::parse(at).unwrap());
    let as_of: Vec<AsOf> = cuts.into_iter().chain([AsOf::Last]).collect();
    let instant = |as_of: &AsOf| match as_of {
        AsOf::At(at) => Some(*at),
        AsOf::EndOf(day) => Some(view.plan.calendar.end(*day)),
        AsOf::Last => None,
    };
    let cuts: Vec<i64> = as_of.iter().filter_map(instant).collect();
    for text in [DEFAULT, MODEL] {
        let model = Model::parse(text).unwrap();
        let columns = Columns::all(&model);
        for account in accounts {
            let asked = [view.names.intern(account)];
            let own = of_own_events(&history, &view, &model, &asked, &cuts, i64::MAX).unwrap();
            let found = rows_of(&own, Some(&asked), &as_of, &columns, 2, &Cancellation::default());
            let accounts = Some(vec![account.to_owned()]);
            let question = Question { model: model.clone(), as_of: as_of.clone(), accounts };
            assert_eq!(found.unwrap(), scan(&history, &question, &columns, 2).unwrap(), "{account}");
        }
    }
}

#[tokio::test]
async fn questions_past_a_limit_or_a_model_are_refused() {
    let served = Served::new(&week()).await;
    let mut client = served.metrics();
    let invalid = Code::InvalidArgument;
    let many = vec![last().unwrap(); 65];
    assert_eq!(
        refused(client.get_metrics(ask(many, "", &[])).await, invalid, "TOO_MANY_INSTANTS")["most"],
        "64"
    );
    refused(client.get_metrics(ask(vec![], "[metrics]\nx = 1", &[])).await, invalid, "INVALID_MODEL");
    let metadata = refused(client.get_metrics(ask(vec![], "", &["nope"])).await, invalid, "METRIC_UNKNOWN");
    assert_eq!(metadata["metric"], "nope");
    let mut unknown = ask(vec![], "", &[]);
    unknown.account = "nobody".into();
    refused(client.get_metrics(unknown).await, Code::NotFound, "ACCOUNT_UNKNOWN");
}
