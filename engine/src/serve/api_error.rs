//! Errors of the API: one closed list of reasons, each with its status code, details and entry in `docs/ERRORS.md`.
//!
//! Clients switch on the reason in `google.rpc.ErrorInfo`; messages are for people and may change.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::filter::FilterError;
use crate::app::{EngineError, RefoldProgress};
use crate::cancellation::Cancelled;
use crate::control::adoption::{AdoptionError, MODEL_BYTES_MAX};
use crate::fold::history::HistoryError;
use crate::read::index::IndexError;
use crate::read::scan::ScanError;
use crate::read::scheduler::ScheduleError;
use crate::storage::log::{DumpError, LogError};
use crate::write::sequencer::CommandError;

/// The domain of every `ErrorInfo` of this engine.
pub const DOMAIN: &str = "tidewatch";

/// How long a client waits before it asks again for a position that was not reached.
const POSITION_RETRY: Duration = Duration::from_millis(100);

/// How long a client waits before it asks again for a place among imports.
const PLACE_RETRY: Duration = Duration::from_secs(10);

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ApiError {
    /// The tenant is not the one this directory holds.
    #[error(
        "this engine holds tenant {held:?}, not {asked:?}; set metadata \"tidewatch-tenant\" or ask another engine"
    )]
    TenantUnknown {
        /// The tenant asked for.
        asked: String,
        held: String,
    },
    /// No such account.
    #[error("no account {account:?} at the position of the answer; `list` shows those known")]
    AccountUnknown {
        /// The id asked for.
        account: String,
    },
    /// No such dead letter.
    #[error("entry {sequence} is no dead letter; ListDeadLetters shows them")]
    DeadLetterUnknown {
        /// The sequence asked for.
        sequence: u64,
    },
    /// The filter was not understood.
    #[error("the filter is not understood {0}")]
    InvalidFilter(FilterError),
    /// The order was not understood.
    #[error("the order is not understood {0}")]
    InvalidOrder(FilterError),
    /// The page size is negative or too large.
    #[error("page_size {asked} is outside 0 to {page_size_max} (0 means {page_size_default})")]
    InvalidPageSize {
        /// The size asked for.
        asked: i32,
        /// The default.
        page_size_default: usize,
        /// The most.
        page_size_max: usize,
    },
    /// The page token is not of this engine or of another query.
    #[error("the page token {problem}; ask for the first page again")]
    InvalidPageToken {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The position of the page is no longer kept.
    #[error("the position of the page token ({sequence}) is no longer kept; ask for the first page again")]
    PageTokenExpired { sequence: u64 },
    /// As many list positions are kept as the limit admits.
    #[error(
        "{lists_max} list positions are kept for their next pages, the most there may be; try again in {retry_s} s or without min_position"
    )]
    TooManyLists {
        lists_max: usize,
        /// Seconds until the oldest may go.
        retry_s: u64,
    },
    /// The position token is not of this engine, or of a lineage that branched off below it.
    #[error("min_position {problem}")]
    InvalidPosition {
        /// What is wrong with it.
        problem: String,
    },
    /// The position asked for was not published in time.
    #[error("position {wanted} is not published yet: {published} is{}; ask again", refolding(refold.as_ref()))]
    PositionNotReached {
        /// The sequence asked for.
        wanted: u64,
        published: u64,
        /// How far a fold has come that the position may wait for.
        refold: Option<RefoldProgress>,
    },
    /// The instant was not understood.
    #[error("as_of {problem}; name an instant, a date like \"2026-03-01\", or last")]
    InvalidAsOf {
        /// What is wrong with it.
        problem: String,
    },
    /// The inline model was not understood.
    #[error("the model is refused: {problem}")]
    InvalidModel {
        /// What is wrong with it, with its line.
        problem: String,
    },
    /// The account has no case.
    #[error("the account {account:?} has no case; `tidewatch cases` lists those that have")]
    CaseUnknown {
        /// The account asked for.
        account: String,
    },
    /// What is to be done with a case was not understood.
    #[error("{field} {problem}")]
    InvalidAction {
        /// Which part of it.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The rules were not understood.
    #[error("the rules are refused: {problem}")]
    InvalidRules {
        /// What is wrong with them, with the key.
        problem: String,
    },
    /// The model declares no such metric.
    #[error("the model declares no metric {metric:?}; it has: {known}")]
    MetricUnknown {
        /// The metric asked for.
        metric: String,
        /// The names it declares.
        known: String,
    },
    /// More of something than a call may ask for.
    #[error("{asked} {what} in one call, at most {most}; ask in parts")]
    TooMany {
        /// The field, in the plural.
        what: &'static str,
        /// How many were asked for.
        asked: usize,
        most: usize,
    },
    /// A mutation came without `request_id`.
    #[error("request_id is missing; choose one of 1 to {bytes_max} bytes so that a repetition is harmless")]
    RequestIdMissing {
        /// The longest one, in bytes.
        bytes_max: usize,
    },
    /// The id of a mutation was used with another body.
    #[error("request_id was used for another request within the last day; choose another one")]
    RequestIdReused,
    /// Dead letters could not be decoded again.
    #[error("dead letters cannot be replayed: {problem}")]
    ReplayFailed {
        /// Why, and what to do.
        problem: String,
    },
    /// A text of a request is longer than it may be.
    #[error("{field} has {bytes} bytes, at most {most}")]
    TooLong { field: &'static str, bytes: usize, most: usize },
    /// A source has no name.
    #[error("source is empty; name the source, its name is part of the identity of every event")]
    InvalidSource,
    /// The mapping was not understood.
    #[error("the mapping is refused: {problem}")]
    InvalidMapping {
        /// What is wrong with it.
        problem: String,
    },
    /// A source was read by another mapping so far.
    #[error("{problem}")]
    MappingChanged {
        /// Which, and what to do.
        problem: String,
    },
    /// The log does not know the source.
    #[error("{problem}")]
    SourceUnknown {
        /// Which it knows.
        problem: String,
    },
    /// The source was reset while it was read.
    #[error("{problem}")]
    SourceWasReset {
        /// Which, and what to do.
        problem: String,
    },
    /// The override names no reason, a band that the model does not have, or too many days.
    #[error("the override is refused: {problem}")]
    InvalidOverride { problem: String },
    /// Events behind measures are asked for that cannot be told.
    #[error("the evidence is refused: {problem}")]
    InvalidEvidence { problem: String },
    /// The settings cannot be adopted.
    #[error("{problem}")]
    InvalidSettings {
        /// What is wrong with them.
        problem: String,
    },
    /// Something else was adopted since the caller looked.
    #[error("{problem}")]
    SettingsChanged {
        problem: String,
        /// The etag in force.
        current: String,
    },
    /// The messages of an import do not fit together.
    #[error("the import is refused: {problem}; what was taken before it stays")]
    InvalidImport {
        /// What does not fit.
        problem: String,
    },
    /// As many imports run as may.
    #[error("{most} imports run already, the most there may be; try again once one has ended")]
    TooManyImports { most: usize },
    /// As many reads of the log run and wait as may.
    #[error(
        "{most} calls read the log already and {waiting_max} wait, the most there may be; try again in {retry_s} s"
    )]
    TooManyLogReads {
        /// How many may run.
        most: usize,
        /// How many may wait.
        waiting_max: usize,
        /// Seconds after which there may be a place.
        retry_s: u64,
    },
    /// The caller's deadline passed.
    #[error("the deadline passed before the answer was found; wait longer, or ask for less")]
    DeadlinePassed,
    /// A client took nothing of a stream for too long.
    #[error("nothing of the answer was taken for {waited_s} s; read faster, or ask for less")]
    SlowReader {
        /// How long it was waited.
        waited_s: u64,
    },
    /// The log is damaged.
    #[error("{problem}")]
    LogDamaged {
        /// Where, and what to do.
        problem: String,
    },
    /// The engine was opened to be read.
    #[error("{problem}")]
    ReadOnly { problem: String },
    /// The engine was opened without the accounts that the call needs.
    #[error("this engine was opened without its accounts; open it with them to ask for this")]
    NotFolded,
    /// The engine takes in nothing more.
    #[error("{problem}")]
    EngineStopped {
        /// Why, and what to do.
        problem: String,
    },
    /// The engine failed; its log says more.
    #[error("the engine failed: {problem}; its log says more")]
    Internal {
        /// What failed.
        problem: String,
    },
}

