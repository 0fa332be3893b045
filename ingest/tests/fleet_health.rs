//! What the default model says of the simulated fleet: of those who left, who are not connected, who are new, and of nights and
//! holidays on which nothing happened to anybody.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::civil::{Date, date};
use tidewatch_ingest::batch::{Outcome, RawBatch};
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::fleet::{
    AccountTruth, Fleet, FleetSource, Horizon, SCENARIO_CYCLE, Scenario, Shape, Truth,
};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::source::Source as _;
use tidewatch_projections::account::Account;
use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::calendar::{Calendar, Day};
use tidewatch_projections::context::Context;
use tidewatch_projections::event::{Event, Micros};
use tidewatch_projections::health::change::changes;
use tidewatch_projections::health::{Band, Health, Reason, State, health, history};
use tidewatch_projections::model::{DEFAULT, Model};
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::plan::{Bounds, Plan};
use tidewatch_projections::settings::{ClosedDays, Scope, Settings};
use tidewatch_projections::tenant::Tenant;

const MINUTE: Micros = 60_000_000;
const DAY: Micros = 24 * 60 * MINUTE;
/// A Monday. The outage of the fleet is in September, its lull from 23 December to 2 January.
const BEGIN: Date = date(2024, 3, 4);
/// Until all who leave have left.
const DAYS: i32 = 385;

const RED: Band = Band::Of(0);
const GREEN: Band = Band::Of(2);

/// Events of a fleet, decoded as the engine decodes them.
struct Told {
    names: Arc<Names>,
    truth: Truth,
    events: Vec<Event>,
}

/// Five of every scenario cycle; few events each, as nothing here depends on how many there are.
static FLEET: LazyLock<Told> = LazyLock::new(|| {
    let names = Arc::new(Names::new());
    let shape = Shape {
        weekly_events_median: 40.0,
        weekly_events_max: 120.0,
        ..Shape::new(7, 5 * SCENARIO_CYCLE, BEGIN)
    };
    let fleet = Fleet::new(shape);
    let truth = fleet.truth().clone();
    let end = start_of(day(BEGIN).plus(i64::from(DAYS)));
    let mut source = FleetSource::new("fleet", &names, fleet, Horizon::new(end));
    let decoder = Decoder::new(Arc::clone(&names), "main", "fleet", Limits::default(), Format::Native);
    let mut events = Vec::new();
    loop {
        let mut raw = RawBatch::default();
        source.poll(Duration::ZERO, &mut raw).expect("the fleet reads nothing that could fail");
        if raw.records.is_empty() {
            break;
        }
        for item in decoder.decode(raw).items {
            match item.outcome {
                Outcome::Event { event, .. } => events.push(*event),
                refused => panic!("{refused:?}"),
            }
        }
    }
    Told { names, truth, events }
});

fn day(date: Date) -> Day {
    Day((date - Date::constant(1970, 1, 1)).get_days())
}

fn start_of(day: Day) -> Micros {
    i64::from(day.0) * DAY
}

fn end_of(day: Day) -> Micros {
    start_of(day.plus(1))
}

/// The accounts of a fleet folded under a model and settings.
struct Folded {
    plan: Plan,
    settings: Settings,
    tenant: Tenant,
    accounts: BTreeMap<Symbol, Account>,
}

/// Folds the events that pass; ends of days and the instants named can be asked for.
fn folded(model: &str, settings: Settings, instants: &[Micros], passes: impl Fn(&Event) -> bool) -> Folded {
    let names = &FLEET.names;
    let model = Model::parse(model).expect("a model");
    let plan =
        Plan::compile(model, names, Calendar::utc(), Bounds::NONE, instants).expect("few ticket filters");
    let (mut tenant, mut accounts) = (Tenant::default(), BTreeMap::<Symbol, Account>::new());
    for event in FLEET.events.iter().filter(|event| passes(event)) {
        tenant.observe(names, event);
        let Some(id) = event.account() else { continue };
        accounts.entry(id).or_insert_with(|| Account::new(id)).apply(&plan, names, event);
    }
    Folded { plan, settings, tenant, accounts }
}

/// The whole fleet under the default model.
fn by_default(instants: &[Micros]) -> Folded {
    folded(DEFAULT, Settings::default(), instants, |_| true)
}

