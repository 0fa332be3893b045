//! The Kafka source against a real broker. Needs `TIDEWATCH_BROKERS`, or Maven and a JDK to start one.

#![expect(clippy::disallowed_methods, reason = "a real broker keeps real time")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use support::{Broker, WAIT, eventually, shared};
use tidewatch_ingest::batch::{Origin, RawBatch};
use tidewatch_ingest::checkpoint::{Checkpoint, PartitionCheckpoint};
use tidewatch_ingest::kafka::{KafkaConfig, KafkaSource, WallClock};
use tidewatch_ingest::source::{Polled, Source, Stopped};
use tidewatch_projections::event::Micros;
use tidewatch_projections::names::Names;

const POLL: Duration = Duration::from_millis(20);

fn now() -> Micros {
    jiff::Timestamp::now().as_microsecond()
}

/// A source and all it has given, as a sequencer would keep it.
struct Reader {
    names: Arc<Names>,
    source: KafkaSource,
    batch: RawBatch,
    records: Vec<(String, i32, i64, String)>,
    checkpoints: BTreeMap<(String, i32), PartitionCheckpoint>,
    stops: Vec<Stopped>,
}

impl Reader {
    fn open(broker: &Broker, topics: &[&str], more: &str) -> Self {
        Self::resume(broker, topics, more, &[])
    }

    fn resume(broker: &Broker, topics: &[&str], more: &str, checkpoints: &[Checkpoint]) -> Self {
        Self::configured(
            &format!(
                "name = 'feed'\nbrokers = '{}'\ntopics = {topics:?}\nsurvey_ms = 100\n{more}",
                broker.address
            ),
            checkpoints,
        )
    }

    fn configured(config: &str, checkpoints: &[Checkpoint]) -> Self {
        let config: KafkaConfig = toml::from_str(config).expect("a valid configuration");
        let names = Arc::new(Names::new());
        let wall: WallClock = Arc::new(now);
        let mut source = KafkaSource::open(config, &names, wall).expect("the source opens");
        source.resume(checkpoints).expect("checkpoints are judged later");
        Self {
            names,
            source,
            batch: RawBatch::default(),
            records: Vec::new(),
            checkpoints: BTreeMap::new(),
            stops: Vec::new(),
        }
    }

    fn poll(&mut self) {
        self.batch.clear();
        match self.source.poll(POLL, &mut self.batch) {
            Ok(Polled::Open) => {}
            Ok(Polled::Ended) => panic!("a topic never ends"),
            Err(stopped) => self.stops.push(stopped),
        }
        for record in &self.batch.records {
            let Origin::Kafka { topic, partition, offset, .. } = record.origin else {
                panic!("a Kafka origin")
            };
            let text = String::from_utf8(self.batch.payload[record.bytes.clone()].to_vec()).unwrap();
            self.records.push((self.names.text(topic).to_owned(), partition, offset, text));
        }
        for checkpoint in &self.batch.progress {
            let Checkpoint::Kafka(at) = checkpoint else { panic!("a Kafka checkpoint") };
            self.checkpoints.insert((at.topic.clone(), at.partition), at.clone());
        }
    }

    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + WAIT;
        while !holds(self) {
            assert!(
                Instant::now() < deadline,
                "not within {WAIT:?}: {what}; {} records, stops {:?}, {:?}",
                self.records.len(),
                self.stops,
                self.source.statistics()
            );
            self.poll();
        }
    }

    fn until_caught_up(&mut self) {
        self.until("caught up", |reader| reader.source.caught_up());
    }

    fn values(&self) -> Vec<&str> {
        self.records.iter().map(|(.., value)| value.as_str()).collect()
    }

    fn values_of(&self, partition: i32) -> Vec<&str> {
        self.records.iter().filter(|(_, at, ..)| *at == partition).map(|(.., value)| value.as_str()).collect()
    }

    fn progress(&self) -> Vec<Checkpoint> {
        self.checkpoints.values().cloned().map(Checkpoint::Kafka).collect()
    }

    fn stats_of(&self, partition: i32) -> tidewatch_ingest::kafka::PartitionStatistics {
        let statistics = self.source.statistics();
        statistics.partitions.into_iter().find(|at| at.partition == partition).expect("an admitted partition")
    }
}

fn numbers(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| number.to_string()).collect()
}

