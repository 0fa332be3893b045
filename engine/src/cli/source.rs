//! `tidewatch source reset | retire`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::{self, Unit};
use crate::app::{Engine, Options};
use crate::position::Position;
use crate::sequencer::Command;

#[derive(Subcommand)]
pub(super) enum Task {
    /// What the source brought so far counts no more; its files can be imported again, and its topics are read again from
    /// `start` on, under another mapping too. What the broker has deleted meanwhile cannot come again.
    Reset(ResetArguments),
    /// The source streamed and has ended for good: the clock waits no more for it. What it brought stays.
    Retire(RetireArguments),
}

#[derive(Args)]
pub(super) struct RetireArguments {
    #[command(flatten)]
    place: super::place::DataDir,
    /// The source.
    #[arg(value_name = "NAME")]
    source: String,
}

#[derive(Args)]
pub(super) struct ResetArguments {
    #[command(flatten)]
    place: super::place::DataDir,
    /// The source.
    #[arg(value_name = "NAME")]
    source: String,
    /// The mapping it will be read by; native JSON when not given.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
}

pub(super) fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Reset(arguments) => reset(arguments),
        Task::Retire(arguments) => retire(arguments),
    }
}

fn retire(arguments: &RetireArguments) -> anyhow::Result<()> {
    let source = arguments.source.as_str().into();
    let position = submit(&arguments.place, Command::RetireSource { source })?;
    writeln!(output::out(), "the clock waits no more for source {} (position {position})", arguments.source)?;
    Ok(())
}

fn reset(arguments: &ResetArguments) -> anyhow::Result<()> {
    let mapping_digest = match &arguments.mapping {
        None => "".into(),
        Some(file) => super::import::read_mapping(file)?.digest().into(),
    };
    let source = arguments.source.as_str().into();
    let position = submit(&arguments.place, Command::ResetSource { source, mapping_digest })?;
    writeln!(output::out(), "source {} starts over from position {position}", arguments.source)?;
    Ok(())
}

fn submit(place: &super::place::DataDir, command: Command) -> anyhow::Result<Position> {
    let bar = output::bar(Unit::Entries, "reading the log");
    let options = Options { is_new_welcome: false, ..Options::new(None) };
    let engine = Engine::open(&place.data, options, &output::reading(&bar))?;
    bar.finish_and_clear();
    let position = engine.submit(command)?;
    engine.shutdown()?;
    Ok(position)
}
