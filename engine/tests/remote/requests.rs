//! Requests that come twice, with a restart between them.

use tidewatch_proto::prost_types::FieldMask;
use tidewatch_proto::v1;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;
use v1::settings_service_client::SettingsServiceClient;
use v1::source_service_client::SourceServiceClient;

use crate::places::{Files, Place as _, Server, fleet};

async fn channel(server: &Server) -> Channel {
    Channel::from_shared(format!("http://{}", server.address())).unwrap().connect().await.unwrap()
}

fn zone(request_id: &str, zone: &str) -> v1::AdoptSettingsRequest {
    v1::AdoptSettingsRequest {
        request_id: request_id.into(),
        on_behalf_of: "ann".into(),
        settings: Some(v1::Settings { zone: zone.into(), ..Default::default() }),
        update_mask: Some(FieldMask { paths: vec!["zone".into()] }),
    }
}

fn reset(request_id: &str, source: &str) -> v1::ResetSourceRequest {
    v1::ResetSourceRequest { request_id: request_id.into(), source: source.into(), ..Default::default() }
}

#[tokio::test]
async fn a_request_carried_out_before_a_restart_is_answered_as_then() {
    let files = Files::new();
    let mut server = Server::start(files.path("run"));
    let events = files.write("events.ndjson", fleet(3, 5).join("\n"));
    server.says(&["import", "--source", "app", &events]);
    let to = channel(&server).await;
    let (mut settings, mut sources) = (SettingsServiceClient::new(to.clone()), SourceServiceClient::new(to));
    let adopted = settings.adopt_settings(zone("r1", "Europe/Berlin")).await.unwrap().into_inner();
    let began = sources.reset_source(reset("r2", "app")).await.unwrap().into_inner();

    for restart in [Server::stop, Server::kill] {
        restart(&mut server);
        server.start_again();
        let to = channel(&server).await;
        let (mut settings, mut sources) =
            (SettingsServiceClient::new(to.clone()), SourceServiceClient::new(to));
        assert_eq!(settings.adopt_settings(zone("r1", "Europe/Berlin")).await.unwrap().into_inner(), adopted);
        assert_eq!(sources.reset_source(reset("r2", "app")).await.unwrap().into_inner(), began);
        let generation = sources.list_sources(v1::ListSourcesRequest::default()).await.unwrap().into_inner();
        assert_eq!(generation.sources[0].generation, 1, "it was reset once");
        let reused = settings.adopt_settings(zone("r1", "UTC")).await.unwrap_err();
        assert_eq!(reused.get_details_error_info().unwrap().reason, "REQUEST_ID_REUSED");
        let reused = sources.reset_source(reset("r1", "app")).await.unwrap_err();
        assert_eq!(reused.get_details_error_info().unwrap().reason, "REQUEST_ID_REUSED");
    }
}
