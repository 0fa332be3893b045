//! Reads a log forwards from a sequence or backwards from the end, also beside a writer.

use std::sync::Arc;

use tidewatch_projections::names::Names;

use super::error::LogError;
use super::frame::{ALIGN, Frame, RawFrame};
use super::opening::continues;
use super::segment::{Beyond, Expected, SegmentName, Step, Walk, end_of_content, frame_ending_at};
use crate::cancellation::Cancellation;
use crate::storage::disk::{Disk, DiskFile};

/// Reads frames in order. At the end of the log it says `None`, and goes on from there when asked again and the log has grown.
pub struct LogReader {
    disk: Arc<dyn Disk>,
    dir: String,
    names: Arc<Names>,
    from_seq: u64,
    until_seq: u64,
    cancellation: Cancellation,
    is_seeking: bool,
    at: Option<(SegmentName, Walk)>,
    /// What follows the sealed segments read so far.
    expected: Option<Expected>,
}

impl LogReader {
    /// A reader whose first entry is the one with sequence `from_seq`, from 1.
    pub fn new(disk: Arc<dyn Disk>, dir: &str, names: Arc<Names>, from_seq: u64) -> Self {
        Self {
            disk,
            dir: dir.into(),
            names,
            from_seq,
            until_seq: u64::MAX,
            cancellation: Cancellation::default(),
            is_seeking: true,
            at: None,
            expected: None,
        }
    }

    /// Stops before the first frame with an entry above `seq`: what a running engine has not yet made durable is not read.
    pub fn until(mut self, seq: u64) -> Self {
        self.until_seq = seq;
        self
    }

    /// Ends with [`LogError::Cancelled`] before the next frame once it is cancelled.
    pub fn cancelled_by(mut self, cancellation: &Cancellation) -> Self {
        self.cancellation = cancellation.clone();
        self
    }

    /// Moves the bound of [`LogReader::until`].
    pub fn set_until(&mut self, seq: u64) {
        self.until_seq = seq;
    }

    /// The next frame with its entries from `from_seq` on; `None` at the end of the log.
    ///
    /// # Errors
    /// [`LogError::Damage`] at bytes that were durable and are not what was written, never a silent skip; whatever the disk says.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, LogError> {
        let Some(raw) = self.next_raw()? else { return Ok(None) };
        let mut frame = raw.decode(&self.names).map_err(|source| LogError::Malformed {
            file: self.path(),
            offset: u64::from(raw.header.offset),
            source,
        })?;
        if frame.header.first_seq < self.from_seq {
            frame.entries.retain(|(seq, _)| *seq >= self.from_seq);
        }
        Ok(Some(frame))
    }

    /// The next frame, checked and not decoded: several threads can share that work. The first one may start below `from_seq`.
    ///
    /// # Errors
    /// Those of [`LogReader::next_frame`].
    pub fn next_raw(&mut self) -> Result<Option<RawFrame>, LogError> {
        loop {
            self.cancellation.check()?;
            if self.at.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let (_, walk) = self.at.as_mut().expect("a segment is open");
            if self.is_seeking {
                while walk.skip_below(self.from_seq)? {}
                self.is_seeking = false;
            }
            if let Ok(header) = walk.peek_header()?
                && header.next_seq() - 1 > self.until_seq
            {
                walk.refresh();
                return Ok(None);
            }
            let step = walk.step()?;
            let Some(frame) = self.settle(step)? else { return Ok(None) };
            if frame.header.is_seal() {
                self.expected = self.at.take().map(|(_, walk)| walk.expected);
                continue;
            }
            return Ok(Some(frame));
        }
    }

    /// The segment of the frame given last; `None` before the first one, and after the last one of a segment.
    pub(crate) fn segment(&self) -> Option<&SegmentName> {
        self.at.as_ref().map(|(segment, _)| segment)
    }

    fn path(&self) -> String {
        self.at.as_ref().map_or_else(|| self.dir.clone(), |(_, walk)| walk.path.clone())
    }

    /// Opens the segment to read next; says whether there is one.
    fn open_next(&mut self) -> Result<bool, LogError> {
        let segments = SegmentName::list(self.disk.as_ref(), &self.dir)?;
        let next = match &self.expected {
            Some(expected) => segments.iter().find(|segment| segment.first_frame >= expected.frame_no),
            None => segments.iter().rfind(|segment| segment.first_seq <= self.from_seq).or(segments.first()),
        };
        let Some(segment) = next else { return Ok(false) };
        let is_start_missing = segment.first_seq > self.from_seq && self.expected.is_none();
        let expected = match self.expected.clone() {
            Some(expected) => expected,
            None if is_start_missing => Expected::start(),
            None => Expected::at(segment),
        };
        let walk = Walk::open(self.disk.as_ref(), segment.path(&self.dir), expected)?;
        if let Err(what) = continues(&walk, segment) {
            return Err(LogError::Damage(Box::new(walk.damage(what, &Beyond::default()))));
        }
        self.at = Some((*segment, walk));
        Ok(true)
    }

    /// Tells the end of the log, damage, and a frame that a writer just finished apart.
    fn settle(&mut self, step: Step) -> Result<Option<RawFrame>, LogError> {
        if let Step::Frame(frame) = step {
            return Ok(Some(frame));
        }
        let (segment, walk) = self.at.as_mut().expect("a segment is open");
        let beyond = walk.beyond()?;
        let segments = SegmentName::list(self.disk.as_ref(), &self.dir)?;
        let has_successor = segments.iter().any(|other| other.first_frame > segment.first_frame);
        // Looked at again after everything else, so that what a writer did meanwhile is not taken for damage.
        walk.refresh();
        if let Ok(header) = walk.peek_header()?
            && header.next_seq() - 1 > self.until_seq
        {
            walk.refresh();
            return Ok(None);
        }
        let what = match walk.step()? {
            Step::Frame(frame) => return Ok(Some(frame)),
            Step::Zeros => "there are zeros instead of a frame".into(),
            Step::Invalid(what) => what,
        };
        walk.refresh();
        if has_successor || beyond.synced_to >= walk.expected.frame_no {
            return Err(LogError::Damage(Box::new(walk.damage(what, &beyond))));
        }
        Ok(None)
    }
}

