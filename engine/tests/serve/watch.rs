//! A watch of health that is cut off over and over ends in the state of the server, with no change missed.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidewatch_proto::v1;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use v1::watch_health_response::Message;

use crate::support::{Served, line};

/// Accounts of the story.
const ACCOUNTS: usize = 12;
/// How often the client is cut off.
const CUTS: usize = 1_000;
/// Events come before every so many cuts.
const NEWS_EVERY: usize = 25;

/// What a client keeps: of each account the score to the bit, the band and the status.
type Kept = BTreeMap<String, (Option<u64>, Option<String>, i32)>;

fn kept(listed: v1::ListedHealth) -> (String, (Option<u64>, Option<String>, i32)) {
    let health = listed.health.unwrap();
    (health.account, (health.score.map(f64::to_bits), health.band, health.status))
}

fn take(kept_of: &mut Kept, message: Message) -> Option<String> {
    match message {
        Message::Changed(listed) => {
            let (account, health) = kept(*listed);
            kept_of.insert(account, health);
        }
        Message::Left(account) => drop(kept_of.remove(&account)),
        Message::Heartbeat(heartbeat) => return Some(heartbeat.token),
    }
    None
}

/// What the server lists at a position or later, and where it stands.
async fn listed(served: &Served, min_position: &str) -> (Kept, u64) {
    let request =
        v1::ListHealthRequest { min_position: min_position.into(), page_size: 1_000, ..Default::default() };
    let listed = served.health().list_health(request).await.unwrap().into_inner();
    let at = listed.freshness.unwrap().position.unwrap().sequence;
    (listed.accounts.into_iter().map(kept).collect(), at)
}

/// Use on some days of March, by an account whose number decides how much.
fn news(round: usize) -> Vec<String> {
    let day = 1 + round % 28;
    (0..ACCOUNTS)
        .filter(|account| !(account + round).is_multiple_of(3))
        .map(|account| {
            let at = format!("2024-03-{day:02}T{:02}:00:00Z", account % 24);
            let user =
                format!("\"user\":\"u{}\",\"properties\":{{\"feature\":\"f\"}}", round % (account + 1));
            line(&format!("{round}-{account}"), &format!("a{account}"), "usage", &at, &user)
        })
        .collect()
}

#[tokio::test]
async fn a_watch_that_is_cut_off_a_thousand_times_misses_no_change() {
    let served = Served::new(&news(0)).await;
    let (mut kept_of, mut token, mut round) = (Kept::new(), String::new(), 0);
    let (mut tokens, mut resumed) = (0, 0);
    for cut in 0..CUTS {
        if cut % NEWS_EVERY == 0 {
            round += 1;
            served.import("app", &news(round)).await;
        }
        resumed += usize::from(!token.is_empty());
        let request = v1::WatchHealthRequest { token: token.clone(), ..Default::default() };
        let mut stream = served.health().watch_health(request).await.unwrap().into_inner();
        // Cut within the first messages, which is before, within or after what is sent at first.
        for _ in 0..cut % (ACCOUNTS + 3) {
            let Ok(Some(message)) = timeout(Duration::from_millis(5), stream.next()).await else { break };
            if let Some(reached) = take(&mut kept_of, message.unwrap().message.unwrap()) {
                tokens += usize::from(reached != token);
                token = reached;
                // Nothing comes in between rounds: what a token stands for is all that the server has.
                assert_eq!(kept_of, listed(&served, "").await.0, "after {cut} cuts");
            }
        }
    }
    assert!(tokens > 10 && resumed > CUTS / 2, "{tokens} tokens, of {CUTS} watches {resumed} resumed");
    let last = served.import("app", &news(round + 1)).await;
    let request = v1::WatchHealthRequest { token, ..Default::default() };
    let mut stream = served.health().watch_health(request).await.unwrap().into_inner();
    let (server, at) = listed(&served, &last).await;
    loop {
        let message = stream.next().await.unwrap().unwrap().message.unwrap();
        let reached = match &message {
            Message::Heartbeat(heartbeat) => {
                heartbeat.freshness.as_ref().unwrap().position.as_ref().unwrap().sequence
            }
            _ => 0,
        };
        take(&mut kept_of, message);
        if at <= reached {
            break;
        }
    }
    assert_eq!(server.len(), ACCOUNTS);
    assert_eq!(kept_of, server);
}

#[tokio::test]
async fn who_leaves_the_filter_is_told_and_a_stop_ends_the_watch() {
    let served = Served::new(&[
        line(
            "1",
            "acme",
            "usage",
            "2024-03-01T09:00:00Z",
            "\"user\":\"ann\",\"properties\":{\"feature\":\"f\"}",
        ),
        line(
            "2",
            "globex",
            "usage",
            "2024-03-01T09:00:00Z",
            "\"user\":\"bob\",\"properties\":{\"feature\":\"f\"}",
        ),
    ])
    .await;
    let filter = "state != \"status_excluded\"".to_owned();
    let request = v1::WatchHealthRequest { filter, ..Default::default() };
    let mut stream = served.health().watch_health(request).await.unwrap().into_inner();
    let (mut kept_of, mut beats) = (Kept::new(), 0);
    while beats == 0 {
        let message = stream.next().await.unwrap().unwrap().message.unwrap();
        beats += usize::from(take(&mut kept_of, message).is_some());
    }
    assert_eq!(kept_of.keys().collect::<Vec<_>>(), ["acme", "globex"]);
    let kind =
        line("3", "acme", "account_updated", "2024-03-02T09:00:00Z", "\"properties\":{\"kind\":\"test\"}");
    served.import("app", &[kind]).await;
    while kept_of.contains_key("acme") {
        let message = stream.next().await.unwrap().unwrap().message.unwrap();
        take(&mut kept_of, message);
    }
    served.stop.store(true, Ordering::Relaxed);
    while let Some(message) = timeout(Duration::from_secs(10), stream.next()).await.expect("it ends") {
        take(&mut kept_of, message.unwrap().message.unwrap());
    }
}

#[tokio::test]
async fn a_token_of_another_history_is_refused() {
    let served = Served::new(&news(0)).await;
    let request = v1::WatchHealthRequest { token: "nonsense".to_owned(), ..Default::default() };
    let refused = served.health().watch_health(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
}
