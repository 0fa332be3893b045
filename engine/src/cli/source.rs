//! `tidewatch source reset`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::{self, Unit};
use crate::app::{Engine, Options};
use crate::sequencer::Command;

#[derive(Subcommand)]
pub(super) enum Task {
    /// What the source brought so far counts no more; its files can be imported again, and its topics are read again from
    /// `start` on, under another mapping too. What the broker has deleted meanwhile cannot come again.
    Reset(ResetArguments),
}

#[derive(Args)]
pub(super) struct ResetArguments {
    #[command(flatten)]
    place: super::Place,
    /// The source.
    #[arg(value_name = "NAME")]
    source: String,
    /// The mapping it will be read by; native JSON when not given.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
}

pub(super) fn run(task: &Task) -> anyhow::Result<()> {
    let Task::Reset(arguments) = task;
    let mapping_digest = match &arguments.mapping {
        None => "".into(),
        Some(file) => super::import::read_mapping(file)?.digest().into(),
    };
    let bar = output::bar(Unit::Entries, "reading the log");
    let options = Options { is_new_welcome: false, ..Options::new(None) };
    let engine = Engine::open(&arguments.place.data, options, &output::reading(&bar))?;
    bar.finish_and_clear();
    let source = arguments.source.as_str().into();
    let position = engine.submit(Command::ResetSource { source, mapping_digest })?;
    engine.shutdown()?;
    writeln!(output::out(), "source {} starts over from position {position}", arguments.source)?;
    Ok(())
}
