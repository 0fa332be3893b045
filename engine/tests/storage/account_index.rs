//! The index of accounts: whatever became of its files, it answers what a search of every frame answers.

use std::sync::Arc;

use proptest::prelude::*;
use tidewatch_engine::cancellation::Cancellation;
use tidewatch_engine::meters::{ACCOUNT_INDEX, ACCOUNT_INDEX_DISCARDED, Meters};
use tidewatch_engine::storage::account_index::{AccountIndex, AccountIndexOptions, scan};
use tidewatch_engine::storage::disk::Disk;
use tidewatch_engine::storage::disk::simulated::{ALWAYS, Faults, SimulatedDisk};
use tidewatch_engine::storage::log::{Entry, FrameBuilder, LogError, LogReader, LogWriter};
use tidewatch_ingest::random::{Random, SplitMix64};
use tidewatch_projections::event::{Event, Subject};
use tidewatch_projections::names::{Names, Symbol};

use crate::support::{disk, event, open};

const DIR: &str = "accounts";
const ACCOUNTS: u64 = 9;

fn index(disk: &SimulatedDisk, part_bytes: u64, is_read_only: bool, meters: &Arc<Meters>) -> AccountIndex {
    let options =
        AccountIndexOptions { dir: DIR.into(), log_dir: "log".into(), part_bytes, is_read_only, readers: 2 };
    AccountIndex::new(Arc::new(disk.clone()), options, Arc::clone(meters))
}

fn figure(meters: &Meters, name: &str) -> u64 {
    let page = meters.page().render();
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.map_or(0, |value| value.parse().unwrap())
}

fn account(names: &Names, number: u64) -> Symbol {
    names.intern(&format!("account-{number}"))
}

/// A frame of events of drawn accounts; some name none, some entries are no events.
fn append(writer: &mut LogWriter, names: &Arc<Names>, random: &mut Random<SplitMix64>) {
    let mut builder = FrameBuilder::new(Arc::clone(names), writer.next_seq());
    for _ in 0..random.below(40) {
        let seq = builder.next_seq();
        // Low numbers more often, as accounts are.
        let most = random.below(ACCOUNTS);
        let number = random.below(1 + most);
        let subject = match random.below(8) {
            0 => Subject::User,
            1 => Subject::Ref { system: names.intern("crm"), id: account(names, number) },
            _ => Subject::Account(account(names, number)),
        };
        builder.push_event(&Event { subject, ..event(names, seq) }).unwrap();
    }
    if random.chance_in(1, 3) {
        builder.push_control(1, b"time has come this far").unwrap();
    }
    let sealed = builder.seal(1_800_000_000_000_000 + builder.next_seq() as i64);
    writer.append(&sealed).unwrap();
    writer.sync().unwrap();
}

/// Sequence, time of recording and event.
type Found = (u64, i64, Event);

/// What a reader of whole frames finds.
fn of_frames(disk: &SimulatedDisk, names: &Arc<Names>, accounts: &[Symbol], until_seq: u64) -> Vec<Found> {
    let reader = LogReader::new(Arc::new(disk.clone()), "log", Arc::clone(names), 1);
    let (mut reader, mut found) = (reader.until(until_seq), Vec::new());
    while let Some(frame) = reader.next_frame().unwrap() {
        for (seq, entry) in frame.entries {
            if let Entry::Event(event) = entry
                && event.account().is_some_and(|account| accounts.contains(&account))
            {
                found.push((seq, frame.header.recorded_at, event));
            }
        }
    }
    found
}

fn of_index(
    index: &AccountIndex,
    names: &Names,
    accounts: &[Symbol],
    until_seq: u64,
) -> Result<Vec<Found>, LogError> {
    let mut found = Vec::new();
    index.read(names, accounts, until_seq, &Cancellation::default(), |excerpt| {
        assert!(!excerpt.events.is_empty());
        let recorded_at = excerpt.header.recorded_at;
        found.extend(excerpt.events.into_iter().map(|(seq, event)| (seq, recorded_at, event)));
        Ok::<(), LogError>(())
    })?;
    Ok(found)
}

