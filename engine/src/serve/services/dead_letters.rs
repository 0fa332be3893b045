//! `DeadLetterService`: lists dead letters and replays them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidewatch_projections::decimal::Decimal;
use tidewatch_proto::v1;
use tidewatch_proto::v1::dead_letter_service_server::DeadLetterService;
use tonic::{Request, Response, Status};

use crate::app::{Engine, ReplayMapping, Replayed};
use crate::cancellation::Cancellation;
use crate::control::request;
use crate::fold::history::History;
use crate::fold::view::View;
use crate::position::Position;
use crate::read::estimate;
use crate::read::index::{DeadLetterFilter, DeadLetterNote, Index};
use crate::serve::api_error::ApiError;
use crate::serve::convert;
use crate::serve::filter::{Filter, Kind, Operand};
use crate::serve::formats::{self, Formats, SourceFormat};
use crate::serve::idempotency::{IdempotencyStore, request};
use crate::serve::order::Order;
use crate::serve::paging::{Asked, deadline, question};
use crate::serve::reader::Reader;
use crate::storage::log::{DeadLetter, Entry};

/// Answers about dead letters.
pub struct DeadLetters {
    reader: Reader,
    formats: Arc<Formats>,
    idempotency: Arc<IdempotencyStore>,
}

impl DeadLetters {
    /// Answers from this reader; replays decode by `formats`.
    pub fn new(reader: Reader, formats: Arc<Formats>, idempotency: Arc<IdempotencyStore>) -> Self {
        Self { reader, formats, idempotency }
    }
}

#[tonic::async_trait]
impl DeadLetterService for DeadLetters {
    async fn list_dead_letters(
        &self,
        request: Request<v1::ListDeadLettersRequest>,
    ) -> Result<Response<v1::ListDeadLettersResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let view = self.reader.log_view(&request.min_position, deadline).await?;
        let bare = v1::ListDeadLettersRequest { min_position: String::new(), ..request };
        let question = question("ListDeadLetters", &bare, view.position);
        let reader = self.reader.clone();
        let page = self.reader.past(question, estimate::READ, deadline, move |cancellation| {
            list(&reader, &view, &bare, cancellation)
        });
        Ok(Response::new(page.await?.owned()))
    }

    async fn get_dead_letter(
        &self,
        request: Request<v1::GetDeadLetterRequest>,
    ) -> Result<Response<v1::GetDeadLetterResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let view = self.reader.log_view(&request.min_position, deadline).await?;
        let bare = v1::GetDeadLetterRequest { min_position: String::new(), ..request };
        let question = question("GetDeadLetter", &bare, view.position);
        let reader = self.reader.clone();
        let answer = self.reader.past(question, estimate::READ, deadline, move |cancellation| {
            let history = reader.history(&view).cancelled_by(cancellation);
            catch_up(&reader, &history)?;
            let dead_letters =
                DeadLetterIndex { index: reader.index(), history: &history, at: view.position };
            let dead_letter = Some(one(&dead_letters, bare.sequence)?);
            let freshness = Some(convert::freshness(&view, reader.engine()));
            Ok(v1::GetDeadLetterResponse { dead_letter, freshness })
        });
        Ok(Response::new(answer.await?.owned()))
    }

    async fn replay_dead_letters(
        &self,
        asked: Request<v1::ReplayDeadLettersRequest>,
    ) -> Result<Response<v1::ReplayDeadLettersResponse>, Status> {
        let deadline = deadline(asked.metadata());
        let asked = asked.into_inner();
        let (reader, formats) = (self.reader.clone(), Arc::clone(&self.formats));
        let idempotency = Arc::clone(&self.idempotency);
        let scheduler = Arc::clone(self.reader.scheduler());
        // What it accepted stays accepted, so it goes on when its caller has gone, and a repetition hears what became of it.
        let answer = scheduler.ask(None, estimate::READ, move |_cancellation| {
            let engine = reader.engine();
            let by = (asked.request_id.as_str(), asked.on_behalf_of.as_str());
            let request = request(engine, reader.caller(), "ReplayDeadLetters", by, &asked)?;
            idempotency.once(&request, || {
                let at = reader.position();
                let history = engine.history().until(at.seq);
                catch_up(&reader, &history)?;
                let dead_letters = DeadLetterIndex { index: reader.index(), history: &history, at };
                replay(engine, &dead_letters, &formats, &asked, &request)
            })
        });
        Ok(Response::new(answer.map_err(ApiError::from)?.answer(deadline).await?.owned()))
    }
}

/// The index of a log, brought up to a position of it.
#[derive(Clone, Copy)]
struct DeadLetterIndex<'a> {
    index: &'a Index,
    history: &'a History,
    /// Where it is read from; the index is there or further.
    at: Position,
}

