//! A running engine, asked over gRPC.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tidewatch_proto::v1;
use tokio::runtime::{Builder, Runtime};
use tonic::transport::Channel;
use tonic::{Response, Status};
use v1::account_service_client::AccountServiceClient;
use v1::metric_service_client::MetricServiceClient;
use v1::server_service_client::ServerServiceClient;

/// How long a connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// Longest answer that is read, in bytes: a page of accounts with many subscriptions each.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// A connection to an engine.
pub(super) struct Remote {
    runtime: Runtime,
    channel: Channel,
}

impl Remote {
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
        Ok(Self { runtime, channel })
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
        self.runtime.block_on(call).map_err(|status| match status.message() {
            "" => anyhow!("the engine refused the call: {}", status.code()),
            message => anyhow!("{message}"),
        })
    }

    /// The accounts.
    pub(super) fn accounts(&self) -> AccountServiceClient<Channel> {
        AccountServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The metrics.
    pub(super) fn metrics(&self) -> MetricServiceClient<Channel> {
        MetricServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The engine itself.
    pub(super) fn server(&self) -> ServerServiceClient<Channel> {
        ServerServiceClient::new(self.channel.clone())
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