/// Every account alone, and some together, up to a drawn sequence and to the end.
fn check(
    disk: &SimulatedDisk,
    index: &AccountIndex,
    names: &Arc<Names>,
    random: &mut Random<SplitMix64>,
    last_seq: u64,
) -> Result<(), TestCaseError> {
    let mut asked: Vec<Vec<Symbol>> = (0..=ACCOUNTS).map(|number| vec![account(names, number)]).collect();
    asked.push(vec![account(names, 1), account(names, 0), account(names, 5), account(names, 1)]);
    asked.push(Vec::new());
    for accounts in asked {
        for until_seq in [last_seq, random.below(last_seq + 1)] {
            let found = of_index(index, names, &accounts, until_seq);
            let wanted = of_frames(disk, names, &accounts, until_seq);
            prop_assert_eq!(found.unwrap(), wanted, "{:?} until {}", accounts, until_seq);
        }
    }
    Ok(())
}

/// Does to a file of the index what may become of one.
fn spoil(disk: &SimulatedDisk, random: &mut Random<SplitMix64>) {
    let files: Vec<String> =
        disk.list(DIR).unwrap().into_iter().map(|name| format!("{DIR}/{name}")).collect();
    let Some(path) = files.get(random.below(1 + files.len() as u64) as usize) else { return };
    let mut bytes = disk.content(path).unwrap();
    let place = random.below(bytes.len() as u64) as usize;
    match random.below(6) {
        0 => disk.remove(path).unwrap(),
        1 => disk.flip_bit(path, place, random.below(8) as u32),
        2 => {
            bytes.truncate(place);
            disk.put(path, &bytes);
        }
        3 => disk.put(path, &vec![0; bytes.len()]),
        4 => disk.put(&format!("{path}.tmp"), &bytes[..place]),
        _ => disk.put(&files[random.below(files.len() as u64) as usize], &bytes),
    }
}

