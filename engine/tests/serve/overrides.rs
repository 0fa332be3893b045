//! A band that a person sets: lists go by it, what is computed is shown beside it, and it can be ended.

use tidewatch_proto::v1;
use tokio_stream::StreamExt as _;
use tonic::Code;

use crate::support::{Served, date, line, refused};

/// Use by two companies on some days of March.
fn lines() -> Vec<String> {
    (1..=28)
        .flat_map(|day| ["acme", "globex"].map(|account| (day, account)))
        .map(|(day, account)| {
            let at = format!("2024-03-{day:02}T09:00:00Z");
            line(
                &format!("{account}-{day}"),
                account,
                "usage",
                &at,
                "\"user\":\"ann\",\"properties\":{\"feature\":\"f\"}",
            )
        })
        .collect()
}

fn asked(id: &str, account: &str, band: &str, days: i32) -> v1::SetOverrideRequest {
    v1::SetOverrideRequest {
        request_id: id.to_owned(),
        on_behalf_of: "ann".to_owned(),
        account: account.to_owned(),
        band: band.to_owned(),
        reason: "the sponsor left".to_owned(),
        days,
    }
}

async fn red(served: &Served, position: Option<v1::Position>) -> Vec<(String, Option<String>)> {
    let request = v1::ListHealthRequest {
        filter: "band = \"red\"".to_owned(),
        min_position: position.unwrap().token,
        ..Default::default()
    };
    let listed = served.health().list_health(request).await.unwrap().into_inner().accounts;
    let shown = listed.into_iter().map(|listed| {
        let health = listed.health.unwrap();
        (health.account, health.r#override.map(|set| format!("{} by {}", set.band, set.author)))
    });
    shown.collect()
}

#[tokio::test]
async fn a_band_set_by_hand_holds_in_lists_until_it_is_ended() {
    let served = Served::new(&lines()).await;
    let mut client = served.health();
    let set = client.set_override(asked("r1", "acme", "red", 7)).await.unwrap().into_inner();
    let set_position = set.position.clone();
    assert!(red(&served, set.position).await.contains(&("acme".to_owned(), Some("red by ann".to_owned()))));

    let ask = v1::GetHealthRequest { account: "acme".to_owned(), ..Default::default() };
    let health = client.get_health(ask.clone()).await.unwrap().into_inner().health.unwrap();
    assert_eq!(health.r#override.as_ref().map(|set| set.reason.as_str()), Some("the sponsor left"));
    let past = v1::AsOf { instant: Some(v1::as_of::Instant::Last(true)) };
    let past = v1::GetHealthRequest { as_of: Some(past), ..ask };
    let computed = client.get_health(past).await.unwrap().into_inner().health.unwrap();
    assert_eq!(computed.r#override, None, "only the live instant is overridden");

    let listed = client.list_overrides(v1::ListOverridesRequest::default()).await.unwrap().into_inner();
    let [only] = listed.overrides.as_slice() else { panic!("{listed:?}") };
    let lasts_s = only.expires_at.unwrap().seconds - only.set_at.unwrap().seconds;
    assert_eq!((only.account.as_str(), lasts_s), ("acme", 7 * 86_400));

    let again = client.set_override(asked("r1", "acme", "red", 7)).await.unwrap().into_inner();
    assert_eq!(again.position, set_position, "the same request is carried out once");
    let ended = client.set_override(asked("r2", "acme", "", 0)).await.unwrap().into_inner();
    assert!(!red(&served, ended.position).await.iter().any(|(_, by_hand)| by_hand.is_some()));
}

#[tokio::test]
async fn what_is_computed_stays_beside_a_band_set_by_hand() {
    let served = Served::new(&lines()).await;
    let mut client = served.health();
    let asked_days = v1::GetHealthHistoryRequest {
        accounts: vec!["acme".to_owned()],
        from: "2024-06-01".to_owned(),
        to: "2024-06-28".to_owned(),
        ..Default::default()
    };
    let explained = v1::ExplainHealthRequest {
        account: "acme".to_owned(),
        from: date("2024-06-14"),
        to: date("2024-06-28"),
        ..Default::default()
    };
    let mut told = Vec::new();
    for round in 0..3 {
        // Before any override, beside one, and beside a newer one; silent for years, it is computed as red.
        if round > 0 {
            let band = ["green", "yellow"][round - 1];
            let set = client.set_override(asked(&format!("r{round}"), "acme", band, 7)).await.unwrap();
            let min_position = set.into_inner().position.unwrap().token;
            let ask = v1::GetHealthRequest { account: "acme".to_owned(), min_position, ..Default::default() };
            let health = client.get_health(ask).await.unwrap().into_inner().health.unwrap();
            assert_eq!(
                health.r#override.as_ref().map(|set| set.band.as_str()),
                Some(band),
                "the newest holds"
            );
            assert_ne!(health.band.as_deref(), Some(band), "both are shown");
        }
        let stream = client.get_health_history(asked_days.clone()).await.unwrap().into_inner();
        let days: Vec<_> = stream.map(|answer| answer.unwrap().days).collect().await;
        let changes = client.explain_health(explained.clone()).await.unwrap().into_inner().changes;
        let ask = v1::GetHealthRequest { account: "acme".to_owned(), ..Default::default() };
        let health = client.get_health(ask).await.unwrap().into_inner().health.unwrap();
        told.push((days, changes, health.score, health.band, health.state));
    }
    assert!(told[0].0[0].len() == 28 && !told[0].1.is_empty(), "{:?}", told[0]);
    assert_eq!((&told[0], &told[0]), (&told[1], &told[2]));
    let listed = client.list_overrides(v1::ListOverridesRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.overrides.iter().map(|set| set.band.as_str()).collect::<Vec<_>>(), ["yellow"]);
}

#[tokio::test]
async fn an_override_that_means_nothing_is_refused() {
    let served = Served::new(&lines()).await;
    let mut client = served.health();
    let invalid = Code::InvalidArgument;
    refused(client.set_override(asked("1", "acme", "purple", 7)).await, invalid, "INVALID_OVERRIDE");
    refused(client.set_override(asked("2", "acme", "red", 91)).await, invalid, "INVALID_OVERRIDE");
    refused(client.set_override(asked("3", "acme", "red", -1)).await, invalid, "INVALID_OVERRIDE");
    refused(client.set_override(asked("4", "ghost", "red", 7)).await, Code::NotFound, "ACCOUNT_UNKNOWN");
    refused(client.set_override(asked("", "acme", "red", 7)).await, invalid, "REQUEST_ID_MISSING");
    let silent = v1::SetOverrideRequest { reason: " ".to_owned(), ..asked("5", "acme", "red", 7) };
    refused(client.set_override(silent).await, invalid, "INVALID_OVERRIDE");
    let long = v1::SetOverrideRequest { reason: "x".repeat(2_001), ..asked("6", "acme", "red", 7) };
    refused(client.set_override(long).await, invalid, "TOO_LONG");
}
