//! `tidewatch rules show`.

use std::io::Write as _;

use tidewatch_projections::rules;

use crate::cli::output;

/// The text goes to standard output, so that it can be kept as a file.
pub(super) fn run() -> anyhow::Result<()> {
    let mut out = output::out();
    write!(out, "{}", rules::DEFAULT)?;
    Ok(out.flush()?)
}
