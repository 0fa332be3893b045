//! How far a source has been read. A checkpoint lies in the frame of the records it covers.

/// One position: every record of the stream below it is accepted, duplicate, filtered or a dead letter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Checkpoint {
    /// A partition of a topic. A topic that was deleted and made again has another id.
    Kafka(PartitionCheckpoint),
    /// A file or standard input, known by its content.
    File(FileCheckpoint),
}

/// See [`Checkpoint::Kafka`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionCheckpoint {
    /// The source the partition was read for: two sources over one topic have each their own progress.
    pub source: String,
    /// The cluster's id as the broker states it.
    pub cluster: String,
    /// The topic's name.
    pub topic: String,
    /// The topic's id (a UUID as text).
    pub topic_id: String,
    /// The partition.
    pub partition: i32,
    /// Leader epoch of the last record below; -1 when the broker gave none.
    pub leader_epoch: i32,
    /// The offset read next.
    pub next_offset: i64,
}

/// See [`Checkpoint::File`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileCheckpoint {
    /// The source the content was read for: the same file under another name is another stream.
    pub source: String,
    /// BLAKE3 of the whole uncompressed content, first 16 bytes in hexadecimal.
    pub digest: String,
    /// Uncompressed bytes read.
    pub byte: u64,
    /// Lines read.
    pub line: u64,
}

/// What a checkpoint is about: two checkpoints of one stream replace each other.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Stream {
    /// (source, cluster, topic name, partition)
    Partition(String, String, String, i32),
    /// (source, digest of the content)
    File(String, String),
}

impl Checkpoint {
    /// The source that has read so far. A reset of the source forgets the checkpoint, so that the stream is read again.
    pub fn source(&self) -> &str {
        match self {
            Self::Kafka(at) => &at.source,
            Self::File(at) => &at.source,
        }
    }

    /// The stream it is about.
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
