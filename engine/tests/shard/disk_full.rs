//! A disk that is really full: ingest waits, reads go on, and with space again nothing is lost.
#![expect(clippy::disallowed_methods, reason = "the test fills a disk, and waits in real time")]

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tidewatch_engine::app::{Engine, Options};
use tidewatch_engine::storage::log::verify;
use tidewatch_ingest::random::{Random, SplitMix64};

use crate::support::{Shard, import};
use crate::wait::wait_until;

/// The file system's size. The log reserves 4 MB at a time.
const DISK_MB: usize = 24;
/// What is imported into the full disk: more than is reserved, and no compression makes it fit.
const LINES: usize = 6_000;
const LINE_BYTES: usize = 2_000;
/// An import that has brought nothing for so long waits for the disk.
const STANDSTILL: Duration = Duration::from_secs(1);

/// A file system of its own that is small; gone with the test.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// # Panics
    /// When this machine lets us mount none: the test is `#[ignore]` and asked for only where it does.
    fn mount() -> Self {
        let at = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK_MB}m"), "tidewatch"]).arg(at.path());
        let said = mount.output().expect("the command `mount` can be run");
        assert!(
            said.status.success(),
            "no file system was mounted: {}",
            String::from_utf8_lossy(&said.stderr)
        );
        Self(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || thread::panicking());
    }
}

fn line(number: usize, random: &mut Random<SplitMix64>) -> String {
    let noise: String = (0..LINE_BYTES / 16).map(|_| format!("{:016x}", random.bits())).collect();
    format!(
        r#"{{"id":"{number}","account":"a{}","type":"page_viewed","occurred_at":"2024-02-01T10:00:00Z","properties":{{"noise":"{noise}"}}}}"#,
        number % 7
    )
}

/// Takes all space that is left.
fn fill(path: &Path) {
    let mut ballast = File::create(path).unwrap();
    for bytes in [1 << 20, 1 << 12, 1] {
        loop {
            match ballast.write_all(&vec![1; bytes]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn events(engine: &Engine) -> u64 {
    engine.view().expect("it was opened with a fold").tenant.events
}

#[test]
#[ignore = "needs the right to mount a file system"]
fn a_full_disk_holds_ingest_up_and_nothing_else() {
    let disk = SmallDisk::mount();
    let (data, ballast) = (disk.0.path().join("data"), disk.0.path().join("ballast"));
    let (elsewhere, mut random) = (Shard::new(), Random::new(7));
    let lines: Vec<String> = (0..LINES).map(|number| line(number, &mut random)).collect();
    let (few, most) = (elsewhere.file(&lines[..50]), elsewhere.file(&lines[50..]));
    let engine = Engine::open(&data, Options::new(Some(2)), &|_, _| ()).unwrap();
    assert_eq!(import(&engine, "app", None, &[few]).unwrap().receipt.accepted, 50);

    fill(&ballast);
    thread::scope(|scope| {
        let importing = scope.spawn(|| import(&engine, "app", None, std::slice::from_ref(&most)));
        let durable = || *engine.durable().borrow();
        let mut before = 0;
        wait_until("the import to stand still", || {
            thread::sleep(STANDSTILL);
            let seen = std::mem::replace(&mut before, durable());
            (seen == before && seen > 0).then_some(()).ok_or(before)
        });
        assert!(!importing.is_finished(), "{LINES} lines fit into {DISK_MB} MB");
        assert_eq!(engine.failure(), None);
        // Reads go on: of memory and of the log.
        let mut read = 0;
        engine
            .history()
            .frames(|frame| {
                read += frame.entries.len() as u64;
                Ok::<(), tidewatch_engine::storage::log::LogError>(())
            })
            .unwrap();
        assert!((50..LINES as u64).contains(&events(&engine)), "{}", events(&engine));
        assert!(read >= events(&engine) && read <= durable(), "{read} of {}", durable());

        std::fs::remove_file(&ballast).unwrap();
        let receipt = importing.join().unwrap().unwrap().receipt;
        assert_eq!((receipt.accepted, receipt.duplicates), (LINES as u64 - 50, 0));
    });
    engine.shutdown().unwrap();

    let engine = Engine::open(&data, Options::new(Some(2)), &|_, _| ()).unwrap();
    assert_eq!(events(&engine), LINES as u64);
    assert!(verify(engine.directory().disk().as_ref(), "log", |_| true).unwrap().is_sound());
    engine.shutdown().unwrap();
}
