//! One account's local day: where the simulation puts the events that it draws for it.

use jiff::civil::Date;
use tidewatch_projections::event::Micros;

use super::simulated_event::{EventBody, JsonEvent, SimulatedEvent};
use crate::random::Random;

pub(super) const MICROS_PER_HOUR: i64 = 3_600_000_000;
/// The hour of the local day at which offices open: tickets, invoices and meetings come from then on.
const OFFICE_OPENS: i64 = 8;
/// How many hours offices stay open.
const OFFICE_HOURS: u64 = 9;

/// A local calendar day of one account, and the list its events are appended to.
pub(super) struct AccountDay<'a> {
    pub(super) date: Date,
    /// The day, as a number of days since 1970-01-01.
    pub(super) day: i32,
    /// The instant of its midnight in the account's zone.
    pub(super) midnight: Micros,
    pub(super) account: u32,
    pub(super) serial: &'a mut u32,
    pub(super) out: &'a mut Vec<SimulatedEvent>,
}

impl AccountDay<'_> {
    pub(super) fn add(&mut self, at: Micros, what: EventBody) {
        *self.serial += 1;
        self.out.push(SimulatedEvent { at, account: self.account, serial: *self.serial, what });
    }

    /// Appends an event at an instant of today or later.
    pub(super) fn emit(&mut self, at: Micros, event: JsonEvent) {
        self.add(at, EventBody::Json(Box::new(event)));
    }

    /// Appends an event at a random time of today's office hours.
    pub(super) fn emit_in_office_hours(&mut self, random: &mut Random, event: JsonEvent) {
        let at = self.office_time(random);
        self.emit(at, event);
    }

    pub(super) fn office_time(&self, random: &mut Random) -> Micros {
        let millis = random.below(OFFICE_HOURS * 3_600_000) as i64;
        self.midnight + OFFICE_OPENS * MICROS_PER_HOUR + 1_000 * millis
    }

    /// An instant of the first minutes of the working day, `place` seconds after it starts: causes get a lower place than
    /// what follows from them.
    pub(super) fn opening_time(&self, place: i64) -> Micros {
        self.midnight + 7 * MICROS_PER_HOUR + place * 1_000_000
    }
}
