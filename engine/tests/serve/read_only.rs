//! The same services in the process of a command, on a directory that was opened to be read.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use tidewatch_engine::app::{Engine, Options};
use tidewatch_engine::control::adoption::Adoption;
use tidewatch_engine::read::index::Index;
use tidewatch_engine::serve::formats::Formats;
use tidewatch_engine::serve::listen::{self, Api};
use tidewatch_engine::serve::reader::Reader;
use tidewatch_engine::write::sequencer::Command;
use tidewatch_ingest::limits::Limits;
use tidewatch_proto::prost_types::FieldMask;
use tidewatch_proto::v1;
use tonic::Code;
use tonic::transport::Channel;
use v1::account_service_client::AccountServiceClient;
use v1::server_service_client::ServerServiceClient;
use v1::settings_service_client::SettingsServiceClient;
use v1::source_service_client::SourceServiceClient;

use crate::support::refused;

/// A directory whose zone was adopted once.
fn directory() -> TempDir {
    let root = TempDir::new().unwrap();
    let engine = Engine::open(root.path(), Options::new(None), &|_, _| ()).unwrap();
    let adoption = Adoption { zone: Some("Europe/Berlin".into()), ..Adoption::default() };
    engine.submit(Command::Adopt(Box::new(adoption)), None).unwrap();
    engine.shutdown().unwrap();
    root
}

async fn read(root: &Path, workers: Option<usize>) -> Channel {
    let engine = Arc::new(Engine::open_read_only(root, workers, &|_, _| ()).unwrap());
    let reader = Reader::of_command_line(
        Arc::clone(&engine),
        Arc::new(Index::temporary().unwrap()),
        Arc::default(),
        1,
    );
    let formats = Arc::new(Formats::new(&engine, Limits::default(), HashMap::new()));
    listen::in_process(Api { reader, formats, pins: Arc::default(), stop: Arc::default() }).await.unwrap()
}

fn zone(zone: &str) -> v1::AdoptSettingsRequest {
    v1::AdoptSettingsRequest {
        request_id: "r1".into(),
        settings: Some(v1::Settings { zone: zone.into(), ..Default::default() }),
        update_mask: Some(FieldMask { paths: vec!["zone".into()] }),
        ..Default::default()
    }
}

#[tokio::test]
async fn every_change_is_refused() {
    let root = directory();
    let channel = read(root.path(), Some(2)).await;
    let mut settings = SettingsServiceClient::new(channel.clone());
    refused(settings.adopt_settings(zone("UTC")).await, Code::FailedPrecondition, "READ_ONLY");
    let mut sources = SourceServiceClient::new(channel);
    let retire =
        v1::RetireSourceRequest { request_id: "r2".into(), source: "app".into(), ..Default::default() };
    refused(sources.retire_source(retire).await, Code::FailedPrecondition, "READ_ONLY");
    let adopted = settings.get_settings(v1::GetSettingsRequest::default()).await.unwrap().into_inner();
    assert_eq!(adopted.settings.unwrap().zone, "Europe/Berlin");
}

#[tokio::test]
async fn without_accounts_the_log_is_answered_and_accounts_are_refused() {
    let root = directory();
    let channel = read(root.path(), None).await;
    let mut settings = SettingsServiceClient::new(channel.clone());
    let adopted = settings.get_settings(v1::GetSettingsRequest::default()).await.unwrap().into_inner();
    assert_eq!(adopted.settings.unwrap().zone, "Europe/Berlin");
    let freshness = adopted.freshness.unwrap();
    assert!(freshness.position.unwrap().sequence > 0 && freshness.newest_event.is_none());
    let mut accounts = AccountServiceClient::new(channel.clone());
    let list = v1::ListAccountsRequest::default();
    refused(accounts.list_accounts(list).await, Code::FailedPrecondition, "NOT_FOLDED");
    let mut server = ServerServiceClient::new(channel);
    let digest = server.get_digest(v1::GetDigestRequest::default()).await;
    refused(digest, Code::FailedPrecondition, "NOT_FOLDED");
}

#[tokio::test]
async fn a_call_of_a_command_may_be_larger() {
    let root = directory();
    let channel = read(root.path(), Some(1)).await;
    let mut server = ServerServiceClient::new(channel.clone());
    let limits =
        server.get_server_info(v1::GetServerInfoRequest {}).await.unwrap().into_inner().limits.unwrap();
    let page_size = i32::try_from(limits.page_size_max).unwrap();
    let mut accounts = AccountServiceClient::new(channel);
    let list = |page_size| v1::ListAccountsRequest { page_size, ..Default::default() };
    assert_eq!(accounts.list_accounts(list(page_size)).await.unwrap().into_inner().total, 0);
    let past_it = accounts.list_accounts(list(page_size + 1)).await;
    refused(past_it, Code::InvalidArgument, "INVALID_PAGE_SIZE");
}
