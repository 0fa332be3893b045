//! A data directory: its lock, its tenant and the secret that ids are hashed with.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::meters::Meters;
use crate::storage::account_index::{AccountIndex, AccountIndexOptions, PART_BYTES};
use crate::storage::disk::Disk;
use crate::storage::disk::lock::{DirectoryLock, LockError};
use crate::storage::disk::real::RealDisk;
use crate::storage::identity::{Identity, Secret};
use crate::storage::log::LogOptions;

/// The tenant of a directory when nothing else was asked for.
pub const TENANT_DEFAULT: &str = "main";
/// Longest tenant name in bytes.
pub const TENANT_BYTES_MAX: usize = 128;

/// Where the log lies.
pub const LOG_DIR: &str = "log";
/// Where the ids that were accepted lie; derived.
pub const DEDUP_DIR: &str = "dedup";
/// Where the index of accounts lies; derived.
pub const ACCOUNTS_DIR: &str = "accounts";
/// Where the index of dead letters lies; derived.
pub const INDEX_DIR: &str = "index";
/// What the directory is.
const IDENTITY_FILE: &str = "identity";
const IDENTITY_FILE_NEW: &str = "identity.new";
const IDENTITY_FORMAT: &str = "tidewatch-directory-1";
/// Longest identity file that is read, in bytes.
const IDENTITY_BYTES_MAX: usize = 4096;
/// A process runs one shard until a user outgrows a machine.
pub const SHARD: u32 = 0;

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is none, and reading does not make one.
    #[error("there is no data directory at {}; check --data, or import something into it first", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Another process has it.
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("{} holds the data of tenant {found:?}, not of {asked:?}; one directory keeps one tenant", path.display())]
    OtherTenant {
        path: PathBuf,
        found: String,
        /// Whose was asked for.
        asked: String,
    },
    /// No name for a tenant.
    #[error("{tenant:?} names no tenant; use 1 to {TENANT_BYTES_MAX} bytes without control characters")]
    TenantName { tenant: String },
    /// The file that says what the directory is makes no sense.
    #[error("{} is damaged: {what}; restore it from a backup of this directory", path.display())]
    Identity { path: PathBuf, what: String },
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A data directory that this process holds.
pub struct Directory {
    root: PathBuf,
    disk: Arc<dyn Disk>,
    tenant: String,
    secret: Secret,
    _lock: DirectoryLock,
}

impl Directory {
    /// Takes a directory, making it for `tenant` when there is none.
    ///
    /// # Errors
    /// When another process holds it, it is another tenant's, or the system refuses.
    pub fn open_or_create(root: &Path, tenant: &str) -> Result<Self, DirectoryError> {
        if tenant.is_empty() || tenant.len() > TENANT_BYTES_MAX || tenant.contains(char::is_control) {
            return Err(DirectoryError::TenantName { tenant: tenant.to_owned() });
        }
        let io = |action| {
            let path = root.to_owned();
            move |source| DirectoryError::Io { action, path, source }
        };
        let disk = Arc::new(RealDisk::new(root).map_err(io("make"))?);
        let lock = DirectoryLock::acquire(root)?;
        if disk.file_len(IDENTITY_FILE).map_err(io("read"))?.is_none() {
            let secret = random().map_err(io("draw a secret for"))?;
            write_identity(disk.as_ref(), tenant, &secret).map_err(io("write"))?;
        }
        Self::read(root, disk, lock, Some(tenant))
    }

    /// Takes a directory that is there, whosever it is.
    ///
    /// # Errors
    /// When there is none, another process holds it, or the system refuses.
    pub fn open(root: &Path) -> Result<Self, DirectoryError> {
        if !root.join(IDENTITY_FILE).is_file() {
            return Err(DirectoryError::Missing { path: root.to_owned() });
        }
        let disk = RealDisk::new(root).map_err(|source| DirectoryError::Io {
            action: "open",
            path: root.to_owned(),
            source,
        })?;
        let lock = DirectoryLock::acquire(root)?;
        Self::read(root, Arc::new(disk), lock, None)
    }

