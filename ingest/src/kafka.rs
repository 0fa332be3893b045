//! Reads every partition of some Kafka topics, starting from the checkpoints in the log.
//!
//! Partitions are assigned, never subscribed to: a consumer group would split accounts between its members. Offsets are
//! committed to the broker for lag monitoring only. Whatever would silently skip records (a topic deleted and created again,
//! records deleted before they were read, a truncated partition) stops that partition until the configuration names the
//! stop and says how to go on ([`Accept`]); the other partitions go on.
//!
//! ```text
//! Surveyor (own thread, own connections): ids, partitions, watermarks ──▶ new partitions, stops, completeness
//! Fetcher (librdkafka's queue): records, ends, errors ─────────────────────▶ positions ─▶ RawBatch + checkpoints
//! ```

mod config;
mod config_error;
pub mod partition;
mod raw;
mod setting;
mod statistics;
mod survey;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tidewatch_projections::event::Micros;
use tidewatch_projections::names::{Names, Symbol};

pub use self::config::{Accept, Format, KafkaConfig, Start};
pub use self::config_error::ConfigError;
pub use self::raw::TopicId;
pub use self::setting::{Secret, Setting};
pub use self::statistics::{PartitionStatistics, Statistics};
pub use self::survey::WallClock;

use self::partition::{Partition, StopReason, Watermarks};
use self::raw::{ClientEvent, Content, Fetcher};
use self::survey::{Survey, Surveyor, TopicSeen};
use crate::batch::{Origin, RawBatch, RawRecord};
use crate::checkpoint::{Checkpoint, PartitionCheckpoint};
use crate::source::{Polled, Source, SourceHealth, Stopped};

/// Longest wait of a poll while no partition is assigned, so that the first survey is acted on at once.
const UNASSIGNED_WAIT: Duration = Duration::from_millis(10);

/// A Kafka source, owned and polled by one thread.
///
/// **Completeness.** A partition is complete through T once its position passes the high watermark asked for at T, so an
/// idle partition advances with each survey and one with a backlog does not. The source is complete through the least of
/// its partitions; a stopped partition, a missing topic and a partition without a leader hold it where it was. The value
/// covers batches already returned by [`Source::poll`]: pass it on after them.
pub struct KafkaSource {
    config: KafkaConfig,
    names: Arc<Names>,
    fetcher: Fetcher,
    surveyor: Surveyor,
    topics: Vec<Topic>,
    cluster: String,
    checkpoints: Vec<PartitionCheckpoint>,
    partitions: Vec<Partition>,
    /// (topic, partition) → place in `partitions`.
    places: HashMap<(usize, i32), usize>,
    stops: VecDeque<Stopped>,
    complete_through: Option<Micros>,
    targets_set: bool,
    drained: bool,
    commits: BTreeMap<(String, i32), i64>,
    committed_at: Option<Instant>,
    refusal_logged: bool,
    statistics: Statistics,
}

struct Topic {
    name: String,
    symbol: Symbol,
    /// The id under which it is read; `None` until a survey sees the topic.
    id: Option<TopicId>,
    /// The id that the client's fetches use, if it logged one.
    fetched_as: Option<TopicId>,
    missing_logged: bool,
}

impl KafkaSource {
    /// Creates the clients. No broker needs to answer yet: partitions are added as surveys find them.
    ///
    /// # Errors
    /// When the configuration is wrong or a secret cannot be read.
    pub fn open(config: KafkaConfig, names: &Arc<Names>, wall: WallClock) -> Result<Self, ConfigError> {
        config.check()?;
        let client = config.reading_client()?;
        let fetcher = Fetcher::open(&client)
            .map_err(|error| ConfigError::Client { source_name: config.name.clone(), error })?;
        let surveyor = Surveyor::start(&config, wall)?;
        let topics = config
            .topics
            .iter()
            .map(|name| Topic {
                name: name.clone(),
                symbol: names.intern(name),
                id: None,
                fetched_as: None,
                missing_logged: false,
            })
            .collect();
        Ok(Self {
            config,
            names: Arc::clone(names),
            fetcher,
            surveyor,
            topics,
            cluster: String::new(),
            checkpoints: Vec::new(),
            partitions: Vec::new(),
            places: HashMap::new(),
            stops: VecDeque::new(),
            complete_through: None,
            targets_set: false,
            drained: false,
            commits: BTreeMap::new(),
            committed_at: None,
            refusal_logged: false,
            statistics: Statistics::default(),
        })
    }

