//! Appends frames to the log and makes them durable.

use std::sync::Arc;

use tidewatch_ingest::checkpoint::Checkpoint;

use super::active::{Active, blank_header, mark_frame};
use super::builder::{FrameEncoder, SealedFrame};
use super::checkpoints::Checkpoints;
use super::error::LogError;
use super::frame::{CLOSED, CONTROL, FIRST, FRAME_BYTES_MAX, FrameHeader, HEADER_BYTES, SEAL, TRAILER_BYTES};
use super::opening::{Opened, recover};
use super::options::{LogOptions, SEGMENT_BYTES_MAX};
use super::segment::{Expected, SegmentName, TEMPORARY};
use crate::failpoint::{Place, pass};
use crate::planted::{self, Bug};
use crate::storage::disk::{Disk, is_full};

/// A frame without entries, as it is stored.
const MARK_BYTES: u64 = (HEADER_BYTES + TRAILER_BYTES) as u64;
/// A frame that was written, and is not durable yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    pub frame_no: u64,
    /// The last sequence of the log with it.
    pub last_seq: u64,
    /// Bytes it takes on disk.
    pub bytes: u64,
}

/// How far the log is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Durable {
    /// The last durable frame, 0 for none.
    pub frame_no: u64,
    /// The last durable sequence, 0 for none.
    pub seq: u64,
}

/// The only writer of a log.
///
/// After a failed write or sync it takes nothing more: what is on disk past the last sync is unknown, and syncing again may succeed
/// without it. Opening anew settles it.
pub struct LogWriter {
    disk: Arc<dyn Disk>,
    options: LogOptions,
    expected: Expected,
    active: Option<Active>,
    checkpoints: Checkpoints,
    durable: Durable,
    encoder: FrameEncoder,
    poisoned: Option<String>,
}

impl LogWriter {
    /// Opens the log, or starts one, after checking and repairing its end (see [`Opened`]). The caller holds the directory's lock.
    ///
    /// # Errors
    /// [`LogError::Damage`] when durable bytes are not what was written; another shard, lineage or a later format; [`LogError::DiskFull`]
    /// when an abrupt end cannot be copied; whatever the disk says. Nothing was changed that another opening would need.
    pub fn open(disk: Arc<dyn Disk>, options: LogOptions) -> Result<(Self, Opened), LogError> {
        let options = LogOptions { segment_bytes: options.segment_bytes.min(SEGMENT_BYTES_MAX), ..options };
        let recovered = recover(disk.as_ref(), &options)?;
        let durable = Durable { frame_no: recovered.opened.last_frame_no, seq: recovered.opened.last_seq };
        let writer = Self {
            disk,
            options,
            expected: recovered.expected,
            active: recovered.active,
            checkpoints: recovered.checkpoints,
            durable,
            encoder: FrameEncoder::new(),
            poisoned: None,
        };
        Ok((writer, recovered.opened))
    }

    /// How far the log is durable.
    pub fn durable(&self) -> Durable {
        self.durable
    }

    /// The sequence the next entry must have.
    pub fn next_seq(&self) -> u64 {
        self.expected.first_seq
    }

    /// Where every source stands, with all frames appended so far.
    pub fn checkpoints(&self) -> impl Iterator<Item = &Checkpoint> {
        self.checkpoints.iter()
    }

    /// Why the writer takes nothing more, if so.
    pub fn poisoned(&self) -> Option<&str> {
        self.poisoned.as_deref()
    }

    /// Writes a frame after the last one. It is durable after the next [`LogWriter::sync`].
    ///
    /// # Errors
    /// [`LogError::DiskFull`]: nothing was written, the same frame can be appended again once there is space.
    /// [`LogError::OutOfOrder`] and [`LogError::FrameTooLarge`]: refused, nothing was written. Any other error poisons the writer.
    pub fn append(&mut self, frame: &SealedFrame) -> Result<Appended, LogError> {
        self.check_poisoned()?;
        let out_of_order = |what, found: i128, expected: i128| LogError::OutOfOrder { what, found, expected };
        if frame.first_seq != self.expected.first_seq {
            return Err(out_of_order(
                "its first sequence",
                frame.first_seq.into(),
                self.expected.first_seq.into(),
            ));
        }
        if frame.recorded_at < self.expected.recorded_at {
            let (found, expected) = (frame.recorded_at.into(), self.expected.recorded_at.into());
            return Err(out_of_order("its time of recording", found, expected));
        }
        let result = self.append_in_order(frame);
        self.poison_unless_harmless(result)
    }

