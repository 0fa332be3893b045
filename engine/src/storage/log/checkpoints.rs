//! Checkpoints in a frame, and the map of them that every segment starts with.

use std::collections::BTreeMap;

use tidewatch_ingest::checkpoint::{Checkpoint, FileCheckpoint, PartitionCheckpoint, Stream};

use super::bytes::{Bytes, Malformed, malformed, put_blob, put_signed, put_varint};

// 1 was a partition without its source, before the first release.
const FILE: u8 = 2;
const FORGOTTEN: u8 = 3;
const KAFKA: u8 = 4;

/// How a frame moves the sources.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Progress {
    /// Sources whose checkpoints are forgotten, because they were reset; this comes before the checkpoints below.
    pub forgotten: Vec<String>,
    /// The checkpoints that moved; all there are in a segment's first frame.
    pub checkpoints: Vec<Checkpoint>,
}

impl Progress {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        for source in &self.forgotten {
            out.push(FORGOTTEN);
            put_blob(out, source.as_bytes());
        }
        put_checkpoints(out, self.checkpoints.iter());
    }

    pub(crate) fn take(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut bytes = Bytes::new(bytes);
        let mut progress = Self::default();
        let narrow = |number: i64, what| i32::try_from(number).or(malformed(what));
        while !bytes.is_empty() {
            progress.checkpoints.push(match bytes.byte("checkpoint kind")? {
                KAFKA => Checkpoint::Kafka(PartitionCheckpoint {
                    source: bytes.text("source of a partition")?.into(),
                    cluster: bytes.text("cluster")?.into(),
                    topic: bytes.text("topic")?.into(),
                    topic_id: bytes.text("topic id")?.into(),
                    partition: narrow(bytes.signed("partition")?, "partition")?,
                    leader_epoch: narrow(bytes.signed("leader epoch")?, "leader epoch")?,
                    next_offset: bytes.signed("next offset")?,
                }),
                FILE => Checkpoint::File(FileCheckpoint {
                    source: bytes.text("file source")?.into(),
                    digest: bytes.text("file digest")?.into(),
                    byte: bytes.varint("file position")?,
                    line: bytes.varint("file line")?,
                }),
                FORGOTTEN => {
                    progress.forgotten.push(bytes.text("forgotten source")?.into());
                    continue;
                }
                _ => return malformed("checkpoint kind"),
            });
        }
        Ok(progress)
    }
}

fn put_checkpoints<'a>(out: &mut Vec<u8>, checkpoints: impl Iterator<Item = &'a Checkpoint>) {
    for checkpoint in checkpoints {
        match checkpoint {
            Checkpoint::Kafka(at) => {
                out.push(KAFKA);
                put_blob(out, at.source.as_bytes());
                put_blob(out, at.cluster.as_bytes());
                put_blob(out, at.topic.as_bytes());
                put_blob(out, at.topic_id.as_bytes());
                put_signed(out, i64::from(at.partition));
                put_signed(out, i64::from(at.leader_epoch));
                put_signed(out, at.next_offset);
            }
            Checkpoint::File(at) => {
                out.push(FILE);
                put_blob(out, at.source.as_bytes());
                put_blob(out, at.digest.as_bytes());
                put_varint(out, at.byte);
                put_varint(out, at.line);
            }
        }
    }
}

/// Where every source stands: the fold of all progress.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Checkpoints {
    by_stream: BTreeMap<Stream, Checkpoint>,
}

impl Checkpoints {
    /// Applies what a frame says.
    pub fn apply(&mut self, progress: &Progress) {
        for source in &progress.forgotten {
            self.forget(source);
        }
        for checkpoint in &progress.checkpoints {
            self.set(checkpoint.clone());
        }
    }

    pub fn set(&mut self, checkpoint: Checkpoint) {
        self.by_stream.insert(checkpoint.stream(), checkpoint);
    }

    /// Forgets how far a source has read.
    pub fn forget(&mut self, source: &str) {
        self.by_stream.retain(|_, at| at.source() != source);
    }

    /// All of them, ordered by stream.
    pub fn iter(&self) -> impl Iterator<Item = &Checkpoint> {
        self.by_stream.values()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_stream.is_empty()
    }

    /// All of them as the progress of a segment's first frame.
    pub(crate) fn to_progress(&self) -> Progress {
        Progress { forgotten: Vec::new(), checkpoints: self.iter().cloned().collect() }
    }
}
