//! The index of accounts: which sub-blocks of the log hold the events of an account, so that the past of one is read
//! without a scan.
//!
//! ```text
//! accounts/00000000000000000001-00000000000000742113.acc     a part: the frames with these sequences, of one segment
//! key of an account ─▶ offsets of frames, each with the places of its sub-blocks
//! ```
//!
//! A part covers about 32 MB of a segment, the last one of a segment what is left of it. Frames after the last part are
//! indexed in memory, so that its size is bounded by a part. [`AccountIndex::catch_up`] adds what the log has beyond, a slice
//! at a time; a thread of the engine calls it as the log grows, and every read does for what is left.
//!
//! Everything here is derived from the log and can be deleted. A part says which frames of which lineage it covers and the CRC
//! of the last of them, which depends on all before; its header, its directory and each of its blocks have checksums of their own.
//! What does not fit the log or fails a checksum is deleted, counted and made anew. The index says where to look and nothing
//! else: every frame is checked as in a scan, and what no part covers is scanned.
//!
//! It holds no control entries: what they add up to at the position of a read is known before the read
//! ([`ControlState`](crate::control::state::ControlState)), and under it none of them changes an account.

mod place;
mod part;
mod filling;

use std::io;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tidewatch_projections::names::{Names, Symbol};

use crate::cancellation::Cancellation;
use crate::clock::monotonic;
use crate::meters::{ACCOUNT_INDEX, ACCOUNT_INDEX_BYTES, ACCOUNT_INDEX_DISCARDED, Meters};
use crate::storage::disk::{Disk, DiskFile};
use crate::storage::log::{Excerpt, LogError, LogReader, SoughtAccounts, frame_at};
use filling::{Filled, Filling};
use part::{Part, PartName, Span};
use place::{FramePlaces, Place};

/// How much of a segment a part covers, in bytes as stored.
pub const PART_BYTES: u64 = 32 << 20;
/// How long the index waits after its disk refused a part.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// Frames that one thread reads before what it found is handed on; a cancelled read goes on so long.
const FRAMES_A_READER: usize = 32;
/// Ends the name of a file that is being written.
const TEMPORARY: &str = ".tmp";

/// Where the index and its log lie.
#[derive(Clone)]
pub struct AccountIndexOptions {
    /// The directory of the index on the disk, as `accounts`. Nothing else lies in it.
    pub dir: String,
    /// The directory of the log, as `log`.
    pub log_dir: String,
    /// How much of a segment a part covers, in bytes as stored.
    pub part_bytes: u64,
    /// Nothing is written: what no part covers is scanned.
    pub is_read_only: bool,
    /// How many threads read the frames of one question, at least one.
    pub readers: usize,
}

/// The index of one log.
pub struct AccountIndex {
    disk: Arc<dyn Disk>,
    options: AccountIndexOptions,
    meters: Arc<Meters>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_open: bool,
    /// By sequence; none overlaps another.
    parts: Vec<Arc<Part>>,
    /// What comes after the parts that follow each other from the start.
    filling: Option<Filling>,
    /// The disk refused a part.
    paused_since: Option<Instant>,
    has_told_of_discarded: bool,
    has_told_of_pause: bool,
}

/// Frames that are indexed, and where in them to look.
struct Stretch {
    span: Span,
    places: Places,
}

enum Places {
    /// On disk.
    Part(Arc<Part>),
    /// In memory.
    Found(Vec<Place>),
}

impl AccountIndex {
    /// An index that is opened when it is first used.
    pub fn new(disk: Arc<dyn Disk>, options: AccountIndexOptions, meters: Arc<Meters>) -> Self {
        Self { disk, options, meters, state: Mutex::default() }
    }

    /// Indexes the log up to `until_seq`, which must be durable. What cannot be written is no error: it is scanned for until
    /// it can be.
    ///
    /// # Errors
    /// Whatever the log says; [`LogError::Cancelled`].
    pub fn catch_up(&self, until_seq: u64, cancellation: &Cancellation) -> Result<(), LogError> {
        let mut is_pending = !self.options.is_read_only;
        while is_pending {
            cancellation.check()?;
            // Others may read between two slices.
            is_pending = self.advance(&mut self.opened(), until_seq)?;
        }
        Ok(())
    }

