//! The state of the process for `/readyz` and `/metrics`, also before there is an engine and after it failed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use super::http::Readiness;
use super::monotonic;
use super::pins::Pins;
use crate::app::{Condition, Engine};
use crate::fold::view::View;
use crate::meters::{
    ACCOUNTS, CELLS_BEHIND, CLOCK, DURABLE, LISTS, Meters, PARKED, PAST_BOUNDS, PAST_MEMORY, PAST_QUESTIONS,
    PAST_READS, PUBLISHED, SOURCE_AGE, SOURCE_STOPPED,
};
use crate::read::admission::AdmissionLimits;
use crate::read::scheduler::Scheduler;

/// From the start of a process to its end.
#[derive(Default)]
pub struct Lifecycle {
    applied: AtomicU64,
    last: AtomicU64,
    is_stopping: AtomicBool,
    /// Weak: whoever runs the engine ends it.
    engine: OnceLock<Weak<Engine>>,
    /// The positions kept for lists.
    pub pins: Arc<Pins<View>>,
    /// What runs reads of the past.
    pub scheduler: Arc<Scheduler>,
}

impl Lifecycle {
    /// A process that reads the past under these limits.
    pub fn new(past: AdmissionLimits) -> Self {
        Self { scheduler: Arc::new(Scheduler::new(past)), ..Self::default() }
    }

    /// The log is being read: at `applied` of `last`.
    pub fn replaying(&self, applied: u64, last: u64) {
        self.applied.store(applied, Ordering::Relaxed);
        self.last.store(last, Ordering::Relaxed);
    }

    /// The engine runs.
    pub fn started(&self, engine: &Arc<Engine>) {
        // A process starts one engine; a second one would be told by its directory's lock.
        let _first = self.engine.set(Arc::downgrade(engine));
    }

    /// Nothing more is taken in.
    pub fn stopping(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub fn readiness(&self) -> Readiness {
        let engine = self.engine.get().map(Weak::upgrade);
        match engine {
            None => Readiness::Replaying {
                applied: self.applied.load(Ordering::Relaxed),
                durable: self.last.load(Ordering::Relaxed),
            },
            Some(None) => Readiness::Stopping,
            Some(Some(engine)) => match engine.failure() {
                Some(problem) => Readiness::Failed { problem },
                None if self.is_stopping.load(Ordering::Relaxed) => Readiness::Stopping,
                None => Readiness::Ready,
            },
        }
    }

    /// Reads what is read rather than counted, before a page is printed.
    pub fn read_gauges(&self, meters: &Meters) {
        let Some(engine) = self.engine.get().and_then(Weak::upgrade) else { return };
        let (durable, now) = (*engine.durable().borrow(), engine.now());
        meters.gauge(&DURABLE, &[]).set(durable as f64);
        meters.gauge(&LISTS, &[]).set(self.pins.count(monotonic()) as f64);
        self.read_past(meters);
        for source in engine.sources() {
            let name = source.name.as_str();
            let is_stopped = matches!(source.condition, Condition::Stopped | Condition::Impaired);
            meters.gauge(&SOURCE_STOPPED, &[name]).set(f64::from(u8::from(is_stopped)));
            if let Some(taken_at) = source.taken_at {
                meters.gauge(&SOURCE_AGE, &[name]).set((now - taken_at).max(0) as f64 / MICROS);
            }
        }
        let Some(view) = engine.view() else { return };
        meters.gauge(&PUBLISHED, &[]).set(view.position.seq as f64);
        let behind = view.position.seq.saturating_sub(engine.cells().reached_seq());
        meters.gauge(&CELLS_BEHIND, &[]).set(behind as f64);
        meters.gauge(&ACCOUNTS, &[]).set(view.accounts_count() as f64);
        let past = view.accounts().filter(|account| account.past_a_bound()).count();
        meters.gauge(&PAST_BOUNDS, &[]).set(past as f64);
        for (source, events) in view.tenant.parked.by_source() {
            let source = source.map_or("others", |source| view.names.text(source));
            meters.gauge(&PARKED, &[source]).set(events as f64);
        }
        if let Some(clock) = view.control_state.clock_at {
            meters.gauge(&CLOCK, &[]).set(clock as f64 / MICROS);
        }
    }

    fn read_past(&self, meters: &Meters) {
        let counts = self.scheduler.counts();
        for (state, count) in [("running", counts.running), ("waiting", counts.waiting)] {
            meters.gauge(&PAST_READS, &[state]).set(count as f64);
        }
        meters.gauge(&PAST_MEMORY, &[]).set(counts.memory_bytes as f64);
        for (outcome, count) in
            [("refused", counts.refused), ("cancelled", counts.cancelled), ("shared", counts.shared)]
        {
            meters.counter(&PAST_QUESTIONS, &[outcome]).absolute(count);
        }
    }
}

/// Microseconds of a second.
const MICROS: f64 = 1e6;
