//! The sequencer alone, on a disk in memory.

use std::sync::Arc;

use tidewatch_ingest::batch::{Batch, Item, Origin, Outcome};
use tidewatch_ingest::checkpoint::{Checkpoint, PartitionCheckpoint};
use tidewatch_ingest::content;
use tidewatch_projections::event::{Actor, Event, Micros, Subject};
use tidewatch_projections::names::Names;
use tidewatch_projections::value::Value;
use tidewatch_projections::vocabulary::EventType;

use super::*;
use crate::storage::dedup::DedupOptions;
use crate::storage::disk::simulated::{Faults, SimulatedDisk};

const HOUR_US: Micros = 3_600_000_000;
const DAY_US: Micros = 24 * HOUR_US;
const NOW: Micros = 20_000 * DAY_US;

fn checkpoint(next_offset: i64) -> PartitionCheckpoint {
    PartitionCheckpoint {
        source: "app".into(),
        cluster: "c".into(),
        topic: "t".into(),
        topic_id: "i".into(),
        partition: 0,
        leader_epoch: -1,
        next_offset,
    }
}

struct Bench {
    names: Arc<Names>,
    sequencer: Sequencer,
    next_reply_id: ReplyId,
    generation: u32,
}

impl Bench {
    fn new() -> Self {
        let names = Arc::new(Names::new());
        let options = DedupOptions { dir: "dedup".into(), lineage: 1, memory_bytes_max: 1 << 20 };
        let (dedup, _) = Dedup::open(Arc::new(SimulatedDisk::new(1, Faults::default())), options, 0).unwrap();
        let identity = Identity::new(&[1; 16], "main");
        let sequencer = Sequencer::new(Arc::clone(&names), identity, dedup, 1);
        Self { names, sequencer, next_reply_id: 1, generation: 0 }
    }

    fn step(&mut self, input: Input, now: Micros) -> Vec<Emit> {
        let mut out = Vec::new();
        self.sequencer.step(input, now, &mut out).unwrap();
        out
    }

    fn reply_id(&mut self) -> ReplyId {
        self.next_reply_id += 1;
        self.next_reply_id - 1
    }

    fn command(&mut self, command: Command) -> Vec<Emit> {
        let reply_id = self.reply_id();
        self.step(Input::Command { reply_id, command, request: None }, NOW)
    }

    fn opened(&mut self, source: &str, streams: bool) -> Vec<Emit> {
        let (source, mapping_digest) = (source.into(), "".into());
        let open = OpenSource { source, mapping_digest, accept_new_mapping: false, streams };
        let reply_id = self.reply_id();
        self.step(Input::OpenSource { reply_id, open, request: None }, NOW)
    }

    fn events(&mut self, ids: &[&str], offset: i64) -> Vec<Emit> {
        let items = ids.iter().map(|id| self.item(id, NOW - DAY_US)).collect();
        self.batch(items, offset)
    }

    fn batch(&mut self, items: Vec<Item>, offset: i64) -> Vec<Emit> {
        let progress = vec![Checkpoint::Kafka(checkpoint(offset))];
        let batch = Batch { source: self.names.intern("app"), payload: b"raw".to_vec(), items, progress };
        let reply_id = self.reply_id();
        self.step(Input::Batch { reply_id, generation: self.generation, batch }, NOW)
    }

    fn item(&self, id: &str, occurred_at: Micros) -> Item {
        let event = Event {
            source: self.names.intern("app"),
            generation: 0,
            id: id.into(),
            subject: Subject::Account(self.names.intern("acme")),
            user: None,
            actor: Actor::Person,
            product: None,
            kind: EventType::Usage,
            occurred_at,
            quantity: None,
            amount: None,
            feature: Some(self.names.intern("f")),
            metric: None,
            properties: Vec::new(),
            unknown: Box::default(),
        };
        let fingerprint = content::fingerprint(&self.names, &event);
        let origin = Origin::Line { digest: self.names.intern("d"), line: 1 };
        Item {
            outcome: Outcome::Event { event: Box::new(event), fingerprint },
            bytes: 0..3,
            whole_bytes: 3,
            origin,
        }
    }
}

/// What was put out, in words: frames by their sequences and control entry, answers by their reply id.
fn told(emits: &[Emit]) -> Vec<String> {
    let word = |emit: &Emit| match emit {
        Emit::Answer(Answer::Batch(id, _) | Answer::OpenSource(id, _) | Answer::Command(id, _)) => {
            format!("answer {id}")
        }
        Emit::Frame(filled) => {
            let control = filled.control.as_ref().map_or("", Control::name);
            format!("frame {}+{} {control}", filled.frame.first_seq, filled.frame.count).trim_end().to_owned()
        }
    };
    emits.iter().map(word).collect()
}

