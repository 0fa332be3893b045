//! Counts every call by method and status code, and times it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tidewatch_proto::v1;
use tonic::Code;

use super::monotonic;
use crate::meters::{CALL_TIME, CALLS, Meters};

/// Services whose methods are counted by name; everything else is `other`, so that labels stay closed.
const SERVICES: [&str; 4] = [
    v1::account_service_server::SERVICE_NAME,
    v1::metric_service_server::SERVICE_NAME,
    v1::dead_letter_service_server::SERVICE_NAME,
    v1::server_service_server::SERVICE_NAME,
];

/// A middleware for the routes of the gRPC server.
///
/// What fails after the head of its answer, in the middle of a stream, is counted by what the head says.
pub async fn count(State(meters): State<Arc<Meters>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let began = monotonic();
    let response = next.run(request).await;
    let status =
        response.headers().get("grpc-status").map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()));
    let method = method(&path, status);
    meters.counter(&CALLS, &[method, name(status)]).increment(1);
    meters.histogram(&CALL_TIME, &[method]).record(began.elapsed().as_secs_f64());
    response
}

/// The method of a path like `/package.Service/Method`.
fn method(path: &str, status: Code) -> &str {
    let known = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    match known {
        Some((service, method)) if SERVICES.contains(&service) && status != Code::Unimplemented => method,
        _ => "other",
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
