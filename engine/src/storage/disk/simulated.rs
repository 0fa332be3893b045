//! A disk in memory that forgets what was never synced, driven by a seed.
//!
//! Each file has two contents: what reads see (the page cache) and what is durable. A write marks its sectors dirty; a sync copies dirty
//! sectors over. [`SimulatedDisk::crash`] draws for each dirty sector whether it got to the disk whole, in part or not at all, without regard
//! to the order of writes, and for each directory how many of its changes since the last sync did, in their order. The same seed and the
//! same calls give the same disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use tidewatch_ingest::random::{Random, SplitMix64};

use super::{Disk, DiskFile};

/// Bytes that a disk writes at once; a crash may still tear them.
pub const SECTOR_BYTES: usize = 512;

/// What the disk does wrong. Chances are in parts of 65,536; the default is a disk that fails only at a crash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Faults {
    /// Chance that a dirty sector is lost at a crash.
    pub sector_lost: u32,
    /// Chance that a dirty sector which is not lost is torn: only its first bytes are new.
    pub sector_torn: u32,
    /// Chance that names changed since the last directory sync are lost at a crash, from a drawn one on.
    pub names_lost: u32,
    /// Chance that a sync fails. Its dirty sectors then count as clean and are not durable, as pages after a failed write-back.
    pub sync_failed: u32,
    /// Chance that a write takes only some of its bytes.
    pub short_write: u32,
    /// Chance that one durable bit of a file flips at a crash.
    pub bit_rot: u32,
    /// Chance that a sync takes `slow_sync_us`.
    pub slow_sync: u32,
    /// The time of a sync, in microseconds.
    pub sync_us: u64,
    /// The time of a slow sync, in microseconds.
    pub slow_sync_us: u64,
    /// Bytes all files together may take; `None` for a disk that is never full.
    pub capacity_bytes: Option<u64>,
}

/// A certain event, as a chance.
pub const ALWAYS: u32 = 1 << 16;

impl Default for Faults {
    fn default() -> Self {
        Self {
            sector_lost: ALWAYS / 2,
            sector_torn: ALWAYS / 8,
            names_lost: ALWAYS / 2,
            sync_failed: 0,
            short_write: 0,
            bit_rot: 0,
            slow_sync: 0,
            sync_us: 200,
            slow_sync_us: 50_000,
            capacity_bytes: None,
        }
    }
}

/// What the disk was asked and did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct DiskCounts {
    pub reads: u64,
    /// Writes taken, short ones included.
    pub writes: u64,
    /// Syncs of files that succeeded.
    pub syncs: u64,
    /// Syncs that failed by fault.
    pub syncs_failed: u64,
    /// Writes cut short by fault.
    pub short_writes: u64,
    /// Sectors lost or torn at crashes.
    pub sectors_lost: u64,
    /// Changes of names lost at crashes.
    pub names_lost: u64,
    pub bits_flipped: u64,
    /// Requests refused for lack of space.
    pub refused_full: u64,
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    random: Random<SplitMix64>,
    faults: Faults,
    counts: DiskCounts,
    elapsed_us: u64,
    /// Handles of an earlier life of the machine are dead.
    life: u64,
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since their directory's last sync, in order.
    changes: Vec<Change>,
    dirs: BTreeSet<String>,
}

#[derive(Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    /// Whether the length changed since the last sync.
    is_resized: bool,
}

/// Whether a fault of this chance, in parts of [`ALWAYS`], comes now.
fn strikes(random: &mut Random<SplitMix64>, chance: u32) -> bool {
    random.chance_in(chance.into(), ALWAYS.into())
}

/// One atomic change of a directory: names and the files they mean afterwards.
struct Change {
    dir: String,
    becomes: Vec<(String, Option<usize>)>,
}

fn dir_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

