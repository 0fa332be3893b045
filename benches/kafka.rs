//! Kafka end to end: a topic read into account states, beside a bare consumer of the same topic; and how long an event takes
//! from its producer to a gRPC answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tidewatch_benches::cost::{Cost, now, threads};
use tidewatch_benches::feed::{Lines, of_population};
use tidewatch_benches::log::reading;
use tidewatch_benches::options::{Options, scratch};
use tidewatch_benches::pair::{Pair, Spread, wall_ns};
use tidewatch_benches::population::{Population, Size};
use tidewatch_benches::serving::{Serving, wait_for};
use tidewatch_benches::table::{Report, per_core_second};
use tidewatch_engine::app::{self, Engine};
use tidewatch_engine::clock::{Clock, SystemClock};
use tidewatch_ingest::batch::RawBatch;
use tidewatch_ingest::kafka::{KafkaConfig, KafkaSource};
use tidewatch_ingest::source::Source;
use tidewatch_projections::names::Names;
use tidewatch_proto::v1;
use tonic::Code;
use v1::account_service_client::AccountServiceClient;
use v1::health_service_client::HealthServiceClient;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Partitions of each topic.
const PARTITIONS: i32 = 4;
/// Markers that are sent before any is measured.
const WARM_MARKERS: usize = 10;
/// Longest wait for anything of the broker's.
const WAIT: Duration = Duration::from_secs(60);
/// Name of the thread that polls, decodes and hands over.
const SOURCE_THREAD: &str = "source";
/// What the engine sets for its consumer; the bare one gets the same.
const FETCHING: [(&str, &str); 6] = [
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.max.bytes", "8388608"),
    ("max.partition.fetch.bytes", "4194304"),
    ("queued.min.messages", "1000000"),
    ("queued.max.messages.kbytes", "65536"),
    ("check.crcs", "true"),
];

/// The broker and the topic of this run.
struct Topic {
    brokers: String,
    name: String,
}

