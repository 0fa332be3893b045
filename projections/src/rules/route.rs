//! Routes: which receiver hears of which alerts (alerts §6).

use toml::{Table, Value as Toml};

use super::kind::read_severity;
use crate::filter::bad_value;
use crate::model::document::{check_keys, find, name, required, table};
use crate::model_error::ModelError;
use crate::severity::Severity;

const KEYS: [&str; 7] = ["receiver", "rule", "severity", "tier", "segment", "stage", "role"];

/// Which receiver hears of which alerts. Of several routes the first that matches counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// The name of the receiver.
    pub receiver: String,
    /// The names of alerts; empty: any.
    pub rules: Vec<String>,
    /// The severities; empty: any.
    pub severities: Vec<Severity>,
    /// The account's tiers; empty: any, an account without one too.
    pub tiers: Vec<String>,
    /// The account's segments; the same.
    pub segments: Vec<String>,
    /// The account's stages; the same.
    pub stages: Vec<String>,
    /// The role of the person at the vendor it is addressed to; accounts for which nobody has it go on to the next route.
    pub role: Option<String>,
}

impl Route {
    pub(super) fn read(
        declared: &Toml,
        path: &str,
        rules: &[&str],
        receivers: &[&str],
    ) -> Result<Self, ModelError> {
        let declared = table(declared, path, "a table with the key \"receiver\"")?;
        check_keys(declared, path, &KEYS)?;
        let at = |key: &str| format!("{path}.{key}");
        let receiver = name(required(declared, "receiver", path, "a route")?, &at("receiver"))?;
        find(receiver, receivers, "receiver", &at("receiver"))?;
        let named = names(declared, "rule", path)?;
        for (rule, path) in &named {
            find(rule, rules, "rule", path)?;
        }
        let severities = match declared.get("severity") {
            Some(declared) => {
                let one_or_more = one_or_more(declared, &at("severity"))?;
                let read = one_or_more.into_iter().map(|(severity, path)| read_severity(severity, &path));
                read.collect::<Result<_, _>>()?
            }
            None => Vec::new(),
        };
        let texts = |key: &str| -> Result<Vec<String>, ModelError> {
            Ok(names(declared, key, path)?.into_iter().map(|(name, _)| name.to_owned()).collect())
        };
        let role = match declared.get("role") {
            Some(role) => Some(name(role, &at("role"))?.to_owned()),
            None => None,
        };
        Ok(Self {
            receiver: receiver.to_owned(),
            rules: texts("rule")?,
            severities,
            tiers: texts("tier")?,
            segments: texts("segment")?,
            stages: texts("stage")?,
            role,
        })
    }
}

/// A value or a list of at least one, each with its path.
fn one_or_more<'a>(declared: &'a Toml, path: &str) -> Result<Vec<(&'a Toml, String)>, ModelError> {
    match declared {
        Toml::Array(values) if values.is_empty() => {
            Err(bad_value(path, declared, "a value or a list of at least one"))
        }
        Toml::Array(values) => {
            let values = values.iter().enumerate();
            Ok(values.map(|(index, value)| (value, format!("{path}[{index}]"))).collect())
        }
        value => Ok(vec![(value, path.to_owned())]),
    }
}

/// The names under a key, each with its path; none where there is no such key.
fn names<'a>(declared: &'a Table, key: &str, path: &str) -> Result<Vec<(&'a str, String)>, ModelError> {
    let Some(declared) = declared.get(key) else { return Ok(Vec::new()) };
    let values = one_or_more(declared, &format!("{path}.{key}"))?.into_iter();
    values.map(|(value, path)| Ok((name(value, &path)?, path))).collect()
}