    fn append_in_order(&mut self, frame: &SealedFrame) -> Result<Appended, LogError> {
        let is_control = if frame.is_control { CONTROL } else { 0 };
        let mut encoded = None;
        if let Some(active) = &self.active {
            let header = self.header(frame, is_control, active.offset);
            let crc = self.encoder.encode(frame, &frame.progress, header.clone());
            self.check_size()?;
            let end = active.offset + self.encoder.bytes.len() as u64 + MARK_BYTES;
            if active.offset == 0 || end <= self.options.segment_bytes {
                encoded = Some((header, crc));
            }
        }
        let (header, crc) = match encoded {
            Some(encoded) => {
                self.reserve()?;
                encoded
            }
            None => self.start_segment(frame, is_control)?,
        };
        let active = self.active.as_mut().expect("a segment is active");
        let bytes = self.encoder.bytes.len() as u64;
        active
            .file
            .write_all_at(&self.encoder.bytes, active.offset)
            .map_err(LogError::io("write", &active.path))?;
        active.offset += bytes;
        self.expected = self.expected.after(&FrameHeader { count: frame.count, ..header }, Some(crc));
        self.checkpoints.apply(&frame.progress);
        Ok(Appended { frame_no: self.expected.frame_no - 1, last_seq: self.expected.first_seq - 1, bytes })
    }

    /// Makes every appended frame durable.
    ///
    /// # Errors
    /// Whatever the disk says: nothing since the last sync may be acknowledged, and the writer is poisoned.
    pub fn sync(&mut self) -> Result<Durable, LogError> {
        self.check_poisoned()?;
        let result = self.sync_active();
        self.poison_unless_harmless(result)?;
        Ok(self.durable)
    }

    fn sync_active(&mut self) -> Result<(), LogError> {
        if let Some(active) = &self.active
            && self.durable.frame_no + 1 < self.expected.frame_no
        {
            let mut synced = active.file.sync();
            if planted::active(Bug::SyncAgain) {
                synced = synced.or_else(|_| active.file.sync());
            }
            synced.map_err(LogError::io("sync", &active.path))?;
        }
        self.durable = Durable { frame_no: self.expected.frame_no - 1, seq: self.expected.first_seq - 1 };
        Ok(())
    }

    /// Syncs, and marks the end as one in order, so that the next opening copies nothing.
    ///
    /// # Errors
    /// Whatever the disk says; what was durable stays so.
    pub fn close(mut self) -> Result<Durable, LogError> {
        self.sync()?;
        if self.active.is_some() {
            self.mark(CLOSED)?;
        }
        Ok(self.durable)
    }

    /// Writes a frame without entries in the room kept for it, and syncs.
    fn mark(&mut self, flag: u16) -> Result<(), LogError> {
        let Some(active) = self.active.as_mut() else { return Ok(()) };
        let (mark, header) = mark_frame(&self.expected, flag, active.offset);
        let crc = self.encoder.encode(&mark, &mark.progress, header.clone());
        active
            .file
            .write_all_at(&self.encoder.bytes, active.offset)
            .map_err(LogError::io("write", &active.path))?;
        active.offset += self.encoder.bytes.len() as u64;
        self.expected = self.expected.after(&header, Some(crc));
        self.sync_active()
    }

    /// Takes space for the encoded frame and the marks that may follow it.
    fn reserve(&mut self) -> Result<(), LogError> {
        let active = self.active.as_mut().expect("a segment is active");
        let needed = active.offset + self.encoder.bytes.len() as u64 + 2 * MARK_BYTES;
        if needed <= active.reserved {
            return Ok(());
        }
        let reserved = needed + self.options.reserve_bytes;
        active
            .file
            .reserve(reserved)
            .map_err(|error| full_or("extend", &active.path, reserved - active.reserved, error))?;
        // The length must be durable before frames lie in it, and zeros before they are trusted to be there.
        active.file.sync().map_err(LogError::io("sync", &active.path))?;
        active.reserved = reserved;
        Ok(())
    }

