//! Deduplication without a time window: knows every accepted id exactly.
//!
//! ```text
//! check(key) ─▶ filter ── miss: new ──▶ done
//!                 └ hit ─▶ table of recent ids in memory ─▶ at most three sorted runs on disk (one 4 KB read each)
//! ```
//!
//! A key is a 128-bit keyed hash of (tenant, source, generation, id); with it lie the sequence of the entry and the 64-bit fingerprint of
//! its content. A filter miss is truth because the filter holds every key of the table and of all runs.
//!
//! Everything here is derived from the log: a run says which sequences it covers and of which lineage, every page has its checksum,
//! and a run that does not fit the log is thrown away. [`Dedup::open`] says up to where the runs reach; the caller fills in the rest from
//! the log, which is all of it when there are no runs.
//!
//! **Cost**: 2 B of memory (the filter, 16 bits a key, false hits about 1 in 1,000) and 32 B of disk per id kept, 1/16 B of memory for the
//! pages' first keys, and up to [`DedupOptions::memory_bytes_max`] for the table, twice while it is written out. Opening reads the runs
//! once, 32 B an id.

mod filter;
mod run;
mod spill;
mod table;

use std::io;
use std::sync::Arc;

use crate::planted::{self, Bug};
use crate::storage::disk::{Disk, is_full};
use filter::Filter;
use run::{Run, RunSpan};
use spill::{Regrowth, Spill};
use table::Table;

/// Sorted runs on disk between two spills.
pub const RUNS_MAX: usize = 3;
/// A spill takes in the run before it unless that is so many times larger. With three runs and a million ids in the table, an id
/// is written 6 times by the time there are 100 million, and 15 times at a thousand million; with 8, 10 and 15 times.
const MERGE_RATIO: u64 = 3;
/// What an id takes in the table, with the table's own growth.
const TABLE_BYTES_A_KEY: u64 = 64;
/// Fewest ids the table may hold, however small the memory.
const TABLE_KEYS_MIN: u64 = 64;

/// Where the runs lie and how much memory the table may take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DedupOptions {
    /// The directory on the disk, as `dedup`. Nothing else lies in it; deleting it changes no answer.
    pub dir: String,
    /// The lineage of the log.
    pub lineage: u128,
    /// Past so many bytes the table of recent ids is written out as a run.
    pub memory_bytes_max: u64,
}

/// What is known of an id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    New,
    /// Accepted with the same content.
    Duplicate {
        /// The entry's sequence; it may not be durable yet.
        seq: u64,
    },
    /// Accepted with other content.
    Conflict {
        /// The entry's sequence; it may not be durable yet.
        seq: u64,
    },
}

/// Why an answer cannot be given. After it, [`Dedup::reset`] and a fill from sequence 1 restore everything.
#[derive(Debug, thiserror::Error)]
pub enum DedupError {
    #[error("cannot {action} {file}: {source}")]
    Io {
        action: &'static str,
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A run is not what was written. It is derived: nothing is lost.
    #[error("{file}, page {page}: {what}; the ids are rebuilt from the log")]
    Corrupt {
        file: String,
        /// The page of 4 KB, counted from 0.
        page: u64,
        what: &'static str,
    },
}

impl DedupError {
    fn io(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, file: file.into(), source }
    }
}

/// A run that was found and is not used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Discarded {
    pub file: String,
    pub why: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DedupOpened {
    /// Ids of entries up to this sequence are known from runs, 0 for none; the caller inserts those after it from the log.
    pub covered_seq: u64,
    pub keys: u64,
    pub runs: usize,
    pub discarded: Vec<Discarded>,
}

/// What a call of [`Dedup::tend`] did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tended {
    /// Bytes written, or read for a larger filter.
    pub bytes: u64,
    /// Whether work is left that could be done now.
    pub is_pending: bool,
    /// Whether the disk is full: the table stays in memory and grows.
    pub is_disk_full: bool,
}

/// Every id accepted so far. Belongs to the sequencer's thread.
pub struct Dedup {
    disk: Arc<dyn Disk>,
    options: DedupOptions,
    filter: Filter,
    table: Table,
    /// The greatest sequence in the table.
    table_through: u64,
    frozen: Option<Frozen>,
    /// Oldest first; each starts after the one before.
    runs: Vec<Run>,
    spill: Option<Spill>,
    regrowth: Option<Regrowth>,
}

/// A table that takes nothing more and waits to be written, and the last sequence in it.
struct Frozen {
    table: Table,
    through: u64,
}

