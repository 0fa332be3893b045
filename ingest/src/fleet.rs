//! A simulated fleet of invented companies: the same seed gives the same bytes on every machine.
//!
//! Demo, tests and benchmarks share it. Companies differ in size (from three events a week, log-normally), in rhythm
//! (offices, consumers, programs, sporadic use), in country, zone, calendar, currency and scenario: [`Scenario`] lists what can
//! happen to them. All event types of the contract come from it, as lines of native JSON in the order of time, and
//! [`Fleet::truth`] says in advance what they will show.
//!
//! ```text
//! seed ─▶ scenarios ─▶ companies ─▶ each local day: contract · help desk · journey · traffic ─▶ UTC days of lines
//! ```
//!
//! The events of an account on a day depend only on the seed, the account's number, the day and the account's own history.

mod account_day;
mod company;
mod contract;
mod help_desk;
mod journey;
mod scenario;
mod season;
mod simulated_event;
mod stream;
mod traffic;

use std::ops::Range;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tidewatch_projections::event::Micros;

pub use scenario::{AccountTruth, SCENARIO_CYCLE, Scenario, Truth};
pub use season::Rhythm;
pub use stream::{FleetSource, Horizon};

use crate::random::Random;
use account_day::AccountDay;
use company::Company;
use contract::Contract;
use help_desk::HelpDesk;
use journey::Journey;
use scenario::{OUTAGE_AFTER_DAYS, OUTAGE_DAYS, TRIAL_DAYS};
use season::{COUNTRIES, epoch_day};
use simulated_event::{JsonEvent, LineWriter, SimulatedEvent, System};
use traffic::{DayContext, Traffic};

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Most accounts of a fleet. Their numbers are 32 bits, and each account takes about a kilobyte of memory.
pub const ACCOUNTS_MAX: usize = 10_000_000;

/// The parameters of a fleet: fleets of equal shape are equal, byte for byte.
#[derive(Clone, PartialEq, Debug)]
pub struct Shape {
    /// The seed of all random draws.
    pub seed: u64,
    /// How many companies, at most [`ACCOUNTS_MAX`]; from [`SCENARIO_CYCLE`] on every [`Scenario`] appears.
    pub accounts: usize,
    /// The first day of the history.
    pub begin: Date,
    /// Median number of usage and value events of a company in a week without holidays.
    pub weekly_events_median: f64,
    /// Most usage and value events of a company in a week without holidays.
    pub weekly_events_max: f64,
}

impl Shape {
    /// A fleet as the demo shows it: median 90 events a week, the busiest 6,000.
    pub fn new(seed: u64, accounts: usize, begin: Date) -> Self {
        Self { seed, accounts, begin, weekly_events_median: 90.0, weekly_events_max: 6_000.0 }
    }
}

/// One line of a [`Day`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// When it happened, in µs since the epoch. Lines within a day, and days, are ordered by it.
    pub at: Micros,
    /// Its bytes within [`Day::payload`], without the line end.
    pub bytes: Range<usize>,
}

/// The events of one UTC day; of the first one, also those before it where the day began earlier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Day {
    /// The UTC day that the lines belong to.
    pub date: Date,
    /// Native JSON, one object a line, each with a line end.
    pub payload: Vec<u8>,
    /// The lines, ordered by time.
    pub lines: Vec<Line>,
}

impl Default for Day {
    fn default() -> Self {
        Self { date: Date::ZERO, payload: Vec::new(), lines: Vec::new() }
    }
}

/// The fleet, and an endless iterator over its days.
#[derive(Clone, Debug)]
pub struct Fleet {
    shape: Shape,
    truth: Truth,
    accounts: Vec<Account>,
    zones: Vec<TimeZone>,
    /// The local day to be simulated next.
    next: Date,
    /// Events later than the days handed out so far.
    ahead: Vec<SimulatedEvent>,
    writer: LineWriter,
}