#[test]
fn every_codec_is_read_with_origins_and_tombstones_are_counted() {
    let broker = shared();
    let topic = broker.topic("codecs", 1);
    let codecs = ["none", "gzip", "lz4", "snappy", "zstd"];
    for codec in codecs {
        // Long and alike, so that the codec is worth its while and really used.
        let values = (0..50).map(|number| Some(format!("{codec}-{number}-{}", "tide ".repeat(100))));
        broker.produce_with(&[("compression.type", codec)], &topic, 0, values);
    }
    broker.produce_with::<&str>(&[], &topic, 0, [None, Some("after")]);
    let mut reader = Reader::open(broker, &[&topic], "");
    reader.until_caught_up();
    assert_eq!(reader.records.len(), 251);
    for (place, codec) in codecs.iter().enumerate() {
        let (name, partition, offset, value) = &reader.records[place * 50 + 49];
        assert_eq!((name, *partition, *offset), (&topic, 0, (place * 50 + 49) as i64));
        assert!(value.starts_with(&format!("{codec}-49-")), "{value}");
    }
    assert_eq!(reader.records[250].2, 251, "the tombstone keeps its offset");
    let statistics = reader.source.statistics();
    assert_eq!(statistics.tombstones, 1);
    assert_eq!((statistics.partitions[0].records, statistics.partitions[0].lag), (251, 0));
}

#[test]
fn a_secured_broker_under_load_restarts_and_nothing_is_lost_or_repeated() {
    let broker = Broker::start("own", &["--secure"]);
    let topic = broker.topic("secure", 2);
    let (address, authority, password) = broker.secure();
    let mut reader = Reader::configured(
        &format!(
            "name = 'feed'\nbrokers = '{address}'\ntopics = ['{topic}']\nsurvey_ms = 100\n[options]\n\
             'security.protocol' = 'sasl_ssl'\n'sasl.mechanism' = 'SCRAM-SHA-256'\n'sasl.username' = 'tidewatch'\n\
             'sasl.password' = {{ file = '{}' }}\n'ssl.ca.location' = '{}'\n",
            password.display(),
            authority.display()
        ),
        &[],
    );
    let count = 2_000;
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|partition| {
                let (broker, topic) = (&broker, &topic);
                scope.spawn(move || {
                    for from in (0..count).step_by(250) {
                        broker.produce(topic, partition, numbers(from, from + 250));
                    }
                })
            })
            .collect();
        reader.until("reading goes on before the restart", |reader| reader.records.len() >= 500);
        let restart = scope.spawn(|| {
            broker.command(&["kill"]);
            broker.command(&["start"]);
        });
        reader.until("everything came", |reader| reader.records.len() >= 2 * count);
        restart.join().unwrap();
        for writer in writers {
            writer.join().unwrap();
        }
    });
    for partition in 0..2 {
        assert_eq!(reader.values_of(partition), numbers(0, count));
    }
    assert_eq!(reader.stops, []);
    broker.command(&["destroy"]);
}

#[test]
fn reading_goes_on_exactly_at_the_checkpoints() {
    let broker = shared();
    let topic = broker.topic("resume", 3);
    for partition in 0..3 {
        broker.produce(&topic, partition, numbers(0, 100));
    }
    let mut first = Reader::open(broker, &[&topic], "batch_bytes_max = 64");
    first.until("some records", |reader| reader.records.len() >= 90);
    let read = first.records.len();
    assert!(read < 300, "small batches leave some for the second");
    let mut second = Reader::resume(broker, &[&topic], "", &first.progress());
    second.until_caught_up();
    assert_eq!(read + second.records.len(), 300);
    for partition in 0..3 {
        let mut values = first.values_of(partition);
        values.extend(second.values_of(partition));
        assert_eq!(values, numbers(0, 100));
    }
    let at = &second.checkpoints[&(topic.clone(), 0)];
    assert_eq!(at.source, "feed");
    assert!(at.leader_epoch >= 0 && at.topic_id.len() == 22 && !at.cluster.is_empty(), "{at:?}");
    let other =
        format!("name = 'other'\nbrokers = '{}'\ntopics = ['{topic}']\nsurvey_ms = 100", broker.address);
    let mut other = Reader::configured(&other, &second.progress());
    other.until_caught_up();
    assert_eq!(other.records.len(), 300, "what another source has read is not its progress");
}

