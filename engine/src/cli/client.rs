//! The engine that a command asks over gRPC: a running one, or one of this process that opened a directory at rest.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use indicatif::ProgressBar;
use tidewatch_ingest::limits::Limits;
use tidewatch_proto::v1;
use tokio::runtime::{Builder, Handle, Runtime};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::StatusExt as _;
use v1::account_service_client::AccountServiceClient;
use v1::alert_service_client::AlertServiceClient;
use v1::dead_letter_service_client::DeadLetterServiceClient;
use v1::health_service_client::HealthServiceClient;
use v1::import_service_client::ImportServiceClient;
use v1::log_service_client::LogServiceClient;
use v1::metric_service_client::MetricServiceClient;
use v1::model_service_client::ModelServiceClient;
use v1::server_service_client::ServerServiceClient;
use v1::settings_service_client::SettingsServiceClient;
use v1::source_service_client::SourceServiceClient;

use super::output::{self, Unit};
use crate::app::{Engine, Options};
use crate::read::index::Index;
use crate::serve::api_error::ApiError;
use crate::serve::caller::Caller;
use crate::serve::formats::Formats;
use crate::serve::listen::{self, Api};
use crate::serve::reader::Reader;
use crate::serve::tenant_check::TENANT_METADATA;

/// How long a connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// Longest answer that is read, in bytes: a page of accounts with many subscriptions each.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Threads of the connection within this process: one for each of its ends.
const IN_PROCESS_THREADS: usize = 2;
/// How long work behind a call may go on after its command has its answer.
const WORK_MAX: Duration = Duration::from_secs(5);

/// How often it is asked how far the log is folded anew.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// How a command opens a directory at rest.
pub(super) enum Opening<'a> {
    /// To read accounts, folded and evaluated on so many threads.
    Accounts(usize),
    /// To read what the log alone answers, on so many threads.
    Log(usize),
    /// To change something, reading records under these limits. With a tenant, a directory that is not there is made, and one
    /// of another tenant is refused.
    Change(Option<&'a str>, Limits),
}

/// A connection to an engine.
pub(super) struct Client {
    runtime: Runtime,
    channel: Channel,
    caller: Caller,
    /// The engine of this process, where it is one.
    engine: Option<Arc<Engine>>,
}

impl Client {
    /// Opens a directory that nobody holds.
    pub(super) fn of_directory(root: &Path, opening: Opening<'_>) -> anyhow::Result<Self> {
        let bar = output::bar(Unit::Entries, "reading the log");
        let progress = output::reading(&bar);
        let client = match opening {
            Opening::Accounts(workers) => {
                let engine = Engine::open_read_only(root, Some(workers), &progress)?;
                Self::of_engine(engine, Index::temporary()?, workers, Limits::default())
            }
            Opening::Log(workers) => {
                let engine = Engine::open_read_only(root, None, &progress)?;
                Self::of_engine(engine, Index::temporary()?, workers, Limits::default())
            }
            Opening::Change(tenant, limits) => {
                let mut options = Options { create_if_missing: tenant.is_some(), ..Options::new(None) };
                if let Some(tenant) = tenant {
                    options.tenant = tenant.to_owned();
                }
                let engine = Engine::open(root, options, &progress)?;
                let index = Index::on_demand(engine.directory().root());
                Self::of_engine(engine, index, 1, limits)
            }
        };
        bar.finish_and_clear();
        client
    }

