//! Segments, the files of a log, and the walk through the frames of one.
//!
//! A write never changes bytes that were durable before it, and the disk is trusted not to lose bytes that did not change: frames follow
//! each other without gaps to sector bounds.

use std::sync::Arc;

use super::error::{Damage, LogError};
use super::frame::{FORMAT, FrameHeader, HEADER_BYTES, HeaderFault, MAGIC, RawFrame, TRAILER_BYTES};
use crate::planted::{self, Bug};
use crate::storage::disk::{Disk, DiskFile};

/// How a segment's name ends.
const SUFFIX: &str = ".seg";
/// How a name ends that is not yet, or no longer, part of the log.
pub(crate) const TEMPORARY: &str = ".tmp";
/// Bytes read at once when walking.
const WINDOW_BYTES: usize = 1 << 20;

/// The name of a segment: the first sequence and the first frame in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct SegmentName {
    pub(crate) first_seq: u64,
    pub(crate) first_frame: u64,
}

impl SegmentName {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (seq, frame) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let number = |text: &str, digits| {
            (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| text.parse().ok())?
        };
        Some(Self { first_seq: number(seq, 20)?, first_frame: number(frame, 12)? })
    }

    pub(crate) fn file_name(&self) -> String {
        format!("{:020}-{:012}{SUFFIX}", self.first_seq, self.first_frame)
    }

    pub(crate) fn path(&self, dir: &str) -> String {
        format!("{dir}/{}", self.file_name())
    }

    /// The segments in a directory, in order.
    pub(crate) fn list(disk: &dyn Disk, dir: &str) -> Result<Vec<Self>, LogError> {
        let names = disk.list(dir).map_err(LogError::io("list", dir))?;
        let mut segments: Vec<_> = names.iter().filter_map(|name| Self::parse(name)).collect();
        segments.sort_unstable();
        Ok(segments)
    }
}

/// What the next frame must be.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) shard: Option<u32>,
    pub(crate) lineage: Option<u128>,
    pub(crate) frame_no: u64,
    pub(crate) first_seq: u64,
    /// `None` when the frame before was not read.
    pub(crate) previous_crc: Option<u32>,
    pub(crate) recorded_at: i64,
}

impl Expected {
    /// The first frame of a log.
    pub(crate) fn start() -> Self {
        Self {
            shard: None,
            lineage: None,
            frame_no: 1,
            first_seq: 1,
            previous_crc: Some(0),
            recorded_at: i64::MIN,
        }
    }

    /// The first frame of a segment, when the one before was not read.
    pub(crate) fn at(segment: &SegmentName) -> Self {
        let (frame_no, first_seq) = (segment.first_frame, segment.first_seq);
        let previous_crc = (frame_no == 1).then_some(0);
        Self { frame_no, first_seq, previous_crc, ..Self::start() }
    }

    pub(crate) fn after(&self, header: &FrameHeader, crc: Option<u32>) -> Self {
        Self {
            shard: Some(header.shard),
            lineage: Some(header.lineage),
            frame_no: header.frame_no + 1,
            first_seq: header.next_seq(),
            previous_crc: crc,
            recorded_at: header.recorded_at,
        }
    }

    /// Says which field of a header is not the expected one.
    fn contradiction(&self, header: &FrameHeader, offset: u64) -> Option<String> {
        let differs = |what: &str, found: u64, expected: u64| {
            (found != expected).then(|| format!("{what} is {found} where {expected} should be"))
        };
        differs("its offset", u64::from(header.offset), offset)
            .or_else(|| differs("its frame number", header.frame_no, self.frame_no))
            .or_else(|| differs("its first sequence", header.first_seq, self.first_seq))
            .or_else(|| {
                differs("the CRC of the frame before", header.previous_crc.into(), self.previous_crc?.into())
            })
            .or_else(|| differs("its shard", header.shard.into(), self.shard?.into()))
            .or_else(|| {
                let lineage = self.lineage.filter(|lineage| *lineage != header.lineage)?;
                Some(format!("its lineage is {:032x} where {lineage:032x} should be", header.lineage))
            })
            .or_else(|| {
                (header.recorded_at < self.recorded_at).then(|| {
                    format!("its time of recording {} is before {}", header.recorded_at, self.recorded_at)
                })
            })
    }
}

/// What stands at an offset.
pub(crate) enum Step {
    Frame(RawFrame),
    /// Nothing was written here, or the file ends.
    Zeros,
    /// Something that is not the expected frame.
    Invalid(String),
}

