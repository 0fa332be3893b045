//! A simulated fleet of invented companies: the same seed gives the same bytes on every machine.
//!
//! Demo, tests and benchmarks share it. Companies differ in size (from three events a week, log-normally), in rhythm
//! (offices, consumers, programs, sporadic use), in country, zone, calendar, money and plot: [`Role`] lists what can
//! happen to them. All event types of the contract come from it, as lines of native JSON in the order of time, and
//! [`Fleet::truth`] tells beforehand what they will show.
//!
//! ```text
//! seed ─▶ cast (plots) ─▶ companies ─▶ each local day: contract · desk · journey · traffic ─▶ UTC days of lines
//! ```
//!
//! What an account does on a day depends on the seed, its number, the day and its own past alone.

mod cast;
mod company;
mod contract;
mod desk;
mod happening;
mod journey;
mod season;
mod stream;
mod today;
mod traffic;

use std::ops::Range;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tidewatch_projections::event::Micros;

pub use cast::{AccountTruth, DECK, Role, Truth};
pub use season::Rhythm;
pub use stream::{FleetSource, Horizon};

use crate::random::Random;
use cast::{OUTAGE_AFTER_DAYS, OUTAGE_DAYS, TRIAL_DAYS};
use company::Company;
use contract::Contract;
use desk::Desk;
use happening::{Happening, Note, Pen, System};
use journey::Journey;

use season::{COUNTRIES, epoch_day};
use today::Today;
use traffic::{Moment, Traffic};

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Most accounts of a fleet: numbers of accounts are 32 bits, and each keeps about a kilobyte.
pub const ACCOUNTS_MAX: usize = 10_000_000;

/// What a fleet is like.
#[derive(Clone, PartialEq, Debug)]
pub struct Shape {
    /// Everything random follows from it.
    pub seed: u64,
    /// How many companies; every [`Role`] appears from [`DECK`] on.
    pub accounts: usize,
    /// The first day.
    pub begin: Date,
    /// Median of usage and value events of a plain week.
    pub weekly_events_median: f64,
    /// No company has more usage and value events in a plain week.
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
    /// When it happened: lines of a day, and days, are in this order.
    pub at: Micros,
    /// Its bytes within [`Day::payload`], without the line end.
    pub bytes: Range<usize>,
}

/// The events of one UTC day; of the first one, also those before it where the day began earlier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Day {
    /// The UTC day.
    pub date: Date,
    /// Native JSON, one object a line, each with a line end.
    pub payload: Vec<u8>,
    /// The lines in the order of time.
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
    /// The local day lived next.
    next: Date,
    /// Happenings that lie ahead of what was handed out.
    ahead: Vec<Happening>,
    pen: Pen,
}

#[derive(Clone, Debug)]
struct Account {
    company: Company,
    contract: Contract,
    desk: Desk,
    journey: Journey,
    traffic: Traffic,
    serial: u32,
    arrived: bool,
}

impl Fleet {
    /// A fleet before its first day.
    ///
    /// # Panics
    /// With more than [`ACCOUNTS_MAX`] accounts.
    pub fn new(shape: Shape) -> Self {
        assert!(shape.accounts <= ACCOUNTS_MAX, "{} accounts, more than {ACCOUNTS_MAX}", shape.accounts);
        let roles = Role::deal(shape.seed, shape.accounts);
        let outage = shape.begin + OUTAGE_AFTER_DAYS.days();
        let mut truth = Truth { outage: (outage, outage + (OUTAGE_DAYS - 1).days()), accounts: Vec::new() };
        let mut accounts = Vec::with_capacity(shape.accounts);
        for (number, role) in roles.into_iter().enumerate() {
            let (account, known) = settle(&shape, number, role);
            accounts.push(account);
            truth.accounts.push(known);
        }
        for number in 0..accounts.len() {
            if truth.accounts[number].role == Role::MergedAway {
                truth.accounts[number].merged_into = survivor(&truth.accounts, number);
            }
        }
        let zone =
            |zone| TimeZone::get(zone).expect("the zone rules are bundled and know the zones of the list");
        let zones = COUNTRIES.iter().map(|country| zone(country.zone)).collect();
        let next = shape.begin;
        Self { shape, truth, accounts, zones, next, ahead: Vec::new(), pen: Pen::default() }
    }

