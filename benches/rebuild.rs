//! Rebuilding: a log from disk to account states, beside reading its files and checking their bytes.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use tidewatch_benches::cost::Cost;
use tidewatch_benches::feed::{Feed, of_population};
use tidewatch_benches::log::{bytes_below, fill};
use tidewatch_benches::options::{Options, scratch};
use tidewatch_benches::pair::{Pair, cpu_ns, wall_ns};
use tidewatch_benches::population::{Population, Size};
use tidewatch_benches::table::{Report, per_core_second};
use tidewatch_engine::app::{self, Engine};
use tidewatch_engine::fold::history::History;
use tidewatch_engine::position::Position;
use tidewatch_engine::storage::directory::{LOG_DIR, SHARD};
use tidewatch_engine::storage::disk::real::RealDisk;
use tidewatch_engine::storage::log::LogReader;
use tidewatch_projections::names::Names;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bytes read at once by the plain reader.
const READ_BYTES: usize = 1 << 20;

fn main() {
    let options = Options::read();
    let rounds = options.rounds(3);
    let mut report = Report::of_cpu(
        "rebuild: one event of the log, files in the page cache, beside reading the files and their CRC-32C",
    );
    let mut disk = Vec::new();
    for (accounts, users, events, aim_ns) in [
        (options.size(10_000, 100), 40, options.size(1_000_000, 10_000), 200.0),
        (options.size(100_000, 1_000), 40, options.size(1_500_000, 10_000), 400.0),
    ] {
        let directory = scratch();
        let root = directory.path().join("data");
        let size = Size { accounts, users, features: 12, days: 28, events };
        let filled = fill(&root, |names| {
            let population = Population::new(size, names);
            Box::new(Feed::new(names, of_population(population, Arc::clone(names))))
        });
        assert_eq!(filled, events);
        let log = root.join(LOG_DIR);
        let what = format!("{accounts} accounts, {users} users each, {events} events");
        let plain = || Cost::of_process(events, || read(&log));
        let aim = format!("≤ {aim_ns:.0} ns");

        let checked = Pair::alternate(rounds, || Cost::of_process(events, || check(&root)), plain);
        report.pair(&format!("{what}: frames read and checked"), &checked, "");
        let decoded = Pair::alternate(rounds, || Cost::of_process(events, || decode(&root)), plain);
        report.pair(&format!("{what}: … and decoded"), &decoded, "");
        let folded = Pair::alternate(rounds, || Cost::of_process(events, || fold(&root, 1)), plain);
        report.pair(&format!("{what}: … and folded by one worker"), &folded, &aim);
        let opened = Pair::alternate(rounds, || Cost::of_process(events, || open(&root, false)), plain);
        report.pair(&format!("{what}: opening, ids known from runs"), &opened, "");
        let rebuilt = Pair::alternate(rounds, || Cost::of_process(events, || open(&root, true)), plain);
        report.pair(&format!("{what}: opening, everything derived deleted"), &rebuilt, "");

        let rate = |pair: &Pair| per_core_second(cpu_ns(&pair.ours));
        report.note(format!(
            "{what}: folded {} events a second of one core, opened after deletion {}; on the wall with the reader beside the \
             worker folded {} µs an event.",
            rate(&folded),
            rate(&rebuilt),
            wall_ns(&folded.ours).map(|ns| ns / 1e3),
        ));
        let (log, all) = (bytes_below(&log) as f64, bytes_below(&root) as f64);
        disk.push(format!(
            "{what}: {:.1} B of log an event (aim ≤ 45), {:.1} B of all files (aim ≤ 100).",
            log / events as f64,
            all / events as f64,
        ));
    }
    disk.into_iter().for_each(|line| report.note(line));
    report.print();
}

/// The physical limit: bytes from the page cache through one checksum.
fn read(log: &Path) -> u32 {
    let mut paths: Vec<_> =
        fs::read_dir(log).expect("a log").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort_unstable();
    let mut bytes = vec![0; READ_BYTES];
    let mut crc = 0;
    for path in paths {
        let mut file = File::open(path).expect("a segment");
        loop {
            match file.read(&mut bytes).expect("the disk reads") {
                0 => break,
                read => crc = crc32c::crc32c_append(crc, &bytes[..read]),
            }
        }
    }
    crc
}

fn reader(root: &Path) -> LogReader {
    let disk = Arc::new(RealDisk::new(root).expect("the directory is there"));
    LogReader::new(disk, LOG_DIR, Arc::new(Names::new()), 1)
}

fn check(root: &Path) -> u64 {
    let (mut reader, mut entries) = (reader(root), 0);
    while let Some(frame) = reader.next_raw().expect("the log is sound") {
        entries += u64::from(frame.header.count);
    }
    entries
}

fn decode(root: &Path) -> u64 {
    let (mut reader, mut entries) = (reader(root), 0);
    while let Some(frame) = reader.next_frame().expect("the log is sound") {
        entries += frame.entries.len() as u64;
    }
    entries
}

/// Folds the log as a changed model does: beside nothing else.
fn fold(root: &Path, workers: usize) -> tidewatch_engine::fold::view::View {
    let disk = Arc::new(RealDisk::new(root).expect("the directory is there"));
    let history = History::new(disk, Arc::new(Names::new()), u64::MAX);
    let control_state = history.summary().expect("the log is sound").control_state;
    let context = history.adopted_context(&control_state).expect("the default model compiles");
    let fold = history.fold(workers, context).expect("the log is sound");
    fold.settle(Position { shard: SHARD, lineage: 0, seq: 0 })
}

fn open(root: &Path, discard_derived: bool) -> Engine {
    let options = app::Options { discard_derived, ..app::Options::new(Some(1)) };
    Engine::open(root, options, &|_, _| ()).expect("the directory opens")
}
