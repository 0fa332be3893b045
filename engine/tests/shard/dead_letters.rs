//! What was refused is kept, found again, and settled after a fix.
#![expect(clippy::disallowed_methods, reason = "the test deletes the index as an operator would")]

use std::sync::Arc;

use tidewatch_engine::app::{EngineError, ReplayMapping};
use tidewatch_engine::fold::history::History;
use tidewatch_engine::read::index::{DeadLetterFilter, DeadLetterNote, Index};
use tidewatch_engine::storage::directory::Directory;
use tidewatch_engine::storage::directory::INDEX_DIR;
use tidewatch_engine::storage::log::Entry;
use tidewatch_engine::write::sequencer::Command;
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::reject::Reason;
use tidewatch_projections::names::Names;
use tidewatch_projections::settings::Settings;

use crate::support::Shard;

const FAR_SKEW_US: i64 = 2_000 * 365 * 86_400_000_000;

fn lines() -> Vec<String> {
    let usage = |id: &str, at: &str| {
        format!(
            r#"{{"id":"{id}","account":"acme","type":"usage","occurred_at":"{at}","properties":{{"feature":"a"}}}}"#
        )
    };
    vec![
        usage("1", "2024-02-01T00:00:00Z"),
        usage("2", "2999-02-01T00:00:00Z"),
        "{".to_owned(),
        usage("3", "2999-02-02T00:00:00Z"),
        usage("1", "2024-02-02T00:00:00Z"),
    ]
}

/// What the index says of a stopped directory.
fn notes(shard: &Shard, filter: &DeadLetterFilter) -> Vec<DeadLetterNote> {
    let directory = Directory::open(&shard.path()).unwrap();
    let history = History::new(Arc::clone(directory.disk()), Arc::new(Names::new()), u64::MAX);
    let end = history.end().unwrap();
    let index = Index::open(directory.root()).unwrap();
    index.catch_up(&history, end.lineage, end.last_seq).unwrap();
    index.dead_letters(filter, 0, usize::MAX).unwrap()
}

#[test]
fn deleting_the_index_changes_no_answer() {
    let shard = Shard::new();
    shard.import_lines("app", &lines());
    let all = DeadLetterFilter { with_resolved: true, ..DeadLetterFilter::default() };
    let before = notes(&shard, &all);
    let reasons: Vec<Reason> = before.iter().map(|note| note.reason).collect();
    assert_eq!(reasons, [Reason::FromTheFuture, Reason::NotJson, Reason::FromTheFuture, Reason::IdConflict]);
    let digest = shard.digest(1);
    std::fs::remove_dir_all(shard.path().join(INDEX_DIR)).unwrap();
    assert_eq!(notes(&shard, &all), before);
    assert_eq!(shard.digest(1), digest);
    shard.import_lines("app", &["[]".to_owned()]);
    assert_eq!(notes(&shard, &all).len(), before.len() + 1, "the index catches up with the log");
}

#[test]
fn a_fix_and_a_replay_settle_what_is_not_refused_any_more() {
    let shard = Shard::new();
    shard.import_lines("app", &lines());
    let future = DeadLetterFilter { reason: Some(Reason::FromTheFuture), ..DeadLetterFilter::default() };
    let settings = Settings { skew_us: FAR_SKEW_US, ..Settings::default() };
    shard.submit(Command::Adopt(Box::new(settings.into())));
    let open = notes(&shard, &DeadLetterFilter::default());

    let engine = shard.open(1);
    let letters = open.iter().map(|note| match engine.history().entry(note.seq)? {
        Some(Entry::DeadLetter(letter)) => Ok::<_, EngineError>((note.seq, letter)),
        other => panic!("{} is a dead letter, not {other:?}", note.seq),
    });
    let decoder = Decoder::new(Arc::clone(engine.names()), "main", "app", Limits::default(), Format::Native);
    let mapping = ReplayMapping { digest: "".into(), accept_new: false };
    let replayed = engine.replay("app", letters, &decoder, mapping, None).unwrap();
    assert_eq!((replayed.resolved, replayed.refused, replayed.accepted), (2, 2, 2));
    engine.shutdown().unwrap();

    assert_eq!(notes(&shard, &future), []);
    let left: Vec<Reason> =
        notes(&shard, &DeadLetterFilter::default()).iter().map(|note| note.reason).collect();
    assert_eq!(left, [Reason::NotJson, Reason::IdConflict]);
}

#[test]
fn a_dead_letter_that_is_cut_is_never_replayed() {
    let shard = Shard::new();
    let long = format!(
        r#"{{"id":"1","account":"acme","type":"note","occurred_at":"2024-02-01T00:00:00Z","text":"{}"}}"#,
        "x".repeat(2 << 20)
    );
    shard.import_lines("app", std::slice::from_ref(&long));
    let [note] = notes(&shard, &DeadLetterFilter::default()).try_into().unwrap();
    assert_eq!(note.reason, Reason::TooLarge);
    let kept = format!("kept the first {} of {} bytes", 1 << 20, long.len());
    assert!(note.detail.ends_with(&kept), "{}", note.detail);

    let engine = shard.open(1);
    let Some(Entry::DeadLetter(letter)) = engine.history().entry(note.seq).unwrap() else {
        panic!("{} is a dead letter", note.seq)
    };
    assert_eq!((letter.original.len(), letter.whole_bytes), (1 << 20, long.len() as u64));
    let limits = Limits { record_bytes_max: 8 << 20, ..Limits::default() };
    let decoder = Decoder::new(Arc::clone(engine.names()), "main", "app", limits, Format::Native);
    let mapping = ReplayMapping { digest: "".into(), accept_new: false };
    let letters = [Ok::<_, EngineError>((note.seq, letter))];
    let replayed = engine.replay("app", letters, &decoder, mapping, None).unwrap();
    assert_eq!((replayed.resolved, replayed.refused, replayed.accepted, replayed.cut), (0, 0, 0, 1));
    engine.shutdown().unwrap();
    assert_eq!(notes(&shard, &DeadLetterFilter::default()), [note], "it stays");
}
