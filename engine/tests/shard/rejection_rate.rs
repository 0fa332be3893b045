//! A stream that is mostly refused is paused, loudly; one that is half good is read to its end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tidewatch_engine::app::{Condition, Ingested, Reading};
use tidewatch_ingest::batch::{Origin, RawBatch, RawRecord};
use tidewatch_ingest::checkpoint::Checkpoint;
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::source::{Polled, Source, SourceHealth, Stopped};
use tidewatch_projections::names::{Names, Symbol};

use crate::support::Shard;

const RECORDS: u64 = 60_000;

/// A stream whose every `good_every`-th record is an event and whose others are not. It never runs far ahead of what is durable.
struct Stream {
    digest: Symbol,
    good_every: u64,
    next: u64,
    batches_ahead: u32,
}

impl Stream {
    fn new(names: &Names, good_every: u64) -> Self {
        Self { digest: names.intern("made for the test"), good_every, next: 0, batches_ahead: 0 }
    }
}

impl Source for Stream {
    fn name(&self) -> &str {
        "stream"
    }

    fn resume(&mut self, _: &[Checkpoint]) -> Result<(), Stopped> {
        Ok(())
    }

    fn poll(&mut self, _: Duration, out: &mut RawBatch) -> Result<Polled, Stopped> {
        if self.batches_ahead == 4 {
            std::thread::sleep(Duration::from_millis(1));
            return Ok(Polled::Open);
        }
        self.batches_ahead += 1;
        for _ in 0..1_000 {
            let number = self.next;
            self.next += 1;
            let line = match number % self.good_every {
                0 => format!(r#"{{"id":"{number}","account":"a","type":"note","occurred_at":{number}}}"#),
                _ => format!("broken {number}"),
            };
            let start = out.payload.len();
            out.payload.extend_from_slice(line.as_bytes());
            let origin = Origin::Line { digest: self.digest, line: number + 1 };
            out.records.push(RawRecord::whole(start..out.payload.len(), origin));
        }
        Ok(if self.next < RECORDS { Polled::Open } else { Polled::Ended })
    }

    fn durable(&mut self, _: &[Checkpoint]) {
        self.batches_ahead -= 1;
    }

    fn health(&self) -> Option<SourceHealth> {
        let lag_records = RECORDS - self.next;
        Some(SourceHealth { skipped: vec![("gap", 3)], lag_records, ..SourceHealth::default() })
    }

    fn streams(&self) -> bool {
        true
    }
}

/// Reads such a stream: what became of it, its condition, and the operators' page.
fn read(good_every: u64) -> (Ingested, Condition, String) {
    let shard = Shard::new();
    let engine = shard.open(1);
    let names = Arc::clone(engine.names());
    let source = Box::new(Stream::new(&names, good_every));
    let decoder = Decoder::new(names, "main", "stream", Limits::default(), Format::Native);
    let stop = Arc::new(AtomicBool::new(false));
    let reading = Reading { source, decoder, mapping_digest: "".into(), stop, until_caught_up: false };
    let ingested = engine.ingest(reading).unwrap();
    let condition = engine.sources()[0].condition;
    let page = engine.meters().page().render();
    engine.shutdown().unwrap();
    (ingested, condition, page)
}

#[test]
fn a_stream_that_is_mostly_refused_is_paused() {
    let (ingested, condition, page) = read(3);
    let [stop] = ingested.stops.as_slice() else { panic!("{:?}", ingested.stops) };
    assert_eq!((stop.cause, condition), ("mostly_refused", Condition::Stopped));
    assert!(stop.to_string().contains("most of them as not_json"), "{stop}");
    let refused = ingested.receipt.rejected_count();
    assert!((6_666..40_000).contains(&refused), "it is paused long before its end: {refused}");
    assert!(page.contains("tidewatch_source_skipped_total{source=\"stream\",why=\"gap\"} 3"), "{page}");
    assert!(page.contains("tidewatch_source_lag_records{source=\"stream\"}"), "{page}");
}

#[test]
fn a_stream_of_which_half_is_refused_is_read_to_its_end() {
    let (ingested, condition, _) = read(2);
    assert_eq!((ingested.stops.len(), condition), (0, Condition::Ended));
    assert_eq!((ingested.receipt.accepted, ingested.receipt.rejected_count()), (RECORDS / 2, RECORDS / 2));
}
