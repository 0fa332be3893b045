//! Small logs to try things on.

use std::sync::Arc;

use tidewatch_engine::storage::disk::Disk;
use tidewatch_engine::storage::disk::simulated::{Faults, SimulatedDisk};
use tidewatch_engine::storage::log::{
    Entry, FrameBuilder, LogError, LogOptions, LogReader, LogWriter, Opened, SealedFrame,
};
use tidewatch_ingest::checkpoint::{Checkpoint, FileCheckpoint, PartitionCheckpoint};
use tidewatch_projections::event::{Actor, Event, Subject};
use tidewatch_projections::names::Names;
use tidewatch_projections::vocabulary::EventType;

pub const LINEAGE: u128 = 0x7157;

pub fn options(segment_bytes: u64) -> LogOptions {
    LogOptions { segment_bytes, reserve_bytes: 2048, ..LogOptions::new(3, LINEAGE) }
}

pub fn open(disk: &SimulatedDisk, segment_bytes: u64) -> Result<(LogWriter, Opened), LogError> {
    LogWriter::open(Arc::new(disk.clone()), options(segment_bytes))
}

pub fn disk() -> SimulatedDisk {
    SimulatedDisk::new(1, Faults::default())
}

/// The event with sequence `seq`, different for each.
pub fn event(names: &Names, seq: u64) -> Event {
    Event {
        source: names.intern("web"),
        generation: 0,
        id: format!("event-{seq}").into(),
        subject: Subject::Account(names.intern(&format!("account-{}", seq % 5))),
        user: Some(names.intern(&format!("user-{}", seq % 7))),
        actor: Actor::Person,
        product: None,
        kind: EventType::Usage,
        occurred_at: 1_700_000_000_000_000 + seq as i64 * 1000,
        quantity: Some(1_000_000),
        amount: None,
        feature: Some(names.intern("export")),
        metric: None,
        properties: Vec::new(),
        unknown: Box::default(),
    }
}

pub fn offset(partition: i32, next_offset: i64) -> Checkpoint {
    offset_of("app", partition, next_offset)
}

pub fn offset_of(source: &str, partition: i32, next_offset: i64) -> Checkpoint {
    Checkpoint::Kafka(PartitionCheckpoint {
        source: source.into(),
        cluster: "c1".into(),
        topic: "events".into(),
        topic_id: "t1".into(),
        partition,
        leader_epoch: 2,
        next_offset,
    })
}

pub fn file_position(source: &str, byte: u64) -> Checkpoint {
    Checkpoint::File(FileCheckpoint { source: source.into(), digest: "d1".into(), byte, line: byte / 10 })
}

/// A frame of `count` events from `first_seq` on, with the checkpoint that covers them.
pub fn frame(names: &Arc<Names>, first_seq: u64, count: u64) -> SealedFrame {
    let mut builder = FrameBuilder::new(Arc::clone(names), first_seq);
    for seq in first_seq..first_seq + count {
        assert_eq!(builder.push_event(&event(names, seq)), Ok(seq));
    }
    builder.progress(&[offset(0, (first_seq + count - 1) as i64)]);
    builder.seal(1_800_000_000_000_000 + first_seq as i64)
}

/// Writes and syncs `frames` frames of `count` events.
pub fn write(writer: &mut LogWriter, names: &Arc<Names>, frames: u64, count: u64) {
    for _ in 0..frames {
        let frame = frame(names, writer.next_seq(), count);
        writer.append(&frame).unwrap();
        writer.sync().unwrap();
    }
}

/// A log that was closed in order; the disk it lies on.
pub fn closed_log(segment_bytes: u64, frames: u64, count: u64) -> SimulatedDisk {
    let disk = disk();
    let (mut writer, _) = open(&disk, segment_bytes).unwrap();
    write(&mut writer, &Arc::new(Names::new()), frames, count);
    writer.close().unwrap();
    disk
}

/// All events of a log by their sequences, with names of the test's own.
pub fn read(disk: &SimulatedDisk, names: &Arc<Names>) -> Result<Vec<(u64, Entry)>, LogError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut reader = LogReader::new(disk, "log", Arc::clone(names), 1);
    let mut entries = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        entries.extend(frame.entries);
    }
    Ok(entries)
}

/// Checks that a log holds exactly the events made by [`event`] from 1 to `last`.
#[track_caller]
pub fn check_holds(disk: &SimulatedDisk, last: u64) {
    let names = Arc::new(Names::new());
    let entries = read(disk, &names).unwrap();
    assert_eq!(entries.len() as u64, last);
    check_true(&names, &entries);
}

/// Checks that entries are the events made by [`event`], without gaps from the first one on.
#[track_caller]
pub fn check_true(names: &Names, entries: &[(u64, Entry)]) {
    for (at, (seq, entry)) in (entries.first().map_or(1, |first| first.0)..).zip(entries) {
        assert_eq!(at, *seq);
        assert_eq!(*entry, Entry::Event(event(names, at)));
    }
}

/// The paths of a log's segments.
pub fn segments(disk: &SimulatedDisk) -> Vec<String> {
    disk.list("log").unwrap().into_iter().map(|name| format!("log/{name}")).collect()
}
