//! Checkpoints in a frame.

use tidewatch_ingest::checkpoint::{Checkpoint, FileCheckpoint, PartitionCheckpoint};

use super::bytes::{Bytes, Malformed, malformed, put_blob, put_signed, put_varint};

const KAFKA: u8 = 1;
const FILE: u8 = 2;

pub(crate) fn put_checkpoints<'a>(out: &mut Vec<u8>, checkpoints: impl Iterator<Item = &'a Checkpoint>) {
    for checkpoint in checkpoints {
        match checkpoint {
            Checkpoint::Kafka(at) => {
                out.push(KAFKA);
                put_blob(out, at.cluster.as_bytes());
                put_blob(out, at.topic.as_bytes());
                put_blob(out, at.topic_id.as_bytes());
                put_signed(out, i64::from(at.partition));
                put_signed(out, i64::from(at.leader_epoch));
                put_signed(out, at.next_offset);
            }
            Checkpoint::File(at) => {
                out.push(FILE);
                put_blob(out, at.digest.as_bytes());
                put_varint(out, at.byte);
                put_varint(out, at.line);
            }
        }
    }
}

pub(crate) fn take_checkpoints(bytes: &[u8]) -> Result<Vec<Checkpoint>, Malformed> {
    let mut bytes = Bytes::new(bytes);
    let mut checkpoints = Vec::new();
    let narrow = |number: i64, what| i32::try_from(number).or(malformed(what));
    while !bytes.is_empty() {
        checkpoints.push(match bytes.byte("checkpoint kind")? {
            KAFKA => Checkpoint::Kafka(PartitionCheckpoint {
                cluster: bytes.text("cluster")?.into(),
                topic: bytes.text("topic")?.into(),
                topic_id: bytes.text("topic id")?.into(),
                partition: narrow(bytes.signed("partition")?, "partition")?,
                leader_epoch: narrow(bytes.signed("leader epoch")?, "leader epoch")?,
                next_offset: bytes.signed("next offset")?,
            }),
            FILE => Checkpoint::File(FileCheckpoint {
                digest: bytes.text("file digest")?.into(),
                byte: bytes.varint("file position")?,
                line: bytes.varint("file line")?,
            }),
            _ => return malformed("checkpoint kind"),
        });
    }
    Ok(checkpoints)
}
