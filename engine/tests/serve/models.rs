//! Models: the versions that were adopted, and what is wrong with a file for the accounts there are.

use tidewatch_projections::model::DEFAULT;
use tidewatch_proto::prost_types::FieldMask;
use tidewatch_proto::v1;
use tonic::Code;

use crate::support::{Served, last, line, refused, usage};

/// A model that scores usage, with a name and a version.
fn model(name: &str, version: u32, more: &str) -> String {
    format!(
        r#"name = "{name}"
version = {version}
[metrics]
events = {{ agg = "count", window = 28, filter = {{ family = "usage" }} }}
core = {{ agg = "features_share", window = 28, core = ["search", "exprot"] }}
nps = {{ agg = "last", field = "properties.score", filter = {{ type = "nps_answered" }} }}
[measures]
use = {{ metric = "events", curve = [[0, 0], [10, 100]] }}
depth = {{ metric = "core", curve = [[0, 0], [1, 100]] }}
voice = {{ metric = "nps", curve = [[0, 0], [10, 100]] }}
[[profiles]]
name = "key account"
when = [{{ tier = "A" }}]
groups = {{ outcome = {{ weight = 1, measures = {{ use = 1, depth = 1 }} }} }}
[[profiles]]
name = "small"
when = [{{ tier = "C" }}]
groups = {{ outcome = {{ weight = 1, measures = {{ use = 1, depth = 1 }} }} }}
[[profiles]]
name = "standard"
groups = {{ outcome = {{ weight = 1, measures = {{ use = 1, depth = 1, voice = 1 }} }} }}
{more}"#
    )
}

async fn adopt(served: &Served, request_id: &str, text: &str) -> v1::Position {
    let request = v1::AdoptSettingsRequest {
        request_id: request_id.to_owned(),
        settings: Some(v1::Settings { model: text.to_owned(), ..Default::default() }),
        update_mask: Some(FieldMask { paths: vec!["model".to_owned()] }),
        ..Default::default()
    };
    served.settings().adopt_settings(request).await.unwrap().into_inner().position.unwrap()
}

#[tokio::test]
async fn every_adopted_version_is_listed_and_can_be_read_again() {
    let served = Served::new(&[usage("1", "acme", "2024-02-01T00:00:00Z")]).await;
    let first = served.models().list_model_versions(v1::ListModelVersionsRequest::default()).await.unwrap();
    let names: Vec<String> =
        first.into_inner().versions.into_iter().map(|adopted| adopted.version.unwrap().name).collect();
    assert_eq!(names, ["default"], "the first tick of a directory logs it");
    let newest = v1::GetModelRequest::default();
    let default = served.models().get_model(newest).await.unwrap().into_inner().model.unwrap();
    let default_at = default.adopted_at.as_ref().unwrap().sequence;
    assert_eq!((default.text.as_str(), default_at), (DEFAULT, 1));
    assert_eq!(default.version.as_ref().map(|version| version.name.as_str()), Some("default"));

    let (first, second) = (model("ours", 1, ""), model("ours", 2, "# tuned\n"));
    let first_at = adopt(&served, "r1", &first).await;
    let second_at = adopt(&served, "r2", &second).await;
    let min_position = second_at.token.clone();
    let request = v1::ListModelVersionsRequest { min_position: min_position.clone() };
    let versions = served.models().list_model_versions(request).await.unwrap().into_inner().versions;
    let told: Vec<(i64, u64)> = versions
        .iter()
        .map(|adopted| {
            let version = adopted.version.as_ref().unwrap();
            (version.version, adopted.adopted_at.as_ref().unwrap().sequence)
        })
        .collect();
    assert_eq!(
        told,
        [(2, second_at.sequence), (1, first_at.sequence), (2, default_at)],
        "newest first, the default model last"
    );

    for (sequence, text) in [
        (0, second.as_str()),
        (second_at.sequence, &second),
        (second_at.sequence - 1, &first),
        (first_at.sequence, &first),
        (first_at.sequence - 1, DEFAULT),
    ] {
        let request = v1::GetModelRequest { sequence, min_position: min_position.clone() };
        let found = served.models().get_model(request).await.unwrap().into_inner().model.unwrap();
        assert_eq!(found.text, text, "in force at {sequence}");
    }
}

