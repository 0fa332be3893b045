//! An engine that serves from a temporary directory, and a client of it.
#![expect(clippy::disallowed_methods, reason = "tests write their own input files")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;
use tidewatch_engine::app::{Engine, Options, Reading};
use tidewatch_engine::meters::Meters;
use tidewatch_engine::read::admission::AdmissionLimits;
use tidewatch_engine::read::index::Index;
use tidewatch_engine::serve::formats::Formats;
use tidewatch_engine::serve::lifecycle::Lifecycle;
use tidewatch_engine::serve::listen::{self, Api, Listening};
use tidewatch_engine::serve::reader::Reader;
use tidewatch_engine::write::sequencer::Command;
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::files::{FileSource, Input};
use tidewatch_ingest::limits::Limits;
use tidewatch_proto::v1;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use v1::account_service_client::AccountServiceClient;
use v1::dead_letter_service_client::DeadLetterServiceClient;
use v1::health_service_client::HealthServiceClient;
use v1::import_service_client::ImportServiceClient;
use v1::log_service_client::LogServiceClient;
use v1::metric_service_client::MetricServiceClient;
use v1::model_service_client::ModelServiceClient;
use v1::server_service_client::ServerServiceClient;
use v1::settings_service_client::SettingsServiceClient;
use v1::source_service_client::SourceServiceClient;

/// A serving engine that goes away with the test.
pub struct Served {
    root: TempDir,
    pub engine: Arc<Engine>,
    pub stage: Arc<Lifecycle>,
    pub meters: Arc<Meters>,
    pub api: Listening,
    pub channel: Channel,
    /// Set as when the process ends.
    pub stop: Arc<AtomicBool>,
}

impl Served {
    /// Serves these lines of native JSON.
    pub async fn new(lines: &[String]) -> Self {
        Self::under(AdmissionLimits::default(), lines).await
    }

    /// Serves these lines, and reads the past under these limits.
    pub async fn under(past: AdmissionLimits, lines: &[String]) -> Self {
        Self::with(Options::new(Some(2)), past, lines).await
    }

    /// Serves these lines, and keeps lists of health up to date beside the engine.
    pub async fn keeping_lists(lines: &[String]) -> Self {
        let options = Options { keep_cells: true, ..Options::new(Some(2)) };
        Self::with(options, AdmissionLimits::default(), lines).await
    }

