//! How a log is laid out on its disk.

/// Largest `segment_bytes`: offsets are 32 bits, and a segment holds at least one frame and its marks whatever its size.
pub(super) const SEGMENT_BYTES_MAX: u64 = 2 << 30;
/// Size at which a segment of a real log is sealed, in bytes. Where processes are made to die, segments end often.
const SEGMENT_BYTES: u64 = if cfg!(feature = "failpoints") { 64 << 10 } else { 256 << 20 };

/// How a log is laid out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogOptions {
    /// The directory on the disk, as `log`.
    pub dir: String,
    /// The shard whose log it is.
    pub shard: u32,
    /// The lineage it must be of; `None` takes what is there.
    pub lineage: Option<u128>,
    /// The lineage an empty log gets when `lineage` says none: random, never used before.
    pub new_lineage: u128,
    /// Size at which a segment is sealed, in bytes; at most 2 GiB.
    pub segment_bytes: u64,
    /// How much a segment is filled with zeros ahead of its frames at a time, in bytes.
    pub reserve_bytes: u64,
}

impl LogOptions {
    /// The layout of a real log in the directory `log`: segments of 256 MB, filled ahead by 4 MB.
    pub fn new(shard: u32, new_lineage: u128) -> Self {
        Self {
            dir: "log".into(),
            shard,
            lineage: None,
            new_lineage,
            segment_bytes: SEGMENT_BYTES,
            reserve_bytes: 4 << 20,
        }
    }
}
