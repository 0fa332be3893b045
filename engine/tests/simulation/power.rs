//! A plug that is pulled between any two calls to the disk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tidewatch_engine::storage::disk::{Disk, DiskFile};

/// How many more changing calls the disk sees; negative is without end.
#[derive(Clone)]
pub struct Plug(Arc<AtomicI64>);

impl Plug {
    /// A plug that stays in.
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(-1)))
    }

    /// Pulls it after so many changing calls.
    pub fn pull_after(&self, calls: i64) {
        self.0.store(calls, Ordering::Relaxed);
    }

    /// Puts it back in.
    pub fn put_back(&self) {
        self.0.store(-1, Ordering::Relaxed);
    }

    /// Whether the power is gone.
    pub fn is_out(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn check(&self) -> io::Result<()> {
        match self.0.load(Ordering::Relaxed) {
            0 => Err(io::Error::other("the power is gone")),
            _ => Ok(()),
        }
    }

    fn change(&self) -> io::Result<()> {
        self.check()?;
        let left = self.0.load(Ordering::Relaxed);
        if left > 0 {
            self.0.store(left - 1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A disk on that plug.
pub struct Plugged {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// Its plug.
    pub plug: Plug,
}

struct PluggedFile {
    file: Arc<dyn DiskFile>,
    plug: Plug,
}

impl Plugged {
    fn file(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(PluggedFile { file, plug: self.plug.clone() })
    }
}

impl Disk for Plugged {
    fn create(&self, path: &str, len: u64) -> io::Result<Arc<dyn DiskFile>> {
        self.plug.change()?;
        self.disk.create(path, len).map(|file| self.file(file))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.plug.check()?;
        self.disk.open(path).map(|file| self.file(file))
    }

    fn open_read(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.plug.check()?;
        self.disk.open_read(path).map(|file| self.file(file))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.plug.check()?;
        self.disk.list(dir)
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        self.plug.change()?;
        self.disk.create_dir(dir)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.plug.change()?;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.plug.change()?;
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.plug.change()?;
        self.disk.sync_dir(dir)
    }

    fn file_len(&self, path: &str) -> io::Result<Option<u64>> {
        self.plug.check()?;
        self.disk.file_len(path)
    }
}

impl DiskFile for PluggedFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.plug.check()?;
        self.file.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.plug.change()?;
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.plug.change()?;
        self.file.sync()
    }

    fn len(&self) -> io::Result<u64> {
        self.plug.check()?;
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.plug.change()?;
        self.file.set_len(len)
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        self.plug.change()?;
        self.file.reserve(len)
    }
}
