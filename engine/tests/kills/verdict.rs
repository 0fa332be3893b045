//! What a log holds, against what was produced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tidewatch_engine::fold::history::History;
use tidewatch_engine::read::digest;
use tidewatch_engine::read::scan::AsOf;
use tidewatch_engine::storage::directory::{Directory, LOG_DIR};
use tidewatch_engine::storage::log::{Entry, LogError, verify};
use tidewatch_ingest::native;
use tidewatch_projections::names::Names;

use crate::workload::Workload;

/// Everything of a log that must not depend on crashes.
pub struct Kept {
    /// Accepted events by source and id, each as often as it was accepted.
    events: BTreeMap<(String, String), Vec<String>>,
    /// Reasons of dead letters by the bytes that were refused.
    letters: BTreeMap<String, Vec<&'static str>>,
    digest: String,
    /// Segments of the log.
    pub segments: u64,
    /// Frames of the log.
    pub frames: u64,
}

impl Kept {
    /// Reads a directory that nobody holds.
    ///
    /// # Errors
    /// When its log is not sound.
    pub fn of(data: &Path) -> Result<Self, String> {
        let directory = Directory::open(data).map_err(|error| error.to_string())?;
        let verified =
            verify(directory.disk().as_ref(), LOG_DIR, |_| true).map_err(|error| error.to_string())?;
        if let Some(damage) = verified.damage.first() {
            return Err(damage.to_string());
        }
        let history = History::new(Arc::clone(directory.disk()), Arc::new(Names::new()), u64::MAX);
        let names = history.names();
        let mut kept = Self {
            events: BTreeMap::new(),
            letters: BTreeMap::new(),
            digest: String::new(),
            segments: verified.segments,
            frames: verified.frames,
        };
        let read = history.frames(|frame| {
            for (_, entry) in frame.entries {
                match entry {
                    Entry::Event(event) => {
                        let key = (names.text(event.source).to_owned(), event.id.to_string());
                        let mut written = Vec::new();
                        native::write(names, &event, &mut written);
                        let written = String::from_utf8(written).expect("native JSON is UTF-8");
                        kept.events.entry(key).or_default().push(written);
                    }
                    Entry::DeadLetter(letter) => {
                        let original = String::from_utf8(letter.original.into()).expect("it was produced so");
                        kept.letters.entry(original).or_default().push(letter.reason.name());
                    }
                    Entry::Control(_) => {}
                }
            }
            Ok::<(), LogError>(())
        });
        read.map_err(|error| error.to_string())?;
        let digest = digest::of_log(&history, AsOf::Last, 2).map_err(|error| error.to_string())?;
        kept.digest = digest.to_string();
        Ok(kept)
    }

    /// Whether every event that was produced is there once and nothing else, and every broken record is a dead letter once.
    ///
    /// # Errors
    /// With what is lost, there twice, or was never produced.
    pub fn check_against(&self, told: &Workload) -> Result<(), String> {
        check("accepted event", &self.events, &told.events)?;
        check("dead letter", &self.letters, &told.refused)
    }

    /// Whether it holds the same as another log.
    ///
    /// # Errors
    /// With the first difference.
    pub fn check_same(&self, other: &Self) -> Result<(), String> {
        let differs = self.events.iter().zip(&other.events).find(|(one, two)| one != two);
        if let Some((one, two)) = differs {
            return Err(format!("{one:?} by way of the broker, {two:?} by way of a file"));
        }
        if self.letters != other.letters {
            return Err("reasons of dead letters differ from those of the same records as a file".into());
        }
        if self.digest != other.digest {
            return Err(format!(
                "digest {} by way of the broker, {} by way of a file",
                self.digest, other.digest
            ));
        }
        Ok(())
    }

    /// One number for everything that is true.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

fn check<K: Ord + std::fmt::Debug, V>(
    what: &str,
    found: &BTreeMap<K, Vec<V>>,
    expected: &BTreeSet<K>,
) -> Result<(), String> {
    let lost: Vec<&K> = expected.iter().filter(|key| !found.contains_key(key)).collect();
    let twice: Vec<&K> = found.iter().filter(|(_, times)| times.len() > 1).map(|(key, _)| key).collect();
    let unknown: Vec<&K> = found.keys().filter(|key| !expected.contains(key)).collect();
    match (lost.first(), twice.first(), unknown.first()) {
        (None, None, None) => Ok(()),
        _ => Err(format!(
            "{what}s: {} of {} lost (first {:?}), {} there twice (first {:?}), {} never produced (first {:?})",
            lost.len(),
            expected.len(),
            lost.first(),
            twice.len(),
            twice.first(),
            unknown.len(),
            unknown.first()
        )),
    }
}