#[test]
fn a_topic_recreated_meanwhile_stops_until_its_new_id_is_accepted() {
    let broker = shared();
    let (topic, other) = (broker.topic("again", 1), broker.topic("calm", 1));
    broker.produce(&topic, 0, numbers(0, 10));
    let mut reader = Reader::open(broker, &[&topic, &other], "");
    reader.until_caught_up();
    let before = reader.progress();
    drop(reader);
    broker.delete_topic(&topic);
    broker.create_topic(&topic, 1);
    // More than before, so that the old offset exists in the new topic too.
    broker.produce(&topic, 0, numbers(100, 120));
    broker.produce(&other, 0, ["still read"]);

    let mut reader = Reader::resume(broker, &[&topic, &other], "", &before);
    reader.until("the stop and the other topic's record", |reader| {
        reader.stops.len() + reader.records.len() == 2
    });
    assert_eq!(reader.values(), ["still read"]);
    let stop = reader.stops[0].clone();
    assert_eq!((stop.cause, stop.stream.as_str()), ("recreated", format!("{topic}/0").as_str()));
    assert!(!reader.source.caught_up());
    assert!(!reader.checkpoints.contains_key(&(topic.clone(), 0)), "a stopped partition makes no progress");
    assert_eq!(reader.source.complete_through(), None, "and holds the clock");
    drop(reader);

    let (_, answer) = stop.what_to_do.split_once("[[sources.accept]] ").unwrap();
    let more = format!("[[accept]]\n{}", answer.replace(", ", "\n"));
    let mut reader = Reader::resume(broker, &[&topic, &other], &more, &before);
    reader.until_caught_up();
    let read = reader.records.iter().filter(|(name, ..)| *name == topic).count();
    assert_eq!((read, reader.stops.len()), (20, 0));
}

#[test]
fn a_topic_recreated_while_it_is_read_never_continues_silently() {
    let broker = shared();
    let (topic, other) = (broker.topic("live", 1), broker.topic("beside", 1));
    broker.produce(&topic, 0, numbers(0, 10));
    // Surveys are too rare to see the change: the client's own fetches must tell.
    let config = format!(
        "name = 'feed'\nbrokers = '{}'\ntopics = ['{topic}', '{other}']\nsurvey_ms = 600000",
        broker.address
    );
    let mut reader = Reader::configured(&config, &[]);
    reader.until_caught_up();
    broker.delete_topic(&topic);
    broker.create_topic(&topic, 1);
    broker.produce(&topic, 0, numbers(100, 200));
    reader.until("the stop", |reader| !reader.stops.is_empty());
    assert_eq!(reader.stops[0].cause, "recreated");
    broker.produce(&other, 0, ["goes on"]);
    reader.until("the other topic", |reader| reader.values().contains(&"goes on"));
    assert_eq!(
        reader.records.iter().filter(|(name, ..)| *name == topic).count(),
        10,
        "nothing of the new topic"
    );
    assert_eq!(reader.checkpoints[&(topic, 0)].next_offset, 10);
}

#[test]
fn records_lost_to_retention_stop_their_partition_until_answered() {
    let broker = shared();
    let topic = broker.topic("retention", 2);
    for partition in 0..2 {
        broker.produce(&topic, partition, numbers(0, 10));
    }
    let mut reader = Reader::open(broker, &[&topic], "");
    reader.until_caught_up();
    let before = reader.progress();
    drop(reader);
    for partition in 0..2 {
        broker.produce(&topic, partition, numbers(10, 30));
    }
    broker.delete_records(&topic, 1, 25);

    let mut reader = Reader::resume(broker, &[&topic], "", &before);
    reader.until("stop and the other partition", |reader| {
        !reader.stops.is_empty() && reader.records.len() == 20
    });
    assert_eq!(reader.values_of(0), numbers(10, 30));
    let stop = reader.stops[0].clone();
    assert_eq!(stop.cause, "retention_loss");
    assert!(stop.what_happened.contains("15 offset(s)"), "{stop}");
    assert_eq!(reader.stats_of(1).stopped, Some("retention_loss"));
    drop(reader);

    let (_, answer) = stop.what_to_do.split_once("[[sources.accept]] ").unwrap();
    let more = format!("[[accept]]\n{}", answer.replace(", ", "\n"));
    let mut reader = Reader::resume(broker, &[&topic], &more, &before);
    reader.until_caught_up();
    assert_eq!(reader.values_of(1), numbers(25, 30));
}

