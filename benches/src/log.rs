//! Logs filled with events, and what they are folded under.

use std::path::Path;
use std::sync::Arc;

use tidewatch_engine::app::{Engine, Ingested, Options, Reading};
use tidewatch_engine::control::state::ControlState;
use tidewatch_engine::fold::worker::FoldContext;
use tidewatch_engine::storage::directory::TENANT_DEFAULT;
use tidewatch_engine::write::sequencer::Receipt;
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::source::Source;
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Names;
use tidewatch_projections::plan::{Bounds, Plan};

/// How a source of native JSON is read.
pub fn reading(
    engine: &Engine,
    source: Box<dyn Source>,
    stop: &Arc<std::sync::atomic::AtomicBool>,
    to_the_end: bool,
) -> Reading {
    let (names, limits) = (Arc::clone(engine.names()), Limits::default());
    let decoder = Decoder::new(names, TENANT_DEFAULT, source.name(), limits, Format::Native);
    Reading {
        source,
        decoder,
        mapping_digest: "".into(),
        stop: Arc::clone(stop),
        until_caught_up: to_the_end,
    }
}

/// Imports a source into a new directory; answers how many events it had.
///
/// # Panics
/// When the engine refuses one.
pub fn fill(root: &Path, source: impl FnOnce(&Arc<Names>) -> Box<dyn Source>) -> u64 {
    let engine = Engine::open(root, Options::new(None), &|_, _| ()).expect("a new directory opens");
    let receipt = import(&engine, source);
    engine.shutdown().expect("the engine ends in order");
    receipt.accepted
}

/// Reads a source to its end into a running engine.
///
/// # Panics
/// When the engine refuses an event.
pub fn import(engine: &Engine, source: impl FnOnce(&Arc<Names>) -> Box<dyn Source>) -> Receipt {
    let reading = reading(engine, source(engine.names()), &Arc::default(), false);
    let Ingested { receipt, stops, .. } = engine.ingest(reading).expect("the source is read");
    assert!(stops.is_empty() && receipt.rejected_count() == 0, "{receipt:?}, {stops:?}");
    receipt
}

/// What events are folded under: the default settings and model.
///
/// # Panics
/// Never: the defaults are valid.
pub fn context(names: &Arc<Names>) -> FoldContext {
    let control_state = ControlState::default();
    let model = Model::parse(control_state.model_text()).expect("the default model is valid");
    let calendar = control_state.calendar().expect("the default zone is known");
    let plan = Plan::compile(model, names, calendar, Bounds::LIVE, &[]).expect("the default model compiles");
    FoldContext {
        names: Arc::clone(names),
        plan: Arc::new(plan),
        watch: None,
        control_state: Arc::new(control_state),
        only: None,
    }
}

/// Bytes of all files below a directory.
///
/// # Panics
/// When it cannot be read.
pub fn bytes_below(root: &Path) -> u64 {
    let entries = std::fs::read_dir(root).expect("a directory");
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let metadata = entry.metadata().expect("a file has metadata");
            if metadata.is_dir() { bytes_below(&entry.path()) } else { metadata.len() }
        })
        .sum()
}