    /// What will happen to whom.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// What the fleet is like.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Replaces `out` by the next UTC day, keeping its memory. The first is [`Shape::begin`].
    pub fn next_day(&mut self, out: &mut Day) {
        if self.next == self.shape.begin {
            self.live(self.next);
        }
        // The furthest zone is 14 hours ahead: once a local day is lived, all UTC days before it are complete.
        out.date = self.next;
        self.next += 1.day();
        self.live(self.next);
        let until = i64::from(epoch_day(self.next)) * MICROS_PER_DAY;
        let mut due: Vec<Happening> = self.ahead.extract_if(.., |happening| happening.at < until).collect();
        due.sort_unstable_by_key(|happening| (happening.at, happening.account, happening.serial));
        out.payload.clear();
        out.lines.clear();
        for happening in &due {
            let start = out.payload.len();
            let account = &self.accounts[happening.account as usize];
            self.pen.write(happening, &account.company.id, &mut out.payload);
            out.lines.push(Line { at: happening.at, bytes: start..out.payload.len() });
            out.payload.push(b'\n');
        }
    }

    fn live(&mut self, date: Date) {
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
            let mut today = Today {
                date,
                day,
                midnight: midnights[account.company.country_no],
                account: number as u32,
                serial: &mut serial,
                out: &mut self.ahead,
            };
            account.live(&self.shape, &self.truth.outage, truth, &mut today);
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

/// A company with its plot, before its first day.
fn settle(shape: &Shape, number: usize, role: Role) -> (Account, AccountTruth) {
    let company =
        Company::found(shape.seed, number, role, shape.weekly_events_median, shape.weekly_events_max);
    let mut random = Random::keyed(&[shape.seed, number as u64, 4]);
    let days = |days: i64| i32::try_from(days).expect("three digits").days();
    let joined = match role {
        Role::Joining => shape.begin + days(random.between(20, 320)),
        Role::TrialConverts | Role::TrialEnds => shape.begin + days(random.between(20, 180)),
        _ => shape.begin,
    };
    let turn = match role {
        Role::TrialConverts | Role::TrialEnds => joined + TRIAL_DAYS.days(),
        _ => shape.begin + days(random.between(150, 280)),
    };
    let quiet_from = match role {
        Role::OnPremise => Some(joined),
        _ => role.quiet_after_turn().map(|after| turn + after.days()),
    };
    let truth = AccountTruth {
        id: company.id.clone(),
        name: company.name.clone(),
        role,
        rhythm: company.rhythm,
        weekly_events: company.weekly_events,
        people: company.people,
        joined,
        turn,
        quiet_from,
        merged_into: None,
    };
    let account = Account {
        contract: Contract::draw(&company, role, joined, turn, &mut random),
        desk: Desk::default(),
        journey: Journey::new(&company, &mut random),
        traffic: Traffic::new(&company, &mut random),
        serial: 0,
        arrived: false,
        company,
    };
    (account, truth)
}

/// The next account in number that is there from the beginning and stays.
fn survivor(accounts: &[AccountTruth], number: usize) -> Option<String> {
    (1..accounts.len())
        .map(|step| &accounts[(number + step) % accounts.len()])
        .find(|other| matches!(other.role, Role::Steady | Role::Growing))
        .map(|other| other.id.clone())
}

impl Account {
    /// Lives one local day.
    fn live(&mut self, shape: &Shape, outage: &(Date, Date), truth: &AccountTruth, today: &mut Today<'_>) {
        if today.date < truth.joined {
            return;
        }
        let mut random = Random::keyed(&[shape.seed, u64::from(today.account), today.day as u64, 5]);
        let day = today.day;
        let days_since = |other: Date| day - epoch_day(other);
        let moment = Moment {
            age_days: days_since(truth.joined),
            fleet_days: days_since(shape.begin),
            turn_days: days_since(truth.turn),
        };
        if truth.role == Role::MergedAway && moment.turn_days >= 0 {
            if let (0, Some(survivor)) = (moment.turn_days, &truth.merged_into) {
                let note = Note::new(System::Crm, "account_merged").text("into_account", survivor);
                today.office_note(&mut random, note);
            }
            return;
        }
        if !self.arrived {
            self.arrived = true;
            self.journey.arrive(&self.company, truth, &mut random, today);
        }
        if self.contract.is_over() {
            return;
        }
        self.contract.day(&self.company, truth.role, moment.age_days, moment.turn_days, &mut random, today);
        if self.contract.is_running() {
            let mood = if truth.role.churns() { 0.5 + 0.5 * truth.role.level(moment.turn_days) } else { 1.0 };
            self.desk.day(&self.company, truth.role, mood, &mut random, today);
            self.journey.day(&self.company, truth, moment.age_days, mood, &mut random, today);
            if days_since(outage.1) == 3 && self.company.tier() == "A" {
                self.contract.make_good(&mut random, today);
            }
        }
        if !(outage.0..=outage.1).contains(&today.date) {
            self.traffic.day(&self.company, truth.role, &moment, &mut random, today);
        }
    }
}

#[cfg(test)]
mod tests;
