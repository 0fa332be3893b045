//! The decide loop of a whole shard: history pages nobody, an account that goes quiet opens one case within days, and what was
//! decided survives a restart and is decided once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tidewatch_engine::app::{Engine, Options};
use tidewatch_engine::clock::Clock;
use tidewatch_engine::control::adoption::Adoption;
use tidewatch_engine::control::entry::{CaseChange, Control};
use tidewatch_engine::fold::view::View;
use tidewatch_engine::write::sequencer::Command;
use tidewatch_projections::alert::case::{Action, CaseState};
use tidewatch_projections::alert::change::Change;
use tidewatch_projections::alert::record::Transition;
use tidewatch_projections::calendar::{Calendar, Day};
use tidewatch_projections::event::Micros;
use tidewatch_projections::rules;

use crate::support::{Shard, import};
use crate::wait::wait_until;

const HOUR: Micros = 3_600_000_000;
/// 2024-03-04, a Monday.
const START: i32 = 19_786;
const HISTORY_DAYS: i32 = 140;
const ACCOUNTS: usize = 20;
const QUIET: &str = "account-07";

/// A clock that stands where it is put.
#[derive(Default)]
struct PutClock(AtomicI64);

impl Clock for PutClock {
    fn now(&self) -> Micros {
        self.0.load(Ordering::Relaxed)
    }
}

/// Every account's usage on a day: 10 to 29 events of a working day, none on a weekend.
fn usage(day: i32, is_active: impl Fn(&str) -> bool) -> Vec<String> {
    let of_account = |place: usize| {
        let account = format!("account-{place:02}");
        let date = Day(day).to_text();
        let quantity = 10 + place + (day as usize * 7 + place * 3) % 5;
        is_active(&account).then(|| {
            format!(
                r#"{{"id":"{account}-{date}","account":"{account}","user":"u1","type":"usage","occurred_at":"{date}T10:00:00Z","quantity":{quantity},"properties":{{"feature":"f"}}}}"#
            )
        })
    };
    match (day - START) % 7 {
        5 | 6 => Vec::new(),
        _ => (0..ACCOUNTS).filter_map(of_account).collect(),
    }
}

fn end(day: i32) -> Micros {
    Calendar::utc().end(Day(day))
}

struct Running {
    shard: Shard,
    clock: Arc<PutClock>,
    engine: Option<Engine>,
}

impl Running {
    /// A directory with years of history, which was all there before anybody decided.
    fn with(history: &[String]) -> Self {
        let mut running = Self { shard: Shard::new(), clock: Arc::default(), engine: None };
        running.set(START + HISTORY_DAYS - 1);
        running.open(false);
        running.engine().submit(Command::Adopt(Box::new(rules())), None).unwrap();
        import(running.engine(), "app", None, &[running.shard.file(history)]).unwrap();
        running.restart();
        running.decided(START + HISTORY_DAYS - 1);
        running
    }

    /// Puts the clock an hour past the close of a day.
    fn set(&self, day: i32) {
        self.clock.0.store(end(day) + 4 * HOUR, Ordering::Relaxed);
    }

