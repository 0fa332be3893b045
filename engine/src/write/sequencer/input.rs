//! The inputs of the sequencer and the errors it answers them with.

use tidewatch_ingest::batch::Batch;
use tidewatch_projections::alert::fleet::FleetFactors;
use tidewatch_projections::event::Micros;
use tidewatch_projections::names::Symbol;

use crate::control::adoption::Adoption;
use crate::control::band_override::BandOverride;
use crate::control::entry::{CaseChange, DayDecided, Settled};
use crate::control::request::Request;

/// Ties an answer to its question; chosen by who asks.
pub type ReplyId = u64;

#[derive(Debug)]
pub enum Input {
    Batch {
        reply_id: ReplyId,
        /// The generation the source was opened in: records read before a reset are not taken after it.
        generation: u32,
        batch: Batch,
    },
    /// A source is about to be read.
    OpenSource {
        reply_id: ReplyId,
        open: OpenSource,
        /// Who asked for it, which is logged with it; `None` for the engine itself.
        request: Option<Box<Request>>,
    },
    /// Something a person or the engine itself wants logged.
    Command {
        reply_id: ReplyId,
        command: Command,
        /// Who asked for it, which is logged with it; `None` for the engine itself.
        request: Option<Box<Request>>,
    },
    /// Every record of a streaming source before `at` was given in earlier inputs.
    CompleteThrough {
        source: Symbol,
        /// The generation the source was opened in: what was read before a reset and refused after it proves nothing.
        generation: u32,
        at: Micros,
    },
    Tick,
    /// How far the wall clock has come is logged now, however little that is: somebody waits for a frame.
    AdvanceWall,
    /// The writer waits for work: what there is goes into a frame.
    WriterFree,
}

/// A source that is about to be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenSource {
    pub source: Box<str>,
    /// Digest of its mapping, empty for native JSON.
    pub mapping_digest: Box<str>,
    /// Go on under this mapping even if the source was read by another one so far: somebody says that the records
    /// accepted before mean the same under both.
    pub accept_new_mapping: bool,
    /// It streams: the clock waits for it from here on, until it is retired.
    pub streams: bool,
}

/// What can be asked for.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// A source that streamed is read no more: the clock goes on without it.
    RetireSource { source: Box<str> },
    /// A source starts over: what it brought so far counts no more.
    ResetSource {
        source: Box<str>,
        /// Digest of the mapping it will be read by, empty for native JSON.
        mapping_digest: Box<str>,
    },
    /// Settings or a model that were checked ([`Adoption::check`]).
    Adopt(Box<Adoption>),
    /// The band of an account is set by hand; what was checked is that the account is known and the model has the band.
    SetOverride { account: Box<str>, band_override: BandOverride },
    /// What the close of a day decided, or a part of it, with the factors that it was decided by.
    Decide { factors: Vec<FleetFactors>, part: Box<DayDecided> },
    /// Something is done with the case of an account.
    ChangeCase(CaseChange),
    /// Notices reached their receiver, or were given up.
    SettleNotices { settled: Vec<Settled> },
    /// Dead letters were replayed and are settled.
    ResolveDeadLetters { seqs: Vec<u64> },
}

/// Why something was not done. Nothing was logged.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommandError {
    /// The mapping of a source is not the one it was read by so far.
    #[error(
        "source {name:?} was read so far by {}, and is now given {}: mixing both would count things twice; \
         go on with the old mapping, or run `tidewatch source reset {name}` to take back what it brought and read it again",
        mapping_name(known),
        mapping_name(given)
    )]
    MappingChanged {
        name: Box<str>,
        /// The digest in the log.
        known: Box<str>,
        /// The digest that was given.
        given: Box<str>,
    },
    /// The source was reset while it was being read.
    #[error(
        "source {name:?} was reset while it was read (generation {opened}, now {current}); start it again to read it anew"
    )]
    SourceWasReset {
        name: Box<str>,
        /// The generation it was opened in.
        opened: u32,
        current: u32,
    },
    /// A source that the log does not know.
    #[error("no source {name:?} was ever opened here{}", known_names(known))]
    UnknownSource {
        /// The name that was given.
        name: Box<str>,
        /// The names there are.
        known: Vec<Box<str>>,
    },
    /// An account without a case.
    #[error("the account {account:?} has no case")]
    NoCase { account: Box<str> },
    /// A zone that the bundled rules do not have.
    #[error("{0}")]
    UnknownZone(String),
    /// Something else was adopted since the caller looked.
    #[error(
        "settings were adopted meanwhile: the etag {asked:?} is no longer in force, {current:?} is; read them again"
    )]
    SettingsChanged {
        /// The etag that was given.
        asked: Box<str>,
        /// The one in force.
        current: Box<str>,
    },
}

fn known_names(known: &[Box<str>]) -> String {
    match known {
        [] => ": the log has no sources yet".into(),
        known => format!("; the log knows {}", known.join(", ")),
    }
}

fn mapping_name(digest: &str) -> String {
    match digest {
        "" => "native JSON".into(),
        digest => format!("mapping {}", &digest[..digest.floor_char_boundary(12)]),
    }
}
