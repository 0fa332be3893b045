//! Verifies a whole log: every frame, every checksum, every entry; also beside a running engine.

use std::sync::Arc;

use tidewatch_projections::names::Names;

use super::error::{Cut, Damage, LogError};
use super::frame::RawFrame;
use super::opening::continues;
use super::segment::{Beyond, Expected, SegmentName, Step, Walk};
use crate::storage::disk::Disk;

/// What a check of a whole log found.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Verified {
    pub segments: u64,
    pub frames: u64,
    pub entries: u64,
    /// Bytes of sound frames.
    pub bytes: u64,
    /// The last sequence of the last sound frame, 0 in an empty log.
    pub last_seq: u64,
    /// Damage, each where it starts; reading went on at the next sound frame of the same segment, or with the next segment.
    pub damage: Vec<Damage>,
    /// An end that was never known to be durable: opening would cut it. Beside a running engine, a frame being written.
    pub tail: Option<Cut>,
}

impl Verified {
    /// Whether everything that was durable is there.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }
}

/// Checks every frame of the log in a directory; `progress` is told the bytes of each sound frame, and ends the check by
/// `false`: then what was found up to there is all.
///
/// # Errors
/// Whatever the disk says, or a later format. Damage is no error but a finding.
pub fn verify(
    disk: &dyn Disk,
    dir: &str,
    mut progress: impl FnMut(u64) -> bool,
) -> Result<Verified, LogError> {
    let segments = SegmentName::list(disk, dir)?;
    let mut verified = Verified::default();
    let mut expected = Expected::start();
    for (place, segment) in segments.iter().enumerate() {
        let is_last = place + 1 == segments.len();
        let mut walk = Walk::open(disk, segment.path(dir), expected)?;
        if let Err(what) = continues(&walk, segment) {
            verified.damage.push(walk.damage(what, &Beyond::default()));
            walk.expected = Expected::at(segment);
        }
        verified.segments += 1;
        if !verify_segment(&mut walk, is_last, &mut verified, &mut progress)? {
            return Ok(verified);
        }
        expected = walk.expected;
        if let Some(next) = segments.get(place + 1)
            && verified.damage.last().is_some_and(|damage| damage.file == walk.path)
        {
            // What the damaged segment said of its end is not known.
            expected = Expected { shard: expected.shard, lineage: expected.lineage, ..Expected::at(next) };
        }
    }
    Ok(verified)
}

/// Checks a segment; answers whether to go on.
fn verify_segment(
    walk: &mut Walk,
    is_last: bool,
    verified: &mut Verified,
    progress: &mut impl FnMut(u64) -> bool,
) -> Result<bool, LogError> {
    loop {
        let (step, beyond) = walk.step_beside()?;
        let what = match step {
            Step::Frame(frame) => {
                let is_seal = frame.header.is_seal();
                if let Err(what) = count(&frame, verified) {
                    let mut damage = walk.damage(what, &Beyond::default());
                    (damage.offset, damage.frame_no) = (frame.header.offset.into(), frame.header.frame_no);
                    (damage.first_seq, damage.next_seq) =
                        (frame.header.first_seq, Some(frame.header.next_seq()));
                    verified.damage.push(damage);
                }
                if !progress(frame.header.frame_bytes()) {
                    return Ok(false);
                }
                if !is_seal {
                    continue;
                }
                let beyond = walk.beyond()?;
                if beyond.end > walk.offset {
                    verified.damage.push(walk.damage("bytes lie behind the seal".into(), &beyond));
                }
                return Ok(true);
            }
            Step::Zeros => "there are zeros instead of a frame".into(),
            Step::Invalid(what) => what,
        };
        if is_last && beyond.synced_to < walk.expected.frame_no {
            if beyond.end > walk.offset {
                let (file, offset) = (walk.path.clone(), walk.offset);
                verified.tail = Some(Cut { file, offset, bytes: beyond.end - offset, what });
            }
            return Ok(true);
        }
        verified.damage.push(walk.damage(what, &beyond));
        let Some((offset, header)) = beyond.next else { return Ok(true) };
        walk.offset = offset;
        walk.expected = Expected {
            frame_no: header.frame_no,
            first_seq: header.first_seq,
            previous_crc: None,
            recorded_at: header.recorded_at,
            ..walk.expected.clone()
        };
    }
}

fn count(frame: &RawFrame, verified: &mut Verified) -> Result<(), String> {
    verified.frames += 1;
    verified.bytes += frame.header.frame_bytes();
    verified.last_seq = frame.header.next_seq() - 1;
    frame.progress().map_err(|error| error.to_string())?;
    // A table of its own for each frame: checking a log takes no memory that grows with it.
    let names = Arc::new(Names::new());
    let mut entries = 0;
    let result = frame.entries(&names, |_, _| entries += 1);
    verified.entries += entries;
    result.map_err(|error| error.to_string())
}
