//! Opens a log after a shutdown or a crash: keeps what was durable, cuts and reports what was not, names damage.

use std::sync::Arc;

use tidewatch_ingest::checkpoint::Checkpoint;
use tidewatch_projections::event::Micros;

use super::active::{Active, mark_frame};
use super::builder::FrameEncoder;
use super::checkpoints::Checkpoints;
use super::error::{Cut, LogError};
use super::frame::{ALIGN, REOPENED, RawFrame};
use super::options::LogOptions;
use super::segment::{Beyond, Expected, SegmentName, Step, TEMPORARY, Walk, end_of_content, frame_ending_at};
use crate::failpoint::{Place, pass};
use crate::planted::{self, Bug};
use crate::storage::disk::{Disk, DiskFile, is_full};

/// How the log was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    New,
    /// The writer closed it in order.
    InOrder,
    /// The process or the machine stopped. The last segment was copied and synced: a page that failed to sync may have read back as good.
    Abruptly,
}

/// What opening found and did.
#[derive(Clone, PartialEq, Debug)]
pub struct Opened {
    /// The lineage of the log.
    pub lineage: u128,
    /// The last sequence, 0 in an empty log. Everything up to it is durable.
    pub last_seq: u64,
    /// The number of the last frame, 0 in an empty log.
    pub last_frame_no: u64,
    /// The greatest time of recording, `None` in an empty log; the next frame's must not be below it.
    pub recorded_at: Option<Micros>,
    /// Where every source stands.
    pub checkpoints: Vec<Checkpoint>,
    pub segments: usize,
    /// How it was left.
    pub ended: Ended,
    /// What was cut from the end.
    pub cut: Option<Cut>,
    /// Bytes copied because of an abrupt end.
    pub copied_bytes: u64,
    /// Unfinished files of an earlier process that were removed.
    pub leftovers_removed: usize,
}

/// A log ready to be written on.
pub(crate) struct Recovered {
    pub(crate) expected: Expected,
    pub(crate) active: Option<Active>,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) opened: Opened,
}

pub(crate) fn recover(disk: &dyn Disk, options: &LogOptions) -> Result<Recovered, LogError> {
    let dir = &options.dir;
    disk.create_dir(dir).map_err(LogError::io("make", dir))?;
    let leftovers_removed = remove_leftovers(disk, dir)?;
    let mut segments = SegmentName::list(disk, dir)?;
    let start = Expected { shard: Some(options.shard), lineage: options.lineage, ..Expected::start() };
    let mut before = start.clone();
    let mut sealed = Vec::new();
    for segment in segments.iter().take(segments.len().saturating_sub(1)) {
        let expected = before.clone();
        before = check_sealed(disk, dir, segment, before)?;
        sealed.push((*segment, expected));
    }
    let mut cut = None;
    let mut last = None;
    if let Some(segment) = segments.last() {
        let tail = Tail::read(disk, dir, segment, before.clone())?;
        if tail.frames == 0 {
            // Made, but its first frame never became durable.
            let path = segment.path(dir);
            disk.remove(&path).map_err(LogError::io("remove", &path))?;
            disk.sync_dir(dir).map_err(LogError::io("sync", dir))?;
            cut = tail.cut;
            segments.pop();
            if let Some((segment, expected)) = sealed.pop() {
                last = Some((segment, Tail::read(disk, dir, &segment, expected)?));
            }
        } else {
            last = Some((*segment, tail));
        }
    }
    let Some((segment, tail)) = last else {
        return Ok(fresh(options, start, cut, leftovers_removed));
    };
    let ended = if tail.is_sealed || tail.is_closed { Ended::InOrder } else { Ended::Abruptly };
    let cut = cut.or_else(|| tail.cut.clone());
    let checkpoints = tail.checkpoints.clone();
    let (mut expected, mut copied_bytes) = (tail.expected.clone(), 0);
    let active = if tail.is_sealed || tail.is_closed || planted::active(Bug::TrustPageCache) {
        let taken_up = tail.take_up(disk, &segment, dir)?;
        (!tail.is_sealed).then_some(taken_up)
    } else {
        let (copy, after) = tail.copy(disk, &segment, options)?;
        copied_bytes = copy.offset;
        expected = after;
        Some(copy)
    };
    let opened = Opened {
        lineage: expected.lineage.expect("a frame was read"),
        last_seq: expected.first_seq - 1,
        last_frame_no: expected.frame_no - 1,
        recorded_at: Some(expected.recorded_at),
        checkpoints: checkpoints.iter().cloned().collect(),
        segments: segments.len(),
        ended,
        cut,
        copied_bytes,
        leftovers_removed,
    };
    Ok(Recovered { expected, active, checkpoints, opened })
}

