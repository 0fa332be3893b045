//! Accounts: one, several, lists and timelines.

use tidewatch_engine::control::adoption::Adoption;
use tidewatch_engine::write::sequencer::Command;
use tidewatch_proto::v1;
use tonic::Code;
use v1::account_result::Result as Found;

use crate::support::{Served, date, last, line, refused, usage};

fn get(account: &str, as_of: Option<v1::AsOf>) -> v1::GetAccountRequest {
    v1::GetAccountRequest { account: account.into(), as_of, min_position: String::new() }
}

fn fleet() -> Vec<String> {
    vec![
        line(
            "f1",
            "acme",
            "account_updated",
            "2024-01-01T00:00:00Z",
            r#""properties":{"name":"Acme","tier":"A","rank":3,"roles":{"owner":"ann"}}"#,
        ),
        line(
            "s1",
            "acme",
            "subscription_started",
            "2024-01-02T00:00:00Z",
            r#""amount":120000,"currency":"EUR","properties":{"subscription_id":"s","amount_per":"year","term_start":"2024-01-02","term_end":"2025-01-01","seats":25,"plan":"pro"}"#,
        ),
        usage("u1", "acme", "2024-02-01T10:00:00Z"),
        usage("u2", "acme", "2024-02-03T10:00:00Z"),
        line("t1", "acme", "ticket_opened", "2024-02-02T00:00:00Z", r#""properties":{"ticket_id":"t"}"#),
        line(
            "f2",
            "globex",
            "account_updated",
            "2024-01-05T00:00:00Z",
            r#""properties":{"name":"Globex","tier":"B"}"#,
        ),
        usage("u3", "globex", "2024-02-02T10:00:00Z"),
        usage("u4", "initech", "2024-02-02T11:00:00Z"),
    ]
}

#[tokio::test]
async fn an_account_says_what_is_known_of_it_and_how_old_that_is() {
    let served = Served::new(&fleet()).await;
    let answer = served.accounts().get_account(get("acme", last())).await.unwrap().into_inner();
    let account = answer.account.unwrap();
    assert_eq!((account.id.as_str(), account.status()), ("acme", v1::AccountStatus::Paying));
    assert_eq!((account.seats, account.events, account.open_tickets), (Some(25.0), 5, 1));
    assert_eq!(account.first_day.as_deref(), Some("2024-01-02"));
    let facts = account.facts.unwrap();
    assert_eq!(
        (facts.name.as_deref(), facts.tier.as_deref(), facts.segment),
        (Some("Acme"), Some("A"), None)
    );
    let rank = facts.attributes["rank"].kind.clone();
    assert_eq!(rank, Some(v1::value::Kind::Number("3".into())));
    let [subscription] = account.subscriptions.as_slice() else { panic!("one subscription") };
    assert_eq!(subscription.state(), v1::SubscriptionState::Live);
    assert_eq!((subscription.amount_minor, subscription.currency.as_str()), (Some(120_000), "EUR"));
    assert_eq!(subscription.term_end.as_deref(), Some("2025-01-01"));
    let freshness = answer.freshness.unwrap();
    assert_eq!(freshness.newest_event.unwrap().seconds, 1_706_954_400);
    let position = freshness.position.unwrap();
    assert!(position.sequence >= 8 && !position.token.is_empty(), "{position:?}");
    assert_eq!(freshness.sources[0].source, "app");
}

#[tokio::test]
async fn the_past_knows_nothing_of_what_came_later() {
    let served = Served::new(&fleet()).await;
    let answer = served.accounts().get_account(get("acme", date("2024-02-01"))).await.unwrap().into_inner();
    let account = answer.account.unwrap();
    assert_eq!((account.events, account.open_tickets), (3, 0));
    assert_eq!(account.newest_event.unwrap().seconds, 1_706_781_600);
    refused(
        served.accounts().get_account(get("acme", date("2023-12-31"))).await,
        Code::NotFound,
        "ACCOUNT_UNKNOWN",
    );
}

#[tokio::test]
async fn a_merged_account_is_answered_by_its_survivor() {
    let merge = line(
        "m",
        "globex",
        "account_merged",
        "2024-02-04T00:00:00Z",
        r#""properties":{"into_account":"acme"}"#,
    );
    let served = Served::new(&[fleet(), vec![merge]].concat()).await;
    let answer = served.accounts().get_account(get("globex", last())).await.unwrap().into_inner();
    let account = answer.account.unwrap();
    assert_eq!((account.id.as_str(), account.merged.as_slice()), ("acme", ["globex".to_owned()].as_slice()));
    assert_eq!(account.events, 8);
    let before = served.accounts().get_account(get("globex", date("2024-02-03"))).await.unwrap().into_inner();
    assert_eq!(before.account.unwrap().id, "globex");
    let listed = list(&served, v1::ListAccountsRequest::default()).await;
    assert_eq!(ids(&listed), ["acme", "initech"]);
}

#[tokio::test]
async fn a_survivor_without_events_of_its_own_is_listed_once() {
    let merged = |account: &str| {
        let into = r#""properties":{"into_account":"umbrella"}"#;
        line(&format!("m-{account}"), account, "account_merged", "2024-02-04T00:00:00Z", into)
    };
    let served = Served::new(&[fleet(), vec![merged("globex"), merged("initech")]].concat()).await;
    let listed = list(&served, v1::ListAccountsRequest::default()).await;
    assert_eq!(ids(&listed), ["acme", "umbrella"]);
    assert_eq!(listed.accounts[1].account.as_ref().unwrap().merged, ["globex", "initech"]);
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused_with_its_reason() {
    let served = Served::new(&fleet()).await;
    use v1::as_of::Instant::{Date, Last};
    let mut client = served.accounts();
    let metadata = refused(client.get_account(get("nobody", None)).await, Code::NotFound, "ACCOUNT_UNKNOWN");
    assert_eq!(metadata["account"], "nobody");
    for as_of in [None, Some(Date("2024-13-01".into())), Some(Last(false))] {
        let mut client = served.accounts();
        let request = get("acme", Some(v1::AsOf { instant: as_of }));
        refused(client.get_account(request).await, Code::InvalidArgument, "INVALID_AS_OF");
    }
}

#[tokio::test]
async fn a_batch_keeps_its_order_and_says_of_each_what_became_of_it() {
    let served = Served::new(&fleet()).await;
    for as_of in [None, date("2024-02-02")] {
        let accounts = ["globex", "nobody", "acme", "globex"].map(str::to_owned).to_vec();
        let request = v1::BatchGetAccountsRequest { accounts: accounts.clone(), as_of, ..Default::default() };
        let answer = served.accounts().batch_get_accounts(request).await.unwrap().into_inner();
        assert_eq!(answer.results.iter().map(|result| result.account.clone()).collect::<Vec<_>>(), accounts);
        let ids: Vec<String> = answer
            .results
            .into_iter()
            .map(|result| match result.result.unwrap() {
                Found::Found(account) => account.id,
                Found::Error(error) => format!("{} {}", error.code, error.reason),
            })
            .collect();
        assert_eq!(ids, ["globex", "5 ACCOUNT_UNKNOWN", "acme", "globex"]);
    }
    let request = v1::BatchGetAccountsRequest { accounts: vec!["a".into(); 1_001], ..Default::default() };
    let refusal = served.accounts().batch_get_accounts(request).await;
    assert_eq!(refused(refusal, Code::InvalidArgument, "TOO_MANY_ACCOUNTS")["most"], "1000");
}

async fn list(served: &Served, request: v1::ListAccountsRequest) -> v1::ListAccountsResponse {
    served.accounts().list_accounts(request).await.unwrap().into_inner()
}

fn ids(answer: &v1::ListAccountsResponse) -> Vec<&str> {
    answer.accounts.iter().map(|listed| listed.account.as_ref().unwrap().id.as_str()).collect()
}

#[tokio::test]
async fn lists_filter_and_order_by_facts_figures_and_metrics() {
    let served = Served::new(&fleet()).await;
    // Without a window the figure does not depend on the wall clock, which live instants follow here.
    let text = "[metrics]\nuses = { agg = 'count', filter = { family = 'usage' } }";
    served.submit(Command::Adopt(Box::new(Adoption::of_model(text)))).await;
    served.import("later", &[usage("u5", "globex", "2024-02-02T10:00:01Z")]).await;
    for (filter, order_by, expected) in [
        ("", "", ["acme", "globex", "initech"].as_slice()),
        ("", "events desc", &["acme", "globex", "initech"]),
        ("", "name desc", &["globex", "acme", "initech"]),
        ("tier = A OR tier = B", "seats desc, id desc", &["acme", "globex"]),
        ("NOT tier:*", "", &["initech"]),
        ("seats >= 25 AND status = paying", "", &["acme"]),
        ("attributes.rank > 2", "", &["acme"]),
        ("attributes.roles.owner = ann", "", &["acme"]),
        ("open_tickets > 0", "", &["acme"]),
        ("newest_event < 2024-02-02T10:30:00Z", "", &["globex"]),
        ("metrics.uses > 1", "metrics.uses, id desc", &["globex", "acme"]),
    ] {
        let request = v1::ListAccountsRequest {
            filter: filter.into(),
            order_by: order_by.into(),
            ..Default::default()
        };
        let answer = list(&served, request).await;
        assert_eq!(
            (ids(&answer).as_slice(), answer.total as usize),
            (expected, expected.len()),
            "{filter} / {order_by}"
        );
    }
    let request = v1::ListAccountsRequest { metrics: vec!["uses".into()], ..Default::default() };
    let answer = list(&served, request).await;
    let values: Vec<_> =
        answer.accounts.into_iter().map(|mut listed| listed.metrics.remove(0).value).collect();
    use v1::metric::Value::Integer;
    assert_eq!(values, [Some(Integer(2)), Some(Integer(2)), Some(Integer(1))]);
}

#[tokio::test]
async fn pages_stand_still_while_data_changes() {
    let served = Served::new(&fleet()).await;
    let page = |token: &str| v1::ListAccountsRequest {
        page_size: 1,
        page_token: token.into(),
        order_by: "events desc".into(),
        ..Default::default()
    };
    let first = list(&served, page("")).await;
    let position = first.freshness.clone().unwrap().position;
    let many: Vec<String> =
        (0..9).map(|n| usage(&format!("n{n}"), "initech", "2024-02-05T00:00:00Z")).collect();
    served.import("later", &many).await;
    let second = list(&served, page(&first.next_page_token)).await;
    let third = list(&served, page(&second.next_page_token)).await;
    assert_eq!([ids(&first), ids(&second), ids(&third)].concat(), ["acme", "globex", "initech"]);
    assert_eq!(third.accounts[0].account.as_ref().unwrap().events, 1);
    for later in [&second, &third] {
        assert_eq!(later.freshness.as_ref().unwrap().position, position);
    }
    assert_eq!(third.next_page_token, "");
    assert_eq!(ids(&list(&served, page("")).await), ["initech"]);
}

#[tokio::test]
async fn lists_refuse_what_they_do_not_understand() {
    let served = Served::new(&fleet()).await;
    let mut client = served.accounts();
    let invalid = Code::InvalidArgument;
    let request =
        v1::ListAccountsRequest { filter: "tier = A AND colour = red".into(), ..Default::default() };
    assert_eq!(refused(client.list_accounts(request).await, invalid, "INVALID_FILTER")["offset"], "13");
    let request = v1::ListAccountsRequest { order_by: "colour".into(), ..Default::default() };
    refused(client.list_accounts(request).await, invalid, "INVALID_ORDER");
    let request = v1::ListAccountsRequest { page_size: 1_001, ..Default::default() };
    refused(client.list_accounts(request).await, invalid, "INVALID_PAGE_SIZE");
    let request = v1::ListAccountsRequest { metrics: vec!["nope".into()], ..Default::default() };
    refused(client.list_accounts(request).await, invalid, "METRIC_UNKNOWN");
    let request = v1::ListAccountsRequest { page_token: "00".into(), ..Default::default() };
    refused(client.list_accounts(request).await, invalid, "INVALID_PAGE_TOKEN");
    let first = list(&served, v1::ListAccountsRequest { page_size: 1, ..Default::default() }).await;
    let request = v1::ListAccountsRequest {
        page_token: first.next_page_token,
        filter: "tier = A".into(),
        ..Default::default()
    };
    refused(client.list_accounts(request).await, invalid, "INVALID_PAGE_TOKEN");
}

#[tokio::test]
async fn a_read_waits_for_its_position_and_says_when_it_waited_in_vain() {
    let served = Served::new(&fleet()).await;
    let token = served.import("later", &[usage("n", "umbrella", "2024-02-05T00:00:00Z")]).await;
    let mut request = get("umbrella", None);
    request.min_position = token;
    assert_eq!(served.accounts().get_account(request).await.unwrap().into_inner().account.unwrap().events, 1);

    let mut ahead = tonic::Request::new(get("acme", None));
    let beyond = served.engine.position(1_000_000);
    ahead.get_mut().min_position = tidewatch_engine::serve::token::position_token(beyond);
    ahead.set_timeout(std::time::Duration::from_secs(2));
    let metadata =
        refused(served.accounts().get_account(ahead).await, Code::Unavailable, "POSITION_NOT_REACHED");
    assert_eq!(metadata["wanted"], "1000000");

    let mut restored = get("acme", None);
    let other = tidewatch_engine::position::Position { lineage: 7, ..served.engine.position(1) };
    restored.min_position = tidewatch_engine::serve::token::position_token(other);
    refused(served.accounts().get_account(restored).await, Code::InvalidArgument, "INVALID_POSITION");
}

#[tokio::test]
async fn a_timeline_goes_backwards_in_pages() {
    const PAGES: usize = 3;
    let served = Served::new(&fleet()).await;
    let page = |token: &str, filter: &str| v1::GetTimelineRequest {
        account: "acme".into(),
        page_size: 2,
        page_token: token.into(),
        filter: filter.into(),
        ..Default::default()
    };
    let mut seen = Vec::new();
    let mut token = String::new();
    // Each page is followed by a newer event, which must not make the pages endless.
    for pages in 1.. {
        assert!(pages <= PAGES, "there is a page after these: {seen:?}");
        let answer = served.accounts().get_timeline(page(&token, "")).await.unwrap().into_inner();
        seen.extend(answer.entries.into_iter().map(|entry| entry.event.unwrap().id));
        served.import("later", &[usage(&format!("n{}", seen.len()), "acme", "2024-03-05T00:00:00Z")]).await;
        token = answer.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["u2", "t1", "u1", "s1", "f1"]);
    let filter = "family = usage AND properties.feature = search AND occurred_at < 2024-02-02";
    let answer = served.accounts().get_timeline(page("", filter)).await.unwrap().into_inner();
    let [entry] = answer.entries.as_slice() else { panic!("{answer:?}") };
    let event = entry.event.as_ref().unwrap();
    assert_eq!((event.id.as_str(), event.user.as_str(), event.source.as_str()), ("u1", "ann", "app"));
    assert_eq!((event.quantity_micros, event.actor()), (None, v1::Actor::Person));
    assert!(entry.sequence > 0 && entry.recorded_at.is_some());
}
