//! `tidewatch check-config`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::output;
use crate::config::{self, SourceConfig};

#[derive(Args)]
pub(super) struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let loaded = config::read(arguments.config.as_deref())?;
    let mut out = output::out();
    for setting in &loaded.effective {
        writeln!(out, "{} = {}  # {}", setting.key, setting.value, setting.origin)?;
    }
    for unknown in &loaded.unknown_variables {
        output::note(&unknown.to_string());
    }
    for source in &loaded.config.sources {
        match source {
            SourceConfig::Kafka(source) => {
                source.check()?;
                writeln!(
                    out,
                    "source {:?}: kafka, {} at {}",
                    source.name,
                    source.topics.join(", "),
                    source.brokers
                )?;
            }
        }
    }
    out.flush()?;
    Ok(())
}