    /// Indexes one slice; says whether there is more to do.
    fn advance(&self, state: &mut State, until_seq: u64) -> Result<bool, LogError> {
        if state.paused_since.is_some_and(|since| since.elapsed() < RETRY_AFTER) {
            return Ok(false);
        }
        let filling = state.filling.get_or_insert_with(|| {
            let (from_seq, end_seq) = first_gap(&state.parts);
            let log_dir = self.options.log_dir.clone();
            Filling::new(Arc::clone(&self.disk), log_dir, from_seq, end_seq, self.options.part_bytes)
        });
        match filling.fill(until_seq) {
            Ok(Filled::CaughtUp) => Ok(false),
            Ok(Filled::Slice) => Ok(true),
            Ok(Filled::Part) => {
                let is_last = filling.is_last_part();
                let (span, bytes) = filling.take_part();
                if is_last {
                    state.filling = None;
                }
                match self.write(span, &bytes) {
                    Ok(part) => {
                        let at = state.parts.partition_point(|other| other.span.first_seq < span.first_seq);
                        state.parts.insert(at, Arc::new(part));
                        state.paused_since = None;
                    }
                    Err(error) => {
                        state.filling = None;
                        state.paused_since = Some(monotonic());
                        if !std::mem::replace(&mut state.has_told_of_pause, true) {
                            tracing::warn!(%error, "the index of accounts cannot be written; the past of accounts is read by scans until it can be");
                        }
                    }
                }
                self.show(state);
                Ok(true)
            }
            Err(error) => {
                // What was read of an unfinished part may not be all.
                state.filling = None;
                Err(error)
            }
        }
    }

    /// Calls `each` with the events of these accounts up to `until_seq`, frame by frame in the order of their sequences.
    ///
    /// # Errors
    /// Whatever the log or `each` says; [`LogError::Cancelled`].
    pub fn read<E: From<LogError>>(
        &self,
        names: &Names,
        accounts: &[Symbol],
        until_seq: u64,
        cancellation: &Cancellation,
        mut each: impl FnMut(Excerpt) -> Result<(), E>,
    ) -> Result<(), E> {
        self.catch_up(until_seq, cancellation)?;
        let sought = SoughtAccounts::new(names, accounts);
        let keys = sought.keys();
        let reading = Reading { index: self, names, sought: &sought, until_seq, cancellation };
        let mut from_seq = 1;
        for Stretch { span, places } in self.stretches(&keys) {
            if span.first_seq > until_seq {
                break;
            }
            reading.scan(from_seq, span.first_seq, &mut each)?;
            from_seq = span.first_seq;
            let found = match &places {
                Places::Found(found) => Ok(found.clone()),
                Places::Part(part) => part.places(self.disk.as_ref(), &keys),
            };
            let read = match found {
                Ok(found) => reading.read(&span, found, &mut from_seq, &mut each)?,
                Err(why) => Err(why),
            };
            if let Err(why) = read {
                self.forget(&places, &why);
                reading.scan(from_seq, span.next_seq, &mut each)?;
            }
            from_seq = span.next_seq;
        }
        reading.scan(from_seq, u64::MAX, &mut each)
    }

    /// What is indexed now, by sequence.
    fn stretches(&self, keys: &[u32]) -> Vec<Stretch> {
        let state = self.opened();
        let part = |part: &Arc<Part>| Stretch { span: part.span, places: Places::Part(Arc::clone(part)) };
        let mut stretches: Vec<Stretch> = state.parts.iter().map(part).collect();
        if let Some((span, places)) = state.filling.as_ref().and_then(|filling| filling.places(keys)) {
            let at = stretches.partition_point(|stretch| stretch.span.first_seq < span.first_seq);
            stretches.insert(at, Stretch { span, places: Places::Found(places) });
        }
        stretches
    }

    /// Deletes what is not what was written.
    fn forget(&self, places: &Places, why: &str) {
        let mut state = self.opened();
        state.filling = None;
        if let Places::Part(part) = places {
            state.parts.retain(|other| !Arc::ptr_eq(other, part));
            self.discard(&mut state, &part.path, why);
            self.show(&state);
        }
    }

    fn opened(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves at worst an unfinished part, which its next use finds wanting.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.is_open {
            state.is_open = true;
            self.open(&mut state);
        }
        state
    }

