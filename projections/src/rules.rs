//! Rule files: when an account is worth an alert, how severe it is, and who hears of it (alerts §7).
//!
//! The grammar is that of `rules/default.toml`; nothing outside of it is accepted. Errors are told as those of models are.

pub mod shared;
pub mod playbook;
pub mod metric_tests;
pub mod kind;
pub mod rule;
pub mod inhibition;
pub mod route;
pub mod receiver;
pub mod doubt;

use std::sync::Arc;

use toml::{Table, Value as Toml};

use self::inhibition::Inhibition;
use self::kind::Kind;
use self::receiver::Receiver;
use self::route::Route;
use self::rule::Rule;
use self::shared::Shared;
use crate::model::document::{self, check_keys, integer, number, refused, table, text, whole};
use crate::model_error::ModelError;

/// The default rules, as they stand beside the source.
pub const DEFAULT: &str = include_str!("rules/default.toml");

/// What a rule of the drop detector opens, by what it found (alerts §7).
pub const DROP_OUTCOMES: [&str; 3] = ["activity_drop", "gone_silent", "slow_decline"];
/// What opens by itself, for the whole fleet.
pub const FLEET_RULES: [&str; 3] = ["telemetry_missing", "fleet_lull", "storm"];

/// Most rules of a file.
pub const RULES_MAX: usize = 1_000;
/// Longest of the periods that a file states, ten years.
const PERIOD_DAYS_MAX: u32 = 3_650;

const TOP_LEVEL: [&str; 10] = [
    "name",
    "version",
    "live_horizon_days",
    "learning_days",
    "storm",
    "defaults",
    "rules",
    "inhibit",
    "routes",
    "receivers",
];

/// A rule file with its names resolved and its ranges checked.
#[derive(Clone, PartialEq, Debug)]
pub struct Rules {
    /// Its name; empty when the file gives none.
    pub name: String,
    /// Its version; 0 when the file gives none.
    pub version: i64,
    /// A day closed later than so many days after its end opens nothing but `found`.
    pub live_horizon_days: u32,
    /// Days of a new source in which what opens is not delivered.
    pub learning_days: u32,
    /// When so many accounts open alerts at once that it is one incident.
    pub storm: Storm,
    /// The rules, in the order of the file; names are unique.
    pub rules: Vec<Rule>,
    /// Which alerts make others lines of their case, in the order of the file.
    pub inhibitions: Vec<Inhibition>,
    /// Who hears of what: the first that matches.
    pub routes: Vec<Route>,
    /// Where alerts go, by name.
    pub receivers: Vec<Receiver>,
    /// What a digest of it covers: files that mean the same whatever their comments and their order of keys within a table give
    /// the same bytes.
    pub canonical: Arc<[u8]>,
}

/// How many accounts must open activity alerts on one day to make it one incident: both limits must be reached.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Storm {
    /// The least number of accounts.
    pub accounts_min: u32,
    /// The least share of the judged accounts, from 0 to 1.
    pub share_min: f64,
}

impl Storm {
    const DEFAULT: Self = Self { accounts_min: 8, share_min: 0.01 };

    /// Whether so many opening accounts of so many judged ones are a storm.
    pub fn is(&self, opening: usize, judged: usize) -> bool {
        opening as f64 >= f64::from(self.accounts_min).max(self.share_min * judged as f64)
    }
}

