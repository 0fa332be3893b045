//! What is written is what is read, whatever it is.

use std::sync::Arc;

use proptest::prelude::*;
use tidewatch_engine::storage::disk::Disk;
use tidewatch_engine::storage::disk::real::RealDisk;
use tidewatch_engine::storage::disk::simulated::{ALWAYS, Faults, SimulatedDisk};
use tidewatch_engine::storage::log::{
    BackwardReader, ControlRecord, DeadLetter, Ended, Entry, FrameBuilder, LogError, LogOptions, LogReader,
    LogWriter, Unwritable, stat, verify,
};
use tidewatch_ingest::batch::Origin;
use tidewatch_ingest::reject::Reason;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::{Actor, Currency, Event, Money, Subject};
use tidewatch_projections::names::Names;
use tidewatch_projections::value::Value;
use tidewatch_projections::vocabulary::{EventType, KNOWN_TYPES};

use crate::support::{
    check_holds, disk, event, file_position, frame, offset, offset_of, open, options, read, segments, write,
};

fn values() -> impl Strategy<Value = Value> {
    let number = (any::<i64>(), -40i32..40).prop_map(|(mantissa, exponent)| {
        Value::Number(Decimal::new(i128::from(mantissa) * 1_000_003, exponent))
    });
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number,
        (0i64..3000).prop_map(|whole| Value::Number(Decimal::from(whole))),
        ".{0,12}".prop_map(|text| Value::Text(text.into())),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::btree_map(".{0,6}", inner, 0..5).prop_map(|map| Value::Object(
                map.into_iter().map(|(key, value)| (key.into(), value)).collect()
            )),
        ]
    })
}

fn ids() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<u128>().prop_map(|bits| {
            let hex = format!("{bits:032x}");
            format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
        }),
        any::<u64>().prop_map(|number| number.to_string()),
        (0u64..50).prop_map(|number| format!("orders/3/{number:05}")),
        any::<u128>().prop_map(|bits| format!("{bits:032x}")),
        any::<u64>().prop_map(|bits| format!("{bits:X}")),
        "0[0-9]{0,20}",
        ".{0,40}",
    ]
}

type Make = Box<dyn Fn(&Names, &[String]) -> Event>;

/// An event that can be made with the symbols of any table.
struct Made(Vec<String>, Make);

prop_compose! {
    fn events()(
        id in ids(),
        generation in prop_oneof![Just(0), any::<u32>()],
        (subject, actor, kind) in (0..3usize, 0..3usize, 0..=KNOWN_TYPES.len()),
        optional in any::<[bool; 6]>(),
        (texts, occurred_at) in (prop::collection::vec("[a-d]{0,2}", 8), any::<i64>()),
        quantity in prop_oneof![any::<i64>(), (-1000i64..1000).prop_map(|whole| whole * 1_000_000)],
        (minor, code) in (any::<i64>(), "[A-Z]{3}"),
        properties in prop::collection::btree_map("[a-z]{1,3}", values(), 0..4),
        unknown in prop::collection::vec(any::<u8>(), 0..20),
    ) -> Made {
        let make: Make = Box::new(move |names, texts| {
            let name = |at: usize| names.intern(&texts[at]);
            Event {
                source: name(0),
                generation,
                id: id.clone().into(),
                subject: match subject {
                    0 => Subject::Account(name(1)),
                    1 => Subject::Ref { system: name(1), id: name(2) },
                    _ => Subject::User,
                },
                user: optional[0].then(|| name(3)),
                actor: [Actor::Person, Actor::Service, Actor::Internal][actor],
                product: optional[1].then(|| name(4)),
                kind: KNOWN_TYPES.get(kind).map_or_else(|| EventType::Other(name(5)), |(kind, _, _)| *kind),
                occurred_at,
                quantity: optional[2].then_some(quantity),
                amount: optional[3].then(|| Money { minor, currency: Currency::from_code(&code).unwrap() }),
                feature: optional[4].then(|| name(6)),
                metric: optional[5].then(|| name(7)),
                properties: properties.iter().map(|(key, value)| (names.intern(key), value.clone())).collect(),
                unknown: unknown.clone().into(),
            }
        });
        Made(texts, make)
    }
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", (self.1)(&Names::new(), &self.0))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_event_comes_back_in_another_process(
        made in prop::collection::vec(events(), 1..40),
    ) {
        let disk = disk();
        let writing = Arc::new(Names::new());
        let (mut writer, _) = open(&disk, 1 << 20).unwrap();
        let mut builder = FrameBuilder::new(Arc::clone(&writing), 1);
        for (at, made) in made.iter().enumerate() {
            builder.push_event(&(made.1)(&writing, &made.0)).unwrap();
            if at % 7 == 6 {
                writer.append(&builder.seal(0)).unwrap();
            }
        }
        writer.append(&builder.seal(0)).unwrap();
        writer.sync().unwrap();
        // Other symbols for the same texts, as after a restart.
        let reading = Arc::new(Names::new());
        reading.intern("something else");
        let entries = read(&disk, &reading).unwrap();
        prop_assert_eq!(entries.len(), made.len());
        for (made, (_, entry)) in made.iter().zip(entries) {
            prop_assert_eq!(entry, Entry::Event((made.1)(&reading, &made.0)));
        }
    }
}

