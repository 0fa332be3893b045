//! Parses where a command works: in a data directory or on a running engine.

use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};

use super::client::{Client, Opening};

/// A data directory, for commands that a running engine cannot do.
#[derive(Args)]
pub(super) struct DataDir {
    /// The data directory.
    #[arg(long, value_name = "DIR", env = "TIDEWATCH_DATA")]
    pub data: PathBuf,
}

/// A data directory or a running engine.
#[derive(Args)]
#[group(required = true, multiple = true)]
pub(super) struct Place {
    /// The data directory, which no engine may be running on.
    #[arg(long, value_name = "DIR", env = "TIDEWATCH_DATA")]
    data: Option<PathBuf>,
    /// A running engine instead, as http://127.0.0.1:7300; it need not be this machine's, but nothing is encrypted.
    #[arg(long, value_name = "ADDR")]
    server: Option<String>,
}

/// A data directory or a running engine, for commands that can do without.
#[derive(Args)]
pub(super) struct OptionalPlace {
    /// The data directory, which no engine may be running on.
    #[arg(long, value_name = "DIR", env = "TIDEWATCH_DATA")]
    data: Option<PathBuf>,
    /// A running engine instead, as http://127.0.0.1:7300; it need not be this machine's, but nothing is encrypted.
    #[arg(long, value_name = "ADDR")]
    server: Option<String>,
}

impl OptionalPlace {
    /// The place, where one is named.
    pub(super) fn place(&self) -> Option<Place> {
        let Self { data, server } = self;
        (data.is_some() || server.is_some()).then(|| Place { data: data.clone(), server: server.clone() })
    }
}

impl Place {
    /// Whether it is a running engine.
    pub(super) fn is_server(&self) -> bool {
        self.server.is_some()
    }

    /// The directory, where no server is named: a server goes before a directory that only the environment names.
    pub(super) fn directory(&self) -> Option<&Path> {
        if self.is_server() { None } else { self.data.as_deref() }
    }

    /// An engine that answers for the place: the running one, or one that opens the directory.
    pub(super) fn client(&self, opening: Opening<'_>) -> anyhow::Result<Client> {
        match (&self.server, self.directory()) {
            (Some(address), _) => {
                let client = Client::connect(address)?;
                if let Opening::Change(Some(tenant), _) = opening {
                    client.check_tenant(tenant)?;
                }
                Ok(client)
            }
            (None, Some(root)) => Client::of_directory(root, opening),
            (None, None) => unreachable!("one of both is required"),
        }
    }
}

/// Whether a command line names both places. A directory of the environment is a default, which `--server` goes before.
pub(super) fn names_both(arguments: &ArgMatches) -> bool {
    if let Some((_, of_task)) = arguments.subcommand() {
        return names_both(of_task);
    }
    let is_given = |id: &str| {
        let is_known = arguments.try_contains_id(id).unwrap_or(false);
        is_known && arguments.value_source(id) == Some(ValueSource::CommandLine)
    };
    is_given("data") && is_given("server")
}