    /// The statistics of the source at this moment.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = self.statistics.clone();
        {
            let findings = self.surveyor.findings();
            statistics.surveys = findings.done;
            statistics.surveys_failed = findings.failed;
            statistics.survey_failure = findings.failure.clone();
        }
        statistics.queued = self.fetcher.queued() as u64;
        statistics.partitions = self
            .partitions
            .iter()
            .map(|partition| PartitionStatistics {
                topic: self.topics[partition.topic].name.clone(),
                partition: partition.partition,
                position: partition.position,
                low: partition.watermarks.low,
                high: partition.watermarks.high,
                lag: partition.lag(),
                behind_since: partition.behind_since(),
                complete_through: partition.complete_through(),
                records: partition.records,
                bytes: partition.bytes,
                gaps: partition.gaps,
                stalls: partition.stalls,
                stopped: partition.stop_reason.as_ref().map(StopReason::cause),
            })
            .collect();
        statistics.partitions.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        statistics
    }

    fn is_own(&self, checkpoint: &PartitionCheckpoint) -> bool {
        checkpoint.source == self.config.name && self.config.topics.contains(&checkpoint.topic)
    }

    fn apply_survey(&mut self) {
        let Some(survey) = self.surveyor.findings().newest.take() else { return };
        let Survey { at, cluster, topics } = survey;
        self.cluster = cluster;
        let mut waiting = 0;
        for (index, seen) in topics.iter().enumerate() {
            match seen {
                Some(seen) => waiting += self.apply_topic(index, at, seen),
                None => self.note_missing(index),
            }
        }
        let missing: Vec<String> = (topics.iter().zip(&self.topics))
            .filter(|(seen, _)| seen.is_none())
            .map(|(_, topic)| topic.name.clone())
            .collect();
        let whole = missing.is_empty() && waiting == 0;
        self.statistics.topics_missing = missing;
        self.statistics.partitions_waiting = waiting;
        if whole && !self.targets_set {
            self.targets_set = true;
            for partition in &mut self.partitions {
                partition.target = Some(partition.watermarks.high);
            }
        }
        self.reopen_stalled();
    }

    /// Returns how many of its partitions cannot be added yet.
    fn apply_topic(&mut self, index: usize, at: Micros, seen: &TopicSeen) -> u64 {
        self.topics[index].missing_logged = false;
        let added_later = self.topics[index].id.is_some();
        if self.topics[index].id.as_ref().is_some_and(|id| *id != seen.id) {
            self.stop_recreated(index, &seen.id);
            return 0;
        }
        self.topics[index].id = Some(seen.id.clone());
        if let Some(fetched) = self.topics[index].fetched_as.clone()
            && fetched != seen.id
        {
            self.stop_recreated(index, &fetched);
            return 0;
        }
        let mut waiting = 0;
        for number in 0..seen.partitions {
            match (self.places.get(&(index, number)), seen.watermarks.get(&number)) {
                (Some(place), Some(watermarks)) => {
                    let place = *place;
                    self.partitions[place].survey(at, *watermarks);
                    self.check_refused_position(place);
                }
                (None, Some(watermarks)) => self.add_partition(index, number, at, *watermarks, added_later),
                (Some(_), None) => {}
                (None, None) => waiting += 1,
            }
        }
        waiting
    }

    fn note_missing(&mut self, index: usize) {
        let topic = &mut self.topics[index];
        if !topic.missing_logged {
            topic.missing_logged = true;
            tracing::warn!(target: "kafka", source = self.config.name, topic = topic.name,
                "the broker has no such topic; waiting for it");
        }
    }

    fn add_partition(
        &mut self,
        topic: usize,
        number: i32,
        at: Micros,
        watermarks: Watermarks,
        added_later: bool,
    ) {
        let Topic { name, symbol, id, .. } = &self.topics[topic];
        let id = id.clone().expect("a topic's partitions are added after its id is known");
        let of_topic = || self.checkpoints.iter().filter(|checkpoint| checkpoint.topic == *name);
        let checkpoint = of_topic()
            .find(|checkpoint| checkpoint.partition == number && checkpoint.cluster == self.cluster)
            // Under another cluster id the same name is another topic: its id says so and stops it.
            .or_else(|| of_topic().find(|checkpoint| checkpoint.partition == number));
        let (start, stop_reason) = match checkpoint {
            Some(checkpoint) => {
                match partition::resume_at(checkpoint, &id, watermarks, &self.config.accept) {
                    Ok(start) => (start, None),
                    Err(stop_reason) => {
                        ((checkpoint.next_offset, checkpoint.leader_epoch), Some(stop_reason))
                    }
                }
            }
            None => {
                let added = added_later || of_topic().next().is_some();
                let position = partition::start_at(self.config.start, added, watermarks);
                ((position, partition::NO_EPOCH), None)
            }
        };
        let id_name = self.names.intern(id.as_str());
        let mut partition = Partition::new(topic, *symbol, number, (id, id_name), start, watermarks);
        let place = self.partitions.len();
        self.places.insert((topic, number), place);
        match stop_reason {
            Some(stop_reason) => {
                // Not reported as progress: the checkpoint in the log stays valid until the stop is answered.
                partition.moved = false;
                partition.watermarks = watermarks;
                self.partitions.push(partition);
                self.stop(place, stop_reason);
            }
            None => {
                partition.survey(at, watermarks);
                self.partitions.push(partition);
                self.assign(place);
            }
        }
    }

    /// Where the client refused the position: stops the partition with the reason, or opens it again when the watermarks say
    /// that the position is readable.
    fn check_refused_position(&mut self, place: usize) {
        let partition = &mut self.partitions[place];
        if !std::mem::take(&mut partition.refused) || partition.stop_reason.is_some() {
            return;
        }
        match partition.explain_refusal() {
            Some(stop_reason) => self.stop(place, stop_reason),
            None => self.reopen(place),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "only a wait is measured: how long a partition stands still"
    )]
    fn reopen_stalled(&mut self) {
        let (now, limit) = (Instant::now(), Duration::from_millis(self.config.stall_ms));
        for place in 0..self.partitions.len() {
            if self.partitions[place].stalled(now, limit, self.drained) {
                let partition = &self.partitions[place];
                tracing::warn!(target: "kafka", source = self.config.name,
                    topic = self.topics[partition.topic].name, partition = partition.partition,
                    position = partition.position, high = partition.watermarks.high,
                    "no record came for {} ms though there are some; opening the partition anew", self.config.stall_ms);
                self.reopen(place);
            }
        }
    }

    fn element(&self, place: usize) -> TopicPartitionList {
        let partition = &self.partitions[place];
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(
            &self.topics[partition.topic].name,
            partition.partition,
            Offset::Offset(partition.position),
        )
        .expect("an offset is no logical one and the list takes it");
        raw::set_leader_epoch(&mut list, 0, partition.epoch);
        list
    }

    fn assign(&mut self, place: usize) {
        let done = self.fetcher.consumer().incremental_assign(&self.element(place));
        self.note(done);
    }

    fn unassign(&mut self, place: usize) {
        let done = self.fetcher.consumer().incremental_unassign(&self.element(place));
        self.note(done);
    }

    fn reopen(&mut self, place: usize) {
        self.unassign(place);
        self.assign(place);
    }

    /// Logs a failed assignment. It fails only while the client ends; the watchdog finds a partition that stays closed.
    fn note(&mut self, done: KafkaResult<()>) {
        if let Err(error) = done {
            self.statistics.errors += 1;
            tracing::warn!(target: "kafka", source = self.config.name, %error, "changing the assignment failed");
        }
    }

    fn stop(&mut self, place: usize, stop_reason: StopReason) {
        self.unassign(place);
        let partition = &mut self.partitions[place];
        let (topic, number) = (&self.topics[partition.topic].name, partition.partition);
        self.stops.push_back(Stopped {
            source_name: self.config.name.clone(),
            stream: format!("{topic}/{number}"),
            cause: stop_reason.cause(),
            what_happened: stop_reason.what_happened(),
            what_to_do: stop_reason.what_to_do(topic, number),
        });
        partition.stop_reason = Some(stop_reason);
    }

    fn stop_recreated(&mut self, topic: usize, id: &TopicId) {
        for place in 0..self.partitions.len() {
            let partition = &self.partitions[place];
            if partition.topic == topic && partition.stop_reason.is_none() {
                let was = partition.topic_id.as_str().to_owned();
                self.stop(place, StopReason::Recreated { was, is: id.clone() });
            }
        }
    }

    fn handle_client_events(&mut self) {
        while let Some(event) = self.fetcher.client_event() {
            match event {
                ClientEvent::TopicId { topic, id } => {
                    let Some(index) = self.topics.iter().position(|known| known.name == topic) else {
                        continue;
                    };
                    if self.topics[index].id.as_ref().is_some_and(|known| *known != id) {
                        self.stop_recreated(index, &id);
                    }
                    self.topics[index].fetched_as = Some(id);
                }
                ClientEvent::Committed(Ok(())) => {
                    self.statistics.commits += 1;
                    self.refusal_logged = false;
                }
                ClientEvent::Committed(Err(code)) => self.note_commit_failure(code),
                ClientEvent::ErrorLogged(line) => {
                    self.statistics.errors_logged += 1;
                    self.statistics.last_error_logged = Some(line);
                }
            }
        }
    }

    fn note_commit_failure(&mut self, code: RDKafkaErrorCode) {
        match code {
            RDKafkaErrorCode::UnknownMemberId
            | RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::RebalanceInProgress
            | RDKafkaErrorCode::FencedInstanceId => {
                self.statistics.commits_refused += 1;
                if !self.refusal_logged {
                    self.refusal_logged = true;
                    tracing::error!(target: "kafka", source = self.config.name, group = self.config.group(), %code,
                        "the broker refuses commits since another member of the group lives: does a second engine or \
                         a consumer use this group? Reading goes on; lag tools show wrong figures");
                }
            }
            code => {
                self.statistics.commits_failed += 1;
                tracing::warn!(target: "kafka", source = self.config.name, %code, "a commit for lag tools failed");
            }
        }
    }

    fn commit_if_due(&mut self) {
        let every = Duration::from_millis(self.config.commit_ms);
        if self.commits.is_empty() || self.committed_at.is_some_and(|at| at.elapsed() < every) {
            return;
        }
        self.commit();
    }

    #[expect(clippy::disallowed_methods, reason = "only a wait is measured: the pause between commits")]
    fn commit(&mut self) {
        self.committed_at = Some(Instant::now());
        let mut offsets = TopicPartitionList::with_capacity(self.commits.len());
        for ((topic, partition), offset) in std::mem::take(&mut self.commits) {
            offsets
                .add_partition_offset(&topic, partition, Offset::Offset(offset))
                .expect("an offset is no logical one and the list takes it");
        }
        if let Err(code) = self.fetcher.commit(&offsets) {
            self.note_commit_failure(code);
        }
    }

    /// Moves fetched records into `out` until it is full or no record is left.
    fn deliver(&mut self, out: &mut RawBatch) {
        // Records come in runs of one partition.
        let mut run: Option<(usize, i32, Option<usize>)> = None;
        while let Some(record) = self.fetcher.front() {
            let (mark, number) = (record.topic_handle(), record.partition());
            let place = match run {
                Some((topic, partition, place)) if (topic, partition) == (mark, number) => place,
                _ => {
                    let topic = self.topics.iter().position(|topic| topic.name == record.topic());
                    let place = topic.and_then(|topic| self.places.get(&(topic, number)).copied());
                    run = Some((mark, number, place));
                    place
                }
            };
            let partition = place.map(|place| &mut self.partitions[place]);
            match (record.content(), partition) {
                (Content::Value(_), Some(partition)) if partition.stop_reason.is_some() => {
                    self.statistics.discarded += 1
                }
                (Content::Value(None), Some(partition)) => {
                    if partition.take(record.offset(), record.leader_epoch()) {
                        self.statistics.tombstones += 1;
                    } else {
                        self.statistics.repeated += 1;
                    }
                }
                (Content::Value(Some(bytes)), Some(partition)) => {
                    let full = out.payload.len() + bytes.len() > self.config.batch_bytes_max;
                    if full && !out.records.is_empty() {
                        return;
                    }
                    let offset = record.offset();
                    if partition.take(offset, record.leader_epoch()) {
                        partition.records += 1;
                        partition.bytes += bytes.len() as u64;
                        let from = out.payload.len();
                        out.payload.extend_from_slice(bytes);
                        let (topic, topic_id) = (partition.topic_name, partition.topic_id_name);
                        let origin = Origin::Kafka { topic, topic_id, partition: number, offset };
                        out.records.push(RawRecord::whole(from..out.payload.len(), origin));
                    } else {
                        self.statistics.repeated += 1;
                    }
                }
                (Content::End, Some(partition)) => {
                    if partition.stop_reason.is_none() {
                        partition.reach_end(record.offset());
                    }
                }
                (Content::Failed(code, reason), partition) => {
                    let refused = matches!(
                        code,
                        RDKafkaErrorCode::AutoOffsetReset
                            | RDKafkaErrorCode::OffsetOutOfRange
                            | RDKafkaErrorCode::LogTruncation
                    );
                    self.statistics.errors += 1;
                    tracing::warn!(target: "kafka", source = self.config.name, topic = record.topic(),
                        partition = number, %code, reason, "the client reports an error");
                    if let Some(partition) = partition
                        && refused
                    {
                        if code == RDKafkaErrorCode::LogTruncation && partition.stop_reason.is_none() {
                            let stop_reason = StopReason::Truncated {
                                from: partition.position,
                                high: partition.watermarks.high,
                            };
                            let place = place.expect("the partition was found by its place");
                            self.fetcher.pop();
                            self.stop(place, stop_reason);
                            continue;
                        }
                        partition.refused = true;
                        self.surveyor.survey_now();
                    }
                }
                (Content::Value(_) | Content::End, None) => self.statistics.discarded += 1,
            }
            self.fetcher.pop();
        }
    }

    fn report_progress(&mut self, out: &mut RawBatch) {
        for partition in self.partitions.iter_mut().filter(|partition| partition.moved) {
            partition.moved = false;
            out.progress.push(Checkpoint::Kafka(PartitionCheckpoint {
                source: self.config.name.clone(),
                cluster: self.cluster.clone(),
                topic: self.topics[partition.topic].name.clone(),
                topic_id: partition.topic_id.as_str().to_owned(),
                partition: partition.partition,
                leader_epoch: partition.epoch,
                next_offset: partition.position,
            }));
        }
    }

    fn advance_completeness(&mut self) {
        if !self.targets_set
            || self.statistics.partitions_waiting > 0
            || !self.statistics.topics_missing.is_empty()
        {
            return;
        }
        // None sorts first: a partition that passed no watermark yet holds the source.
        let least = self.partitions.iter().map(Partition::complete_through).min().flatten();
        self.complete_through = self.complete_through.max(least);
    }
}

