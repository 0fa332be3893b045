//! What needs the log folded anew is folded beside what is served: everything else goes on, and one switch shows it.

use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex};

use tidewatch_engine::app::{Engine, Options};
use tidewatch_engine::control::adoption::Adoption;
use tidewatch_engine::fold::view::View;
use tidewatch_engine::position::Position;
use tidewatch_engine::read::digest;
use tidewatch_engine::read::scan::AsOf;
use tidewatch_engine::write::sequencer::Command;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::settings::{ClosedDays, Scope};

use crate::support::{Shard, import};
use crate::wait::wait_until;

const MODEL: &str = "[metrics]\ncalls = { agg = 'count', filter = { type = 'touchpoint_held' } }\n";
const OTHER_MODEL: &str = "[metrics]\nuses = { agg = 'count', filter = { type = 'usage' } }\n";

/// Stands in the way of a fold after its first frame, until it is opened.
#[derive(Default)]
struct Gate {
    state: Mutex<(u64, bool)>,
    changed: Condvar,
}

impl Gate {
    /// A fold came by.
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |(_, is_open)| !*is_open).unwrap());
    }

    /// Waits until folds have come by so often.
    fn wait_for(&self, passes: u64) {
        drop(self.changed.wait_while(self.state.lock().unwrap(), |state| state.0 < passes).unwrap());
    }

    fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

/// Opens a gate when a test ends, so that the engine of one that fails ends too.
struct Opened(Arc<Gate>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.open();
    }
}

impl Deref for Opened {
    type Target = Gate;

    fn deref(&self) -> &Gate {
        &self.0
    }
}

/// The gate is dropped before the engine.
fn open(shard: &Shard) -> (Engine, Opened) {
    let gate = Opened(Arc::default());
    let passed = Arc::clone(&gate.0);
    let options = Options { refold_progress: Arc::new(move |_, _| passed.pass()), ..Options::new(Some(2)) };
    (Engine::open(&shard.path(), options, &|_, _| ()).unwrap(), gate)
}

