//! Counts how far an import has come; the thread of the progress bar reads it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What has been read of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileRead {
    /// The path as given, `-` for standard input.
    pub path: String,
    /// BLAKE3 of the uncompressed content, first 16 bytes in hexadecimal.
    pub digest: String,
    /// Uncompressed bytes of the whole content.
    pub bytes: u64,
    /// Lines before this import: an earlier one had read them.
    pub lines_before: u64,
    /// Lines read so far, those before included.
    pub lines: u64,
    /// Lines of this import without content, skipped.
    pub blank_lines: u64,
}

/// Shared counters of an import. Each byte on disk is read twice, for the digest and for the lines, and counts twice.
#[derive(Default, Debug)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    files: Mutex<Vec<FileRead>>,
}

impl Progress {
    /// Bytes read from disk so far; each byte counts twice.
    pub fn bytes_done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Bytes to read in all; grows when standard input turns out to be longer.
    pub fn bytes_total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// The files begun so far.
    ///
    /// # Panics
    /// Never: no thread panics while it holds the list.
    pub fn files(&self) -> Vec<FileRead> {
        self.files.lock().expect("no thread panics while it holds the list").clone()
    }

    pub(super) fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn expect(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn begin(&self, file: FileRead) {
        self.files.lock().expect("no thread panics while it holds the list").push(file);
    }

    pub(super) fn update(&self, lines: u64, blank_lines: u64) {
        let mut files = self.files.lock().expect("no thread panics while it holds the list");
        if let Some(file) = files.last_mut() {
            file.lines = lines;
            file.blank_lines = blank_lines;
        }
    }
}