#[test]
fn every_kind_of_entry_keeps_its_place() {
    let disk = disk();
    let names = Arc::new(Names::new());
    let letter = |origin, whole_bytes| DeadLetter {
        source: names.intern("web"),
        reason: Reason::IdConflict,
        detail: "same id, other amount".into(),
        origin,
        original: b"{\xff".as_slice().into(),
        whole_bytes,
        at: -5,
    };
    let letters = [
        letter(
            Origin::Kafka {
                topic: names.intern("t"),
                topic_id: names.intern("id"),
                partition: 3,
                offset: 1 << 40,
            },
            2,
        ),
        letter(Origin::Line { digest: names.intern("d"), line: 9 }, 1 << 33),
    ];
    let control = ControlRecord { kind: 700, payload: b"payload".as_slice().into() };
    let (mut writer, _) = open(&disk, 1 << 20).unwrap();
    let mut builder = FrameBuilder::new(Arc::clone(&names), 1);
    assert_eq!(builder.push_event(&event(&names, 1)), Ok(1));
    assert_eq!(builder.push_dead_letter(&letters[0]), Ok(2));
    assert_eq!(builder.push_dead_letter(&letters[1]), Ok(3));
    assert_eq!(builder.push_control(control.kind, &control.payload), Ok(4));
    writer.append(&builder.seal(7)).unwrap();
    writer.sync().unwrap();
    let mut reader = LogReader::new(Arc::new(disk.clone()), "log", Arc::clone(&names), 1);
    let frame = reader.next_frame().unwrap().unwrap();
    assert!(frame.header.is_control());
    assert_eq!((frame.header.recorded_at, frame.header.count, frame.header.shard), (7, 4, 3));
    let [one, two] = letters;
    let entries = [
        Entry::Event(event(&names, 1)),
        Entry::DeadLetter(one),
        Entry::DeadLetter(two),
        Entry::Control(control),
    ];
    assert_eq!(frame.entries, (1..).zip(entries).collect::<Vec<_>>());
    assert_eq!(reader.next_frame().unwrap(), None);
}

