//! What is adopted: read, changed in parts, and changed only by who has seen it.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tidewatch_engine::app::Options;
use tidewatch_engine::read::admission::AdmissionLimits;
use tidewatch_proto::prost_types::FieldMask;
use tidewatch_proto::v1;
use tonic::{Code, Request};

use crate::support::{Served, refused, usage};

fn adopt(request_id: &str, settings: v1::Settings, paths: &[&str]) -> v1::AdoptSettingsRequest {
    v1::AdoptSettingsRequest {
        request_id: request_id.into(),
        on_behalf_of: String::new(),
        settings: Some(settings),
        update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
    }
}

async fn read(served: &Served, min_position: String) -> v1::Settings {
    let request = v1::GetSettingsRequest { min_position };
    served.settings().get_settings(request).await.unwrap().into_inner().settings.unwrap()
}

#[tokio::test]
async fn what_the_mask_names_is_adopted_and_the_rest_stays() {
    let served = Served::new(&[usage("1", "acme", "2024-02-01T00:00:00Z")]).await;
    let before = read(&served, String::new()).await;
    assert_eq!((before.zone.as_str(), before.closed_days.len()), ("UTC", 0));
    let closed =
        v1::ClosedDays { scope: "segment:smb".into(), from: "2024-12-24".into(), to: "2024-12-26".into() };
    let settings = v1::Settings {
        zone: "Europe/Berlin".into(),
        closed_days: vec![closed.clone()],
        model: "not a model".into(),
        etag: before.etag.clone(),
        ..Default::default()
    };
    let both = adopt("r1", settings, &["zone", "closed_days"]);
    let answer = served.settings().adopt_settings(both.clone()).await.unwrap().into_inner();
    let position = answer.position.clone().unwrap();
    let after = read(&served, position.token).await;
    assert_eq!(
        (after.zone.as_str(), &after.closed_days, &after.model),
        ("Europe/Berlin", &vec![closed], &before.model)
    );
    assert_eq!(
        served.settings().adopt_settings(both).await.unwrap().into_inner(),
        answer,
        "answered as before"
    );

    // The same again changes nothing and logs nothing.
    let same = adopt("r2", v1::Settings { zone: "Europe/Berlin".into(), ..Default::default() }, &["zone"]);
    served.settings().adopt_settings(same).await.unwrap();
    assert_eq!(read(&served, String::new()).await.etag, after.etag);

    let stale = v1::Settings { zone: "UTC".into(), etag: before.etag, ..Default::default() };
    let metadata = refused(
        served.settings().adopt_settings(adopt("r3", stale, &["zone"])).await,
        Code::Aborted,
        "SETTINGS_CHANGED",
    );
    assert_eq!(metadata["etag"], after.etag);
}

#[tokio::test]
async fn what_cannot_be_adopted_is_refused_whole() {
    let served = Served::new(&[]).await;
    let before = read(&served, String::new()).await;
    let day = |scope: &str, from: &str, to: &str| v1::Settings {
        zone: "Europe/Berlin".into(),
        closed_days: vec![v1::ClosedDays { scope: scope.into(), from: from.into(), to: to.into() }],
        ..Default::default()
    };
    let model =
        |text: &str| v1::Settings { model: text.into(), zone: "Europe/Berlin".into(), ..Default::default() };
    let both = ["zone", "closed_days"].as_slice();
    let with_model = ["zone", "model"].as_slice();
    let refusals = [
        (
            v1::Settings { zone: "Europe/Atlantis".into(), ..Default::default() },
            ["zone"].as_slice(),
            "INVALID_SETTINGS",
        ),
        (day("everyone", "2024-01-01", "2024-01-01"), both, "INVALID_SETTINGS"),
        (day("all", "soon", "2024-01-01"), both, "INVALID_SETTINGS"),
        (day("all", "2024-01-02", "2024-01-01"), both, "INVALID_SETTINGS"),
        (day("all", "2024-01-02", "2024-01-02"), &[], "INVALID_SETTINGS"),
        (day("all", "2024-01-02", "2024-01-02"), &["zone", "etag"], "INVALID_SETTINGS"),
        (v1::Settings { skew_us: -1, ..Default::default() }, &["skew_us"], "INVALID_SETTINGS"),
        (model("[metrics]\nx = 1\n"), with_model, "INVALID_MODEL"),
        (model(&"#".repeat(256 * 1024 + 1)), with_model, "TOO_LONG"),
    ];
    for (number, (settings, paths, reason)) in refusals.into_iter().enumerate() {
        let asked = adopt(&format!("r{number}"), settings, paths);
        refused(served.settings().adopt_settings(asked).await, Code::InvalidArgument, reason);
    }
    let nameless = adopt("", day("all", "2024-01-02", "2024-01-02"), &["zone"]);
    refused(served.settings().adopt_settings(nameless).await, Code::InvalidArgument, "REQUEST_ID_MISSING");
    let long = v1::AdoptSettingsRequest {
        on_behalf_of: "x".repeat(257),
        ..adopt("long", day("all", "2024-01-02", "2024-01-02"), &["zone"])
    };
    let metadata = refused(served.settings().adopt_settings(long).await, Code::InvalidArgument, "TOO_LONG");
    assert_eq!(metadata["most"], "256");
    assert_eq!(read(&served, String::new()).await, before, "nothing of them was adopted");
}