/// What lies at and after an offset where no expected frame is.
#[derive(Default, Debug)]
pub(crate) struct Beyond {
    /// The end of the last byte that is not zero; the offset itself when there is none.
    pub(crate) end: u64,
    /// The greatest claim of an intact header that a frame was durable.
    pub(crate) synced_to: u64,
    /// The first intact header of a later frame.
    pub(crate) next: Option<(u64, FrameHeader)>,
}

/// Walks the frames of one segment.
pub(crate) struct Walk {
    pub(crate) path: String,
    pub(crate) offset: u64,
    pub(crate) expected: Expected,
    file: Arc<dyn DiskFile>,
    window: Vec<u8>,
    window_at: u64,
    trusts_bodies: bool,
}

impl Walk {
    pub(crate) fn new(path: String, file: Arc<dyn DiskFile>, expected: Expected) -> Self {
        Self { path, offset: 0, expected, file, window: Vec::new(), window_at: 0, trusts_bodies: false }
    }

    pub(crate) fn open(disk: &dyn Disk, path: String, expected: Expected) -> Result<Self, LogError> {
        let file = disk.open_read(&path).map_err(LogError::io("open", &path))?;
        Ok(Self::new(path, file, expected))
    }

    /// The walk of a segment that may end in the middle of a write.
    pub(crate) fn through_tail(mut self) -> Self {
        self.trusts_bodies = planted::active(Bug::TrustUncheckedTail);
        self
    }

    pub(crate) fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    /// Forgets what was read ahead: the file may have grown.
    pub(crate) fn refresh(&mut self) {
        self.window.clear();
    }

    /// Up to `len` bytes at the walk's offset, fewer at the end of the file.
    fn peek(&mut self, len: usize) -> Result<&[u8], LogError> {
        let held = self.window_at..self.window_at + self.window.len() as u64;
        if self.offset < held.start || self.offset + len as u64 > held.end {
            let file_len = self.file.len().map_err(LogError::io("measure", &self.path))?;
            let left = usize::try_from(file_len.saturating_sub(self.offset)).unwrap_or(usize::MAX);
            self.window.resize(len.max(WINDOW_BYTES).min(left), 0);
            let read = self.file.read_full_at(&mut self.window, self.offset);
            let read = read.map_err(LogError::io("read", &self.path));
            self.window.truncate(*read.as_ref().unwrap_or(&0));
            self.window_at = self.offset;
            read?;
        }
        let start = (self.offset - self.window_at) as usize;
        Ok(&self.window[start..self.window.len().min(start + len)])
    }

    /// The header at the walk's offset, or what is wrong with it. Other shards, lineages and later formats of a segment's first frame are
    /// errors of their own.
    fn header(&mut self) -> Result<Result<FrameHeader, HeaderFault>, LogError> {
        let bytes = self.peek(HEADER_BYTES)?;
        let Ok(bytes) = bytes.try_into() else {
            let zeros = bytes.iter().all(|byte| *byte == 0);
            return Ok(Err(if zeros { HeaderFault::Zeros } else { HeaderFault::Magic }));
        };
        let header = FrameHeader::decode(bytes);
        if let Err(HeaderFault::Newer(found)) = header {
            return Err(LogError::NewerFormat { file: self.path.clone(), found });
        }
        if let Ok(header) = &header
            && self.offset == 0
            && header.offset == 0
        {
            let file = self.path.clone();
            if let Some(expected) = self.expected.shard.filter(|shard| *shard != header.shard) {
                return Err(LogError::OtherShard { file, found: header.shard, expected });
            }
            if let Some(expected) = self.expected.lineage.filter(|lineage| *lineage != header.lineage) {
                return Err(LogError::OtherLineage { file, found: header.lineage, expected });
            }
        }
        Ok(header)
    }

    /// Reads the frame at the walk's offset and goes past it; stays where no expected frame is.
    pub(crate) fn step(&mut self) -> Result<Step, LogError> {
        let header = match self.header()? {
            Ok(header) => header,
            Err(HeaderFault::Zeros) => return Ok(Step::Zeros),
            Err(fault) => return Ok(Step::Invalid(fault.describe())),
        };
        if let Some(contradiction) = self.expected.contradiction(&header, self.offset) {
            return Ok(Step::Invalid(contradiction));
        }
        let len = header.frame_bytes();
        let bytes = self.peek(len as usize)?;
        if (bytes.len() as u64) < len {
            return Ok(Step::Invalid(format!(
                "the file ends {} bytes before the frame does",
                len - bytes.len() as u64
            )));
        }
        let bytes = bytes.to_vec();
        match RawFrame::check(header, bytes, self.trusts_bodies) {
            Ok(frame) => {
                self.offset += len;
                self.expected = self.expected.after(&frame.header, Some(frame.crc()));
                Ok(Step::Frame(frame))
            }
            Err(what) => Ok(Step::Invalid(what.into())),
        }
    }