impl Source for KafkaSource {
    fn name(&self) -> &str {
        &self.config.name
    }

    /// Keeps the checkpoints of its own topics. Each is checked when a survey first sees its partition, so a stop is an error
    /// of [`Source::poll`] and never of this method.
    fn resume(&mut self, checkpoints: &[Checkpoint]) -> Result<(), Stopped> {
        self.checkpoints = checkpoints
            .iter()
            .filter_map(|checkpoint| match checkpoint {
                Checkpoint::Kafka(at) if self.is_own(at) => Some(at.clone()),
                _ => None,
            })
            .collect();
        Ok(())
    }

    fn poll(&mut self, wait: Duration, out: &mut RawBatch) -> Result<Polled, Stopped> {
        self.apply_survey();
        if let Some(stopped) = self.stops.pop_front() {
            return Err(stopped);
        }
        self.commit_if_due();
        self.fetcher.fill(if self.partitions.is_empty() { wait.min(UNASSIGNED_WAIT) } else { wait });
        // After the records are taken and before they are looked at: see `Fetcher::notice`.
        self.handle_client_events();
        self.drained = self.fetcher.front().is_none();
        self.deliver(out);
        self.report_progress(out);
        self.advance_completeness();
        Ok(Polled::Open)
    }

    fn durable(&mut self, checkpoints: &[Checkpoint]) {
        for checkpoint in checkpoints {
            if let Checkpoint::Kafka(at) = checkpoint
                && at.cluster == self.cluster
                && self.is_own(at)
            {
                self.commits.insert((at.topic.clone(), at.partition), at.next_offset);
            }
        }
        self.commit_if_due();
    }

    fn complete_through(&self) -> Option<Micros> {
        self.complete_through
    }

    fn caught_up(&self) -> bool {
        self.targets_set && self.partitions.iter().all(Partition::caught_up)
    }

    fn health(&self) -> Option<SourceHealth> {
        Some(self.statistics().health())
    }

    fn streams(&self) -> bool {
        true
    }
}

impl Drop for KafkaSource {
    /// Requests the last commit; whether it arrives matters to lag monitoring only.
    fn drop(&mut self) {
        if !self.commits.is_empty() {
            self.commit();
        }
    }
}
