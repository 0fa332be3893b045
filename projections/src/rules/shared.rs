//! What every rule has besides its condition, and the `[defaults]` of a file.

use toml::{Table, Value as Toml};

use super::PERIOD_DAYS_MAX;
use crate::filter::bad_value;
use crate::model::document::{check_keys, days, list, table, whole, word};
use crate::model_error::ModelError;
use crate::vocabulary::Status;

/// What a rule does where its input is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// Its alert stays as it is.
    Keep,
    /// As if the condition did not hold.
    Ok,
    /// As if it held.
    Alert,
}

/// The keys of `[defaults]`, which every rule may set for itself.
pub(super) const KEYS: [&str; 5] = ["statuses", "hold_days", "keep_days", "cooldown_days", "missing"];

/// What rules share unless they say otherwise (alerts §1, §3). Days are days that the clock closed and that were open days of
/// the account.
#[derive(Clone, PartialEq, Debug)]
pub struct Shared {
    /// The statuses in which accounts are judged.
    pub statuses: Vec<Status>,
    /// Days that the condition must last before an alert opens; 1: at once.
    pub hold_days: u32,
    /// Days that it must be gone before the alert resolves.
    pub keep_days: u32,
    /// Days after resolving within which it opens again as the same alert.
    pub cooldown_days: u32,
    /// What it does where its input is missing.
    pub missing: Missing,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            statuses: vec![Status::Paying],
            hold_days: 1,
            keep_days: 3,
            cooldown_days: 28,
            missing: Missing::Keep,
        }
    }
}

impl Shared {
    /// Reads the `[defaults]` of a file.
    pub(super) fn read(file: &Table) -> Result<Self, ModelError> {
        let Some(declared) = file.get("defaults") else { return Ok(Self::default()) };
        let declared = table(declared, "defaults", "a table")?;
        check_keys(declared, "defaults", &KEYS)?;
        Self::default().with(declared, "defaults")
    }

    /// The same, with what a table says of it.
    pub(super) fn with(&self, declared: &Table, path: &str) -> Result<Self, ModelError> {
        let mut shared = self.clone();
        let at = |key: &str| format!("{path}.{key}");
        if let Some(statuses) = declared.get("statuses") {
            shared.statuses = read_statuses(statuses, &at("statuses"))?;
        }
        if let Some(hold) = declared.get("hold_days") {
            shared.hold_days = days(hold, &at("hold_days"))?;
        }
        if let Some(keep) = declared.get("keep_days") {
            shared.keep_days = days(keep, &at("keep_days"))?;
        }
        if let Some(cooldown) = declared.get("cooldown_days") {
            shared.cooldown_days = whole(cooldown, &at("cooldown_days"), 0, PERIOD_DAYS_MAX)?;
        }
        if let Some(missing) = declared.get("missing") {
            shared.missing = match word(missing, &at("missing"), &["keep", "ok", "alert"])? {
                "ok" => Missing::Ok,
                "alert" => Missing::Alert,
                _ => Missing::Keep,
            };
        }
        Ok(shared)
    }
}

fn read_statuses(declared: &Toml, path: &str) -> Result<Vec<Status>, ModelError> {
    let names = list(declared, path, "a list of statuses")?;
    if names.is_empty() {
        return Err(bad_value(path, declared, "a list of at least one status"));
    }
    let words = Status::ALL.map(Status::name);
    let mut statuses = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let name = word(name, &format!("{path}[{index}]"), &words)?;
        statuses.extend(Status::ALL.into_iter().find(|status| status.name() == name));
    }
    Ok(statuses)
}
