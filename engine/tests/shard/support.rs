//! A shard in a temporary directory, used as a person would: files in, metrics and digests out.
#![expect(clippy::disallowed_methods, reason = "tests write their own input files")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;
use tidewatch_engine::app::{Engine, EngineError, Ingested, Options, Reading};
use tidewatch_engine::fold::history::History;
use tidewatch_engine::fold::view::View;
use tidewatch_engine::read::digest;
use tidewatch_engine::read::scan::{AsOf, Columns, Figures as _, Question, scan};
use tidewatch_engine::storage::directory::Directory;
use tidewatch_engine::write::sequencer::Command;
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::files::{FileSource, Input};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::mapping::Mapping;
use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::event::Micros;
use tidewatch_projections::model::Model;
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::scalar::Scalar;

/// A data directory that goes away with the test.
pub struct Shard {
    root: TempDir,
}

/// One line of an answer: account, instant, values in the model's order.
pub type Answer = (String, i64, Vec<Option<Scalar>>);

impl Shard {
    pub fn new() -> Self {
        Self { root: TempDir::new().unwrap() }
    }

    pub fn path(&self) -> PathBuf {
        self.root.path().join("data")
    }

    pub fn open(&self, workers: usize) -> Engine {
        Engine::open(&self.path(), Options::new(Some(workers)), &|_, _| ()).unwrap()
    }

    /// Imports files and closes the directory again.
    pub fn import(&self, source: &str, mapping: Option<&str>, files: &[PathBuf]) -> Ingested {
        let engine = Engine::open(&self.path(), Options::new(None), &|_, _| ()).unwrap();
        let ingested = import(&engine, source, mapping, files).unwrap();
        engine.shutdown().unwrap();
        assert!(ingested.stops.is_empty(), "{:?}", ingested.stops);
        ingested
    }

    /// Imports lines of native JSON.
    pub fn import_lines(&self, source: &str, lines: &[String]) -> Ingested {
        let file = self.file(lines);
        self.import(source, None, &[file])
    }

    /// A file of lines, its name free.
    pub fn file(&self, lines: &[String]) -> PathBuf {
        let count = std::fs::read_dir(self.root.path()).unwrap().count();
        let path = self.root.path().join(format!("{count}.ndjson"));
        std::fs::write(&path, lines.join("\n")).unwrap();
        path
    }

    pub fn submit(&self, command: Command) {
        let engine = Engine::open(&self.path(), Options::new(None), &|_, _| ()).unwrap();
        engine.submit(command, None).unwrap();
        engine.shutdown().unwrap();
    }

    pub fn digest(&self, workers: usize) -> String {
        let directory = Directory::open(&self.path()).unwrap();
        digest::of_log(&history(&directory), AsOf::Last, workers).unwrap().to_string()
    }

    pub fn metrics(&self, model: &str, as_of: &[&str], accounts: Option<&[&str]>) -> Vec<Answer> {
        let directory = Directory::open(&self.path()).unwrap();
        let history = history(&directory);
        let question = Question {
            model: Model::parse(model).unwrap(),
            as_of: as_of.iter().map(|text| AsOf::parse(text).unwrap()).collect(),
            accounts: accounts.map(|accounts| accounts.iter().map(|id| (*id).to_owned()).collect()),
        };
        let rows = scan(&history, &question, &Columns::all(&question.model), 2).unwrap();
        let name = |account| history.names().text(account).to_owned();
        rows.into_iter().map(|row| (name(row.account), row.as_of, row.value)).collect()
    }
}

pub fn history(directory: &Directory) -> History {
    History::new(Arc::clone(directory.disk()), Arc::new(Names::new()), u64::MAX)
}

/// Imports files into a running engine.
pub fn import(
    engine: &Engine,
    source: &str,
    mapping: Option<&str>,
    files: &[PathBuf],
) -> Result<Ingested, EngineError> {
    let (format, mapping_digest) = match mapping.map(|text| Mapping::parse(text).unwrap()) {
        None => (Format::Native, "".into()),
        Some(mapping) => {
            let digest = mapping.digest().into();
            (Format::Mapped(Arc::new(mapping)), digest)
        }
    };
    let names = Arc::clone(engine.names());
    let inputs = files.iter().cloned().map(Input::Path).collect();
    let limits = Limits::default();
    let files = FileSource::new(source, Arc::clone(&names), inputs, limits.record_bytes_max);
    let decoder = Decoder::new(names, "main", source, limits, format);
    let stop = Arc::new(AtomicBool::new(false));
    let source = Box::new(files);
    engine.ingest(Reading { source, decoder, mapping_digest, stop, until_caught_up: false })
}

/// Some adopted metrics of an account at an instant, by their places in the model, if memory has all of them exactly.
pub fn in_memory(
    view: &View,
    account: Symbol,
    as_of: Micros,
    metrics: &[usize],
) -> Option<Vec<Option<Scalar>>> {
    let account_at = AccountAt::new(view.context(), account, as_of);
    Columns::new(&view.plan.model, metrics.to_vec()).of(&account_at).ok()
}