fn fresh(options: &LogOptions, start: Expected, cut: Option<Cut>, leftovers_removed: usize) -> Recovered {
    let lineage = options.lineage.unwrap_or(options.new_lineage);
    let opened = Opened {
        lineage,
        last_seq: 0,
        last_frame_no: 0,
        recorded_at: None,
        checkpoints: Vec::new(),
        segments: 0,
        ended: if cut.is_some() { Ended::Abruptly } else { Ended::New },
        cut,
        copied_bytes: 0,
        leftovers_removed,
    };
    let expected = Expected { lineage: Some(lineage), ..start };
    Recovered { expected, active: None, checkpoints: Checkpoints::default(), opened }
}

fn remove_leftovers(disk: &dyn Disk, dir: &str) -> Result<usize, LogError> {
    let names = disk.list(dir).map_err(LogError::io("list", dir))?;
    let leftovers: Vec<_> = names.iter().filter(|name| name.ends_with(TEMPORARY)).collect();
    for name in &leftovers {
        let path = format!("{dir}/{name}");
        disk.remove(&path).map_err(LogError::io("remove", &path))?;
    }
    Ok(leftovers.len())
}

/// Checks that a segment begins where the one before ended and ends with a seal, and says what must follow.
pub(crate) fn check_sealed(
    disk: &dyn Disk,
    dir: &str,
    segment: &SegmentName,
    before: Expected,
) -> Result<Expected, LogError> {
    let mut walk = Walk::open(disk, segment.path(dir), before)?;
    let header = match continues(&walk, segment) {
        Ok(()) => walk.peek_header()?,
        Err(what) => Err(what),
    };
    let seal = match &header {
        Ok(header) => seal_of(&walk)?.and_then(|seal| {
            if seal.header.lineage != header.lineage || seal.header.frame_no < header.frame_no {
                return Err("the seal belongs to another segment".into());
            }
            Ok(seal)
        }),
        Err(what) => Err(what.clone()),
    };
    match seal {
        Ok(seal) => Ok(walk.expected.after(&seal.header, Some(seal.crc()))),
        Err(what) => {
            // Name the first bad frame, not the missing seal: walk to it.
            let mut first = what;
            if header.is_ok() {
                loop {
                    match walk.step()? {
                        Step::Frame(_) => {}
                        Step::Zeros => break,
                        Step::Invalid(what) => {
                            first = what;
                            break;
                        }
                    }
                }
            }
            let beyond = walk.beyond()?;
            Err(LogError::Damage(Box::new(walk.damage(first, &beyond))))
        }
    }
}

/// Whether a segment's name says that it follows what was expected.
pub(crate) fn continues(walk: &Walk, segment: &SegmentName) -> Result<(), String> {
    let expected = &walk.expected;
    if (segment.first_frame, segment.first_seq) == (expected.frame_no, expected.first_seq) {
        return Ok(());
    }
    Err(format!(
        "the segment starts with frame {} and sequence {} where frame {} and sequence {} should be: a segment is missing",
        segment.first_frame, segment.first_seq, expected.frame_no, expected.first_seq
    ))
}

fn seal_of(walk: &Walk) -> Result<Result<RawFrame, String>, LogError> {
    let file = walk.file().as_ref();
    let end = end_of_content(file, &walk.path)?.next_multiple_of(ALIGN as u64);
    if end > file.len().map_err(LogError::io("measure", &walk.path))? {
        return Ok(Err("the file was cut".into()));
    }
    Ok(frame_ending_at(file, &walk.path, end)?.and_then(|frame| {
        if frame.header.is_seal() {
            Ok(frame)
        } else {
            Err("a later segment exists, but this one has no seal".into())
        }
    }))
}

/// The last segment as it was found.
struct Tail {
    path: String,
    end: u64,
    frames: u64,
    expected: Expected,
    checkpoints: Checkpoints,
    is_sealed: bool,
    is_closed: bool,
    cut: Option<Cut>,
    last: Option<RawFrame>,
    start: Expected,
}