/// Usage and calls of three accounts on the days of a month.
fn lines(days: std::ops::Range<u32>) -> Vec<String> {
    let of_day = |day: u32| {
        ["acme", "globex", "initech"].map(|account| {
            let (kind, properties) = match day % 3 {
                0 => ("touchpoint_held", r#""kind":"call""#),
                _ => ("usage", r#""feature":"f""#),
            };
            format!(
                r#"{{"id":"{account}-{day}","account":"{account}","user":"u","type":"{kind}","occurred_at":"2024-02-{day:02}T23:30:00Z","properties":{{{properties}}}}}"#
            )
        })
    };
    days.flat_map(of_day).collect()
}

fn adopt(engine: &Engine, adoption: Adoption) -> Position {
    engine.submit(Command::Adopt(Box::new(adoption)), None).unwrap()
}

fn zone(zone: &str) -> Adoption {
    Adoption { zone: Some(zone.into()), ..Adoption::default() }
}

fn view_of_all_durable(engine: &Engine) -> Arc<View> {
    let durable = *engine.durable().borrow();
    wait_until("a view of all that is durable", || {
        let view = engine.view().unwrap();
        if view.position.seq >= durable { Ok(view) } else { Err(view.position.seq) }
    })
}

fn view_that_shows(engine: &Engine, position: Position) -> Arc<View> {
    wait_until("a view that shows what was adopted", || {
        let view = engine.view().unwrap();
        if view.shows(position.seq) { Ok(view) } else { Err((view.position.seq, engine.refolding(&view))) }
    })
}

/// The digest of a view and the log below it, read as answers read it.
fn digest_of(engine: &Engine, view: &View) -> String {
    let history = engine.history().until(view.position.seq).under(&view.control_state);
    digest::of_view(view, &history, AsOf::Last, 2).unwrap().to_string()
}

/// Ends the engine; its last view is what a rebuild shows.
fn shut_down_as_rebuilt(shard: &Shard, engine: Engine, digest: &str) {
    engine.shutdown().unwrap();
    assert_eq!(shard.digest(1), digest);
}

#[test]
fn events_are_taken_and_answered_while_another_model_is_folded() {
    let (shard, as_before) = (Shard::new(), Shard::new());
    shard.import_lines("app", &lines(1..9));
    as_before.import_lines("app", &lines(1..9));
    let (engine, gate) = open(&shard);
    let adopted = adopt(&engine, Adoption::of_model(MODEL));
    gate.wait_for(1);

    // Nothing of the fold moves from here on.
    for day in 9..20 {
        let file = shard.file(&lines(day..day + 1));
        assert_eq!(import(&engine, "app", None, &[file]).unwrap().receipt.accepted, 3);
        let view = view_of_all_durable(&engine);
        assert_eq!(view.tenant.events, u64::from(day) * 3, "what is accepted is seen");
        assert!(!view.shows(adopted.seq) && view.shows(view.position.seq));
    }
    let view = view_of_all_durable(&engine);
    let progress = engine.refolding(&view).unwrap();
    assert_eq!(progress.since_seq, adopted.seq);
    assert!(progress.folded_seq > 0 && progress.folded_seq < adopted.seq, "{progress:?}");
    as_before.import_lines("app", &lines(9..20));
    assert_eq!(digest_of(&engine, &view), as_before.digest(1), "until then nothing of the adoption shows");

    gate.open();
    let view = view_that_shows(&engine, adopted);
    assert_eq!(view.plan.model.metrics[0].name, "calls");
    assert_eq!((view.tenant.events, engine.refolding(&view)), (19 * 3, None));
    let digest = digest_of(&engine, &view);
    shut_down_as_rebuilt(&shard, engine, &digest);
}

#[test]
fn of_several_adoptions_during_a_fold_the_last_state_shows() {
    let shard = Shard::new();
    shard.import_lines("app", &lines(1..9));
    let (engine, gate) = open(&shard);
    adopt(&engine, Adoption::of_model(MODEL));
    gate.wait_for(1);
    adopt(&engine, zone("Asia/Tokyo"));
    gate.wait_for(2);
    let day = Day::parse("2024-02-20").unwrap();
    let closed_days = Some(vec![ClosedDays { scope: Scope::All, from: day, to: day }]);
    adopt(&engine, Adoption { closed_days, ..Adoption::default() });
    let last = adopt(&engine, Adoption::of_model(OTHER_MODEL));
    gate.wait_for(3);
    let file = shard.file(&lines(9..12));
    import(&engine, "app", None, &[file]).unwrap();
    let view = view_of_all_durable(&engine);
    let settings = &view.control_state.settings;
    assert_eq!((&*settings.zone, settings.closed_days.len()), ("UTC", 0), "they show together or not at all");

    // The same again logs nothing, and its position promises no more than the first one's.
    assert_eq!(adopt(&engine, Adoption::of_model(OTHER_MODEL)), last);

    gate.open();
    let view = view_that_shows(&engine, last);
    let settings = &view.control_state.settings;
    assert_eq!((&*settings.zone, settings.closed_days.len()), ("Asia/Tokyo", 1));
    assert_eq!(view.plan.model.metrics[0].name, "uses");
    let digest = digest_of(&engine, &view);
    shut_down_as_rebuilt(&shard, engine, &digest);
}

#[test]
fn a_source_that_starts_over_is_never_counted_twice_or_not_at_all() {
    let shard = Shard::new();
    shard.import_lines("app", &lines(1..9));
    let before = shard.digest(1);
    let (engine, gate) = open(&shard);
    let reset = Command::ResetSource { source: "app".into(), mapping_digest: "".into() };
    let reset = engine.submit(reset, None).unwrap();
    gate.wait_for(1);
    let file = shard.file(&lines(1..9));
    let again = import(&engine, "app", None, &[file]).unwrap().receipt;
    assert_eq!(again.accepted, 8 * 3);
    let view = view_of_all_durable(&engine);
    assert_eq!(
        digest_of(&engine, &view),
        before,
        "what it brought before counts until what it brings now does"
    );
    assert!(!view.shows(reset.seq) && !view.shows(again.last_seq), "a read of what it brings now waits");

    gate.open();
    let view = view_that_shows(&engine, engine.position(again.last_seq));
    assert_eq!(view.tenant.events, 8 * 3);
    let digest = digest_of(&engine, &view);
    assert_eq!(digest, before);
    shut_down_as_rebuilt(&shard, engine, &digest);
}

#[test]
fn a_shard_that_stops_in_the_middle_opens_under_what_was_adopted() {
    let shard = Shard::new();
    shard.import_lines("app", &lines(1..9));
    let (engine, gate) = open(&shard);
    let adopted = adopt(&engine, zone("America/New_York"));
    gate.wait_for(1);
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| engine.shutdown());
        gate.open();
        stopped.join().unwrap().unwrap();
    });
    let engine = shard.open(3);
    let view = engine.view().unwrap();
    assert!(view.shows(adopted.seq));
    assert_eq!(&*view.control_state.settings.zone, "America/New_York");
    let digest = digest_of(&engine, &view);
    shut_down_as_rebuilt(&shard, engine, &digest);
}
