//! Explanations in words: at an instant, and between two, with the figures of people.

use tidewatch_proto::v1;

use crate::support::{Served, date, line};

/// Seat activity is 40 of 100; a pulse of 60 days the rest, for key accounts less of it.
const MODEL: &str = "
name = 'seats'
version = 1
coverage_min = 0.3
[metrics]
people_7d = { agg = 'active_users', window = 7, filter = { family = 'usage' } }
people_per_seat = { agg = 'per_seat', a = 'people_7d' }
nps = { agg = 'last', field = 'properties.score', window = 60, filter = { type = 'nps_answered' } }
[measures]
seats = { metric = 'people_per_seat', curve = [[0, 0], [1, 100]] }
voice = { metric = 'nps', curve = [[0, 0], [10, 100]] }
[[profiles]]
name = 'key account'
when = [{ tier = 'A' }]
groups = { all = { weight = 1, measures = { seats = 80, voice = 20 } } }
[[profiles]]
name = 'standard'
groups = { all = { weight = 1, measures = { seats = 40, voice = 60 } } }
";

fn fact(id: &str, date: &str, properties: &str) -> String {
    line(id, "acme", "account_updated", date, &format!("\"properties\":{{{properties}}}"))
}

/// Of 60 seats 41 people use the product on the first of March, and 14 four weeks later; one answer of 8 on the day before.
fn lines() -> Vec<String> {
    let used = |day: &str, people: usize| -> Vec<String> {
        let used_by = |person: usize| {
            let user = format!("\"user\":\"u{person}\",\"properties\":{{\"feature\":\"search\"}}");
            line(&format!("{day}-{person}"), "acme", "usage", &format!("{day}T09:00:00Z"), &user)
        };
        (0..people).map(used_by).collect()
    };
    let facts = vec![
        fact("1", "2024-01-01T00:00:00Z", "\"seats\":60"),
        line("2", "acme", "nps_answered", "2024-02-29T09:00:00Z", "\"properties\":{\"score\":8}"),
    ];
    [facts, used("2024-03-01", 41), used("2024-03-29", 14)].concat()
}

async fn explained(served: &Served, from: Option<v1::AsOf>, to: &str) -> v1::ExplainHealthResponse {
    let request = v1::ExplainHealthRequest {
        account: "acme".to_owned(),
        from,
        to: date(to),
        model: MODEL.to_owned(),
        ..Default::default()
    };
    served.health().explain_health(request).await.unwrap().into_inner()
}

fn texts(answer: &v1::ExplainHealthResponse) -> Vec<&str> {
    answer.changes.iter().map(|change| change.text.as_str()).collect()
}

#[tokio::test]
async fn a_line_says_what_is_what_was_28_days_before_and_the_points_between() {
    let served = Served::new(&lines()).await;
    let answer = explained(&served, None, "2024-03-29").await;
    // 0.4·(14 − 41)/60·100 = −18, and nothing else moved.
    assert_eq!(
        texts(&answer),
        [
            "active people in 7 days 14 of 60 seats, was 41 of 60 seats: −18",
            "weights that moved, and rounding: +0.0"
        ]
    );
    let (from, to) = (answer.from.unwrap(), answer.to.unwrap());
    assert_eq!(to.as_of.unwrap().seconds - from.as_of.unwrap().seconds, 28 * 86_400);
    // 0.4·41/60·100 + 0.6·80, and 0.4·14/60·100 + 48.
    let close = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs() < 1e-9;
    assert!(close(from.score, 48.0 + 82.0 / 3.0) && close(to.score, 48.0 + 28.0 / 3.0), "{from:?} {to:?}");
    // At an instant: what each measure takes from the best score, the most first. 0.4·(100 − 23.3) and 0.6·(100 − 80).
    assert_eq!(to.reasons, ["active people in 7 days 14 of 60 seats: −31", "nps in 60 days 8: −12"]);
}

#[tokio::test]
async fn the_rest_names_the_profile_and_what_came_or_went() {
    let mut lines = lines();
    lines.push(fact("3", "2024-04-20T00:00:00Z", "\"tier\":\"A\""));
    let served = Served::new(&lines).await;
    // The answer is older than 60 days on the 29th of April, and seats are all of a key account then.
    let answer = explained(&served, date("2024-04-19"), "2024-04-29").await;
    let rest = answer.changes.last().unwrap();
    assert_eq!((rest.name.as_str(), rest.cause()), ("rest", v1::HealthCause::Rest));
    // 48 points of the answer went, and nobody used it at either end.
    assert_eq!(
        texts(&answer),
        ["the profile is \"key account\" now, voice counts no more: −48"],
        "{:?}",
        answer.changes
    );
    let scores = [answer.from.unwrap().score, answer.to.unwrap().score];
    assert_eq!(scores, [Some(48.0), Some(0.0)]);
}

#[tokio::test]
async fn without_a_score_at_an_end_it_is_undefined_and_the_end_says_why() {
    let served = Served::new(&lines()).await;
    let answer = explained(&served, date("2024-01-15"), "2024-03-29").await;
    let (from, to) = (answer.from.as_ref().unwrap(), answer.to.as_ref().unwrap());
    assert_eq!((from.score, from.reason()), (None, v1::HealthReason::NoLife));
    assert_eq!(from.reasons, ["nothing happened yet that says anything of its health"]);
    assert!(to.score.is_some() && answer.changes.is_empty());
}