    /// The header of the expected frame at the walk's offset, or what is wrong with it. The walk stays.
    pub(crate) fn peek_header(&mut self) -> Result<Result<FrameHeader, String>, LogError> {
        Ok(match self.header()? {
            Ok(header) => match self.expected.contradiction(&header, self.offset) {
                None => Ok(header),
                Some(contradiction) => Err(contradiction),
            },
            Err(fault) => Err(fault.describe()),
        })
    }

    /// Goes past the frame at the walk's offset when it ends below `seq`, by its header alone. Says whether it did.
    pub(crate) fn skip_below(&mut self, seq: u64) -> Result<bool, LogError> {
        let Ok(header) = self.header()? else { return Ok(false) };
        let is_below = header.next_seq() <= seq && !header.is_seal();
        if !is_below || self.expected.contradiction(&header, self.offset).is_some() {
            return Ok(false);
        }
        self.offset += header.frame_bytes();
        self.expected = self.expected.after(&header, None);
        Ok(true)
    }

    /// A step beside a writer: what is no frame is looked at again after everything behind it, so that what the writer did
    /// meanwhile is not taken for damage.
    pub(crate) fn step_beside(&mut self) -> Result<(Step, Beyond), LogError> {
        let step = self.step()?;
        if matches!(step, Step::Frame(_)) {
            return Ok((step, Beyond::default()));
        }
        let beyond = self.beyond()?;
        self.refresh();
        let step = self.step()?;
        self.refresh();
        Ok((step, beyond))
    }

    /// Looks at everything from the walk's offset to the end of the file.
    pub(crate) fn beyond(&self) -> Result<Beyond, LogError> {
        let mut beyond = Beyond { end: self.offset, ..Beyond::default() };
        let mut at = self.offset;
        let file_len = self.file.len().map_err(LogError::io("measure", &self.path))?;
        let left = usize::try_from(file_len.saturating_sub(at)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; left.min(WINDOW_BYTES) + HEADER_BYTES];
        loop {
            let read = self.file.read_full_at(&mut bytes, at).map_err(LogError::io("read", &self.path))?;
            let chunk = &bytes[..read];
            if let Some(last) = chunk.iter().rposition(|byte| *byte != 0) {
                beyond.end = beyond.end.max(at + last as u64 + 1);
                self.headers_in(chunk, at, &mut beyond);
            }
            if read < bytes.len() {
                return Ok(beyond);
            }
            at += WINDOW_BYTES as u64;
        }
    }

    fn headers_in(&self, chunk: &[u8], at: u64, beyond: &mut Beyond) {
        for start in (0..chunk.len().saturating_sub(HEADER_BYTES - 1)).step_by(8) {
            let Some(bytes) = chunk[start..].first_chunk::<HEADER_BYTES>() else { break };
            if bytes[..4] != MAGIC {
                continue;
            }
            let offset = at + start as u64;
            let Ok(header) = FrameHeader::decode(bytes) else { continue };
            let is_ours = u64::from(header.offset) == offset
                && self.expected.lineage.is_none_or(|lineage| lineage == header.lineage)
                && header.frame_no >= self.expected.frame_no;
            if !is_ours {
                continue;
            }
            beyond.synced_to = beyond.synced_to.max(header.synced_to);
            let is_earlier = beyond.next.as_ref().is_none_or(|(next, _)| offset < *next);
            if offset > self.offset && header.frame_no > self.expected.frame_no && is_earlier {
                beyond.next = Some((offset, header));
            }
        }
    }

    /// The damage at the walk's offset.
    pub(crate) fn damage(&self, what: String, beyond: &Beyond) -> Damage {
        Damage {
            file: self.path.clone(),
            offset: self.offset,
            frame_no: self.expected.frame_no,
            first_seq: self.expected.first_seq,
            next_seq: beyond.next.as_ref().map(|(_, header)| header.first_seq),
            what,
        }
    }
}

