//! `ServerService`: version, limits, capabilities and digest of the engine.

use tidewatch_ingest::mapping::MAPPING_BYTES_MAX;
use tidewatch_projections::event::Micros;
use tidewatch_proto::v1;
use tidewatch_proto::v1::server_service_server::ServerService;
use tonic::{Request, Response, Status};

use crate::control::adoption::{CLOSED_DAYS_MAX, MODEL_BYTES_MAX};
use crate::read::admission::{AdmissionLimits, Cost};
use crate::read::scan::AsOf;
use crate::read::snapshot::ReadSnapshot;
use crate::read::{digest, estimate};
use crate::serve::caller::Caller;
use crate::serve::convert;
use crate::serve::filter::FILTER_BYTES_MAX;
use crate::serve::formats::SOURCE_BYTES_MAX;
use crate::serve::paging::{BATCH_ACCOUNTS_MAX, PAGE_SIZE_DEFAULT, as_of, deadline, question};
use crate::serve::pins::{LIVES, PINS_MAX};
use crate::serve::reader::{MIN_POSITION_WAIT_MAX, Reader};
use crate::serve::services::REQUEST_BYTES_MAX;
use crate::serve::services::accounts::{METRICS_PER_LIST_MAX, adopted_metrics};
use crate::serve::services::imports::{BATCH_BYTES_MAX, IMPORTS_MAX};

/// What can be asked beyond the first version of the API. Words are added, never changed.
const CAPABILITIES: [&str; 7] = ["digest", "health", "import", "log", "models", "settings", "sources"];

/// Answers about the engine.
pub struct Info {
    reader: Reader,
    record_bytes_max: usize,
    started_at: Micros,
}

impl Info {
    /// The engine began to serve now.
    pub fn new(reader: Reader, record_bytes_max: usize) -> Self {
        let started_at = reader.engine().now();
        Self { reader, record_bytes_max, started_at }
    }
}

#[tonic::async_trait]
impl ServerService for Info {
    async fn get_server_info(
        &self,
        _request: Request<v1::GetServerInfoRequest>,
    ) -> Result<Response<v1::GetServerInfoResponse>, Status> {
        let (view, engine) = (self.reader.newest()?, self.reader.engine());
        Ok(Response::new(v1::GetServerInfoResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tenant: engine.directory().tenant().to_owned(),
            zone: view.control_state.settings.zone.to_string(),
            started_at: Some(convert::timestamp(self.started_at)),
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
            limits: Some(limits(
                self.reader.caller(),
                self.record_bytes_max,
                self.reader.scheduler().limits(),
            )),
            metrics: adopted_metrics(&view),
            accounts: view.accounts_count() as u64,
            freshness: Some(convert::freshness(&view, engine)),
        }))
    }

    async fn get_digest(
        &self,
        request: Request<v1::GetDigestRequest>,
    ) -> Result<Response<v1::GetDigestResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let as_of = request.as_of.as_ref().map_or(Ok(AsOf::Last), as_of)?;
        let view = self.reader.view(&request.min_position, deadline).await?;
        let freshness = Some(convert::freshness(&view, self.reader.engine()));
        let bare = v1::GetDigestRequest { min_position: String::new(), ..request };
        let question = question("GetDigest", &bare, view.position);
        let values = view.plan.model.metrics.len();
        let cost = Cost { answer_bytes: 0, ..estimate::scan(&view, None, values) };
        let snapshot = self.reader.snapshot(&view);
        let digest = self.reader.past(question, cost, deadline, move |cancellation| {
            let ReadSnapshot { view, history, workers, .. } = snapshot.cancelled_by(cancellation);
            Ok(digest::of_view(&view, &history, as_of, workers)?.to_string())
        });
        Ok(Response::new(v1::GetDigestResponse { digest: digest.await?.owned(), freshness }))
    }
}

fn limits(caller: Caller, record_bytes_max: usize, past: AdmissionLimits) -> v1::Limits {
    let count = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
    let millis = |limit: std::time::Duration| u64::try_from(limit.as_millis()).expect("limits are small");
    v1::Limits {
        page_size_default: count(PAGE_SIZE_DEFAULT),
        page_size_max: count(caller.page_size_max()),
        page_token_lives_ms: millis(LIVES),
        batch_accounts_max: count(BATCH_ACCOUNTS_MAX),
        instants_max: count(caller.instants_max()),
        metrics_per_list_max: count(METRICS_PER_LIST_MAX),
        model_bytes_max: MODEL_BYTES_MAX as u64,
        filter_bytes_max: count(FILTER_BYTES_MAX),
        min_position_wait_ms_max: millis(MIN_POSITION_WAIT_MAX),
        request_bytes_max: REQUEST_BYTES_MAX as u64,
        list_positions_max: count(PINS_MAX),
        mapping_bytes_max: MAPPING_BYTES_MAX as u64,
        source_bytes_max: count(SOURCE_BYTES_MAX),
        closed_days_max: count(CLOSED_DAYS_MAX),
        imports_max: count(IMPORTS_MAX),
        record_bytes_max: record_bytes_max as u64,
        import_batch_bytes_max: BATCH_BYTES_MAX as u64,
        past_reads_max: count(past.scans_max),
        past_reads_waiting_max: count(past.waiting_max),
        past_memory_bytes_max: past.memory_bytes_max,
    }
}
