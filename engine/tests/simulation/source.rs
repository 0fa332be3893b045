//! Sources over the simulated topics and files. What a topic's partitions are told, and where they resume, is decided by
//! the state machine of the real Kafka source.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tidewatch_ingest::batch::{Origin, RawBatch, RawRecord};
use tidewatch_ingest::checkpoint::{Checkpoint, FileCheckpoint, PartitionCheckpoint};
use tidewatch_ingest::kafka::partition::{Partition, StopReason, Watermarks, resume_at, start_at};
use tidewatch_ingest::kafka::{Accept, Start, TopicId};
use tidewatch_ingest::source::{Polled, Source, Stopped};
use tidewatch_projections::event::Micros;
use tidewatch_projections::names::Names;

use crate::broker::{Broker, Stream};
use crate::draw::Draw;

/// The outside world, shared with the sources that read it.
pub type World = Arc<Mutex<Broker>>;

/// One reading of watermarks: the time, and the end of every partition then.
pub type Survey = (Micros, Vec<(Stream, i64)>);

/// What the simulation sees of a source besides what the engine sees.
pub trait Watched: Source {
    /// Records of the last batch, by their place in the ledger.
    fn records(&self) -> &[usize];

    /// Watermarks read since last asked.
    fn surveys(&mut self) -> Vec<Survey> {
        Vec::new()
    }

    /// What an operator would have to answer for the source to go on.
    fn questions(&self) -> Vec<Accept> {
        Vec::new()
    }
}

const CLUSTER: &str = "sim";

/// A source of all topics that name it.
pub struct TopicSource {
    name: String,
    world: World,
    names: Arc<Names>,
    draw: Draw,
    accepted: Vec<Accept>,
    checkpoints: Vec<PartitionCheckpoint>,
    partitions: BTreeMap<(usize, i32), Partition>,
    /// Whether topics were looked at: partitions that appear later were added.
    is_admitted: bool,
    records: Vec<usize>,
    surveys: Vec<Survey>,
}

impl TopicSource {
    /// A source that was told how to go on after `accepted`.
    pub fn new(name: &str, world: World, names: Arc<Names>, draw: Draw, accepted: Vec<Accept>) -> Self {
        Self {
            name: name.into(),
            world,
            names,
            draw,
            accepted,
            checkpoints: Vec::new(),
            partitions: BTreeMap::new(),
            is_admitted: false,
            records: Vec::new(),
            surveys: Vec::new(),
        }
    }

    fn survey(&mut self) {
        let world = Arc::clone(&self.world);
        let broker = lock(&world);
        let mut highs = Vec::new();
        for (index, topic) in broker.topics.iter().enumerate().filter(|(_, topic)| topic.source == self.name)
        {
            let id = TopicId::new(&topic.id);
            for (number, kept) in topic.partitions.iter().enumerate() {
                let number = number as i32;
                let watermarks = Watermarks { low: kept.low, high: kept.high, at_start_time: None };
                let stream =
                    Stream::Partition(self.name.clone(), topic.name.clone(), topic.id.clone(), number);
                highs.push((stream, kept.high));
                match self.partitions.get_mut(&(index, number)) {
                    Some(partition) if partition.topic_id != id => {
                        let was = partition.topic_id.as_str().to_owned();
                        partition.stop_reason = Some(StopReason::Recreated { was, is: id.clone() });
                    }
                    Some(partition) => {
                        partition.survey(broker.now, watermarks);
                        if partition.stop_reason.is_none() {
                            partition.stop_reason = partition.explain_refusal();
                        }
                    }
                    None => {
                        let checkpoint = self
                            .checkpoints
                            .iter()
                            .find(|at| at.topic == topic.name && at.partition == number);
                        let place = match checkpoint {
                            Some(checkpoint) => resume_at(checkpoint, &id, watermarks, &self.accepted),
                            None => Ok((start_at(Start::Earliest, self.is_admitted, watermarks), 0)),
                        };
                        let symbol = self.names.intern(&topic.name);
                        let (at, stop_reason) = match place {
                            Ok(at) => (at, None),
                            Err(stop_reason) => {
                                ((checkpoint.map_or(0, |at| at.next_offset), 0), Some(stop_reason))
                            }
                        };
                        let id_name = self.names.intern(id.as_str());
                        let mut partition =
                            Partition::new(index, symbol, number, (id.clone(), id_name), at, watermarks);
                        partition.stop_reason = stop_reason;
                        partition.survey(broker.now, watermarks);
                        self.partitions.insert((index, number), partition);
                    }
                }
            }
        }
        self.is_admitted = true;
        self.surveys.push((broker.now, highs));
    }

    fn read(&mut self, out: &mut RawBatch) {
        let open: Vec<(usize, i32)> = self
            .partitions
            .iter()
            .filter(|(_, partition)| partition.stop_reason.is_none())
            .map(|(key, _)| *key)
            .collect();
        if open.is_empty() {
            return;
        }
        let key = *self.draw.pick(&open);
        let most = self.draw.range(1, 24) as usize;
        // A reader that was reopened hands over again what it had handed over before.
        let again = if self.draw.often(120) { self.draw.range(1, 12) } else { 0 };
        let broker = lock(&self.world);
        let topic = &broker.topics[key.0];
        let partition = self.partitions.get_mut(&key).expect("it was just listed");
        if TopicId::new(&topic.id) != partition.topic_id {
            return;
        }
        let Some(kept) = topic.partitions.get(key.1 as usize) else { return };
        if partition.position < kept.low {
            // The broker refuses the offset.
            partition.watermarks = Watermarks { low: kept.low, high: kept.high, at_start_time: None };
            partition.stop_reason = partition.explain_refusal();
            return;
        }
        let from = partition.position - again;
        let coming = kept.records.iter().filter(|record| broker.records[**record].offset >= from);
        let mut is_at_end = true;
        for (given, record) in coming.enumerate() {
            if given >= most {
                is_at_end = false;
                break;
            }
            let offset = broker.records[*record].offset;
            partition.take(offset, 0);
            let start = out.payload.len();
            out.payload.extend_from_slice(&broker.lines[broker.records[*record].line].bytes);
            let (topic, topic_id) = (partition.topic_name, partition.topic_id_name);
            let origin = Origin::Kafka { topic, topic_id, partition: key.1, offset };
            out.records.push(RawRecord::whole(start..out.payload.len(), origin));
            self.records.push(*record);
        }
        if is_at_end {
            partition.reach_end(kept.high);
        }
    }
}