#[test]
fn segments_follow_each_other_and_each_starts_with_all_checkpoints() {
    let disk = disk();
    let names = Arc::new(Names::new());
    let (mut writer, _) = open(&disk, 4096).unwrap();
    let mut builder = FrameBuilder::new(Arc::clone(&names), 1);
    builder.push_event(&event(&names, 1)).unwrap();
    builder.progress(&[
        offset(9, 4),
        offset_of("crm", 9, 4),
        file_position("crm", 100),
        file_position("kept", 7),
    ]);
    writer.append(&builder.seal(0)).unwrap();
    builder.forget("crm");
    builder.push_control(1, b"reset").unwrap();
    writer.append(&builder.seal(0)).unwrap();
    write(&mut writer, &names, 60, 10);
    let last = writer.next_seq() - 1;
    assert!(segments(&disk).len() > 3);
    let mut reader = LogReader::new(Arc::new(disk.clone()), "log", Arc::clone(&names), 1);
    let mut firsts = 0;
    while let Some(frame) = reader.next_frame().unwrap() {
        if frame.header.is_first() && frame.header.frame_no > 1 {
            firsts += 1;
            let next = (frame.header.next_seq() - 1) as i64;
            assert_eq!(frame.progress.checkpoints, [offset(0, next), offset(9, 4), file_position("kept", 7)]);
        }
    }
    assert_eq!(firsts + 1, segments(&disk).len());
    writer.close().unwrap();
    let (_, opened) = open(&disk, 4096).unwrap();
    assert_eq!(opened.ended, Ended::InOrder);
    assert_eq!(opened.checkpoints, [offset(0, last as i64), offset(9, 4), file_position("kept", 7)]);
}

#[test]
fn reading_starts_and_stops_where_asked_and_goes_on_when_the_log_grows() {
    let disk = disk();
    let names = Arc::new(Names::new());
    let (mut writer, _) = open(&disk, 4096).unwrap();
    write(&mut writer, &names, 40, 10);
    for from in [1, 2, 10, 11, 155, 399, 400] {
        let mut reader = LogReader::new(Arc::new(disk.clone()), "log", Arc::clone(&names), from);
        let frame = reader.next_frame().unwrap().unwrap();
        assert_eq!(frame.entries[0].0, from);
    }
    let mut reader = LogReader::new(Arc::new(disk.clone()), "log", Arc::clone(&names), 401).until(405);
    assert_eq!(reader.next_frame().unwrap(), None);
    write(&mut writer, &names, 1, 10);
    assert_eq!(reader.next_frame().unwrap(), None, "past the bound");
    reader.set_until(410);
    assert_eq!(reader.next_frame().unwrap().unwrap().entries[0].0, 401);
}

#[test]
fn what_a_writer_adds_behind_a_readers_window_is_beyond_its_bound_and_no_damage() {
    let disk = disk();
    let names = Arc::new(Names::new());
    let (mut writer, _) = open(&disk, 1 << 20).unwrap();
    write(&mut writer, &names, 2, 10);
    let mut reader = LogReader::new(Arc::new(disk.clone()), "log", Arc::clone(&names), 1).until(20);
    while reader.next_frame().unwrap().is_some_and(|frame| frame.entries[0].0 < 11) {}
    write(&mut writer, &names, 3, 10);
    assert_eq!(reader.next_frame().unwrap(), None, "past the bound");
    reader.set_until(30);
    assert_eq!(reader.next_frame().unwrap().unwrap().entries[0].0, 21);

    let mut frames = 0;
    let mut busy = |_| {
        frames += 1;
        if frames <= 2 {
            write(&mut writer, &names, 3, 10);
        }
        true
    };
    let verified = verify(&disk, "log", &mut busy).unwrap();
    assert!(verified.is_sound() && verified.last_seq == 110, "{verified:?}");
    frames = 0;
    let mut busy = |_| {
        frames += 1;
        if frames <= 2 {
            write(&mut writer, &names, 3, 10);
        }
        true
    };
    assert_eq!(stat(&disk, "log", &mut busy).unwrap()[0].events, 170);
}

#[test]
fn a_check_that_nobody_waits_for_ends_early() {
    let disk = closed_and_torn();
    let whole = verify(&disk, "log", |_| true).unwrap();
    assert!(whole.frames > 2, "{whole:?}");
    let mut left = 2;
    let wanted = |_| {
        left -= 1;
        left > 0
    };
    assert_eq!(verify(&disk, "log", wanted).unwrap().frames, 2);
    assert_eq!(stat(&disk, "log", |_| false).unwrap(), []);
}

