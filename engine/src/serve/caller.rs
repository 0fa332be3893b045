//! Who calls the services: programs over the network, or a command in the process that answers it.
//!
//! A command has the engine to itself and can ask for more at once. Nothing in a request says who calls: whoever opens the
//! services does.

use std::time::Duration;

use super::paging::PAGE_SIZE_MAX;
use crate::control::request::{ACTOR_ANONYMOUS, ACTOR_COMMAND_LINE};
use crate::read::answer::INSTANTS_MAX;

/// Items of a page at most for a command: each page costs a pass over all there is, and must fit one message.
const COMMAND_PAGE_SIZE_MAX: usize = 10_000;
/// How long an import over the network may send nothing: its client may be reading a large file for its digest.
const SILENCE_MAX: Duration = Duration::from_secs(30 * 60);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caller {
    /// A program that connected; nobody knows whose.
    Network,
    /// A command on a directory that no other process holds.
    CommandLine,
}

impl Caller {
    /// Whom the log names for what is changed.
    pub fn actor(self) -> &'static str {
        match self {
            Self::Network => ACTOR_ANONYMOUS,
            Self::CommandLine => ACTOR_COMMAND_LINE,
        }
    }

    /// Items of a page at most.
    pub fn page_size_max(self) -> usize {
        match self {
            Self::Network => PAGE_SIZE_MAX,
            Self::CommandLine => COMMAND_PAGE_SIZE_MAX,
        }
    }

    /// Instants of one call at most.
    pub fn instants_max(self) -> usize {
        match self {
            Self::Network => INSTANTS_MAX,
            Self::CommandLine => usize::MAX,
        }
    }

    /// How long an import may send nothing; a command may wait for its standard input for ever.
    pub fn silence_max(self) -> Duration {
        match self {
            Self::Network => SILENCE_MAX,
            Self::CommandLine => Duration::MAX,
        }
    }
}
