//! Inhibition: an alert that makes others of its account lines of its case (alerts §2).

use toml::{Table, Value as Toml};

use crate::filter::bad_value;
use crate::model::document::{find, list, name, table};
use crate::model_error::ModelError;

/// Stands for every other alert.
const EVERY: &str = "*";

/// While the alert of a name is open, and for 28 days from its opening, it inhibits others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inhibition {
    /// The name of the alert that inhibits.
    pub by: String,
    /// Which alerts it inhibits.
    pub inhibited: Inhibited,
}

/// Which alerts are inhibited.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Inhibited {
    /// Every other of the account.
    All,
    /// Those of these names.
    Named(Vec<String>),
}

impl Inhibition {
    /// Whether it keeps the alert of a name back.
    pub fn inhibits(&self, name: &str) -> bool {
        self.by != name
            && match &self.inhibited {
                Inhibited::All => true,
                Inhibited::Named(names) => names.iter().any(|inhibited| inhibited == name),
            }
    }
}

/// Reads `[inhibit]`; `names` are those that alerts of the file may have.
pub(super) fn read_all(file: &Table, names: &[&str]) -> Result<Vec<Inhibition>, ModelError> {
    let Some(declared) = file.get("inhibit") else { return Ok(Vec::new()) };
    let declared = table(declared, "inhibit", "a table of rules and the rules they inhibit")?;
    declared.iter().map(|(by, inhibited)| read(by, inhibited, names)).collect()
}

fn read(by: &str, inhibited: &Toml, names: &[&str]) -> Result<Inhibition, ModelError> {
    find(by, names, "rule", "inhibit")?;
    let path = format!("inhibit.{by}");
    let listed = list(inhibited, &path, "a list of rules, or [\"*\"]")?;
    let mut named = Vec::with_capacity(listed.len());
    for (index, rule) in listed.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let rule = name(rule, &path)?;
        if rule == EVERY {
            if listed.len() > 1 {
                return Err(bad_value(&path, &listed[index], "a rule: \"*\" stands alone"));
            }
            return Ok(Inhibition { by: by.to_owned(), inhibited: Inhibited::All });
        }
        find(rule, names, "rule", &path)?;
        named.push(rule.to_owned());
    }
    Ok(Inhibition { by: by.to_owned(), inhibited: Inhibited::Named(named) })
}
