//! `tidewatch digest`.

use std::io::Write as _;

use clap::Args;
use tidewatch_proto::v1;

use super::client::Opening;
use super::output;
use super::place::Place;
use crate::read::scan::AsOf;
use crate::serve::convert;

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
    let client = arguments.place.client(Opening::Accounts(arguments.workers.count()))?;
    let as_of = Some(convert::as_of(arguments.as_of));
    let request = v1::GetDigestRequest { as_of, ..Default::default() };
    let digest = client.ask(client.server().get_digest(request))?.digest;
    client.close()?;
    writeln!(output::out(), "{digest}")?;
    Ok(())
}
