//! Bytes that nobody of ours wrote.

use proptest::prelude::*;
use tidewatch_engine::storage::log::{BytesRead, dump, read_bytes, stat, verify};

use crate::classify;
use crate::support::{closed_log, segments};

proptest! {
    #[test]
    fn random_bytes_are_no_log_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let read = read_bytes(&bytes);
        prop_assert_eq!(read.frames, 0);
    }

    #[test]
    fn a_mangled_log_is_classified(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let disk = closed_log(1 << 20, 4, 5);
        let mut content = disk.content(&segments(&disk)[0]).unwrap();
        let end = content.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for (at, byte) in changes {
            content[at.index(end)] = byte;
        }
        content.truncate(cut.index(content.len()));
        let read = read_bytes(&content);
        prop_assert!(read.entries <= 20 && read.frames <= 5);
    }

    #[test]
    fn a_log_that_was_changed_is_recovered_or_named(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        classify::check(&bytes);
    }

    #[test]
    fn opening_reading_and_verifying_agree_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        classify::check_any(&bytes);
    }
}

#[test]
fn a_sound_log_reads_as_one() {
    let disk = closed_log(1 << 20, 4, 5);
    let content = disk.content(&segments(&disk)[0]).unwrap();
    assert_eq!(read_bytes(&content), BytesRead { frames: 5, entries: 20, is_damaged: false });
}

#[test]
fn verify_counts_all_and_finds_each_damage() {
    let disk = closed_log(4096, 60, 10);
    let verified = verify(&disk, "log", |_| true).unwrap();
    assert!(verified.is_sound() && verified.tail.is_none());
    assert_eq!((verified.entries, verified.last_seq), (600, 600));
    let files = segments(&disk);
    assert!(files.len() > 3);
    disk.flip_bit(&files[1], 200, 0);
    disk.flip_bit(&files[2], 2000, 0);
    let verified = verify(&disk, "log", |_| true).unwrap();
    let damaged: Vec<_> = verified.damage.iter().map(|damage| damage.file.clone()).collect();
    assert_eq!(damaged, files[1..3]);
    assert_eq!((verified.entries, verified.last_seq), (580, 600), "all but the two damaged frames");
}

#[test]
fn stat_adds_up() {
    let disk = closed_log(4096, 60, 10);
    let stats = stat(&disk, "log", |_| true).unwrap();
    assert_eq!(stats.iter().map(|stat| stat.entries()).sum::<u64>(), 600);
    assert_eq!(stats.len(), segments(&disk).len());
    assert!(stats[..stats.len() - 1].iter().all(|stat| stat.is_sealed));
    assert!(stats.windows(2).all(|pair| pair[0].next_seq == pair[1].first_seq));
}

#[test]
fn a_dump_is_one_object_a_line() {
    let disk = closed_log(4096, 3, 4);
    let mut out = Vec::new();
    let count = dump(std::sync::Arc::new(disk), "log", (2, 7), &|_| None, &mut out).unwrap();
    assert_eq!(count, 6);
    let text = String::from_utf8(out).unwrap();
    let first = text.lines().next().unwrap();
    for part in [
        r#""seq":2"#,
        r#""id":"event-2""#,
        r#""account":"account-2""#,
        r#""occurred_at":"2023-11-14T22:13:20.002Z""#,
    ] {
        assert!(first.contains(part), "{part} in {first}");
    }
    assert_eq!(text.lines().count(), 6);
}
