//! `tidewatch check-config`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use tidewatch_ingest::decode::Format;

use super::output;
use super::serve::format_of;
use crate::config::{self, SourceConfig};

#[derive(Args)]
pub(super) struct Arguments {
    /// The configuration file to check.
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
                let format = match format_of(source, arguments.config.as_deref())?.format {
                    Format::Native => "native JSON".to_owned(),
                    Format::Mapped(mapping) => format!("JSON mapped by {} rules", mapping.rules().len()),
                };
                writeln!(
                    out,
                    "source {:?}: kafka, {} at {}, {format}",
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
