use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::date;
use tidewatch_projections::event::Event;
use tidewatch_projections::names::Names;
use tidewatch_projections::vocabulary::{EventType, Family, KNOWN_TYPES};

use super::*;
use crate::batch::{Outcome, RawBatch};
use crate::checkpoint::Checkpoint;
use crate::decode::{Decoder, Format};
use crate::limits::Limits;
use crate::source::Source;

const HISTORY_DAYS: usize = 425;

fn shape(accounts: usize) -> Shape {
    Shape { weekly_events_max: 600.0, ..Shape::new(7, accounts, date(2025, 1, 6)) }
}

/// The events of fourteen months, decoded by the real decoder, and the names they use.
fn history(accounts: usize) -> (Truth, Arc<Names>, Vec<Event>) {
    let names = Arc::new(Names::new());
    let fleet = Fleet::new(shape(accounts));
    let truth = fleet.truth().clone();
    let end = MICROS_PER_DAY * (i64::from(epoch_day(fleet.shape().begin)) + HISTORY_DAYS as i64);
    let mut source = FleetSource::new("fleet", &names, fleet, Horizon::new(end));
    let decoder = Decoder::new(Arc::clone(&names), "main", "fleet", Limits::default(), Format::Native);
    let mut events = Vec::new();
    loop {
        let mut raw = RawBatch::default();
        source.poll(Duration::ZERO, &mut raw).unwrap();
        if raw.records.is_empty() {
            break;
        }
        let batch = decoder.decode(raw);
        for item in batch.items {
            match item.outcome {
                Outcome::Event { event, .. } => events.push(*event),
                refused => panic!("{refused:?}: {}", String::from_utf8_lossy(&batch.payload[item.bytes])),
            }
        }
    }
    assert_eq!(source.complete_through(), Some(end));
    (truth, names, events)
}

fn counts(event: &Event) -> bool {
    matches!(event.kind.family(), Some(Family::Usage | Family::Value))
}

/// The UTC day of an event, from the fleet's first one.
fn day_of(event: &Event) -> i64 {
    event.occurred_at.div_euclid(MICROS_PER_DAY) - i64::from(epoch_day(date(2025, 1, 6)))
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let bytes = |seed: u64| -> Vec<u8> {
        let shape = Shape { seed, ..shape(SCENARIO_CYCLE) };
        Fleet::new(shape).take(40).flat_map(|day| day.payload).collect()
    };
    assert!(!bytes(7).is_empty());
    assert_eq!(blake3::hash(&bytes(7)), blake3::hash(&bytes(7)));
    assert_ne!(blake3::hash(&bytes(7)), blake3::hash(&bytes(8)));
}

#[test]
fn every_account_says_who_owns_it() {
    let payload: Vec<u8> = Fleet::new(shape(SCENARIO_CYCLE)).take(20).flat_map(|day| day.payload).collect();
    let (mut all, mut owned) = (BTreeSet::new(), BTreeSet::new());
    for line in payload.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: serde_json::Value = serde_json::from_slice(line).expect("a line of JSON");
        let Some(account) = line["account"].as_str() else { continue };
        all.insert(account.to_owned());
        if line["properties"]["roles"]["owner"].as_str().is_some_and(|owner| !owner.is_empty()) {
            owned.insert(account.to_owned());
        }
    }
    assert_eq!(all, owned);
    assert!(!all.is_empty());
}

#[test]
fn the_bytes_do_not_change_unnoticed() {
    let payload: Vec<u8> = Fleet::new(shape(SCENARIO_CYCLE)).take(20).flat_map(|day| day.payload).collect();
    assert_eq!(
        &blake3::hash(&payload).to_hex()[..16],
        "4aa8ee887a09d771",
        "other bytes: raise VERSION in stream.rs"
    );
}

#[test]
fn lines_are_in_order_and_each_has_an_id_of_its_own() {
    let mut last = i64::MIN;
    let mut ids = BTreeSet::new();
    for day in Fleet::new(shape(SCENARIO_CYCLE)).take(60) {
        for line in &day.lines {
            assert!(line.at >= last);
            last = line.at;
            let text = std::str::from_utf8(&day.payload[line.bytes.clone()]).unwrap();
            let id = text.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} twice");
        }
    }
}

#[test]
fn every_type_of_the_contract_appears_and_decodes() {
    let (_, _, events) = history(2 * SCENARIO_CYCLE);
    let seen: BTreeSet<EventType> = events.iter().map(|event| event.kind).collect();
    let missing: Vec<&str> =
        KNOWN_TYPES.iter().filter(|(kind, _, _)| !seen.contains(kind)).map(|(_, name, _)| *name).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(seen.len(), KNOWN_TYPES.len(), "no other type");
}

