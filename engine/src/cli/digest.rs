//! `tidewatch digest`.

use std::io::Write as _;
use std::sync::Arc;

use clap::Args;
use tidewatch_projections::names::Names;

use super::output;
use crate::digest;
use crate::directory::Directory;
use crate::history::History;
use crate::scan::AsOf;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: super::place::DataDir,
    /// When the adopted metrics are asked: RFC 3339, a date (its end), or `last`.
    #[arg(long, value_name = "T", default_value = "last", value_parser = super::metrics::as_of)]
    as_of: AsOf,
    #[command(flatten)]
    workers: super::Workers,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let directory = Directory::open(&arguments.place.data)?;
    let history = History::new(Arc::clone(directory.disk()), Arc::new(Names::new()), u64::MAX);
    let digest = digest::of_log(&history, arguments.as_of, arguments.workers.count())?;
    writeln!(output::out(), "{digest}")?;
    Ok(())
}
