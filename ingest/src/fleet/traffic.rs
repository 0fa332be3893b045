//! Draws usage and value events, which are most of the fleet's events.

use super::account_day::{AccountDay, MICROS_PER_HOUR};
use super::company::Company;
use super::scenario::{RAMP_DAYS, Scenario};
use super::season::{Rhythm, SPORADIC_SHARE};
use super::simulated_event::{EventBody, FEATURES, UsedBy};
use crate::random::Random;

/// One in this many events is a value event.
const VALUE_EVERY: u64 = 12;
/// One in this many usage events of a tier-A account is by the vendor's staff.
const STAFF_EVERY: u64 = 250;
/// Standard deviation of the logarithm of a day's volume.
const DAY_SPREAD: f64 = 0.15;
/// Size of the tables in which the hour and the feature of an event are looked up.
const TABLE: usize = 256;

/// The distributions of hours and features of an account.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    hours: [u8; TABLE],
    features: [u8; TABLE],
}

/// How a day lies relative to the account's and the fleet's history.
pub(super) struct DayContext {
    /// Days since the account's first day.
    pub(super) age_days: i32,
    /// Days since the first day of the fleet.
    pub(super) fleet_days: i32,
    /// Days since the turning point of its scenario; negative before it.
    pub(super) turn_days: i32,
}

impl Traffic {
    pub(super) fn new(company: &Company, random: &mut Random) -> Self {
        // Small accounts know few features; which ones differs.
        let known = (3 + company.people as usize / 4).min(FEATURES.len());
        let mut order: Vec<u8> = (0..FEATURES.len() as u8).collect();
        random.shuffle(&mut order[2..]);
        let weights: Vec<u32> = (0..known as u32).map(|rank| 1_000 / (rank + 2)).collect();
        Self {
            hours: table(&company.rhythm.hours(), |hour| hour as u8),
            features: table(&weights, |rank| order[rank]),
        }
    }

    /// Appends the usage and value events of one day.
    pub(super) fn day(
        &self,
        company: &Company,
        scenario: Scenario,
        context: &DayContext,
        random: &mut Random,
        today: &mut AccountDay<'_>,
    ) {
        let noise = random.log_normal(1.0, DAY_SPREAD);
        let count = random.poisson(expected(company, scenario, context, today.date) * noise);
        let first_person = u32::from(scenario == Scenario::KeyUserLeaves && context.turn_days >= 0);
        let staff_every = if company.tier() == "A" { STAFF_EVERY } else { u64::MAX };
        for _ in 0..count {
            // One draw of 64 bits serves the hour, the time within it and the feature; the next one the rest.
            let bits = random.bits();
            let hour = i64::from(self.hours[(bits & 0xff) as usize]);
            let millis = ((((bits >> 16) & 0xffff_ffff) * 3_600_000) >> 32) as i64;
            let at = today.midnight + hour * MICROS_PER_HOUR + 1_000 * millis;
            let more = random.bits();
            let is_service = company.rhythm == Rhythm::Machine && more & 0b111 != 0;
            let by = if is_service {
                UsedBy::Service
            } else {
                UsedBy::Person(busy_person(more, first_person, company.people))
            };
            let chosen = more >> 40;
            if chosen.is_multiple_of(VALUE_EVERY) {
                let metric = u8::from((more >> 36) & 0b11 == 0);
                today.add(at, EventBody::Value { by, metric, quantity: 1 + ((more >> 33) & 0b111) as u16 });
            } else {
                let by = if chosen % staff_every == 1 { UsedBy::Staff } else { by };
                let feature = self.features[((bits >> 48) & 0xff) as usize];
                let duration_s = if is_service { 0 } else { (bits >> 56) as u16 * 4 };
                today.add(at, EventBody::Usage { by, feature, duration_s });
            }
        }
    }
}

/// The expected number of usage and value events of a day.
fn expected(company: &Company, scenario: Scenario, context: &DayContext, date: jiff::civil::Date) -> f64 {
    let level = scenario.level(context.turn_days);
    if level == 0.0 {
        return 0.0;
    }
    let ramp = if scenario.is_new() { f64::from(context.age_days + 3) / f64::from(RAMP_DAYS) } else { 1.0 };
    let growth = libm::exp(libm::log1p(scenario.growth()) * f64::from(context.fleet_days) / 365.0);
    let presence = match company.rhythm {
        Rhythm::Sporadic if is_away(company, date) => return 0.0,
        Rhythm::Sporadic => 1.0 / SPORADIC_SHARE,
        _ => 1.0,
    };
    company.weekly_events / 7.0
        * company.rhythm.factor(date, company.country)
        * level
        * ramp.min(1.0)
        * growth
        * presence
}

/// Whether a sporadic account does not use the product on this day; always the same answer for an account and day.
fn is_away(company: &Company, date: jiff::civil::Date) -> bool {
    let name = company.id.bytes().fold(0, |hash: u64, byte| hash.wrapping_mul(31) + u64::from(byte));
    let day = super::season::epoch_day(date) as u64;
    !Random::keyed(&[name, day]).chance(SPORADIC_SHARE)
}

/// The number of a person, from `first` on; low numbers are drawn much more often than high ones.
fn busy_person(bits: u64, first: u32, people: u32) -> u32 {
    let uniform = (bits & 0xffff) * ((bits >> 16) & 0xffff);
    let others = u64::from(people.saturating_sub(first));
    first + ((uniform * others) >> 32) as u32
}

/// A table in which each choice fills as many slots as its weight says.
fn table(weights: &[u32], value: impl Fn(usize) -> u8) -> [u8; TABLE] {
    let total: u32 = weights.iter().sum();
    let mut filled = [0; TABLE];
    let (mut choice, mut below) = (0, weights[0]);
    for (place, slot) in filled.iter_mut().enumerate() {
        while place as u32 * total >= below * TABLE as u32 {
            choice += 1;
            below += weights[choice];
        }
        *slot = value(choice);
    }
    filled
}
