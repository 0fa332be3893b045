//! Polls the broker for topic ids, partitions and watermarks, on a thread and connections of its own: behind a waiting fetch
//! an answer would be half a second late.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tidewatch_projections::event::Micros;

use super::config::{KafkaConfig, Start};
use super::config_error::ConfigError;
use super::partition::Watermarks;
use super::raw::{self, Context, TopicId};

/// Returns the wall-clock time in µs since the epoch. Surveys are stamped with it; nothing else of a Kafka source reads it.
pub type WallClock = Arc<dyn Fn() -> Micros + Send + Sync>;

/// Longest wait for one response of the broker.
const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// The state of the source's topics as the broker reported it.
#[derive(Debug)]
pub struct Survey {
    /// The wall-clock time before the first request, in µs since the epoch.
    pub at: Micros,
    /// The id of the Kafka cluster.
    pub cluster: String,
    /// The topics of the source, in its order; `None` for one the broker does not have.
    pub topics: Vec<Option<TopicSeen>>,
}

/// A topic in a [`Survey`].
#[derive(Debug)]
pub struct TopicSeen {
    /// The id of the topic.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
    /// The watermarks of the partitions that have a leader, by partition.
    pub watermarks: BTreeMap<i32, Watermarks>,
}

/// The results that the survey thread leaves for the reader.
#[derive(Debug, Default)]
pub struct Findings {
    /// The newest survey that the reader has not taken yet.
    pub newest: Option<Survey>,
    /// How many surveys succeeded.
    pub done: u64,
    /// How many surveys failed.
    pub failed: u64,
    /// Why the last one failed; cleared by a success.
    pub failure: Option<String>,
}

/// The survey thread; dropping it ends the thread.
pub struct Surveyor {
    findings: Arc<Mutex<Findings>>,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Surveyor {
    /// Starts the thread; the first survey begins at once.
    ///
    /// # Errors
    /// When librdkafka rejects an option, a secret cannot be read or the thread cannot be started.
    pub fn start(config: &KafkaConfig, wall: WallClock) -> Result<Self, ConfigError> {
        let client = config.plain_client()?;
        let refused = |error| ConfigError::Client { source_name: config.name.clone(), error };
        let consumer = BaseConsumer::from_config_and_context(&client, Context).map_err(refused)?;
        let findings = Arc::new(Mutex::new(Findings::default()));
        let (wake, woken) = sync_channel(1);
        let work = Work {
            source: config.name.clone(),
            topics: config.topics.clone(),
            start: config.start,
            every: config.survey_every(),
            consumer,
            wall,
            start_offsets: HashMap::new(),
            findings: Arc::clone(&findings),
        };
        let thread = std::thread::Builder::new()
            .name(format!("survey {}", config.name))
            .spawn(move || work.run(&woken))
            .map_err(|error| ConfigError::Thread { source_name: config.name.clone(), error })?;
        Ok(Self { findings, wake: Some(wake), thread: Some(thread) })
    }

    /// The results so far. The thread holds the lock only for moments.
    pub fn findings(&self) -> std::sync::MutexGuard<'_, Findings> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the next survey now instead of after the usual pause.
    pub fn survey_now(&self) {
        if let Some(wake) = &self.wake {
            match wake.try_send(()) {
                // Full: one is on its way already. Disconnected: the thread has ended with its source.
                Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
            }
        }
    }
}

impl Drop for Surveyor {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(target: "kafka", "the survey thread ended with a panic");
        }
    }
}

struct Work {
    source: String,
    topics: Vec<String>,
    start: Start,
    every: Duration,
    consumer: BaseConsumer<Context>,
    wall: WallClock,
    start_offsets: HashMap<(TopicId, i32), Option<i64>>,
    findings: Arc<Mutex<Findings>>,
}