    fn read(
        root: &Path,
        disk: Arc<dyn Disk>,
        lock: DirectoryLock,
        asked: Option<&str>,
    ) -> Result<Self, DirectoryError> {
        let path = root.join(IDENTITY_FILE);
        let text = read_identity(disk.as_ref()).map_err(|source| DirectoryError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        let (tenant, secret) =
            parse_identity(&text).map_err(|what| DirectoryError::Identity { path, what })?;
        if let Some(asked) = asked
            && asked != tenant
        {
            let (path, asked) = (root.to_owned(), asked.to_owned());
            return Err(DirectoryError::OtherTenant { path, found: tenant, asked });
        }
        Ok(Self { root: root.to_owned(), disk, tenant, secret, _lock: lock })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Whose data it keeps.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// What deduplication keys are computed with.
    pub fn identity(&self) -> Identity {
        Identity::new(&self.secret, &self.tenant)
    }

    /// Deletes everything that is derived from the log. Nobody has the index open.
    ///
    /// # Errors
    /// Whatever the system says.
    #[expect(
        clippy::disallowed_methods,
        reason = "the files of the index are its store's own and go as a whole"
    )]
    pub fn discard_derived(&self) -> Result<(), DirectoryError> {
        let remove = || {
            for dir in [DEDUP_DIR, ACCOUNTS_DIR] {
                for name in self.disk.list(dir)? {
                    self.disk.remove(&format!("{dir}/{name}"))?;
                }
            }
            match std::fs::remove_dir_all(self.root.join(INDEX_DIR)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                done => done,
            }
        };
        remove().map_err(|source| DirectoryError::Io {
            action: "delete what is derived in",
            path: self.root.clone(),
            source,
        })
    }

    /// The index of accounts of its log; `readers` threads read the frames of one question.
    pub fn account_index(&self, is_read_only: bool, readers: usize, meters: &Arc<Meters>) -> AccountIndex {
        let options = AccountIndexOptions {
            dir: ACCOUNTS_DIR.into(),
            log_dir: LOG_DIR.into(),
            part_bytes: PART_BYTES,
            is_read_only,
            readers,
        };
        AccountIndex::new(Arc::clone(&self.disk), options, Arc::clone(meters))
    }

    /// How its log is opened; an empty log gets a lineage of its own.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn log_options(&self) -> Result<LogOptions, DirectoryError> {
        let lineage = random().map_err(|source| DirectoryError::Io {
            action: "draw a lineage for",
            path: self.root.clone(),
            source,
        })?;
        Ok(LogOptions::new(SHARD, u128::from_le_bytes(lineage)))
    }
}

/// Random bytes of the system.
pub(crate) fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    #[expect(clippy::disallowed_methods, reason = "the system's source of randomness is no durable file")]
    let mut source = std::fs::File::open("/dev/urandom")?;
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn write_identity(disk: &dyn Disk, tenant: &str, secret: &Secret) -> io::Result<()> {
    let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!("{IDENTITY_FORMAT}\n{secret}\n{tenant}\n");
    if disk.file_len(IDENTITY_FILE_NEW)?.is_some() {
        disk.remove(IDENTITY_FILE_NEW)?;
    }
    let file = disk.create(IDENTITY_FILE_NEW, text.len() as u64)?;
    file.write_all_at(text.as_bytes(), 0)?;
    file.sync()?;
    disk.rename(IDENTITY_FILE_NEW, IDENTITY_FILE)?;
    disk.sync_dir("")
}

fn read_identity(disk: &dyn Disk) -> io::Result<String> {
    let file = disk.open_read(IDENTITY_FILE)?;
    let mut bytes = vec![0; IDENTITY_BYTES_MAX];
    let read = file.read_full_at(&mut bytes, 0)?;
    bytes.truncate(read);
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn parse_identity(text: &str) -> Result<(String, Secret), String> {
    let mut lines = text.lines();
    match lines.next() {
        Some(IDENTITY_FORMAT) => {}
        other => {
            return Err(format!("it starts with {:?} instead of {IDENTITY_FORMAT:?}", other.unwrap_or("")));
        }
    }
    let hex = lines.next().unwrap_or("");
    let digit = |at: usize| hex.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let mut secret = Secret::default();
    for (at, byte) in secret.iter_mut().enumerate() {
        *byte = digit(at).ok_or("its second line is no secret of 32 hexadecimal digits")?;
    }
    match lines.next() {
        Some(tenant) if !tenant.is_empty() => Ok((tenant.to_owned(), secret)),
        _ => Err("its third line names no tenant".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_keeps_its_tenant_and_its_secret() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("data");
        assert!(matches!(Directory::open(&path), Err(DirectoryError::Missing { .. })));
        for tenant in ["", "a\nb", &"x".repeat(TENANT_BYTES_MAX + 1)] {
            let refused = Directory::open_or_create(&path, tenant);
            assert!(matches!(refused, Err(DirectoryError::TenantName { .. })), "{tenant:?}");
        }
        assert!(!path.exists(), "a refused name leaves nothing behind");
        let first = Directory::open_or_create(&path, "acme").unwrap();
        let key = first.identity().event("crm", 0, "1");
        assert!(matches!(Directory::open(&path), Err(DirectoryError::Lock(_))));
        drop(first);
        let again = Directory::open(&path).unwrap();
        assert_eq!((again.tenant(), again.identity().event("crm", 0, "1")), ("acme", key));
        drop(again);
        let other = Directory::open_or_create(&path, "main").err().unwrap().to_string();
        assert!(other.contains("\"acme\"") && other.contains("\"main\""), "{other}");
    }
}
