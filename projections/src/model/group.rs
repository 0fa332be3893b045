//! Groups: measures that are weighed against each other, and then as one against other groups (health-model §5).

use std::collections::BTreeMap;

use toml::{Table, Value as Toml};

use super::document::{check_keys, find, number, refused, required, table};
use super::{ModelError, bad_value, nearest};

/// Greatest weight: sums of all weights of a model stay finite.
const WEIGHT_MAX: f64 = 1e9;

/// Measures that are weighed against each other.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// Unique in the profile.
    pub name: String,
    /// Against the other groups; 0 or more.
    pub weight: f64,
    /// Never empty, in the order of the file; a measure stands in one group of a profile only.
    pub measures: Vec<Weighted>,
}

/// A measure and what it weighs in its group.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Weighted {
    /// Index of the measure in the model.
    pub measure: usize,
    /// Against the others of the group; 0 makes a monitor: shown, never counted.
    pub weight: f64,
}

/// The named sets of `weights`, which groups refer to.
pub(super) struct WeightSets<'a> {
    measures: &'a [&'a str],
    sets: BTreeMap<&'a str, Vec<Weighted>>,
}

impl<'a> WeightSets<'a> {
    /// Reads the table `weights`.
    pub(super) fn read(declared: Option<&'a Table>, measures: &'a [&'a str]) -> Result<Self, ModelError> {
        let mut sets = BTreeMap::new();
        for (name, set) in declared.into_iter().flatten() {
            let path = format!("weights.{name}");
            let set = table(set, &path, "a table of measures and their weights")?;
            sets.insert(name.as_str(), read_weights(set, &path, measures)?);
        }
        Ok(Self { measures, sets })
    }

    fn find(&self, name: &str, path: &str) -> Result<Vec<Weighted>, ModelError> {
        self.sets.get(name).cloned().ok_or_else(|| ModelError::NoSuchName {
            path: path.to_owned(),
            what: "set of weights",
            name: name.to_owned(),
            nearest: nearest(name, self.sets.keys().copied()).to_owned(),
        })
    }
}

impl Group {
    pub(super) fn read(
        name: &str,
        declared: &Toml,
        path: &str,
        sets: &WeightSets<'_>,
    ) -> Result<Self, ModelError> {
        let declared = table(declared, path, "a table with the keys \"weight\" and \"measures\"")?;
        check_keys(declared, path, &["weight", "measures"])?;
        let weight = read_weight(required(declared, "weight", path, "a group")?, &format!("{path}.weight"))?;
        let at = format!("{path}.measures");
        let measures = match required(declared, "measures", path, "a group")? {
            Toml::String(set) => sets.find(set, &at)?,
            Toml::Table(weights) => read_weights(weights, &at, sets.measures)?,
            other => {
                return Err(bad_value(
                    &at,
                    other,
                    "the name of a set of weights, or a table of measures and their weights",
                ));
            }
        };
        if measures.is_empty() {
            return Err(refused(&at, "the group has no measure"));
        }
        Ok(Self { name: name.to_owned(), weight, measures })
    }
}

fn read_weights(declared: &Table, path: &str, measures: &[&str]) -> Result<Vec<Weighted>, ModelError> {
    let weighted = |(name, weight): (&String, &Toml)| {
        let measure = find(name, measures, "measure", path)?;
        Ok(Weighted { measure, weight: read_weight(weight, &format!("{path}.{name}"))? })
    };
    declared.iter().map(weighted).collect()
}

fn read_weight(declared: &Toml, path: &str) -> Result<f64, ModelError> {
    number(declared, path, "a weight from 0 to 1000000000", |weight| (0.0..=WEIGHT_MAX).contains(&weight))
}