    /// Takes the parts that fit the log and deletes the others.
    fn open(&self, state: &mut State) {
        let dir = &self.options.dir;
        let mut names = self.disk.list(dir).unwrap_or_default();
        names.sort_unstable();
        let mut next_seq = 1;
        for name in names {
            let path = format!("{dir}/{name}");
            let part = match PartName::parse(&name) {
                None => Err("an unfinished file, or none of the index".to_owned()),
                Some(named) if named.first_seq < next_seq => Err("another part covers its frames".to_owned()),
                Some(named) => Part::open(self.disk.as_ref(), &path, &named, &self.options.log_dir),
            };
            match part {
                Ok(part) => {
                    next_seq = part.span.next_seq;
                    state.parts.push(Arc::new(part));
                }
                Err(why) => self.discard(state, &path, &why),
            }
        }
        self.show(state);
    }

    fn discard(&self, state: &mut State, path: &str, why: &str) {
        self.meters.counter(&ACCOUNT_INDEX_DISCARDED, &[]).increment(1);
        if !std::mem::replace(&mut state.has_told_of_discarded, true) {
            tracing::warn!(
                file = path,
                why,
                "a part of the index of accounts does not fit and is made anew; others are only counted"
            );
        }
        if !self.options.is_read_only {
            // One that stays is found again at the next opening.
            let _removed = self.disk.remove(path);
        }
    }

    fn show(&self, state: &State) {
        let bytes: u64 = state.parts.iter().map(|part| part.bytes).sum();
        self.meters.gauge(&ACCOUNT_INDEX_BYTES, &[]).set(bytes as f64);
        self.meters.gauge(&ACCOUNT_INDEX, &[]).set(state.parts.len() as f64);
    }

    fn write(&self, span: Span, bytes: &[u8]) -> io::Result<Part> {
        let dir = &self.options.dir;
        self.disk.create_dir(dir)?;
        let path = format!("{dir}/{}", PartName::of(&span).file_name());
        let temporary = format!("{path}{TEMPORARY}");
        if self.disk.file_len(&temporary)?.is_some() {
            self.disk.remove(&temporary)?;
        }
        let file = self.disk.create(&temporary, bytes.len() as u64)?;
        let written = file.write_all_at(bytes, 0).and_then(|()| file.sync());
        let named = written.and_then(|()| self.disk.rename(&temporary, &path));
        if let Err(error) = named {
            let _removed = self.disk.remove(&temporary);
            return Err(error);
        }
        self.disk.sync_dir(dir)?;
        Part::of_bytes(&path, bytes).map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))
    }
}

/// The sequences that no part covers, from the first on: where they start, and where the part after them does.
fn first_gap(parts: &[Arc<Part>]) -> (u64, u64) {
    let mut from_seq = 1;
    for part in parts {
        if part.span.first_seq > from_seq {
            return (from_seq, part.span.first_seq);
        }
        from_seq = part.span.next_seq;
    }
    (from_seq, u64::MAX)
}

/// One read of some accounts.
struct Reading<'a> {
    index: &'a AccountIndex,
    names: &'a Names,
    sought: &'a SoughtAccounts<'a>,
    until_seq: u64,
    cancellation: &'a Cancellation,
}

