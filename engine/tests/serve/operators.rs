//! What is asked before any account: health, reflection, the server itself, the operator pages.

use std::collections::HashMap;
use std::sync::Arc;

use tidewatch_engine::serve::formats::Formats;
use tidewatch_engine::serve::http;
use tidewatch_engine::serve::lifecycle::Lifecycle;
use tidewatch_engine::serve::listen::{self, Api, ListenError};
use tidewatch_engine::serve::reader::Reader;
use tidewatch_ingest::limits::Limits;
use tidewatch_proto::v1;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_stream::StreamExt as _;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::support::{Served, line, refused, usage};

#[tokio::test]
async fn the_server_tells_what_it_is_and_what_it_limits() {
    let served = Served::new(&[usage("1", "acme", "2024-02-01T00:00:00Z")]).await;
    let info = served.server().get_server_info(v1::GetServerInfoRequest {}).await.unwrap().into_inner();
    assert_eq!((info.version.as_str(), info.tenant.as_str(), info.zone.as_str()), ("0.1.0", "main", "UTC"));
    assert!(info.metrics.contains(&"usage_28d".to_owned()) && info.accounts == 1);
    let limits = info.limits.unwrap();
    assert_eq!((limits.page_size_default, limits.page_size_max), (100, 1_000));
    assert!(limits.page_token_lives_ms >= 15 * 60 * 1_000);
}

#[tokio::test]
async fn another_tenant_is_refused_by_name() {
    let served = Served::new(&[]).await;
    for (tenant, expected) in [("main", None), ("other", Some("TENANT_UNKNOWN"))] {
        let mut request = Request::new(v1::GetServerInfoRequest {});
        request.metadata_mut().insert("tidewatch-tenant", tenant.parse().unwrap());
        let answer = served.server().get_server_info(request).await;
        match expected {
            None => drop(answer.unwrap()),
            Some(reason) => assert_eq!(refused(answer, Code::NotFound, reason)["held"], "main"),
        }
    }
}

#[tokio::test]
async fn health_and_reflection_answer_the_standard_clients() {
    let served = Served::new(&[]).await;
    let mut health = HealthClient::new(served.channel.clone());
    for service in ["", "tidewatch.v1.AccountService", "tidewatch.v1.MetricService"] {
        let answer = health.check(HealthCheckRequest { service: service.into() }).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let ask = |message| ServerReflectionRequest { host: String::new(), message_request: Some(message) };
    let questions = vec![
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("tidewatch.v1.AccountService.GetAccount".into())),
    ];
    let mut reflection = ServerReflectionClient::new(served.channel.clone());
    let answers =
        reflection.server_reflection_info(tokio_stream::iter(questions)).await.unwrap().into_inner();
    let answers: Vec<_> = answers.map(|answer| answer.unwrap().message_response.unwrap()).collect().await;
    let MessageResponse::ListServicesResponse(services) = &answers[0] else { panic!("{answers:?}") };
    let names: Vec<&str> = services.service.iter().map(|service| service.name.as_str()).collect();
    for expected in ["tidewatch.v1.AccountService", "tidewatch.v1.DeadLetterService", "grpc.health.v1.Health"]
    {
        assert!(names.contains(&expected), "{names:?}");
    }
    assert!(
        matches!(&answers[1], MessageResponse::FileDescriptorResponse(files) if !files.file_descriptor_proto.is_empty())
    );
}

#[tokio::test]
async fn an_address_beyond_this_machine_is_refused() {
    let served = Served::new(&[]).await;
    let index = tempfile::TempDir::new().unwrap();
    let index = Arc::new(tidewatch_engine::read::index::Index::open(index.path()).unwrap());
    let reader =
        Reader::new(Arc::clone(&served.engine), index, Arc::clone(&served.stage.scheduler), 1).unwrap();
    let formats = Arc::new(Formats::new(&served.engine, Limits::default(), HashMap::new()));
    let api = Api { reader, formats, pins: Arc::clone(&served.stage.pins), stop: Arc::default() };
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let refused = listen::grpc(everywhere, api, Arc::clone(&served.meters)).await;
    assert!(matches!(refused, Err(ListenError::Exposed { .. })));
}