/// A reason as documented: its name and code.
pub type Documented = (&'static str, Code);

/// Every reason a call can be refused with.
pub const REASONS: [Documented; 43] = [
    ("TENANT_UNKNOWN", Code::NotFound),
    ("ACCOUNT_UNKNOWN", Code::NotFound),
    ("DEAD_LETTER_UNKNOWN", Code::NotFound),
    ("INVALID_FILTER", Code::InvalidArgument),
    ("INVALID_ORDER", Code::InvalidArgument),
    ("INVALID_PAGE_SIZE", Code::InvalidArgument),
    ("INVALID_PAGE_TOKEN", Code::InvalidArgument),
    ("PAGE_TOKEN_EXPIRED", Code::FailedPrecondition),
    ("TOO_MANY_LISTS", Code::ResourceExhausted),
    ("INVALID_POSITION", Code::InvalidArgument),
    ("POSITION_NOT_REACHED", Code::Unavailable),
    ("INVALID_AS_OF", Code::InvalidArgument),
    ("INVALID_MODEL", Code::InvalidArgument),
    ("INVALID_RULES", Code::InvalidArgument),
    ("INVALID_ACTION", Code::InvalidArgument),
    ("CASE_UNKNOWN", Code::NotFound),
    ("METRIC_UNKNOWN", Code::InvalidArgument),
    ("TOO_MANY_ACCOUNTS", Code::InvalidArgument),
    ("TOO_MANY_INSTANTS", Code::InvalidArgument),
    ("TOO_MANY_METRICS", Code::InvalidArgument),
    ("REQUEST_ID_MISSING", Code::InvalidArgument),
    ("REQUEST_ID_REUSED", Code::AlreadyExists),
    ("REPLAY_FAILED", Code::FailedPrecondition),
    ("TOO_LONG", Code::InvalidArgument),
    ("INVALID_SOURCE", Code::InvalidArgument),
    ("INVALID_MAPPING", Code::InvalidArgument),
    ("MAPPING_CHANGED", Code::FailedPrecondition),
    ("SOURCE_UNKNOWN", Code::NotFound),
    ("SOURCE_WAS_RESET", Code::Aborted),
    ("INVALID_SETTINGS", Code::InvalidArgument),
    ("INVALID_OVERRIDE", Code::InvalidArgument),
    ("INVALID_EVIDENCE", Code::InvalidArgument),
    ("SETTINGS_CHANGED", Code::Aborted),
    ("INVALID_IMPORT", Code::InvalidArgument),
    ("TOO_MANY_IMPORTS", Code::ResourceExhausted),
    ("TOO_MANY_LOG_READS", Code::ResourceExhausted),
    ("DEADLINE_PASSED", Code::DeadlineExceeded),
    ("SLOW_READER", Code::DeadlineExceeded),
    ("LOG_DAMAGED", Code::DataLoss),
    ("READ_ONLY", Code::FailedPrecondition),
    ("NOT_FOLDED", Code::FailedPrecondition),
    ("ENGINE_STOPPED", Code::Unavailable),
    ("INTERNAL", Code::Internal),
];

impl ApiError {
    /// What a batch says of an item it refuses.
    pub fn item(&self) -> tidewatch_proto::v1::ItemError {
        tidewatch_proto::v1::ItemError {
            code: self.code().into(),
            reason: self.reason().to_owned(),
            message: self.to_string(),
        }
    }

    /// The stable reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TenantUnknown { .. } => "TENANT_UNKNOWN",
            Self::AccountUnknown { .. } => "ACCOUNT_UNKNOWN",
            Self::DeadLetterUnknown { .. } => "DEAD_LETTER_UNKNOWN",
            Self::InvalidFilter(_) => "INVALID_FILTER",
            Self::InvalidOrder(_) => "INVALID_ORDER",
            Self::InvalidPageSize { .. } => "INVALID_PAGE_SIZE",
            Self::InvalidPageToken { .. } => "INVALID_PAGE_TOKEN",
            Self::PageTokenExpired { .. } => "PAGE_TOKEN_EXPIRED",
            Self::TooManyLists { .. } => "TOO_MANY_LISTS",
            Self::InvalidPosition { .. } => "INVALID_POSITION",
            Self::PositionNotReached { .. } => "POSITION_NOT_REACHED",
            Self::InvalidAsOf { .. } => "INVALID_AS_OF",
            Self::InvalidModel { .. } => "INVALID_MODEL",
            Self::InvalidRules { .. } => "INVALID_RULES",
            Self::InvalidAction { .. } => "INVALID_ACTION",
            Self::CaseUnknown { .. } => "CASE_UNKNOWN",
            Self::MetricUnknown { .. } => "METRIC_UNKNOWN",
            Self::TooMany { what: "instants", .. } => "TOO_MANY_INSTANTS",
            Self::TooMany { what: "metrics", .. } => "TOO_MANY_METRICS",
            Self::TooMany { .. } => "TOO_MANY_ACCOUNTS",
            Self::RequestIdMissing { .. } => "REQUEST_ID_MISSING",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::ReplayFailed { .. } => "REPLAY_FAILED",
            Self::TooLong { .. } => "TOO_LONG",
            Self::InvalidSource => "INVALID_SOURCE",
            Self::InvalidMapping { .. } => "INVALID_MAPPING",
            Self::MappingChanged { .. } => "MAPPING_CHANGED",
            Self::SourceUnknown { .. } => "SOURCE_UNKNOWN",
            Self::SourceWasReset { .. } => "SOURCE_WAS_RESET",
            Self::InvalidSettings { .. } => "INVALID_SETTINGS",
            Self::InvalidOverride { .. } => "INVALID_OVERRIDE",
            Self::InvalidEvidence { .. } => "INVALID_EVIDENCE",
            Self::SettingsChanged { .. } => "SETTINGS_CHANGED",
            Self::InvalidImport { .. } => "INVALID_IMPORT",
            Self::TooManyImports { .. } => "TOO_MANY_IMPORTS",
            Self::TooManyLogReads { .. } => "TOO_MANY_LOG_READS",
            Self::DeadlinePassed => "DEADLINE_PASSED",
            Self::SlowReader { .. } => "SLOW_READER",
            Self::LogDamaged { .. } => "LOG_DAMAGED",
            Self::ReadOnly { .. } => "READ_ONLY",
            Self::NotFolded => "NOT_FOLDED",
            Self::EngineStopped { .. } => "ENGINE_STOPPED",
            Self::Internal { .. } => "INTERNAL",
        }
    }

    /// The status code that goes with the reason.
    pub fn code(&self) -> Code {
        let documented = REASONS.iter().find(|(reason, _)| *reason == self.reason());
        documented.map(|(_, code)| *code).expect("every reason is listed")
    }

    /// The request field at fault, where one is.
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::InvalidFilter(_) => Some("filter"),
            Self::InvalidOrder(_) => Some("order_by"),
            Self::InvalidPageSize { .. } => Some("page_size"),
            Self::InvalidPageToken { .. } => Some("page_token"),
            Self::InvalidPosition { .. } => Some("min_position"),
            Self::InvalidAsOf { .. } => Some("as_of"),
            Self::InvalidModel { .. } => Some("model"),
            Self::InvalidRules { .. } => Some("rules"),
            Self::InvalidAction { field, .. } => Some(field),
            Self::MetricUnknown { .. } => Some("metrics"),
            Self::TooMany { what: "instants", .. } => Some("as_of"),
            Self::TooMany { what, .. } => Some(what),
            Self::RequestIdMissing { .. } | Self::RequestIdReused => Some("request_id"),
            Self::TooLong { field, .. } => Some(field),
            Self::InvalidSource | Self::SourceUnknown { .. } => Some("source"),
            Self::InvalidMapping { .. } => Some("mapping"),
            Self::InvalidSettings { .. } => Some("settings"),
            Self::InvalidOverride { .. } => Some("override"),
            Self::InvalidEvidence { .. } => Some("evidence"),
            _ => None,
        }
    }

    /// Figures for programs, by name.
    fn metadata(&self) -> HashMap<String, String> {
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let pairs = match self {
            Self::TenantUnknown { asked, held } => {
                vec![pair("asked", asked.clone()), pair("held", held.clone())]
            }
            Self::AccountUnknown { account } => vec![pair("account", account.clone())],
            Self::DeadLetterUnknown { sequence } => vec![pair("sequence", sequence.to_string())],
            Self::InvalidFilter(error) | Self::InvalidOrder(error) => {
                vec![pair("offset", error.offset.to_string())]
            }
            Self::PositionNotReached { wanted, published, refold } => {
                let refold = refold.iter();
                let refold = refold.flat_map(|at| [("refolded", at.folded_seq), ("durable", at.last_seq)]);
                let seqs = [("wanted", *wanted), ("published", *published)].into_iter().chain(refold);
                seqs.map(|(key, seq)| pair(key, seq.to_string())).collect()
            }
            Self::MetricUnknown { metric, .. } => vec![pair("metric", metric.clone())],
            Self::TooMany { most, .. }
            | Self::TooLong { most, .. }
            | Self::TooManyImports { most }
            | Self::TooManyLogReads { most, .. } => vec![pair("most", most.to_string())],
            Self::SettingsChanged { current, .. } => vec![pair("etag", current.clone())],
            _ => Vec::new(),
        };
        pairs.into_iter().collect()
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::PositionNotReached { .. } => Some(POSITION_RETRY),
            Self::TooManyLists { retry_s, .. } | Self::TooManyLogReads { retry_s, .. } => {
                Some(Duration::from_secs(*retry_s))
            }
            Self::TooManyImports { .. } => Some(PLACE_RETRY),
            _ => None,
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let problem = error.to_string();
        match error {
            EngineError::Adoption(AdoptionError::Model(error)) => {
                Self::InvalidModel { problem: error.to_string() }
            }
            EngineError::Adoption(AdoptionError::Rules(error)) => {
                Self::InvalidRules { problem: error.to_string() }
            }
            EngineError::Adoption(AdoptionError::ModelTooLong { bytes }) => {
                Self::TooLong { field: "settings.model", bytes, most: MODEL_BYTES_MAX }
            }
            EngineError::Adoption(_) => Self::InvalidSettings { problem },
            EngineError::Command(refused) => match refused {
                CommandError::MappingChanged { .. } => Self::MappingChanged { problem },
                CommandError::SourceWasReset { .. } => Self::SourceWasReset { problem },
                CommandError::UnknownSource { .. } => Self::SourceUnknown { problem },
                CommandError::NoCase { account } => Self::CaseUnknown { account: account.into() },
                CommandError::UnknownZone(_) => Self::InvalidSettings { problem },
                CommandError::SettingsChanged { current, .. } => {
                    Self::SettingsChanged { problem, current: current.into() }
                }
            },
            EngineError::Failed(_) | EngineError::ShuttingDown => Self::EngineStopped { problem },
            EngineError::ReadOnly => Self::ReadOnly { problem },
            EngineError::Directory(_) | EngineError::History(_) | EngineError::Recovery(_) => {
                Self::Internal { problem }
            }
        }
    }
}

