//! Writing records to the broker through its restarts.
#![expect(clippy::disallowed_methods, reason = "a real broker keeps real time")]

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::broker::{Broker, WAIT};
use crate::workload::Record;

/// An idempotent producer: each record comes to lie in the topic once and in order, so that its offset is known beforehand.
pub struct Producer {
    client: BaseProducer,
    watcher: BaseConsumer,
    topic: String,
}

impl Producer {
    /// A producer for a topic.
    pub fn new(broker: &Broker, topic: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &broker.address).set("reconnect.backoff.max.ms", "500");
        let watcher = config.create().expect("a consumer");
        // A partition that was just added must be known soon.
        config
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("topic.metadata.refresh.interval.ms", "500");
        Self { client: config.create().expect("a producer"), watcher, topic: topic.into() }
    }

    /// Queues records.
    pub fn send(&mut self, records: &[Record]) {
        for Record { partition, line } in records {
            let mut record = BaseRecord::<(), str>::to(&self.topic).partition(*partition).payload(line);
            let deadline = Instant::now() + WAIT;
            while let Err((error, again)) = self.client.send(record) {
                let is_passing = matches!(
                    error,
                    KafkaError::MessageProduction(
                        RDKafkaErrorCode::QueueFull | RDKafkaErrorCode::UnknownPartition
                    )
                );
                assert!(is_passing && Instant::now() < deadline, "{error}");
                self.client.poll(Duration::from_millis(20));
                record = again;
            }
        }
        self.client.poll(Duration::ZERO);
    }

    /// Waits until the broker has them.
    pub fn flush(&mut self) {
        self.client.flush(WAIT).expect("everything is written in time");
    }

    /// Where the partitions end.
    pub fn ends(&self, partitions: usize) -> Vec<i64> {
        let end =
            |partition| self.watcher.fetch_watermarks(&self.topic, partition, WAIT).expect("watermarks").1;
        (0..partitions as i32).map(end).collect()
    }
}