impl Tail {
    fn read(disk: &dyn Disk, dir: &str, segment: &SegmentName, start: Expected) -> Result<Self, LogError> {
        let mut walk = Walk::open(disk, segment.path(dir), start.clone())?.through_tail();
        if let Err(what) = continues(&walk, segment) {
            return Err(LogError::Damage(Box::new(walk.damage(what, &Beyond::default()))));
        }
        let mut tail = Self {
            path: walk.path.clone(),
            end: 0,
            frames: 0,
            expected: start.clone(),
            checkpoints: Checkpoints::default(),
            is_sealed: false,
            is_closed: false,
            cut: None,
            last: None,
            start,
        };
        let what = loop {
            match walk.step()? {
                Step::Frame(frame) => {
                    tail.frames += 1;
                    tail.is_sealed = frame.header.is_seal();
                    tail.is_closed = frame.header.is_closed();
                    let progress = frame.progress().map_err(|source| LogError::Malformed {
                        file: walk.path.clone(),
                        offset: u64::from(frame.header.offset),
                        source,
                    })?;
                    if frame.header.is_first() {
                        tail.checkpoints = Checkpoints::default();
                    }
                    tail.checkpoints.apply(&progress);
                    tail.last = Some(frame);
                    if tail.is_sealed {
                        break None;
                    }
                }
                Step::Zeros => break None,
                Step::Invalid(what) => break Some(what),
            }
        };
        tail.end = walk.offset;
        tail.expected = walk.expected.clone();
        if tail.is_sealed {
            return Ok(tail);
        }
        let beyond = walk.beyond()?;
        if beyond.synced_to >= walk.expected.frame_no {
            let what = what.unwrap_or_else(|| "there are zeros instead of a frame".into());
            return Err(LogError::Damage(Box::new(walk.damage(what, &beyond))));
        }
        if beyond.end > walk.offset {
            tail.is_closed = false;
            tail.cut = Some(Cut {
                file: walk.path.clone(),
                offset: walk.offset,
                bytes: beyond.end - walk.offset,
                what: what.unwrap_or_else(|| "bytes lie behind a gap of zeros".into()),
            });
        }
        Ok(tail)
    }

    /// Goes on after a seal or a closing mark. The mark is written again: had its own sync failed, it might read back as good and not be
    /// on the disk.
    fn take_up(&self, disk: &dyn Disk, segment: &SegmentName, dir: &str) -> Result<Active, LogError> {
        let path = segment.path(dir);
        let file = disk.open(&path).map_err(LogError::io("open", &path))?;
        let mark = self.last.as_ref().expect("a seal or closing mark is a frame");
        file.write_all_at(mark.bytes(), u64::from(mark.header.offset))
            .map_err(LogError::io("write", &path))?;
        file.sync().map_err(LogError::io("sync", &path))?;
        let reserved = file.len().map_err(LogError::io("measure", &path))?;
        Ok(Active { path, file, offset: self.end, reserved })
    }

    /// Copies the valid frames to a new file in place of the old one, closes them with a frame that says they are durable, and syncs.
    fn copy(
        &self,
        disk: &dyn Disk,
        segment: &SegmentName,
        options: &LogOptions,
    ) -> Result<(Active, Expected), LogError> {
        let path = segment.path(&options.dir);
        let temporary = format!("{path}{TEMPORARY}");
        let mut encoder = FrameEncoder::new();
        let (mark, header) = mark_frame(&self.expected, REOPENED, self.end);
        let crc = encoder.encode(&mark, &mark.progress, header.clone());
        let mark_end = self.end + encoder.bytes.len() as u64;
        let reserved = mark_end + options.reserve_bytes;
        let file = disk.create(&temporary, reserved).map_err(|error| {
            if is_full(&error) {
                return LogError::DiskFull { file: temporary.clone(), needed_bytes: reserved };
            }
            LogError::io("make", &temporary)(error)
        })?;
        let mut walk = Walk::open(disk, self.path.clone(), self.start.clone())?.through_tail();
        while walk.offset < self.end {
            match walk.step()? {
                Step::Frame(frame) => {
                    write(&file, &temporary, frame.bytes(), u64::from(frame.header.offset))?
                }
                Step::Zeros | Step::Invalid(_) => {
                    let what = "it was read twice with different results".into();
                    return Err(LogError::Damage(Box::new(walk.damage(what, &Beyond::default()))));
                }
            }
        }
        write(&file, &temporary, &encoder.bytes, self.end)?;
        file.sync().map_err(LogError::io("sync", &temporary))?;
        pass(Place::TailCopied);
        disk.rename(&temporary, &path).map_err(LogError::io("rename", &temporary))?;
        if !planted::active(Bug::SkipDirectorySync) {
            disk.sync_dir(&options.dir).map_err(LogError::io("sync", &options.dir))?;
        }
        pass(Place::TailReplaced);
        let after = self.expected.after(&header, Some(crc));
        Ok((Active { path, file, offset: mark_end, reserved }, after))
    }
}

fn write(file: &Arc<dyn DiskFile>, path: &str, bytes: &[u8], offset: u64) -> Result<(), LogError> {
    file.write_all_at(bytes, offset).map_err(LogError::io("write", path))
}
