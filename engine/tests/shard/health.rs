//! The health of a simulated fleet is the same to the bit however its events came, whoever folded them and how often.

use std::collections::BTreeMap;

use jiff::civil::date;
use tidewatch_engine::app::{Engine, Options};
use tidewatch_engine::read::answer::Asked;
use tidewatch_engine::read::digest;
use tidewatch_engine::read::health::history;
use tidewatch_engine::read::scan::AsOf;
use tidewatch_engine::read::snapshot::ReadSnapshot;
use tidewatch_ingest::fleet::{Fleet, SCENARIO_CYCLE, Shape};
use tidewatch_ingest::random::Random;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::health::{Health, Reason, State};

use crate::cells::view;
use crate::support::{Shard, import};

/// Long enough that accounts have paused, were merged, cancelled and ended.
const DAYS: i32 = 290;

/// Every scenario once, few events each.
fn fleet() -> Vec<String> {
    let shape = Shape {
        weekly_events_median: 12.0,
        weekly_events_max: 60.0,
        ..Shape::new(3, SCENARIO_CYCLE, date(2024, 1, 1))
    };
    let lines =
        |payload: Vec<u8>| String::from_utf8(payload).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    Fleet::new(shape).take(DAYS as usize).flat_map(|day| lines(day.payload)).collect()
}

/// What health says of one account at the end of one day: words, and numbers to the bit.
#[derive(PartialEq, Debug)]
struct Told {
    account: String,
    state: State,
    reason: Option<Reason>,
    band: Option<String>,
    profile: Option<usize>,
    /// Score and coverage; points, weight and contribution of every measure; weight and score of every group.
    bits: Vec<Option<u64>>,
}

impl Told {
    fn of(engine: &Engine, health: &Health) -> Self {
        let mut bits = vec![health.score().map(f64::to_bits), Some(health.coverage().to_bits())];
        if let Some(figures) = &health.figures {
            for measure in &figures.weighed.measures {
                let measured = [measure.measured.points, Some(measure.weight), Some(measure.contribution)];
                bits.extend(measured.map(|number| number.map(f64::to_bits)));
            }
            for group in &figures.weighed.groups {
                bits.extend([Some(group.weight), group.score].map(|number| number.map(f64::to_bits)));
            }
        }
        let view = engine.view().unwrap();
        Self {
            account: view.names.text(health.account).to_owned(),
            state: health.state,
            reason: health.reason,
            band: health.band.name(&view.plan.model).map(str::to_owned),
            profile: health.profile(),
            bits,
        }
    }
}

/// Every day end of every account, and the digest, which covers their health after the last event.
type Everything = (BTreeMap<(String, Day), Told>, String);

fn everything(engine: &Engine) -> Everything {
    let snapshot =
        ReadSnapshot { view: view(engine), history: engine.history(), tenant: "main".into(), workers: 2 };
    let asked = Asked { accounts: None, as_of: Vec::new(), model: None };
    let first = Day::parse("2024-01-01").unwrap();
    let accounts = history(&snapshot, &asked, first, first.plus(i64::from(DAYS))).unwrap();
    let mut days = BTreeMap::new();
    for of_account in &accounts {
        for (day, health) in &of_account.days {
            days.insert((of_account.account.clone(), *day), Told::of(engine, health));
        }
    }
    let digest = digest::of_view(&snapshot.view, &snapshot.history, AsOf::Last, 2).unwrap().to_string();
    (days, digest)
}

#[track_caller]
fn assert_same(found: &Everything, expected: &Everything, how: &str) {
    assert_eq!(found.0.len(), expected.0.len(), "{how}");
    for (key, told) in &expected.0 {
        assert_eq!(found.0.get(key), Some(told), "{how}: {key:?}");
    }
    assert_eq!(found.1, expected.1, "{how}");
}

/// Opens a shard, takes down everything, and closes it.
fn opened(shard: &Shard, workers: usize, discard_derived: bool) -> Everything {
    let options = Options { discard_derived, ..Options::new(Some(workers)) };
    let engine = Engine::open(&shard.path(), options, &|_, _| ()).unwrap();
    let found = everything(&engine);
    engine.shutdown().unwrap();
    found
}

#[test]
fn every_score_and_band_of_a_fleet_is_the_same_to_the_bit_however_it_came_about() {
    let lines = fleet();
    let shard = Shard::new();
    shard.import_lines("fleet", &lines);
    let expected = opened(&shard, 1, false);
    let seen = |wanted: &dyn Fn(&Told) -> bool| expected.0.values().filter(|told| wanted(told)).count();
    for state in [State::Scored, State::Frozen, State::Unknown, State::StatusExcluded] {
        assert!(seen(&|told| told.state == state) > 0, "no day is {state:?}");
    }
    for band in ["red", "yellow", "green"] {
        let days = seen(&|told| told.band.as_deref() == Some(band));
        assert!(days > 20, "only {days} days are {band}");
    }

    // A restart, with other numbers of workers; then everything derived is deleted and made anew.
    for (workers, discard_derived) in [(2, false), (7, false), (2, true)] {
        let found = opened(&shard, workers, discard_derived);
        assert_same(&found, &expected, &format!("{workers} workers, discarded: {discard_derived}"));
    }

    // The same events shuffled, in three files, into an engine that folds them as they come and is restarted on the way.
    for workers in [1, 2, 7] {
        let mut shuffled = lines.clone();
        Random::keyed(&[workers]).shuffle(&mut shuffled);
        let other = Shard::new();
        let parts: Vec<&[String]> = shuffled.chunks(shuffled.len().div_ceil(3)).collect();
        other.import_lines("fleet", parts[0]);
        let engine = other.open(workers as usize);
        for part in &parts[1..] {
            import(&engine, "fleet", None, &[other.file(part)]).unwrap();
        }
        assert_same(&everything(&engine), &expected, &format!("shuffled, as it came, {workers} workers"));
        engine.shutdown().unwrap();
    }
}
