//! The log: checked, counted and printed while it is written.

use tidewatch_engine::read::digest;
use tidewatch_engine::read::scan::AsOf;
use tidewatch_proto::v1;
use tokio_stream::StreamExt as _;
use v1::verify_log_response::Part;

use crate::support::{Served, date, usage};

#[tokio::test]
async fn the_log_is_checked_counted_and_printed_beside_its_writer() {
    let served = Served::new(&[usage("1", "acme", "2024-02-01T00:00:00Z"), "{".to_owned()]).await;
    let stream = served.logs().verify_log(v1::VerifyLogRequest {}).await.unwrap().into_inner();
    let parts: Vec<v1::VerifyLogResponse> = stream.map(Result::unwrap).collect().await;
    let [v1::VerifyLogResponse { part: Some(Part::Verified(verified)) }] = parts.as_slice() else {
        panic!("{parts:?}")
    };
    let stream = served.logs().stat_log(v1::StatLogRequest {}).await.unwrap().into_inner();
    let segments: Vec<v1::StatLogResponse> = stream.map(Result::unwrap).collect().await;
    let [segment] = segments.as_slice() else { panic!("{segments:?}") };
    assert_eq!((segment.events, segment.dead_letters, segment.sealed), (1, 1, false));
    assert!(verified.entries >= segment.events + segment.dead_letters + segment.controls, "{verified:?}");

    let dump = async |from_sequence, to_sequence| {
        let request = v1::DumpLogRequest { from_sequence, to_sequence };
        let stream = served.logs().dump_log(request).await.unwrap().into_inner();
        let answers: Vec<v1::DumpLogResponse> = stream.map(Result::unwrap).collect().await;
        answers.into_iter().flat_map(|answer| answer.entries).collect::<Vec<String>>()
    };
    let all = dump(0, 0).await;
    assert!(all.len() as u64 >= verified.last_sequence.min(3));
    let number =
        |entry: &String| serde_json::from_str::<serde_json::Value>(entry).unwrap()["seq"].as_u64().unwrap();
    assert_eq!(all.iter().map(number).collect::<Vec<_>>(), (1..=all.len() as u64).collect::<Vec<_>>());
    assert_eq!(dump(2, 2).await, all[1..2]);
    assert_eq!(dump(u64::MAX, 0).await, [""; 0]);
}

#[tokio::test]
async fn the_digest_of_the_live_state_is_the_one_of_its_log() {
    let served = Served::new(&[usage("1", "acme", "2024-02-01T00:00:00Z")]).await;
    let min_position = served.import("crm", &[usage("1", "acme", "2024-02-03T00:00:00Z")]).await;
    for (as_of, of_log) in [(None, AsOf::Last), (date("2024-02-01"), AsOf::parse("2024-02-01").unwrap())] {
        let request = v1::GetDigestRequest { as_of, min_position: min_position.clone() };
        let live = served.server().get_digest(request).await.unwrap().into_inner().digest;
        assert_eq!(live, digest::of_log(&served.engine.history(), of_log, 3).unwrap().to_string());
    }
}