impl Reading<'_> {
    /// Reads frames at places that the index found; moves `from_seq` past each. The inner error says why the index is wrong.
    fn read<E: From<LogError>>(
        &self,
        span: &Span,
        mut places: Vec<Place>,
        from_seq: &mut u64,
        each: &mut impl FnMut(Excerpt) -> Result<(), E>,
    ) -> Result<Result<(), String>, E> {
        if places.is_empty() {
            return Ok(Ok(()));
        }
        places.sort_unstable();
        places.dedup();
        let path = span.segment.path(&self.index.options.log_dir);
        let file = match self.index.disk.open_read(&path) {
            Ok(file) => file,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let frames: Vec<FramePlaces> = FramePlaces::of(&places).collect();
        for frames in frames.chunks(FRAMES_A_READER * self.index.options.readers.max(1)) {
            self.cancellation.check().map_err(LogError::from)?;
            for found in self.excerpts(span, file.as_ref(), &path, frames) {
                // A scan of the rest says what is wrong with the log, if it is the log.
                let excerpt = match found {
                    Ok(excerpt) => excerpt,
                    Err(why) => return Ok(Err(why)),
                };
                let next_seq = excerpt.header.next_seq();
                if next_seq - 1 > self.until_seq {
                    return Ok(Ok(()));
                }
                if !excerpt.events.is_empty() {
                    each(excerpt)?;
                }
                *from_seq = next_seq;
            }
        }
        Ok(Ok(()))
    }

    /// What some frames hold, in their order, or why the index is wrong; read by several threads where there are enough.
    fn excerpts(
        &self,
        span: &Span,
        file: &dyn DiskFile,
        path: &str,
        frames: &[FramePlaces],
    ) -> Vec<Result<Excerpt, String>> {
        let read = |frames: &[FramePlaces]| -> Vec<_> {
            frames.iter().map(|frame| self.excerpt(span, file, path, frame)).collect()
        };
        let mut shares = frames.chunks(FRAMES_A_READER);
        let own = shares.next().unwrap_or_default();
        thread::scope(|scope| {
            let others: Vec<_> = shares.map(|share| scope.spawn(move || read(share))).collect();
            let mut found = read(own);
            for other in others {
                found.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            found
        })
    }

    fn excerpt(
        &self,
        span: &Span,
        file: &dyn DiskFile,
        path: &str,
        FramePlaces { offset, places }: &FramePlaces,
    ) -> Result<Excerpt, String> {
        let frame = frame_at(file, path, u64::from(*offset)).map_err(|error| error.to_string())??;
        if !span.holds(&frame.header) {
            return Err("it names a frame that it does not cover".into());
        }
        let events =
            frame.events_of(self.names, self.sought, Some(places)).map_err(|error| error.to_string())?;
        Ok(Excerpt { header: frame.header.clone(), events })
    }

    /// Looks through every frame with sequences from `from_seq` up to `end_seq`, exclusive.
    fn scan<E: From<LogError>>(
        &self,
        from_seq: u64,
        end_seq: u64,
        each: &mut impl FnMut(Excerpt) -> Result<(), E>,
    ) -> Result<(), E> {
        let until_seq = self.until_seq.min(end_seq - 1);
        if from_seq > until_seq {
            return Ok(());
        }
        let AccountIndex { disk, options, .. } = self.index;
        let range = (from_seq, until_seq);
        scan_range(disk, &options.log_dir, self.names, self.sought, range, self.cancellation, each)
    }
}

/// Calls `each` with the events of these accounts up to `until_seq`, without an index: by a search of every frame.
///
/// # Errors
/// Whatever the log or `each` says; [`LogError::Cancelled`].
pub fn scan<E: From<LogError>>(
    disk: &Arc<dyn Disk>,
    log_dir: &str,
    names: &Names,
    accounts: &[Symbol],
    until_seq: u64,
    cancellation: &Cancellation,
    mut each: impl FnMut(Excerpt) -> Result<(), E>,
) -> Result<(), E> {
    let sought = SoughtAccounts::new(names, accounts);
    scan_range(disk, log_dir, names, &sought, (1, until_seq), cancellation, &mut each)
}

/// Looks for the events of some accounts in every frame with these sequences, both ends included.
fn scan_range<E: From<LogError>>(
    disk: &Arc<dyn Disk>,
    log_dir: &str,
    names: &Names,
    sought: &SoughtAccounts<'_>,
    (from_seq, until_seq): (u64, u64),
    cancellation: &Cancellation,
    each: &mut impl FnMut(Excerpt) -> Result<(), E>,
) -> Result<(), E> {
    // Names are interned by what is sought alone.
    let reader = LogReader::new(Arc::clone(disk), log_dir, Arc::default(), from_seq);
    let mut reader = reader.until(until_seq).cancelled_by(cancellation);
    while let Some(frame) = reader.next_raw()? {
        let mut events = frame.events_of(names, sought, None).map_err(|source| LogError::Malformed {
            file: log_dir.into(),
            offset: u64::from(frame.header.offset),
            source,
        })?;
        events.retain(|(seq, _)| *seq >= from_seq);
        if !events.is_empty() {
            each(Excerpt { header: frame.header.clone(), events })?;
        }
    }
    Ok(())
}
