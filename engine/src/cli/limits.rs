//! Reads the limits on one record from `--config`.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use tidewatch_ingest::limits::Limits;

use super::output;
use super::place::Place;
use crate::config;

/// Where limits are read from.
#[derive(Args)]
pub(super) struct LimitsFrom {
    /// A configuration file whose [limits] hold; of its other settings none is used.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl LimitsFrom {
    /// The limits of the file and the environment, where they set any, and else the default ones.
    pub(super) fn read(&self) -> anyhow::Result<Limits> {
        let loaded = config::read(self.config.as_deref())?;
        loaded.unknown_variables.iter().for_each(|unknown| output::note(&unknown.to_string()));
        Ok(loaded.config.limits)
    }

    /// The same for a command that works in a place. A running engine has limits of its own.
    pub(super) fn read_at(&self, place: &Place) -> anyhow::Result<Limits> {
        if let (Some(file), true) = (&self.config, place.is_server()) {
            bail!(
                "--config {} sets no limits of a running engine; set them where it is started, or leave --config out",
                file.display()
            );
        }
        self.read()
    }
}