    fn open(&mut self, decide: bool) {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let options = Options { clock, decide, ..Options::new(Some(2)) };
        self.engine = Some(Engine::open(&self.shard.path(), options, &|_, _| ()).unwrap());
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    fn restart(&mut self) {
        self.engine.take().unwrap().shutdown().unwrap();
        self.open(true);
    }

    /// Imports what a day brought, lets it close and waits until it is decided.
    fn live(&self, day: i32, is_active: impl Fn(&str) -> bool) -> Arc<View> {
        let lines = usage(day, is_active);
        if !lines.is_empty() {
            import(self.engine(), "app", None, &[self.shard.file(&lines)]).unwrap();
        }
        self.set(day);
        self.decided(day)
    }

    fn decided(&self, day: i32) -> Arc<View> {
        wait_until("the day is decided", || {
            let view = self.engine().view().unwrap();
            let through = view.control_state.alerts.decided_through;
            if through >= Some(Day(day)) { Ok(view) } else { Err((through, view.closed_through)) }
        })
    }

    /// Everything that was ever decided, in the order of the log.
    fn transitions(&self) -> Vec<Transition> {
        let mut transitions = Vec::new();
        let take = |_, control| {
            if let Control::AlertsDecided(part) = control {
                transitions.extend(part.decided.transitions);
            }
        };
        self.engine().history().controls(take).unwrap();
        transitions
    }

    fn changes_of(&self, account: &str) -> Vec<(String, Change, String)> {
        let all = self.transitions().into_iter().filter(|transition| *transition.account == *account);
        let told = all.filter(|transition| *transition.slot.rule == *"activity_drop");
        told.map(|told| (told.name.to_string(), told.change, told.cause.to_string())).collect()
    }
}

fn case_state(view: &View, account: &str) -> Option<CaseState> {
    let account = view.names.find(account)?;
    Some(view.control_state.alerts.account(account)?.case.as_ref()?.state)
}

/// The default rules, of which a new directory need not learn for two weeks.
fn rules() -> Adoption {
    Adoption::of_rules(rules::DEFAULT.replace("learning_days = 14", "learning_days = 0"))
}

#[test]
fn an_account_that_goes_quiet_opens_one_case_and_its_return_resolves_it() {
    // In the history one account had stopped: nobody is paged for it.
    let gone = "account-03";
    let last = START + HISTORY_DAYS - 1;
    let history = (START..=last)
        .flat_map(|day| usage(day, |account| account != gone || day < last - 20))
        .collect::<Vec<_>>();
    let mut running = Running::with(&history);
    let mut day = last + 1;
    running.live(day, |account| account != gone);
    assert!(running.transitions().iter().all(|transition| transition.change != Change::Open));
    let found = running.changes_of(gone);
    assert!(matches!(&found[..], [(_, Change::Found, _)]), "{found:?}");

    // Days as ever, then one account stops.
    for _ in 0..3 {
        day += 1;
        running.live(day, |account| account != gone);
    }
    assert_eq!(running.changes_of(QUIET), []);
    let stopped = day + 1;
    let opened = loop {
        day += 1;
        let view = running.live(day, |account| account != gone && account != QUIET);
        if case_state(&view, QUIET).is_some() {
            break view;
        }
        assert!(day < stopped + 10, "not within ten days");
    };
    assert_eq!(case_state(&opened, QUIET), Some(CaseState::Open));
    let [(name, Change::Open, _)] = &running.changes_of(QUIET)[..] else {
        panic!("{:?}", running.changes_of(QUIET))
    };
    assert!(["activity_drop", "gone_silent"].contains(&name.as_str()), "{name}");

    // A person takes it on; a restart changes nothing and decides nothing again.
    let acknowledge = CaseChange {
        account: QUIET.into(),
        author: "ann".into(),
        at: running.clock.now(),
        tells: false,
        action: Some(Action::Acknowledge),
    };
    running.engine().submit(Command::ChangeCase(acknowledge), None).unwrap();
    let decided = running.transitions();
    let before = running.engine().view().unwrap().control_state.alerts.clone();
    running.restart();
    let view = running.decided(day);
    assert_eq!(running.transitions(), decided);
    assert_eq!(view.control_state.alerts.decided_through, before.decided_through);
    assert_eq!(case_state(&view, QUIET), Some(CaseState::Acknowledged));

    // Back at work: resolved some days later, and the case with it.
    let resolved = loop {
        day += 1;
        let view = running.live(day, |account| account != gone);
        if case_state(&view, QUIET) == Some(CaseState::Resolved) {
            break running.changes_of(QUIET);
        }
        assert!(day < stopped + 40, "not within forty days: {:?}", running.changes_of(QUIET));
    };
    assert_eq!(
        resolved.last().map(|(_, change, cause)| (*change, cause.as_str())),
        Some((Change::Resolved, "back"))
    );
    let told_of_gone = running.transitions().into_iter();
    let told_of_gone: Vec<_> =
        told_of_gone.filter(|told| *told.account == *gone && told.change == Change::Open).collect();
    assert!(
        told_of_gone.is_empty(),
        "what was pending at the first close is found as well: {told_of_gone:?}"
    );
    let opens = running.transitions().into_iter().filter(|told| told.change == Change::Open);
    let sudden: Vec<_> = opens.filter(|told| *told.slot.rule == *"activity_drop").collect();
    assert_eq!(sudden.len(), 1, "{sudden:?}");
}

#[test]
fn nine_days_without_the_engine_are_each_decided_and_page_nobody() {
    let last = START + HISTORY_DAYS - 1;
    let history: Vec<_> = (START..=last).flat_map(|day| usage(day, |_| true)).collect();
    let mut running = Running::with(&history);
    let mut day = last + 1;
    running.live(day, |_| true);
    day += 1;
    running.live(day, |_| true);
    running.engine.take().unwrap().shutdown().unwrap();
    // Nine days pass, in which one account is quiet; the events of all others are read at once.
    running.set(day + 9);
    running.open(true);
    let missed: Vec<_> = (day + 1..=day + 9).flat_map(|day| usage(day, |account| account != QUIET)).collect();
    import(running.engine(), "app", None, &[running.shard.file(&missed)]).unwrap();
    running.decided(day + 9);
    let mut days: Vec<Day> = {
        let mut days = Vec::new();
        let take = |_, control| {
            if let Control::AlertsDecided(part) = control
                && part.is_last
            {
                days.push(part.day);
            }
        };
        running.engine().history().controls(take).unwrap();
        days
    };
    let expected: Vec<Day> = (0..10).map(|after| Day(day + after)).collect();
    assert_eq!(days.split_off(days.len() - 10), expected, "none is skipped, none decided twice");
    // Operators may hear of a day whose events were read after its close; account managers of none.
    let told: Vec<_> = running
        .transitions()
        .into_iter()
        .filter(|told| told.change == Change::Open && *told.account != *"*")
        .collect();
    let late = told.iter().filter(|told| told.day < Day(day + 7)).count();
    assert_eq!(late, 0, "{told:?}");
}
