//! Checkpoints: how far a source has been read. A checkpoint is written in the same frame as the records it covers.

/// One position: every record of the stream below it is accepted, duplicate, filtered or a dead letter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Checkpoint {
    /// A partition of a topic. A topic that was deleted and made again has another id.
    Kafka(PartitionCheckpoint),
    /// A file or standard input, identified by its content.
    File(FileCheckpoint),
}

/// The position in a partition of a Kafka topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionCheckpoint {
    /// The source the partition was read for: two sources over one topic have each their own progress.
    pub source: String,
    /// The cluster's id as the broker states it.
    pub cluster: String,
    /// The name of the topic.
    pub topic: String,
    /// The id of the topic, a UUID as text.
    pub topic_id: String,
    /// The number of the partition in the topic.
    pub partition: i32,
    /// Leader epoch of the last record below; -1 when the broker gave none.
    pub leader_epoch: i32,
    /// The offset of the next record to be read.
    pub next_offset: i64,
}

/// The position in the content of a file or of standard input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileCheckpoint {
    /// The source the content was read for: the same file under another name is another stream.
    pub source: String,
    /// BLAKE3 of the whole uncompressed content, first 16 bytes in hexadecimal.
    pub digest: String,
    /// How many uncompressed bytes have been read.
    pub byte: u64,
    /// How many lines have been read.
    pub line: u64,
}

/// The stream that a checkpoint belongs to: the newest checkpoint of a stream replaces the older ones.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Stream {
    /// A partition of a topic: (source, cluster, topic name, partition).
    Partition(String, String, String, i32),
    /// The content of a file: (source, digest of the content).
    File(String, String),
}

impl Checkpoint {
    /// The name of the source. Resetting the source discards the checkpoint, so that the stream is read again.
    pub fn source(&self) -> &str {
        match self {
            Self::Kafka(at) => &at.source,
            Self::File(at) => &at.source,
        }
    }

    /// The stream that the checkpoint belongs to.
    pub fn stream(&self) -> Stream {
        match self {
            Self::Kafka(at) => {
                let PartitionCheckpoint { source, cluster, topic, partition, .. } = at;
                Stream::Partition(source.clone(), cluster.clone(), topic.clone(), *partition)
            }
            Self::File(at) => Stream::File(at.source.clone(), at.digest.clone()),
        }
    }
}