#[test]
fn records_deleted_under_a_slow_reader_stop_it() {
    let broker = shared();
    let topic = broker.topic("overtaken", 1);
    let value = "x".repeat(100_000);
    broker.produce(&topic, 0, std::iter::repeat_n(&value, 60));
    let mut reader = Reader::open(broker, &[&topic], "queue_kib_max = 1024\nbatch_bytes_max = 100000");
    reader.until("the first records", |reader| reader.records.len() >= 2);
    broker.delete_records(&topic, 0, 60);
    reader.until("the stop", |reader| !reader.stops.is_empty());
    assert_eq!(reader.stops[0].cause, "retention_loss");
    let next = reader.checkpoints[&(topic, 0)].next_offset;
    assert_eq!(
        next,
        reader.records.len() as i64,
        "what was fetched before the deletion is in order and whole"
    );
    assert!(next < 60, "the queue's budget is a fraction of the topic");
}

#[test]
fn added_partitions_are_noticed_and_read_from_their_beginning() {
    let broker = shared();
    let topic = broker.topic("grows", 1);
    broker.produce(&topic, 0, ["old"]);
    let mut reader = Reader::open(broker, &[&topic], "start = 'latest'");
    reader.until_caught_up();
    broker.add_partitions(&topic, 3);
    eventually("the new partition takes records", || {
        std::panic::catch_unwind(|| broker.produce(&topic, 2, ["new"])).is_ok()
    });
    reader.until("the new partition's record", |reader| !reader.records.is_empty());
    assert_eq!(reader.values_of(2), ["new"]);
}

#[test]
fn latest_and_a_time_decide_where_a_new_source_begins_and_stay_decided() {
    let broker = shared();
    let topic = broker.topic("starts", 2);
    broker.produce(&topic, 0, numbers(0, 5));
    broker.produce(&topic, 1, numbers(0, 5));
    // The broker stamps records with the producer's milliseconds.
    std::thread::sleep(Duration::from_millis(5));
    let middle = jiff::Timestamp::now();
    std::thread::sleep(Duration::from_millis(5));
    broker.produce(&topic, 0, numbers(5, 9));

    let mut timed = Reader::open(broker, &[&topic], &format!("start = '{middle}'"));
    timed.until_caught_up();
    assert_eq!(timed.values(), numbers(5, 9));

    let mut latest = Reader::open(broker, &[&topic], "start = 'latest'");
    latest.until_caught_up();
    assert_eq!(latest.values(), Vec::<&str>::new());
    let before = latest.progress();
    assert_eq!(before.len(), 2, "where it began is progress, though nothing was read");
    drop(latest);
    broker.produce(&topic, 1, ["while away"]);
    let mut again = Reader::resume(broker, &[&topic], "start = 'latest'", &before);
    again.until_caught_up();
    assert_eq!(again.values(), ["while away"]);
}

#[test]
fn several_topics_are_one_source() {
    let broker = shared();
    let topics = [broker.topic("left", 1), broker.topic("right", 2)];
    broker.produce(&topics[0], 0, ["a"]);
    broker.produce(&topics[1], 0, ["b"]);
    broker.produce(&topics[1], 1, ["c"]);
    let mut reader = Reader::open(broker, &[&topics[0], &topics[1]], "");
    reader.until_caught_up();
    let mut read: Vec<_> =
        reader.records.iter().map(|(topic, at, _, value)| (topic, *at, value.as_str())).collect();
    read.sort_unstable();
    assert_eq!(read, [(&topics[0], 0, "a"), (&topics[1], 0, "b"), (&topics[1], 1, "c")]);
}

#[test]
fn completeness_follows_the_clock_when_idle_and_never_passes_the_backlog() {
    let broker = shared();
    let topic = broker.topic("complete", 2);
    let value = "x".repeat(1_000);
    broker.produce(&topic, 0, std::iter::repeat_n(&value, 300));
    let opened = now();
    let mut reader = Reader::open(broker, &[&topic], "batch_bytes_max = 2000");
    reader.until("all but the last record", |reader| {
        let all = reader.records.len() >= 299;
        assert!(all || reader.source.complete_through().is_none(), "passed the backlog");
        all
    });
    reader.until("complete after the backlog", |reader| reader.source.complete_through().is_some());
    let first = reader.source.complete_through().unwrap();
    assert!(first >= opened && first <= now());
    reader.until("an idle topic advances", |reader| {
        reader.source.complete_through().unwrap() > first + 300_000
    });
    assert!(reader.source.complete_through().unwrap() <= now());
    assert_eq!(reader.records.len(), 300);
}

