//! `MetricService`: metrics of accounts at any instants, adopted or of a model that comes with the question.

use std::sync::Arc;
use std::time::Instant;

use tidewatch_projections::model::Model;
use tidewatch_projections::names::Names;
use tidewatch_projections::scalar::Scalar;
use tidewatch_proto::v1;
use tidewatch_proto::v1::metric_service_server::MetricService;
use tonic::{Request, Response, Status};

use crate::fold::view::View;
use crate::read::answer::{Asked, RowState, Rows, answer, find};
use crate::read::scan::Columns;
use crate::read::scheduler::{Answer, QuestionDigest};
use crate::serve::api_error::ApiError;
use crate::serve::asked::{asked, cost};
use crate::serve::convert;
use crate::serve::paging::{deadline, question};
use crate::serve::reader::Reader;
use crate::serve::rows::{Answers, WireRows, stream_rows};

pub struct Metrics {
    reader: Reader,
}

impl Metrics {
    /// Answers from this reader.
    pub fn new(reader: Reader) -> Self {
        Self { reader }
    }

    async fn rows(
        &self,
        view: &Arc<View>,
        (asked, columns): (Asked, Columns),
        question: QuestionDigest,
        deadline: Option<Instant>,
    ) -> Result<Arc<Answer<MetricRows>>, ApiError> {
        let cost = self::cost(view, &asked, columns.indices().len());
        let snapshot = self.reader.snapshot(view);
        let scan = self.reader.past(question, cost, deadline, move |cancellation| {
            let snapshot = snapshot.cancelled_by(cancellation);
            let model = asked.model(&snapshot.view).clone();
            let rows = answer(&snapshot, &asked, &columns)?.ok_or(ApiError::NotFolded)?;
            Ok(MetricRows { names: Arc::clone(&snapshot.view.names), model, columns, rows })
        });
        scan.await
    }
}

#[tonic::async_trait]
impl MetricService for Metrics {
    async fn get_metrics(
        &self,
        request: Request<v1::GetMetricsRequest>,
    ) -> Result<Response<v1::GetMetricsResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let accounts = Some(vec![request.account.clone()]);
        let (instants, metrics) = (&request.as_of, request.metrics.clone());
        let asked = asked(self.reader.caller(), accounts, instants, &request.model)?;
        let view = self.reader.view(&request.min_position, deadline).await?;
        let columns = columns(asked.model(&view), &metrics)?;
        let bare = v1::GetMetricsRequest { min_position: String::new(), ..request };
        let question = question("GetMetrics", &bare, view.position);
        find(&view, &bare.account).ok_or(ApiError::AccountUnknown { account: bare.account })?;
        let freshness = Some(convert::freshness(&view, self.reader.engine()));
        let rows = self.rows(&view, (asked, columns), question, deadline).await?;
        let rows = (0..rows.count()).map(|place| rows.wire(place)).collect();
        Ok(Response::new(v1::GetMetricsResponse { rows, freshness }))
    }

    type ScanMetricsStream = Answers<v1::ScanMetricsResponse>;

    async fn scan_metrics(
        &self,
        request: Request<v1::ScanMetricsRequest>,
    ) -> Result<Response<Self::ScanMetricsStream>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let accounts = Some(request.accounts.clone()).filter(|accounts| !accounts.is_empty());
        let (instants, metrics) = (&request.as_of, request.metrics.clone());
        let asked = asked(self.reader.caller(), accounts, instants, &request.model)?;
        let view = self.reader.log_view(&request.min_position, deadline).await?;
        let columns = columns(asked.model(&view), &metrics)?;
        let bare = v1::ScanMetricsRequest { min_position: String::new(), ..request };
        let question = question("ScanMetrics", &bare, view.position);
        let freshness = convert::freshness(&view, self.reader.engine());
        let rows = self.rows(&view, (asked, columns), question, deadline).await?;
        Ok(Response::new(stream_rows(rows, deadline, move |row, is_first| v1::ScanMetricsResponse {
            row: Some(row),
            freshness: is_first.then(|| freshness.clone()),
        })))
    }
}

/// The place of a metric in a model.
///
/// # Errors
/// When the model does not declare it.
pub fn index_of(model: &Model, name: &str) -> Result<usize, ApiError> {
    let known = || model.metrics.iter().map(|metric| metric.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = model.metrics.iter().position(|metric| metric.name == name);
    found.ok_or_else(|| ApiError::MetricUnknown { metric: name.to_owned(), known: known() })
}

/// The metrics asked for by name; all of the model where none is.
fn columns(model: &Model, names: &[String]) -> Result<Columns, ApiError> {
    match names {
        [] => Ok(Columns::all(model)),
        names => {
            let indices = names.iter().map(|name| index_of(model, name)).collect::<Result<_, _>>()?;
            Ok(Columns::new(model, indices))
        }
    }
}

/// The rows of an answer. A row of an account that no event names holds the figures of one without events.
struct MetricRows {
    names: Arc<Names>,
    model: Model,
    columns: Columns,
    rows: Rows<Vec<Option<Scalar>>>,
}

impl MetricRows {
    fn metrics(&self, values: Option<&[Option<Scalar>]>) -> Vec<v1::Metric> {
        let value = |place: usize| values.and_then(|values| values[place].as_ref());
        let named =
            |(place, index): (usize, &usize)| convert::metric(&self.model.metrics[*index].name, value(place));
        self.columns.indices().iter().enumerate().map(named).collect()
    }
}

impl WireRows for MetricRows {
    type Message = v1::MetricRow;

    fn count(&self) -> usize {
        self.rows.rows.len()
    }

    fn wire(&self, place: usize) -> v1::MetricRow {
        let (row, state) = &self.rows.rows[place];
        let unknown = self.rows.unknown(place);
        let state = match (unknown, state) {
            (Some(_), _) | (None, RowState::AccountUnknown) => v1::MetricState::AccountUnknown,
            (None, RowState::CatchingUp) => v1::MetricState::CatchingUp,
            (None, RowState::Current) => v1::MetricState::Current,
        };
        let has_instant = unknown.is_none() || !self.rows.is_live;
        v1::MetricRow {
            account: unknown.unwrap_or_else(|| self.names.text(row.account)).to_owned(),
            as_of: has_instant.then(|| convert::timestamp(row.as_of)),
            metrics: self.metrics(row.value.as_deref()),
            state: state.into(),
        }
    }
}
