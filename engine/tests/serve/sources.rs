//! Sources: listed in pages, reset, retired.

use tidewatch_proto::v1;
use tonic::Code;

use crate::support::{Served, refused, usage};

async fn list(served: &Served, request: v1::ListSourcesRequest) -> v1::ListSourcesResponse {
    served.sources().list_sources(request).await.unwrap().into_inner()
}

fn names(answer: &v1::ListSourcesResponse) -> Vec<&str> {
    answer.sources.iter().map(|source| source.name.as_str()).collect()
}

#[tokio::test]
async fn sources_are_listed_in_pages_of_one_position() {
    let served = Served::new(&[]).await;
    for source in ["crm", "billing"] {
        served.import(source, &[usage("1", source, "2024-02-01T00:00:00Z")]).await;
    }
    let request = v1::ListSourcesRequest { page_size: 2, ..Default::default() };
    let first = list(&served, request.clone()).await;
    assert_eq!((names(&first).as_slice(), first.total), (["app", "billing"].as_slice(), 3));
    let state = first.sources[0].age.as_ref().unwrap().state();
    assert_eq!((first.sources[0].mapping_digest.as_deref(), state), (Some(""), v1::SourceState::Ended));
    served.import("aaa", &[usage("1", "x", "2024-02-01T00:00:00Z")]).await;
    let page_token = first.next_page_token.clone();
    let second = list(&served, v1::ListSourcesRequest { page_token, ..request }).await;
    assert_eq!((names(&second).as_slice(), second.next_page_token.as_str()), (["crm"].as_slice(), ""));
    assert_eq!(second.freshness.unwrap().position, first.freshness.unwrap().position);

    let by = |filter: &str, order_by: &str| v1::ListSourcesRequest {
        filter: filter.into(),
        order_by: order_by.into(),
        ..Default::default()
    };
    let filtered = list(&served, by("streams = false AND name != aaa", "generation desc, name desc")).await;
    assert_eq!(names(&filtered), ["crm", "billing", "app"]);
    refused(served.sources().list_sources(by("age = 1", "")).await, Code::InvalidArgument, "INVALID_FILTER");
    refused(served.sources().list_sources(by("", "age")).await, Code::InvalidArgument, "INVALID_ORDER");
}

#[tokio::test]
async fn a_reset_takes_back_what_a_source_brought() {
    let served = Served::new(&[usage("1", "acme", "2024-02-01T00:00:00Z")]).await;
    served.import("crm", &[usage("1", "acme", "2024-02-02T00:00:00Z")]).await;
    let reset =
        v1::ResetSourceRequest { request_id: "r1".into(), source: "crm".into(), ..Default::default() };
    let answer = served.sources().reset_source(reset.clone()).await.unwrap().into_inner();
    let min_position = answer.position.clone().unwrap().token;
    let account = v1::GetAccountRequest { account: "acme".into(), min_position, ..Default::default() };
    assert_eq!(served.accounts().get_account(account).await.unwrap().into_inner().account.unwrap().events, 1);
    assert_eq!(served.sources().reset_source(reset.clone()).await.unwrap().into_inner(), answer);
    let listed =
        list(&served, v1::ListSourcesRequest { filter: "name = crm".into(), ..Default::default() }).await;
    assert_eq!(listed.sources[0].generation, 1, "carried out once");

    let invalid = Code::InvalidArgument;
    let broken =
        v1::ResetSourceRequest { request_id: "r2".into(), mapping: "version = 9".into(), ..reset.clone() };
    refused(served.sources().reset_source(broken).await, invalid, "INVALID_MAPPING");
    let long = v1::ResetSourceRequest { request_id: "r3".into(), source: "x".repeat(513), ..reset.clone() };
    refused(served.sources().reset_source(long).await, invalid, "TOO_LONG");
    let nameless = v1::ResetSourceRequest { request_id: "r4".into(), source: String::new(), ..reset };
    refused(served.sources().reset_source(nameless).await, invalid, "INVALID_SOURCE");
    let retire = |source: &str, request_id: &str| v1::RetireSourceRequest {
        request_id: request_id.into(),
        source: source.into(),
        ..Default::default()
    };
    refused(served.sources().retire_source(retire("nobody", "r5")).await, Code::NotFound, "SOURCE_UNKNOWN");
    served.sources().retire_source(retire("app", "r6")).await.unwrap();
    refused(
        served.sources().retire_source(retire("crm", "r6")).await,
        Code::AlreadyExists,
        "REQUEST_ID_REUSED",
    );
}
