//! Tracks which days the clock has closed: one at a time, each once.

use tidewatch_projections::calendar::{Calendar, Day};
use tidewatch_projections::event::Micros;
use tidewatch_projections::settings::Settings;

use crate::control::entry::Control;

/// How far the clock has closed days (architecture §4).
///
/// Unlike facts, a close depends on the settings in force when the clock passed it, so that a log that is read back closes
/// the same days at the same entries.
pub struct DayClose {
    calendar: Calendar,
    close_delay_us: Micros,
    clock_at: Option<Micros>,
    closed_through: Option<Day>,
}

impl Default for DayClose {
    /// Before the first entry, under the default settings.
    fn default() -> Self {
        let close_delay_us = Settings::default().close_delay_us;
        Self { calendar: Calendar::utc(), close_delay_us, clock_at: None, closed_through: None }
    }
}

impl DayClose {
    /// The newest closed day.
    pub fn closed_through(&self) -> Option<Day> {
        self.closed_through
    }

    /// Takes a control entry; answers the first and the last day that it closes, nearly always the same. The first clock
    /// entry closes the day before it alone: nobody watched the days before that.
    pub fn take(&mut self, control: &Control) -> Option<(Day, Day)> {
        match control {
            Control::SettingsAdopted { settings, .. } => {
                self.close_delay_us = settings.close_delay_us;
                // The zone was known when it was adopted. Should later rules lack it, its days end as those before did; a
                // directory whose last zone is unknown does not open at all.
                if let Ok(calendar) = Calendar::new(&settings.zone) {
                    self.calendar = calendar;
                }
                None
            }
            Control::ClockAdvanced { at } if self.clock_at < Some(*at) => {
                self.clock_at = Some(*at);
                let last = self.calendar.day(at.saturating_sub(self.close_delay_us)).plus(-1);
                let first = self.closed_through.map_or(last, |closed| closed.plus(1));
                (first <= last).then(|| {
                    self.closed_through = Some(last);
                    (first, last)
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::state::ControlState;

    const HOUR: Micros = 3_600_000_000;

    #[test]
    fn a_day_closes_once_at_its_end_and_the_delay() {
        let mut days = DayClose::default();
        let mut clock = |at| days.take(&Control::ClockAdvanced { at }).map(|(first, last)| (first.0, last.0));
        assert_eq!(clock(10 * 24 * HOUR + 2 * HOUR), Some((8, 8)));
        assert_eq!(clock(10 * 24 * HOUR + 3 * HOUR - 1), None);
        assert_eq!(clock(10 * 24 * HOUR + 3 * HOUR), Some((9, 9)));
        assert_eq!(clock(10 * 24 * HOUR + 4 * HOUR), None);
        assert_eq!(clock(13 * 24 * HOUR + 3 * HOUR), Some((10, 12)));
        assert_eq!(clock(12 * 24 * HOUR), None);
        assert_eq!(days.closed_through(), Some(Day(12)));
    }

    #[test]
    fn what_is_closed_stays_so_under_a_longer_delay() {
        let mut days = DayClose::default();
        days.take(&Control::ClockAdvanced { at: 10 * 24 * HOUR + 3 * HOUR });
        let slower = Settings { close_delay_us: 48 * HOUR, ..Settings::default() };
        assert_eq!(days.take(&ControlState::adoption_of(slower)), None);
        assert_eq!(days.take(&Control::ClockAdvanced { at: 11 * 24 * HOUR + 3 * HOUR }), None);
        assert_eq!(days.closed_through(), Some(Day(9)));
    }
}
