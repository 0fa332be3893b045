//! What work costs: time of the processor and of the clock on the wall.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The cost of one run.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// How many events, frames or requests it handled.
    pub items: u64,
    /// Time of the processor: it leaves out what other programs took meanwhile.
    pub cpu: Duration,
    /// Time on the wall.
    pub wall: Duration,
}

impl Cost {
    /// Runs work that stays on this thread.
    pub fn of_thread<T>(items: u64, work: impl FnOnce() -> T) -> Self {
        Self::of(ClockId::ThreadCPUTime, items, work)
    }

    /// Runs work that this process does on any of its threads, those of C libraries included. Nothing else may run in it.
    pub fn of_process<T>(items: u64, work: impl FnOnce() -> T) -> Self {
        Self::of(ClockId::ProcessCPUTime, items, work)
    }

    fn of<T>(clock: ClockId, items: u64, work: impl FnOnce() -> T) -> Self {
        let (began, cpu_before) = (now(), cpu_time(clock));
        let result = std::hint::black_box(work());
        let cost = Self { items, cpu: cpu_time(clock).saturating_sub(cpu_before), wall: began.elapsed() };
        drop(result);
        cost
    }

    /// Nanoseconds of the processor for one item.
    pub fn cpu_ns(&self) -> f64 {
        self.cpu.as_nanos() as f64 / self.items.max(1) as f64
    }

    /// Nanoseconds on the wall for one item.
    pub fn wall_ns(&self) -> f64 {
        self.wall.as_nanos() as f64 / self.items.max(1) as f64
    }
}

fn cpu_time(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below a second"))
}

/// The machine's monotonic clock.
#[expect(clippy::disallowed_methods, reason = "benchmarks measure time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Processor time so far of every live thread of this process, added up by the threads' names. Behind by up to one tick of
/// the scheduler.
///
/// # Panics
/// On a system without `/proc`.
pub fn threads() -> BTreeMap<String, Duration> {
    let mut times = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").expect("Linux has /proc") {
        let task = task.expect("this process may read about itself").path();
        // A thread that ended meanwhile is left out.
        let (Ok(name), Ok(schedule)) =
            (fs::read_to_string(task.join("comm")), fs::read_to_string(task.join("schedstat")))
        else {
            continue;
        };
        let ns = schedule.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
        *times.entry(name.trim_end().to_owned()).or_default() += Duration::from_nanos(ns);
    }
    times
}

/// Bytes of this process that lie in memory.
///
/// # Panics
/// On a system without `/proc`.
pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has a size");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of kB");
    kib * 1024
}