/// A field of the list of dead letters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Reason,
    Source,
    Detail,
    RecordedAt,
    Sequence,
    Resolved,
}

impl Column {
    fn resolve(path: &[String]) -> Option<(Self, Kind)> {
        let [name] = path else { return None };
        Some(match name.as_str() {
            "reason" => (Self::Reason, Kind::Text),
            "source" => (Self::Source, Kind::Text),
            "detail" => (Self::Detail, Kind::Text),
            "recorded_at" => (Self::RecordedAt, Kind::Instant),
            "sequence" => (Self::Sequence, Kind::Number),
            "resolved" => (Self::Resolved, Kind::Truth),
            _ => return None,
        })
    }

    fn operand(self, note: &DeadLetterNote) -> Operand<'_> {
        match self {
            Self::Reason => Operand::Text(note.reason.name().into()),
            Self::Source => Operand::Text(note.source.as_str().into()),
            Self::Detail => Operand::Text(note.detail.as_str().into()),
            Self::RecordedAt => Operand::Instant(note.at),
            Self::Sequence => Operand::Exact(Decimal::new(note.seq.into(), 0)),
            Self::Resolved => Operand::Truth(note.is_resolved),
        }
    }
}

fn passes(filter: &Filter<Column>, note: &DeadLetterNote) -> bool {
    filter.matches(&mut |column: &Column| Some(column.operand(note)))
}

/// Brings the index up to the newest view. They may be ahead of an older one by another call, and are only ever brought
/// forward.
fn catch_up(reader: &Reader, history: &History) -> Result<(), ApiError> {
    let newest = reader.position();
    Ok(reader.index().catch_up(&history.until(newest.seq), newest.lineage, newest.seq)?)
}

/// Dead letters after a sequence and up to another, oldest first.
fn notes(
    index: &Index,
    after_seq: u64,
    until_seq: u64,
    limit: usize,
) -> Result<Vec<DeadLetterNote>, ApiError> {
    let every = DeadLetterFilter { with_resolved: true, ..DeadLetterFilter::default() };
    let mut notes = index.dead_letters(&every, after_seq, limit)?;
    notes.retain(|note| note.seq <= until_seq);
    Ok(notes)
}

/// The dead letter of this sequence, with its bytes.
///
/// # Errors
/// When there is none; whatever the index or the log say.
fn one(dead_letters: &DeadLetterIndex<'_>, sequence: u64) -> Result<v1::DeadLetter, ApiError> {
    let note = notes(dead_letters.index, sequence.saturating_sub(1), sequence, 1)?.pop();
    let note = note.filter(|note| note.seq == sequence).ok_or(ApiError::DeadLetterUnknown { sequence })?;
    let letter = letter(dead_letters.history, sequence)?;
    Ok(wire(note, Some(letter)))
}

fn list(
    reader: &Reader,
    view: &View,
    request: &v1::ListDeadLettersRequest,
    cancellation: &Cancellation,
) -> Result<v1::ListDeadLettersResponse, ApiError> {
    let asked = Asked::new(request, reader.caller().page_size_max(), view.position)?;
    let (size, position) = (asked.size, asked.position(view.position));
    let history = reader.history(view).cancelled_by(cancellation);
    catch_up(reader, &history)?;
    let dead_letters =
        DeadLetterIndex { index: reader.index(), history: &history.until(position.seq), at: position };
    let Listed { dead_letters, counts, total } = page(&dead_letters, request, asked.skipped(), size)?;
    let next_page_token = asked.next(position, dead_letters.len(), total);
    let mut freshness = convert::freshness(view, reader.engine());
    freshness.position = Some(convert::position(position));
    Ok(v1::ListDeadLettersResponse { dead_letters, next_page_token, counts, freshness: Some(freshness) })
}

/// Some dead letters of a list, and figures of all of it.
struct Listed {
    /// The page, in the order asked for.
    dead_letters: Vec<v1::DeadLetter>,
    /// How many pass the filter, by reason; by falling count, then by reason.
    counts: Vec<v1::ReasonCount>,
    /// How many pass the filter.
    total: usize,
}

