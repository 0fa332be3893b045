//! What requests have in common: pages, instants, deadlines, work that is too long for an async thread.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tidewatch_projections::calendar::Day;
use tidewatch_projections::event::Micros;
use tidewatch_proto::prost::Message;
use tidewatch_proto::v1;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;
use tonic::metadata::MetadataMap;

use super::api_error::ApiError;
use super::convert::micros;
use super::monotonic;
use super::pins::Pins;
use super::token::{Page, query_digest, question_digest};
use crate::cancellation::Cancellation;
use crate::fold::view::View;
use crate::position::Position;
use crate::read::scan::AsOf;
use crate::read::scheduler::QuestionDigest;

/// Items of a page where the request names no number.
pub const PAGE_SIZE_DEFAULT: usize = 100;
/// Items of a page at most.
pub const PAGE_SIZE_MAX: usize = 1_000;
/// Accounts of one call at most.
pub const BATCH_ACCOUNTS_MAX: usize = 1_000;
/// Passes over all accounts of a view that run at once; more wait.
pub const LISTS_MAX: usize = 4;
/// How long a client may take nothing of an answer that comes in parts.
pub const SLOWNESS_MAX: Duration = Duration::from_secs(60);
/// What is kept of a deadline for the answer's way back, at most.
const WAY_BACK_MAX: Duration = Duration::from_millis(250);

/// The number of items a request asks for, at most `size_max`.
///
/// # Errors
/// Outside the limits.
pub fn page_size(asked: i32, size_max: usize) -> Result<usize, ApiError> {
    match usize::try_from(asked) {
        Ok(0) => Ok(PAGE_SIZE_DEFAULT),
        Ok(size) if size <= size_max => Ok(size),
        _ => Err(ApiError::InvalidPageSize {
            asked,
            page_size_default: PAGE_SIZE_DEFAULT,
            page_size_max: size_max,
        }),
    }
}

/// A request for a page of a list.
pub trait PagedRequest: Message + Clone {
    /// The method, which tells its tokens apart from those of others.
    const METHOD: &'static str;

    /// Size, token and minimum position: what pages of one list differ in.
    fn page_fields(&mut self) -> (&mut i32, &mut String, &mut String);
}

macro_rules! paged {
    ($($method:literal $request:ident;)*) => {
        $(impl PagedRequest for v1::$request {
            const METHOD: &'static str = $method;

            fn page_fields(&mut self) -> (&mut i32, &mut String, &mut String) {
                (&mut self.page_size, &mut self.page_token, &mut self.min_position)
            }
        })*
    };
}

paged! {
    "ListAccounts" ListAccountsRequest;
    "ListHealth" ListHealthRequest;
    "ListDeadLetters" ListDeadLettersRequest;
    "ListSources" ListSourcesRequest;
    "GetTimeline" GetTimelineRequest;
    "ListCases" ListCasesRequest;
}

/// A list call: which query it is, how long its page is and where it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    query: u64,
    /// Items of the page at most.
    pub size: usize,
    /// The position and start that the token names; `None` for the first page.
    pub resumed: Option<(Position, usize)>,
}

impl Asked {
    /// Reads size and token of a request, of a caller who may ask for `size_max` items.
    ///
    /// # Errors
    /// For a size outside the limits and a token that is damaged, of another query, or of another history.
    pub fn new<R: PagedRequest>(request: &R, size_max: usize, here: Position) -> Result<Self, ApiError> {
        let mut bare = request.clone();
        let (size, token, min_position) = bare.page_fields();
        let (size, token) = (page_size(std::mem::take(size), size_max)?, std::mem::take(token));
        min_position.clear();
        let query = query_digest(R::METHOD, &bare.encode_to_vec());
        if token.is_empty() {
            return Ok(Self { query, size, resumed: None });
        }
        let invalid = |problem| ApiError::InvalidPageToken { problem };
        let page = Page::parse(&token).ok_or(invalid("is none of this engine, or damaged"))?;
        if page.query != query {
            return Err(invalid("belongs to another request"));
        }
        if (page.position.shard, page.position.lineage) != (here.shard, here.lineage) {
            return Err(invalid("is of another shard or of a history left by restoring a backup"));
        }
        let skipped = usize::try_from(page.skipped).map_err(|_| invalid("is of a larger machine"))?;
        Ok(Self { query, size, resumed: Some((page.position, skipped)) })
    }

