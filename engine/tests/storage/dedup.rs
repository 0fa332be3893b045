//! Deduplication agrees with a plain map, whatever happens to its files.

use std::collections::HashMap;
use std::sync::Arc;

use tidewatch_engine::storage::dedup::{Dedup, DedupOpened, DedupOptions, RUNS_MAX, Verdict};
use tidewatch_engine::storage::disk::Disk;
use tidewatch_engine::storage::disk::simulated::{Faults, SimulatedDisk};
use tidewatch_ingest::random::Random;

fn options() -> DedupOptions {
    DedupOptions { dir: "dedup".into(), lineage: 5, memory_bytes_max: 0 }
}

fn open(disk: &SimulatedDisk, log_seq: u64) -> (Dedup, DedupOpened) {
    Dedup::open(Arc::new(disk.clone()), options(), log_seq).unwrap()
}

fn key(number: u64) -> u128 {
    let mut random = Random::new(number);
    u128::from(random.bits()) << 64 | u128::from(random.bits())
}

/// The log as deduplication sees it: the key number and fingerprint of each sequence from 1.
#[derive(Default)]
struct Log {
    entries: Vec<(u64, u64)>,
    known: HashMap<u64, (u64, u64)>,
}

impl Log {
    fn seq(&self) -> u64 {
        self.entries.len() as u64
    }

    fn accept(&mut self, number: u64, fingerprint: u64) -> u64 {
        self.entries.push((number, fingerprint));
        self.known.insert(number, (self.seq(), fingerprint));
        self.seq()
    }

    /// A crash takes the entries above a sequence.
    fn cut(&mut self, seq: u64) {
        self.entries.truncate(seq as usize);
        self.known.retain(|_, (at, _)| *at <= seq);
    }

    fn ids_after(&self, seq: u64) -> impl Iterator<Item = (u128, u64, u64)> {
        let entries = self.entries.iter().zip(1..).skip(seq as usize);
        entries.map(|((number, fingerprint), seq)| (key(*number), seq, *fingerprint))
    }

    fn verdict(&self, number: u64, fingerprint: u64) -> Verdict {
        match self.known.get(&number) {
            None => Verdict::New,
            Some((seq, accepted)) if *accepted == fingerprint => Verdict::Duplicate { seq: *seq },
            Some((seq, _)) => Verdict::Conflict { seq: *seq },
        }
    }

    fn refill(&self, disk: &SimulatedDisk) -> Dedup {
        let (mut dedup, opened) = open(disk, self.seq());
        dedup.fill(self.ids_after(opened.covered_seq)).unwrap();
        dedup
    }

    fn compare(&self, dedup: &Dedup) -> Result<(), String> {
        for number in 0..NUMBERS {
            let fingerprint = number % 3;
            let answer = dedup.check(key(number), fingerprint).map_err(|error| error.to_string())?;
            if answer != self.verdict(number, fingerprint) {
                return Err(format!(
                    "id {number}: {answer:?}, should be {:?}",
                    self.verdict(number, fingerprint)
                ));
            }
        }
        Ok(())
    }
}

const NUMBERS: u64 = 3000;

fn run(seed: u64) -> Result<(), String> {
    let disk = SimulatedDisk::new(seed, Faults::default());
    let mut random = Random::new(!seed);
    let mut log = Log::default();
    let mut dedup = log.refill(&disk);
    for _ in 0..2000 {
        let (number, fingerprint) = (random.below(NUMBERS), random.below(3));
        let verdict = dedup.check(key(number), fingerprint).map_err(|error| error.to_string())?;
        if verdict != log.verdict(number, fingerprint) {
            return Err(format!(
                "id {number}: {verdict:?}, should be {:?}",
                log.verdict(number, fingerprint)
            ));
        }
        if verdict == Verdict::New {
            dedup.insert(key(number), log.accept(number, fingerprint), fingerprint);
        }
        let durable = log.seq().saturating_sub(random.below(20));
        if random.chance_in(1, 8) {
            dedup.tend(durable, 1 + random.below(20_000)).map_err(|error| error.to_string())?;
            if dedup.runs() > RUNS_MAX {
                return Err(format!("{} runs", dedup.runs()));
            }
        }
        if random.chance_in(1, 300) {
            drop(dedup);
            disk.crash();
            log.cut(durable.max(log.seq().saturating_sub(25)));
            dedup = log.refill(&disk);
            log.compare(&dedup)?;
        }
    }
    log.compare(&dedup)
}