    /// Serves these lines from an engine with these options.
    pub async fn with(options: Options, past: AdmissionLimits, lines: &[String]) -> Self {
        let root = TempDir::new().unwrap();
        let (stage, meters) = (Arc::new(Lifecycle::new(past)), Arc::new(Meters::new()));
        let options = Options { meters: Arc::clone(&meters), ..options };
        let engine = Arc::new(Engine::open(&root.path().join("data"), options, &|_, _| ()).unwrap());
        stage.started(&engine);
        let index = Arc::new(Index::open(engine.directory().root()).unwrap());
        let reader = Reader::new(Arc::clone(&engine), index, Arc::clone(&stage.scheduler), 2).unwrap();
        let formats = Arc::new(Formats::new(&engine, Limits::default(), HashMap::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let api = Api { reader, formats, pins: Arc::clone(&stage.pins), stop: Arc::clone(&stop) };
        let loopback = "127.0.0.1:0".parse().unwrap();
        let api = listen::grpc(loopback, api, Arc::clone(&meters)).await.unwrap();
        let endpoint = Channel::from_shared(format!("http://{}", api.address())).unwrap();
        let channel = endpoint.connect().await.unwrap();
        let served = Self { root, engine, stage, meters, api, channel, stop };
        served.import("app", lines).await;
        served
    }

    /// Imports lines and waits until they can be read; answers the position token that covers them.
    pub async fn import(&self, source: &str, lines: &[String]) -> String {
        let count = std::fs::read_dir(self.root.path()).unwrap().count();
        let path = self.root.path().join(format!("{count}.ndjson"));
        std::fs::write(&path, lines.join("\n")).unwrap();
        let (engine, source) = (Arc::clone(&self.engine), source.to_owned());
        let imported = tokio::task::spawn_blocking(move || {
            let (names, limits) = (Arc::clone(engine.names()), Limits::default());
            let files = FileSource::new(
                &source,
                Arc::clone(&names),
                vec![Input::Path(path)],
                limits.record_bytes_max,
            );
            let decoder = Decoder::new(names, "main", &source, limits, Format::Native);
            let (source, stop) = (Box::new(files), Arc::new(AtomicBool::new(false)));
            let reading =
                Reading { source, decoder, mapping_digest: "".into(), stop, until_caught_up: false };
            engine.ingest(reading).unwrap().receipt.last_seq
        });
        let seq = imported.await.unwrap();
        let token = tidewatch_engine::serve::token::position_token(self.engine.position(seq));
        let request = v1::ListAccountsRequest { min_position: token.clone(), ..Default::default() };
        self.accounts().list_accounts(request).await.unwrap();
        token
    }

    /// Carries a command out, and waits until it shows.
    pub async fn submit(&self, command: Command) {
        let engine = Arc::clone(&self.engine);
        let position =
            tokio::task::spawn_blocking(move || engine.submit(command, None).unwrap()).await.unwrap();
        let min_position = tidewatch_engine::serve::token::position_token(position);
        self.settings().get_settings(v1::GetSettingsRequest { min_position }).await.unwrap();
    }

    pub fn accounts(&self) -> AccountServiceClient<Channel> {
        AccountServiceClient::new(self.channel.clone())
    }

    pub fn metrics(&self) -> MetricServiceClient<Channel> {
        MetricServiceClient::new(self.channel.clone())
    }

    pub fn health(&self) -> HealthServiceClient<Channel> {
        HealthServiceClient::new(self.channel.clone())
    }

    pub fn models(&self) -> ModelServiceClient<Channel> {
        ModelServiceClient::new(self.channel.clone())
    }

    pub fn dead_letters(&self) -> DeadLetterServiceClient<Channel> {
        DeadLetterServiceClient::new(self.channel.clone())
    }

    pub fn settings(&self) -> SettingsServiceClient<Channel> {
        SettingsServiceClient::new(self.channel.clone())
    }

    pub fn sources(&self) -> SourceServiceClient<Channel> {
        SourceServiceClient::new(self.channel.clone())
    }

    pub fn imports(&self) -> ImportServiceClient<Channel> {
        ImportServiceClient::new(self.channel.clone())
    }

    pub fn logs(&self) -> LogServiceClient<Channel> {
        LogServiceClient::new(self.channel.clone())
    }

    pub fn server(&self) -> ServerServiceClient<Channel> {
        ServerServiceClient::new(self.channel.clone())
    }
}

/// One line of native JSON: `rest` are further fields, as `"user":"ann"`.
pub fn line(id: &str, account: &str, kind: &str, at: &str, rest: &str) -> String {
    let rest = if rest.is_empty() { String::new() } else { format!(",{rest}") };
    format!(r#"{{"id":"{id}","account":"{account}","type":"{kind}","occurred_at":"{at}"{rest}}}"#)
}

/// Usage of a feature by a person.
pub fn usage(id: &str, account: &str, at: &str) -> String {
    line(id, account, "usage", at, r#""user":"ann","properties":{"feature":"search"}"#)
}

pub fn date(date: &str) -> Option<v1::AsOf> {
    Some(v1::AsOf { instant: Some(v1::as_of::Instant::Date(date.to_owned())) })
}

pub fn last() -> Option<v1::AsOf> {
    Some(v1::AsOf { instant: Some(v1::as_of::Instant::Last(true)) })
}

/// A refusal with this code and stable reason; answers its metadata.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(
    answer: Result<T, Status>,
    code: Code,
    reason: &str,
) -> std::collections::HashMap<String, String> {
    let status = answer.expect_err(reason);
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("{status:?} has no reason"));
    assert_eq!((status.code(), info.reason.as_str()), (code, reason), "{}", status.message());
    info.metadata.clone()
}
