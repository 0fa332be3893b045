//! Binds the gRPC and HTTP listeners and shuts them down gracefully.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::{Router, middleware};
use hyper_util::rt::TokioIo;
use tidewatch_proto::{DESCRIPTORS, v1};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::service::interceptor::InterceptedService;
use tonic::service::{Routes, RoutesBuilder};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server, Uri};
use v1::account_service_server::AccountServiceServer;
use v1::alert_service_server::AlertServiceServer;
use v1::dead_letter_service_server::DeadLetterServiceServer;
use v1::health_service_server::HealthServiceServer;
use v1::import_service_server::ImportServiceServer;
use v1::log_service_server::LogServiceServer;
use v1::metric_service_server::MetricServiceServer;
use v1::model_service_server::ModelServiceServer;
use v1::server_service_server::ServerServiceServer;
use v1::settings_service_server::SettingsServiceServer;
use v1::source_service_server::SourceServiceServer;

use super::calls;
use super::formats::Formats;
use super::idempotency::IdempotencyStore;
use super::pins::Pins;
use super::reader::Reader;
use super::services::REQUEST_BYTES_MAX;
use super::tenant_check::TenantCheck;
use crate::fold::view::View;
use crate::meters::Meters;
use crate::serve::services::accounts::Accounts;
use crate::serve::services::alerts::Alerts;
use crate::serve::services::dead_letters::DeadLetters;
use crate::serve::services::health::HealthAnswers;
use crate::serve::services::imports::{Imports, MESSAGE_BYTES_MORE};
use crate::serve::services::logs::Logs;
use crate::serve::services::metrics::Metrics;
use crate::serve::services::models::Models;
use crate::serve::services::server::Info;
use crate::serve::services::settings::Settings;
use crate::serve::services::sources::Sources;

/// Bytes of one stream that may be under way; HTTP/2's 64 KB would make every larger answer wait.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
/// Bytes of one connection that may be under way.
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Calls of one connection that may be open.
const CONNECTION_STREAMS_MAX: u32 = 1_024;
/// Calls of one connection that are worked on; more wait.
const CONNECTION_CALLS_MAX: usize = 256;
/// How often a silent connection is asked whether it lives.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);
/// How long it may take to say so.
const KEEPALIVE_WAIT: Duration = Duration::from_secs(10);
/// Bytes on their way between a command and the engine in its own process.
const IN_PROCESS_BYTES: usize = 1 << 20;
/// How long open calls may take after a stop was asked for.
pub const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address can be reached from other machines, and nothing protects it.
    #[error(
        "{address} can be reached from other machines, and this version has neither TLS nor authentication: \
         serve on a loopback address like 127.0.0.1 or [::1], behind a proxy that has both"
    )]
    Exposed {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The system refused the address.
    #[error("cannot serve {what} on {address}: {source}; choose another address in [serve]")]
    Bind {
        /// `gRPC` or `HTTP`.
        what: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The contracts of this build are not readable.
    #[error("the descriptors of the API cannot be served: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Something that listens until it is stopped.
pub struct Listening {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listening {
    /// The address, with the port the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more calls and waits for the open ones, at most [`DRAIN_MAX`]; then they are cut off.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(DRAIN_MAX, &mut self.task).await.is_err() {
            tracing::warn!(address = %self.address, "calls were still open after {DRAIN_MAX:?} and are cut off");
            self.task.abort();
        }
    }

    fn start<F: Future<Output = ()> + Send + 'static>(
        address: SocketAddr,
        serve: impl FnOnce(watch::Receiver<bool>) -> F,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { address, stop, task: tokio::spawn(serve(stopped)) }
    }
}

async fn stopping(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone asks for the same.
    let _asked = stopped.wait_for(|stop| *stop).await;
}

async fn bind(what: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), ListenError> {
    let refused = |source| ListenError::Bind { what, address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}

/// Serves the operator pages.
///
/// # Errors
/// When the system refuses the address. These pages hold no customer's data and may be exposed.
pub async fn http(address: SocketAddr, routes: Router) -> Result<Listening, ListenError> {
    let (listener, address) = bind("HTTP", address).await?;
    Ok(Listening::start(address, |stopped| async move {
        let served = axum::serve(listener, routes).with_graceful_shutdown(stopping(stopped)).await;
        if let Err(error) = served {
            tracing::error!(%error, "the operator pages ended");
        }
    }))
}

/// What the API is made of.
pub struct Api {
    pub reader: Reader,
    /// How its sources are read.
    pub formats: Arc<Formats>,
    /// The positions kept for lists.
    pub pins: Arc<Pins<View>>,
    /// Set when nothing more is to be taken in: imports end then.
    pub stop: Arc<AtomicBool>,
}

/// Serves the API with health and reflection.
///
/// # Errors
/// For an address beyond this machine, or one the system refuses.
pub async fn grpc(address: SocketAddr, api: Api, meters: Arc<Meters>) -> Result<Listening, ListenError> {
    if !address.ip().is_loopback() {
        return Err(ListenError::Exposed { address });
    }
    let routes = routes(api).await?;
    let calls = Arc::new(calls::Calls::new(meters));
    let counted = routes.into_axum_router().layer(middleware::from_fn_with_state(calls, calls::count));
    let (listener, address) = bind("gRPC", address).await?;
    // The server's own setting is not applied to listeners made elsewhere.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true)).with_keepalive(Some(KEEPALIVE_EVERY));
    let server = server().add_routes(Routes::from(counted));
    Ok(Listening::start(address, |stopped| async move {
        if let Err(error) = server.serve_with_incoming_shutdown(incoming, stopping(stopped)).await {
            tracing::error!(%error, "the gRPC server ended");
        }
    }))
}

/// A gRPC server with the limits and windows of this one and no services yet.
pub fn server() -> Server {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(CONNECTION_STREAMS_MAX)
        .concurrency_limit_per_connection(CONNECTION_CALLS_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_WAIT))
}

