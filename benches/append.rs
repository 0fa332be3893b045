//! Appending: frames encoded, written and synced, beside the same bytes written to a file that is there already.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidewatch_benches::cost::{Cost, now};
use tidewatch_benches::feed::Lines;
use tidewatch_benches::options::{Options, scratch};
use tidewatch_benches::pair::{Pair, Spread, cpu_ns};
use tidewatch_benches::population::{Population, Size};
use tidewatch_benches::table::{Report, wall_cells};
use tidewatch_engine::storage::disk::real::RealDisk;
use tidewatch_engine::storage::log::{FrameBuilder, LogOptions, LogWriter};
use tidewatch_ingest::native;
use tidewatch_projections::event::Event;
use tidewatch_projections::names::Names;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Time of recording of all frames; only its order matters.
const RECORDED_AT: i64 = 1_800_000_000_000_000;

fn main() {
    let options = Options::read();
    let rounds = options.rounds(7);
    let events_count = options.size(200_000, 2_000);
    let names = Arc::new(Names::new());
    let accounts = options.size(100_000, 100);
    let size = Size { accounts, users: 40, features: 12, days: 28, events: events_count };
    let population = Population::new(size, &names);
    let events: Vec<Event> = (0..events_count).map(|index| population.event(index)).collect();

    encode(rounds, &names, &events);
    let mut report = Report::new(
        "append: a frame written and synced, beside pwrite + fdatasync of as many bytes into a file filled before",
        &[
            "µs a frame on the wall",
            "ours",
            "beside",
            "ours ÷ beside",
            "p99 ours, beside",
            "MB/s",
            "CPU ns an entry",
            "B an entry",
        ],
    );
    for entries in [100, 1_000, 10_000] {
        append(&options, &mut report, &names, &events, entries);
    }
    report.note("Aim of the design notes: ≥ 90 % of the bandwidth of the plain file, p99 ≤ 2 × its p99.");
    report.print();
}

/// Filling frames without writing them, beside copying the lines that the events came from.
fn encode(rounds: usize, names: &Arc<Names>, events: &[Event]) {
    let mut lines = Lines::default();
    events.iter().for_each(|event| lines.push(|out| native::write(names, event, out)));
    let mut builder = FrameBuilder::new(Arc::clone(names), 1);
    let pair = Pair::alternate(
        rounds,
        || {
            Cost::of_thread(events.len() as u64, || {
                for events in events.chunks(10_000) {
                    for event in events {
                        builder.push_event(event).expect("the event fits");
                    }
                    std::hint::black_box(builder.seal(RECORDED_AT));
                }
            })
        },
        || {
            Cost::of_thread(lines.count(), || {
                let mut copy = Vec::with_capacity(1 << 20);
                for line in lines.iter() {
                    if copy.len() + line.len() > copy.capacity() {
                        copy.clear();
                    }
                    copy.extend_from_slice(line);
                    std::hint::black_box(&copy);
                }
            })
        },
    );
    let mut report = Report::of_cpu("encode: one event into a frame of 10,000, before compression");
    let what =
        format!("usage, {} names; beside copying its {:.0} B of JSON", names.count(), lines.mean_bytes());
    report.pair(&what, &pair, "");
    report.print();
}

/// One side's frames, with the time each took.
struct Frames {
    cost: Cost,
    each: Vec<Duration>,
}

fn p99_us(each: &mut [Duration]) -> f64 {
    each.sort_unstable();
    each[(each.len() * 99).div_ceil(100) - 1].as_nanos() as f64 / 1e3
}