fn lives(seed: u64, segment_bytes: u64, part_bytes: u64) -> Result<(), TestCaseError> {
    let (disk, names, meters) = (disk(), Arc::new(Names::new()), Arc::new(Meters::new()));
    let mut random = Random::new(seed);
    for _ in 0..4 {
        let (mut writer, _) = open(&disk, segment_bytes).unwrap();
        let mut index = index(&disk, part_bytes, random.chance_in(1, 4), &meters);
        for _ in 0..random.below(12) {
            append(&mut writer, &names, &mut random);
            match random.below(5) {
                0 => index.catch_up(writer.durable().seq, &Cancellation::default()).unwrap(),
                1 => check(&disk, &index, &names, &mut random, writer.durable().seq)?,
                2 => spoil(&disk, &mut random),
                3 => index = self::index(&disk, part_bytes, false, &meters),
                _ => {}
            }
        }
        check(&disk, &index, &names, &mut random, writer.durable().seq)?;
        match random.below(3) {
            0 => disk.crash(),
            1 => disk.kill(),
            _ => {
                writer.close().unwrap();
            }
        }
        spoil(&disk, &mut random);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_index_answers_what_every_frame_says(
        seed in any::<u64>(),
        segment_bytes in 1_000u64..8_000,
        part_bytes in 1u64..6_000,
    ) {
        lives(seed, segment_bytes, part_bytes)?;
    }
}

/// A log of several segments and its last sequence.
fn filled(seed: u64) -> (SimulatedDisk, Arc<Names>, u64) {
    let (disk, names, mut random) = (disk(), Arc::new(Names::new()), Random::new(seed));
    let (mut writer, _) = open(&disk, 4_000).unwrap();
    (0..40).for_each(|_| append(&mut writer, &names, &mut random));
    let last_seq = writer.durable().seq;
    writer.close().unwrap();
    (disk, names, last_seq)
}

#[test]
fn an_index_is_written_once_and_read_by_the_next_opening() {
    let (disk, names, last_seq) = filled(1);
    let meters = Arc::new(Meters::new());
    index(&disk, 2_000, false, &meters).catch_up(last_seq, &Cancellation::default()).unwrap();
    let parts = disk.list(DIR).unwrap();
    assert!(parts.len() > 4, "{parts:?}");
    assert_eq!(figure(&meters, ACCOUNT_INDEX.name), parts.len() as u64);
    let log_reads = |is_read_only| {
        let index = index(&disk, 2_000, is_read_only, &meters);
        let before = disk.counts();
        let found = of_index(&index, &names, &[account(&names, 8)], last_seq).unwrap();
        assert_eq!(found, of_frames(&disk, &names, &[account(&names, 8)], last_seq));
        assert_eq!(disk.counts().writes, before.writes, "nothing is written again");
    };
    log_reads(true);
    log_reads(false);
    assert_eq!(disk.list(DIR).unwrap(), parts);
    assert_eq!(figure(&meters, ACCOUNT_INDEX_DISCARDED.name), 0);
}

#[test]
fn an_index_of_another_log_is_discarded_and_made_anew() {
    let (one, names, last_seq) = filled(2);
    let (other, _, other_last_seq) = filled(3);
    let meters = Arc::new(Meters::new());
    let never = Cancellation::default();
    index(&other, 2_000, false, &Arc::default()).catch_up(other_last_seq, &never).unwrap();
    one.create_dir(DIR).unwrap();
    let foreign = other.list(DIR).unwrap();
    for name in &foreign {
        one.put(&format!("{DIR}/{name}"), &other.content(&format!("{DIR}/{name}")).unwrap());
    }
    let index = index(&one, 2_000, false, &meters);
    check(&one, &index, &names, &mut Random::new(4), last_seq).unwrap();
    assert_eq!(figure(&meters, ACCOUNT_INDEX_DISCARDED.name), foreign.len() as u64);
    assert_eq!(figure(&meters, ACCOUNT_INDEX.name), one.list(DIR).unwrap().len() as u64);
}

#[test]
fn a_flipped_bit_is_counted_and_mended_wherever_it_is() {
    let (disk, names, last_seq) = filled(5);
    let never = Cancellation::default();
    index(&disk, 2_000, false, &Arc::default()).catch_up(last_seq, &never).unwrap();
    let parts = disk.list(DIR).unwrap();
    let path = format!("{DIR}/{}", parts[1]);
    let whole = disk.content(&path).unwrap();
    let asked: Vec<Symbol> = (0..=ACCOUNTS).map(|number| account(&names, number)).collect();
    let wanted = of_frames(&disk, &names, &asked, last_seq);
    for byte in 0..whole.len() {
        disk.flip_bit(&path, byte, byte as u32 % 8);
        let meters = Arc::new(Meters::new());
        let index = index(&disk, 2_000, false, &meters);
        assert_eq!(of_index(&index, &names, &asked, last_seq).unwrap(), wanted, "byte {byte}");
        index.catch_up(last_seq, &never).unwrap();
        assert_eq!(disk.content(&path).as_ref(), Some(&whole), "byte {byte}");
        assert_eq!(figure(&meters, ACCOUNT_INDEX_DISCARDED.name), 1, "byte {byte}");
    }
    assert_eq!(disk.list(DIR).unwrap(), parts);
}

#[test]
fn a_disk_that_refuses_the_index_costs_a_scan_and_no_answer() {
    let (disk, names, last_seq) = filled(6);
    disk.set_faults(Faults { sync_failed: ALWAYS, ..Faults::default() });
    let index = index(&disk, 2_000, false, &Arc::default());
    check(&disk, &index, &names, &mut Random::new(7), last_seq).unwrap();
    assert!(disk.list(DIR).unwrap().iter().all(|name| !name.ends_with(".acc")));
}

#[test]
fn without_an_index_every_frame_is_searched() {
    let (disk, names, last_seq) = filled(8);
    let asked = [account(&names, 3)];
    let mut found = Vec::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    scan(&shared, "log", &names, &asked, last_seq, &Cancellation::default(), |excerpt| {
        let recorded_at = excerpt.header.recorded_at;
        found.extend(excerpt.events.into_iter().map(|(seq, event)| (seq, recorded_at, event)));
        Ok::<(), LogError>(())
    })
    .unwrap();
    assert_eq!(found, of_frames(&disk, &names, &asked, last_seq));
}

#[test]
fn a_cancelled_read_ends() {
    let (disk, names, last_seq) = filled(9);
    let index = index(&disk, 2_000, false, &Arc::default());
    let cancelled = Cancellation::default();
    cancelled.cancel();
    let read = index.read(&names, &[account(&names, 1)], last_seq, &cancelled, |_| Ok::<(), LogError>(()));
    assert!(matches!(read, Err(LogError::Cancelled(_))), "{read:?}");
}
