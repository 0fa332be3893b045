//! One account's day being written down.

use jiff::civil::Date;
use tidewatch_projections::event::Micros;

use super::happening::{Happening, Note, What};
use crate::random::Random;

pub(super) const MICROS_PER_HOUR: i64 = 3_600_000_000;
/// Offices answer, bill and meet from this hour of the local day …
const OFFICE_OPENS: i64 = 8;
/// … for so many hours.
const OFFICE_HOURS: u64 = 9;

/// A local calendar day of one account, and where its happenings go.
pub(super) struct Today<'a> {
    pub(super) date: Date,
    /// Days since 1970-01-01.
    pub(super) day: i32,
    /// The instant of its midnight in the account's zone.
    pub(super) midnight: Micros,
    pub(super) account: u32,
    pub(super) serial: &'a mut u32,
    pub(super) out: &'a mut Vec<Happening>,
}

impl Today<'_> {
    pub(super) fn add(&mut self, at: Micros, what: What) {
        *self.serial += 1;
        self.out.push(Happening { at, account: self.account, serial: *self.serial, what });
    }

    /// At an instant, today or later.
    pub(super) fn note(&mut self, at: Micros, note: Note) {
        self.add(at, What::Note(Box::new(note)));
    }

    /// Some time in today's working hours.
    pub(super) fn office_note(&mut self, random: &mut Random, note: Note) {
        let at = self.office_time(random);
        self.note(at, note);
    }

    pub(super) fn office_time(&self, random: &mut Random) -> Micros {
        let millis = random.below(OFFICE_HOURS * 3_600_000) as i64;
        self.midnight + OFFICE_OPENS * MICROS_PER_HOUR + 1_000 * millis
    }

    /// The first minutes of the working day, in the order of `place`: what opens a day comes before what follows from it.
    pub(super) fn opening_time(&self, place: i64) -> Micros {
        self.midnight + 7 * MICROS_PER_HOUR + place * 1_000_000
    }
}