#[tokio::test]
async fn skew_and_close_delay_are_adopted() {
    let served = Served::new(&[]).await;
    let settings = v1::Settings { skew_us: 7, close_delay_us: 0, ..Default::default() };
    let asked = adopt("r1", settings, &["skew_us", "close_delay_us"]);
    let position = served.settings().adopt_settings(asked).await.unwrap().into_inner().position.unwrap();
    let after = read(&served, position.token).await;
    assert_eq!((after.skew_us, after.close_delay_us, after.zone.as_str()), (7, 0, "UTC"));
}

#[tokio::test]
async fn a_change_that_is_folded_is_told_with_its_progress_until_it_shows() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let passed = Arc::clone(&gate);
    let wait = move |_, _| drop(passed.1.wait_while(passed.0.lock().unwrap(), |is_open| !*is_open).unwrap());
    let options = Options { refold_progress: Arc::new(wait), ..Options::new(Some(2)) };
    let line = |day: u32| usage(&day.to_string(), "acme", &format!("2024-02-0{day}T00:00:00Z"));
    let served = Served::with(options, AdmissionLimits::default(), &[line(1), line(2)]).await;
    let settings = v1::Settings { zone: "Europe/Berlin".into(), ..Default::default() };
    let asked = adopt("r1", settings, &["zone"]);
    let position = served.settings().adopt_settings(asked).await.unwrap().into_inner().position.unwrap();

    // What comes later is answered, and each answer says what it lacks.
    served.import("app", &[line(3)]).await;
    let answer =
        served.settings().get_settings(v1::GetSettingsRequest::default()).await.unwrap().into_inner();
    let (before, freshness) = (answer.settings.unwrap(), answer.freshness.unwrap());
    let refold = freshness.refold.unwrap();
    assert_eq!((before.zone.as_str(), refold.since), ("UTC", position.sequence));
    assert!(freshness.position.unwrap().sequence > position.sequence && refold.entries > refold.folded);
    let mut read_own = Request::new(v1::GetSettingsRequest { min_position: position.token.clone() });
    read_own.set_timeout(Duration::from_millis(500));
    let metadata =
        refused(served.settings().get_settings(read_own).await, Code::Unavailable, "POSITION_NOT_REACHED");
    assert_eq!(metadata["wanted"], position.sequence.to_string());
    assert!(metadata.contains_key("refolded") && metadata.contains_key("durable"), "{metadata:?}");
    // Whoever has not seen the change does not undo it.
    let unseen = v1::Settings { zone: "UTC".into(), etag: before.etag, ..Default::default() };
    refused(
        served.settings().adopt_settings(adopt("r2", unseen, &["zone"])).await,
        Code::Aborted,
        "SETTINGS_CHANGED",
    );

    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    let read_own = v1::GetSettingsRequest { min_position: position.token };
    let answer = served.settings().get_settings(read_own).await.unwrap().into_inner();
    assert_eq!(answer.settings.unwrap().zone, "Europe/Berlin");
    assert_eq!(answer.freshness.unwrap().refold, None);
    let page = served.meters.page().render();
    assert!(page.contains("tidewatch_refolds_total{outcome=\"shown\"} 1"), "{page}");
    assert!(page.contains("tidewatch_position_refolded 0"), "{page}");
}