impl Folded {
    fn context(&self) -> Context<'_> {
        let Self { plan, settings, tenant, accounts } = self;
        Context { plan, settings, tenant, names: &FLEET.names, accounts }
    }

    fn health(&self, account: &AccountTruth, as_of: Micros) -> Health {
        let account = FLEET.names.find(&account.id).expect("it has events");
        health(&AccountAt::new(self.context(), account, as_of)).expect("state without bounds is exact")
    }

    /// The ends of days from one to another, oldest first.
    fn days(&self, account: &AccountTruth, from: Day, to: Day) -> Vec<(Day, Health)> {
        let account = FLEET.names.find(&account.id).expect("it has events");
        let mut days = Vec::new();
        history(self.context(), account, from, to, |day, health| days.push((day, health)))
            .expect("state without bounds is exact");
        days
    }

    /// By how much each measure and the rest moved the scores of these pairs on average, and all of them together.
    fn moved(&self, pairs: &[(Health, Health)]) -> Moved {
        let scoring = self.plan.model.scoring.as_ref().expect("it scores");
        let both: Vec<_> =
            pairs.iter().filter(|(from, to)| from.score().is_some() && to.score().is_some()).collect();
        assert!(both.len() > 50, "{} accounts have a score at both ends", both.len());
        let (mut points, mut by_measure) = (Vec::new(), BTreeMap::<String, f64>::new());
        for (from, to) in &both {
            points.push(to.score().expect("both have one") - from.score().expect("both have one"));
            for change in changes(from, to) {
                let name = change.measure.map_or("rest", |measure| scoring.measures[measure].name.as_str());
                *by_measure.entry(name.to_owned()).or_default() += change.points / both.len() as f64;
            }
        }
        points.sort_by(f64::total_cmp);
        let fallen = both.iter().filter(|(from, to)| is_lower(to.band, from.band)).count();
        Moved {
            mean: points.iter().sum::<f64>() / points.len() as f64,
            median: points[points.len() / 2],
            fallen_share: fallen as f64 / both.len() as f64,
            by_measure,
        }
    }
}

fn is_lower(band: Band, than: Band) -> bool {
    matches!((band, than), (Band::Of(band), Band::Of(than)) if band < than)
}

/// How scores moved between two instants.
#[derive(Debug)]
struct Moved {
    /// Of the scores, in points.
    mean: f64,
    median: f64,
    /// The share of accounts whose band is lower.
    fallen_share: f64,
    /// The mean of each line of an explanation, in points.
    by_measure: BTreeMap<String, f64>,
}

impl Moved {
    fn of(&self, measure: &str) -> f64 {
        self.by_measure.get(measure).copied().unwrap_or(0.0)
    }
}

/// The accounts of these scenarios.
fn accounts(scenarios: &[Scenario]) -> Vec<&'static AccountTruth> {
    let found: Vec<_> =
        FLEET.truth.accounts.iter().filter(|account| scenarios.contains(&account.scenario)).collect();
    assert!(!found.is_empty());
    found
}

/// Those to whom nothing happens that should lower a score.
fn unharmed() -> Vec<&'static AccountTruth> {
    accounts(&[Scenario::Steady, Scenario::Growing, Scenario::Wavering])
}

#[test]
fn a_dead_account_ends_red() {
    let folded = by_default(&[]);
    let scored = |account: &AccountTruth| -> Vec<(i64, f64, Band)> {
        let quiet = day(account.quiet_from.expect("it leaves"));
        let days = folded.days(account, quiet.plus(-100), day(BEGIN).plus(i64::from(DAYS)));
        let of_day = |(at, health): (Day, Health)| Some((at.since(quiet), health.score()?, health.band));
        days.into_iter().filter_map(of_day).collect()
    };
    // Who stops from one day to the next is red from six weeks of silence on, when people, recency, value and depth have nothing
    // left in their five weeks and steadiness half of its twelve, until the day its contract ends.
    for account in accounts(&[Scenario::Vanishing]) {
        let days = scored(account);
        let silent: Vec<_> = days.iter().filter(|(silent, ..)| *silent >= 42).collect();
        assert!(silent.len() > 25, "{account:?} is scored on {} days of silence", silent.len());
        assert!(silent.iter().all(|(_, _, band)| *band == RED), "{account:?}: {silent:?}");
        let (_, last, _) = days.last().expect("it was scored");
        assert!(*last < 20.0, "{account:?} ends at {last}");
    }
    // Who fades over twelve weeks has cancelled by then: its contract ends in the first weeks of silence, far below where it was.
    for account in accounts(&[Scenario::Fading]) {
        let days = scored(account);
        let ((_, before, _), (silent, last, band)) = (days[0], *days.last().expect("it was scored"));
        assert!(band != GREEN && last < 50.0 && last < before - 20.0, "{account:?}: {before}, then {last}");
        assert!(silent < 21 || band == RED, "{account:?} ends {band:?} after {silent} days");
    }
}