#[derive(Clone, Debug)]
struct Account {
    company: Company,
    contract: Contract,
    help_desk: HelpDesk,
    journey: Journey,
    traffic: Traffic,
    serial: u32,
    has_started: bool,
}

impl Fleet {
    /// A fleet before its first day.
    ///
    /// # Panics
    /// With more than [`ACCOUNTS_MAX`] accounts.
    pub fn new(shape: Shape) -> Self {
        assert!(shape.accounts <= ACCOUNTS_MAX, "{} accounts, more than {ACCOUNTS_MAX}", shape.accounts);
        let scenarios = Scenario::assign(shape.seed, shape.accounts);
        let outage = shape.begin + OUTAGE_AFTER_DAYS.days();
        let mut truth = Truth { outage: (outage, outage + (OUTAGE_DAYS - 1).days()), accounts: Vec::new() };
        let mut accounts = Vec::with_capacity(shape.accounts);
        for (number, scenario) in scenarios.into_iter().enumerate() {
            let (account, known) = create_account(&shape, number, scenario);
            accounts.push(account);
            truth.accounts.push(known);
        }
        for number in 0..accounts.len() {
            if truth.accounts[number].scenario == Scenario::MergedAway {
                truth.accounts[number].merged_into = survivor(&truth.accounts, number);
            }
        }
        let zone =
            |zone| TimeZone::get(zone).expect("the zone rules are bundled and know the zones of the list");
        let zones = COUNTRIES.iter().map(|country| zone(country.zone)).collect();
        let next = shape.begin;
        Self { shape, truth, accounts, zones, next, ahead: Vec::new(), writer: LineWriter::default() }
    }

    /// The ground truth: what will happen to each account.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// The parameters of the fleet.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Replaces `out` by the next UTC day, reusing its memory. The first day is [`Shape::begin`].
    pub fn next_day(&mut self, out: &mut Day) {
        if self.next == self.shape.begin {
            self.simulate_day(self.next);
        }
        // The furthest zone is 14 hours ahead: once a local day is simulated, all UTC days before it are complete.
        out.date = self.next;
        self.next += 1.day();
        self.simulate_day(self.next);
        let until = i64::from(epoch_day(self.next)) * MICROS_PER_DAY;
        let mut due: Vec<SimulatedEvent> = self.ahead.extract_if(.., |event| event.at < until).collect();
        due.sort_unstable_by_key(|event| (event.at, event.account, event.serial));
        out.payload.clear();
        out.lines.clear();
        for event in &due {
            let start = out.payload.len();
            let account = &self.accounts[event.account as usize];
            self.writer.write(event, &account.company.id, &mut out.payload);
            out.lines.push(Line { at: event.at, bytes: start..out.payload.len() });
            out.payload.push(b'\n');
        }
    }

    fn simulate_day(&mut self, date: Date) {
        let day = epoch_day(date);
        let midnights: Vec<Micros> = self
            .zones
            .iter()
            .map(|zone| {
                let midnight = date
                    .at(0, 0, 0, 0)
                    .to_zoned_datetime(zone.clone())
                    .expect("the years of a fleet are far from the ends of time");
                midnight.timestamp().as_microsecond()
            })
            .collect();
        for (number, account) in self.accounts.iter_mut().enumerate() {
            let truth = &self.truth.accounts[number];
            let mut serial = account.serial;
            let mut today = AccountDay {
                date,
                day,
                midnight: midnights[account.company.country_no],
                account: number as u32,
                serial: &mut serial,
                out: &mut self.ahead,
            };
            account.simulate_day(&self.shape, &self.truth.outage, truth, &mut today);
            account.serial = serial;
        }
    }
}

impl Iterator for Fleet {
    type Item = Day;

    fn next(&mut self) -> Option<Day> {
        let mut day = Day::default();
        self.next_day(&mut day);
        Some(day)
    }
}

