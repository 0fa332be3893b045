//! The HTTP endpoints for operators: `/metrics`, `/livez`, `/readyz`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;

/// How far an engine is on its way to answering.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Readiness {
    Ready,
    /// It folds its log.
    Replaying {
        /// The sequence it has reached.
        applied: u64,
        /// The last one of the log.
        durable: u64,
    },
    /// It takes in nothing more and finishes what it has.
    Stopping,
    /// It stopped itself: a failed write or sync.
    Failed {
        /// What happened and what to do.
        problem: String,
    },
}

/// What the pages are printed from.
#[derive(Clone)]
struct Operator {
    readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
    page: PrometheusHandle,
    before_page: Arc<dyn Fn() + Send + Sync>,
}

/// The routes. `before_page` is called before each `/metrics` page, to set the gauges that are read rather than counted.
pub fn routes(
    readiness: impl Fn() -> Readiness + Send + Sync + 'static,
    page: PrometheusHandle,
    before_page: impl Fn() + Send + Sync + 'static,
) -> Router {
    let operator = Operator { readiness: Arc::new(readiness), page, before_page: Arc::new(before_page) };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(operator)
}

async fn metrics(State(operator): State<Operator>) -> impl IntoResponse {
    (operator.before_page)();
    operator.page.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], operator.page.render())
}

/// Alive is a process that a restart would not help; one that stopped itself over a failed disk needs a person or a restart.
async fn livez(State(operator): State<Operator>) -> (StatusCode, String) {
    match (operator.readiness)() {
        Readiness::Failed { problem } => (StatusCode::SERVICE_UNAVAILABLE, format!("failed: {problem}\n")),
        _ => (StatusCode::OK, "alive\n".to_owned()),
    }
}

async fn readyz(State(operator): State<Operator>) -> (StatusCode, String) {
    let not_ready = |text: String| (StatusCode::SERVICE_UNAVAILABLE, text);
    match (operator.readiness)() {
        Readiness::Ready => (StatusCode::OK, "ready\n".to_owned()),
        Readiness::Replaying { applied, durable } => {
            let percent = applied.saturating_mul(100).checked_div(durable).unwrap_or(100);
            not_ready(format!("replaying: {applied} of {durable} entries ({percent} %)\n"))
        }
        Readiness::Stopping => not_ready("stopping\n".to_owned()),
        Readiness::Failed { problem } => not_ready(format!("failed: {problem}\n")),
    }
}
