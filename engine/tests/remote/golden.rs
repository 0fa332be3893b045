//! A data directory that an earlier version made (before scores, and before the default model was logged) opens, answers what
//! it answered, and is scored; asking it changes no byte of it.
#![expect(clippy::disallowed_methods, reason = "tests write their own input files")]

use std::fs;
use std::path::Path;

use serde_json::Value;
use tidewatch_engine::app::{Engine, Options};
use tidewatch_engine::fold::view::View;
use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::health::{Band, health};

use crate::at_rest::reads;
use crate::places::{Directory, Files};

const SEGMENT: &str = "00000000000000000001-000000000001.seg";

/// Accounts with score and band at the end of March 2024: one in use every other day, one that went quiet in the last week of
/// February, one with a single person.
const EXPECTED: [(&str, f64, usize); 3] =
    [("acme", 93.166666667, 2), ("globex", 25.447619048, 0), ("initech", 76.380952381, 2)];

fn unpack(root: &Path) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/directory");
    fs::create_dir_all(root.join("log")).unwrap();
    fs::copy(golden.join("identity"), root.join("identity")).unwrap();
    let packed = fs::read(golden.join(format!("{SEGMENT}.zst"))).unwrap();
    fs::write(root.join("log").join(SEGMENT), zstd::decode_all(packed.as_slice()).unwrap()).unwrap();
}

fn check(view: &View) {
    assert_eq!((view.accounts_count(), view.tenant.events), (EXPECTED.len(), 386));
    let as_of = view.plan.calendar.end(Day::parse("2024-03-31").unwrap());
    for (account, score, band) in EXPECTED {
        let account_at = AccountAt::new(view.context(), view.names.find(account).unwrap(), as_of);
        let health = health(&account_at).unwrap();
        assert_eq!((health.score(), health.band), (Some(score), Band::Of(band)), "{account}");
    }
}

#[test]
fn a_directory_of_an_earlier_version_opens_and_is_scored() {
    let root = tempfile::TempDir::new().unwrap();
    unpack(root.path());
    let reading = Engine::open_read_only(root.path(), Some(2), &|_, _| ()).unwrap();
    check(&reading.view().unwrap());
    let last_seq = reading.view().unwrap().position.seq;
    reading.shutdown().unwrap();

    let writing = Engine::open(root.path(), Options::new(Some(2)), &|_, _| ()).unwrap();
    check(&writing.view().unwrap());
    writing.shutdown().unwrap();
    let again = Engine::open_read_only(root.path(), Some(1), &|_, _| ()).unwrap();
    let view = again.view().unwrap();
    check(&view);
    assert!(last_seq < view.position.seq, "the default model was logged");
    assert_eq!(view.control_state.models.len(), 1);
    again.shutdown().unwrap();
}

/// What a command answered, a line of JSON each.
fn rows(said: &str) -> Vec<Value> {
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_asks_a_directory_of_an_earlier_version_writes_nothing_to_it() {
    let files = Files::new();
    let directory = Directory(files.path("golden"));
    unpack(&directory.0);
    let at = ["--as-of", "2024-03-31"];
    let days = ["--from", "2024-03-30", "--to", "2024-03-31"];
    let said = reads(
        &files,
        &directory,
        &[
            &["health", at[0], at[1], "--all", "--json"],
            &["history", days[0], days[1], days[2], days[3], "--all", "--json"],
            &["explain", days[0], "2024-02-15", days[2], days[3], "--account", "globex", "--json"],
            &["list", "--json"],
            &["list"],
            &["metrics", at[0], at[1], "--all", "--json"],
            &["timeline", "--account", "acme", "--json", "--limit", "400"],
            &["digest"],
        ],
    );
    let [scored, days, explained, listed, _, metrics, timeline, _] = said.as_slice() else {
        panic!("{said:?}")
    };
    let bands = ["red", "yellow", "green"];
    let told: Vec<(String, f64, String)> = rows(scored)
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (text("account"), row["score"].as_f64().unwrap(), text("band"))
        })
        .collect();
    let expected = EXPECTED.map(|(account, score, band)| (account.to_owned(), score, bands[band].to_owned()));
    assert_eq!(told, expected);
    let days = rows(days);
    assert_eq!(days.len(), 2 * EXPECTED.len());
    for (account, score, band) in expected {
        let of_last =
            days.iter().find(|day| day["account"] == account.as_str() && day["day"] == "2024-03-31");
        let day = of_last.unwrap();
        assert_eq!((day["score"].as_f64(), day["band"].as_str()), (Some(score), Some(band.as_str())));
    }
    let explained: Value = serde_json::from_str(explained).unwrap();
    let points = |line: &Value| line["points"].as_f64().unwrap();
    let moved: f64 = explained["lines"].as_array().unwrap().iter().map(points).sum();
    let [from, to] = [0, 1].map(|end| explained["score"][end].as_f64().unwrap());
    assert_eq!(to, EXPECTED[1].1);
    assert!(to < from && (moved - (to - from)).abs() < 1e-9, "{explained}");
    assert_eq!((rows(listed).len(), rows(metrics).len()), (EXPECTED.len(), EXPECTED.len()));
    assert!(rows(timeline).len() > 100, "{}", rows(timeline).len());
}
