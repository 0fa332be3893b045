//! Health: one account, several, lists, days and what moved a score.

use tidewatch_projections::calendar::Day;
use tidewatch_projections::settings::{ClosedDays, Scope, Settings};
use tidewatch_proto::v1;
use tokio_stream::StreamExt as _;
use tonic::Code;
use v1::health_result::Result as Found;

use crate::support::{Served, date, last, line, refused};

/// A model in which the score is the points of the newest judgement of the owner, and half of the weight is nps.
const MODEL: &str = "
name = 'judged'
version = 3
[metrics]
pulse = { agg = 'last', field = 'properties.points', filter = { type = 'pulse_recorded' } }
nps = { agg = 'last', field = 'properties.score', filter = { type = 'nps_answered' } }
[measures]
pulse = { metric = 'pulse', curve = [[0, 0], [100, 100]] }
nps = { metric = 'nps', curve = [[0, 0], [10, 100]] }
[[profiles]]
name = 'all'
groups = { voices = { weight = 1, measures = { pulse = 1, nps = 1 } } }
";

fn pulse(id: &str, account: &str, day: u8, colour: &str) -> String {
    let at = format!("2024-02-{day:02}T10:00:00Z");
    line(id, account, "pulse_recorded", &at, &format!(r#""properties":{{"colour":"{colour}"}}"#))
}

fn nps(id: &str, account: &str, day: u8, score: u8) -> String {
    let at = format!("2024-02-{day:02}T11:00:00Z");
    line(id, account, "nps_answered", &at, &format!(r#""properties":{{"score":{score}}}"#))
}

/// `bad` has 0, `fair` 50 and `good` 100 points of half the weight; of `new` nothing is known.
fn fleet() -> Vec<String> {
    let tier = |id: &str, account: &str, tier: &str| {
        line(
            id,
            account,
            "account_updated",
            "2024-02-01T00:00:00Z",
            &format!(r#""properties":{{"tier":"{tier}"}}"#),
        )
    };
    vec![
        tier("1", "bad", "A"),
        pulse("2", "bad", 1, "red"),
        tier("3", "good", "A"),
        pulse("4", "good", 1, "green"),
        tier("5", "fair", "B"),
        pulse("6", "fair", 1, "yellow"),
        tier("7", "new", "B"),
    ]
}

async fn adopt(served: &Served) {
    let adoption = tidewatch_engine::control::adoption::Adoption::of_model(MODEL);
    served.submit(tidewatch_engine::write::sequencer::Command::Adopt(Box::new(adoption))).await;
}

async fn served() -> Served {
    let served = Served::new(&fleet()).await;
    adopt(&served).await;
    served.import("later", &[pulse("8", "fair", 2, "yellow")]).await;
    served
}

fn get(account: &str, as_of: Option<v1::AsOf>) -> v1::GetHealthRequest {
    v1::GetHealthRequest { account: account.into(), as_of, ..Default::default() }
}

#[tokio::test]
async fn an_account_says_its_score_and_what_it_is_made_of() {
    let served = served().await;
    served.import("nps", &[nps("1", "fair", 3, 9)]).await;
    let answer = served.health().get_health(get("fair", last())).await.unwrap().into_inner();
    let health = answer.health.unwrap();
    // (50 + 90)/2.
    assert_eq!((health.account.as_str(), health.score, health.shown), ("fair", Some(70.0), Some(70)));
    // Yellow at the day end before, and 70 is within the margin of 3.
    assert_eq!((health.state(), health.band.as_deref()), (v1::HealthState::Scored, Some("yellow")));
    assert_eq!((health.coverage, health.profile.as_deref(), health.provisional), (1.0, Some("all"), true));
    let model = health.model.unwrap();
    assert_eq!((model.name.as_str(), model.version), ("judged", 3));
    let measures: Vec<_> =
        health.measures.iter().map(|m| (m.name.as_str(), m.points, m.contribution)).collect();
    assert_eq!(measures, [("pulse", Some(50.0), 25.0), ("nps", Some(90.0), 45.0)]);
    assert!(answer.freshness.is_some());

    // At the end of the first day only half of it was known.
    let health = served
        .health()
        .get_health(get("fair", date("2024-02-01")))
        .await
        .unwrap()
        .into_inner()
        .health
        .unwrap();
    assert_eq!((health.score, health.coverage, health.provisional), (Some(50.0), 0.5, false));
    // Of facts alone there is no life.
    let health = served.health().get_health(get("new", last())).await.unwrap().into_inner().health.unwrap();
    assert_eq!((health.state(), health.reason()), (v1::HealthState::Unknown, v1::HealthReason::NoLife));
    assert_eq!((health.score, health.band.as_deref()), (None, Some("unknown")));
}

#[tokio::test]
async fn a_model_that_comes_along_answers_and_is_named() {
    let served = served().await;
    let mut request = get("bad", last());
    request.model = MODEL.replace("judged", "kinder").replace("[0, 0], [100, 100]", "[0, 60], [100, 100]");
    let health = served.health().get_health(request).await.unwrap().into_inner().health.unwrap();
    assert_eq!((health.score, health.model.unwrap().name.as_str()), (Some(60.0), "kinder"));
    let health = served.health().get_health(get("bad", last())).await.unwrap().into_inner().health.unwrap();
    assert_eq!((health.score, health.model.unwrap().name.as_str()), (Some(0.0), "judged"));
}

#[tokio::test]
async fn a_batch_keeps_the_order_and_fails_one_by_one() {
    let served = served().await;
    let accounts = ["good", "nobody", "bad", "good"].map(str::to_owned).to_vec();
    let request = v1::BatchGetHealthRequest { accounts, as_of: last(), ..Default::default() };
    let results = served.health().batch_get_health(request).await.unwrap().into_inner().results;
    let told: Vec<(&str, Result<Option<f64>, &str>)> = results
        .iter()
        .map(|result| {
            let told = match result.result.as_ref().unwrap() {
                Found::Found(health) => Ok(health.score),
                Found::Error(error) => Err(error.reason.as_str()),
            };
            (result.account.as_str(), told)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("good", Ok(Some(100.0))),
            ("nobody", Err("ACCOUNT_UNKNOWN")),
            ("bad", Ok(Some(0.0))),
            ("good", Ok(Some(100.0)))
        ]
    );
}

async fn list(served: &Served, filter: &str, order_by: &str) -> Vec<String> {
    let request =
        v1::ListHealthRequest { filter: filter.into(), order_by: order_by.into(), ..Default::default() };
    let answer = served.health().list_health(request).await.unwrap().into_inner();
    assert_eq!(answer.total as usize, answer.accounts.len());
    answer.accounts.into_iter().map(|listed| listed.account.unwrap().id).collect()
}

#[tokio::test]
async fn lists_go_by_score_unless_asked_otherwise_and_filter_by_its_fields() {
    let served = served().await;
    assert_eq!(list(&served, "", "").await, ["bad", "fair", "good", "new"], "those without a score last");
    assert_eq!(list(&served, "", "score desc").await[..3], ["good", "fair", "bad"]);
    for (filter, expected) in [
        ("band = \"red\"", &["bad"][..]),
        ("score >= 50", &["fair", "good"]),
        ("state = \"unknown\"", &["new"]),
        ("band = \"unknown\"", &["new"]),
        ("coverage < 0.5", &["new"]),
        ("profile = \"all\" AND tier = \"A\"", &["bad", "good"]),
    ] {
        assert_eq!(list(&served, filter, "").await, expected, "{filter}");
    }
    let mut client = served.health();
    let asked = |filter: &str, order_by: &str| v1::ListHealthRequest {
        filter: filter.into(),
        order_by: order_by.into(),
        ..Default::default()
    };
    refused(client.list_health(asked("scroe > 3", "")).await, Code::InvalidArgument, "INVALID_FILTER");
    refused(client.list_health(asked("", "scroe")).await, Code::InvalidArgument, "INVALID_ORDER");
}

#[tokio::test]
async fn pages_of_a_list_stand_at_one_position() {
    let served = served().await;
    let mut client = served.health();
    let page =
        |token: &str| v1::ListHealthRequest { page_size: 2, page_token: token.into(), ..Default::default() };
    let ids = |answer: &v1::ListHealthResponse| -> Vec<String> {
        answer.accounts.iter().map(|listed| listed.account.as_ref().unwrap().id.clone()).collect()
    };
    let first = client.list_health(page("")).await.unwrap().into_inner();
    assert_eq!((ids(&first), first.total), (vec!["bad".to_owned(), "fair".to_owned()], 4));
    // What happens meanwhile moves no account to another page.
    let min_position = served.import("meanwhile", &[pulse("9", "good", 5, "red")]).await;
    let second = client.list_health(page(&first.next_page_token)).await.unwrap().into_inner();
    assert_eq!((ids(&second), second.total), (vec!["good".to_owned(), "new".to_owned()], 4));
    assert_eq!(second.accounts[0].health.as_ref().unwrap().score, Some(100.0));
    assert!(second.next_page_token.is_empty());
    let newer = v1::ListHealthRequest { min_position, ..page("") };
    assert_eq!(ids(&client.list_health(newer).await.unwrap().into_inner()), ["bad", "good"]);
}

#[tokio::test]
async fn history_has_the_ends_of_days_of_life() {
    let served = served().await;
    served.import("turn", &[pulse("10", "good", 4, "red")]).await;
    let request = v1::GetHealthHistoryRequest {
        accounts: vec!["good".into(), "new".into()],
        from: "2024-01-30".into(),
        to: "2024-02-05".into(),
        ..Default::default()
    };
    let stream = served.health().get_health_history(request).await.unwrap().into_inner();
    let answers: Vec<v1::GetHealthHistoryResponse> = stream.map(Result::unwrap).collect().await;
    assert_eq!(answers.iter().map(|answer| answer.account.as_str()).collect::<Vec<_>>(), ["good", "new"]);
    let days: Vec<_> =
        answers[0].days.iter().map(|day| (day.day.as_str(), day.score, day.band.as_deref())).collect();
    let green = |day| (day, Some(100.0), Some("green"));
    let red = |day| (day, Some(0.0), Some("red"));
    assert_eq!(
        days,
        [green("2024-02-01"), green("2024-02-02"), green("2024-02-03"), red("2024-02-04"), red("2024-02-05")]
    );
    assert!(answers[1].days.is_empty(), "it has no day of life");
}

#[tokio::test]
async fn days_that_the_clock_has_not_closed_are_answered_and_are_no_history() {
    let served = served().await;
    // Silent since February, so that green, once remembered, is what a 68 of years later is held against.
    served.import("turn", &[pulse("10", "good", 4, "green")]).await;
    let view = served.engine.view().unwrap();
    let (today, closed) =
        (view.plan.calendar.day(served.engine.now()), view.closed_through.expect("February 2024 is closed"));
    assert!(closed < today, "a day closes after its end");
    let later = today.plus(3);
    let request = v1::GetHealthHistoryRequest {
        accounts: vec!["good".into()],
        from: closed.plus(-2).to_text(),
        to: later.to_text(),
        ..Default::default()
    };
    let mut stream = served.health().get_health_history(request).await.unwrap().into_inner();
    let answer = stream.next().await.unwrap().unwrap();
    let days: Vec<&str> = answer.days.iter().map(|day| day.day.as_str()).collect();
    let closed_days = [-2, -1, 0].map(|days| closed.plus(days).to_text());
    assert_eq!(days, closed_days);
    let model = answer.model.expect("a history names the version that answers");
    assert_eq!((model.name.as_str(), model.version), ("judged", 3));

    // A day end that is yet to come is a day end: the fold of bands runs up to it, and nothing of it is provisional.
    let nearly = MODEL.replace("curve = [[0, 0], [100, 100]]", "curve = [[0, 0], [100, 68]]");
    for (model, band) in [(MODEL, "green"), (nearly.as_str(), "yellow")] {
        let request = v1::GetHealthRequest { model: model.to_owned(), ..get("good", date(&later.to_text())) };
        let health = served.health().get_health(request).await.unwrap().into_inner().health.unwrap();
        assert_eq!((health.band.as_deref(), health.provisional), (Some(band), false));
        assert_eq!(health.state(), v1::HealthState::Scored);
    }
}

#[tokio::test]
async fn the_adopted_version_answers_for_every_day_and_its_digest_covers_zone_and_calendars() {
    let served = served().await;
    let of_first_day = get("fair", date("2024-02-01"));
    let told = |health: v1::Health| {
        let model = health.model.unwrap();
        (model.name, model.version, model.digest, health.score)
    };
    let asked = || {
        let (mut client, ask) = (served.health(), of_first_day.clone());
        async move { told(client.get_health(ask).await.unwrap().into_inner().health.unwrap()) }
    };
    let judged = asked().await;
    assert_eq!((judged.0.as_str(), judged.1, judged.3), ("judged", 3, Some(50.0)));
    // Adopted today, it answers for a day of 2024 too: yellow is 60 points now.
    let kinder =
        MODEL.replace("version = 3", "version = 4").replace("[0, 0], [100, 100]", "[0, 20], [100, 100]");
    let adopt = |settings: tidewatch_engine::control::adoption::Adoption| {
        served.submit(tidewatch_engine::write::sequencer::Command::Adopt(Box::new(settings)))
    };
    adopt(tidewatch_engine::control::adoption::Adoption::of_model(kinder.as_str())).await;
    served.import("a view of it", &[pulse("20", "bad", 5, "red")]).await;
    let second = asked().await;
    assert_eq!((second.1, second.3), (4, Some(60.0)));
    assert_ne!(second.2, judged.2);
    // Any other version can be asked for instead, and is named by the digest it has when it is adopted.
    let request = v1::GetHealthRequest { model: MODEL.to_owned(), ..of_first_day.clone() };
    assert_eq!(told(served.health().get_health(request).await.unwrap().into_inner().health.unwrap()), judged);

    let mut digests = vec![judged.2, second.2.clone()];
    let closed = ClosedDays { scope: Scope::All, from: Day(10_000), to: Day(10_001) };
    let zone = Settings { zone: "Asia/Tokyo".into(), ..Settings::default() };
    for (id, settings) in
        [zone.clone(), Settings { closed_days: vec![closed], ..zone }].into_iter().enumerate()
    {
        adopt(settings.into()).await;
        served.import("a view of it", &[pulse(&format!("3{id}"), "bad", 5, "red")]).await;
        digests.push(asked().await.2);
    }
    adopt(Settings::default().into()).await;
    served.import("a view of it", &[pulse("40", "bad", 5, "red")]).await;
    assert_eq!(asked().await.2, second.2, "back again");
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 4);
}

#[tokio::test]
async fn an_explanation_has_a_line_for_what_moved_and_one_for_the_rest() {
    let served = served().await;
    served.import("turn", &[pulse("10", "good", 4, "yellow"), nps("11", "good", 4, 8)]).await;
    let ask = |from: &str, to: &str| v1::ExplainHealthRequest {
        account: "good".into(),
        from: date(from),
        to: date(to),
        ..Default::default()
    };
    let answer = served.health().explain_health(ask("2024-02-01", "2024-02-04")).await.unwrap().into_inner();
    let lines: Vec<_> =
        answer.changes.iter().map(|line| (line.name.as_str(), line.cause(), line.points)).collect();
    // 100 became (50 + 80)/2 = 65. pulse: (1 + 0.5)/2·(50 − 100) = −37.5. The rest: of pulse 75·(0.5 − 1) = −37.5, and nps,
    // which came, 40: 2.5.
    assert_eq!(lines, [("pulse", v1::HealthCause::Value, -37.5), ("rest", v1::HealthCause::Rest, 2.5)]);
    assert_eq!((answer.from.unwrap().score, answer.to.unwrap().score), (Some(100.0), Some(65.0)));
    let before_life = ask("2024-01-01", "2024-02-04");
    let answer = served.health().explain_health(before_life).await.unwrap().into_inner();
    assert!(answer.changes.is_empty() && answer.from.unwrap().score.is_none());
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused() {
    let served = served().await;
    let mut client = served.health();
    let invalid = Code::InvalidArgument;
    refused(client.get_health(get("nobody", None)).await, Code::NotFound, "ACCOUNT_UNKNOWN");
    let explain = v1::ExplainHealthRequest { account: "nobody".into(), ..Default::default() };
    refused(client.explain_health(explain).await, Code::NotFound, "ACCOUNT_UNKNOWN");
    let spoilt = v1::GetHealthRequest { model: "[metrics]\nx = 1".into(), ..get("bad", None) };
    refused(client.get_health(spoilt).await, invalid, "INVALID_MODEL");
    refused(client.get_health(get("bad", date("yesterday"))).await, invalid, "INVALID_AS_OF");
    let history =
        v1::GetHealthHistoryRequest { from: "soon".into(), to: "2024-02-01".into(), ..Default::default() };
    refused(client.get_health_history(history).await.map(|_| ()), invalid, "INVALID_AS_OF");
    let many = v1::BatchGetHealthRequest { accounts: vec!["bad".into(); 1_001], ..Default::default() };
    assert_eq!(refused(client.batch_get_health(many).await, invalid, "TOO_MANY_ACCOUNTS")["most"], "1000");
}
