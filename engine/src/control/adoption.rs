//! A change of the adopted settings or model: checked as a whole, carried out as a whole or not at all.

use tidewatch_projections::calendar::Calendar;
use tidewatch_projections::event::Micros;
use tidewatch_projections::model::{Model, ModelError};
use tidewatch_projections::names::Names;
use tidewatch_projections::plan::{Bounds, Plan};
use tidewatch_projections::rules::Rules;
use tidewatch_projections::settings::{ClosedDays, Settings};

use crate::control::state::ControlState;

/// Longest model file, in bytes.
pub const MODEL_BYTES_MAX: usize = 256 * 1024;
/// Longest rule file, in bytes.
pub const RULES_BYTES_MAX: usize = 256 * 1024;
pub const CLOSED_DAYS_MAX: usize = 10_000;
/// Longest scope of a closed period, in bytes.
pub const SCOPE_BYTES_MAX: usize = 1024;

/// Longest skew or delay, in microseconds: 10,000 years, for feeds whose times are meant to lie ahead.
pub const DURATION_US_MAX: Micros = 3_652_425 * 86_400_000_000;

/// A change of what is adopted; what is `None` stays as it is.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Adoption {
    /// The reporting zone, an IANA name.
    pub zone: Option<Box<str>>,
    pub closed_days: Option<Vec<ClosedDays>>,
    /// How far `occurred_at` may lie after the time of recording, in microseconds.
    pub skew_us: Option<Micros>,
    /// How long after its end a day closes, in microseconds.
    pub close_delay_us: Option<Micros>,
    /// A model file, word for word.
    pub model: Option<Box<str>>,
    /// A rule file, word for word.
    pub rules: Option<Box<str>>,
    /// The change is only made while [`etag`] is this.
    pub etag: Option<Box<str>>,
}

/// Why something cannot be adopted, whatever is adopted already.
#[derive(Debug, thiserror::Error)]
pub enum AdoptionError {
    /// The model does not fit its grammar.
    #[error("the model was not adopted: {0}")]
    Model(ModelError),
    /// The model is too long.
    #[error("the model was not adopted: it has {bytes} bytes, at most {MODEL_BYTES_MAX} are kept")]
    ModelTooLong { bytes: usize },
    /// The rules do not fit their grammar.
    #[error("the rules were not adopted: {0}")]
    Rules(Box<ModelError>),
    /// The rule file is too long.
    #[error("the rules were not adopted: the file has {bytes} bytes, at most {RULES_BYTES_MAX} are kept")]
    RulesTooLong { bytes: usize },
    /// More closed periods than an entry of the log takes.
    #[error("{count} closed periods, at most {CLOSED_DAYS_MAX} are kept; join those that follow one another")]
    TooManyClosedDays { count: usize },
    /// The scope of a closed period is too long.
    #[error("a scope of closed days has {bytes} bytes, at most {SCOPE_BYTES_MAX} are kept")]
    ScopeTooLong { bytes: usize },
    /// A skew or a delay that is negative or past every calendar.
    #[error("{what} of {us} µs; it is at least 0 and at most {DURATION_US_MAX} µs (10,000 years)")]
    Duration { what: &'static str, us: Micros },
    /// A closed period that ends before it begins.
    #[error("closed days end on {to} before they begin on {from}")]
    Reversed { from: String, to: String },
}

impl From<Settings> for Adoption {
    /// All settings, whatever they were.
    fn from(settings: Settings) -> Self {
        let Settings { zone, closed_days, skew_us, close_delay_us } = settings;
        Self {
            zone: Some(zone),
            closed_days: Some(closed_days),
            skew_us: Some(skew_us),
            close_delay_us: Some(close_delay_us),
            ..Self::default()
        }
    }
}

impl Adoption {
    /// A model file and nothing else.
    pub fn of_model(text: impl Into<Box<str>>) -> Self {
        Self { model: Some(text.into()), ..Self::default() }
    }

    /// A rule file and nothing else.
    pub fn of_rules(text: impl Into<Box<str>>) -> Self {
        Self { rules: Some(text.into()), ..Self::default() }
    }

