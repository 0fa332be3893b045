//! Feeds arbitrary bytes to everything that reads a log; fuzz targets call it.

use std::sync::Arc;

use tidewatch_projections::names::Names;

use super::checkpoints::Progress;
use super::dictionary::Dictionary;
use super::frame::{decode_sub_block, sub_blocks};
use super::segment::{Expected, Step, Walk};
use crate::storage::disk::simulated::{Faults, SimulatedDisk};

/// What arbitrary bytes turned out to hold.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct BytesRead {
    /// Sound frames at the start.
    pub frames: u64,
    pub entries: u64,
    /// Whether something other than a frame, zeros or the end follows.
    pub is_damaged: bool,
}

/// Reads bytes as the only segment of a log, and past the checksums as each part of a frame. Never panics; takes memory in proportion
/// to the bytes.
pub fn read_bytes(bytes: &[u8]) -> BytesRead {
    read_parts(bytes);
    let disk = SimulatedDisk::new(0, Faults::default());
    const PATH: &str = "log/00000000000000000001-000000000001.seg";
    disk.put(PATH, bytes);
    let names = Arc::new(Names::new());
    let mut read = BytesRead::default();
    let Ok(mut walk) = Walk::open(&disk, PATH.into(), Expected::start()) else { return read };
    loop {
        match walk.step() {
            Ok(Step::Frame(frame)) => {
                read.frames += 1;
                let decoded = frame.decode(&names);
                read.is_damaged |= decoded.is_err();
                read.entries += decoded.map_or(0, |frame| frame.entries.len() as u64);
            }
            Ok(Step::Zeros) => return read,
            Ok(Step::Invalid(_)) => {
                read.is_damaged = true;
                return BytesRead { is_damaged: walk.beyond().is_ok(), ..read };
            }
            Err(_) => return BytesRead { is_damaged: true, ..read },
        }
    }
}

/// The parts of a frame behind its checksums, which random bytes would never pass.
fn read_parts(bytes: &[u8]) {
    let names = Names::new();
    drop(Progress::take(bytes));
    drop(Dictionary::decode(bytes, &names));
    let texts = (0..=u8::MAX).flat_map(|byte| [1, byte & 0x7f]).collect::<Vec<u8>>();
    let dictionary = Dictionary::decode(&texts, &names).expect("texts of one character");
    let mut raw = Vec::new();
    for sub_block in sub_blocks(bytes).flatten() {
        let _ = decode_sub_block(&sub_block, &dictionary, &mut raw, drop);
    }
    // The same bytes as plain entries, as many as there are.
    let mut plain = Vec::with_capacity(bytes.len() + 16);
    for field in [bytes.len() as u32, bytes.len() as u32, 0, u32::MAX] {
        plain.extend_from_slice(&field.to_le_bytes());
    }
    plain.extend_from_slice(bytes);
    for sub_block in sub_blocks(&plain).flatten() {
        let _ = decode_sub_block(&sub_block, &dictionary, &mut raw, drop);
    }
}
