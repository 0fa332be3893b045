//! The disk as a trait: flat directories of files with positioned reads and writes and explicit syncs.
//!
//! Two implementations: [`real`] below a root directory, and [`simulated`] in memory, which loses what was never synced.
//! Paths are relative to the root, with `/` between their parts: `log/00000000000000000001-000000000001.seg`.

pub mod lock;
pub mod real;
pub mod simulated;

use std::io;
use std::sync::Arc;

/// A directory tree that keeps what was synced.
///
/// What a crash may take: bytes written since the file's last [`DiskFile::sync`], and names created, renamed or removed since the
/// directory's last [`Disk::sync_dir`].
pub trait Disk: Send + Sync {
    /// Makes a file of `len` zero bytes whose space is taken, open for reading and writing. Neither the file nor its name is synced.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`]; [`io::ErrorKind::StorageFull`], in which case no file is left; whatever the system says.
    fn create(&self, path: &str, len: u64) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; whatever the system says.
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens an existing file for reading only; works beside the process that holds the directory.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; whatever the system says.
    fn open_read(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// The names of the files in a directory, sorted; a directory that is not there has none.
    ///
    /// # Errors
    /// Whatever the system says.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Makes a directory and those above it; nothing happens when it is there. The names are synced.
    ///
    /// # Errors
    /// Whatever the system says.
    fn create_dir(&self, dir: &str) -> io::Result<()>;

    /// Gives a file another name, replacing a file that has it. Not synced.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; whatever the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Not synced.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; whatever the system says.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Makes the names in a directory durable: files made, renamed and removed since.
    ///
    /// # Errors
    /// Whatever the system says; nothing is known about the names then.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;

    /// The length of a file in bytes, `None` where there is none.
    ///
    /// # Errors
    /// Whatever the system says.
    fn file_len(&self, path: &str) -> io::Result<Option<u64>>;
}

/// An open file. Calls may come from several threads at once.
pub trait DiskFile: Send + Sync {
    /// Reads bytes at an offset; fewer than asked at the file's end, and at times before it.
    ///
    /// # Errors
    /// Whatever the system says.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes bytes at an offset and says how many were taken, which may be fewer than given.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`]; whatever the system says.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes every byte written so far durable, and the file's length.
    ///
    /// # Errors
    /// Whatever the system says. The bytes may be lost, and a later sync may succeed without them: never call it again and believe it.
    fn sync(&self) -> io::Result<()>;

    /// The length in bytes.
    ///
    /// # Errors
    /// Whatever the system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// Whatever the system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file, or lengthens it by zeros whose space is not taken yet.
    ///
    /// # Errors
    /// Whatever the system says.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Lengthens the file to `len` by zeros whose space is taken: later writes below it cannot meet a full disk. Not synced.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`], in which case the file may have grown in part; whatever the system says.
    fn reserve(&self, len: u64) -> io::Result<()> {
        const STEP_BYTES: usize = 256 << 10;
        static ZEROS: [u8; STEP_BYTES] = [0; STEP_BYTES];
        let mut end = self.len()?;
        while end < len {
            let step = usize::try_from(len - end).map_or(STEP_BYTES, |left| left.min(STEP_BYTES));
            self.write_all_at(&ZEROS[..step], end)?;
            end += step as u64;
        }
        Ok(())
    }

    /// Reads exactly as many bytes as asked.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] past the end; those of [`DiskFile::read_at`].
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        match self.read_full_at(bytes, offset)? {
            read if read == bytes.len() => Ok(()),
            read => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!(
                    "the file ends {} bytes short of a read of {} at {offset}",
                    bytes.len() - read,
                    bytes.len()
                ),
            )),
        }
    }

    /// Reads as many bytes as asked, or as there are up to the end, and says how many.
    ///
    /// # Errors
    /// Those of [`DiskFile::read_at`].
    fn read_full_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < bytes.len() {
            match self.read_at(&mut bytes[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    /// Writes all bytes, going on after a short write.
    ///
    /// # Errors
    /// [`io::ErrorKind::WriteZero`] when the disk takes nothing; those of [`DiskFile::write_at`].
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut written = 0;
        while written < bytes.len() {
            match self.write_at(&bytes[written..], offset + written as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether an error says that no space is left: a state to wait out, not a broken disk.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