#[test]
fn answers_are_those_of_a_plain_map_across_crashes() {
    for seed in 0..20 {
        run(seed).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}

/// A log of so many ids with runs of it on disk.
fn with_runs(ids: u64) -> (SimulatedDisk, Log) {
    let disk = SimulatedDisk::new(1, Faults::default());
    let mut log = Log::default();
    let mut dedup = log.refill(&disk);
    for number in 0..ids {
        dedup.insert(key(number), log.accept(number, number % 3), number % 3);
        dedup.tend(log.seq(), 1 << 20).unwrap();
    }
    (disk, log)
}

fn files(disk: &SimulatedDisk) -> Vec<String> {
    disk.list("dedup").unwrap().into_iter().map(|name| format!("dedup/{name}")).collect()
}

#[test]
fn deleting_every_run_changes_no_answer() {
    let (disk, log) = with_runs(1000);
    assert!(!files(&disk).is_empty());
    let (dedup, opened) = open(&disk, log.seq());
    assert!(opened.covered_seq > 900 && dedup.keys() == opened.keys);
    for file in files(&disk) {
        disk.remove(&file).unwrap();
    }
    let (_, opened) = open(&disk, log.seq());
    assert_eq!(opened.covered_seq, 0);
    log.compare(&log.refill(&disk)).unwrap();
}

#[test]
fn a_bit_flipped_anywhere_in_a_run_is_noticed() {
    let (disk, log) = with_runs(300);
    for file in files(&disk) {
        let pristine = disk.content(&file).unwrap();
        for byte in (0..pristine.len()).step_by(13) {
            disk.flip_bit(&file, byte, byte as u32);
            let (_, opened) = open(&disk, log.seq());
            assert!(opened.discarded.iter().any(|discarded| discarded.file == file), "{file}, byte {byte}");
            log.compare(&log.refill(&disk)).unwrap();
            for made_anew in files(&disk) {
                disk.remove(&made_anew).unwrap();
            }
            disk.put(&file, &pristine);
        }
    }
}

#[test]
fn runs_of_another_lineage_or_ahead_of_the_log_are_thrown_away() {
    let (disk, log) = with_runs(300);
    let kept = files(&disk).len();
    let (_, opened) = Dedup::open(Arc::new(disk.clone()), options(), log.seq()).unwrap();
    assert_eq!(opened.runs, kept);
    let (_, opened) = open(&disk, 100);
    assert!(
        opened.covered_seq <= 100 && opened.discarded[0].why.contains("the log ends at 100"),
        "{opened:?}"
    );
    let (disk, log) = with_runs(300);
    let other = DedupOptions { lineage: 6, ..options() };
    let (_, opened) = Dedup::open(Arc::new(disk.clone()), other, log.seq()).unwrap();
    assert_eq!((opened.covered_seq, opened.runs), (0, 0));
}

#[test]
fn a_damaged_run_gives_an_error_and_not_an_answer() {
    let (disk, log) = with_runs(300);
    let (mut dedup, _) = open(&disk, log.seq());
    for file in files(&disk) {
        let len = disk.content(&file).unwrap().len();
        (4096..len).step_by(4096).for_each(|page| disk.flip_bit(&file, page + 40, 1));
    }
    assert!(dedup.check(key(1), 1).unwrap_err().to_string().contains("checksum"));
    dedup.reset().unwrap();
    dedup.fill(log.ids_after(0)).unwrap();
    log.compare(&dedup).unwrap();
}

#[test]
fn a_full_disk_costs_memory_and_no_answer() {
    const STEPS_MAX: usize = 1_000;
    let (disk, mut log) = with_runs(100);
    let mut dedup = log.refill(&disk);
    disk.set_faults(Faults { capacity_bytes: Some(disk.used_bytes()), ..Faults::default() });
    let mut was_full = false;
    for number in 100..1000 {
        dedup.insert(key(number), log.accept(number, number % 3), number % 3);
        was_full |= dedup.tend(log.seq(), 1 << 20).unwrap().is_disk_full;
    }
    assert!(was_full);
    log.compare(&dedup).unwrap();
    disk.set_faults(Faults::default());
    let steps = (0..STEPS_MAX).take_while(|_| dedup.tend(log.seq(), 1 << 20).unwrap().bytes > 0).count();
    assert!(steps < STEPS_MAX, "it writes on and on");
    assert!(dedup.covered_seq() > 900);
    log.compare(&dedup).unwrap();
}

#[cfg(feature = "planted-bugs")]
mod planted {
    use super::{open, run, with_runs};
    use tidewatch_engine::planted::{Bug, plant};

    #[test]
    fn a_filter_that_forgot_its_runs_is_found() {
        plant(Some(Bug::FilterMissIsTruth));
        let found = (0..100).any(|seed| run(seed).is_err());
        plant(None);
        assert!(found);
    }

    #[test]
    fn a_run_ahead_of_the_log_is_found() {
        let (disk, _) = with_runs(300);
        plant(Some(Bug::RunWithoutSequence));
        let (_, opened) = open(&disk, 100);
        plant(None);
        assert!(opened.covered_seq > 100);
    }
}