/// An account with its company and scenario, before its first day.
fn create_account(shape: &Shape, number: usize, scenario: Scenario) -> (Account, AccountTruth) {
    let company =
        Company::generate(shape.seed, number, scenario, shape.weekly_events_median, shape.weekly_events_max);
    let mut random = Random::keyed(&[shape.seed, number as u64, 4]);
    let days = |days: i64| i32::try_from(days).expect("three digits").days();
    let joined = match scenario {
        Scenario::Joining => shape.begin + days(random.between(20, 320)),
        Scenario::TrialConverts | Scenario::TrialEnds => shape.begin + days(random.between(20, 180)),
        _ => shape.begin,
    };
    let turn = match scenario {
        Scenario::TrialConverts | Scenario::TrialEnds => joined + TRIAL_DAYS.days(),
        _ => shape.begin + days(random.between(150, 280)),
    };
    let quiet_from = match scenario {
        Scenario::OnPremise => Some(joined),
        _ => scenario.quiet_after_turn().map(|after| turn + after.days()),
    };
    let truth = AccountTruth {
        id: company.id.clone(),
        name: company.name.clone(),
        scenario,
        rhythm: company.rhythm,
        weekly_events: company.weekly_events,
        people: company.people,
        joined,
        turn,
        quiet_from,
        merged_into: None,
    };
    let account = Account {
        contract: Contract::draw(&company, scenario, joined, turn, &mut random),
        help_desk: HelpDesk::default(),
        journey: Journey::new(&company, &mut random),
        traffic: Traffic::new(&company, &mut random),
        serial: 0,
        has_started: false,
        company,
    };
    (account, truth)
}

/// The id of the next account by number that exists from the beginning and stays: what another is merged into.
fn survivor(accounts: &[AccountTruth], number: usize) -> Option<String> {
    (1..accounts.len())
        .map(|step| &accounts[(number + step) % accounts.len()])
        .find(|other| matches!(other.scenario, Scenario::Steady | Scenario::Growing))
        .map(|other| other.id.clone())
}

impl Account {
    /// Appends the events of one local day.
    fn simulate_day(
        &mut self,
        shape: &Shape,
        outage: &(Date, Date),
        truth: &AccountTruth,
        today: &mut AccountDay<'_>,
    ) {
        if today.date < truth.joined {
            return;
        }
        let mut random = Random::keyed(&[shape.seed, u64::from(today.account), today.day as u64, 5]);
        let day = today.day;
        let days_since = |other: Date| day - epoch_day(other);
        let context = DayContext {
            age_days: days_since(truth.joined),
            fleet_days: days_since(shape.begin),
            turn_days: days_since(truth.turn),
        };
        if truth.scenario == Scenario::MergedAway && context.turn_days >= 0 {
            if let (0, Some(survivor)) = (context.turn_days, &truth.merged_into) {
                let event = JsonEvent::new(System::Crm, "account_merged").text("into_account", survivor);
                today.emit_in_office_hours(&mut random, event);
            }
            return;
        }
        if !self.has_started {
            self.has_started = true;
            self.journey.first_day(&self.company, truth, &mut random, today);
        }
        if self.contract.is_over() {
            return;
        }
        self.contract.day(
            &self.company,
            truth.scenario,
            context.age_days,
            context.turn_days,
            &mut random,
            today,
        );
        if self.contract.is_running() {
            let satisfaction = if truth.scenario.churns() {
                0.5 + 0.5 * truth.scenario.level(context.turn_days)
            } else {
                1.0
            };
            self.help_desk.day(&self.company, truth.scenario, satisfaction, &mut random, today);
            self.journey.day(&self.company, truth, context.age_days, satisfaction, &mut random, today);
            if days_since(outage.1) == 3 && self.company.tier() == "A" {
                self.contract.credit_outage(&mut random, today);
            }
        }
        if !(outage.0..=outage.1).contains(&today.date) {
            self.traffic.day(&self.company, truth.scenario, &context, &mut random, today);
        }
    }
}

#[cfg(test)]
mod tests;