#[test]
fn accounts_do_what_the_truth_says() {
    let (truth, names, events) = history(2 * SCENARIO_CYCLE);
    let mut days: BTreeMap<&str, BTreeMap<i64, u32>> = BTreeMap::new();
    for event in events.iter().filter(|event| counts(event)) {
        let account = names.text(event.account().unwrap());
        *days.entry(account).or_default().entry(day_of(event)).or_default() += 1;
    }
    let first = epoch_day(date(2025, 1, 6));
    for account in &truth.accounts {
        let empty = BTreeMap::new();
        let used = days.get(account.id.as_str()).unwrap_or(&empty);
        let between =
            |from: i64, to: i64| used.range(from..to).map(|(_, count)| f64::from(*count)).sum::<f64>();
        if let Some(quiet) = account.quiet_from {
            let quiet = i64::from(epoch_day(quiet) - first);
            // A local day may end on the next UTC day.
            assert_eq!(between(quiet + 1, i64::MAX), 0.0, "{account:?} goes on after day {quiet}");
        }
        if matches!(account.scenario, Scenario::Steady) {
            // Twenty weeks before the turning points, holidays of spring included.
            let weekly = between(7, 147) / 20.0;
            let off = if account.rhythm == Rhythm::Sporadic { 2.5 } else { 1.35 };
            let slack = 3.0 * (account.weekly_events / 20.0).sqrt();
            assert!(
                weekly <= account.weekly_events * off + slack
                    && weekly >= account.weekly_events / off - slack,
                "{weekly} a week for {account:?}"
            );
        }
        if account.scenario == Scenario::Growing
            && account.rhythm != Rhythm::Sporadic
            && account.weekly_events > 30.0
        {
            assert!(between(300, 350) > 1.3 * between(0, 50), "{account:?}");
        }
    }
}

#[test]
fn nobody_sends_telemetry_during_the_outage() {
    let (truth, _, events) = history(SCENARIO_CYCLE);
    let first = i64::from(epoch_day(truth.outage.0) - epoch_day(date(2025, 1, 6)));
    let on = |day: i64| events.iter().filter(|event| counts(event) && day_of(event) == day).count();
    // In every zone of the fleet the outage covers this day's hours from 09:00 to 24:00 UTC and the next one's to 15:00.
    assert!(on(first - 7) > 4 * (on(first) + on(first + 1)), "{} {}", on(first - 7), on(first));
    assert!(on(first + 5) > 0);
}

#[test]
fn a_resumed_source_goes_on_where_it_stopped() {
    let names = Names::new();
    let end = MICROS_PER_DAY * (i64::from(epoch_day(date(2025, 1, 6))) + 12);
    let source = || {
        FleetSource::new("fleet", &names, Fleet::new(shape(SCENARIO_CYCLE)), Horizon::new(end))
            .with_batch_bytes_max(20_000)
    };
    let drain = |source: &mut FleetSource, batches: usize| {
        let (mut text, mut progress) = (Vec::new(), Vec::new());
        for _ in 0..batches {
            let mut raw = RawBatch::default();
            source.poll(Duration::ZERO, &mut raw).unwrap();
            text.extend_from_slice(&raw.payload);
            progress = if raw.progress.is_empty() { progress } else { raw.progress };
        }
        (text, progress)
    };
    let (whole, last) = drain(&mut source(), 1_000);
    let (before, progress) = drain(&mut source(), 3);
    let mut resumed = source();
    resumed.resume(&progress).unwrap();
    let (after, end_of_resumed) = drain(&mut resumed, 1_000);
    assert!(!after.is_empty());
    assert_eq!([before, after].concat(), whole);
    assert_eq!(end_of_resumed, last);
    assert!(matches!(&last[0], Checkpoint::File(at) if at.byte == whole.len() as u64 + at.line));
}

#[test]
fn time_passes_only_as_its_owner_says() {
    let names = Names::new();
    let begin = MICROS_PER_DAY * i64::from(epoch_day(date(2025, 1, 6)));
    let horizon = Horizon::new(begin - MICROS_PER_DAY);
    let mut source =
        FleetSource::new("fleet", &names, Fleet::new(shape(SCENARIO_CYCLE)), Arc::clone(&horizon));
    let mut raw = RawBatch::default();
    source.poll(Duration::ZERO, &mut raw).unwrap();
    assert!(raw.records.is_empty());
    assert_eq!(source.complete_through(), Some(begin - MICROS_PER_DAY));
    horizon.advance(begin + MICROS_PER_DAY);
    horizon.advance(begin);
    source.poll(Duration::ZERO, &mut raw).unwrap();
    assert!(!raw.records.is_empty());
    assert_eq!(source.complete_through(), Some(begin + MICROS_PER_DAY));
}