/// The offset after the last byte of a file that is not zero.
pub(crate) fn end_of_content(file: &dyn DiskFile, path: &str) -> Result<u64, LogError> {
    const CHUNK_BYTES: u64 = 64 << 10;
    let mut end = file.len().map_err(LogError::io("measure", path))?;
    let mut bytes = vec![0; CHUNK_BYTES as usize];
    while end > 0 {
        let start = end.saturating_sub(CHUNK_BYTES);
        let chunk = &mut bytes[..(end - start) as usize];
        file.read_exact_at(chunk, start).map_err(LogError::io("read", path))?;
        if let Some(last) = chunk.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The frame that ends at an offset, found by the length in its trailer; what is wrong when there is none.
pub(crate) fn frame_ending_at(
    file: &dyn DiskFile,
    path: &str,
    end: u64,
) -> Result<Result<RawFrame, String>, LogError> {
    let shortest = (HEADER_BYTES + TRAILER_BYTES) as u64;
    if end < shortest {
        return Ok(Err(format!("{end} bytes are too few for a frame")));
    }
    let mut len = [0; 4];
    file.read_exact_at(&mut len, end - 4).map_err(LogError::io("read", path))?;
    let len = u64::from(u32::from_le_bytes(len));
    if len < shortest || len > end {
        return Ok(Err("no frame ends here".into()));
    }
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, end - len).map_err(LogError::io("read", path))?;
    let header = bytes.first_chunk().map(FrameHeader::decode).expect("longer than a header");
    Ok(match header {
        Ok(header) if header.frame_bytes() != len => Err("a frame's length differs from its header's".into()),
        Ok(header) if u64::from(header.offset) != end - len => {
            Err("a frame stands at another frame's offset".into())
        }
        Ok(header) => RawFrame::check(header, bytes, false).map_err(Into::into),
        Err(HeaderFault::Newer(found)) => {
            debug_assert!(found > FORMAT);
            return Err(LogError::NewerFormat { file: path.into(), found });
        }
        Err(fault) => Err(fault.describe()),
    })
}

/// The frame at an offset, alone; what is wrong when there is none.
pub(crate) fn frame_at(
    file: &dyn DiskFile,
    path: &str,
    offset: u64,
) -> Result<Result<RawFrame, String>, LogError> {
    let mut header = [0; HEADER_BYTES];
    let read = file.read_full_at(&mut header, offset).map_err(LogError::io("read", path))?;
    if read < HEADER_BYTES {
        return Ok(Err("the file ends within a frame's header".into()));
    }
    let header = match FrameHeader::decode(&header) {
        Ok(header) => header,
        Err(HeaderFault::Newer(found)) => return Err(LogError::NewerFormat { file: path.into(), found }),
        Err(fault) => return Ok(Err(fault.describe())),
    };
    if u64::from(header.offset) != offset {
        return Ok(Err("a frame stands at another frame's offset".into()));
    }
    let len = header.frame_bytes() as usize;
    let mut bytes = vec![0; len];
    let read = file.read_full_at(&mut bytes, offset).map_err(LogError::io("read", path))?;
    if read < len {
        return Ok(Err("the file ends within a frame".into()));
    }
    Ok(RawFrame::check(header, bytes, false).map_err(Into::into))
}

/// The header and the CRC of the frame that ends at an offset, without a look at what lies between; `None` where none does.
pub(crate) fn frame_end(
    file: &dyn DiskFile,
    path: &str,
    end: u64,
) -> Result<Option<(FrameHeader, u32)>, LogError> {
    let mut trailer = [0; TRAILER_BYTES];
    let Some(at) = end.checked_sub(TRAILER_BYTES as u64) else { return Ok(None) };
    let mut read = file.read_full_at(&mut trailer, at).map_err(LogError::io("read", path))?;
    let [crc, len] = [0, 4].map(|at| u32::from_le_bytes([0, 1, 2, 3].map(|byte| trailer[at + byte])));
    let Some(offset) = end.checked_sub(u64::from(len)) else { return Ok(None) };
    let mut header = [0; HEADER_BYTES];
    read += file.read_full_at(&mut header, offset).map_err(LogError::io("read", path))?;
    let header = FrameHeader::decode(&header).ok().filter(|header| {
        read == TRAILER_BYTES + HEADER_BYTES
            && u64::from(header.offset) == offset
            && header.frame_bytes() == u64::from(len)
    });
    Ok(header.map(|header| (header, crc)))
}
