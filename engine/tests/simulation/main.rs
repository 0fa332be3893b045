//! The deterministic simulation: the engine's own steps on one thread, in virtual time, with everything outside simulated
//! and every decision drawn from a seed. What is simulated, which faults and which invariants: `docs/SIMULATION.md`.
//!
//! ```text
//! cargo test -p tidewatch-engine --release --features planted-bugs --test simulation -- [--from N --count M] [--bug NAME]
//!                                                                                       [--seed N [--trace]]
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program for people")]

mod audit;
mod broker;
mod bugs;
mod draw;
mod fleet;
mod folds;
mod machine;
mod oracle;
mod power;
mod source;
mod told;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use tidewatch_engine::planted::{Bug, plant};

use audit::Violation;
use world::{Counts, Simulation};

/// Seeds without a planted bug in a run that says nothing else.
const CLEAN_SEEDS: u64 = 1_000;
/// Fresh seeds tried for a planted bug that its recorded seed does not find any more.
const FRESH_SEEDS: u64 = 500;
/// Threads; each runs seeds of its own from begin to end.
const THREADS: usize = 2;

/// What was asked for.
#[derive(Default)]
struct Options {
    from: u64,
    count: Option<u64>,
    bug: Option<Bug>,
    seed: Option<u64>,
    trace: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
        match word.as_str() {
            "--from" => options.from = number(value()?)?,
            "--count" => options.count = Some(number(value()?)?),
            "--seed" => options.seed = Some(number(value()?)?),
            "--bug" => {
                let name = value()?;
                options.bug = Some(
                    bugs::named(&name)
                        .ok_or(format!("{name} is no planted bug; there are {}", bugs::names()))?,
                );
            }
            "--trace" => options.trace = true,
            // What the test runner of cargo passes on means nothing here.
            "--nocapture" | "--quiet" | "-q" | "--exact" => {}
            other => return Err(format!("{other} is not known: --from, --count, --bug, --seed, --trace")),
        }
    }
    Ok(options)
}

thread_local! {
    static PANIC: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

/// Runs one seed; a panic is a violation too.
fn run(seed: u64, bug: Option<Bug>, trace: bool) -> Result<Counts, Violation> {
    plant(bug);
    let outcome = catch_unwind(AssertUnwindSafe(|| Simulation::new(seed, trace).run()));
    plant(None);
    outcome.unwrap_or_else(|_| {
        let what = PANIC.with_borrow_mut(std::mem::take);
        Err(Violation { invariant: "nothing panics", what })
    })
}

fn replay(seed: u64, bug: Option<Bug>) -> String {
    let bug = bug.map(|bug| format!(" --bug {bug:?}")).unwrap_or_default();
    format!(
        "cargo test -p tidewatch-engine --release --features planted-bugs --test simulation -- --seed {seed}{bug} --trace"
    )
}

/// Seeds with their violations, and what happened in all of them.
type Outcome = (Vec<(u64, Violation)>, Counts, u64);

/// Runs seeds on a few threads; with `first` it stops at the first violation.
fn sweep(from: u64, count: u64, bug: Option<Bug>, first: bool) -> Outcome {
    let next = AtomicU64::new(from);
    let done = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let found = Mutex::new((Vec::new(), Counts::default()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        return;
                    }
                    let outcome = run(seed, bug, false);
                    done.fetch_add(1, Ordering::Relaxed);
                    let mut found = found.lock().expect("seeds do not panic while they hold it");
                    match outcome {
                        Ok(counts) => found.1.add(&counts),
                        Err(violation) => {
                            found.0.push((seed, violation));
                            stop.fetch_or(first, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let (mut violations, counts) = found.into_inner().expect("seeds do not panic while they hold it");
    violations.sort_by_key(|(seed, _)| *seed);
    (violations, counts, done.into_inner())
}

fn print(seed: u64, bug: Option<Bug>, violation: &Violation) {
    println!("seed {seed}: {}\n  {}\n  replay: {}", violation.invariant, violation.what, replay(seed, bug));
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    std::panic::set_hook(Box::new(|info| {
        let text = format!("{info}");
        PANIC.with_borrow_mut(|panic| *panic = text);
    }));
    // Calendars of one zone share their table while one of them lives.
    let _calendars = world::calendars();
    let (mut passed, mut failed) = (0, 0);
    if let Some(seed) = options.seed {
        match run(seed, options.bug, options.trace) {
            Ok(counts) => {
                println!("seed {seed}: {counts:?}");
                passed += 1;
            }
            Err(violation) => {
                print(seed, options.bug, &violation);
                failed += 1;
            }
        }
    } else if let Some(bug) = options.bug {
        let (found, _, done) = sweep(options.from, options.count.unwrap_or(10_000), Some(bug), true);
        match found.first() {
            Some((seed, violation)) => {
                print(*seed, Some(bug), violation);
                println!("{bug:?} was found after {done} seeds");
                passed += 1;
            }
            None => {
                println!("{bug:?} was not found in {done} seeds from {}", options.from);
                failed += 1;
            }
        }
    } else {
        let count = options.count.unwrap_or(CLEAN_SEEDS);
        let (violations, counts, done) = sweep(options.from, count, None, false);
        for (seed, violation) in &violations {
            print(*seed, None, violation);
        }
        failed += violations.len() as u64;
        passed += done - violations.len() as u64;
        println!("{done} seeds from {} without a planted bug: {counts:?}", options.from);
        if options.count.is_none() {
            for (bug, seed) in bugs::RECORDED {
                let is_found = run(seed, Some(bug), false).is_err()
                    || {
                        println!(
                            "{bug:?} is not found by its recorded seed {seed} any more: trying {FRESH_SEEDS} others"
                        );
                        let (found, _, _) = sweep(0, FRESH_SEEDS, Some(bug), true);
                        found
                            .first()
                            .inspect(|(seed, _)| println!("{bug:?} is found by seed {seed}: record it"))
                            .is_some()
                    };
                if is_found {
                    passed += 1;
                } else {
                    println!("{bug:?} is not found: the simulation does not look where it lies");
                    failed += 1;
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
