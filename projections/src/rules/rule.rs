//! One rule: whom it judges, what makes it fire, and how its alerts behave.

use toml::Value as Toml;

use super::kind::Kind;
use super::playbook::Playbook;
use super::shared::{self, Missing, Shared};
use super::{DROP_OUTCOMES, FLEET_RULES};
use crate::model::condition::Condition;
use crate::model::document::{refused, table};
use crate::model_error::ModelError;
use crate::severity::Severity;
use crate::vocabulary::Status;

/// The keys of every rule besides those of [`shared::KEYS`].
const KEYS: [&str; 2] = ["when", "playbook"];

/// One rule.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// Unique in the file; part of the identity of its alerts.
    pub name: String,
    /// What makes it fire.
    pub kind: Kind,
    /// How severe its alerts are; `None` where that depends on what was found.
    pub severity: Option<Severity>,
    /// The accounts it judges, besides those without such a status; `None`: all.
    pub when: Option<Condition>,
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
    /// What to do about its alerts.
    pub playbook: Option<Playbook>,
}

impl Rule {
    pub(super) fn read(name: &str, declared: &Toml, shared: &Shared) -> Result<Self, ModelError> {
        let path = format!("rules.{name}");
        let declared = table(declared, &path, "a table")?;
        let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(refused(&path, "the name of a rule consists of letters, digits, _ and -"));
        }
        let keys: Vec<&str> = shared::KEYS.into_iter().chain(KEYS).collect();
        let (kind, severity) = Kind::read(declared, &path, &keys)?;
        let is_outcome = DROP_OUTCOMES.contains(&name) && !matches!(kind, Kind::Drop(_));
        if is_outcome || FLEET_RULES.contains(&name) {
            let reason = "alerts of this name open by themselves; give the rule another";
            return Err(refused(&path, reason));
        }
        let Shared { statuses, hold_days, keep_days, cooldown_days, missing } =
            shared.with(declared, &path)?;
        let when = match declared.get("when") {
            Some(condition) => Some(Condition::read(condition, &format!("{path}.when"))?),
            None => None,
        };
        let playbook = match declared.get("playbook") {
            Some(playbook) => Some(Playbook::read(playbook, &format!("{path}.playbook"))?),
            None => None,
        };
        Ok(Self {
            name: name.to_owned(),
            kind,
            severity,
            when,
            statuses,
            hold_days,
            keep_days,
            cooldown_days,
            missing,
            playbook,
        })
    }
}