#[test]
fn reading_backwards_gives_the_same_frames() {
    let disk = closed_and_torn();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut forwards = Vec::new();
    let mut reader = LogReader::new(Arc::clone(&shared), "log", Arc::new(Names::new()), 1);
    while let Some(frame) = reader.next_raw().unwrap() {
        forwards.push(frame.header.frame_no);
    }
    let mut backwards = Vec::new();
    let mut reader = BackwardReader::open(shared, "log").unwrap();
    while let Some(frame) = reader.previous_raw().unwrap() {
        if !frame.header.is_seal() {
            backwards.push(frame.header.frame_no);
        }
    }
    backwards.reverse();
    assert_eq!(forwards, backwards);
    assert!(forwards.len() > 20);
}

fn closed_and_torn() -> SimulatedDisk {
    let disk = disk();
    let names = Arc::new(Names::new());
    let (mut writer, _) = open(&disk, 4096).unwrap();
    write(&mut writer, &names, 25, 10);
    let appended = writer.append(&frame(&names, 251, 10)).unwrap();
    let last = segments(&disk).pop().unwrap();
    let content = disk.content(&last).unwrap();
    let end = content.iter().rposition(|byte| *byte != 0).unwrap();
    disk.flip_bit(&last, end - appended.bytes as usize / 2, 3);
    disk
}

#[test]
fn entries_beyond_the_limits_are_refused_and_leave_the_frame_good() {
    let names = Arc::new(Names::new());
    let mut builder = FrameBuilder::new(Arc::clone(&names), 1);
    builder.push_event(&event(&names, 1)).unwrap();
    let huge = vec![0u8; 17 << 20];
    assert!(matches!(builder.push_control(1, &huge), Err(Unwritable::TooLarge { .. })));
    let mut deep = Value::Null;
    for _ in 0..65 {
        deep = Value::List(vec![deep]);
    }
    let mut nested = event(&names, 2);
    nested.properties.push((names.intern("deep"), deep));
    assert_eq!(builder.push_event(&nested), Err(Unwritable::TooDeep));
    builder.push_event(&event(&names, 2)).unwrap();
    let disk = disk();
    let (mut writer, _) = open(&disk, 1 << 20).unwrap();
    writer.append(&builder.seal(0)).unwrap();
    writer.sync().unwrap();
    check_holds(&disk, 2);
}

#[test]
fn an_entry_larger_than_a_segment_still_has_its_place() {
    let disk = disk();
    let names = Arc::new(Names::new());
    let (mut writer, _) = open(&disk, 4096).unwrap();
    let mut builder = FrameBuilder::new(Arc::clone(&names), 1);
    let mut random = tidewatch_ingest::random::Random::new(1);
    let payload: Vec<u8> = (0..100_000).map(|_| random.bits() as u8).collect();
    builder.push_control(1, &payload).unwrap();
    writer.append(&builder.seal(0)).unwrap();
    writer.append(&frame(&names, 2, 3)).unwrap();
    writer.sync().unwrap();
    let entries = read(&disk, &names).unwrap();
    assert_eq!(entries[0].1, Entry::Control(ControlRecord { kind: 1, payload: payload.into() }));
    assert_eq!(entries.len(), 4);
}

#[test]
fn frames_out_of_order_are_refused_without_harm() {
    let disk = disk();
    let names = Arc::new(Names::new());
    let (mut writer, _) = open(&disk, 4096).unwrap();
    write(&mut writer, &names, 1, 10);
    let gap = writer.append(&frame(&names, 12, 1)).unwrap_err();
    assert!(matches!(gap, LogError::OutOfOrder { found: 12, expected: 11, .. }), "{gap}");
    let mut builder = FrameBuilder::new(Arc::clone(&names), 11);
    builder.push_event(&event(&names, 11)).unwrap();
    let early = writer.append(&builder.seal(5)).unwrap_err();
    assert!(matches!(early, LogError::OutOfOrder { found: 5, .. }), "{early}");
    write(&mut writer, &names, 1, 1);
    check_holds(&disk, 11);
}

