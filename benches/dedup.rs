//! Deduplication: an exact answer for every id ever accepted, beside a hash table that keeps them all in memory.

use std::collections::{HashMap, HashSet};
use std::hint::black_box;
use std::sync::Arc;

use tidewatch_benches::cost::{Cost, resident_bytes};
use tidewatch_benches::log::bytes_below;
use tidewatch_benches::options::{Options, scratch};
use tidewatch_benches::pair::Pair;
use tidewatch_benches::population::mix;
use tidewatch_benches::table::Report;
use tidewatch_engine::app::DEDUP_MEMORY_BYTES_MAX;
use tidewatch_engine::storage::dedup::{Dedup, DedupOptions, Verdict};
use tidewatch_engine::storage::disk::real::RealDisk;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The table of recent ids is tended after so many of them, as the sequencer does after a batch.
const TEND_EVERY: u64 = 1_024;
const TEND_BYTES: u64 = 1 << 20;

fn key(number: u64) -> u128 {
    u128::from(mix(2 * number)) << 64 | u128::from(mix(2 * number + 1))
}

fn open(root: &std::path::Path, memory_bytes_max: u64, through: u64) -> Dedup {
    let disk = Arc::new(RealDisk::new(root).expect("the disk has room"));
    let options = DedupOptions { dir: "dedup".into(), lineage: 1, memory_bytes_max };
    Dedup::open(disk, options, through).expect("the directory opens").0
}

/// Checks and inserts ids that are all new.
fn accept(dedup: &mut Dedup, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let key = key(number);
        assert_eq!(dedup.check(key, number).expect("the runs are sound"), Verdict::New);
        dedup.insert(key, number + 1, number);
        if number % TEND_EVERY == 0 {
            dedup.tend(number, TEND_BYTES).expect("the disk has room");
        }
    }
}

fn main() {
    let options = Options::read();
    let (rounds, known) = (options.rounds(7), options.size(4_000_000, 20_000));
    let fresh = options.size(500_000, 5_000);
    // A quarter of a million ids stay in memory and the others lie in runs.
    let memory_bytes_max = options.size(16 << 20, 64 << 10);
    let mut report = Report::of_cpu("dedup: one id checked, and inserted where it is new");

    // First, while nothing that was given back hides what it takes.
    let root = scratch();
    let before = resident_bytes();
    let mut dedup = open(root.path(), memory_bytes_max, 0);
    accept(&mut dedup, 0..known);
    let resident = resident_bytes().saturating_sub(before);
    let disk = bytes_below(root.path());

    let in_memory = Pair::alternate(
        rounds,
        || {
            let root = scratch();
            let mut dedup = open(root.path(), DEDUP_MEMORY_BYTES_MAX, 0);
            Cost::of_thread(fresh, || accept(&mut dedup, 0..fresh))
        },
        || {
            let mut set = HashSet::new();
            Cost::of_thread(fresh, || assert!((0..fresh).all(|number| set.insert(key(number)))))
        },
    );
    report.pair("new ids, all in memory, from none; beside HashSet<u128>", &in_memory, "");

    let mut map: HashMap<u128, (u64, u64)> =
        (0..known).map(|number| (key(number), (number + 1, number))).collect();

    let mut next = known;
    let mut next_of_map = known;
    let with_runs = Pair::alternate(
        rounds,
        || {
            let from = next;
            next += fresh;
            Cost::of_thread(fresh, || accept(&mut dedup, from..next))
        },
        || {
            let from = next_of_map;
            next_of_map += fresh;
            Cost::of_thread(fresh, || {
                for number in from..next_of_map {
                    assert!(!map.contains_key(&key(number)));
                    map.insert(key(number), (number + 1, number));
                }
            })
        },
    );
    report.pair(
        &format!("new ids, {known} known, most of them in runs on disk; beside HashMap<u128, (u64, u64)>"),
        &with_runs,
        "",
    );

    // What was accepted last is in memory, what was accepted first in the largest run.
    let recent = (next - fresh / 8)..next;
    let old = 0..fresh / 8;
    for (what, numbers) in [("newest", recent), ("oldest, in a run on disk", old)] {
        let count = numbers.end - numbers.start;
        let pair = Pair::alternate(
            rounds,
            || {
                Cost::of_thread(count, || {
                    for number in numbers.clone() {
                        let verdict = dedup.check(key(number), number).expect("the runs are sound");
                        assert_eq!(verdict, Verdict::Duplicate { seq: number + 1 });
                    }
                })
            },
            || {
                Cost::of_thread(count, || {
                    numbers.clone().for_each(|number| assert_eq!(black_box(map[&key(number)]).0, number + 1))
                })
            },
        );
        report.pair(&format!("duplicates of the {what}; beside the same HashMap"), &pair, "");
    }
    report.note(format!(
        "{known} ids: {:.1} B of memory and {:.1} B of disk an id, with {} MB allowed for the table (aim: about 2 B and 32 B \
         besides the table).",
        resident as f64 / known as f64,
        disk as f64 / known as f64,
        memory_bytes_max >> 20,
    ));
    report.print();
}