/// What a position waits for that lies behind the newest view.
fn refolding(progress: Option<&RefoldProgress>) -> String {
    progress.map_or_else(String::new, |RefoldProgress { since_seq, folded_seq, last_seq }| {
        format!(
            ", without what was adopted from {since_seq} on, for which the log is folded anew ({folded_seq} of {last_seq})"
        )
    })
}

/// A failure below the API, which goes to the log of the process too.
fn internal(error: &dyn std::error::Error) -> ApiError {
    tracing::error!(%error, "a read failed");
    ApiError::Internal { problem: error.to_string() }
}

impl From<LogError> for ApiError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Cancelled(cancelled) => cancelled.into(),
            LogError::Damage(_) | LogError::Malformed { .. } => {
                tracing::error!(%error, "the log is damaged");
                Self::LogDamaged { problem: error.to_string() }
            }
            error => internal(&error),
        }
    }
}

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Log(error) => error.into(),
            error => internal(&error),
        }
    }
}

impl From<IndexError> for ApiError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::History(error) => error.into(),
            error => internal(&error),
        }
    }
}

impl From<ScanError> for ApiError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::NoEvent => Self::InvalidAsOf { problem: error.to_string() },
            ScanError::History(error) => error.into(),
            ScanError::Cancelled(cancelled) => cancelled.into(),
        }
    }
}

