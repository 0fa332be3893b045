//! The fleet as a source: its past as fast as it is polled, then live as far as its owner lets time pass.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tidewatch_projections::event::Micros;
use tidewatch_projections::names::{Names, Symbol};

use super::{Day, Fleet};
use crate::batch::{Origin, RawBatch, RawRecord};
use crate::checkpoint::{Checkpoint, FileCheckpoint};
use crate::files::BATCH_BYTES_MAX;
use crate::source::{Polled, Source, Stopped};

/// Raised whenever a shape gives other bytes than before: another stream then, whose checkpoints do not fit the old one.
const VERSION: u32 = 1;

/// The instant up to which a fleet may tell what happens. Whoever owns the time, wall or virtual, moves it on.
#[derive(Debug)]
pub struct Horizon {
    at: Mutex<Micros>,
    moved: Condvar,
}

impl Horizon {
    /// A horizon at the end of the history: all before it is handed over as fast as it is asked for.
    pub fn new(at: Micros) -> Arc<Self> {
        Arc::new(Self { at: Mutex::new(at), moved: Condvar::new() })
    }

    /// Where it stands.
    pub fn at(&self) -> Micros {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves it on; earlier instants are ignored.
    pub fn advance(&self, to: Micros) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        *at = to.max(*at);
        self.moved.notify_all();
    }

    /// Waits until it has passed `after` or the time is over; where it stands then.
    fn wait_past(&self, after: Micros, wait: Duration) -> Micros {
        let at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.moved.wait_timeout_while(at, wait, |at| *at <= after);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A [`Source`] of a fleet's lines. Its stream is named by the fleet's shape, so another fleet is another stream, and
/// after a restart it lives again, silently, up to its checkpoint.
pub struct FleetSource {
    name: String,
    fleet: Fleet,
    horizon: Arc<Horizon>,
    digest: String,
    digest_symbol: Symbol,
    batch_bytes_max: usize,
    today: Day,
    /// The line of today handed over next.
    next: usize,
    lines_done: u64,
    bytes_done: u64,
    complete_through: Option<Micros>,
}

impl FleetSource {
    /// A source named `name` over a fleet that has not lived a day yet.
    pub fn new(name: &str, names: &Names, fleet: Fleet, horizon: Arc<Horizon>) -> Self {
        let digest =
            blake3::hash(format!("fleet {VERSION} {:?}", fleet.shape()).as_bytes()).to_hex()[..32].to_owned();
        Self {
            name: name.to_owned(),
            horizon,
            digest_symbol: names.intern(&digest),
            digest,
            batch_bytes_max: BATCH_BYTES_MAX,
            today: Day::default(),
            next: 0,
            lines_done: 0,
            bytes_done: 0,
            complete_through: None,
            fleet,
        }
    }

    /// Sets the bytes of lines after which a batch is handed over.
    pub fn with_batch_bytes_max(mut self, batch_bytes_max: usize) -> Self {
        self.batch_bytes_max = batch_bytes_max;
        self
    }

    /// What will happen to whom.
    pub fn truth(&self) -> &super::Truth {
        self.fleet.truth()
    }

    /// Goes on to the next line, living days as needed; when it happens.
    fn peek(&mut self) -> Micros {
        while self.next == self.today.lines.len() {
            self.fleet.next_day(&mut self.today);
            self.next = 0;
        }
        self.today.lines[self.next].at
    }

    /// Takes the line that was peeked at; its bytes within today's payload.
    fn take(&mut self) -> std::ops::Range<usize> {
        let bytes = self.today.lines[self.next].bytes.clone();
        self.next += 1;
        self.lines_done += 1;
        self.bytes_done += bytes.len() as u64 + 1;
        bytes
    }
}

impl Source for FleetSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn resume(&mut self, checkpoints: &[Checkpoint]) -> Result<(), Stopped> {
        let done = checkpoints.iter().find_map(|checkpoint| match checkpoint {
            Checkpoint::File(at) if at.source == self.name && at.digest == self.digest => Some(at.line),
            Checkpoint::File(_) | Checkpoint::Kafka(_) => None,
        });
        while self.lines_done < done.unwrap_or(0) {
            self.peek();
            self.take();
        }
        Ok(())
    }

    fn poll(&mut self, wait: Duration, out: &mut RawBatch) -> Result<Polled, Stopped> {
        if self.fleet.truth().accounts.is_empty() {
            return Ok(Polled::Ended);
        }
        let mut horizon = self.horizon.at();
        let first = self.peek();
        if first >= horizon {
            horizon = self.horizon.wait_past(first, wait);
        }
        let mut at = first;
        while at < horizon && out.payload.len() < self.batch_bytes_max {
            let bytes = self.take();
            let start = out.payload.len();
            out.payload.extend_from_slice(&self.today.payload[bytes]);
            let origin = Origin::Line { digest: self.digest_symbol, line: self.lines_done };
            out.records.push(RawRecord::whole(start..out.payload.len(), origin));
            at = self.peek();
        }
        if !out.records.is_empty() {
            out.progress.push(Checkpoint::File(FileCheckpoint {
                source: self.name.clone(),
                digest: self.digest.clone(),
                byte: self.bytes_done,
                line: self.lines_done,
            }));
        }
        // Nothing before the next line is missing, and nothing past the horizon is known.
        self.complete_through = Some(at.min(horizon));
        Ok(Polled::Open)
    }

    fn complete_through(&self) -> Option<Micros> {
        self.complete_through
    }

    fn streams(&self) -> bool {
        true
    }
}