impl Topic {
    fn create(brokers: &str, name: &str) -> Self {
        let topic =
            Self { brokers: brokers.to_owned(), name: format!("bench-{name}-{}", std::process::id()) };
        let admin: AdminClient<DefaultClientContext> = topic.client().create().expect("an admin client");
        let new = NewTopic::new(&topic.name, PARTITIONS, TopicReplication::Fixed(1));
        let options = AdminOptions::new().request_timeout(Some(WAIT)).operation_timeout(Some(WAIT));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let made = runtime.block_on(admin.create_topics([&new], &options)).expect("the broker answers");
        made[0].as_ref().expect("the topic is new");
        topic
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    fn producer(&self, linger_ms: u32) -> ThreadedProducer<DefaultProducerContext> {
        let mut config = self.client();
        config.set("linger.ms", linger_ms.to_string()).set("compression.type", "lz4");
        config.set("queue.buffering.max.messages", "1000000");
        config.create().expect("a producer")
    }

    fn source(&self, names: &Arc<Names>) -> KafkaSource {
        let config = format!("name = 'kafka'\nbrokers = '{}'\ntopics = ['{}']", self.brokers, self.name);
        let config: KafkaConfig = toml::from_str(&config).expect("a valid configuration");
        KafkaSource::open(config, names, Arc::new(|| SystemClock.now())).expect("the source opens")
    }
}

/// Queues a record, waiting while the producer's queue is full.
fn send(producer: &ThreadedProducer<DefaultProducerContext>, topic: &Topic, line: &[u8]) {
    let mut record = BaseRecord::<(), [u8]>::to(&topic.name).payload(line);
    let mut since = None;
    while let Err((error, again)) = producer.send(record) {
        let full = RDKafkaErrorCode::QueueFull;
        assert!(matches!(error, KafkaError::MessageProduction(code) if code == full), "{error}");
        assert!(since.get_or_insert_with(now).elapsed() < WAIT, "the queue stayed full for {WAIT:?}");
        thread::sleep(Duration::from_millis(1));
        record = again;
    }
}

fn main() {
    let options = Options::read();
    let brokers = options.brokers.clone().expect("--brokers HOST:PORT; benches/run.sh starts a broker");
    throughput(&options, &brokers);
    latency(&options, &brokers);
}

fn size(options: &Options, events: u64) -> Size {
    Size { accounts: options.size(100_000, 100), users: 40, features: 12, days: 28, events }
}

fn throughput(options: &Options, brokers: &str) {
    let (rounds, events) = (options.rounds(3), options.size(400_000, 5_000));
    let topic = Topic::create(brokers, "throughput");
    let bytes = produce(&topic, size(options, events));
    let breakdown = std::cell::RefCell::new(Vec::new());
    let bare = || consume(&topic, events);
    let whole = Pair::alternate(
        rounds,
        || {
            let (cost, threads) = ingest(&topic, events);
            breakdown.borrow_mut().push(threads);
            cost
        },
        bare,
    );
    let source = Pair::alternate(rounds, || poll(&topic, events), bare);
    let mut report = Report::of_cpu(format!(
        "kafka: one event of {:.0} B of native JSON (lz4, {PARTITIONS} partitions, {events} events of {} accounts), whole process, beside a bare BaseConsumer::poll",
        bytes as f64 / events as f64,
        size(options, events).accounts,
    ));
    report.pair("the source alone: fetched, ordered, copied into batches", &source, "");
    report.pair(
        "from the topic to durable, deduplicated, folded and published",
        &whole,
        "≤ 5, stretch ≤ 3.5",
    );
    let rate = |costs: &[Cost]| Spread::of(costs.iter().map(|cost| 1e3 / cost.wall_ns()));
    report.note(format!(
        "On the wall, in M events a second beside the broker on the same cores: engine {}, bare consumer {}; engine ÷ bare time {}; \
         processor: engine {} a second of one core.",
        rate(&whole.ours),
        rate(&whole.peer),
        whole.wall_ratio(),
        per_core_second(tidewatch_benches::pair::cpu_ns(&whole.ours)),
    ));
    report.note(format!("Wall µs an event: engine {}.", wall_ns(&whole.ours).map(|ns| ns / 1e3)));
    // The first round only warms.
    let breakdown = breakdown.into_inner();
    let measured = &breakdown[1..];
    let parts: Vec<String> = measured[0]
        .keys()
        .map(|name| {
            let each = measured.iter().map(|threads| threads.get(name).copied().unwrap_or(0.0));
            format!("{name} {}", Spread::of(each))
        })
        .collect();
    report.note(format!("The engine's CPU ns an event by thread: {}.", parts.join(", ")));
    report.print();
}

/// Writes a population's events; answers their bytes.
fn produce(topic: &Topic, size: Size) -> u64 {
    let names = Arc::new(Names::new());
    let mut write = of_population(Population::new(size, &names), Arc::clone(&names));
    let producer = topic.producer(20);
    let (mut line, mut bytes) = (Vec::new(), 0);
    while write(&mut line) {
        send(&producer, topic, &line);
        bytes += line.len() as u64;
        line.clear();
    }
    producer.flush(WAIT).expect("everything is written in time");
    bytes
}

/// The peer: polls every record of the topic and looks at its length.
fn consume(topic: &Topic, events: u64) -> Cost {
    Cost::of_process(events, || {
        let mut config = topic.client();
        config.set("group.id", "bench-bare").set("enable.auto.commit", "false");
        for (key, value) in FETCHING {
            config.set(key, value);
        }
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut assignment = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            assignment
                .add_partition_offset(&topic.name, partition, Offset::Beginning)
                .expect("a logical offset");
        }
        consumer.assign(&assignment).expect("the partitions are there");
        let (mut seen, mut bytes) = (0, 0);
        while seen < events {
            let message = consumer.poll(WAIT);
            let message =
                message.unwrap_or_else(|| panic!("{seen} of {events} came, and none within {WAIT:?}"));
            bytes += message.expect("the broker answers").payload_len();
            seen += 1;
        }
        assert!(bytes > 0);
        consumer
    })
}