    /// Where the pages stand: where the first one stood.
    pub fn position(&self, here: Position) -> Position {
        self.resumed.map_or(here, |(position, _)| position)
    }

    /// The view of a list that keeps its views: that of the first page, or one for a new list; `fresh` says that only the
    /// newest will do.
    ///
    /// # Errors
    /// When the view of the first page is no longer kept.
    pub fn pinned(&self, pins: &Pins<View>, newest: Arc<View>, fresh: bool) -> Result<Arc<View>, ApiError> {
        match self.resumed {
            Some((position, _)) => pins.resume(monotonic(), position.seq),
            None => Ok(pins.choose(monotonic(), newest, fresh)),
        }
    }

    /// The token of the page after, whose view is kept for it; empty after the last.
    ///
    /// # Errors
    /// When as many views are kept as may be.
    pub fn next_pinned(
        &self,
        pins: &Pins<View>,
        view: &Arc<View>,
        shown: usize,
        total: usize,
    ) -> Result<String, ApiError> {
        let token = self.next(view.position, shown, total);
        if !token.is_empty() {
            pins.keep(monotonic(), view.position.seq, view)?;
        }
        Ok(token)
    }

    /// Items on the pages before.
    pub fn skipped(&self) -> usize {
        self.resumed.map_or(0, |(_, skipped)| skipped)
    }

    /// The token of the page after `shown` items of `total`, at a position; empty after the last.
    pub fn next(&self, position: Position, shown: usize, total: usize) -> String {
        let skipped = self.skipped() + shown;
        if skipped >= total || shown == 0 {
            return String::new();
        }
        Page { position, skipped: skipped as u64, query: self.query }.token()
    }
}

/// The instant a request names; `None` when it names none.
///
/// # Errors
/// When it is empty, unreadable, or `last` without an event.
pub fn instant(asked: Option<&v1::AsOf>, view: &View) -> Result<Option<Micros>, ApiError> {
    let Some(asked) = asked else { return Ok(None) };
    let at = match as_of(asked)? {
        AsOf::At(at) => at,
        AsOf::EndOf(day) => view.plan.calendar.end(day),
        AsOf::Last => view.tenant.last_instant().ok_or_else(|| ApiError::InvalidAsOf {
            problem: "last names no instant: no event was accepted yet".to_owned(),
        })?,
    };
    Ok(Some(at))
}

/// The instant as it was asked for.
///
/// # Errors
/// When it is empty or unreadable.
pub fn as_of(asked: &v1::AsOf) -> Result<AsOf, ApiError> {
    let invalid = |problem: String| ApiError::InvalidAsOf { problem };
    match &asked.instant {
        Some(v1::as_of::Instant::At(at)) => {
            let outside = || invalid(format!("{} s after 1970 is outside the years 1 to 9999", at.seconds));
            micros(at).map(AsOf::At).ok_or_else(outside)
        }
        Some(v1::as_of::Instant::Date(date)) => {
            Day::parse(date).map(AsOf::EndOf).ok_or_else(|| invalid(format!("{date:?} is no date")))
        }
        Some(v1::as_of::Instant::Last(true)) => Ok(AsOf::Last),
        Some(v1::as_of::Instant::Last(false)) => Err(invalid("last = false has no meaning".to_owned())),
        None => Err(invalid("names nothing".to_owned())),
    }
}

/// Until when an answer can be worked on, from the metadata `grpc-timeout`; `None` when it says nothing readable.
pub fn deadline(metadata: &MetadataMap) -> Option<Instant> {
    monotonic().checked_add(patience(metadata)?)
}