impl SimulatedDisk {
    pub fn new(seed: u64, faults: Faults) -> Self {
        let state = State {
            random: Random::new(seed),
            faults,
            counts: DiskCounts::default(),
            elapsed_us: 0,
            life: 0,
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            dirs: BTreeSet::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the disk")
    }

    /// Changes what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// What goes wrong now.
    pub fn faults(&self) -> Faults {
        self.state().faults
    }

    /// What the disk was asked and did.
    pub fn counts(&self) -> DiskCounts {
        self.state().counts
    }

    /// The virtual time all calls took together, in microseconds.
    pub fn elapsed_us(&self) -> u64 {
        self.state().elapsed_us
    }

    /// Bytes all files take.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// The machine loses power: what was not synced is lost, torn or kept as the seed draws. Open handles are dead.
    pub fn crash(&self) {
        self.state().crash();
    }

    /// The process dies and the machine lives on: nothing is lost, but open handles are dead.
    pub fn kill(&self) {
        self.state().life += 1;
    }

    /// Flips one bit of a file, in what is durable and what is read.
    ///
    /// # Panics
    /// When there is no such file or byte: the caller chose it.
    pub fn flip_bit(&self, path: &str, byte: usize, bit: u32) {
        let mut state = self.state();
        let file = state.names[path];
        let mask = 1u8 << (bit % u8::BITS);
        let content = &mut state.files[file];
        content.seen[byte] ^= mask;
        if let Some(durable) = content.durable.get_mut(byte) {
            *durable ^= mask;
        }
        state.counts.bits_flipped += 1;
    }

    /// What reads of a file see now; `None` where there is none.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(path).map(|file| state.files[*file].seen.clone())
    }

    /// Puts a durable file of this content in place, for tests that prepare one.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let mut state = self.state();
        state.files.push(Content { seen: bytes.to_vec(), durable: bytes.to_vec(), ..Content::default() });
        let file = state.files.len() - 1;
        state.names.insert(path.into(), file);
        state.durable_names.insert(path.into(), file);
        state.dirs.insert(dir_of(path).into());
    }
}

impl State {
    fn used_bytes(&self) -> u64 {
        self.names.values().map(|file| self.files[*file].seen.len() as u64).sum()
    }