impl Rules {
    /// Reads a rule file.
    ///
    /// # Errors
    /// Anything outside the grammar, with key, value and the nearest valid key: the first there is. [`Rules::read`] tells
    /// them all.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        Self::read(text).map_err(|errors| errors.into_iter().next().expect("it fails for a reason"))
    }

    /// The rule of a name.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// The metrics that rules name, each once, by rising name.
    pub fn metrics(&self) -> Vec<&str> {
        let tests = self.rules.iter().filter_map(|rule| match &rule.kind {
            Kind::Metrics(tests) => Some(tests),
            _ => None,
        });
        let mut names: Vec<&str> =
            tests.flat_map(|tests| &tests.tests).map(|test| test.metric.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Reads a rule file as [`Rules::parse`] does, and tells all that is wrong with it.
    ///
    /// # Errors
    /// Whatever is outside the grammar; of each rule, route and receiver the first error.
    pub fn read(text: &str) -> Result<Self, Vec<ModelError>> {
        let file = document::parse(text).map_err(|error| vec![error])?;
        let mut reading = Reading::default();
        reading.keep(check_keys(&file, "the rules", &TOP_LEVEL));
        let name = reading.keep(name_of(&file));
        let version = reading.keep(version_of(&file));
        let live_horizon = reading.keep(period_of(&file, "live_horizon_days", 3));
        let learning = reading.keep(period_of(&file, "learning_days", 14));
        let storm = reading.keep(storm_of(&file));
        // Of a file whose defaults are wrong the rules are still worth checking.
        let shared = reading.keep(Shared::read(&file)).unwrap_or_default();
        let rules = reading.rules(&file, &shared);
        let names = names(&file);
        let inhibitions = reading.keep(inhibition::read_all(&file, &names));
        let receivers = reading.receivers(&file);
        let routes = reading.routes(&file, &names);
        match (name, version, live_horizon, learning, storm, inhibitions) {
            (
                Some(name),
                Some(version),
                Some(live_horizon_days),
                Some(learning_days),
                Some(storm),
                Some(inhibitions),
            ) if reading.errors.is_empty() => Ok(Self {
                name,
                version,
                live_horizon_days,
                learning_days,
                storm,
                rules,
                inhibitions,
                routes,
                receivers,
                canonical: document::canonical(&file).into(),
            }),
            _ => Err(reading.errors),
        }
    }
}

/// What was wrong so far.
#[derive(Default)]
struct Reading {
    errors: Vec<ModelError>,
}

impl Reading {
    fn keep<T>(&mut self, read: Result<T, ModelError>) -> Option<T> {
        read.map_err(|error| self.errors.push(error)).ok()
    }

    fn rules(&mut self, file: &Table, shared: &Shared) -> Vec<Rule> {
        let declared = self.keep(section(file, "rules", "a table of rules"));
        let declared = declared.flatten().into_iter().flatten();
        let rules: Vec<Rule> =
            declared.filter_map(|(name, rule)| self.keep(Rule::read(name, rule, shared))).collect();
        if rules.len() > RULES_MAX {
            let reason = format!("{} rules are declared, at most {RULES_MAX} are allowed", rules.len());
            self.errors.push(refused("rules", reason));
        }
        rules
    }

    fn receivers(&mut self, file: &Table) -> Vec<Receiver> {
        let declared = self.keep(section(file, "receivers", "a table of receivers"));
        let declared = declared.flatten().into_iter().flatten();
        declared.filter_map(|(name, receiver)| self.keep(Receiver::read(name, receiver))).collect()
    }

    fn routes(&mut self, file: &Table, rules: &[&str]) -> Vec<Route> {
        let Some(declared) = file.get("routes") else { return Vec::new() };
        let Some(list) = self.keep(document::list(declared, "routes", "a list of tables")) else {
            return Vec::new();
        };
        // A receiver with an error is still one that a route may name.
        let receivers: Vec<&str> = match file.get("receivers") {
            Some(Toml::Table(receivers)) => receivers.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let routes = list.iter().enumerate();
        routes
            .filter_map(|(index, route)| {
                self.keep(Route::read(route, &format!("routes[{index}]"), rules, &receivers))
            })
            .collect()
    }
}

/// Every name that an alert of this file may have: those of rules, with errors or without, the outcomes of the drop detector,
/// and the rules of the fleet.
fn names(file: &Table) -> Vec<&str> {
    let declared = file.get("rules").and_then(Toml::as_table).into_iter().flat_map(Table::keys);
    let mut names: Vec<&str> = declared.map(String::as_str).collect();
    for known in DROP_OUTCOMES.into_iter().chain(FLEET_RULES) {
        if !names.contains(&known) {
            names.push(known);
        }
    }
    names
}

fn section<'a>(file: &'a Table, key: &str, expected: &str) -> Result<Option<&'a Table>, ModelError> {
    file.get(key).map(|declared| table(declared, key, expected)).transpose()
}

fn name_of(file: &Table) -> Result<String, ModelError> {
    file.get("name").map_or(Ok(String::new()), |name| Ok(text(name, "name")?.to_owned()))
}

fn version_of(file: &Table) -> Result<i64, ModelError> {
    file.get("version").map_or(Ok(0), |version| integer(version, "version", 0, i64::MAX))
}

/// Days, from none on.
fn period_of(file: &Table, key: &str, default: u32) -> Result<u32, ModelError> {
    file.get(key).map_or(Ok(default), |days| whole(days, key, 0, PERIOD_DAYS_MAX))
}

fn storm_of(file: &Table) -> Result<Storm, ModelError> {
    let Some(declared) = section(file, "storm", "a table with the keys \"accounts_min\" and \"share_min\"")?
    else {
        return Ok(Storm::DEFAULT);
    };
    check_keys(declared, "storm", &["accounts_min", "share_min"])?;
    let accounts_min = match declared.get("accounts_min") {
        Some(least) => whole(least, "storm.accounts_min", 1, u32::MAX)?,
        None => Storm::DEFAULT.accounts_min,
    };
    let share_min = match declared.get("share_min") {
        Some(share) => {
            number(share, "storm.share_min", "a share from 0 to 1", |share| (0.0..=1.0).contains(&share))?
        }
        None => Storm::DEFAULT.share_min,
    };
    Ok(Storm { accounts_min, share_min })
}

#[cfg(test)]
mod tests;