#[test]
fn answers_stand_behind_the_frames_they_depend_on() {
    let mut bench = Bench::new();
    assert_eq!(
        told(&bench.events(&["1", "2"], 2)),
        ["frame 1+2 type_fed"],
        "the first of its type closes a frame"
    );
    assert_eq!(told(&bench.step(Input::WriterFree, NOW)), ["frame 3+1", "answer 1"]);
    assert_eq!(told(&bench.events(&["3"], 3)), [""; 0]);
    assert_eq!(told(&bench.events(&["3"], 4)), [""; 0], "a duplicate waits for the frame of its event");
    assert_eq!(told(&bench.step(Input::WriterFree, NOW)), ["frame 4+1", "answer 2", "answer 3"]);
}

#[test]
fn progress_lies_in_the_frame_of_the_last_record_it_covers() {
    let mut bench = Bench::new();
    let first = bench.events(&["1", "2"], 2);
    let [Emit::Frame(first)] = first.as_slice() else { panic!("one frame closed") };
    assert_eq!(first.frame.progress.checkpoints, [], "record 2 is not in it");
    let rest = bench.step(Input::WriterFree, NOW);
    let [Emit::Frame(rest), Emit::Answer(_)] = rest.as_slice() else { panic!("the rest and its answer") };
    assert_eq!(rest.frame.progress.checkpoints.len(), 1);
}

#[test]
fn an_earlier_day_is_fed_anew_and_a_later_one_is_not() {
    let mut bench = Bench::new();
    bench.events(&["1"], 1);
    let item = bench.item("2", NOW - DAY_US + 1);
    assert_eq!(told(&bench.batch(vec![item], 2)), [""; 0]);
    let item = bench.item("3", NOW - 3 * DAY_US);
    let emits = bench.batch(vec![item], 3);
    let [Emit::Frame(filled), ..] = emits.as_slice() else { panic!("the frame was closed") };
    let fed = Control::TypeFed {
        kind: "usage".into(),
        earliest_at: Some(NOW - 3 * DAY_US),
        earliest_user_at: None,
    };
    assert_eq!(filled.control, Some(fed));
}

#[test]
fn without_streams_the_clock_follows_the_wall_and_days_close_one_at_a_time() {
    let mut bench = Bench::new();
    let clocks = |emits: &[Emit]| -> Vec<Micros> {
        let at = |emit: &Emit| match emit {
            Emit::Frame(filled) => match filled.control {
                Some(Control::ClockAdvanced { at }) => Some(at),
                _ => None,
            },
            Emit::Answer(_) => None,
        };
        emits.iter().filter_map(at).collect()
    };
    assert_eq!(clocks(&bench.step(Input::Tick, NOW)), [NOW]);
    assert_eq!(clocks(&bench.step(Input::Tick, NOW + 1_000_000)), [0; 0], "small steps are not logged");
    let later = NOW + 2 * DAY_US + HOUR_US;
    let closes = [NOW + 3 * HOUR_US, NOW + DAY_US + 3 * HOUR_US];
    assert_eq!(clocks(&bench.step(Input::Tick, later)), [closes[0], closes[1], later]);
}

#[test]
fn the_clock_never_passes_a_stream() {
    let mut bench = Bench::new();
    let source = bench.names.intern("app");
    let slow = bench.names.intern("slow");
    bench.opened("app", true);
    bench.sequencer.expect_stream(slow);
    bench.step(Input::CompleteThrough { source, generation: 0, at: NOW }, NOW);
    bench.step(Input::Tick, NOW);
    assert_eq!(bench.sequencer.control_state().clock_at, None, "one stream is not known yet");
    bench.step(Input::CompleteThrough { source: slow, generation: 0, at: NOW - DAY_US }, NOW);
    bench.step(Input::Tick, NOW);
    assert_eq!(bench.sequencer.control_state().clock_at, Some(NOW - DAY_US));
    bench.opened("slow", true);
    bench.command(Command::RetireSource { source: "slow".into() });
    bench.step(Input::Tick, NOW + HOUR_US);
    assert_eq!(bench.sequencer.control_state().clock_at, Some(NOW));
    bench.opened("app", false);
    bench.step(Input::Tick, NOW + 2 * HOUR_US);
    assert_eq!(bench.sequencer.control_state().clock_at, Some(NOW), "a file under its name ends no stream");
    bench.command(Command::RetireSource { source: "app".into() });
    bench.step(Input::CompleteThrough { source, generation: 0, at: NOW }, NOW);
    bench.step(Input::Tick, NOW + 2 * HOUR_US);
    assert_eq!(bench.sequencer.control_state().clock_at, Some(NOW + 2 * HOUR_US));
}