    fn check_space(&mut self, more: u64) -> io::Result<()> {
        match self.faults.capacity_bytes {
            Some(capacity) if self.used_bytes() + more > capacity => {
                self.counts.refused_full += 1;
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }

    fn change(&mut self, dir: &str, becomes: Vec<(String, Option<usize>)>) {
        for (name, file) in &becomes {
            match file {
                Some(file) => self.names.insert(name.clone(), *file),
                None => self.names.remove(name),
            };
        }
        self.changes.push(Change { dir: dir.into(), becomes });
    }

    fn keep(names: &mut BTreeMap<String, usize>, change: Change) {
        for (name, file) in change.becomes {
            match file {
                Some(file) => names.insert(name, file),
                None => names.remove(&name),
            };
        }
    }

    fn crash(&mut self) {
        self.life += 1;
        let (faults, counts) = (self.faults, &mut self.counts);
        // A directory's changes reach the disk in order: what is lost is lost from one of them on.
        let mut losing = BTreeSet::new();
        for change in std::mem::take(&mut self.changes) {
            if !losing.contains(&change.dir) && strikes(&mut self.random, faults.names_lost) {
                losing.insert(change.dir.clone());
            }
            if losing.contains(&change.dir) {
                counts.names_lost += 1;
            } else {
                Self::keep(&mut self.durable_names, change);
            }
        }
        self.names = self.durable_names.clone();
        for content in &mut self.files {
            counts.sectors_lost += content.crash(&mut self.random, &faults);
            if !content.durable.is_empty() && faults.bit_rot > 0 && strikes(&mut self.random, faults.bit_rot)
            {
                let at = self.random.below(content.durable.len() as u64) as usize;
                let bit = 1 << self.random.below(8);
                content.durable[at] ^= bit;
                content.seen[at] ^= bit;
                counts.bits_flipped += 1;
            }
        }
    }

    fn content(&mut self, handle: &SimulatedFile) -> io::Result<&mut Content> {
        if handle.life != self.life {
            return Err(io::Error::other("the machine was restarted since this file was opened"));
        }
        Ok(&mut self.files[handle.file])
    }
}

impl Content {
    fn resize(&mut self, len: usize) {
        if len != self.seen.len() {
            self.seen.resize(len, 0);
            self.is_resized = true;
        }
    }

    fn write(&mut self, bytes: &[u8], at: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = at + bytes.len();
        if end > self.seen.len() {
            self.resize(end);
        }
        self.seen[at..end].copy_from_slice(bytes);
        self.dirty.extend(at / SECTOR_BYTES..=(end - 1) / SECTOR_BYTES);
    }

    fn sync(&mut self) {
        if self.is_resized {
            self.durable.resize(self.seen.len(), 0);
            self.is_resized = false;
        }
        for sector in std::mem::take(&mut self.dirty) {
            self.keep(sector, SECTOR_BYTES);
        }
    }

    /// Makes the first bytes of a sector durable.
    fn keep(&mut self, sector: usize, bytes: usize) {
        let start = sector * SECTOR_BYTES;
        let end = (start + bytes).min(self.seen.len()).min(self.durable.len());
        if start < end {
            self.durable[start..end].copy_from_slice(&self.seen[start..end]);
        }
    }

    /// Draws what of the un-synced bytes is on the disk, and says how many sectors are not, or not whole.
    fn crash(&mut self, random: &mut Random<SplitMix64>, faults: &Faults) -> u64 {
        if self.is_resized && !strikes(random, faults.sector_lost) {
            self.durable.resize(self.seen.len(), 0);
        }
        self.is_resized = false;
        let mut lost = 0;
        for sector in std::mem::take(&mut self.dirty) {
            if strikes(random, faults.sector_lost) {
                lost += 1;
            } else if strikes(random, faults.sector_torn) {
                lost += 1;
                let bytes = random.below(SECTOR_BYTES as u64) as usize;
                self.keep(sector, bytes);
            } else {
                self.keep(sector, SECTOR_BYTES);
            }
        }
        self.seen.clone_from(&self.durable);
        lost
    }
}

struct SimulatedFile {
    state: Arc<Mutex<State>>,
    file: usize,
    life: u64,
}

impl SimulatedFile {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the disk")
    }
}

impl Disk for SimulatedDisk {
    fn create(&self, path: &str, len: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.check_space(len)?;
        state.files.push(Content::default());
        let file = state.files.len() - 1;
        state.files[file].resize(len as usize);
        state.change(dir_of(path), vec![(path.into(), Some(file))]);
        let life = state.life;
        drop(state);
        Ok(Arc::new(SimulatedFile { state: Arc::clone(&self.state), file, life }))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state();
        let Some(file) = state.names.get(path).copied() else { return Err(io::ErrorKind::NotFound.into()) };
        Ok(Arc::new(SimulatedFile { state: Arc::clone(&self.state), file, life: state.life }))
    }

    fn open_read(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.open(path)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let start = format!("{dir}/");
        let state = self.state();
        let below = state.names.range(start.clone()..).map_while(|(path, _)| path.strip_prefix(&start));
        Ok(below.filter(|name| !name.contains('/')).map(Into::into).collect())
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        self.state().dirs.insert(dir.into());
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let Some(file) = state.names.get(from).copied() else { return Err(io::ErrorKind::NotFound.into()) };
        state.change(dir_of(to), vec![(from.into(), None), (to.into(), Some(file))]);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change(dir_of(path), vec![(path.into(), None)]);
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.state();
        state.elapsed_us += state.faults.sync_us;
        let state = &mut *state;
        for change in std::mem::take(&mut state.changes) {
            if change.dir == dir {
                State::keep(&mut state.durable_names, change);
            } else {
                state.changes.push(change);
            }
        }
        Ok(())
    }

