//! Counts the segments, frames, entries and bytes of a log.

use tidewatch_projections::event::Micros;
use tidewatch_projections::names::Names;

use super::entry::Entry;
use super::error::LogError;
use super::frame::RawFrame;
use super::opening::continues;
use super::segment::{Beyond, Expected, SegmentName, Step, Walk};
use crate::storage::disk::Disk;

/// The figures of one segment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SegmentStat {
    pub file: String,
    /// Its size on disk in bytes, zeros ahead included.
    pub file_bytes: u64,
    pub frame_bytes: u64,
    /// Bytes of dictionaries before compression.
    pub dictionary_raw_bytes: u64,
    /// Number of frames, marks included.
    pub frames: u64,
    pub events: u64,
    /// Number of dead letters.
    pub dead_letters: u64,
    /// Number of control entries.
    pub controls: u64,
    /// Its first sequence, or the next one when it has none.
    pub first_seq: u64,
    /// The sequence after its last one.
    pub next_seq: u64,
    /// Least and greatest time of recording.
    pub recorded: Option<(Micros, Micros)>,
    /// Least and greatest time of events.
    pub occurred: Option<(Micros, Micros)>,
    /// Whether it is complete for ever.
    pub is_sealed: bool,
}

impl SegmentStat {
    pub fn entries(&self) -> u64 {
        self.events + self.dead_letters + self.controls
    }
}

/// The figures of every segment of the log in a directory, up to its end; `progress` is told the bytes of each frame, and
/// ends the counting by `false`: then only the segments before are there.
///
/// # Errors
/// Damage within the frames that are read, whatever the disk says.
pub fn stat(
    disk: &dyn Disk,
    dir: &str,
    mut progress: impl FnMut(u64) -> bool,
) -> Result<Vec<SegmentStat>, LogError> {
    let segments = SegmentName::list(disk, dir)?;
    let mut stats = Vec::with_capacity(segments.len());
    let mut expected = Expected::start();
    for (place, segment) in segments.iter().enumerate() {
        let mut walk = Walk::open(disk, segment.path(dir), expected)?;
        if let Err(what) = continues(&walk, segment) {
            return Err(LogError::Damage(Box::new(walk.damage(what, &Beyond::default()))));
        }
        let mut stat = SegmentStat {
            file: walk.path.clone(),
            file_bytes: walk.file().len().map_err(LogError::io("measure", &walk.path))?,
            first_seq: segment.first_seq,
            next_seq: segment.first_seq,
            ..SegmentStat::default()
        };
        while !stat.is_sealed {
            let (step, beyond) = walk.step_beside()?;
            let what = match step {
                Step::Frame(frame) => {
                    add(&frame, &mut stat).map_err(|source| LogError::Malformed {
                        file: walk.path.clone(),
                        offset: frame.header.offset.into(),
                        source,
                    })?;
                    if !progress(frame.header.frame_bytes()) {
                        return Ok(stats);
                    }
                    continue;
                }
                Step::Zeros => "there are zeros instead of a frame".into(),
                Step::Invalid(what) => what,
            };
            if place + 1 < segments.len() || beyond.synced_to >= walk.expected.frame_no {
                return Err(LogError::Damage(Box::new(walk.damage(what, &beyond))));
            }
            break;
        }
        stats.push(stat);
        expected = walk.expected;
    }
    Ok(stats)
}

fn add(frame: &RawFrame, stat: &mut SegmentStat) -> Result<(), super::Malformed> {
    let header = &frame.header;
    let widen = |span: Option<(Micros, Micros)>, (least, greatest): (Micros, Micros)| {
        Some(span.map_or((least, greatest), |span| (span.0.min(least), span.1.max(greatest))))
    };
    stat.frames += 1;
    stat.frame_bytes += header.frame_bytes();
    stat.dictionary_raw_bytes += u64::from(header.dictionary_raw_len);
    stat.next_seq = header.next_seq();
    stat.recorded = widen(stat.recorded, (header.recorded_at, header.recorded_at));
    if let Some(span) = header.event_span {
        stat.occurred = widen(stat.occurred, span);
    }
    stat.is_sealed = header.is_seal();
    frame.entries(&Names::new(), |_, entry| match entry {
        Entry::Event(_) => stat.events += 1,
        Entry::DeadLetter(_) => stat.dead_letters += 1,
        Entry::Control(_) => stat.controls += 1,
    })
}