#[test]
fn a_stream_that_the_log_knows_is_waited_for_before_it_is_opened() {
    let mut bench = Bench::new();
    let source = bench.names.intern("app");
    let emits = bench.opened("app", true);
    let mut later = Bench::new();
    for emit in emits {
        if let Emit::Frame(filled) = emit {
            filled.entries.iter().for_each(|(seq, entry)| later.sequencer.recover(*seq, entry).unwrap());
        }
    }
    later.sequencer.recovered(None, Vec::new()).unwrap();
    later.step(Input::Tick, NOW);
    assert_eq!(later.sequencer.control_state().clock_at, None);
    assert_eq!(later.sequencer.control_state().streaming().collect::<Vec<_>>(), [source]);
}

#[test]
fn only_a_known_source_can_be_retired_or_reset() {
    let mut bench = Bench::new();
    bench.opened("app", true);
    for command in [
        Command::ResetSource { source: "apq".into(), mapping_digest: "".into() },
        Command::RetireSource { source: "apq".into() },
    ] {
        let emits = bench.command(command);
        let [Emit::Answer(Answer::Command(_, Err(refused)))] = emits.as_slice() else {
            panic!("refused: {:?}", told(&emits))
        };
        assert_eq!(refused.to_string(), "no source \"apq\" was ever opened here; the log knows app");
    }
}

#[test]
fn a_merge_that_was_taken_back_makes_no_cycle() {
    let mut bench = Bench::new();
    let merge = |bench: &Bench, id: &str, from: &str, into: &str| {
        let mut item = bench.item(id, NOW - DAY_US);
        let Outcome::Event { event, .. } = &mut item.outcome else { unreachable!("an event was made") };
        event.kind = EventType::AccountMerged;
        event.subject = Subject::Account(bench.names.intern(from));
        event.properties = vec![(bench.names.intern("into_account"), Value::Text(into.into()))];
        item
    };
    let (there, back) = (merge(&bench, "1", "acme", "globex"), merge(&bench, "2", "globex", "acme"));
    let rejected = |emits: &[Emit]| {
        let taken = emits.iter().rev().find_map(|emit| match emit {
            Emit::Answer(Answer::Batch(_, Ok(receipt))) => Some(receipt.rejected_count()),
            _ => None,
        });
        taken.expect("the batch was taken")
    };
    bench.batch(vec![there], 1);
    bench.batch(vec![back.clone()], 2);
    assert_eq!(rejected(&bench.step(Input::WriterFree, NOW)), 1, "a cycle");
    let command = Command::ResetSource { source: "app".into(), mapping_digest: "".into() };
    bench.step(Input::Command { reply_id: 90, command, request: None }, NOW);
    bench.generation = 1;
    let mut emits = bench.batch(vec![back], 3);
    emits.extend(bench.step(Input::WriterFree, NOW));
    assert_eq!(rejected(&emits), 0, "what came before the reset counts no more");
}

#[test]
fn what_a_reader_proved_before_its_source_was_reset_moves_no_clock() {
    let mut bench = Bench::new();
    let source = bench.names.intern("app");
    bench.opened("app", true);
    bench.step(Input::CompleteThrough { source, generation: 0, at: NOW }, NOW);
    let command = Command::ResetSource { source: "app".into(), mapping_digest: "".into() };
    bench.step(Input::Command { reply_id: 90, command, request: None }, NOW);
    bench.step(Input::Tick, NOW);
    assert_eq!(bench.sequencer.control_state().clock_at, None, "its records are to come again");
    bench.events(&["1"], 1);
    bench.step(Input::CompleteThrough { source, generation: 0, at: NOW }, NOW);
    bench.step(Input::Tick, NOW);
    assert_eq!(bench.sequencer.control_state().clock_at, None, "its records were refused");
    bench.step(Input::CompleteThrough { source, generation: 1, at: NOW }, NOW);
    bench.step(Input::Tick, NOW);
    assert_eq!(bench.sequencer.control_state().clock_at, Some(NOW));
}

#[test]
fn a_wall_clock_that_jumps_back_changes_no_order() {
    let mut bench = Bench::new();
    bench.step(Input::Tick, NOW);
    let wall = bench.sequencer.control_state().wall_at;
    let emits = bench.step(Input::Tick, NOW - DAY_US);
    assert_eq!(told(&emits), [""; 0]);
    assert_eq!(bench.sequencer.control_state().wall_at, wall);
    bench.events(&["1", "2"], 1);
    let emits = bench.step(Input::WriterFree, NOW - DAY_US);
    let [Emit::Frame(filled), ..] = emits.as_slice() else { panic!("a frame") };
    assert_eq!(filled.frame.recorded_at, NOW);
}

