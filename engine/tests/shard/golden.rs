//! A data directory that an earlier version made (before scores, and before the default model was logged) opens, answers what
//! it answered, and is scored.
#![expect(clippy::disallowed_methods, reason = "tests write their own input files")]

use std::fs;
use std::path::Path;

use tidewatch_engine::app::{Engine, Options};
use tidewatch_engine::fold::view::View;
use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::health::{Band, health};

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
