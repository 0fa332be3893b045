//! Counts every call by method and status code, and times it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{Counter, Histogram};
use tidewatch_proto::v1;
use tonic::Code;

use super::monotonic;
use crate::meters::{CALL_TIME, CALLS, Meters};

/// The services of the API. Their methods are counted by name; everything else is `other`, so that labels stay closed.
pub(super) const SERVICES: [&str; 10] = [
    v1::account_service_server::SERVICE_NAME,
    v1::metric_service_server::SERVICE_NAME,
    v1::health_service_server::SERVICE_NAME,
    v1::model_service_server::SERVICE_NAME,
    v1::dead_letter_service_server::SERVICE_NAME,
    v1::server_service_server::SERVICE_NAME,
    v1::settings_service_server::SERVICE_NAME,
    v1::source_service_server::SERVICE_NAME,
    v1::import_service_server::SERVICE_NAME,
    v1::log_service_server::SERVICE_NAME,
];

/// The figures of all calls.
pub struct Calls {
    meters: Arc<Meters>,
    /// By path, of the methods that answered without an error: to find figures by their labels takes longer than a small
    /// answer does.
    answered: RwLock<HashMap<String, Answered>>,
}

struct Answered {
    ok: Counter,
    time: Histogram,
}

impl Calls {
    pub fn new(meters: Arc<Meters>) -> Self {
        Self { meters, answered: RwLock::default() }
    }

    fn note(&self, path: &str, status: Code, time: Duration) {
        let seconds = time.as_secs_f64();
        if status == Code::Ok
            && let Some(answered) = self.answered.read().unwrap_or_else(PoisonError::into_inner).get(path)
        {
            answered.ok.increment(1);
            answered.time.record(seconds);
            return;
        }
        let method = method(path, status);
        let counter = self.meters.counter(&CALLS, &[method, name(status)]);
        let histogram = self.meters.histogram(&CALL_TIME, &[method]);
        counter.increment(1);
        histogram.record(seconds);
        if status == Code::Ok && method != OTHER {
            let answered = Answered { ok: counter, time: histogram };
            self.answered.write().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), answered);
        }
    }
}

/// A middleware for the routes of the gRPC server.
///
/// What fails after the head of its answer, in the middle of a stream, is counted by what the head says.
pub async fn count(State(calls): State<Arc<Calls>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let began = monotonic();
    let response = next.run(request).await;
    let status =
        response.headers().get("grpc-status").map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()));
    calls.note(&path, status, began.elapsed());
    response
}

/// The method of whatever is none of the API.
const OTHER: &str = "other";

/// The method of a path like `/package.Service/Method`.
fn method(path: &str, status: Code) -> &str {
    let known = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    match known {
        Some((service, method)) if SERVICES.contains(&service) && status != Code::Unimplemented => method,
        _ => OTHER,
    }
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