/// Serves the API to this process alone, over a connection in memory. It ends with the runtime that this is called on, or
/// when the last clone of the channel is gone.
///
/// # Errors
/// When the two ends do not come together.
pub async fn in_process(api: Api) -> Result<Channel, tonic::transport::Error> {
    let (client, server) = tokio::io::duplex(IN_PROCESS_BYTES);
    let routes = services(api).routes();
    tokio::spawn(async move {
        // Nobody is to be found gone: both ends are this process.
        let serving = Server::builder()
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .add_routes(routes)
            .serve_with_incoming(tokio_stream::once(Ok::<_, io::Error>(server)));
        if let Err(error) = serving.await {
            tracing::error!(%error, "the services of this process ended");
        }
    });
    let mut client = Some(TokioIo::new(client));
    let connector = tower::service_fn(move |_: Uri| {
        let client = client.take();
        async move { client.ok_or_else(|| io::Error::other("the connection in memory has ended")) }
    });
    Endpoint::from_static("http://in-process")
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .connect_with_connector(connector)
        .await
}

async fn routes(api: Api) -> Result<Routes, ListenError> {
    let mut routes = services(api);
    let (health, health_service) = tonic_health::server::health_reporter();
    for name in calls::SERVICES {
        health.set_service_status(name, tonic_health::ServingStatus::Serving).await;
    }
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // So that clients can show the details of refusals.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    routes
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        // Many installed clients still ask by the older name.
        .add_service(reflection().build_v1alpha()?);
    Ok(routes.routes())
}

/// The services of the API.
fn services(api: Api) -> RoutesBuilder {
    let Api { reader, formats, pins, stop } = api;
    let tenant_check = TenantCheck::new(reader.engine().directory().tenant().into());
    let idempotency = Arc::new(IdempotencyStore::of(reader.engine()));
    let record_bytes_max = formats.limits().record_bytes_max;
    let import_bytes_max = REQUEST_BYTES_MAX.max(record_bytes_max + MESSAGE_BYTES_MORE);
    // The servers are of as many types, which share no trait for their limits.
    macro_rules! checked {
        ($server:expr, $bytes_max:expr) => {
            InterceptedService::new($server.max_decoding_message_size($bytes_max), tenant_check.clone())
        };
    }
    let accounts = AccountServiceServer::new(Accounts::new(reader.clone(), Arc::clone(&pins)));
    let metrics = MetricServiceServer::new(Metrics::new(reader.clone()));
    let alerts = AlertServiceServer::new(Alerts::new(reader.clone(), Arc::clone(&idempotency)));
    let models = ModelServiceServer::new(Models::new(reader.clone()));
    let health = HealthServiceServer::new(HealthAnswers::new(
        reader.clone(),
        pins,
        Arc::clone(&idempotency),
        Arc::clone(&stop),
    ));
    let dead_letters = DeadLetters::new(reader.clone(), Arc::clone(&formats), Arc::clone(&idempotency));
    let dead_letters = DeadLetterServiceServer::new(dead_letters);
    let settings = SettingsServiceServer::new(Settings::new(reader.clone(), Arc::clone(&idempotency)));
    let sources = SourceServiceServer::new(Sources::new(reader.clone(), Arc::clone(&idempotency)));
    let imports = ImportServiceServer::new(Imports::new(reader.clone(), formats, idempotency, stop));
    let logs = LogServiceServer::new(Logs::new(reader.clone()));
    let server = ServerServiceServer::new(Info::new(reader, record_bytes_max));
    let mut routes = Routes::builder();
    routes
        .add_service(checked!(accounts, REQUEST_BYTES_MAX))
        .add_service(checked!(metrics, REQUEST_BYTES_MAX))
        .add_service(checked!(health, REQUEST_BYTES_MAX))
        .add_service(checked!(models, REQUEST_BYTES_MAX))
        .add_service(checked!(alerts, REQUEST_BYTES_MAX))
        .add_service(checked!(dead_letters, REQUEST_BYTES_MAX))
        .add_service(checked!(settings, REQUEST_BYTES_MAX))
        .add_service(checked!(sources, REQUEST_BYTES_MAX))
        .add_service(checked!(imports, import_bytes_max))
        .add_service(checked!(logs, REQUEST_BYTES_MAX))
        .add_service(checked!(server, REQUEST_BYTES_MAX));
    routes
}