#[test]
fn an_unfed_account_is_unknown_and_not_red() {
    // The product sends nothing; contracts, tickets, surveys and the customer records are all there.
    let app = FLEET.names.find("app").expect("the product's own source");
    let (fed, unfed) =
        (by_default(&[]), folded(DEFAULT, Settings::default(), &[], |event| event.source != app));
    let as_of = end_of(day(BEGIN).plus(140));
    for account in unharmed() {
        let (with, without) = (fed.health(account, as_of), unfed.health(account, as_of));
        assert_eq!(with.state, State::Scored, "{account:?}");
        // At most the experience is known, and that is 20 or 30 of 100.
        assert_eq!((without.state, without.reason), (State::Unknown, Some(Reason::Coverage)), "{account:?}");
        assert_eq!((without.band, without.score()), (Band::Unknown, None));
        assert!(without.coverage() <= 0.3, "{account:?}: {}", without.coverage());
    }
    // Who sends nothing by arrangement is scored by goals and experience all the same.
    for account in accounts(&[Scenario::OnPremise]) {
        let (with, without) = (fed.health(account, as_of), unfed.health(account, as_of));
        assert_eq!((with.state, &with), (State::Scored, &without), "{account:?}");
    }
}

#[test]
fn a_new_account_is_neither_praised_nor_punished() {
    let folded = by_default(&[]);
    let (mut new, mut grown) = (Vec::new(), Vec::new());
    let established = unharmed();
    for account in accounts(&[Scenario::Joining]) {
        let joined = day(account.joined);
        for (at, health) in folded.days(account, joined, joined.plus(59)) {
            let age_days = at.since(joined);
            // Its first use says little: no band is given for it, or the middle one.
            assert!(age_days >= 3 || health.band != GREEN, "{account:?} is green after {age_days} days");
            // It uses the product less than it will, and has no past to be held against: that is not its fault.
            assert_ne!(health.band, RED, "{account:?} is red after {age_days} days: {:?}", health.score());
            if age_days == 45 {
                new.extend(health.score());
                grown.extend(established.iter().filter_map(|other| folded.health(other, end_of(at)).score()));
            }
        }
    }
    // Six weeks after they began they stand where those stand who have been there for long.
    let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
    assert!(new.len() > 10, "{} of them were scored", new.len());
    assert!((mean(&new) - mean(&grown)).abs() < 7.5, "{} and {}", mean(&new), mean(&grown));
}

/// Points within which a mean over the unharmed is level: scores of weeks apart differ by some eight points each, by chance alone, and
/// there are 85 of them.
const LEVEL: f64 = 1.5;

/// Pairs of health of all the unharmed, at every such night of half a year: before midnight, and a time after.
fn nights(folded: &Folded, nights: &[Day], before: Micros, after: Micros) -> Vec<(Health, Health)> {
    let pair = |account, night: Day| {
        let midnight = start_of(night);
        (folded.health(account, midnight - before), folded.health(account, midnight + after))
    };
    nights.iter().flat_map(|night| unharmed().into_iter().map(move |account| pair(account, *night))).collect()
}

