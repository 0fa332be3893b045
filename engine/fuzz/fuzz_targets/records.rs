//! Raw records of a topic, one a line, through a decoder: each has an outcome, in order, with its own bytes and place.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use tidewatch_ingest::batch::{Origin, Outcome, RawBatch, RawRecord};
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::mapping::Mapping;
use tidewatch_projections::names::Names;

static MAPPING: LazyLock<Arc<Mapping>> = LazyLock::new(|| {
    let file = include_str!("../../../deploy/mappings/itsm-tickets.toml");
    Arc::new(Mapping::parse(file).expect("the project's own mapping"))
});

fuzz_target!(|input: &[u8]| {
    let (style, lines) = input.split_first().unwrap_or((&0, &[]));
    let names = Arc::new(Names::new());
    let (topic, topic_id) = (names.intern("events"), names.intern("b1946ac9"));
    // Small limits, so that records come past them.
    let limits = Limits { record_bytes_max: 1 << (5 + style % 8), text_bytes_max: 64, ..Limits::default() };
    let mut raw = RawBatch::default();
    for (line, offset) in lines.split(|byte| *byte == b'\n').zip(7..) {
        let start = raw.payload.len();
        raw.payload.extend_from_slice(&line[..line.len().min(limits.record_bytes_max)]);
        let origin = Origin::Kafka { topic, topic_id, partition: 3, offset };
        let whole_bytes = line.len() as u64;
        raw.records.push(RawRecord { bytes: start..raw.payload.len(), whole_bytes, origin });
    }
    let records = raw.records.clone();
    let format = if style & 128 == 0 { Format::Native } else { Format::Mapped(Arc::clone(&MAPPING)) };
    let batch = Decoder::new(Arc::clone(&names), "main", "app", limits, format).decode(raw);
    let mut items = batch.items.iter().peekable();
    for record in &records {
        let mut outcomes = 0;
        while let Some(item) = items.next_if(|item| item.origin == record.origin) {
            outcomes += 1;
            assert_eq!((&item.bytes, item.whole_bytes), (&record.bytes, record.whole_bytes));
            if let Outcome::Event { event, .. } = &item.outcome {
                assert!(!event.id.is_empty() && event.user.is_none_or(|user| !names.text(user).is_empty()));
                assert!(record.bytes.len() as u64 == record.whole_bytes, "half a record is no event");
            }
        }
        assert!(outcomes > 0, "a record without an outcome: {record:?}");
    }
    assert_eq!(items.next(), None, "an outcome of no record");
});