/// `size` dead letters after the first `skipped`.
///
/// # Errors
/// For a filter or an order that is not understood; whatever the index or the log say.
fn page(
    dead_letters: &DeadLetterIndex<'_>,
    request: &v1::ListDeadLettersRequest,
    skipped: usize,
    size: usize,
) -> Result<Listed, ApiError> {
    let filter = Filter::parse(&request.filter, &Column::resolve).map_err(ApiError::InvalidFilter)?;
    let order = Order::parse(&request.order_by, &Column::resolve).map_err(ApiError::InvalidOrder)?;
    let mut passed = notes(dead_letters.index, 0, dead_letters.at.seq, usize::MAX)?;
    passed.retain(|note| passes(&filter, note));
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    passed.iter().for_each(|note| *counts.entry(note.reason.name()).or_default() += 1);
    let mut counts: Vec<v1::ReasonCount> = counts
        .into_iter()
        .map(|(reason, count)| v1::ReasonCount { reason: reason.to_owned(), count })
        .collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    let total = passed.len();
    passed.sort_by(|left, right| {
        let key = |note| order.key(&mut |column: &Column| Some(column.operand(note)));
        order.compare(&key(left), &key(right)).then_with(|| right.seq.cmp(&left.seq))
    });
    let page = passed.into_iter().skip(skipped).take(size);
    let dead_letters: Vec<v1::DeadLetter> = page
        .map(|note| {
            let letter =
                request.include_original.then(|| letter(dead_letters.history, note.seq)).transpose()?;
            Ok(wire(note, letter))
        })
        .collect::<Result<_, ApiError>>()?;
    Ok(Listed { dead_letters, counts, total })
}

fn wire(note: DeadLetterNote, letter: Option<DeadLetter>) -> v1::DeadLetter {
    v1::DeadLetter {
        sequence: note.seq,
        recorded_at: Some(convert::timestamp(note.at)),
        reason: note.reason.name().to_owned(),
        detail: note.detail,
        source: note.source,
        origin: note.origin,
        resolved: note.is_resolved,
        whole_bytes: letter.as_ref().map(|letter| letter.whole_bytes),
        original: letter.map(|letter| letter.original.into()),
    }
}

fn letter(history: &History, seq: u64) -> Result<DeadLetter, ApiError> {
    match history.entry(seq)? {
        Some(Entry::DeadLetter(letter)) => Ok(letter),
        _ => Err(ApiError::DeadLetterUnknown { sequence: seq }),
    }
}

/// Decodes dead letters again, source by source.
///
/// # Errors
/// For a filter or a mapping that is not understood, and whatever the engine says; sources before that one are done.
fn replay(
    engine: &Engine,
    dead_letters: &DeadLetterIndex<'_>,
    formats: &Formats,
    asked: &v1::ReplayDeadLettersRequest,
    request: &request::Request,
) -> Result<v1::ReplayDeadLettersResponse, ApiError> {
    let filter = Filter::parse(&asked.filter, &Column::resolve).map_err(ApiError::InvalidFilter)?;
    let mapping = new_mapping(formats, asked)?;
    let mut by_source: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for note in notes(dead_letters.index, 0, dead_letters.at.seq, usize::MAX)? {
        let is_asked = asked.source.is_empty() || asked.source == note.source;
        if is_asked && !note.is_resolved && passes(&filter, &note) {
            by_source.entry(note.source).or_default().push(note.seq);
        }
    }
    let mut answer = v1::ReplayDeadLettersResponse::default();
    for (source, seqs) in by_source {
        answer.selected += seqs.len() as u64;
        let configured = || formats.configured(&source).cloned().unwrap_or_else(SourceFormat::native);
        let format = mapping.clone().unwrap_or_else(configured);
        let decoder = formats.decoder(&source, &format);
        let mapping = ReplayMapping { digest: format.mapping_digest, accept_new: mapping.is_some() };
        let letters =
            seqs.into_iter().map(|seq| Ok::<_, ApiError>((seq, letter(dead_letters.history, seq)?)));
        let Replayed { resolved, refused, accepted, cut } =
            engine.replay(&source, letters, &decoder, mapping, Some(request))?;
        answer.resolved += resolved;
        answer.refused += refused;
        answer.accepted += accepted;
        answer.cut += cut;
    }
    answer.position = Some(convert::position(engine.position(*engine.durable().borrow())));
    Ok(answer)
}

/// The mapping that came with the request; `None` where none did.
fn new_mapping(
    formats: &Formats,
    asked: &v1::ReplayDeadLettersRequest,
) -> Result<Option<SourceFormat>, ApiError> {
    if asked.mapping.is_empty() {
        return Ok(None);
    }
    formats::check_source(&asked.source)?;
    let format = formats::asked(&asked.mapping)?;
    match formats.configured(&asked.source) {
        // Its records are being decoded by the configured one all the while.
        Some(configured) if configured.mapping_digest != format.mapping_digest => {
            let problem = format!(
                "source {:?} is configured with another mapping; configure it with this one, restart, and replay without \
                 a mapping",
                asked.source
            );
            Err(ApiError::ReplayFailed { problem })
        }
        _ => Ok(Some(format)),
    }
}
