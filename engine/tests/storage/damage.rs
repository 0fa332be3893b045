//! Every cut and every flipped bit is recovered from or named, never taken for a log.

use std::sync::Arc;

use tidewatch_engine::storage::disk::Disk;
use tidewatch_engine::storage::disk::simulated::SimulatedDisk;
use tidewatch_engine::storage::log::{Ended, Entry, LogError, LogReader};
use tidewatch_projections::names::Names;

use crate::support::{check_holds, check_true, closed_log, disk, open, read, segments, write};

#[test]
fn a_log_cut_at_every_byte_of_its_last_frames_is_recovered_up_to_the_cut() {
    let disk_before = disk();
    let names = Arc::new(Names::new());
    let (mut writer, _) = open(&disk_before, 1 << 20).unwrap();
    write(&mut writer, &names, 6, 4);
    let path = segments(&disk_before).remove(0);
    let content = disk_before.content(&path).unwrap();
    let mut ends = vec![(0, 0)];
    let mut reader = LogReader::new(Arc::new(disk_before.clone()), "log", Arc::clone(&names), 1);
    while let Some(frame) = reader.next_raw().unwrap() {
        let start = u64::from(frame.header.offset);
        ends.push((start + frame.header.frame_bytes(), frame.header.next_seq() - 1));
    }
    for (len, zeros_follow) in (ends[3].0..=ends[6].0).flat_map(|len| [(len, false), (len, true)]) {
        let mut cut = content[..len as usize].to_vec();
        if zeros_follow {
            cut.resize(content.len(), 0);
        }
        let disk = disk();
        disk.put(&path, &cut);
        // A frame's length ends in zeros: cut there and filled with zeros, nothing is missing.
        let is_whole =
            |end: u64| end <= len || (zeros_follow && cut[..end as usize] == content[..end as usize]);
        let (end, last) = *ends.iter().rfind(|(end, _)| is_whole(*end)).unwrap();
        let (mut writer, opened) =
            open(&disk, 1 << 20).unwrap_or_else(|error| panic!("cut at {len}: {error}"));
        assert_eq!((opened.last_seq, opened.ended), (last, Ended::Abruptly), "cut at {len}");
        let content_len = cut.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1);
        assert_eq!(opened.cut.map_or(0, |cut| cut.bytes), content_len.saturating_sub(end), "cut at {len}");
        write(&mut writer, &names, 1, 4);
        check_holds(&disk, last + 4);
    }
}

/// Flips every bit position in turn over all bytes of a log; the log must tell the truth or name the damage.
fn flip_everywhere(
    pristine: impl Fn() -> SimulatedDisk,
    segment_bytes: u64,
    may_be_cut: impl Fn(&str, usize) -> bool,
) {
    let reference = pristine();
    let last = read(&reference, &Arc::new(Names::new())).unwrap().len();
    for path in segments(&reference) {
        let len = reference.content(&path).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for byte in 0..len {
            let disk = pristine();
            disk.flip_bit(&path, byte, byte as u32);
            let names = Arc::new(Names::new());
            let held = match open(&disk, segment_bytes) {
                Ok(_) => match read(&disk, &names) {
                    Ok(entries) => entries,
                    Err(error) => {
                        check_named(&error, &path);
                        continue;
                    }
                },
                Err(error) => {
                    check_named(&error, &path);
                    continue;
                }
            };
            check_true(&names, &held);
            if !may_be_cut(&path, byte) {
                assert_eq!(held.len(), last, "{path}, byte {byte}: entries vanished without a word");
            }
        }
    }
}

