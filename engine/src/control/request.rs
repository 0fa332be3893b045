//! Who asked for a change, on whose behalf and under which request id; stored in the control entry that carries it out.
//!
//! It lies in the entry itself: for the record, and so that the same request gets the same answer after a restart.

use prost::Message as _;
use tidewatch_projections::event::Micros;
use tidewatch_proto::log::v1 as wire;

use crate::storage::log::ControlRecord;

/// The actor of commands on a directory that nobody serves.
pub const ACTOR_COMMAND_LINE: &str = "command line";
/// The actor of calls, which carry no credentials yet.
pub const ACTOR_ANONYMOUS: &str = "anonymous";

/// A request to change something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    pub actor: Box<str>,
    /// Whom the actor said it acts for; empty for itself.
    pub on_behalf_of: Box<str>,
    /// The id the caller chose.
    pub id: Box<str>,
    /// Digest of the method and the rest of the request: another body under the same id is refused.
    pub body: u64,
    /// When it was asked, by the engine's clock.
    pub at: Micros,
}

/// A request that the log carried out, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CarriedOut {
    pub request: Request,
    /// The sequence of its entry.
    pub seq: u64,
}

impl Request {
    /// The request that a control entry carried out; `None` where the engine decided by itself.
    pub fn of_record(record: &ControlRecord) -> Option<Self> {
        let request = wire::Control::decode(&*record.payload).ok()?.request?;
        Some(Self {
            actor: request.actor.into(),
            on_behalf_of: request.on_behalf_of.into(),
            id: request.id.into(),
            body: request.body,
            at: request.at_us,
        })
    }

    /// Its stored form.
    pub(crate) fn to_wire(&self) -> wire::Request {
        wire::Request {
            actor: self.actor.to_string(),
            on_behalf_of: self.on_behalf_of.to_string(),
            id: self.id.to_string(),
            body: self.body,
            at_us: self.at,
        }
    }
}
