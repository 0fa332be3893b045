//! Reads files and standard input: one JSON record per line, plain, gzip or zstd.
//!
//! A file is identified by the digest of its uncompressed content, so a copied, renamed or recompressed file is the same
//! file, and records without an id get the same id on every import.

pub mod content;
pub mod lines;
pub mod progress;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidewatch_projections::names::{Names, Symbol};

use crate::batch::{Origin, RawBatch, RawRecord};
use crate::checkpoint::{Checkpoint, FileCheckpoint};
use crate::source::{Polled, Source, Stopped};
use content::Content;
use lines::Lines;
use progress::{FileRead, Progress};

/// Default size of a batch in bytes of records; a single larger record still makes a batch.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// A file or stream whose lines are the records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// The file at this path.
    Path(PathBuf),
    /// Standard input, spooled into a temporary file first.
    Stdin,
}

impl Input {
    /// The input of a command line argument: `-` is standard input.
    pub fn of_argument(argument: &str) -> Self {
        if argument == "-" { Self::Stdin } else { Self::Path(argument.into()) }
    }
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("-"),
        }
    }
}

/// A source of the lines of some files, one after the other.
pub struct FileSource {
    name: String,
    names: Arc<Names>,
    inputs: VecDeque<Input>,
    record_bytes_max: usize,
    batch_bytes_max: usize,
    checkpoints: HashMap<String, FileCheckpoint>,
    current: Option<Reading>,
    progress: Arc<Progress>,
}

struct Reading {
    path: String,
    digest: String,
    digest_symbol: Symbol,
    lines: Lines,
    blank_lines: u64,
}

impl FileSource {
    /// A source named `name` over `inputs`. `record_bytes_max` must be the decoder's.
    pub fn new(name: &str, names: Arc<Names>, inputs: Vec<Input>, record_bytes_max: usize) -> Self {
        let progress = Arc::new(Progress::default());
        for input in &inputs {
            if let Input::Path(path) = input {
                // A file that cannot be asked is reported when it is its turn to be read.
                let file = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
                progress.expect(2 * file.map_or(0, |file| file.len()));
            }
        }
        Self {
            name: name.to_owned(),
            names,
            inputs: inputs.into(),
            record_bytes_max,
            batch_bytes_max: BATCH_BYTES_MAX,
            checkpoints: HashMap::new(),
            current: None,
            progress,
        }
    }

    /// Sets the number of bytes after which a batch is returned; [`BATCH_BYTES_MAX`] unless set.
    pub fn with_batch_bytes_max(mut self, batch_bytes_max: usize) -> Self {
        self.batch_bytes_max = batch_bytes_max;
        self
    }

    /// The counters for a progress bar.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    fn open(&self, input: &Input) -> io::Result<Reading> {
        let content = match input {
            Input::Path(path) => Content::of_path(path, &self.progress)?,
            Input::Stdin => Content::of_stream(io::stdin().lock(), &self.progress)?,
        };
        let (byte, line) = self.checkpoints.get(&content.digest).map_or((0, 0), |at| (at.byte, at.line));
        self.progress.begin(FileRead {
            path: input.to_string(),
            digest: content.digest.clone(),
            bytes: content.bytes,
            lines_before: line,
            lines: line,
            blank_lines: 0,
        });
        let lines = Lines::after(content.reader(&self.progress)?, byte, line, self.record_bytes_max)?;
        let digest_symbol = self.names.intern(&content.digest);
        Ok(Reading { path: input.to_string(), digest: content.digest, digest_symbol, lines, blank_lines: 0 })
    }

    fn stopped(&self, stream: &str, cause: &'static str, what_happened: String, what_to_do: &str) -> Stopped {
        Stopped {
            source_name: self.name.clone(),
            stream: stream.to_owned(),
            cause,
            what_happened,
            what_to_do: what_to_do.to_owned(),
        }
    }

    fn unreadable(&self, stream: &str, error: &io::Error) -> Stopped {
        let what_happened = format!("it cannot be read: {error}");
        self.stopped(
            stream,
            "unreadable",
            what_happened,
            "check the path, its permissions and that it is whole",
        )
    }
}

impl Reading {
    /// Reads lines until the batch is full; true at the end of the file.
    fn fill(&mut self, bytes_max: usize, out: &mut RawBatch) -> io::Result<bool> {
        while out.payload.len() < bytes_max {
            let start = out.payload.len();
            let Some(whole_bytes) = self.lines.read(&mut out.payload)? else { return Ok(true) };
            if out.payload[start..].trim_ascii().is_empty() {
                out.payload.truncate(start);
                self.blank_lines += 1;
                continue;
            }
            let origin = Origin::Line { digest: self.digest_symbol, line: self.lines.line };
            out.records.push(RawRecord { bytes: start..out.payload.len(), whole_bytes, origin });
        }
        Ok(false)
    }

    fn checkpoint(&self, source: &str) -> Checkpoint {
        Checkpoint::File(FileCheckpoint {
            source: source.to_owned(),
            digest: self.digest.clone(),
            byte: self.lines.byte,
            line: self.lines.line,
        })
    }
}

impl Source for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn resume(&mut self, checkpoints: &[Checkpoint]) -> Result<(), Stopped> {
        for checkpoint in checkpoints {
            if let Checkpoint::File(at) = checkpoint
                && at.source == self.name
            {
                self.checkpoints.insert(at.digest.clone(), at.clone());
            }
        }
        Ok(())
    }

    fn poll(&mut self, _wait: Duration, out: &mut RawBatch) -> Result<Polled, Stopped> {
        let mut reading = match self.current.take() {
            Some(reading) => reading,
            None => {
                let Some(input) = self.inputs.pop_front() else { return Ok(Polled::Ended) };
                self.open(&input).map_err(|error| self.unreadable(&input.to_string(), &error))?
            }
        };
        let start = reading.lines.byte;
        let ended = match reading.fill(self.batch_bytes_max, out) {
            Ok(ended) => ended,
            Err(error) => {
                out.clear();
                return Err(self.unreadable(&reading.path, &error));
            }
        };
        self.progress.update(reading.lines.line, reading.blank_lines);
        if ended && reading.lines.digest() != reading.digest {
            out.clear();
            let what_happened = format!("it changed while it was read; it was {} before", reading.digest);
            let what_to_do = "import it again once nothing writes to it; ids keep events from counting twice";
            return Err(self.stopped(&reading.path, "changed", what_happened, what_to_do));
        }
        if reading.lines.byte > start {
            out.progress.push(reading.checkpoint(&self.name));
            // A file named twice goes on where the first reading stands.
            if let Checkpoint::File(at) = reading.checkpoint(&self.name) {
                self.checkpoints.insert(at.digest.clone(), at);
            }
        }
        if !ended {
            self.current = Some(reading);
            return Ok(Polled::Open);
        }
        Ok(if self.inputs.is_empty() { Polled::Ended } else { Polled::Open })
    }
}
