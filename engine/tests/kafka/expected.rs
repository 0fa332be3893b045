//! What the public data sets state about themselves holds by way of a broker as it does by way of files.

use std::sync::Arc;
use std::time::Duration;

use tidewatch_ingest::batch::RawBatch;
use tidewatch_ingest::files::{FileSource, Input};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::source::{Polled, Source};
use tidewatch_projections::names::Names;

use crate::broker::{Broker, shared};
use crate::dataset::Dataset;
use crate::program::Program;
use crate::support::Shard;

const PARTITIONS: i32 = 4;

#[test]
#[ignore = "needs the public data sets"]
fn data_set_openstack_vendors_counts_as_it_says() {
    check("openstack-vendors", None);
}

#[test]
#[ignore = "needs the public data sets"]
fn data_set_online_retail_counts_as_it_says() {
    check("online-retail-b2b", Some("billing_gbp_30d"));
}

#[test]
#[ignore = "needs the public data sets"]
fn data_set_itsm_tickets_counts_as_it_says() {
    check("itsm-tickets", None);
}

#[test]
#[ignore = "needs the public data sets"]
fn data_set_ravenstack_counts_as_it_says() {
    check("ravenstack", Some("billing_usd_30d"));
}

fn check(set: &'static str, billing: Option<&str>) {
    let set = Dataset::of(set);
    let broker = shared();
    let topic = broker.topic(set.name, PARTITIONS);
    produce(broker, &topic, &set);
    let mapping = set.mapping_file();
    let more = format!("format = 'mapped'\nmapping = '{}'", mapping.display());
    let program = Program::new().with_source(broker, set.name, &topic, &more);
    program.serve_until_caught_up().unwrap();
    set.check(&program.shard, billing);

    let files = Shard::new();
    set.import(&files);
    assert_eq!(program.shard.digest(2), files.digest(2), "by way of the broker and of files");
    broker.delete_topic(&topic);
}

/// Deals the lines out to the partitions one by one.
fn produce(broker: &Broker, topic: &str, set: &Dataset) {
    let names = Arc::new(Names::new());
    let limits = Limits::default();
    let inputs = vec![Input::Path(set.events())];
    let mut file = FileSource::new(set.name, names, inputs, limits.record_bytes_max);
    file.resume(&[]).unwrap();
    let mut lines: Vec<Vec<Vec<u8>>> = vec![Vec::new(); PARTITIONS as usize];
    let mut batch = RawBatch::default();
    let mut count = 0;
    loop {
        batch.clear();
        let polled = file.poll(Duration::ZERO, &mut batch).unwrap();
        for record in &batch.records {
            lines[count % PARTITIONS as usize].push(batch.payload[record.bytes.clone()].to_vec());
            count += 1;
        }
        if polled == Polled::Ended {
            break;
        }
    }
    for (partition, lines) in (0..).zip(lines) {
        broker.produce(topic, partition, lines);
    }
}