#[track_caller]
fn check_named(error: &LogError, path: &str) {
    match error {
        LogError::Damage(damage) => {
            assert!(damage.first_seq > 0 && damage.frame_no > 0, "{damage}");
            assert!(damage.file == path || damage.what.contains("frame before"), "{path}: {damage}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_bit_flipped_at_every_byte_of_a_closed_log_is_recovered_or_named() {
    // The closing mark says that all before it is durable; damage to itself loses no entry, so nothing may be cut.
    flip_everywhere(|| closed_log(2048, 9, 4), 2048, |_, _| false);
}

#[test]
fn a_bit_flipped_in_the_last_frame_of_an_open_log_cuts_that_frame_at_most() {
    let make = || {
        let disk = disk();
        let (mut writer, _) = open(&disk, 1 << 20).unwrap();
        write(&mut writer, &Arc::new(Names::new()), 4, 3);
        disk
    };
    let path = segments(&make()).remove(0);
    let mut last_start = 0;
    let mut reader = LogReader::new(Arc::new(make()), "log", Arc::new(Names::new()), 1);
    while let Some(frame) = reader.next_raw().unwrap() {
        last_start = frame.header.offset as usize;
    }
    flip_everywhere(make, 1 << 20, |flipped, byte| flipped == path && byte >= last_start);
}

#[test]
fn damage_says_what_is_lost_and_reading_stops_before_it() {
    let disk = closed_log(1 << 20, 9, 4);
    let path = segments(&disk).remove(0);
    let names = Arc::new(Names::new());
    let mut reader = LogReader::new(Arc::new(disk.clone()), "log", Arc::clone(&names), 1);
    let third = (0..3).map(|_| reader.next_raw().unwrap().unwrap()).last().unwrap();
    disk.flip_bit(&path, third.header.offset as usize + 130, 0);
    let Err(LogError::Damage(damage)) = open(&disk, 1 << 20).map(|_| ()) else { panic!("opened") };
    assert_eq!((damage.frame_no, damage.first_seq, damage.next_seq), (3, 9, Some(13)));
    let text = damage.to_string();
    assert!(
        text.contains("from sequence 9 to 12") && text.contains(&path) && text.contains("backup"),
        "{text}"
    );
    let mut reader = LogReader::new(Arc::new(disk), "log", Arc::clone(&names), 1);
    let mut entries = Vec::new();
    let error = loop {
        match reader.next_frame() {
            Ok(frame) => entries.extend(frame.unwrap().entries),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, LogError::Damage(_)));
    assert_eq!(entries.len(), 8);
}

#[test]
fn a_missing_segment_is_named() {
    for place in 0..3 {
        let disk = closed_log(2048, 30, 4);
        let removed = segments(&disk).remove(place);
        disk.remove(&removed).unwrap();
        let Err(error) = open(&disk, 2048) else { panic!("opened without {removed}") };
        assert!(error.to_string().contains("a segment is missing"), "{error}");
        assert!(read(&disk, &Arc::new(Names::new())).is_err());
    }
}

#[test]
fn a_copy_of_a_frame_inside_a_record_is_no_frame() {
    let disk = closed_log(1 << 20, 3, 4);
    let path = segments(&disk).remove(0);
    let copied = disk.content(&path).unwrap();
    let names = Arc::new(Names::new());
    let (mut writer, opened) = open(&disk, 1 << 20).unwrap();
    let mut builder =
        tidewatch_engine::storage::log::FrameBuilder::new(Arc::clone(&names), opened.last_seq + 1);
    // Not to be compressed away: the copy lies plainly in the file.
    let mut random = tidewatch_ingest::random::Random::new(5);
    let mut payload: Vec<u8> = (0..2000).map(|_| random.bits() as u8).collect();
    payload.extend_from_slice(&copied[..1000]);
    builder.push_control(1, &payload).unwrap();
    let recorded_at = opened.recorded_at.unwrap();
    let appended = writer.append(&builder.seal(recorded_at)).unwrap();
    drop(writer);
    let end = disk.content(&path).unwrap().iter().rposition(|byte| *byte != 0).unwrap() as u64;
    disk.flip_bit(&path, (end - appended.bytes + 300) as usize, 1);
    let (_, opened) = open(&disk, 1 << 20).unwrap();
    assert_eq!(opened.last_seq, 12);
    assert!(opened.cut.unwrap().bytes > 2000);
    let entries = read(&disk, &names).unwrap();
    assert!(entries.iter().all(|(_, entry)| matches!(entry, Entry::Event(_))));
}
