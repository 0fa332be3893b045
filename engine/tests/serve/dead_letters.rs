//! Dead letters: listed, looked at, tried again.

use tidewatch_engine::write::sequencer::Command;
use tidewatch_projections::settings::Settings;
use tidewatch_proto::v1;
use tonic::Code;

use crate::support::{Served, refused, usage};

const FAR_SKEW_US: i64 = 2_000 * 365 * 86_400_000_000;

fn lines() -> Vec<String> {
    vec![
        usage("1", "acme", "2024-02-01T00:00:00Z"),
        usage("2", "acme", "2999-02-01T00:00:00Z"),
        "{".to_owned(),
        usage("3", "acme", "2999-02-02T00:00:00Z"),
    ]
}

async fn list(served: &Served, request: v1::ListDeadLettersRequest) -> v1::ListDeadLettersResponse {
    served.dead_letters().list_dead_letters(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn dead_letters_are_listed_newest_first_with_counts_and_pages() {
    let served = Served::new(&lines()).await;
    let request = v1::ListDeadLettersRequest { page_size: 2, include_original: true, ..Default::default() };
    let first = list(&served, request.clone()).await;
    let reasons: Vec<&str> = first.dead_letters.iter().map(|letter| letter.reason.as_str()).collect();
    assert_eq!(reasons, ["from_the_future", "not_json"]);
    assert_eq!(first.dead_letters[1].original.as_deref(), Some(b"{".as_slice()));
    assert!(first.dead_letters[1].origin.contains("line 3"), "{:?}", first.dead_letters[1]);
    let counts: Vec<(&str, u64)> =
        first.counts.iter().map(|count| (count.reason.as_str(), count.count)).collect();
    assert_eq!(counts, [("from_the_future", 2), ("not_json", 1)]);
    served.import("later", &["[]".to_owned()]).await;
    let second =
        list(&served, v1::ListDeadLettersRequest { page_token: first.next_page_token, ..request }).await;
    assert_eq!((second.dead_letters.len(), second.next_page_token.as_str()), (1, ""));

    let filter = "reason = not_json AND source = app".to_owned();
    let filtered = list(&served, v1::ListDeadLettersRequest { filter, ..Default::default() }).await;
    let [letter] = filtered.dead_letters.as_slice() else { panic!("{filtered:?}") };
    assert_eq!(letter.original, None);
    let request = v1::GetDeadLetterRequest { sequence: letter.sequence, ..Default::default() };
    let one = served.dead_letters().get_dead_letter(request).await.unwrap().into_inner();
    assert_eq!(one.dead_letter.unwrap().original.as_deref(), Some(b"{".as_slice()));
    let request = v1::GetDeadLetterRequest { sequence: letter.sequence + 1_000, ..Default::default() };
    let metadata =
        refused(served.dead_letters().get_dead_letter(request).await, Code::NotFound, "DEAD_LETTER_UNKNOWN");
    assert_eq!(metadata["sequence"], (letter.sequence + 1_000).to_string());
}

#[tokio::test]
async fn a_replay_after_a_fix_is_carried_out_once() {
    let served = Served::new(&lines()).await;
    let settings = Settings { skew_us: FAR_SKEW_US, ..Settings::default() };
    served.submit(Command::Adopt(Box::new(settings.into()))).await;
    let request = v1::ReplayDeadLettersRequest {
        request_id: "r1".into(),
        filter: "reason = from_the_future".into(),
        ..Default::default()
    };
    let mut client = served.dead_letters();
    let answer = client.replay_dead_letters(request.clone()).await.unwrap().into_inner();
    assert_eq!((answer.selected, answer.resolved, answer.refused, answer.accepted), (2, 2, 0, 2));
    let again = client.replay_dead_letters(request).await.unwrap().into_inner();
    assert_eq!(again, answer);

    let min_position = answer.position.unwrap().token;
    let account = v1::GetAccountRequest { account: "acme".into(), min_position, ..Default::default() };
    assert_eq!(served.accounts().get_account(account).await.unwrap().into_inner().account.unwrap().events, 3);
    let filter = "resolved = false".to_owned();
    let left = list(&served, v1::ListDeadLettersRequest { filter, ..Default::default() }).await;
    assert_eq!(left.dead_letters.len(), 1);

    let other = v1::ReplayDeadLettersRequest { request_id: "r1".into(), ..Default::default() };
    refused(client.replay_dead_letters(other).await, Code::AlreadyExists, "REQUEST_ID_REUSED");
    let none = v1::ReplayDeadLettersRequest::default();
    refused(client.replay_dead_letters(none).await, Code::InvalidArgument, "REQUEST_ID_MISSING");
}
