//! Logs of every released format stay readable.

use std::path::PathBuf;
use std::sync::Arc;

use tidewatch_engine::storage::log::{ControlRecord, DeadLetter, Ended, Entry, FORMAT, FrameBuilder};
use tidewatch_ingest::batch::Origin;
use tidewatch_ingest::reject::Reason;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::{Actor, Currency, Event, Money, Subject};
use tidewatch_projections::names::Names;
use tidewatch_projections::value::Value;
use tidewatch_projections::vocabulary::{EventType, KNOWN_TYPES};

use crate::support::{disk, event, file_position, offset, open, read, segments};

const PATH: &str = "log/00000000000000000001-000000000001.seg";

fn golden(format: u16) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/log-{format}.seg"))
}

/// One event of every type, one with every field, a dead letter of each origin, and a control entry.
fn entries(names: &Names) -> Vec<Entry> {
    let name = |text: &str| names.intern(text);
    let full = Event {
        source: name("crm"),
        generation: 2,
        id: "0c0ffee0-1234-4abc-9def-00112233aabb".into(),
        subject: Subject::Ref { system: name("crm"), id: name("A-17") },
        user: Some(name("zoë@acme.example")),
        actor: Actor::Service,
        product: Some(name("suite")),
        kind: EventType::Other(name("lunch_eaten")),
        occurred_at: -62_135_596_800_000_000,
        quantity: Some(-1_500_000),
        amount: Some(Money { minor: -1999, currency: Currency::from_code("JPY").unwrap() }),
        feature: Some(name("export")),
        metric: Some(name("rows")),
        properties: vec![
            (name("a"), Value::Null),
            (
                name("b"),
                Value::List(vec![Value::Bool(true), Value::Number(Decimal::parse("-12.75e-9").unwrap())]),
            ),
            (name("c"), Value::Object(vec![("deep".into(), Value::Text("ü".into()))])),
            (name("d"), Value::Number(Decimal::from(200))),
        ],
        unknown: br#"{"x":1}"#.as_slice().into(),
    };
    let ids = ["1000", "1001", "007", "orders/3/00017", "orders/3/00018", "00ff00ff00ff00ff00ff00ff00ff00ff"];
    let typed = KNOWN_TYPES.iter().zip(1..).map(|((kind, _, _), seq)| Event {
        kind: *kind,
        subject: if seq % 9 == 0 { Subject::User } else { Subject::Account(name("acme")) },
        actor: if seq % 5 == 0 { Actor::Internal } else { Actor::Person },
        id: ids.get(seq as usize).map_or_else(|| format!("event-{seq}").into(), |id| (*id).into()),
        ..event(names, seq)
    });
    let letter = |reason, origin| DeadLetter {
        source: name("web"),
        reason,
        detail: "why".into(),
        origin,
        original: b"{\xff\x00".as_slice().into(),
        whole_bytes: 3,
        at: 1_700_000_000_000_001,
    };
    let kafka = Origin::Kafka {
        topic: name("events"),
        topic_id: name("k-_dznwpThOFkvNWSIwDgA"),
        partition: 7,
        offset: 1 << 33,
    };
    let line = Origin::Line { digest: name("00112233"), line: 12 };
    std::iter::once(full)
        .chain(typed)
        .map(Entry::Event)
        .chain([
            Entry::DeadLetter(letter(Reason::NotJson, kafka)),
            Entry::DeadLetter(letter(Reason::IdConflict, line)),
            Entry::Control(ControlRecord { kind: 3, payload: b"zone".as_slice().into() }),
        ])
        .collect()
}

/// The log of one segment with this content holds the entries, and ended in order.
#[track_caller]
fn assert_reads_as_written(content: &[u8]) {
    let disk = disk();
    disk.put(PATH, content);
    let (_, opened) = open(&disk, 1 << 20).unwrap();
    assert_eq!((opened.ended, opened.cut), (Ended::InOrder, None));
    assert_eq!(opened.checkpoints, [offset(0, 50), file_position("crm", 1 << 35)]);
    let names = Arc::new(Names::new());
    let found: Vec<_> = read(&disk, &names).unwrap().into_iter().map(|(_, entry)| entry).collect();
    assert_eq!(found, entries(&names));
}

#[test]
fn the_log_of_format_1_reads_as_it_was_written() {
    assert_reads_as_written(&std::fs::read(golden(1)).unwrap());
}

/// When a format is released, its golden file is written with
/// `TIDEWATCH_WRITE_GOLDEN=1 cargo test -p tidewatch-engine --test storage golden`. Not held byte for byte afterwards:
/// another version of the compressor may write the same log in other bytes.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the golden file is a file of the tree, and written when one asks for it"
)]
fn the_log_of_the_current_format_reads_as_it_was_written() {
    let content = write_the_log();
    assert_reads_as_written(&content);
    if std::env::var_os("TIDEWATCH_WRITE_GOLDEN").is_some() {
        std::fs::write(golden(FORMAT), &content).unwrap();
    }
    assert!(golden(FORMAT).exists(), "format {FORMAT} has no golden file");
}

/// The segment that this build writes of the entries.
fn write_the_log() -> Vec<u8> {
    let disk = disk();
    let names = Arc::new(Names::new());
    let (mut writer, _) = open(&disk, 1 << 20).unwrap();
    let mut builder = FrameBuilder::new(Arc::clone(&names), 1);
    for (at, entry) in entries(&names).iter().enumerate() {
        match entry {
            Entry::Event(event) => drop(builder.push_event(event).unwrap()),
            Entry::DeadLetter(letter) => drop(builder.push_dead_letter(letter).unwrap()),
            Entry::Control(control) => drop(builder.push_control(control.kind, &control.payload).unwrap()),
        }
        if at % 20 == 19 {
            builder.progress(&[offset(0, at as i64 + 1), file_position("crm", 1 << 35)]);
            writer.append(&builder.seal(at as i64)).unwrap();
        }
    }
    builder.progress(&[offset(0, 50)]);
    writer.append(&builder.seal(1000)).unwrap();
    writer.close().unwrap();
    let mut content = disk.content(&segments(&disk)[0]).unwrap();
    let end = content.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    content.truncate(end.next_multiple_of(8));
    content
}