/// Reads frames from the last one back, seals and other marks included.
pub struct BackwardReader {
    disk: Arc<dyn Disk>,
    dir: String,
    segments: Vec<SegmentName>,
    at: Option<(String, Arc<dyn DiskFile>, u64)>,
    /// The CRC that the frame read last says of the one before it.
    crc: Option<u32>,
    frame_no: Option<u64>,
}

impl BackwardReader {
    /// A reader that starts at the log's last whole frame.
    ///
    /// # Errors
    /// Those of [`LogReader::next_frame`].
    pub fn open(disk: Arc<dyn Disk>, dir: &str) -> Result<Self, LogError> {
        let segments = SegmentName::list(disk.as_ref(), dir)?;
        Ok(Self { disk, dir: dir.into(), segments, at: None, crc: None, frame_no: None })
    }

    /// The frame before the one given last; `None` at the start of the log.
    ///
    /// # Errors
    /// Those of [`LogReader::next_frame`].
    pub fn previous_raw(&mut self) -> Result<Option<RawFrame>, LogError> {
        loop {
            if self.at.is_none() && !self.open_previous()? {
                return Ok(None);
            }
            let (path, file, end) = self.at.as_mut().expect("a segment is open");
            if *end == 0 {
                self.at = None;
                continue;
            }
            let frame = frame_ending_at(file.as_ref(), path, *end)?.and_then(|frame| {
                if self.crc.is_some_and(|crc| crc != frame.crc()) {
                    return Err("its CRC is not the one the frame after it repeats".into());
                }
                Ok(frame)
            });
            return match frame {
                Ok(frame) => {
                    *end -= frame.header.frame_bytes();
                    self.crc = Some(frame.header.previous_crc);
                    self.frame_no = Some(frame.header.frame_no);
                    Ok(Some(frame))
                }
                Err(what) => Err(self.damage(what)),
            };
        }
    }

    fn open_previous(&mut self) -> Result<bool, LogError> {
        let Some(segment) = self.segments.pop() else { return Ok(false) };
        let path = segment.path(&self.dir);
        let file = self.disk.open_read(&path).map_err(LogError::io("open", &path))?;
        let content_end = end_of_content(file.as_ref(), &path)?.next_multiple_of(ALIGN as u64);
        let file_len = file.len().map_err(LogError::io("measure", &path))?;
        let ends_whole =
            content_end <= file_len && frame_ending_at(file.as_ref(), &path, content_end)?.is_ok();
        let end = if ends_whole || self.frame_no.is_some() {
            content_end.min(file_len)
        } else {
            // The end of the log is not a frame: find the last one that is.
            let mut walk = Walk::new(path.clone(), Arc::clone(&file), Expected::at(&segment));
            while matches!(walk.step()?, Step::Frame(_)) {}
            let beyond = walk.beyond()?;
            if beyond.synced_to >= walk.expected.frame_no {
                let what = "no expected frame starts here".into();
                return Err(LogError::Damage(Box::new(walk.damage(what, &beyond))));
            }
            walk.offset
        };
        self.at = Some((path, file, end));
        Ok(true)
    }

    fn damage(&self, what: String) -> LogError {
        let (path, file, end) = self.at.as_ref().expect("a segment is open");
        let frame_no = self.frame_no.map_or(0, |after| after.saturating_sub(1));
        let segment = path.rsplit('/').next().and_then(SegmentName::parse);
        // Forwards the first bad frame can be named; backwards only where its end is.
        if let Some(segment) = segment {
            let mut walk = Walk::new(path.clone(), Arc::clone(file), Expected::at(&segment));
            while let Ok(Step::Frame(_)) = walk.step() {}
            if let Ok(beyond) = walk.beyond()
                && walk.offset < *end
            {
                return LogError::Damage(Box::new(walk.damage(what, &beyond)));
            }
        }
        LogError::Damage(Box::new(super::error::Damage {
            file: path.clone(),
            offset: *end,
            frame_no,
            first_seq: 0,
            next_seq: None,
            what,
        }))
    }
}
