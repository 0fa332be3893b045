//! Playbooks: what to do about an alert (alerts §2).

use toml::Value as Toml;

use crate::filter::bad_value;
use crate::model::document::{check_keys, days, list, name, required, table};
use crate::model_error::ModelError;

/// Most steps of a playbook.
pub const STEPS_MAX: usize = 10;
const KEYS: [&str; 4] = ["title", "link", "steps", "due_working_days"];

/// What to do about an alert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Playbook {
    /// Its title.
    pub title: String,
    /// Where it is written down in full; empty where it is not.
    pub link: String,
    /// What to do, in this order; the first goes into the message.
    pub steps: Vec<String>,
    /// Working days until it should be done.
    pub due_working_days: Option<u32>,
}

impl Playbook {
    pub(super) fn read(declared: &Toml, path: &str) -> Result<Self, ModelError> {
        let declared_table = table(declared, path, "a table with the key \"title\"")?;
        check_keys(declared_table, path, &KEYS)?;
        let at = |key: &str| format!("{path}.{key}");
        let title = name(required(declared_table, "title", path, "a playbook")?, &at("title"))?.to_owned();
        let link = match declared_table.get("link") {
            Some(link) => name(link, &at("link"))?.to_owned(),
            None => String::new(),
        };
        let mut steps = Vec::new();
        if let Some(declared) = declared_table.get("steps") {
            let listed = list(declared, &at("steps"), "a list of texts")?;
            if listed.len() > STEPS_MAX {
                return Err(bad_value(
                    &at("steps"),
                    declared,
                    &format!("a list of at most {STEPS_MAX} steps"),
                ));
            }
            for (index, step) in listed.iter().enumerate() {
                steps.push(name(step, &format!("{path}.steps[{index}]"))?.to_owned());
            }
        }
        let due_working_days = match declared_table.get("due_working_days") {
            Some(due) => Some(days(due, &at("due_working_days"))?),
            None => None,
        };
        Ok(Self { title, link, steps, due_working_days })
    }
}
