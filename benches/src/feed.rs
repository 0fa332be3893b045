//! Events as records: lines of native JSON, in batches, and a source that hands them over.
//!
//! Where lines come from is a closure that appends the next one and says whether there was one.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tidewatch_ingest::batch::{Origin, RawBatch, RawRecord};
use tidewatch_ingest::checkpoint::{Checkpoint, FileCheckpoint};
use tidewatch_ingest::fleet::{Day, Fleet};
use tidewatch_ingest::native;
use tidewatch_ingest::source::{Polled, Source, Stopped};
use tidewatch_projections::names::{Names, Symbol};

use crate::population::Population;

/// Bytes of records in one batch: what an import hands over at once.
pub const BATCH_BYTES: usize = 256 << 10;

/// Lines one after the other, without line ends.
#[derive(Clone, Default)]
pub struct Lines {
    /// All bytes.
    pub payload: Vec<u8>,
    /// Where each line lies.
    pub lines: Vec<Range<usize>>,
}

impl Lines {
    /// Appends a line.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.payload.len();
        write(&mut self.payload);
        self.lines.push(start..self.payload.len());
    }

    /// At most `count` of the lines that `write` gives.
    pub fn of(mut write: impl FnMut(&mut Vec<u8>) -> bool, count: u64) -> Self {
        let mut lines = Self::default();
        let mut is_more = true;
        while is_more && lines.count() < count {
            lines.push(|out| is_more = write(out));
        }
        if !is_more {
            lines.lines.pop();
        }
        lines
    }

    /// The lines.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(|line| &self.payload[line.clone()])
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Bytes of a line on the average.
    pub fn mean_bytes(&self) -> f64 {
        self.payload.len() as f64 / self.lines.len().max(1) as f64
    }

    /// The same as batches of about [`BATCH_BYTES`].
    pub fn batches(&self, names: &Names) -> Vec<RawBatch> {
        let digest = names.intern(DIGEST);
        let mut batches = Vec::new();
        let mut batch = RawBatch::default();
        for (line, bytes) in (1..).zip(self.iter()) {
            let start = batch.payload.len();
            batch.payload.extend_from_slice(bytes);
            let origin = Origin::Line { digest, line };
            batch.records.push(RawRecord::whole(start..batch.payload.len(), origin));
            if batch.payload.len() >= BATCH_BYTES {
                batches.push(std::mem::take(&mut batch));
            }
        }
        batches.push(batch);
        batches
    }
}

/// Lines as a source that ends: `write` appends the next one and says whether there was one.
pub struct Feed<W> {
    write: W,
    digest: Symbol,
    lines: u64,
    bytes: u64,
}

/// Its name.
pub const SOURCE: &str = "feed";
const DIGEST: &str = "feed";

impl<W: FnMut(&mut Vec<u8>) -> bool + Send> Feed<W> {
    /// A source of these lines.
    pub fn new(names: &Names, write: W) -> Self {
        Self { write, digest: names.intern(DIGEST), lines: 0, bytes: 0 }
    }
}

impl<W: FnMut(&mut Vec<u8>) -> bool + Send> Source for Feed<W> {
    fn name(&self) -> &str {
        SOURCE
    }

    fn resume(&mut self, _: &[Checkpoint]) -> Result<(), Stopped> {
        Ok(())
    }

    fn poll(&mut self, _: Duration, out: &mut RawBatch) -> Result<Polled, Stopped> {
        let mut is_more = true;
        while is_more && out.payload.len() < BATCH_BYTES {
            let start = out.payload.len();
            is_more = (self.write)(&mut out.payload);
            if is_more {
                self.lines += 1;
                let origin = Origin::Line { digest: self.digest, line: self.lines };
                out.records.push(RawRecord::whole(start..out.payload.len(), origin));
            }
        }
        self.bytes += out.payload.len() as u64;
        out.progress.push(Checkpoint::File(FileCheckpoint {
            source: SOURCE.into(),
            digest: DIGEST.into(),
            byte: self.bytes,
            line: self.lines,
        }));
        Ok(if is_more { Polled::Open } else { Polled::Ended })
    }
}

/// All events of a population, one line each.
pub fn of_population(population: Population, names: Arc<Names>) -> impl FnMut(&mut Vec<u8>) -> bool + Send {
    let mut next = 0;
    move |out| {
        let is_more = next < population.size().events;
        if is_more {
            native::write(&names, &population.event(next), out);
            next += 1;
        }
        is_more
    }
}

/// The first days of a simulated fleet.
pub fn of_fleet(mut fleet: Fleet, days: u32) -> impl FnMut(&mut Vec<u8>) -> bool + Send {
    let (mut day, mut next, mut days_left) = (Day::default(), 0, days);
    move |out| {
        while next == day.lines.len() {
            if days_left == 0 {
                return false;
            }
            days_left -= 1;
            fleet.next_day(&mut day);
            next = 0;
        }
        out.extend_from_slice(&day.payload[day.lines[next].bytes.clone()]);
        next += 1;
        true
    }
}