fn append(options: &Options, report: &mut Report, names: &Arc<Names>, events: &[Event], entries: usize) {
    let frames = options.size(3_000_000 / entries, 20).min(300);
    let (mut each_of_ours, mut each_of_plain) = (Vec::new(), Vec::new());
    let root = scratch();
    let bytes = std::cell::RefCell::new(Vec::new());
    let mut round = 0;
    let pair = Pair::alternate(
        options.rounds(7),
        || {
            round += 1;
            let (mut frames, written) =
                ours(&root.path().join(format!("log-{round}")), names, events, entries, frames);
            *bytes.borrow_mut() = written;
            each_of_ours.append(&mut frames.each);
            frames.cost
        },
        || {
            // The first round begins with ours, so it is known how many bytes a frame has.
            let mut frames = plain(&root.path().join("plain"), &bytes.borrow());
            each_of_plain.append(&mut frames.each);
            frames.cost
        },
    );
    let bytes = bytes.into_inner();
    let [ours, beside, ratio] = wall_cells(&pair);
    let frame_bytes = bytes.iter().sum::<u64>() as f64 / bytes.len() as f64;
    let bandwidth = Spread::of(pair.ours.iter().map(|cost| frame_bytes / cost.wall_ns() * 1e3));
    report.row(&[
        format!("{entries} entries, {:.1} KB", frame_bytes / 1e3),
        ours,
        beside,
        ratio,
        format!("{:.0}, {:.0}", p99_us(&mut each_of_ours), p99_us(&mut each_of_plain)),
        bandwidth.to_string(),
        cpu_ns(&pair.ours).map(|ns| ns / entries as f64).to_string(),
        format!("{:.1}", frame_bytes / entries as f64),
    ]);
}

/// Appends frames to a new log; frames are filled beforehand and compressed while they are appended.
fn ours(
    root: &Path,
    names: &Arc<Names>,
    events: &[Event],
    entries: usize,
    frames: usize,
) -> (Frames, Vec<u64>) {
    let disk = Arc::new(RealDisk::new(root).expect("the disk has room"));
    let (mut log, _) = LogWriter::open(disk, LogOptions::new(0, 1)).expect("a new log opens");
    let mut builder = FrameBuilder::new(Arc::clone(names), 1);
    let mut events = events.iter().cycle();
    let sealed: Vec<_> = (0..=frames)
        .map(|_| {
            for event in events.by_ref().take(entries) {
                builder.push_event(event).expect("the event fits");
            }
            builder.seal(RECORDED_AT)
        })
        .collect();
    // The first frame makes the segment.
    log.append(&sealed[0]).expect("the disk has room");
    log.sync().expect("the disk syncs");
    let (mut each, mut bytes) = (Vec::with_capacity(frames), Vec::with_capacity(frames));
    let cost = Cost::of_thread(frames as u64, || {
        for frame in &sealed[1..] {
            let began = now();
            bytes.push(log.append(frame).expect("the disk has room").bytes);
            log.sync().expect("the disk syncs");
            each.push(began.elapsed());
        }
    });
    drop(log);
    std::fs::remove_dir_all(root).expect("the log goes");
    (Frames { cost, each }, bytes)
}

/// The physical limit: the same bytes, one `pwrite` and one `fdatasync` each, into a file whose zeros are on the disk.
fn plain(path: &Path, bytes: &[u64]) -> Frames {
    let total = usize::try_from(bytes.iter().sum::<u64>()).expect("fits memory");
    let file: File = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .expect("the disk has room");
    file.write_all_at(&vec![0; total], 0).expect("the disk has room");
    file.sync_all().expect("the disk syncs");
    let largest = bytes.iter().copied().max().unwrap_or(0);
    let payload: Vec<u8> = (0..largest).map(|at| tidewatch_benches::population::mix(at) as u8).collect();
    let mut each = Vec::with_capacity(bytes.len());
    let cost = Cost::of_thread(bytes.len() as u64, || {
        let mut offset = 0;
        for length in bytes {
            let began = now();
            let payload = &payload[..usize::try_from(*length).expect("fits memory")];
            file.write_all_at(payload, offset).expect("the disk has room");
            file.sync_data().expect("the disk syncs");
            offset += length;
            each.push(began.elapsed());
        }
    });
    Frames { cost, each }
}