    fn file_len(&self, path: &str) -> io::Result<Option<u64>> {
        let state = self.state();
        Ok(state.names.get(path).map(|file| state.files[*file].seen.len() as u64))
    }
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state();
        state.counts.reads += 1;
        let seen = &state.content(self)?.seen;
        let start = usize::try_from(offset).map_or(seen.len(), |offset| offset.min(seen.len()));
        let len = bytes.len().min(seen.len() - start);
        bytes[..len].copy_from_slice(&seen[start..start + len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state();
        state.counts.writes += 1;
        let mut len = bytes.len();
        let short_write = state.faults.short_write;
        if len > 1 && strikes(&mut state.random, short_write) {
            len = 1 + state.random.below(len as u64 - 1) as usize;
            state.counts.short_writes += 1;
        }
        let at = offset as usize;
        let more = (at + len).saturating_sub(state.content(self)?.seen.len());
        if more > 0 {
            state.check_space(more as u64)?;
        }
        state.content(self)?.write(&bytes[..len], at);
        Ok(len)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        let faults = state.faults;
        let is_slow = strikes(&mut state.random, faults.slow_sync);
        state.elapsed_us += if is_slow { faults.slow_sync_us } else { faults.sync_us };
        let fails = strikes(&mut state.random, faults.sync_failed);
        let content = state.content(self)?;
        if fails {
            content.dirty.clear();
            state.counts.syncs_failed += 1;
            return Err(io::Error::other("the disk could not write back"));
        }
        content.sync();
        state.counts.syncs += 1;
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.state().content(self)?.seen.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.state().content(self)?.resize(len as usize);
        Ok(())
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        let more = len.saturating_sub(state.content(self)?.seen.len() as u64);
        if more > 0 {
            state.check_space(more)?;
            state.content(self)?.resize(len as usize);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losing_everything() -> Faults {
        Faults { sector_lost: ALWAYS, names_lost: ALWAYS, ..Faults::default() }
    }

    #[test]
    fn what_was_synced_survives_a_crash_and_nothing_else_must() {
        let disk = SimulatedDisk::new(1, losing_everything());
        let file = disk.create("d/a", 1024).unwrap();
        file.write_all_at(b"kept", 0).unwrap();
        file.sync().unwrap();
        disk.sync_dir("d").unwrap();
        file.write_all_at(b"lost", 600).unwrap();
        disk.create("d/unnamed", 8).unwrap().sync().unwrap();
        disk.crash();
        assert!(file.len().is_err(), "a handle does not outlive the machine");
        let content = disk.content("d/a").unwrap();
        assert_eq!((&content[..4], &content[600..604]), (&b"kept"[..], &[0; 4][..]));
        assert_eq!(disk.content("d/unnamed"), None);
    }

    #[test]
    fn a_failed_sync_looks_clean_afterwards_and_is_not() {
        let disk = SimulatedDisk::new(1, losing_everything());
        let file = disk.create("d/a", 512).unwrap();
        file.sync().unwrap();
        disk.sync_dir("d").unwrap();
        file.write_all_at(b"gone", 0).unwrap();
        disk.set_faults(Faults { sync_failed: ALWAYS, ..losing_everything() });
        assert!(file.sync().is_err());
        disk.set_faults(losing_everything());
        file.sync().unwrap();
        assert_eq!(&disk.content("d/a").unwrap()[..4], b"gone", "reads still see it");
        disk.crash();
        assert_eq!(disk.content("d/a").unwrap()[..4], [0; 4]);
    }

    #[test]
    fn a_rename_without_directory_sync_can_be_lost() {
        let disk = SimulatedDisk::new(1, losing_everything());
        disk.put("d/a", b"x");
        disk.rename("d/a", "d/b").unwrap();
        disk.crash();
        assert_eq!(disk.list("d").unwrap(), ["a"]);
    }

    #[test]
    fn a_full_disk_refuses_and_takes_again_once_there_is_space() {
        let disk = SimulatedDisk::new(1, Faults { capacity_bytes: Some(1000), ..Faults::default() });
        let file = disk.create("d/a", 900).unwrap();
        assert_eq!(file.reserve(1200).unwrap_err().kind(), io::ErrorKind::StorageFull);
        disk.set_faults(Faults::default());
        file.reserve(1200).unwrap();
    }

    #[test]
    fn equal_seeds_give_equal_disks() {
        let run = || {
            let disk = SimulatedDisk::new(7, Faults::default());
            let file = disk.create("d/a", 64 << 10).unwrap();
            disk.sync_dir("d").unwrap();
            file.sync().unwrap();
            file.write_all_at(&[7; 64 << 10], 0).unwrap();
            disk.crash();
            (disk.content("d/a"), disk.counts())
        };
        assert_eq!(run(), run());
    }
}
