//! What commands change, in the types of the API.

use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use clap::Args;
use tidewatch_ingest::files::progress::Progress;
use tidewatch_ingest::limits::Limits;
use tidewatch_proto::v1;

use super::client::{Client, Opening};
use super::place::Place;
use super::push::{self, Import};
use crate::app::Ingested;

/// Who asks for a change.
#[derive(Args)]
pub(super) struct Author {
    /// For whom this is done; logged with it.
    #[arg(long, value_name = "WHO", default_value = "", hide_default_value = true)]
    on_behalf_of: String,
}

/// Where something is changed, and for whom.
pub(super) struct Writes<'a> {
    client: Client,
    author: &'a Author,
}

impl<'a> Writes<'a> {
    /// Opens the place that a command was given, for one that reads no records.
    pub(super) fn open(place: &Place, author: &'a Author, tenant: Option<&str>) -> anyhow::Result<Self> {
        Self::open_under(place, author, tenant, Limits::default())
    }

    /// Opens the place that a command was given. With a tenant, a directory that is not there is made, and one of another
    /// tenant is refused. Records are read under `limits`; a running engine has limits of its own.
    pub(super) fn open_under(
        place: &Place,
        author: &'a Author,
        tenant: Option<&str>,
        limits: Limits,
    ) -> anyhow::Result<Self> {
        Ok(Self { client: place.client(Opening::Change(tenant, limits))?, author })
    }

    /// Adopts what a request names; answers where.
    pub(super) fn adopt(&self, asked: v1::AdoptSettingsRequest) -> anyhow::Result<v1::Position> {
        let (request_id, on_behalf_of) = self.id()?;
        let asked = v1::AdoptSettingsRequest { request_id, on_behalf_of, ..asked };
        self.client.settled(self.client.ask(self.client.settings().adopt_settings(asked))?.position)
    }

    /// Takes back what a source brought; answers where it starts over.
    pub(super) fn reset(&self, source: &str, mapping: String) -> anyhow::Result<v1::Position> {
        let (request_id, on_behalf_of) = self.id()?;
        let asked = v1::ResetSourceRequest { request_id, on_behalf_of, source: source.to_owned(), mapping };
        self.client.settled(self.client.ask(self.client.sources().reset_source(asked))?.position)
    }

    /// Lets the clock go on without a source; answers where.
    pub(super) fn retire(&self, source: &str) -> anyhow::Result<v1::Position> {
        let (request_id, on_behalf_of) = self.id()?;
        let asked = v1::RetireSourceRequest { request_id, on_behalf_of, source: source.to_owned() };
        self.client.settled(self.client.ask(self.client.sources().retire_source(asked))?.position)
    }

    /// Sets the band of an account by hand; answers where.
    pub(super) fn set_override(&self, asked: v1::SetOverrideRequest) -> anyhow::Result<v1::Position> {
        let (request_id, on_behalf_of) = self.id()?;
        let asked = v1::SetOverrideRequest { request_id, on_behalf_of, ..asked };
        self.client.settled(self.client.ask(self.client.health().set_override(asked))?.position)
    }

    /// Does something with the case of an account; answers where.
    pub(super) fn change_case(&self, asked: v1::ChangeCaseRequest) -> anyhow::Result<v1::Position> {
        let (request_id, on_behalf_of) = self.id()?;
        let asked = v1::ChangeCaseRequest { request_id, on_behalf_of, ..asked };
        self.client.settled(self.client.ask(self.client.alerts().change_case(asked))?.position)
    }

    /// Decodes dead letters again.
    pub(super) fn replay(
        &self,
        asked: v1::ReplayDeadLettersRequest,
    ) -> anyhow::Result<v1::ReplayDeadLettersResponse> {
        let (request_id, on_behalf_of) = self.id()?;
        let asked = v1::ReplayDeadLettersRequest { request_id, on_behalf_of, ..asked };
        let answer = self.client.ask(self.client.dead_letters().replay_dead_letters(asked))?;
        self.client.settled(answer.position.clone())?;
        Ok(answer)
    }

    /// Reads files. `progress` is set once they are being read.
    pub(super) fn import(
        &self,
        import: &Import,
        progress: &OnceLock<Arc<Progress>>,
    ) -> anyhow::Result<Ingested> {
        let (request_id, on_behalf_of) = self.id()?;
        let (source, mapping) = (import.source.clone(), import.mapping.clone());
        let opening = v1::ImportOpening { request_id, on_behalf_of, source, mapping };
        push::push(&self.client, opening, import, progress)
    }

    /// Ends in order.
    pub(super) fn close(self) -> anyhow::Result<()> {
        self.client.close()
    }

    /// An id that no other request has, and for whom it is.
    fn id(&self) -> anyhow::Result<(String, String)> {
        let random = crate::storage::directory::random().context("the system gives no random bytes")?;
        let id = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((id, self.author.on_behalf_of.clone()))
    }
}
