//! A small log written as bytes say, its files changed as they say, and what must be made of it: recovered, cut and
//! reported, or named as damaged. The fuzz target `log` is this file.

use std::sync::Arc;

use tidewatch_engine::storage::disk::Disk;
use tidewatch_engine::storage::disk::simulated::{Faults, SimulatedDisk};
use tidewatch_engine::storage::log::{
    ControlRecord, DeadLetter, Ended, Entry, FrameBuilder, LogError, LogOptions, LogReader, LogWriter,
    read_bytes, verify,
};
use tidewatch_ingest::batch::Origin;
use tidewatch_ingest::checkpoint::{Checkpoint, FileCheckpoint};
use tidewatch_ingest::reject::Reason;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::{Actor, Currency, Event, Money, Subject};
use tidewatch_projections::names::Names;
use tidewatch_projections::value::Value;
use tidewatch_projections::vocabulary::EventType;

const DIR: &str = "log";
const FRAMES_MAX: u8 = 24;
const CHANGES_MAX: u8 = 4;

/// Choices from bytes; once they are used up, each is 0.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    fn wide(&mut self) -> u64 {
        (0..4).fold(0, |wide, _| wide << 8 | u64::from(self.byte()))
    }

    fn text(&mut self) -> String {
        let letters = self.below(6);
        (0..letters).map(|_| char::from(b'a' + self.below(26))).collect()
    }
}

/// A frame as it lies in its file.
struct Place {
    file: usize,
    start: usize,
    end: usize,
    frame_no: u64,
    synced_to: u64,
    /// Entries up to its end.
    entries: usize,
}

/// Writes a log, changes its files, and holds opening, reading and verifying to what lies in them.
pub fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let names = Arc::new(Names::new());
    let disk = SimulatedDisk::new(1, Faults::default());
    let options = LogOptions {
        segment_bytes: 600 + 100 * u64::from(choices.below(40)),
        reserve_bytes: 64 * u64::from(choices.below(32)),
        ..LogOptions::new(3, 0x7157)
    };
    let written = write(&disk, &options, &names, &mut choices);
    assert_eq!(read(&disk, &names).expect("it was just written"), written, "what is written is what is read");
    let sound = verify(&disk, DIR, |_| true).expect("it was just written");
    assert!(sound.is_sound() && sound.tail.is_none(), "{sound:?}");

    let files: Vec<String> =
        disk.list(DIR).expect("the directory is there").iter().map(|name| format!("{DIR}/{name}")).collect();
    let before: Vec<Vec<u8>> = files.iter().map(|file| disk.content(file).unwrap_or_default()).collect();
    let places = places(&disk, &names, &before);
    let mut after = before.clone();
    change(&mut after, &mut choices);
    for (file, content) in files.iter().zip(&after) {
        disk.put(file, content);
    }

    let is_whole = |place: &Place| {
        let range = place.start..place.end;
        after[place.file].get(range.clone()) == Some(&before[place.file][range])
    };
    let first_bad = places.iter().position(|place| !is_whole(place));
    let is_last = |place: &Place| place.file + 1 == files.len();
    // Claims that a frame was durable: those surely readable, and those perhaps.
    let claims = |sure: bool| {
        let later = &places[first_bad.unwrap_or(places.len())..];
        later
            .iter()
            .filter(|place| is_last(place) && (!sure || is_whole(place)))
            .map(|place| place.synced_to)
            .max()
    };
    let (must_fail, may_fail) = match first_bad.map(|at| &places[at]) {
        None => (false, false),
        Some(bad) if !is_last(bad) => (true, true),
        Some(bad) => (claims(true) >= Some(bad.frame_no), claims(false) >= Some(bad.frame_no)),
    };
    let kept = match first_bad {
        None => written.len(),
        Some(0) => 0,
        Some(at) => places[at - 1].entries,
    };
    let verified = verify(&disk, DIR, |_| true);
    let opened = LogWriter::open(Arc::new(disk.clone()), options.clone());
    let again = Arc::clone(&names);
    let result = opened.and_then(|(writer, opened)| Ok((writer, opened, read(&disk, &again)?)));
    match result {
        Err(error) => {
            assert!(may_fail, "nothing durable is damaged, but: {error}");
            check_named(&error, &files);
            assert!(
                verified.is_err() || verified.is_ok_and(|found| !found.is_sound()),
                "verify misses: {error}"
            );
        }
        Ok((mut writer, opened, entries)) => {
            assert!(!must_fail, "damage below what was durable goes unseen: {opened:?}");
            assert_eq!(entries.len(), kept, "{opened:?}");
            assert_eq!(entries[..], written[..kept], "what is left is what was written");
            assert_eq!(opened.last_seq, kept as u64);
            let verified = verified.expect("what can be opened can be verified");
            assert!(verified.is_sound(), "verify names what opening takes: {verified:?}");
            // What was cut is reported, unless nothing of it is left to see.
            if let Some(bad) = first_bad.map(|at| &places[at]) {
                let left = after[bad.file].get(bad.start..).unwrap_or_default();
                let is_traceless = left.iter().all(|byte| *byte == 0);
                assert_eq!(opened.cut.is_none(), is_traceless, "{opened:?}");
                assert_eq!(verified.tail.is_none(), is_traceless, "{verified:?}");
            }
            go_on(&mut writer, &names, &mut choices);
            writer.close().expect("the disk has no faults");
            let (_, once_more) =
                LogWriter::open(Arc::new(disk.clone()), options).expect("it was closed in order");
            assert_eq!(
                (once_more.ended, once_more.cut, once_more.last_seq),
                (Ended::InOrder, None, kept as u64 + 1)
            );
            assert_eq!(read(&disk, &names).expect("it was closed in order")[..kept], written[..kept]);
        }
    }
}