#[test]
fn a_full_disk_refuses_a_frame_and_takes_it_later() {
    // More than fits what is reserved ahead of the end.
    const SEQ_MAX: u64 = 1 << 20;
    let names = Arc::new(Names::new());
    let full = |disk: &SimulatedDisk| {
        disk.set_faults(Faults { capacity_bytes: Some(disk.used_bytes()), ..Faults::default() });
    };
    for segment_bytes in [4096, 1 << 20] {
        let disk = disk();
        let (mut writer, _) = open(&disk, segment_bytes).unwrap();
        write(&mut writer, &names, 3, 10);
        full(&disk);
        let refused = loop {
            assert!(writer.next_seq() < SEQ_MAX, "the full disk took every frame");
            let frame = frame(&names, writer.next_seq(), 10);
            if let Err(error) = writer.append(&frame) {
                break error;
            }
            writer.sync().unwrap();
        };
        assert!(matches!(refused, LogError::DiskFull { .. }), "{refused}");
        let last = writer.next_seq() - 1;
        assert_eq!(writer.poisoned(), None);
        check_holds(&disk, last);
        disk.set_faults(Faults::default());
        write(&mut writer, &names, 20, 10);
        check_holds(&disk, last + 200);
    }
}

#[test]
fn after_a_failed_sync_nothing_is_taken_until_the_log_is_opened_anew() {
    let disk = disk();
    let names = Arc::new(Names::new());
    let (mut writer, _) = open(&disk, 1 << 20).unwrap();
    write(&mut writer, &names, 2, 10);
    writer.append(&frame(&names, 21, 10)).unwrap();
    disk.set_faults(Faults { sync_failed: ALWAYS, ..Faults::default() });
    assert!(matches!(writer.sync().unwrap_err(), LogError::Io { action: "sync", .. }));
    disk.set_faults(Faults::default());
    assert!(matches!(writer.sync().unwrap_err(), LogError::Poisoned { .. }));
    assert!(matches!(writer.append(&frame(&names, 31, 1)).unwrap_err(), LogError::Poisoned { .. }));
    assert_eq!(writer.durable().seq, 20);
    drop(writer);
    // The process starts again on the same machine: the page still reads as good, so it is copied before it counts.
    let (writer, opened) = open(&disk, 1 << 20).unwrap();
    assert_eq!((opened.ended, opened.last_seq), (Ended::Abruptly, 30));
    assert!(opened.copied_bytes > 0);
    drop(writer);
    disk.set_faults(Faults { sector_lost: ALWAYS, names_lost: ALWAYS, ..Faults::default() });
    disk.crash();
    check_holds(&disk, 30);
}

#[test]
fn a_log_of_another_shard_lineage_or_later_format_is_refused_with_both_named() {
    let disk = crate::support::closed_log(4096, 5, 10);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let refused = |options: LogOptions| match LogWriter::open(Arc::clone(&shared), options) {
        Ok(_) => panic!("opened"),
        Err(error) => error.to_string(),
    };
    let other_shard = refused(LogOptions { shard: 4, ..options(4096) });
    assert!(other_shard.contains("shard 3, not to shard 4"), "{other_shard}");
    let other_lineage = refused(LogOptions { lineage: Some(1), ..options(4096) });
    assert!(other_lineage.contains("lineage"), "{other_lineage}");
    let first = segments(&disk).remove(0);
    let mut content = disk.content(&first).unwrap();
    content[4] = 9;
    let crc = crc32c(&content[..108]);
    content[108..112].copy_from_slice(&crc.to_le_bytes());
    disk.put(&first, &content);
    let newer = refused(options(4096));
    assert!(newer.contains("format 9") && newer.contains("up to 1"), "{newer}");
}

/// Bit by bit, to be sure that the checksum is the one the format states.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn real_files_behave_as_the_simulated_ones() {
    let root = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(root.path()).unwrap());
    let names = Arc::new(Names::new());
    let mut last = 0;
    for is_orderly in [true, false, true] {
        let (mut writer, opened) = LogWriter::open(Arc::clone(&disk), options(4096)).unwrap();
        assert_eq!(opened.last_seq, last);
        write(&mut writer, &names, 20, 10);
        last += 200;
        if is_orderly {
            writer.close().unwrap();
        }
    }
    let mut reader = LogReader::new(disk, "log", Arc::clone(&names), 1);
    let mut entries = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        entries.extend(frame.entries);
    }
    assert_eq!(entries.len() as u64, last);
    crate::support::check_true(&names, &entries);
}