impl Work {
    fn run(mut self, woken: &Receiver<()>) {
        loop {
            let survey = self.survey();
            // Serves the client's log and errors.
            while self.consumer.poll(Duration::ZERO).is_some() {}
            {
                let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
                match survey {
                    Ok(survey) => {
                        if findings.failure.take().is_some() {
                            tracing::info!(target: "kafka", source = self.source, "the broker answers again");
                        }
                        findings.done += 1;
                        findings.newest = Some(survey);
                    }
                    Err(error) => {
                        let error = error.to_string();
                        if findings.failure.is_none() {
                            tracing::warn!(target: "kafka", source = self.source, error, "the broker does not answer");
                        }
                        findings.failed += 1;
                        findings.failure = Some(error);
                    }
                }
            }
            match woken.recv_timeout(self.every) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn survey(&mut self) -> KafkaResult<Survey> {
        let at = (self.wall)();
        let cluster = self
            .consumer
            .client()
            .fetch_cluster_id(ANSWER_WAIT)
            .ok_or(KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut))?;
        let described = raw::describe_topics(&self.consumer, &self.topics, ANSWER_WAIT)
            .map_err(KafkaError::MetadataFetch)?;
        let mut described: HashMap<_, _> = described.into_iter().collect();
        let mut topics = Vec::with_capacity(self.topics.len());
        for topic in self.topics.clone() {
            topics.push(match described.remove(&topic) {
                Some(Ok(seen)) => Some(TopicSeen {
                    watermarks: self.watermarks(&topic, &seen)?,
                    id: seen.id,
                    partitions: seen.partitions,
                }),
                Some(Err(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopicId))
                | None => None,
                Some(Err(error)) => return Err(KafkaError::MetadataFetch(error)),
            });
        }
        Ok(Survey { at, cluster, topics })
    }

    fn watermarks(&mut self, topic: &str, seen: &raw::Described) -> KafkaResult<BTreeMap<i32, Watermarks>> {
        let all: Vec<i32> = (0..seen.partitions).collect();
        let low = self.offsets(topic, &all, Offset::Beginning)?;
        let high = self.offsets(topic, &all, Offset::End)?;
        if let Start::Time(at) = self.start {
            let unknown: Vec<i32> = all
                .into_iter()
                .filter(|partition| !self.start_offsets.contains_key(&(seen.id.clone(), *partition)))
                .collect();
            // Record times count milliseconds; rounded up, since an earlier record is not asked for.
            let at_ms = at.div_euclid(1_000) + i64::from(at.rem_euclid(1_000) > 0);
            for (partition, offset) in self.offsets(topic, &unknown, Offset::Offset(at_ms.max(0)))? {
                self.start_offsets.insert((seen.id.clone(), partition), offset);
            }
        }
        Ok(low
            .into_iter()
            .filter_map(|(partition, low)| {
                let (low, high) = (low?, high.get(&partition).copied()??);
                let at_start_time = self.start_offsets.get(&(seen.id.clone(), partition)).copied().flatten();
                Some((partition, Watermarks { low, high, at_start_time }))
            })
            .collect())
    }

    /// The offset of each partition at a time in ms, at the beginning or at the end; `None` when nothing is as young.
    /// One request per broker; when a partition lacks a leader that fails as a whole, and each is asked by itself.
    fn offsets(
        &self,
        topic: &str,
        partitions: &[i32],
        at: Offset,
    ) -> KafkaResult<BTreeMap<i32, Option<i64>>> {
        let mut found = BTreeMap::new();
        if partitions.is_empty() {
            return Ok(found);
        }
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition_offset(topic, *partition, at)?;
        }
        match self.consumer.offsets_for_times(list, ANSWER_WAIT) {
            Ok(answers) => {
                for answer in answers.elements().iter().filter(|answer| answer.error().is_ok()) {
                    let offset = match answer.offset() {
                        Offset::Offset(offset) => Some(offset),
                        _ => None,
                    };
                    found.insert(answer.partition(), offset);
                }
                Ok(found)
            }
            Err(error) if partitions.len() == 1 => Err(error),
            Err(error) => {
                for partition in partitions {
                    if let Ok(one) = self.offsets(topic, &[*partition], at) {
                        found.extend(one);
                    }
                }
                if found.is_empty() { Err(error) } else { Ok(found) }
            }
        }
    }
}
