//! Whatever would lose records stops the program with an answer to give, and with the answer it goes on.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::broker::{Broker, WAIT, block_on, eventually, shared};
use crate::program::Program;

fn lines(from: usize, to: usize) -> impl Iterator<Item = String> {
    (from..to).map(|number| {
        format!(
            r#"{{"account":"acme","type":"usage","occurred_at":"2024-02-01T10:00:{:02}Z","properties":{{"feature":"f{number}"}}}}"#,
            number % 60
        )
    })
}

#[test]
fn a_topic_made_again_stops_the_program_and_its_events_collide_with_none_before() {
    let broker = shared();
    let topic = broker.topic("made-again", 2);
    broker.produce(&topic, 0, lines(0, 30));
    broker.produce(&topic, 1, lines(30, 40));
    let mut program = Program::new().with_source(broker, "app", &topic, "");
    program.serve_until_caught_up().unwrap();
    assert_eq!(program.accepted().len(), 40);

    broker.delete_topic(&topic);
    broker.create_topic(&topic, 2);
    // The same offsets hold other events, without ids.
    broker.produce(&topic, 0, lines(100, 150));
    let stopped = program.serve_until_caught_up().unwrap_err();
    assert!(stopped.contains("the topic was deleted and made again"), "{stopped}");
    assert_eq!(program.accepted().len(), 40, "nothing of the new topic");
    let stopped_again = program.serve_until_caught_up().unwrap_err();
    program.answer(&stopped_again);
    program.serve_until_caught_up().unwrap();
    assert_eq!(program.accepted().len(), 90);
    program.serve_until_caught_up().unwrap();
    assert_eq!(program.accepted().len(), 90, "the answer may stay in the file");
}

fn alter_retention(broker: &Broker, topic: &str, retention_ms: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &broker.address).create().unwrap();
    let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set("retention.ms", retention_ms);
    let altered = block_on(admin.alter_configs([&change], &AdminOptions::new())).unwrap();
    altered[0].as_ref().unwrap();
}

fn oldest(consumer: &BaseConsumer, topic: &str, partition: i32) -> i64 {
    consumer.fetch_watermarks(topic, partition, WAIT).unwrap().0
}

#[test]
fn segments_deleted_by_retention_stop_the_partition_and_no_other() {
    let broker = shared();
    let topic = broker.topic("retention-ms", 2);
    broker.produce(&topic, 0, lines(0, 20));
    let mut program = Program::new().with_source(broker, "app", &topic, "");
    program.serve_until_caught_up().unwrap();
    broker.produce(&topic, 0, lines(20, 50));
    alter_retention(broker, &topic, "1000");
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", &broker.address).create().unwrap();
    eventually("retention deletes the segment", || oldest(&consumer, &topic, 0) == 50);
    alter_retention(broker, &topic, "604800000");
    // The broker applies the change before it looks at its segments again.
    std::thread::sleep(Duration::from_secs(2));
    broker.produce(&topic, 0, lines(50, 60));
    broker.produce(&topic, 1, lines(60, 67));
    assert_eq!(oldest(&consumer, &topic, 0), 50);

    let stopped = program.serve_until_caught_up().unwrap_err();
    assert!(stopped.contains("the broker deleted 30 offset(s) before they were read"), "{stopped}");
    assert!(stopped.contains("the next to read is 20, the oldest left is 50"), "{stopped}");
    let of_partition_0 = |program: &Program| {
        program.accepted().iter().filter(|(_, _, id)| id.split('/').nth(2) == Some("0")).count()
    };
    assert_eq!(of_partition_0(&program), 20, "nothing after the loss");
    program.answer(&stopped);
    program.serve_until_caught_up().unwrap();
    assert_eq!((of_partition_0(&program), program.accepted().len()), (30, 37));
}