    /// Asks an engine of this process, which ends with the client.
    pub(super) fn of_engine(
        engine: Engine,
        index: Index,
        scan_workers: usize,
        limits: Limits,
    ) -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(IN_PROCESS_THREADS).enable_all().build();
        let runtime = runtime.context("no threads for the services")?;
        let engine = Arc::new(engine);
        let reader =
            Reader::of_command_line(Arc::clone(&engine), Arc::new(index), Arc::default(), scan_workers);
        let caller = reader.caller();
        let formats = Arc::new(Formats::new(&engine, limits, HashMap::new()));
        let api = Api { reader, formats, pins: Arc::default(), stop: Arc::default() };
        let channel =
            runtime.block_on(listen::in_process(api)).context("no connection within the process")?;
        Ok(Self { runtime, channel, caller, engine: Some(engine) })
    }

    /// Connects to `HOST:PORT` or `http://HOST:PORT`.
    pub(super) fn connect(address: &str) -> anyhow::Result<Self> {
        if address.starts_with("https:") {
            bail!("{address}: engines do not speak TLS yet; use http:// or a tunnel");
        }
        let uri = match address.contains("://") {
            true => address.to_owned(),
            false => format!("http://{address}"),
        };
        let runtime = Builder::new_current_thread().enable_all().build().context("no thread for the call")?;
        let endpoint = Channel::from_shared(uri)
            .with_context(|| format!("--server {address:?} is no address; use http://HOST:PORT"))?
            .connect_timeout(CONNECT_WAIT);
        let channel = runtime.block_on(endpoint.connect()).map_err(|error| {
            let cause = root_cause(&error);
            anyhow!(
                "no engine answers at {address}: {cause}; start it with `tidewatch serve`, or check the port"
            )
        })?;
        Ok(Self { runtime, channel, caller: Caller::Network, engine: None })
    }

    /// Ends in order what this process opened.
    pub(super) fn close(self) -> anyhow::Result<()> {
        let Self { runtime, channel, engine, .. } = self;
        drop(channel);
        runtime.shutdown_timeout(WORK_MAX);
        match engine.map(Arc::try_unwrap) {
            None => Ok(()),
            Some(Ok(engine)) => Ok(engine.shutdown()?),
            Some(Err(_)) => bail!("a call was still under way after {WORK_MAX:?}"),
        }
    }

    /// How much one call may ask for.
    pub(super) fn caller(&self) -> Caller {
        self.caller
    }

    /// Waits for the answer of a call.
    pub(super) fn ask<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> anyhow::Result<T> {
        self.wait(call).map(Response::into_inner)
    }

    /// Waits for what a call gives; refusals are told in the words of the engine.
    pub(super) fn wait<T>(&self, call: impl Future<Output = Result<T, Status>>) -> anyhow::Result<T> {
        self.runtime.block_on(call).map_err(told)
    }

    /// Takes every message of a stream.
    pub(super) fn each<T>(
        &self,
        call: impl Future<Output = Result<Response<Streaming<T>>, Status>>,
        mut take: impl FnMut(T) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut stream = self.ask(call)?;
        while let Some(message) = self.wait(stream.message())? {
            take(message)?;
        }
        Ok(())
    }

    /// Waits until answers cover a position, so that whoever changed something sees it; gives it back.
    pub(super) fn settled(&self, position: Option<v1::Position>) -> anyhow::Result<v1::Position> {
        let position = position.context("the engine answered no position")?;
        if self.engine.is_some() {
            // What is changed at rest is durable, and folded by whoever reads it next.
            return Ok(position);
        }
        let bar = output::bar(Unit::Entries, "folding");
        let shown = self.runtime.block_on(async {
            tokio::select! {
                shown = self.shown(&position.token) => shown,
                never = self.follow_refold(&bar) => match never {},
            }
        });
        bar.finish_and_clear();
        shown.map(|()| position)
    }

    /// Waits until answers show what was written at a position.
    async fn shown(&self, token: &str) -> anyhow::Result<()> {
        loop {
            let read = v1::GetSettingsRequest { min_position: token.to_owned() };
            match self.settings().get_settings(read).await {
                Ok(_) => return Ok(()),
                Err(status) if is_behind(&status) => {}
                Err(status) => return Err(told(status)),
            }
        }
    }

    /// Shows how far the log is folded anew while that goes on.
    async fn follow_refold(&self, bar: &ProgressBar) -> Infallible {
        loop {
            tokio::time::sleep(PROGRESS_EVERY).await;
            let answer = self.settings().get_settings(v1::GetSettingsRequest::default()).await;
            let freshness = answer.ok().and_then(|answer| answer.into_inner().freshness);
            if let Some(refold) = freshness.and_then(|freshness| freshness.refold) {
                bar.set_length(refold.entries);
                bar.set_position(refold.folded);
            }
        }
    }

    /// Checks whose data the engine holds.
    pub(super) fn check_tenant(&self, tenant: &str) -> anyhow::Result<()> {
        let mut request = Request::new(v1::GetServerInfoRequest {});
        let tenant = tenant
            .parse()
            .with_context(|| format!("--tenant {tenant:?} is no name that a call can carry"))?;
        request.metadata_mut().insert(TENANT_METADATA, tenant);
        self.ask(self.server().get_server_info(request)).map(|_| ())
    }

    /// What its calls run on.
    pub(super) fn handle(&self) -> Handle {
        self.runtime.handle().clone()
    }

    /// The accounts.
    pub(super) fn accounts(&self) -> AccountServiceClient<Channel> {
        AccountServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The metrics.
    pub(super) fn metrics(&self) -> MetricServiceClient<Channel> {
        MetricServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The health.
    pub(super) fn health(&self) -> HealthServiceClient<Channel> {
        HealthServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The alerts.
    pub(super) fn alerts(&self) -> AlertServiceClient<Channel> {
        AlertServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The models.
    pub(super) fn models(&self) -> ModelServiceClient<Channel> {
        ModelServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The dead letters.
    pub(super) fn dead_letters(&self) -> DeadLetterServiceClient<Channel> {
        DeadLetterServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// What is adopted.
    pub(super) fn settings(&self) -> SettingsServiceClient<Channel> {
        SettingsServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The sources.
    pub(super) fn sources(&self) -> SourceServiceClient<Channel> {
        SourceServiceClient::new(self.channel.clone())
    }

    /// Where records go in.
    pub(super) fn imports(&self) -> ImportServiceClient<Channel> {
        ImportServiceClient::new(self.channel.clone())
    }

    /// The log.
    pub(super) fn logs(&self) -> LogServiceClient<Channel> {
        LogServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The engine itself.
    pub(super) fn server(&self) -> ServerServiceClient<Channel> {
        ServerServiceClient::new(self.channel.clone())
    }
}

/// A refusal in the words of the engine; what comes without a reason is no refusal but a call that broke off.
fn told(status: Status) -> anyhow::Error {
    match (status.code(), status.get_details_error_info()) {
        (Code::Unimplemented, _) => {
            anyhow!("the engine does not know this call; it is older than this program")
        }
        (_, Some(_)) => anyhow!("{}", status.message()),
        (code, None) => anyhow!(
            "the call broke off ({code}: {}); what the engine had taken stays, run the command again once it answers",
            status.message()
        ),
    }
}

/// Whether a read only came before its position.
fn is_behind(status: &Status) -> bool {
    let not_reached = ApiError::PositionNotReached { wanted: 0, published: 0, refold: None };
    status.get_details_error_info().is_some_and(|info| info.reason == not_reached.reason())
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