fn write(
    disk: &SimulatedDisk,
    options: &LogOptions,
    names: &Arc<Names>,
    choices: &mut Choices<'_>,
) -> Vec<Entry> {
    let (mut writer, _) =
        LogWriter::open(Arc::new(disk.clone()), options.clone()).expect("there is no log yet");
    let mut written = Vec::new();
    let frames = 1 + choices.below(FRAMES_MAX);
    for at in 0..frames {
        let mut builder = FrameBuilder::new(Arc::clone(names), writer.next_seq());
        for _ in 0..1 + choices.below(5) {
            written.push(push(&mut builder, names, choices));
            if matches!(written.last(), Some(Entry::Control(_))) {
                break;
            }
        }
        if choices.below(2) == 0 {
            let (byte, line) = (choices.wide(), u64::from(at));
            let (source, digest) = (choices.text(), choices.text());
            builder.progress(&[Checkpoint::File(FileCheckpoint { source, digest, byte, line })]);
        }
        writer.append(&builder.seal(i64::from(at) * 1000)).expect("the disk has no faults");
        if choices.below(3) > 0 {
            writer.sync().expect("the disk has no faults");
        }
    }
    if choices.below(4) == 0 {
        writer.close().expect("the disk has no faults");
    }
    written
}

/// Adds an entry; a control entry is the last of its frame.
fn push(builder: &mut FrameBuilder, names: &Names, choices: &mut Choices<'_>) -> Entry {
    let entry = match choices.below(8) {
        0 => {
            let (source, original) = (names.intern(&choices.text()), choices.text().into_bytes());
            Entry::DeadLetter(DeadLetter {
                source,
                reason: Reason::IdConflict,
                detail: choices.text().into(),
                origin: Origin::Line { digest: source, line: choices.wide() },
                whole_bytes: original.len() as u64 + u64::from(choices.below(3)),
                original: original.into(),
                at: -1,
            })
        }
        1 => {
            let payload = choices.text().into_bytes().into();
            Entry::Control(ControlRecord { kind: choices.byte().into(), payload })
        }
        _ => Entry::Event(event(names, choices)),
    };
    let pushed = match &entry {
        Entry::Event(event) => builder.push_event(event),
        Entry::DeadLetter(letter) => builder.push_dead_letter(letter),
        Entry::Control(control) => builder.push_control(control.kind, &control.payload),
    };
    pushed.expect("it is small");
    entry
}

fn event(names: &Names, choices: &mut Choices<'_>) -> Event {
    let number = choices.wide();
    let id = match choices.below(4) {
        0 => number.to_string(),
        1 => format!("{number:08x}-0000-4000-8000-{number:012x}"),
        2 => choices.text(),
        _ => format!("evt-{number}"),
    };
    let name = |choices: &mut Choices<'_>| names.intern(&choices.text());
    let optional = choices.byte();
    Event {
        source: name(choices),
        generation: choices.byte().into(),
        id: id.into(),
        subject: match choices.below(4) {
            0 => Subject::Ref { system: name(choices), id: name(choices) },
            1 => Subject::User,
            _ => Subject::Account(name(choices)),
        },
        user: (optional & 1 != 0).then(|| name(choices)),
        actor: [Actor::Person, Actor::Service, Actor::Internal][usize::from(choices.below(3))],
        product: (optional & 2 != 0).then(|| name(choices)),
        kind: [EventType::Usage, EventType::InvoicePaid, EventType::Other(name(choices))]
            [usize::from(choices.below(3))],
        occurred_at: choices.wide() as i64 * 1_000_003 - 5_000_000,
        quantity: (optional & 4 != 0).then(|| choices.wide() as i64 - 1_000_000),
        amount: (optional & 8 != 0).then(|| Money {
            minor: choices.wide() as i64 - 1_000_000,
            currency: Currency::from_code("EUR").expect("three letters"),
        }),
        feature: (optional & 16 != 0).then(|| name(choices)),
        metric: (optional & 32 != 0).then(|| name(choices)),
        properties: match optional >> 6 {
            0 => Vec::new(),
            1 => vec![(names.intern("n"), Value::Number(Decimal::new(choices.wide().into(), -2)))],
            2 => vec![(names.intern("t"), Value::Text(choices.text().into()))],
            _ => vec![(names.intern("l"), Value::List(vec![Value::Null, Value::Bool(true)]))],
        },
        unknown: choices.text().into_bytes().into(),
    }
}