impl From<Cancelled> for ApiError {
    fn from(Cancelled: Cancelled) -> Self {
        Self::DeadlinePassed
    }
}

impl From<DumpError> for ApiError {
    fn from(error: DumpError) -> Self {
        match error {
            DumpError::Log(error) => error.into(),
            error @ DumpError::Output(_) => internal(&error),
        }
    }
}

impl From<ScheduleError> for ApiError {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::Full { scans_max, waiting_max, retry_after } => {
                Self::TooManyLogReads { most: scans_max, waiting_max, retry_s: retry_after.as_secs().max(1) }
            }
            ScheduleError::DeadlinePassed => Self::DeadlinePassed,
            ScheduleError::BrokenOff => Self::Internal { problem: error.to_string() },
        }
    }
}

impl From<ApiError> for Status {
    fn from(refusal: ApiError) -> Self {
        let message = refusal.to_string();
        let mut details = ErrorDetails::new();
        details.set_error_info(refusal.reason(), DOMAIN, refusal.metadata());
        if let Some(field) = refusal.field() {
            details.add_bad_request_violation(field, message.clone());
        }
        if let Some(delay) = refusal.retry_after() {
            details.set_retry_info(Some(delay));
        }
        Self::with_error_details(refusal.code(), message, details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_errors_lists_every_reason_with_its_code_and_no_other() {
        let page = include_str!("../../../docs/ERRORS.md");
        let rows: Vec<(String, String)> = page
            .lines()
            .filter_map(|line| {
                let mut cells =
                    line.strip_prefix("| `")?.split('|').map(|cell| cell.trim().trim_matches('`'));
                Some((cells.next()?.to_owned(), cells.next()?.to_owned()))
            })
            .collect();
        let listed: Vec<(String, String)> =
            REASONS.iter().map(|(reason, code)| ((*reason).to_owned(), screaming(*code))).collect();
        assert_eq!(rows, listed);
    }

    fn screaming(code: Code) -> String {
        let mut text = String::new();
        for c in format!("{code:?}").chars() {
            if c.is_uppercase() && !text.is_empty() {
                text.push('_');
            }
            text.push(c.to_ascii_uppercase());
        }
        text
    }

    #[test]
    fn a_refused_filter_names_field_and_offset() {
        let error = FilterError { offset: 7, problem: "expected a value".into() };
        let status = Status::from(ApiError::InvalidFilter(error));
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str(), info.metadata["offset"].as_str()),
            ("INVALID_FILTER", DOMAIN, "7")
        );
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "filter");
        assert!(details.retry_info().is_none());
    }

    #[test]
    fn what_passes_by_itself_says_when_to_ask_again() {
        let status = Status::from(ApiError::PositionNotReached { wanted: 9, published: 3, refold: None });
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(status.get_error_details().retry_info().unwrap().retry_delay, Some(POSITION_RETRY));
        assert!(status.message().contains("position 9"));
    }
}
