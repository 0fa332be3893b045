//! `DeadLetterService`: what was refused, and trying it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidewatch_ingest::decode::Decoder;
use tidewatch_projections::decimal::Decimal;
use tidewatch_proto::v1;
use tidewatch_proto::v1::dead_letter_service_server::DeadLetterService;
use tonic::{Request, Response, Status};

use super::asking::{Asked, at_length, deadline, page_size};
use super::convert;
use super::filter::{Filter, Kind, Operand};
use super::order::Order;
use super::past::internal;
use super::reader::Reader;
use super::refusal::Refusal;
use super::repeats::Repeats;
use crate::app::{ReplayMapping, Replayed};
use crate::books::{Books, DeadLetterFilter, DeadLetterNote};
use crate::history::History;
use crate::log::{DeadLetter, Entry};
use crate::view::View;

/// Gives the decoder of a source and the mapping it reads by; `None` for a source that is not configured, whose records
/// are then taken for native JSON.
pub type Decoders = dyn Fn(&str) -> (Decoder, ReplayMapping) + Send + Sync;

/// Answers about dead letters.
pub struct DeadLetters {
    reader: Reader,
    decoders: Arc<Decoders>,
    repeats: Arc<Repeats<v1::ReplayDeadLettersResponse>>,
}

impl DeadLetters {
    /// Answers from this reader; replays decode by `decoders`.
    pub fn new(reader: Reader, decoders: Arc<Decoders>) -> Self {
        Self { reader, decoders, repeats: Arc::default() }
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
        let view = self.reader.view(&request.min_position, deadline).await?;
        let reader = self.reader.clone();
        Ok(Response::new(at_length(move || list(&reader, &view, &request)).await?))
    }

    async fn get_dead_letter(
        &self,
        request: Request<v1::GetDeadLetterRequest>,
    ) -> Result<Response<v1::GetDeadLetterResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let view = self.reader.view(&request.min_position, deadline).await?;
        let reader = self.reader.clone();
        let answer = at_length(move || {
            let history = reader.history(&view);
            catch_up(&reader, &history)?;
            let dead_letter = Some(one(reader.books(), &history, request.sequence)?);
            let freshness = Some(convert::freshness(&view, reader.engine()));
            Ok(v1::GetDeadLetterResponse { dead_letter, freshness })
        });
        Ok(Response::new(answer.await?))
    }

    async fn replay_dead_letters(
        &self,
        request: Request<v1::ReplayDeadLettersRequest>,
    ) -> Result<Response<v1::ReplayDeadLettersResponse>, Status> {
        let request = request.into_inner();
        let repeats = Arc::clone(&self.repeats);
        let (reader, decoders) = (self.reader.clone(), Arc::clone(&self.decoders));
        let answer = at_length(move || {
            repeats.once(&request.request_id, &request, || replay(&reader, &*decoders, &request.filter))
        });
        Ok(Response::new(answer.await?))
    }
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

/// Brings the books up to the newest view. They may be ahead of an older one by another call, and are only ever brought
/// forward.
fn catch_up(reader: &Reader, history: &History) -> Result<(), Refusal> {
    let newest = reader.newest().position;
    let caught_up = reader.books().catch_up(&history.until(newest.seq), newest.lineage, newest.seq);
    caught_up.map_err(|error| internal(&error))
}

/// Dead letters after a sequence and up to another, oldest first.
fn notes(
    books: &Books,
    after_seq: u64,
    until_seq: u64,
    limit: usize,
) -> Result<Vec<DeadLetterNote>, Refusal> {
    let every = DeadLetterFilter { with_resolved: true, ..DeadLetterFilter::default() };
    let mut notes = books.dead_letters(&every, after_seq, limit).map_err(|error| internal(&error))?;
    notes.retain(|note| note.seq <= until_seq);
    Ok(notes)
}

/// The dead letter of this sequence, with its bytes; the books were brought up to the end of the history.
///
/// # Errors
/// When there is none; whatever the books or the log say.
pub fn one(books: &Books, history: &History, sequence: u64) -> Result<v1::DeadLetter, Refusal> {
    let note = notes(books, sequence.saturating_sub(1), sequence, 1)?.pop();
    let note = note.filter(|note| note.seq == sequence).ok_or(Refusal::DeadLetterUnknown { sequence })?;
    let original = original(history, sequence)?;
    Ok(wire(note, Some(original)))
}