impl Dedup {
    /// Opens the runs that fit a log whose last durable sequence is `log_seq`.
    ///
    /// # Errors
    /// Whatever the disk says; runs that are stale or corrupt are no error but discarded.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: DedupOptions,
        log_seq: u64,
    ) -> Result<(Self, DedupOpened), DedupError> {
        let dir = options.dir.clone();
        disk.create_dir(&dir).map_err(DedupError::io("make", &dir))?;
        let mut opened = DedupOpened { covered_seq: 0, keys: 0, runs: 0, discarded: Vec::new() };
        let mut names = disk.list(&dir).map_err(DedupError::io("list", &dir))?;
        // By first sequence, the widest first: a merged run stands before those it replaced.
        names.sort_by_key(|name| RunSpan::parse(name).map(|span| (span.from_seq, u64::MAX - span.to_seq)));
        let mut runs: Vec<Run> = Vec::new();
        let mut filter = Filter::with_capacity(filter_capacity(&options, 0));
        for name in names {
            let path = format!("{dir}/{name}");
            let found = match RunSpan::parse(&name) {
                None => Err("an unfinished file".into()),
                Some(span) => {
                    span.fits(opened.covered_seq, log_seq, planted::active(Bug::RunWithoutSequence))
                }
            };
            let found = match found {
                Ok(span) => Run::open(disk.as_ref(), &path, span, options.lineage)?,
                Err(why) => Err(why),
            };
            match found {
                Ok(run) => {
                    opened.covered_seq = run.span.to_seq;
                    opened.keys += run.count;
                    runs.push(run);
                }
                Err(why) => {
                    disk.remove(&path).map_err(DedupError::io("remove", &path))?;
                    opened.discarded.push(Discarded { file: path, why });
                }
            }
        }
        if !opened.discarded.is_empty() {
            disk.sync_dir(&dir).map_err(DedupError::io("sync", &dir))?;
        }
        if opened.keys > filter.capacity() {
            filter = Filter::with_capacity(filter_capacity(&options, opened.keys));
        }
        if !planted::active(Bug::FilterMissIsTruth) {
            for run in &runs {
                run.each_key(&mut |key| filter.insert(key))?;
            }
        }
        opened.runs = runs.len();
        let covered = opened.covered_seq;
        let table = Table::default();
        let dedup = Self {
            disk,
            options,
            filter,
            table,
            table_through: covered,
            frozen: None,
            runs,
            spill: None,
            regrowth: None,
        };
        Ok((dedup, opened))
    }

    /// What is known of an id.
    ///
    /// # Errors
    /// When a run cannot be read: nothing may be accepted then.
    pub fn check(&self, key: u128, fingerprint: u64) -> Result<Verdict, DedupError> {
        if !self.filter.may_hold(key) {
            return Ok(Verdict::New);
        }
        let frozen = || self.frozen.as_ref().and_then(|frozen| frozen.table.get(key));
        let mut found = self.table.get(key).or_else(frozen);
        // The oldest first: it is by far the largest, and an id lies in one of them only.
        for run in &self.runs {
            if found.is_some() {
                break;
            }
            found = run.get(key)?;
        }
        Ok(match found {
            None => Verdict::New,
            Some((seq, accepted)) if accepted == fingerprint => Verdict::Duplicate { seq },
            Some((seq, _)) => Verdict::Conflict { seq },
        })
    }

    /// Takes an accepted id; [`Dedup::check`] said it is new. Sequences must rise.
    pub fn insert(&mut self, key: u128, seq: u64, fingerprint: u64) {
        debug_assert!(seq > self.table_through, "sequence {seq} is not above {}", self.table_through);
        self.table_through = seq;
        self.table.insert(key, seq, fingerprint);
        self.filter.insert(key);
        if let Some(regrowth) = &mut self.regrowth {
            regrowth.filter.insert(key);
        }
    }

    /// Takes ids from the log: those after [`DedupOpened::covered_seq`], in order. Runs are written as the table fills.
    ///
    /// # Errors
    /// Those of [`Dedup::tend`].
    pub fn fill(&mut self, ids: impl IntoIterator<Item = (u128, u64, u64)>) -> Result<(), DedupError> {
        const TEND_EVERY: usize = 1024;
        const TEND_BYTES: u64 = 1 << 20;
        for (count, (key, seq, fingerprint)) in ids.into_iter().enumerate() {
            self.insert(key, seq, fingerprint);
            if count % TEND_EVERY == 0 {
                // What comes from the log is durable.
                self.tend(seq, TEND_BYTES)?;
            }
        }
        Ok(())
    }

    /// Works off what is due, a slice of about `budget_bytes` at a time: writing a full table out, merging runs, enlarging the filter.
    /// Call it between frames. Ids above `durable_seq` are never written. Where the table has grown to twice its limit, the budget is not
    /// kept: memory matters more than a pause.
    ///
    /// # Errors
    /// Whatever the disk says, except that it is full; a corrupt run. All answers stay as they were.
    pub fn tend(&mut self, durable_seq: u64, budget_bytes: u64) -> Result<Tended, DedupError> {
        let mut tended = Tended::default();
        let is_overdue = self.table.len() >= 2 * self.table_keys_max();
        let budget_bytes = if is_overdue { u64::MAX } else { budget_bytes };
        while tended.bytes < budget_bytes {
            let left = budget_bytes - tended.bytes;
            match self.advance(durable_seq, left) {
                Ok(0) => return Ok(tended),
                Ok(bytes) => tended.bytes += bytes,
                Err(DedupError::Io { source, .. }) if is_full(&source) => {
                    self.spill = None;
                    tended.is_disk_full = true;
                    return Ok(tended);
                }
                Err(error) => {
                    self.spill = None;
                    self.regrowth = None;
                    return Err(error);
                }
            }
        }
        tended.is_pending = true;
        Ok(tended)
    }

    /// Does one slice and says how many bytes it moved; 0 when nothing can be done now.
    fn advance(&mut self, durable_seq: u64, budget_bytes: u64) -> Result<u64, DedupError> {
        if let Some(regrowth) = &mut self.regrowth {
            let (bytes, is_done) = regrowth.step(&self.runs, budget_bytes)?;
            if is_done {
                let regrowth = self.regrowth.take().expect("it was just worked on");
                self.filter = regrowth.filter;
            }
            return Ok(bytes.max(1));
        }
        if self.spill.is_some() {
            return self.advance_spill(budget_bytes);
        }
        if self.filter.is_over_capacity() {
            let mut filter = Filter::with_capacity(filter_capacity(&self.options, self.filter.count()));
            self.table.each_key(|key| filter.insert(key));
            if let Some(frozen) = &self.frozen {
                frozen.table.each_key(|key| filter.insert(key));
            }
            self.regrowth = Some(Regrowth::new(filter));
            return Ok(1);
        }
        if self.frozen.is_none() && self.table.len() >= self.table_keys_max() {
            self.frozen =
                Some(Frozen { table: std::mem::take(&mut self.table), through: self.table_through });
        }
        match &self.frozen {
            Some(frozen) if frozen.through <= durable_seq => {
                let from_run = self.first_merged_run(frozen.table.len());
                let from_seq = self.runs[..from_run].last().map_or(1, |run| run.span.to_seq + 1);
                let span = RunSpan { from_seq, to_seq: frozen.through };
                self.spill = Some(Spill::start(
                    self.disk.as_ref(),
                    &self.options.dir,
                    span,
                    self.options.lineage,
                    &self.runs[from_run..],
                    from_run,
                )?);
                Ok(1)
            }
            _ => Ok(0),
        }
    }

    fn advance_spill(&mut self, budget_bytes: u64) -> Result<u64, DedupError> {
        let (Some(spill), Some(frozen)) = (&mut self.spill, &self.frozen) else { return Ok(0) };
        let (bytes, is_done) = spill.step(&frozen.table, budget_bytes)?;
        if is_done {
            let spill = self.spill.take().expect("it was just worked on");
            let from_run = spill.from_run;
            let run = spill.finish(self.disk.as_ref(), &self.options.dir)?;
            let replaced = self.runs.split_off(from_run);
            self.runs.push(run);
            self.frozen = None;
            for run in &replaced {
                self.disk.remove(&run.path).map_err(DedupError::io("remove", &run.path))?;
            }
        }
        Ok(bytes.max(1))
    }

    /// The first run, by place, that a spill of so many ids takes in.
    fn first_merged_run(&self, spilled: u64) -> usize {
        let mut from = self.runs.len();
        let mut keys = spilled;
        while from > 0 && (from >= RUNS_MAX || self.runs[from - 1].count <= keys.saturating_mul(MERGE_RATIO))
        {
            from -= 1;
            keys += self.runs[from].count;
        }
        from
    }

    fn table_keys_max(&self) -> u64 {
        (self.options.memory_bytes_max / TABLE_BYTES_A_KEY).max(TABLE_KEYS_MIN)
    }

    /// Forgets everything, runs included: the caller fills it again from sequence 1.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn reset(&mut self) -> Result<(), DedupError> {
        for run in std::mem::take(&mut self.runs) {
            self.disk.remove(&run.path).map_err(DedupError::io("remove", &run.path))?;
        }
        let dir = &self.options.dir;
        self.disk.sync_dir(dir).map_err(DedupError::io("sync", dir))?;
        self.filter = Filter::with_capacity(filter_capacity(&self.options, 0));
        self.table = Table::default();
        self.table_through = 0;
        (self.frozen, self.spill, self.regrowth) = (None, None, None);
        Ok(())
    }

    /// Number of ids known.
    pub fn keys(&self) -> u64 {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.table.len());
        self.table.len() + frozen + self.runs.iter().map(|run| run.count).sum::<u64>()
    }

    /// Number of runs on disk.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Ids of entries up to this sequence are in runs.
    pub fn covered_seq(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.span.to_seq)
    }

    /// Bytes of memory taken, without the allocator's own.
    pub fn memory_bytes(&self) -> u64 {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.table.memory_bytes());
        let runs: u64 = self.runs.iter().map(Run::memory_bytes).sum();
        self.filter.memory_bytes() + self.table.memory_bytes() + frozen + runs
    }
}

/// Room for twice what is there, and for two full tables at least.
fn filter_capacity(options: &DedupOptions, keys: u64) -> u64 {
    let tables = 2 * (options.memory_bytes_max / TABLE_BYTES_A_KEY).max(TABLE_KEYS_MIN);
    (2 * keys).max(tables)
}