    /// Checks what can be checked without knowing what is adopted.
    ///
    /// # Errors
    /// [`AdoptionError`].
    pub fn check(&self, names: &Names) -> Result<(), AdoptionError> {
        if let Some(text) = &self.model {
            if text.len() > MODEL_BYTES_MAX {
                return Err(AdoptionError::ModelTooLong { bytes: text.len() });
            }
            let compile = |model| Plan::compile(model, names, Calendar::utc(), Bounds::LIVE, &[]);
            Model::parse(text).and_then(compile).map_err(AdoptionError::Model)?;
        }
        if let Some(text) = &self.rules {
            if text.len() > RULES_BYTES_MAX {
                return Err(AdoptionError::RulesTooLong { bytes: text.len() });
            }
            Rules::parse(text).map_err(|error| AdoptionError::Rules(Box::new(error)))?;
        }
        for (what, us) in [("a skew", self.skew_us), ("a close delay", self.close_delay_us)] {
            if let Some(us) = us.filter(|us| !(0..=DURATION_US_MAX).contains(us)) {
                return Err(AdoptionError::Duration { what, us });
            }
        }
        let closed_days = self.closed_days.as_deref().unwrap_or_default();
        if closed_days.len() > CLOSED_DAYS_MAX {
            return Err(AdoptionError::TooManyClosedDays { count: closed_days.len() });
        }
        for closed in closed_days {
            let bytes = closed.scope.to_string().len();
            if bytes > SCOPE_BYTES_MAX {
                return Err(AdoptionError::ScopeTooLong { bytes });
            }
            if closed.from > closed.to {
                let (from, to) = (closed.from.to_string(), closed.to.to_string());
                return Err(AdoptionError::Reversed { from, to });
            }
        }
        Ok(())
    }

    /// Whether it says anything of the settings, the same as before or not.
    pub fn names_settings(&self) -> bool {
        self.zone.is_some()
            || self.closed_days.is_some()
            || self.skew_us.is_some()
            || self.close_delay_us.is_some()
    }

    /// The settings after the change.
    pub fn settings(&self, before: &Settings) -> Settings {
        Settings {
            zone: self.zone.clone().unwrap_or_else(|| before.zone.clone()),
            closed_days: self.closed_days.clone().unwrap_or_else(|| before.closed_days.clone()),
            skew_us: self.skew_us.unwrap_or(before.skew_us),
            close_delay_us: self.close_delay_us.unwrap_or(before.close_delay_us),
        }
    }
}

/// A word that changes whenever something else is adopted.
pub fn etag(control_state: &ControlState) -> String {
    let mut bytes = Vec::new();
    ControlState::adoption_of(control_state.settings.clone()).encode(None, &mut bytes);
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&(bytes.len() as u64).to_le_bytes())
        .update(&bytes)
        .update(control_state.model_text().as_bytes())
        .update(control_state.rules_text().as_bytes());
    hasher.finalize().to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use tidewatch_projections::calendar::Day;
    use tidewatch_projections::settings::Scope;

    use super::*;
    use crate::control::state::AdoptedModel;

    #[test]
    fn what_is_not_named_stays_and_the_etag_follows_what_is() {
        let before = Settings { zone: "Europe/Paris".into(), skew_us: 7, ..Settings::default() };
        let closed = ClosedDays { scope: Scope::All, from: Day(1), to: Day(2) };
        let adoption = Adoption { closed_days: Some(vec![closed.clone()]), ..Adoption::default() };
        let after = adoption.settings(&before);
        assert_eq!(after, Settings { closed_days: vec![closed], ..before.clone() });
        let control_state = |settings| ControlState { settings, ..ControlState::default() };
        assert_ne!(etag(&control_state(before.clone())), etag(&control_state(after)));
        let model = AdoptedModel { seq: 1, text: "[metrics]\n".into() };
        let other = ControlState { models: vec![model], ..control_state(before.clone()) };
        assert_ne!(etag(&control_state(before)), etag(&other));
    }

    #[test]
    fn what_no_entry_could_hold_is_refused_with_the_limit() {
        let names = Names::new();
        let problem = |adoption: Adoption| adoption.check(&names).unwrap_err().to_string();
        let day = ClosedDays { scope: Scope::All, from: Day(2), to: Day(2) };
        let many = vec![day.clone(); CLOSED_DAYS_MAX + 1];
        assert!(
            problem(Adoption { closed_days: Some(many), ..Adoption::default() }).contains("at most 10000")
        );
        let long = ClosedDays { scope: Scope::Segment("x".repeat(SCOPE_BYTES_MAX).into()), ..day.clone() };
        let long = Adoption { closed_days: Some(vec![long]), ..Adoption::default() };
        assert!(problem(long).contains("at most 1024"));
        let reversed = ClosedDays { to: Day(1), ..day };
        assert!(
            problem(Adoption { closed_days: Some(vec![reversed]), ..Adoption::default() })
                .contains("1970-01-02")
        );
        assert!(problem(Adoption::of_model("#".repeat(MODEL_BYTES_MAX + 1))).contains("262144"));
        assert!(problem(Adoption::of_model("[metrics]\nx = 1\n")).contains("not adopted"));
        for us in [-1, DURATION_US_MAX + 1] {
            let adoption = Adoption { skew_us: Some(us), ..Adoption::default() };
            assert!(problem(adoption).contains("10,000 years"), "{us}");
        }
        let longest = Adoption { close_delay_us: Some(DURATION_US_MAX), ..Adoption::default() };
        assert!(longest.check(&names).is_ok());
    }
}
