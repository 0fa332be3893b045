//! `SourceService`: lists sources, resets and retires them.

use std::sync::Arc;

use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::names::Names;
use tidewatch_proto::v1;
use tidewatch_proto::v1::source_service_server::SourceService;
use tonic::{Request, Response, Status};

use crate::app::Engine;
use crate::cancellation::Cancellation;
use crate::control::state::ControlState;
use crate::fold::view::View;
use crate::read::estimate;
use crate::serve::api_error::ApiError;
use crate::serve::filter::{Filter, Kind, Operand};
use crate::serve::idempotency::{IdempotencyStore, request};
use crate::serve::order::Order;
use crate::serve::paging::{Asked, aside, deadline, question};
use crate::serve::reader::Reader;
use crate::serve::{convert, formats};
use crate::write::sequencer::Command;

pub struct Sources {
    reader: Reader,
    idempotency: Arc<IdempotencyStore>,
}

impl Sources {
    /// Answers from this reader.
    pub fn new(reader: Reader, idempotency: Arc<IdempotencyStore>) -> Self {
        Self { reader, idempotency }
    }
}

#[tonic::async_trait]
impl SourceService for Sources {
    async fn list_sources(
        &self,
        request: Request<v1::ListSourcesRequest>,
    ) -> Result<Response<v1::ListSourcesResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let view = self.reader.log_view(&request.min_position, deadline).await?;
        let bare = v1::ListSourcesRequest { min_position: String::new(), ..request };
        if bare.page_token.is_empty() {
            return Ok(Response::new(answer(&self.reader, &view, &bare, &Cancellation::default())?));
        }
        // A later page stands where the first one stood, which only the log knows.
        let question = question("ListSources", &bare, view.position);
        let reader = self.reader.clone();
        let page = self.reader.past(question, estimate::READ, deadline, move |cancellation| {
            answer(&reader, &view, &bare, cancellation)
        });
        Ok(Response::new(page.await?.owned()))
    }

    async fn reset_source(
        &self,
        asked: Request<v1::ResetSourceRequest>,
    ) -> Result<Response<v1::ResetSourceResponse>, Status> {
        let asked = asked.into_inner();
        let (engine, idempotency) = (Arc::clone(self.reader.engine()), Arc::clone(&self.idempotency));
        let caller = self.reader.caller();
        let answer = aside(move || {
            let by = (asked.request_id.as_str(), asked.on_behalf_of.as_str());
            let request = request(&engine, caller, "ResetSource", by, &asked)?;
            formats::check_source(&asked.source)?;
            let mapping_digest = formats::asked(&asked.mapping)?.mapping_digest;
            let command = Command::ResetSource { source: asked.source.as_str().into(), mapping_digest };
            let position = Some(idempotency.submit(&engine, command, &request)?);
            Ok(v1::ResetSourceResponse { position })
        });
        Ok(Response::new(answer.await?))
    }

    async fn retire_source(
        &self,
        asked: Request<v1::RetireSourceRequest>,
    ) -> Result<Response<v1::RetireSourceResponse>, Status> {
        let asked = asked.into_inner();
        let (engine, idempotency) = (Arc::clone(self.reader.engine()), Arc::clone(&self.idempotency));
        let caller = self.reader.caller();
        let answer = aside(move || {
            let by = (asked.request_id.as_str(), asked.on_behalf_of.as_str());
            let request = request(&engine, caller, "RetireSource", by, &asked)?;
            let command = Command::RetireSource { source: asked.source.as_str().into() };
            let position = Some(idempotency.submit(&engine, command, &request)?);
            Ok(v1::RetireSourceResponse { position })
        });
        Ok(Response::new(answer.await?))
    }
}

/// A field of the list of sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Name,
    Generation,
    MappingDigest,
    Streams,
}

impl Column {
    fn resolve(path: &[String]) -> Option<(Self, Kind)> {
        let [name] = path else { return None };
        Some(match name.as_str() {
            "name" => (Self::Name, Kind::Text),
            "generation" => (Self::Generation, Kind::Number),
            "mapping_digest" => (Self::MappingDigest, Kind::Text),
            "streams" => (Self::Streams, Kind::Truth),
            _ => return None,
        })
    }

    fn operand(self, source: &v1::Source) -> Option<Operand<'_>> {
        Some(match self {
            Self::Name => Operand::Text(source.name.as_str().into()),
            Self::Generation => Operand::Exact(Decimal::new(source.generation.into(), 0)),
            Self::MappingDigest => Operand::Text(source.mapping_digest.as_deref()?.into()),
            Self::Streams => Operand::Truth(source.streams),
        })
    }
}

fn answer(
    reader: &Reader,
    view: &View,
    request: &v1::ListSourcesRequest,
    cancellation: &Cancellation,
) -> Result<v1::ListSourcesResponse, ApiError> {
    let asked = Asked::new(request, reader.caller().page_size_max(), view.position)?;
    let (size, position) = (asked.size, asked.position(view.position));
    let engine = reader.engine();
    let (mut sources, total) = match asked.resumed {
        None => page(&view.names, &view.control_state, request, 0, size)?,
        Some((position, skipped)) => {
            let history = engine.history().until(position.seq).under(&view.control_state);
            let history = history.cancelled_by(cancellation);
            let summary = history.summary()?;
            page(&view.names, &summary.control_state, request, skipped, size)?
        }
    };
    tell_ages(engine, &mut sources);
    let next_page_token = asked.next(position, sources.len(), total);
    let mut freshness = convert::freshness(view, engine);
    freshness.position = Some(convert::position(position));
    Ok(v1::ListSourcesResponse {
        sources,
        next_page_token,
        total: u32::try_from(total).unwrap_or(u32::MAX),
        freshness: Some(freshness),
    })
}

/// How the sources do that this process reads or waits for.
fn tell_ages(engine: &Engine, sources: &mut [v1::Source]) {
    let ages = convert::source_ages(engine);
    for source in sources {
        source.age = ages.iter().find(|age| age.source == source.name).cloned();
    }
}

/// `size` sources after the first `skipped`, and how many pass the filter in all.
///
/// # Errors
/// For a filter or an order that is not understood.
fn page(
    names: &Names,
    control_state: &ControlState,
    request: &v1::ListSourcesRequest,
    skipped: usize,
    size: usize,
) -> Result<(Vec<v1::Source>, usize), ApiError> {
    let filter = Filter::parse(&request.filter, &Column::resolve).map_err(ApiError::InvalidFilter)?;
    let order = Order::parse(&request.order_by, &Column::resolve).map_err(ApiError::InvalidOrder)?;
    let source = |(name, state): (&_, &crate::control::state::SourceState)| v1::Source {
        name: names.text(*name).to_owned(),
        generation: state.generation,
        mapping_digest: state.mapping_digest.as_deref().map(str::to_owned),
        streams: state.streams,
        age: None,
    };
    let mut passed: Vec<v1::Source> = control_state.sources.iter().map(source).collect();
    passed.retain(|source| filter.matches(&mut |column: &Column| column.operand(source)));
    passed.sort_by(|left, right| {
        let by_order = {
            let key = |source| order.key(&mut |column: &Column| Column::operand(*column, source));
            order.compare(&key(left), &key(right))
        };
        by_order.then_with(|| left.name.cmp(&right.name))
    });
    let total = passed.len();
    Ok((passed.into_iter().skip(skipped).take(size).collect(), total))
}