#[tokio::test]
async fn a_file_is_checked_against_the_accounts_there_are() {
    let tier = |account: &str, tier: &str| {
        let id = format!("{account}-{tier}");
        let rest = format!(r#""properties":{{"tier":"{tier}"}}"#);
        line(&id, account, "account_updated", "2024-01-01T00:00:00Z", &rest)
    };
    let served = Served::new(&[
        tier("acme", "A"),
        usage("1", "acme", "2024-02-01T00:00:00Z"),
        usage("2", "beta", "2024-02-01T00:00:00Z"),
    ])
    .await;
    let check = |model: String| {
        let mut models = served.models();
        async move {
            let request = v1::CheckModelRequest { model, ..Default::default() };
            models.check_model(request).await.map(tonic::Response::into_inner)
        }
    };
    let answer = check(model("ours", 1, "")).await.unwrap();
    let told: Vec<(i32, u32, &str, &str)> = answer
        .findings
        .iter()
        .map(|finding| (finding.severity, finding.line, finding.key.as_str(), finding.nearest.as_str()))
        .collect();
    let doubt = i32::from(v1::ModelFindingSeverity::Doubt);
    assert_eq!(
        told,
        [
            (doubt, 5, "metrics.core.core", "search"),
            (doubt, 6, "metrics.nps", ""),
            (doubt, 15, "profiles[\"small\"]", ""),
        ],
        "{:?}",
        answer.findings
    );
    let version = answer.version.unwrap();
    let adopted = adopt(&served, "r1", &model("ours", 1, "# a comment means nothing\n")).await;
    let request = v1::GetModelRequest { sequence: 0, min_position: adopted.token };
    let found = served.models().get_model(request).await.unwrap().into_inner().model.unwrap();
    assert_eq!(found.version, Some(version), "a check names the model as answers will");

    let spoilt = model("ours", 1, "").replace("window = 28, filter", "windw = 28, filter");
    let answer = check(spoilt).await.unwrap();
    let [error] = answer.findings.as_slice() else { panic!("{:?}", answer.findings) };
    assert_eq!((error.severity(), error.line), (v1::ModelFindingSeverity::Error, 4));
    assert_eq!((error.key.as_str(), error.nearest.as_str()), ("metrics.events", "window"));
    assert_eq!(answer.version, None);
    refused(check("#".repeat(256 * 1024 + 1)).await, Code::InvalidArgument, "INVALID_MODEL");
}

#[tokio::test]
async fn a_preview_tells_how_every_account_would_move() {
    let days = |account: &str, count: usize| -> Vec<String> {
        let of_day =
            |at| usage(&format!("{account}{at}"), account, &format!("2024-02-{:02}T08:00:00Z", 1 + at));
        (0..count).map(of_day).collect()
    };
    let closed = line("c", "gone", "account_closed", "2024-02-02T00:00:00Z", "");
    let lines = [days("busy", 9), days("calm", 4), days("gone", 1), vec![closed]].concat();
    let served = Served::new(&lines).await;
    let scored = |curve: &str| {
        format!(
            "name = 'ours'\nversion = 2\n[metrics]\nevents = {{ agg = 'count', window = 28, filter = {{ family = 'usage' }} }}\n\
             [measures]\nuse = {{ metric = 'events', curve = {curve} }}\n[[profiles]]\nname = 'all'\ngroups = {{ g = {{ weight = 1, \
             measures = {{ use = 1 }} }} }}\n"
        )
    };
    let adopted = adopt(&served, "r1", &scored("[[0, 0], [10, 100]]")).await;
    let preview = |model: String, as_of: Option<v1::AsOf>, moved_max: i32| {
        let mut models = served.models();
        let min_position = adopted.token.clone();
        async move {
            let request = v1::PreviewModelRequest { model, as_of, moved_max, min_position };
            models.preview_model(request).await.map(tonic::Response::into_inner)
        }
    };
    let stricter = scored("[[0, 0], [20, 100]]");
    let answer = preview(stricter.clone(), last(), 1).await.unwrap();
    let bands: Vec<(Option<&str>, Option<&str>, u64)> = answer
        .bands
        .iter()
        .map(|moved| (moved.before.as_deref(), moved.after.as_deref(), moved.accounts))
        .collect();
    let (red, yellow, green) = (Some("red"), Some("yellow"), Some("green"));
    // 40 points after red days stay red within the margin of 3.
    assert_eq!(bands, [(red, red, 1), (green, yellow, 1), (None, None, 1)]);
    assert_eq!(answer.scores_before, [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    assert_eq!(answer.scores_after, [0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    let [moved] = answer.moved.as_slice() else { panic!("{:?}", answer.moved) };
    assert_eq!((moved.account.as_str(), moved.score_before, moved.score_after), ("busy", 90.0, 45.0));
    let [shift] = moved.shifts.as_slice() else { panic!("{:?}", moved.shifts) };
    assert_eq!((shift.name.as_str(), shift.points), ("use", -45.0));
    assert_eq!(
        shift.text,
        "use: 45 points at 100.0 % of the score, was 90 points at 100.0 % of the score: −45.0"
    );

    // Nothing was adopted, and the same model moves nobody; the instant is the newest live one where none is asked for.
    let same = preview(scored("[[0, 0], [10, 100]]"), None, 0).await.unwrap();
    assert_eq!((same.moved.len(), same.accounts), (0, 3));
    assert!(same.as_of.unwrap().seconds > answer.as_of.unwrap().seconds);
    assert_eq!((&same.before, &same.scores_before), (&same.after, &same.scores_after));
    refused(preview(String::new(), None, 0).await, Code::InvalidArgument, "INVALID_MODEL");
    refused(preview("[metrics]\nx = 1\n".into(), None, 0).await, Code::InvalidArgument, "INVALID_MODEL");
    refused(preview(stricter, None, -1).await, Code::InvalidArgument, "INVALID_PAGE_SIZE");
}