/// How long the caller waits, less a quarter or [`WAY_BACK_MAX`] for the answer's way back.
fn patience(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok()?;
    let whole = match unit {
        "H" => Duration::from_secs(count.checked_mul(3_600)?),
        "M" => Duration::from_secs(count.checked_mul(60)?),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    };
    Some(whole - (whole / 4).min(WAY_BACK_MAX))
}

static LISTS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(LISTS_MAX)));

/// Runs a pass over all accounts of a view, at most [`LISTS_MAX`] at once. It checks the cancellation that it is given:
/// nobody waits for it once the call is dropped, by its client or by its deadline.
///
/// # Errors
/// What the work says; [`ApiError::DeadlinePassed`].
pub async fn over_all<T: Send + 'static>(
    deadline: Option<Instant>,
    work: impl FnOnce(&Cancellation) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let cancellation = Cancellation::default();
    let _waits = cancellation.when_dropped();
    let done = async {
        let permit = Arc::clone(&LISTS).acquire_owned().await.expect("the semaphore is never closed");
        // Held until the work has ended, which may be after the call has.
        aside(move || {
            let _permit = permit;
            work(&cancellation)
        })
        .await
    };
    match deadline {
        None => done.await,
        Some(deadline) => timeout_at(deadline.into(), done).await.unwrap_or(Err(ApiError::DeadlinePassed)),
    }
}

/// What tells a question at a position apart from others. `bare` is the request without its minimum position.
pub fn question(method: &str, bare: &impl Message, position: Position) -> QuestionDigest {
    question_digest(method, &bare.encode_to_vec(), position)
}

/// Runs work that waits, on a thread that may wait.
///
/// # Errors
/// What the work says.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(ApiError::Internal { problem: format!("the answer panicked: {error}") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_hundred_items_unless_asked_and_at_most_a_thousand() {
        let page_size = |asked| page_size(asked, PAGE_SIZE_MAX);
        assert_eq!(page_size(0), Ok(100));
        assert_eq!(page_size(1_000), Ok(1_000));
        assert_eq!(page_size(1_001).unwrap_err().reason(), "INVALID_PAGE_SIZE");
        assert_eq!(page_size(-1).unwrap_err().reason(), "INVALID_PAGE_SIZE");
    }

    #[test]
    fn a_token_belongs_to_its_request_and_history() {
        let here = Position { shard: 0, lineage: 1, seq: 9 };
        let request = |filter: &str, token: &str| v1::ListAccountsRequest {
            filter: filter.into(),
            page_token: token.into(),
            ..Default::default()
        };
        let asked =
            |filter: &str, token: &str, here| Asked::new(&request(filter, token), PAGE_SIZE_MAX, here);
        let first = asked("a", "", here).unwrap();
        let token = first.next(here, 2, 5);
        let second = asked("a", &token, here).unwrap();
        assert_eq!(second.resumed, Some((here, 2)));
        assert_eq!(second.next(here, 3, 5), "");
        assert!(asked("b", &token, here).unwrap_err().to_string().contains("another request"));
        let timeline = v1::GetTimelineRequest { page_token: token.clone(), ..Default::default() };
        let of_another = Asked::new(&timeline, PAGE_SIZE_MAX, here).unwrap_err();
        assert!(of_another.to_string().contains("another request"));
        assert!(asked("a", "xyz", here).unwrap_err().to_string().contains("damaged"));
        let restored = Position { lineage: 2, ..here };
        assert!(asked("a", &token, restored).unwrap_err().to_string().contains("restoring"));
    }

    #[test]
    fn deadlines_are_read_in_every_unit() {
        let read = |text: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            patience(&metadata)
        };
        assert_eq!(read("1000m"), Some(Duration::from_millis(750)));
        assert_eq!(read("1H"), Some(Duration::from_millis(3_599_750)));
        assert_eq!(read("x"), None);
        assert_eq!(read("5"), None);
    }
}