async fn page(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[tokio::test]
async fn operator_pages_follow_the_engine_from_replay_to_stop() {
    let served = Served::new(&[usage("1", "acme", "2024-02-01T00:00:00Z"), "{".to_owned()]).await;
    let serve = |stage: &Arc<Lifecycle>| {
        let (readiness, gauges) = (Arc::clone(stage), Arc::clone(stage));
        let meters = Arc::clone(&served.meters);
        let routes = http::routes(
            move || readiness.readiness(),
            served.meters.page(),
            move || gauges.read_gauges(&meters),
        );
        listen::http("127.0.0.1:0".parse().unwrap(), routes)
    };
    let young = Arc::new(Lifecycle::default());
    young.replaying(30, 120);
    let pages = serve(&young).await.unwrap();
    assert_eq!(page(pages.address(), "/livez").await.0, 200);
    assert_eq!(page(pages.address(), "/readyz").await, (503, "replaying: 30 of 120 entries (25 %)\n".into()));
    young.started(&served.engine);
    assert_eq!(page(pages.address(), "/readyz").await, (200, "ready\n".into()));
    young.stopping();
    assert_eq!(page(pages.address(), "/readyz").await, (503, "stopping\n".into()));
    pages.stop().await;

    served.server().get_server_info(v1::GetServerInfoRequest {}).await.unwrap();
    let pages = serve(&served.stage).await.unwrap();
    let (status, text) = page(pages.address(), "/metrics").await;
    assert_eq!(status, 200);
    for expected in [
        "tidewatch_source_records_total{source=\"app\",outcome=\"accepted\"} 1",
        "tidewatch_rejected_total{reason=\"not_json\"} 1",
        "tidewatch_calls_total{method=\"GetServerInfo\",code=\"OK\"} 1",
        "tidewatch_accounts 1",
        "tidewatch_log_frames_total ",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    pages.stop().await;
}

/// A model that scores by the newest judgement alone.
const JUDGED: &str = "
[metrics]
pulse = { agg = 'last', field = 'properties.points', filter = { type = 'pulse_recorded' } }
[measures]
pulse = { metric = 'pulse', curve = [[0, 0], [100, 100]] }
[[profiles]]
name = 'all'
groups = { all = { weight = 1, measures = { pulse = 1 } } }
";

#[tokio::test]
async fn operators_see_accounts_by_state_and_band_evaluations_and_how_far_lists_lag() {
    let pulse = |id: &str, account: &str, colour: &str| {
        let properties = format!(r#""properties":{{"colour":"{colour}"}}"#);
        line(id, account, "pulse_recorded", "2024-02-01T00:00:00Z", &properties)
    };
    let lines = [
        pulse("1", "one", "red"),
        pulse("2", "two", "green"),
        pulse("3", "three", "green"),
        usage("4", "four", "2024-02-01T00:00:00Z"),
        line("5", "five", "account_closed", "2024-01-01T00:00:00Z", ""),
        line("6", "six", "account_merged", "2024-01-01T00:00:00Z", r#""properties":{"into_account":"one"}"#),
    ];
    let served = Served::keeping_lists(&lines).await;
    let adoption = tidewatch_engine::control::adoption::Adoption::of_model(JUDGED);
    served.submit(tidewatch_engine::write::sequencer::Command::Adopt(Box::new(adoption))).await;
    let (readiness, gauges) = (Arc::clone(&served.stage), Arc::clone(&served.stage));
    let meters = Arc::clone(&served.meters);
    let routes = http::routes(
        move || readiness.readiness(),
        served.meters.page(),
        move || gauges.read_gauges(&meters),
    );
    let pages = listen::http("127.0.0.1:0".parse().unwrap(), routes).await.unwrap();
    let expected = [
        "tidewatch_accounts_by_band{state=\"scored\",band=\"red\"} 1\n",
        "tidewatch_accounts_by_band{state=\"scored\",band=\"green\"} 2\n",
        "tidewatch_accounts_by_band{state=\"unknown\",band=\"\"} 1\n",
        "tidewatch_accounts_by_band{state=\"status_excluded\",band=\"\"} 1\n",
        "tidewatch_health_lists_behind_entries 0\n",
    ];
    // Lists are brought up to date beside the engine, ten times a second at most.
    let mut text = String::new();
    for _ in 0..200 {
        text = page(pages.address(), "/metrics").await.1;
        if expected.iter().all(|line| text.contains(line)) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for line in expected {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let figure = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.trim().parse().expect(name)
    };
    assert!(figure("tidewatch_health_evaluations_total ") >= 5.0, "each of the five was evaluated");
    assert!(figure("tidewatch_health_lists_refresh_seconds_count ") >= 1.0);
    pages.stop().await;
}

#[tokio::test]
async fn stopping_ends_the_connections() {
    let served = Served::new(&[]).await;
    let mut client = served.server();
    client.get_server_info(v1::GetServerInfoRequest {}).await.unwrap();
    let address = served.api.address();
    served.api.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
