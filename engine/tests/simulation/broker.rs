//! The outside world: topics and files, and a ledger of every record that was ever put into them.

use std::collections::{BTreeMap, HashMap};

use crate::draw::Draw;
use crate::fleet::{Line, Meaning};

/// Where a record stands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stream {
    /// (source, topic name, topic id, partition)
    Partition(String, String, String, i32),
    /// (source, digest)
    File(String, String),
}

/// One record in one place. The same line may stand in several.
#[derive(Clone, Debug)]
pub struct Record {
    /// The line, by its place in the ledger.
    pub line: usize,
    /// The source that reads it.
    pub source: String,
    /// The stream.
    pub stream: Stream,
    /// Its offset, or its line counted from 0.
    pub offset: i64,
    /// Source and id of the event it tells, if it is one.
    pub identity: Option<(String, String)>,
    /// Deleted at its origin: it need not be read any more.
    pub is_gone: bool,
}

/// A partition as the broker keeps it.
#[derive(Clone, Default, Debug)]
pub struct Partition {
    /// The oldest offset left.
    pub low: i64,
    /// The offset after the newest record.
    pub high: i64,
    /// Records by place in the ledger, in order of offsets, gaps between some of them.
    pub records: Vec<usize>,
}

/// A topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// The source that reads it.
    pub source: String,
    /// Another one after it was deleted and made again.
    pub id: String,
    /// Its partitions.
    pub partitions: Vec<Partition>,
}

/// A file.
#[derive(Clone, Debug)]
pub struct File {
    /// The source it is read for.
    pub source: String,
    /// Stands for the digest of its content.
    pub digest: String,
    /// Its records by place in the ledger.
    pub records: Vec<usize>,
}

/// Everything outside the engine. Survives every crash.
#[derive(Default)]
pub struct Broker {
    /// Every distinct line.
    pub lines: Vec<Line>,
    /// Every record.
    pub records: Vec<Record>,
    /// Records by source and id of what they tell.
    pub by_identity: HashMap<(String, String), Vec<usize>>,
    /// Records of a stream, in order.
    pub by_stream: BTreeMap<Stream, Vec<usize>>,
    /// Topics as they are now.
    pub topics: Vec<Topic>,
    /// Files as they are now.
    pub files: Vec<File>,
    /// The wall clock of everybody.
    pub now: i64,
    ids: u64,
}

impl Stream {
    /// The source that reads it.
    pub fn source(&self) -> &str {
        let (Self::Partition(source, ..) | Self::File(source, _)) = self;
        source
    }
}

impl Broker {
    fn fresh_id(&mut self, what: &str) -> String {
        self.ids += 1;
        format!("{what}{}", self.ids)
    }

    /// Makes a topic.
    pub fn add_topic(&mut self, name: &str, source: &str, partitions: usize) {
        let id = self.fresh_id("topic");
        let partitions = vec![Partition::default(); partitions];
        self.topics.push(Topic { name: name.into(), source: source.into(), id, partitions });
    }

    /// Puts a line at the end of a partition, some offsets further now and then.
    pub fn produce(&mut self, topic: usize, partition: usize, line: Line, draw: &mut Draw) {
        let line = self.keep(line);
        self.produce_again(topic, partition, line, draw);
    }

    /// Puts a line that was told before there once more: a producer that idempotency itself.
    pub fn produce_again(&mut self, topic: usize, partition: usize, line: usize, draw: &mut Draw) {
        let Topic { name, source, id, partitions } = &self.topics[topic];
        let (name, source) = (name.clone(), source.clone());
        let stream = Stream::Partition(source.clone(), name.clone(), id.clone(), partition as i32);
        let gap = if draw.often(60) { draw.range(1, 4) } else { 0 };
        let offset = partitions[partition].high + gap;
        let record = self.add(line, source, stream, offset, format!("{name}/{id}/{partition}/{offset}"));
        let partition = &mut self.topics[topic].partitions[partition];
        partition.records.push(record);
        // A transaction's end mark or a compacted record may stand last, too.
        partition.high = offset + 1 + i64::from(draw.often(40));
    }

    /// Makes a file of lines.
    pub fn add_file(&mut self, source: &str, lines: Vec<Line>) {
        let digest = self.fresh_id("file");
        let stream = Stream::File(source.into(), digest.clone());
        let records = lines
            .into_iter()
            .enumerate()
            .map(|(offset, line)| {
                let line = self.keep(line);
                let id = format!("{digest}:{}", offset + 1);
                self.add(line, source.into(), stream.clone(), offset as i64, id)
            })
            .collect();
        self.files.push(File { source: source.into(), digest, records });
    }

    fn keep(&mut self, line: Line) -> usize {
        self.lines.push(line);
        self.lines.len() - 1
    }

    fn add(&mut self, line: usize, source: String, stream: Stream, offset: i64, own_id: String) -> usize {
        let identity = match &self.lines[line].meaning {
            Meaning::Refused(_) => None,
            Meaning::Event(told) => {
                let of = told.source.clone().unwrap_or_else(|| source.clone());
                Some((of, told.id.clone().unwrap_or(own_id)))
            }
        };
        let place = self.records.len();
        if let Some(identity) = &identity {
            self.by_identity.entry(identity.clone()).or_default().push(place);
        }
        self.by_stream.entry(stream.clone()).or_default().push(place);
        self.records.push(Record { line, source, stream, offset, identity, is_gone: false });
        place
    }

    /// Old records are deleted.
    pub fn expire(&mut self, topic: usize, partition: usize, draw: &mut Draw) {
        let partition = &mut self.topics[topic].partitions[partition];
        if partition.records.is_empty() {
            return;
        }
        let count = 1 + draw.below(partition.records.len());
        let gone: Vec<usize> = partition.records.drain(..count).collect();
        for record in &gone {
            self.records[*record].is_gone = true;
        }
        partition.low = self.records[*gone.last().expect("one at least")].offset + 1;
        partition.high = partition.high.max(partition.low);
    }

    /// The topic is deleted and made again.
    pub fn recreate(&mut self, topic: usize, partitions: usize) {
        let id = self.fresh_id("topic");
        let topic = &mut self.topics[topic];
        for record in topic.partitions.iter().flat_map(|partition| &partition.records) {
            self.records[*record].is_gone = true;
        }
        topic.id = id;
        topic.partitions = vec![Partition::default(); partitions];
    }
}