#[test]
fn a_slow_reader_holds_no_more_than_its_budget() {
    let broker = shared();
    let topic = broker.topic("bounded", 4);
    let value = "x".repeat(10_000);
    for partition in 0..4 {
        broker.produce(&topic, partition, std::iter::repeat_n(&value, 1_000));
    }
    let mut reader = Reader::open(broker, &[&topic], "queue_kib_max = 2048\nbatch_bytes_max = 10000");
    reader.until("the first record", |reader| !reader.records.is_empty());
    let mut most = 0;
    for _ in 0..50 {
        std::thread::sleep(Duration::from_millis(10));
        most = most.max(reader.source.statistics().queued);
    }
    // The budget, and one fetch of 2 MiB on top.
    assert!(most > 0 && most * 10_000 <= 2 * 2048 * 1024, "{most} records of 10,000 bytes wait");
    reader.until_caught_up();
    assert_eq!(reader.records.len(), 4_000);
    assert_eq!(reader.source.statistics().partitions.iter().map(|at| at.stalls).sum::<u64>(), 0);
}

#[test]
fn durable_positions_are_committed_and_a_living_member_is_an_alarm() {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    let broker = shared();
    let topic = broker.topic("commits", 1);
    broker.produce(&topic, 0, numbers(0, 7));
    let more = format!("commit_ms = 1\ngroup = 'g-{topic}'");
    let mut reader = Reader::open(broker, &[&topic], &more);
    reader.until_caught_up();
    reader.source.durable(&reader.progress());
    reader.until("the commit", |reader| reader.source.statistics().commits == 1);

    let member: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &broker.address)
        .set("group.id", format!("g-{topic}"))
        .create()
        .unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition(&topic, 0);
    let committed = member.committed_offsets(list, WAIT).unwrap();
    assert_eq!(committed.elements()[0].offset(), rdkafka::Offset::Offset(7));

    member.subscribe(&[&topic]).unwrap();
    eventually("the member joined", || {
        member.poll(POLL);
        member.assignment().unwrap().count() == 1
    });
    reader.source.durable(&reader.progress());
    reader.until("the refusal", |reader| reader.source.statistics().commits_refused == 1);
    broker.produce(&topic, 0, ["goes on"]);
    reader.until("reading goes on", |reader| reader.values().contains(&"goes on"));
}

#[test]
fn aborted_and_control_records_are_gaps_and_the_end_is_reached() {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
    let broker = shared();
    let topic = broker.topic("transactions", 1);
    let producer: BaseProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &broker.address)
        .set("transactional.id", &topic)
        .create()
        .unwrap();
    producer.init_transactions(WAIT).unwrap();
    for (value, kept) in [("kept", true), ("aborted", false)] {
        producer.begin_transaction().unwrap();
        producer.send(BaseRecord::<(), _>::to(&topic).payload(value)).unwrap();
        producer.flush(WAIT).unwrap();
        if kept {
            producer.commit_transaction(WAIT).unwrap()
        } else {
            producer.abort_transaction(WAIT).unwrap()
        }
    }
    let mut reader = Reader::open(broker, &[&topic], "");
    reader.until_caught_up();
    assert_eq!(reader.values(), ["kept"]);
    let statistics = reader.stats_of(0);
    assert_eq!((statistics.position, statistics.gaps, statistics.lag), (4, 3, 0));
    reader.until("complete", |reader| reader.source.complete_through().is_some());
}

#[test]
fn a_broker_that_comes_later_and_a_missing_topic_are_waited_for_and_told() {
    let broker = shared();
    let topic = broker.topic("present", 1);
    let absent = format!("{topic}-absent");
    let mut reader = Reader::open(broker, &[&topic, &absent], "");
    reader.until("the missing topic is told", |reader| {
        reader.source.statistics().topics_missing == [absent.clone()]
    });
    broker.produce(&topic, 0, ["read all the same"]);
    reader.until("the other topic", |reader| reader.records.len() == 1);
    assert!(!reader.source.caught_up() && reader.source.complete_through().is_none());
    broker.create_topic(&absent, 1);
    reader.until_caught_up();
}
