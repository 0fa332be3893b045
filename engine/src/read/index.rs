//! The index of dead letters, kept in sled and derived from the log.
//!
//! Everything here is derived. The index says up to which sequence of which lineage it was written, in the same batch as
//! what it says; one that does not fit the log is emptied and written anew. Nothing else of the program names sled.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use sled::Batch;
use tidewatch_ingest::batch::Origin;
use tidewatch_ingest::reject::Reason;
use tidewatch_projections::event::Micros;
use tidewatch_projections::names::Names;

use crate::control::entry::Control;
use crate::fold::history::{History, HistoryError};
use crate::fold::step::StepError;
use crate::storage::directory::{INDEX_DIR, random};
use crate::storage::log::{DeadLetter, Entry, LogError};

/// Entries of the log that are written in one batch; sled is quick with small ones.
const BATCH_ENTRIES: usize = 4096;
/// Memory for sled's cache, in bytes.
const CACHE_BYTES: u64 = 16 << 20;
/// Changes whenever the form of the values does: an index of another form is written anew.
const FORM: u8 = 2;

const APPLIED: &[u8] = b"applied";
const DEAD_LETTER: u8 = b'd';

/// Why the index cannot be used. Deleting it loses nothing.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("the index in {} cannot be used: {source}; delete that folder, it is made anew from the log", path.display())]
    Store {
        path: PathBuf,
        /// What the store said.
        source: sled::Error,
    },
    /// The log they are written from.
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl From<LogError> for IndexError {
    fn from(error: LogError) -> Self {
        Self::History(error.into())
    }
}

/// What the index says of a dead letter; the record itself is in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadLetterNote {
    pub seq: u64,
    /// The source it came from.
    pub source: String,
    pub reason: Reason,
    /// What exactly was wrong.
    pub detail: String,
    /// Where the record stood, for people.
    pub origin: String,
    /// When it was refused.
    pub at: Micros,
    /// Whether it was replayed without being refused again.
    pub is_resolved: bool,
}

/// Which dead letters are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeadLetterFilter {
    /// Of this source only.
    pub source: Option<String>,
    /// Of this reason only.
    pub reason: Option<Reason>,
    /// Those that were replayed too.
    pub with_resolved: bool,
}

/// The index of one data directory.
pub struct Index {
    path: PathBuf,
    is_temporary: bool,
    /// Opened when it is first asked for.
    tree: OnceLock<sled::Db>,
    opening: Mutex<()>,
    /// Writers take turns: a batch says up to where it goes.
    writing: Mutex<()>,
}

impl Index {
    /// Opens the index below a data directory, which this process holds.
    ///
    /// # Errors
    /// Whatever the store says.
    pub fn open(root: &Path) -> Result<Self, IndexError> {
        let index = Self::on_demand(root);
        index.tree()?;
        Ok(index)
    }

    /// The index below a data directory, which this process holds; opened when it is first asked for.
    pub fn on_demand(root: &Path) -> Self {
        Self::at(root.join(INDEX_DIR), false)
    }

    /// An index of a directory that is only read: opened beside the temporary files of the system when it is first asked
    /// for, and removed with this value.
    ///
    /// # Errors
    /// When the system gives no random bytes for its name.
    pub fn temporary() -> io::Result<Self> {
        let name: String = random()?.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self::at(std::env::temp_dir().join(format!("tidewatch-index-{name}")), true))
    }

    fn at(path: PathBuf, is_temporary: bool) -> Self {
        Self { path, is_temporary, tree: OnceLock::new(), opening: Mutex::new(()), writing: Mutex::new(()) }
    }

    fn tree(&self) -> Result<&sled::Db, IndexError> {
        let _turn = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = self.tree.get() {
            return Ok(tree);
        }
        let config = sled::Config::new().path(&self.path).cache_capacity(CACHE_BYTES);
        let config = config.mode(sled::Mode::LowSpace).temporary(self.is_temporary);
        let tree = config.open().map_err(self.store())?;
        Ok(self.tree.get_or_init(|| tree))
    }

    fn store(&self) -> impl Fn(sled::Error) -> IndexError {
        |source| IndexError::Store { path: self.path.clone(), source }
    }

    /// The last sequence written, 0 for none of this lineage.
    ///
    /// # Errors
    /// Whatever the store says.
    pub fn applied(&self, lineage: u128) -> Result<u64, IndexError> {
        let value = self.tree()?.get(APPLIED).map_err(self.store())?;
        Ok(value.and_then(|value| applied_of(&value, lineage)).unwrap_or(0))
    }

    /// Writes what the log has beyond the index; an index of another lineage, or one that is ahead of the log, is emptied
    /// first.
    ///
    /// # Errors
    /// Whatever the store or the log says.
    pub fn catch_up(&self, history: &History, lineage: u128, last_seq: u64) -> Result<(), IndexError> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut applied = self.applied(lineage)?;
        if applied > last_seq || applied == 0 {
            self.tree()?.clear().map_err(self.store())?;
            applied = 0;
        }
        if applied == last_seq {
            return Ok(());
        }
        let mut page = Page::default();
        history.entries_from(applied + 1, |seq, entry| {
            if seq > last_seq {
                return Ok(false);
            }
            page.take(self, history.names(), seq, &entry)?;
            if page.entries >= BATCH_ENTRIES {
                self.write(std::mem::take(&mut page), lineage, seq)?;
            }
            Ok::<bool, IndexError>(true)
        })?;
        self.write(page, lineage, last_seq)?;
        self.tree()?.flush().map_err(self.store())?;
        Ok(())
    }

    fn write(&self, page: Page, lineage: u128, seq: u64) -> Result<(), IndexError> {
        let mut batch = page.batch;
        for (key, note) in &page.notes {
            batch.insert(key.as_slice(), encode_note(note));
        }
        let mut applied = vec![FORM];
        applied.extend_from_slice(&lineage.to_be_bytes());
        applied.extend_from_slice(&seq.to_be_bytes());
        batch.insert(APPLIED, applied);
        self.tree()?.apply_batch(batch).map_err(self.store())
    }

    /// Dead letters after a sequence, oldest first, at most `limit`.
    ///
    /// # Errors
    /// Whatever the store says.
    pub fn dead_letters(
        &self,
        filter: &DeadLetterFilter,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<DeadLetterNote>, IndexError> {
        let mut notes = Vec::new();
        for found in
            self.tree()?.range(dead_letter_key(after_seq.saturating_add(1))..=dead_letter_key(u64::MAX))
        {
            if notes.len() >= limit {
                break;
            }
            let (key, value) = found.map_err(self.store())?;
            notes.extend(decode_note(&key, &value).filter(|note| filter.passes(note)));
        }
        Ok(notes)
    }

    /// Counts dead letters by reason.
    ///
    /// # Errors
    /// Whatever the store says.
    pub fn count(&self, filter: &DeadLetterFilter) -> Result<BTreeMap<Reason, u64>, IndexError> {
        let mut counts = BTreeMap::new();
        for note in self.dead_letters(filter, 0, usize::MAX)? {
            *counts.entry(note.reason).or_default() += 1;
        }
        Ok(counts)
    }
}

