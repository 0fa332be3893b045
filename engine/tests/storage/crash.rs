//! After any crash: what was durable is there, and the log before is a prefix of the log after.

use std::sync::Arc;

use tidewatch_engine::storage::disk::simulated::{ALWAYS, Faults, SimulatedDisk};
use tidewatch_engine::storage::log::{Ended, LogError};
use tidewatch_ingest::random::{Random, SplitMix64};
use tidewatch_projections::names::Names;

use crate::support::{check_true, frame, open, read};

const SEEDS: u64 = 300;
const SEGMENT_BYTES: u64 = 6000;

/// A life of the machine: opens, writes for a while, and ends in some way. Gives the last sequence known to be durable, or what it said.
fn live(disk: &SimulatedDisk, random: &mut Random<SplitMix64>, durable: u64) -> Result<u64, String> {
    let names = Arc::new(Names::new());
    let (mut writer, opened) = match open(disk, SEGMENT_BYTES) {
        Ok(opened) => opened,
        // A sync that fails at opening: nothing was served, the next life tries again.
        Err(LogError::Io { .. }) => return Ok(durable),
        Err(error) => return Err(error.to_string()),
    };
    if opened.last_seq < durable {
        return Err(format!("sequences to {durable} were durable, the log ends at {}", opened.last_seq));
    }
    let mut known = opened.last_seq;
    for _ in 0..random.below(12) {
        let frame = frame(&names, writer.next_seq(), 1 + random.below(20));
        if writer.append(&frame).is_err() {
            return Ok(known);
        }
        if random.chance_in(1, 2) {
            match writer.sync() {
                Ok(durable) => known = durable.seq,
                Err(_) => return Ok(known),
            }
        }
    }
    if random.chance_in(1, 4)
        && let Ok(durable) = writer.close()
    {
        known = durable.seq;
    }
    Ok(known)
}

/// Runs one seed of lives and crashes; says what went wrong.
pub fn run(seed: u64) -> Result<(), String> {
    let faults = Faults { short_write: ALWAYS / 20, sync_failed: ALWAYS / 40, ..Faults::default() };
    let disk = SimulatedDisk::new(seed, faults);
    let mut random = Random::new(!seed);
    let mut durable = 0;
    for _ in 0..8 {
        durable = live(&disk, &mut random, durable)?;
        if random.chance_in(1, 3) {
            disk.kill();
        } else {
            disk.crash();
        }
    }
    disk.set_faults(Faults::default());
    let (writer, opened) = open(&disk, SEGMENT_BYTES).map_err(|error| error.to_string())?;
    if opened.last_seq < durable {
        return Err(format!("sequences to {durable} were durable, the log ends at {}", opened.last_seq));
    }
    writer.close().map_err(|error| error.to_string())?;
    disk.crash();
    let (_, again) = open(&disk, SEGMENT_BYTES).map_err(|error| error.to_string())?;
    if (again.last_seq, again.ended == Ended::Abruptly) != (opened.last_seq, false) {
        return Err(format!("closed in order at {}, found {again:?}", opened.last_seq));
    }
    let names = Arc::new(Names::new());
    let entries = read(&disk, &names).map_err(|error| error.to_string())?;
    if entries.len() as u64 != opened.last_seq {
        return Err(format!("{} entries read, the log ends at {}", entries.len(), opened.last_seq));
    }
    // Every entry is a function of its sequence: equal contents are a prefix of each other.
    check_true(&names, &entries);
    Ok(())
}

#[test]
fn what_was_durable_survives_any_crash_and_nothing_false_appears() {
    for seed in 0..SEEDS {
        run(seed).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}

#[cfg(feature = "planted-bugs")]
mod planted {
    use super::run;
    use tidewatch_engine::planted::{Bug, plant};

    /// Whether some seed notices the bug, by an error or a failed check.
    fn is_found(bug: Bug) -> bool {
        plant(Some(bug));
        let found =
            (0..2000).any(|seed| std::panic::catch_unwind(|| run(seed)).is_ok_and(|run| run.is_err()));
        plant(None);
        found
    }

    #[test]
    fn a_skipped_directory_sync_is_found() {
        assert!(is_found(Bug::SkipDirectorySync));
    }

    #[test]
    fn an_unchecked_tail_is_found() {
        assert!(is_found(Bug::TrustUncheckedTail));
    }
}