#[test]
fn nothing_falls_on_a_monday_at_five_past_midnight() {
    // Not the weeks around the outage, in which everybody falls for cause.
    let weeks = (14..41).filter(|week| !(27..33).contains(week));
    let mondays: Vec<Day> = weeks.map(|week| day(BEGIN).plus(7 * week)).collect();
    let wednesdays: Vec<Day> = mondays.iter().map(|monday| monday.plus(2)).collect();
    let five = 5 * MINUTE;
    let around = |night: &Day| [-five, five, DAY - five].map(|after| start_of(*night) + after);
    let instants: Vec<Micros> = mondays.iter().chain(&wednesdays).flat_map(around).collect();
    let folded = by_default(&instants);
    let monday = folded.moved(&nights(&folded, &mondays, five, five));
    let wednesday = folded.moved(&nights(&folded, &wednesdays, five, five));
    // A level counts today so far: at five past midnight an empty day has taken the place of one a week or two before, whatever
    // the day of the week. That is one day in seven of `people_7d`, to the accounts of which all use it on that one day a few
    // points, and one in fourteen of `days_14d`: half a point together, far below the margin of 3 that a band is kept by.
    assert!(monday.median.abs() < 0.1, "{monday:?}");
    assert!(monday.mean > -0.75, "{monday:?}");
    for (measure, points) in &monday.by_measure {
        let is_short_level = ["seat_activity", "recency"].contains(&measure.as_str());
        // What compares looks at complete days only, and the change of one against its past has no direction.
        assert!(is_short_level || points.abs() < 0.1, "{measure}: {points}");
    }
    assert!(monday.fallen_share < 0.01, "{monday:?}");
    // It is no worse than on any other working day, and by the end of the day nothing is left of it.
    assert!(monday.mean > wednesday.mean - 0.1, "{monday:?}, {wednesday:?}");
    let whole_day = folded.moved(&nights(&folded, &mondays, five, DAY - five));
    assert!(whole_day.mean.abs() < 0.2, "{whole_day:?}");
}

#[test]
fn nothing_falls_over_christmas_once_its_days_are_declared() {
    // Two whole weeks from the Monday on which the lull begins: of a part of a week, the days that stand in for those closed would
    // have more weekends among them.
    let closed = ClosedDays { scope: Scope::All, from: day(date(2024, 12, 23)), to: day(date(2025, 1, 5)) };
    let declared = Settings { closed_days: vec![closed], ..Settings::default() };
    let before = day(date(2024, 12, 20));
    // Every other day from the first of the lull up to four weeks after its end.
    let days: Vec<Day> = (3..45).step_by(2).map(|days| before.plus(days)).collect();
    let all_days = |folded: &Folded| -> Vec<Moved> {
        let moved = |day: &Day| {
            let pair =
                |account| (folded.health(account, end_of(before)), folded.health(account, end_of(*day)));
            folded.moved(&unharmed().into_iter().map(pair).collect::<Vec<_>>())
        };
        days.iter().map(moved).collect()
    };
    let least =
        |moved: &[Moved], of: &dyn Fn(&Moved) -> f64| moved.iter().map(of).fold(f64::INFINITY, f64::min);

    // A fleet that rests closes no day by itself: undeclared, use against its own past falls, and so do scores.
    let undeclared = all_days(&by_default(&[]));
    assert!(least(&undeclared, &|moved| moved.mean) < -4.0, "{undeclared:?}");

    // Declared, everything that skips closed days stays. `people_7d` of the default model does not skip them, so that seat activity
    // shows the empty offices, by up to three points.
    let default = all_days(&folded(DEFAULT, declared.clone(), &[], |_| true));
    assert!(least(&default, &|moved| moved.mean - moved.of("seat_activity")) > -LEVEL, "{default:?}");
    assert!(least(&default, &|moved| moved.mean) > -3.5, "{default:?}");

    // In a model in which it does, nothing falls.
    let people = "people_7d        = { agg = \"active_users\", window = 7, filter = { family = \"usage\" }";
    let skipping = DEFAULT.replace(people, &format!("{people}, skip_closed = true"));
    assert_ne!(skipping, DEFAULT);
    let skipping = all_days(&folded(&skipping, declared, &[], |_| true));
    assert!(least(&skipping, &|moved| moved.mean) > -LEVEL, "{skipping:?}");
    assert!(least(&skipping, &|moved| -moved.fallen_share) > -0.08, "{skipping:?}");
}