/// Where each frame lies. The seal at the end of a segment is the rest of its file.
fn places(disk: &SimulatedDisk, names: &Arc<Names>, files: &[Vec<u8>]) -> Vec<Place> {
    let mut reader = LogReader::new(Arc::new(disk.clone()), DIR, Arc::clone(names), 1);
    let mut places: Vec<Place> = Vec::new();
    let (mut file, mut entries) = (0, 0);
    while let Some(frame) = reader.next_raw().expect("it was just written") {
        let start = frame.header.offset as usize;
        if start == 0
            && let Some(last) = places.last()
        {
            let (start, frame_no) = (last.end, last.frame_no + 1);
            places.push(Place {
                file,
                start,
                end: files[file].len(),
                frame_no,
                synced_to: last.frame_no,
                entries,
            });
            file += 1;
        }
        entries += frame.header.count as usize;
        let end = start + frame.header.frame_bytes() as usize;
        let (frame_no, synced_to) = (frame.header.frame_no, frame.header.synced_to);
        places.push(Place { file, start, end, frame_no, synced_to, entries });
    }
    places
}

/// Bytes set, flipped or zeroed, files cut and emptied.
fn change(files: &mut [Vec<u8>], choices: &mut Choices<'_>) {
    for _ in 0..choices.below(CHANGES_MAX + 1) {
        let file = usize::from(choices.byte()) % files.len();
        let content = &mut files[file];
        let end = content.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1).min(content.len());
        if end == 0 {
            continue;
        }
        let at = choices.wide() as usize % end;
        match choices.below(6) {
            0 => content[at] ^= 1 << choices.below(8),
            1 => content[at] = choices.byte(),
            2 => content[at..end].iter_mut().take(usize::from(choices.byte())).for_each(|byte| *byte = 0),
            3 => content[at..].fill(0),
            4 => content[at..end].iter_mut().for_each(|byte| *byte = choices.byte()),
            _ => content.truncate(at),
        }
    }
}

/// Every entry of a log.
fn read(disk: &SimulatedDisk, names: &Arc<Names>) -> Result<Vec<Entry>, LogError> {
    let mut reader = LogReader::new(Arc::new(disk.clone()), DIR, Arc::clone(names), 1);
    let mut entries = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        entries.extend(frame.entries.into_iter().map(|(_, entry)| entry));
    }
    Ok(entries)
}

/// Damage is told with its file, and a format from the future with both numbers; nothing else can be wrong with these bytes.
fn check_named(error: &LogError, files: &[String]) {
    match error {
        LogError::Damage(damage) => assert!(files.contains(&damage.file), "{damage}"),
        LogError::NewerFormat { file, .. } => assert!(files.contains(file), "{error}"),
        other => panic!("{other}"),
    }
}

/// A log that was opened takes more.
fn go_on(writer: &mut LogWriter, names: &Arc<Names>, choices: &mut Choices<'_>) {
    let mut builder = FrameBuilder::new(Arc::clone(names), writer.next_seq());
    push(&mut builder, names, choices);
    writer.append(&builder.seal(i64::MAX)).expect("a repaired log takes frames");
}

/// Any bytes as the only segment of a log: opening, reading and verifying agree on what they are.
pub fn check_any(bytes: &[u8]) {
    let read_alone = read_bytes(bytes);
    let disk = SimulatedDisk::new(1, Faults::default());
    disk.put(&format!("{DIR}/00000000000000000001-000000000001.seg"), bytes);
    let names = Arc::new(Names::new());
    let verified = verify(&disk, DIR, |_| true);
    let opened = LogWriter::open(Arc::new(disk.clone()), LogOptions::new(3, 0x7157));
    match opened.and_then(|(writer, opened)| Ok((writer, opened, read(&disk, &names)?))) {
        Ok((writer, opened, entries)) => {
            assert_eq!(entries.len() as u64, opened.last_seq);
            assert!(read_alone.entries >= opened.last_seq, "{read_alone:?}");
            let verified = verified.expect("what can be opened can be verified");
            assert!(verified.is_sound() && verified.last_seq == opened.last_seq, "{verified:?}");
            writer.close().expect("the disk has no faults");
            let (_, again) = LogWriter::open(Arc::new(disk.clone()), LogOptions::new(3, 0x7157))
                .expect("it was closed in order");
            assert_eq!((again.last_seq, again.cut), (opened.last_seq, None));
        }
        // Which shard a log must be of, only opening is told.
        Err(LogError::OtherShard { .. }) => {}
        Err(error) => assert!(verified.map_or(true, |found| !found.is_sound()), "verify misses: {error}"),
    }
}
