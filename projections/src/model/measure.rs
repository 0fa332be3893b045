//! Measures: a metric made into points, what stands in for it when it is missing, and when it is too old (health-model §5).

use toml::{Table, Value as Toml};

use super::curve::Curve;
use super::document::{by_name, check_keys, days, find, list, number, refused, required, table, text, word};
use super::{ModelError, bad_value};
use crate::filter::Filter;

/// Most measures of a model.
const MEASURES_MAX: usize = 1_000;
/// Longest half-life of an old answer in days, a hundred years.
const HALF_LIFE_DAYS_MAX: f64 = 36_525.0;
const KEYS: [&str; 7] =
    ["metric", "curve", "otherwise", "missing", "half_life_days", "max_age_days", "input"];

/// A metric made into points.
#[derive(Clone, PartialEq, Debug)]
pub struct Measure {
    /// Unique in the model.
    pub name: String,
    /// The metric and those of `otherwise`, in the order in which they are tried; never empty. A text is missing.
    pub attempts: Vec<Attempt>,
    /// What it is worth when none of them has a value.
    pub missing: Missing,
    /// Days after which its newest input event is too old; `None`: it never is.
    pub max_age_days: Option<u32>,
    /// Its input events; `None`: those of any part of its metric.
    pub input: Option<Filter>,
}

/// One metric that a measure tries.
#[derive(Clone, PartialEq, Debug)]
pub struct Attempt {
    /// Index of the metric in the model.
    pub metric: usize,
    /// The points that a value of the metric is worth.
    pub curve: Curve,
}

/// What a measure without a value is worth.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Missing {
    /// Nothing: the others carry its weight.
    Exclude,
    /// 50 points: neither good nor bad.
    Neutral,
    /// 0 points: as bad as can be.
    Worst,
    /// The points it last had, p, fading to 50: 50 + (p − 50)·2^(−age/half-life), for at most ten half-lives.
    Last {
        /// Above 0, at most 36,525.
        half_life_days: f64,
    },
}

/// Reads the table `measures`.
pub(super) fn read_all(declared: &Table, metrics: &[&str]) -> Result<Vec<Measure>, ModelError> {
    if declared.len() > MEASURES_MAX {
        let reason = format!("{} measures are declared, at most {MEASURES_MAX} are allowed", declared.len());
        return Err(refused("measures", reason));
    }
    by_name(declared).into_iter().map(|(name, declared)| Measure::read(name, declared, metrics)).collect()
}

impl Measure {
    fn read(name: &str, declared: &Toml, metrics: &[&str]) -> Result<Self, ModelError> {
        let path = format!("measures.{name}");
        let at = |key: &str| format!("{path}.{key}");
        let declared = table(declared, &path, "a table with the keys \"metric\" and \"curve\"")?;
        check_keys(declared, &path, &KEYS)?;
        let mut attempts = vec![Attempt::read(declared, &path, metrics)?];
        if let Some(others) = declared.get("otherwise") {
            let path = at("otherwise");
            for (index, other) in list(others, &path, "a list of {metric, curve}")?.iter().enumerate() {
                let path = format!("{path}[{index}]");
                let other = table(other, &path, "a table with the keys \"metric\" and \"curve\"")?;
                check_keys(other, &path, &["metric", "curve"])?;
                attempts.push(Attempt::read(other, &path, metrics)?);
            }
        }
        let missing = Missing::read(declared, &path)?;
        let max_age_days = match declared.get("max_age_days") {
            Some(age) => Some(days(age, &at("max_age_days"))?),
            None => None,
        };
        let input = match declared.get("input") {
            None => None,
            Some(Toml::Table(filter)) => Some(Filter::parse(filter, &at("input"))?),
            Some(other) => return Err(bad_value(&at("input"), other, "a table of conditions")),
        };
        Ok(Self { name: name.to_owned(), attempts, missing, max_age_days, input })
    }
}

impl Attempt {
    fn read(declared: &Table, path: &str, metrics: &[&str]) -> Result<Self, ModelError> {
        let at = format!("{path}.metric");
        let name = text(required(declared, "metric", path, "a measure")?, &at)?;
        let metric = find(name, metrics, "metric", &at)?;
        let curve = required(declared, "curve", path, "a measure")?;
        Ok(Self { metric, curve: Curve::read(curve, &format!("{path}.curve"))? })
    }
}

impl Missing {
    fn read(declared: &Table, path: &str) -> Result<Self, ModelError> {
        const WORDS: [&str; 4] = ["exclude", "neutral", "worst", "last"];
        let policy = match declared.get("missing") {
            Some(policy) => word(policy, &format!("{path}.missing"), &WORDS)?,
            None => "exclude",
        };
        if policy == "last" {
            let half_life = required(declared, "half_life_days", path, "missing = \"last\"")?;
            let half_life_days = number(
                half_life,
                &format!("{path}.half_life_days"),
                "days above 0, at most 36525",
                |days| 0.0 < days && days <= HALF_LIFE_DAYS_MAX,
            )?;
            return Ok(Self::Last { half_life_days });
        }
        if declared.contains_key("half_life_days") {
            let reason =
                format!("half_life_days goes with missing = \"last\" only, and missing is {policy:?}");
            return Err(refused(path, reason));
        }
        Ok(match policy {
            "neutral" => Self::Neutral,
            "worst" => Self::Worst,
            _ => Self::Exclude,
        })
    }
}