    /// Makes the next segment, seals the one before and encodes the frame as the first of the new one.
    fn start_segment(
        &mut self,
        frame: &SealedFrame,
        is_control: u16,
    ) -> Result<(FrameHeader, u32), LogError> {
        let dir = self.options.dir.clone();
        let temporary = format!("{dir}/next{TEMPORARY}");
        let mut checkpoints = self.checkpoints.clone();
        checkpoints.apply(&frame.progress);
        let progress = checkpoints.to_progress();
        let header = self.header(frame, is_control | FIRST, 0);
        self.encoder.encode(frame, &progress, header);
        self.check_size()?;
        let reserved = self.encoder.bytes.len() as u64 + 2 * MARK_BYTES + self.options.reserve_bytes;
        if self.disk.file_len(&temporary).map_err(LogError::io("measure", &temporary))?.is_some() {
            self.disk.remove(&temporary).map_err(LogError::io("remove", &temporary))?;
        }
        let file = self
            .disk
            .create(&temporary, reserved)
            .map_err(|error| full_or("make", &temporary, reserved, error))?;
        file.sync().map_err(LogError::io("sync", &temporary))?;
        pass(Place::SegmentMade);
        // Only now that the next frame has its place: the segment before ends.
        if let Some(active) = &self.active {
            active.file.sync().map_err(LogError::io("sync", &active.path))?;
            self.durable = Durable { frame_no: self.expected.frame_no - 1, seq: self.expected.first_seq - 1 };
        }
        self.mark(SEAL)?;
        if let Some(sealed) = self.active.take() {
            sealed.file.set_len(sealed.offset).map_err(LogError::io("cut", &sealed.path))?;
        }
        pass(Place::SegmentSealed);
        let segment = SegmentName { first_seq: self.expected.first_seq, first_frame: self.expected.frame_no };
        let path = segment.path(&dir);
        self.disk.rename(&temporary, &path).map_err(LogError::io("rename", &temporary))?;
        if !planted::active(Bug::SkipDirectorySync) {
            self.disk.sync_dir(&dir).map_err(LogError::io("sync", &dir))?;
        }
        pass(Place::SegmentNamed);
        self.active = Some(Active { path, file, offset: 0, reserved });
        let header = self.header(frame, is_control | FIRST, 0);
        let crc = self.encoder.encode(frame, &progress, header.clone());
        Ok((header, crc))
    }

    fn header(&self, frame: &SealedFrame, flags: u16, offset: u64) -> FrameHeader {
        FrameHeader {
            recorded_at: frame.recorded_at,
            count: frame.count,
            synced_to: self.durable.frame_no,
            ..blank_header(&self.expected, flags, offset)
        }
    }

    fn check_size(&self) -> Result<(), LogError> {
        match self.encoder.bytes.len() as u64 {
            bytes if bytes > FRAME_BYTES_MAX => {
                Err(LogError::FrameTooLarge { bytes, limit: FRAME_BYTES_MAX })
            }
            _ => Ok(()),
        }
    }

    fn check_poisoned(&self) -> Result<(), LogError> {
        match &self.poisoned {
            Some(cause) => Err(LogError::Poisoned { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    fn poison_unless_harmless<T>(&mut self, result: Result<T, LogError>) -> Result<T, LogError> {
        if let Err(error) = &result
            && !matches!(error, LogError::DiskFull { .. } | LogError::FrameTooLarge { .. })
        {
            self.poisoned = Some(error.to_string());
        }
        result
    }
}

fn full_or(action: &'static str, path: &str, needed_bytes: u64, error: std::io::Error) -> LogError {
    if is_full(&error) {
        return LogError::DiskFull { file: path.into(), needed_bytes };
    }
    LogError::io(action, path)(error)
}