/// The engine's own source, and nothing behind it.
fn poll(topic: &Topic, events: u64) -> Cost {
    Cost::of_process(events, || {
        let names = Arc::new(Names::new());
        let mut source = topic.source(&names);
        source.resume(&[]).expect("there is nothing to resume");
        let (mut batch, mut seen) = (RawBatch::default(), 0);
        let mut since = now();
        while seen < events {
            source.poll(Duration::from_millis(100), &mut batch).expect("the topic stays as it is");
            if batch.records.is_empty() {
                assert!(since.elapsed() < WAIT, "{seen} of {events} came, and none within {WAIT:?}");
            } else {
                since = now();
            }
            seen += batch.records.len() as u64;
            batch.clear();
        }
        source
    })
}

/// The whole engine, from an empty directory; also the CPU ns an event of its threads.
fn ingest(topic: &Topic, events: u64) -> (Cost, BTreeMap<String, f64>) {
    let directory = scratch();
    let mut by_thread = BTreeMap::new();
    let cost = Cost::of_process(events, || {
        let options = app::Options::new(Some(1));
        let engine =
            Engine::open(&directory.path().join("data"), options, &|_, _| ()).expect("a new directory");
        thread::scope(|scope| {
            let source = thread::Builder::new().name(SOURCE_THREAD.into()).spawn_scoped(scope, || {
                let source = topic.source(engine.names());
                let reading = reading(&engine, Box::new(source), &Arc::default(), true);
                let ingested = engine.ingest(reading).expect("the engine runs");
                assert_eq!(ingested.receipt.accepted, events, "{ingested:?}");
                wait_for(&engine, ingested.receipt.last_seq);
                // Here all threads of the engine still live; those of the Kafka client have ended.
                by_thread = threads();
            });
            source.expect("the system gives a thread").join().expect("it was shown above");
        });
        engine
    });
    let named = ["sequencer", "writer", "fold", "fold-0", SOURCE_THREAD];
    let each = |time: Duration| time.as_nanos() as f64 / events as f64;
    let mut parts: BTreeMap<String, f64> = named
        .iter()
        .map(|name| ((*name).to_owned(), each(by_thread.get(*name).copied().unwrap_or_default())))
        .collect();
    let rest = cost.cpu_ns() - parts.values().sum::<f64>();
    parts.insert("Kafka client and others".to_owned(), rest);
    (cost, parts)
}

/// How long a marker takes from `send` to an answer about its account, at several rates of other events.
fn latency(options: &Options, brokers: &str) {
    let mut report = Report::new(
        "kafka: from the producer's send of a durable event to the account it makes, and to its health",
        &["other events/s asked, sent", "answer", "markers", "p50 ms", "p99 ms", "greatest ms", "aim"],
    );
    let seconds = options.size(8, 1);
    for rate in [0, 10_000, 50_000] {
        let rate = options.size(rate, rate / 100);
        let topic = Topic::create(brokers, &format!("latency-{rate}"));
        let directory = scratch();
        let serving = Serving::start(&directory.path().join("data"), 1);
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0));
        let mut each = [Vec::new(), Vec::new()];
        thread::scope(|scope| {
            let _stopping = Stopping(&stop);
            let source = topic.source(serving.engine().names());
            let reading = reading(serving.engine(), Box::new(source), &stop, false);
            let reader = scope.spawn(|| serving.engine().ingest(reading).expect("the engine runs"));
            let others = scope.spawn(|| send_at(&topic, size(options, rate * seconds), rate, &stop, &sent));
            each = markers(&topic, &serving, Duration::from_secs(seconds));
            stop.store(true, Ordering::Relaxed);
            others.join().expect("the producer runs");
            reader.join().expect("the reader runs");
        });
        for (answer, each) in ["GetAccount", "GetHealth"].into_iter().zip(&mut each) {
            each.sort_unstable();
            let at = |percent: usize| each[(each.len() * percent).div_ceil(100) - 1].as_nanos() as f64 / 1e6;
            report.row(&[
                format!("{rate}, {}", sent.load(Ordering::Relaxed) / seconds),
                answer.to_owned(),
                each.len().to_string(),
                format!("{:.2}", at(50)),
                format!("{:.2}", at(99)),
                format!("{:.2}", at(100)),
                "p99 ≤ 10 ms at half of peak".to_owned(),
            ]);
        }
        serving.stop();
    }
    report.note(
        "Producer, broker, engine and the asking client share the cores. The client asks again 0.2 ms after an answer without \
         the marker, so that much of each figure is its own.",
    );
    report.print();
}

