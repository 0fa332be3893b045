//! The lock that lets one process at a time hold a data directory.
#![expect(clippy::disallowed_methods, reason = "the disk is where files of the system are touched")]

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The lock's file name in the data directory.
pub const LOCK_NAME: &str = "LOCK";
/// Longest holder text that is read back, in bytes.
const HOLDER_BYTES_MAX: u64 = 512;

/// Holding it, this process is the only one that writes below a directory. Given back when dropped, and by the system when the
/// process ends in any way.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

/// Why a directory could not be held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "the data directory {} is held by {holder}; stop that process, or ask it with --server where the command has that",
        root.display()
    )]
    Held {
        root: PathBuf,
        /// `process 4711 on host-a`, as the holder wrote it.
        holder: String,
    },
    /// The lock file cannot be made or read.
    #[error("cannot lock the data directory {}: {source}; check that it is writable and on a local file system", root.display())]
    Io {
        root: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DirectoryLock {
    /// Takes the lock of a data directory, which must exist.
    ///
    /// # Errors
    /// [`LockError::Held`] names the process and host that have it.
    pub fn acquire(root: &Path) -> Result<Self, LockError> {
        let broken = |source| LockError::Io { root: root.into(), source };
        let path = root.join(LOCK_NAME);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(broken)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = read_holder(&mut file).map_err(broken)?;
                return Err(LockError::Held { root: root.into(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(broken(source)),
        }
        write_holder(&mut file).map_err(broken)?;
        Ok(Self { _file: file })
    }
}

fn read_holder(file: &mut File) -> io::Result<String> {
    let mut text = Vec::new();
    file.take(HOLDER_BYTES_MAX).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let holder = text.trim();
    Ok(if holder.is_empty() { "a process that is just starting".into() } else { holder.into() })
}

fn write_holder(file: &mut File) -> io::Result<()> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "process {} on {host}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_directory_names_its_holder_and_is_free_again_afterwards() {
        let root = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::acquire(root.path()).unwrap();
        let refused = DirectoryLock::acquire(root.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {} on ", std::process::id())), "{refused}");
        drop(lock);
        DirectoryLock::acquire(root.path()).unwrap();
    }
}
