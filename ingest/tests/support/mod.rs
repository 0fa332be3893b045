//! A real broker for tests: the one `TIDEWATCH_BROKERS` names, else one that `deploy/broker/broker` starts for this
//! process and destroys after it.

#![expect(
    clippy::disallowed_methods,
    reason = "waits for a real broker and takes its address from the environment"
)]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::util::Timeout;

/// Longest wait for anything of the broker's; a busy machine needs half a minute for a restart.
pub const WAIT: Duration = Duration::from_secs(120);

/// A broker to test against.
pub struct Broker {
    /// `host:port` of the plain listener.
    pub address: String,
    directory: Option<PathBuf>,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/broker/broker")
}

/// The broker shared by all tests of this process.
pub fn shared() -> &'static Broker {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    SHARED.get_or_init(|| match std::env::var("TIDEWATCH_BROKERS") {
        Ok(address) if !address.is_empty() => Broker { address, directory: None },
        _ => Broker::start("shared", &[]),
    })
}

impl Broker {
    /// A broker of one test's own, which it may stop and restart.
    pub fn start(name: &str, options: &[&str]) -> Self {
        let directory = std::env::temp_dir().join(format!("tidewatch-broker-{}-{name}", std::process::id()));
        let me = std::process::id().to_string();
        let mut arguments = vec!["start", "--while", &me];
        arguments.extend(options);
        run(&directory, &arguments);
        let address =
            std::fs::read_to_string(directory.join("address")).expect("a started broker wrote its address");
        Self { address, directory: Some(directory) }
    }

    fn directory(&self) -> &Path {
        self.directory.as_deref().expect("only a broker of one's own has a directory")
    }

    /// One command of the script; gives what it printed.
    pub fn command(&self, arguments: &[&str]) -> String {
        run(self.directory(), arguments)
    }

    /// Address, authority file and password file of the TLS + SCRAM listener; the user is `tidewatch`.
    pub fn secure(&self) -> (String, PathBuf, PathBuf) {
        let at = self.directory();
        let address = std::fs::read_to_string(at.join("secure-address")).expect("started with --secure");
        (address, at.join("tls/ca.pem"), at.join("tls/password"))
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address).set("reconnect.backoff.max.ms", "500");
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("an admin client")
    }

    /// Makes a topic with a name of its own.
    pub fn topic(&self, name: &str, partitions: i32) -> String {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}-{}-{made}", std::process::id());
        self.create_topic(&name, partitions);
        name
    }

    /// Makes this topic; after a deletion, as soon as the broker lets it.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        eventually("the topic can be made", || {
            block_on(self.admin().create_topics([&topic], &options())).unwrap()[0].is_ok()
        });
    }

    /// Deletes a topic.
    pub fn delete_topic(&self, name: &str) {
        block_on(self.admin().delete_topics(&[name], &options())).unwrap()[0].as_ref().unwrap();
    }

    /// Raises the number of partitions.
    pub fn add_partitions(&self, name: &str, total: usize) {
        let wanted = NewPartitions::new(name, total);
        block_on(self.admin().create_partitions([&wanted], &options())).unwrap()[0].as_ref().unwrap();
    }

    /// Deletes a partition's records below an offset.
    pub fn delete_records(&self, name: &str, partition: i32, before: i64) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(name, partition, Offset::Offset(before)).unwrap();
        block_on(self.admin().delete_records(&offsets, &options())).unwrap();
    }

    /// Writes values to one partition and waits until the broker has them.
    pub fn produce<V: AsRef<[u8]>>(&self, topic: &str, partition: i32, values: impl IntoIterator<Item = V>) {
        self.produce_with(&[], topic, partition, values.into_iter().map(Some));
    }

    /// Like [`Broker::produce`], with options of the producer; `None` is a tombstone.
    pub fn produce_with<V: AsRef<[u8]>>(
        &self,
        settings: &[(&str, &str)],
        topic: &str,
        partition: i32,
        values: impl IntoIterator<Item = Option<V>>,
    ) {
        let mut config = self.client();
        config.set("linger.ms", "5").set("enable.idempotence", "true");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        let producer: BaseProducer = config.create().expect("a producer");
        for value in values {
            let mut record = BaseRecord::<(), [u8]>::to(topic).partition(partition);
            if let Some(value) = &value {
                record = record.payload(value.as_ref());
            }
            let deadline = Instant::now() + WAIT;
            while let Err((error, again)) = producer.send(record) {
                let full = rdkafka::error::RDKafkaErrorCode::QueueFull;
                assert!(matches!(error, KafkaError::MessageProduction(code) if code == full), "{error}");
                assert!(Instant::now() < deadline, "the queue stayed full for {WAIT:?}");
                producer.poll(Duration::from_millis(10));
                record = again;
            }
        }
        producer.flush(Timeout::After(WAIT)).expect("everything is written in time");
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(WAIT)).operation_timeout(Some(WAIT))
}

fn run(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new(script())
        .arg("--dir")
        .arg(directory)
        .args(arguments)
        .env_remove("TIDEWATCH_BROKERS")
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", script().display()));
    assert!(
        output.status.success(),
        "these tests need a real Kafka broker. Either set TIDEWATCH_BROKERS=HOST:PORT to one that runs, or install bash, \
         Maven and a JDK 17 so that deploy/broker/broker can start one. It said: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Tries until it holds; fails after [`WAIT`].
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + WAIT;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {WAIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for an answer of the admin client, which itself gives up after [`WAIT`].
pub fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    let deadline = Instant::now() + 2 * WAIT;
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park_timeout(WAIT),
        }
        assert!(Instant::now() < deadline, "the admin client neither answered nor gave up");
    }
}
