//! `tidewatch digest`.

use std::io::Write as _;
use std::sync::Arc;

use clap::Args;
use tidewatch_projections::names::Names;
use tidewatch_proto::v1;

use super::output;
use super::place::{Access, Place};
use crate::fold::history::History;
use crate::read::digest;
use crate::read::scan::AsOf;
use crate::serve::convert;
use crate::storage::directory::Directory;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// When the adopted metrics are asked: RFC 3339, a date (its end), or `last`.
    #[arg(long, value_name = "T", default_value = "last", value_parser = super::metrics::as_of)]
    as_of: AsOf,
    #[command(flatten)]
    workers: super::Workers,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let digest = match arguments.place.access()? {
        Access::Data(root) => {
            let directory = Directory::open(root)?;
            let history = History::new(Arc::clone(directory.disk()), Arc::new(Names::new()), u64::MAX);
            digest::of_log(&history, arguments.as_of, arguments.workers.count())?.to_string()
        }
        Access::Server(remote) => {
            let as_of = Some(convert::as_of(arguments.as_of));
            let request = v1::GetDigestRequest { as_of, ..Default::default() };
            remote.ask(remote.server().get_digest(request))?.digest
        }
    };
    writeln!(output::out(), "{digest}")?;
    Ok(())
}