#[test]
fn a_reset_forgets_how_far_its_own_source_was_read() {
    let mut bench = Bench::new();
    let at = |bench: &Bench| -> Vec<(String, i64)> {
        let of = |at: &Checkpoint| match at {
            Checkpoint::Kafka(at) => (at.source.clone(), at.next_offset),
            Checkpoint::File(_) => panic!("no file was read"),
        };
        bench.sequencer.checkpoints().map(of).collect()
    };
    bench.events(&["1"], 1);
    let other = PartitionCheckpoint { source: "other".into(), next_offset: 7, ..checkpoint(1) };
    let batch = Batch {
        source: bench.names.intern("other"),
        payload: Vec::new(),
        items: Vec::new(),
        progress: vec![Checkpoint::Kafka(other)],
    };
    bench.step(Input::Batch { reply_id: 80, generation: 0, batch }, NOW);
    assert_eq!(at(&bench), [("app".to_owned(), 1), ("other".to_owned(), 7)], "one topic, two sources");
    let command = Command::ResetSource { source: "app".into(), mapping_digest: "".into() };
    let emits = bench.step(Input::Command { reply_id: 90, command, request: None }, NOW);
    assert_eq!(at(&bench), [("other".to_owned(), 7)]);
    let [Emit::Frame(reset), ..] = emits.as_slice() else { panic!("a frame with the reset") };
    assert_eq!(reset.frame.progress.forgotten, ["app"]);
}

#[test]
fn records_read_before_a_reset_are_not_taken_after_it() {
    let mut bench = Bench::new();
    bench.events(&["1"], 1);
    let command = Command::ResetSource { source: "app".into(), mapping_digest: "".into() };
    bench.step(Input::Command { reply_id: 90, command, request: None }, NOW);
    let emits = bench.events(&["2"], 2);
    assert!(matches!(
        emits.as_slice(),
        [Emit::Answer(Answer::Batch(_, Err(CommandError::SourceWasReset { opened: 0, current: 1, .. })))]
    ));
}

#[test]
fn a_dead_letter_past_the_limit_says_what_is_kept_and_at_the_limit_it_is_whole() {
    let mut bench = Bench::new();
    let refusal = Rejection::new(Reason::BadField, "ü".repeat(400));
    let mut letters = Vec::new();
    for (length, whole_bytes) in [
        (ORIGINAL_BYTES_MAX, ORIGINAL_BYTES_MAX),
        (ORIGINAL_BYTES_MAX + 1, ORIGINAL_BYTES_MAX + 1),
        (ORIGINAL_BYTES_MAX, ORIGINAL_BYTES_MAX + 1),
        (ORIGINAL_BYTES_MAX, ORIGINAL_BYTES_MAX + 2),
        (3, 4),
    ] {
        let outcome = Outcome::Rejected(refusal.clone());
        let origin = Origin::Line { digest: bench.names.intern("d"), line: 1 };
        let items = vec![Item { outcome, bytes: 0..length, whole_bytes: whole_bytes as u64, origin }];
        let payload = vec![b'x'; length];
        let batch = Batch { source: bench.names.intern("app"), payload, items, progress: Vec::new() };
        let mut emits = bench.step(Input::Batch { reply_id: 1, generation: 0, batch }, NOW);
        emits.extend(bench.step(Input::WriterFree, NOW));
        for emit in emits {
            let Emit::Frame(filled) = emit else { continue };
            for (_, entry) in filled.entries {
                let Entry::DeadLetter(letter) = entry else { panic!("only dead letters were sent") };
                letters.push(letter);
            }
        }
    }
    let said: Vec<_> = letters
        .iter()
        .map(|letter| {
            let remark = letter.detail.rsplit_once("; ").map_or("", |(_, remark)| remark);
            (letter.is_cut(), letter.original.len(), remark, letter.detail.len() <= 512)
        })
        .collect();
    assert_eq!(
        said,
        [
            (false, 8_388_608, "", true),
            (true, 8_388_608, "kept the first 8388608 of 8388609 bytes", true),
            (true, 8_388_608, "kept the first 8388608 of 8388610 bytes", true),
            (true, 3, "kept the first 3 of 4 bytes", true),
        ],
        "the same beginning of the same length is the same dead letter"
    );
}