/// Lets the other threads end when this one panics.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends events evenly, a hundredth of a second's share at a time.
fn send_at(topic: &Topic, size: Size, rate: u64, stop: &AtomicBool, sent: &AtomicU64) {
    const SLICE: Duration = Duration::from_millis(10);
    if rate == 0 {
        return;
    }
    let names = Arc::new(Names::new());
    let events = Lines::of(of_population(Population::new(size, &names), Arc::clone(&names)), size.events);
    let producer = topic.producer(5);
    let began = now();
    for (slice, lines) in (1u32..).zip(events.lines.chunks((rate / 100).max(1) as usize)) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        for line in lines {
            send(&producer, topic, &events.payload[line.clone()]);
        }
        sent.fetch_add(lines.len() as u64, Ordering::Relaxed);
        thread::sleep((SLICE * slice).saturating_sub(began.elapsed()));
    }
    producer.flush(WAIT).expect("everything is written in time");
}

/// Sends one marker after the other, each an account of its own, and asks for it until it is there, for the account and for
/// its health in turn.
fn markers(topic: &Topic, serving: &Serving, lasts: Duration) -> [Vec<Duration>; 2] {
    const EVERY: Duration = Duration::from_millis(20);
    const ASK_AGAIN: Duration = Duration::from_micros(200);
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let address = format!("http://{}", serving.address());
    let mut accounts = client.block_on(AccountServiceClient::connect(address.clone())).expect("it serves");
    let mut health = client.block_on(HealthServiceClient::connect(address)).expect("it serves");
    let producer = topic.producer(0);
    let (mut each, began) = ([Vec::new(), Vec::new()], now());
    let mut number = 0;
    while began.elapsed() < lasts {
        let account = format!("marker-{number}");
        let line = serde_json::json!({
            "id": account, "account": account, "user": "marker", "type": "usage", "occurred_at": "2025-01-01T00:00:00Z",
            "properties": { "feature": "marker" },
        });
        let sent = now();
        send(&producer, topic, line.to_string().as_bytes());
        loop {
            let account = account.clone();
            let answer = client.block_on(async {
                if number % 2 == 0 {
                    let request = v1::GetAccountRequest { account, ..Default::default() };
                    accounts.get_account(request).await.map(drop)
                } else {
                    let request = v1::GetHealthRequest { account, ..Default::default() };
                    health.get_health(request).await.map(drop)
                }
            });
            match answer {
                Ok(()) => break,
                Err(status) => assert_eq!(status.code(), Code::NotFound, "{status}"),
            }
            assert!(sent.elapsed() < WAIT, "marker {number} was not seen within {WAIT:?}");
            thread::sleep(ASK_AGAIN);
        }
        // The first ones wait for connections and for the first look at the topic.
        if number >= WARM_MARKERS {
            each[number % 2].push(sent.elapsed());
        }
        number += 1;
        thread::sleep(EVERY.saturating_sub(sent.elapsed()));
    }
    each
}