fn lock(world: &World) -> MutexGuard<'_, Broker> {
    world.lock().expect("one thread alone holds it")
}

impl Source for TopicSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn resume(&mut self, checkpoints: &[Checkpoint]) -> Result<(), Stopped> {
        let own = |checkpoint: &Checkpoint| match checkpoint {
            Checkpoint::Kafka(at) if at.source == self.name => Some(at.clone()),
            _ => None,
        };
        self.checkpoints = checkpoints.iter().filter_map(own).collect();
        Ok(())
    }

    fn poll(&mut self, _wait: Duration, out: &mut RawBatch) -> Result<Polled, Stopped> {
        self.records.clear();
        if !self.is_admitted || self.draw.often(300) {
            self.survey();
        }
        self.read(out);
        let broker = lock(&self.world);
        for (key, partition) in &mut self.partitions {
            if std::mem::take(&mut partition.moved) && partition.stop_reason.is_none() {
                out.progress.push(Checkpoint::Kafka(PartitionCheckpoint {
                    source: self.name.clone(),
                    cluster: CLUSTER.into(),
                    topic: broker.topics[key.0].name.clone(),
                    topic_id: partition.topic_id.as_str().into(),
                    partition: key.1,
                    leader_epoch: partition.epoch,
                    next_offset: partition.position,
                }));
            }
        }
        Ok(Polled::Open)
    }

    fn complete_through(&self) -> Option<Micros> {
        let mut least = Micros::MAX;
        for partition in self.partitions.values() {
            least = least.min(partition.complete_through()?);
        }
        (!self.partitions.is_empty()).then_some(least)
    }

    fn streams(&self) -> bool {
        true
    }
}

impl Watched for TopicSource {
    fn records(&self) -> &[usize] {
        &self.records
    }

    fn surveys(&mut self) -> Vec<Survey> {
        std::mem::take(&mut self.surveys)
    }

    fn questions(&self) -> Vec<Accept> {
        let broker = lock(&self.world);
        let question = |(key, partition): (&(usize, i32), &Partition)| {
            let topic = broker.topics[key.0].name.clone();
            let offset = |offset: i64| Accept::Offset {
                topic: topic.clone(),
                partition: key.1,
                from: partition.position,
                offset,
            };
            match partition.stop_reason.as_ref()? {
                StopReason::Recreated { is, .. } => {
                    Some(Accept::Topic { topic: topic.clone(), topic_id: is.as_str().to_owned() })
                }
                StopReason::RetentionLoss { low, .. } => Some(offset(*low)),
                StopReason::Truncated { high, .. } => Some(offset(*high)),
            }
        };
        self.partitions.iter().filter_map(question).collect()
    }
}

/// A source of all files that name it, one after the other.
pub struct FileSource {
    name: String,
    world: World,
    names: Arc<Names>,
    draw: Draw,
    /// Lines read, by digest.
    read: BTreeMap<String, u64>,
    records: Vec<usize>,
}

impl FileSource {
    /// The source of all files there are.
    pub fn new(name: &str, world: World, names: Arc<Names>, draw: Draw) -> Self {
        Self { name: name.into(), world, names, draw, read: BTreeMap::new(), records: Vec::new() }
    }
}

impl Source for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn resume(&mut self, checkpoints: &[Checkpoint]) -> Result<(), Stopped> {
        for checkpoint in checkpoints {
            if let Checkpoint::File(at) = checkpoint
                && at.source == self.name
            {
                self.read.insert(at.digest.clone(), at.line);
            }
        }
        Ok(())
    }

    fn poll(&mut self, _wait: Duration, out: &mut RawBatch) -> Result<Polled, Stopped> {
        self.records.clear();
        let most = self.draw.range(4, 60) as usize;
        let broker = lock(&self.world);
        for file in broker.files.iter().filter(|file| file.source == self.name) {
            let read = self.read.entry(file.digest.clone()).or_default();
            if *read >= file.records.len() as u64 {
                continue;
            }
            let digest = self.names.intern(&file.digest);
            for record in file.records.iter().skip(*read as usize).take(most) {
                let start = out.payload.len();
                out.payload.extend_from_slice(&broker.lines[broker.records[*record].line].bytes);
                *read += 1;
                let origin = Origin::Line { digest, line: *read };
                out.records.push(RawRecord::whole(start..out.payload.len(), origin));
                self.records.push(*record);
            }
            let lines = file.records.iter().take(*read as usize);
            let byte =
                lines.map(|record| broker.lines[broker.records[*record].line].bytes.len() as u64 + 1).sum();
            let (source, digest) = (self.name.clone(), file.digest.clone());
            out.progress.push(Checkpoint::File(FileCheckpoint { source, digest, byte, line: *read }));
            return Ok(Polled::Open);
        }
        Ok(Polled::Ended)
    }
}

impl Watched for FileSource {
    fn records(&self) -> &[usize] {
        &self.records
    }
}