/// What one batch will write.
#[derive(Default)]
struct Page {
    batch: Batch,
    /// Notes of this page, which may be resolved within it.
    notes: BTreeMap<Vec<u8>, DeadLetterNote>,
    entries: usize,
}

impl Page {
    fn take(&mut self, index: &Index, names: &Names, seq: u64, entry: &Entry) -> Result<(), IndexError> {
        self.entries += 1;
        match entry {
            Entry::Event(_) => {}
            Entry::DeadLetter(letter) => {
                self.notes.insert(dead_letter_key(seq), note_of(names, seq, letter));
            }
            Entry::Control(record) => {
                let control = Control::of_record(record)
                    .map_err(|source| IndexError::History(StepError { seq, source }.into()))?;
                if let Control::DeadLettersResolved { seqs } = control {
                    for seq in seqs {
                        self.resolve(index, seq)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn resolve(&mut self, index: &Index, seq: u64) -> Result<(), IndexError> {
        let key = dead_letter_key(seq);
        if !self.notes.contains_key(&key) {
            let stored = index.tree()?.get(&key).map_err(index.store())?;
            if let Some(note) = stored.and_then(|value| decode_note(&key, &value)) {
                self.notes.insert(key.clone(), note);
            }
        }
        if let Some(note) = self.notes.get_mut(&key) {
            note.is_resolved = true;
        }
        Ok(())
    }
}

impl DeadLetterFilter {
    fn passes(&self, note: &DeadLetterNote) -> bool {
        (self.with_resolved || !note.is_resolved)
            && self.source.as_ref().is_none_or(|source| *source == note.source)
            && self.reason.is_none_or(|reason| reason == note.reason)
    }
}

/// Where a record stood, for people.
pub fn origin_text(names: &Names, origin: &Origin) -> String {
    match origin {
        Origin::Kafka { topic, partition, offset, .. } => {
            format!("{} partition {partition} offset {offset}", names.text(*topic))
        }
        Origin::Line { digest, line } => format!("file {} line {line}", names.text(*digest)),
    }
}

fn note_of(names: &Names, seq: u64, letter: &DeadLetter) -> DeadLetterNote {
    DeadLetterNote {
        seq,
        source: names.text(letter.source).to_owned(),
        reason: letter.reason,
        detail: letter.detail.to_string(),
        origin: origin_text(names, &letter.origin),
        at: letter.at,
        is_resolved: false,
    }
}

fn dead_letter_key(seq: u64) -> Vec<u8> {
    [&[DEAD_LETTER], seq.to_be_bytes().as_slice()].concat()
}

fn applied_of(value: &[u8], lineage: u128) -> Option<u64> {
    let (form, rest) = value.split_first()?;
    let (of, seq) = rest.split_at_checked(16)?;
    let fits = *form == FORM && of == lineage.to_be_bytes();
    fits.then(|| seq.try_into().ok().map(u64::from_be_bytes)).flatten()
}

/// resolved · time · lengths and texts.
fn encode_note(note: &DeadLetterNote) -> Vec<u8> {
    let mut value = vec![u8::from(note.is_resolved)];
    value.extend_from_slice(&note.at.to_be_bytes());
    for text in [&note.source, note.reason.name(), &note.detail, &note.origin] {
        value.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        value.extend_from_slice(text.as_bytes());
    }
    value
}

fn decode_note(key: &[u8], value: &[u8]) -> Option<DeadLetterNote> {
    let seq = u64::from_be_bytes(key.get(1..)?.try_into().ok()?);
    let (resolved, rest) = value.split_first()?;
    let (at, mut rest) = rest.split_at_checked(8)?;
    let mut text = || {
        let (length, after) = rest.split_at_checked(4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        let (text, after) = after.split_at_checked(length)?;
        rest = after;
        std::str::from_utf8(text).ok().map(str::to_owned)
    };
    let (source, reason, detail, origin) = (text()?, text()?, text()?, text()?);
    Some(DeadLetterNote {
        seq,
        source,
        reason: Reason::from_name(&reason)?,
        detail,
        origin,
        at: Micros::from_be_bytes(at.try_into().ok()?),
        is_resolved: *resolved != 0,
    })
}
