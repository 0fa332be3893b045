//! What commands change, in the types of the API: in a directory at rest or on a running engine.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use clap::Args;
use tidewatch_ingest::files::progress::Progress;
use tidewatch_ingest::limits::Limits;
use tidewatch_proto::v1;

use super::output::{self, Unit};
use super::place::{Access, Place};
use super::push::{self, Import};
use super::remote::Remote;
use crate::app::{Engine, Ingested, Options};
use crate::control::request::Request;
use crate::read::index::Index;
use crate::serve::convert;
use crate::serve::formats::{self, Formats};
use crate::serve::services::dead_letters::{self, DeadLetterIndex};
use crate::serve::services::settings;
use crate::write::sequencer::Command;

/// Who asks for a change.
#[derive(Args)]
pub(super) struct Author {
    /// For whom this is done; logged with it.
    #[arg(long, value_name = "WHO", default_value = "", hide_default_value = true)]
    on_behalf_of: String,
}

/// Where something is changed, and for whom.
pub(super) struct Writes<'a> {
    place: Open,
    author: &'a Author,
}

enum Open {
    /// A directory at rest, opened without a fold.
    Resting(Box<Engine>),
    /// A running engine.
    Remote(Remote),
}

impl<'a> Writes<'a> {
    /// Opens the place that a command was given. With a tenant, a directory that is not there is made, and one of another
    /// tenant is refused.
    pub(super) fn open(place: &Place, author: &'a Author, tenant: Option<&str>) -> anyhow::Result<Self> {
        let place = match place.access()? {
            Access::Data(root) => Open::Resting(Box::new(open(root, tenant)?)),
            Access::Server(remote) => {
                if let Some(tenant) = tenant {
                    remote.check_tenant(tenant)?;
                }
                Open::Remote(remote)
            }
        };
        Ok(Self { place, author })
    }

    fn request(&self, engine: &Engine) -> Request {
        Request::of_command_line(&self.author.on_behalf_of, engine.now())
    }

    /// Adopts what a request names; answers where.
    pub(super) fn adopt(&self, asked: v1::AdoptSettingsRequest) -> anyhow::Result<v1::Position> {
        let position = match &self.place {
            Open::Resting(engine) => {
                self.submit(engine, Command::Adopt(Box::new(settings::adoption(&asked)?)))?
            }
            Open::Remote(remote) => {
                let (request_id, on_behalf_of) = self.id()?;
                let asked = v1::AdoptSettingsRequest { request_id, on_behalf_of, ..asked };
                remote.settled(remote.ask(remote.settings().adopt_settings(asked))?.position)?
            }
        };
        Ok(position)
    }

    /// Takes back what a source brought; answers where it starts over.
    pub(super) fn reset(&self, source: &str, mapping: String) -> anyhow::Result<v1::Position> {
        match &self.place {
            Open::Resting(engine) => {
                formats::check_source(source)?;
                let mapping_digest = formats::asked(&mapping)?.mapping_digest;
                self.submit(engine, Command::ResetSource { source: source.into(), mapping_digest })
            }
            Open::Remote(remote) => {
                let (request_id, on_behalf_of) = self.id()?;
                let source = source.to_owned();
                let asked = v1::ResetSourceRequest { request_id, on_behalf_of, source, mapping };
                remote.settled(remote.ask(remote.sources().reset_source(asked))?.position)
            }
        }
    }

    /// Lets the clock go on without a source; answers where.
    pub(super) fn retire(&self, source: &str) -> anyhow::Result<v1::Position> {
        match &self.place {
            Open::Resting(engine) => self.submit(engine, Command::RetireSource { source: source.into() }),
            Open::Remote(remote) => {
                let (request_id, on_behalf_of) = self.id()?;
                let asked = v1::RetireSourceRequest { request_id, on_behalf_of, source: source.to_owned() };
                remote.settled(remote.ask(remote.sources().retire_source(asked))?.position)
            }
        }
    }

    /// Decodes dead letters again; a running engine does so under limits of its own.
    pub(super) fn replay(
        &self,
        asked: v1::ReplayDeadLettersRequest,
        limits: Limits,
    ) -> anyhow::Result<v1::ReplayDeadLettersResponse> {
        match &self.place {
            Open::Resting(engine) => {
                let (history, index) = (engine.history(), Index::open(engine.directory().root())?);
                let at = engine.position(*engine.durable().borrow());
                index.catch_up(&history, at.lineage, at.seq)?;
                let dead_letters = DeadLetterIndex { index: &index, history: &history, at };
                let formats = Formats::new(engine, limits, Default::default());
                Ok(dead_letters::replay(engine, &dead_letters, &formats, &asked, &self.request(engine))?)
            }
            Open::Remote(remote) => {
                let (request_id, on_behalf_of) = self.id()?;
                let asked = v1::ReplayDeadLettersRequest { request_id, on_behalf_of, ..asked };
                let answer = remote.ask(remote.dead_letters().replay_dead_letters(asked))?;
                remote.settled(answer.position.clone())?;
                Ok(answer)
            }
        }
    }

    /// Reads files; a running engine takes them under limits of its own. `progress` is set once they are being read.
    pub(super) fn import(
        &self,
        import: &Import,
        limits: Limits,
        progress: &OnceLock<Arc<Progress>>,
    ) -> anyhow::Result<Ingested> {
        match &self.place {
            Open::Resting(engine) => {
                let formats = Formats::new(engine, limits, Default::default());
                let reading = import.reading(engine, &formats, progress)?;
                Ok(engine.ingest_for(&self.request(engine), reading)?)
            }
            Open::Remote(remote) => {
                let (request_id, on_behalf_of) = self.id()?;
                let (source, mapping) = (import.source.clone(), import.mapping.clone());
                let opening = v1::ImportOpening { request_id, on_behalf_of, source, mapping };
                push::push(remote, opening, import, progress)
            }
        }
    }

    /// Ends in order.
    pub(super) fn close(self) -> anyhow::Result<()> {
        match self.place {
            Open::Resting(engine) => Ok(engine.shutdown()?),
            Open::Remote(_) => Ok(()),
        }
    }

    fn submit(&self, engine: &Engine, command: Command) -> anyhow::Result<v1::Position> {
        let position = engine.submit(command, Some(&self.request(engine)))?;
        Ok(convert::position(position))
    }

    /// An id that no other request has, and for whom it is.
    fn id(&self) -> anyhow::Result<(String, String)> {
        let random = crate::storage::directory::random().context("the system gives no random bytes")?;
        let id = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((id, self.author.on_behalf_of.clone()))
    }
}

fn open(root: &Path, tenant: Option<&str>) -> anyhow::Result<Engine> {
    let bar = output::bar(Unit::Entries, "reading the log");
    let mut options = Options { create_if_missing: tenant.is_some(), ..Options::new(None) };
    if let Some(tenant) = tenant {
        options.tenant = tenant.to_owned();
    }
    let engine = Engine::open(root, options, &output::reading(&bar))?;
    bar.finish_and_clear();
    Ok(engine)
}