fn list(
    reader: &Reader,
    view: &View,
    request: &v1::ListDeadLettersRequest,
) -> Result<v1::ListDeadLettersResponse, Refusal> {
    let size = page_size(request.page_size)?;
    let bare = v1::ListDeadLettersRequest {
        page_size: 0,
        page_token: String::new(),
        min_position: String::new(),
        ..request.clone()
    };
    let asked = Asked::new("ListDeadLetters", &bare, &request.page_token, view.position)?;
    let position = asked.resumed.map_or(view.position, |(position, _)| position);
    let history = reader.history(view);
    catch_up(reader, &history)?;
    let Listed { dead_letters, counts, total } =
        page(reader.books(), &history.until(position.seq), request, position.seq, asked.skipped(), size)?;
    let next_page_token = asked.next(position, dead_letters.len(), total);
    let mut freshness = convert::freshness(view, reader.engine());
    freshness.position = Some(convert::position(position));
    Ok(v1::ListDeadLettersResponse { dead_letters, next_page_token, counts, freshness: Some(freshness) })
}

/// Some dead letters of a list, and figures of all of it.
pub struct Listed {
    /// The page, in the order asked for.
    pub dead_letters: Vec<v1::DeadLetter>,
    /// How many pass the filter, by reason; by falling count, then by reason.
    pub counts: Vec<v1::ReasonCount>,
    /// How many pass the filter.
    pub total: usize,
}

/// `size` dead letters up to a sequence, after the first `skipped`, from books that were brought up to it.
///
/// # Errors
/// For a filter or an order that is not understood; whatever the books or the log say.
pub fn page(
    books: &Books,
    history: &History,
    request: &v1::ListDeadLettersRequest,
    until_seq: u64,
    skipped: usize,
    size: usize,
) -> Result<Listed, Refusal> {
    let filter = Filter::parse(&request.filter, &Column::resolve).map_err(Refusal::InvalidFilter)?;
    let order = Order::parse(&request.order_by, &Column::resolve).map_err(Refusal::InvalidOrder)?;
    let mut passed = notes(books, 0, until_seq, usize::MAX)?;
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
            let original = request.include_original.then(|| original(history, note.seq)).transpose()?;
            Ok(wire(note, original))
        })
        .collect::<Result<_, Refusal>>()?;
    Ok(Listed { dead_letters, counts, total })
}

fn wire(note: DeadLetterNote, original: Option<Box<[u8]>>) -> v1::DeadLetter {
    v1::DeadLetter {
        sequence: note.seq,
        recorded_at: Some(convert::timestamp(note.at)),
        reason: note.reason.name().to_owned(),
        detail: note.detail,
        source: note.source,
        origin: note.origin,
        original: original.map(Vec::from),
        resolved: note.is_resolved,
    }
}

fn letter(history: &History, seq: u64) -> Result<DeadLetter, Refusal> {
    match history.entry(seq).map_err(|error| internal(&error))? {
        Some(Entry::DeadLetter(letter)) => Ok(letter),
        _ => Err(Refusal::DeadLetterUnknown { sequence: seq }),
    }
}

fn original(history: &History, seq: u64) -> Result<Box<[u8]>, Refusal> {
    letter(history, seq).map(|letter| letter.original)
}

fn replay(
    reader: &Reader,
    decoders: &Decoders,
    filter: &str,
) -> Result<v1::ReplayDeadLettersResponse, Refusal> {
    let filter = Filter::parse(filter, &Column::resolve).map_err(Refusal::InvalidFilter)?;
    let view = reader.newest();
    let history = reader.history(&view);
    let mut by_source: BTreeMap<String, Vec<(u64, DeadLetter)>> = BTreeMap::new();
    catch_up(reader, &history)?;
    for note in notes(reader.books(), 0, view.position.seq, usize::MAX)? {
        if !note.is_resolved && passes(&filter, &note) {
            by_source.entry(note.source).or_default().push((note.seq, letter(&history, note.seq)?));
        }
    }
    let mut answer = v1::ReplayDeadLettersResponse::default();
    for (source, letters) in by_source {
        answer.selected += letters.len() as u64;
        let (decoder, mapping) = decoders(&source);
        let replayed = reader.engine().replay(&source, letters, &decoder, mapping);
        let Replayed { resolved, refused, accepted, cut } =
            replayed.map_err(|error| Refusal::ReplayFailed { problem: error.to_string() })?;
        answer.resolved += resolved;
        answer.refused += refused;
        answer.accepted += accepted;
        answer.cut += cut;
    }
    let engine = reader.engine();
    answer.position = Some(convert::position(engine.position(*engine.durable().borrow())));
    Ok(answer)
}
