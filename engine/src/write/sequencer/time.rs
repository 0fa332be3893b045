//! Logs how far time has come: silence makes no event, so the clock is an entry.

use tidewatch_projections::event::Micros;
use tidewatch_projections::model;
use tidewatch_projections::rules;

use super::{Emit, Sequencer};
use crate::control::entry::Control;
use crate::planted::{self, Bug};

/// The clock is logged when it moved by this much, and at every close of a day, in microseconds. Smaller steps would
/// fill the log of a quiet company with clock entries.
pub const CLOCK_STEP_US: Micros = 60_000_000;

impl Sequencer {
    /// Logs how far time has come: the wall clock, then the clock of the sources, one day at a time.
    pub(super) fn tick(&mut self, now: Micros, out: &mut Vec<Emit>) {
        if self.control_state.models.is_empty() {
            // A later build may have another default: without an entry it would change answers.
            self.control(Control::ModelAdopted { text: model::DEFAULT.into() }, out);
        }
        if self.control_state.rules.is_empty() {
            self.control(Control::RulesAdopted { text: rules::DEFAULT.into() }, out);
        }
        if self.control_state.wall_at.is_none_or(|wall| now >= wall + CLOCK_STEP_US) {
            self.control(Control::WallAdvanced { at: now }, out);
        }
        let Some(target) = self.clock_target(now) else { return };
        loop {
            let next = match self.control_state.clock_at {
                None => target,
                Some(clock) => match self.day_close_after(clock) {
                    close if close <= target => close,
                    _ if target >= clock + CLOCK_STEP_US => target,
                    _ => return,
                },
            };
            self.control(Control::ClockAdvanced { at: next }, out);
            if next == target {
                return;
            }
        }
    }

    /// The least complete-through instant of the streaming sources, never past the wall clock; `None` while one is not
    /// known. Without streaming sources the wall clock itself.
    fn clock_target(&self, now: Micros) -> Option<Micros> {
        let wall = self.control_state.wall_at.unwrap_or(now).max(now);
        if self.streaming.is_empty() || planted::active(Bug::ClockAheadOfBacklog) {
            return Some(wall);
        }
        let mut least = wall;
        for complete_through in self.streaming.values() {
            least = least.min((*complete_through)?);
        }
        Some(least)
    }

    /// The first instant after `clock` at which a day closes: its end and the delay.
    fn day_close_after(&self, clock: Micros) -> Micros {
        let delay_us = self.control_state.settings.close_delay_us;
        let day = self.calendar.day(clock.saturating_sub(delay_us));
        self.calendar.end(day).saturating_add(delay_us)
    }
}
