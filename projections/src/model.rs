//! Model files: the metrics a company watches, the keys they depend on, and how they are scored (health-model §4–7).
//!
//! The grammar is that of `default-model.toml`; nothing outside of it is accepted. A model has two halves: what metrics are
//! computed from, and how they are scored ([`Scoring`]).

pub mod active_account;
pub mod band;
pub mod condition;
pub mod curve;
pub mod difference;
pub(crate) mod document;
pub mod doubt;
mod every_error;
pub mod group;
mod input_events;
mod lookback;
pub mod measure;
mod metric;
pub mod places;
pub mod profile;
pub mod scoring;

use std::sync::{Arc, LazyLock};

use toml::{Table, Value as Toml};

use self::document::{check_keys, integer, number, required, text};
use self::scoring::Scoring;
use crate::filter::{Field, Filter, bad_value};
pub use crate::model_error::ModelError;
use crate::model_error::nearest;

/// The default model, as it stands beside the source.
pub const DEFAULT: &str = include_str!("../default-model.toml");

/// How often an account is expected to be active.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rhythm {
    /// 20 days of 28.
    Daily,
    /// 4 days of 28.
    Weekly,
    /// 1 day of 28.
    Monthly,
}

impl Rhythm {
    /// The rhythm with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "daily" => Some(Self::Daily),
            "weekly" => Some(Self::Weekly),
            "monthly" => Some(Self::Monthly),
            _ => None,
        }
    }

    /// Active days expected in 28 (health-model §4, `expected_days`).
    pub fn expected_days(self) -> u32 {
        match self {
            Self::Daily => 20,
            Self::Weekly => 4,
            Self::Monthly => 1,
        }
    }
}

/// A milestone every account should reach.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Milestone {
    /// As `milestone_reached` names it.
    pub name: String,
    /// Age in days from which it is due.
    pub due_after_days: i64,
}

/// A metric by its name.
#[derive(Clone, PartialEq, Debug)]
pub struct Metric {
    /// Unique in the model.
    pub name: String,
    /// How it is computed.
    pub agg: Agg,
}

/// How a metric is computed.
#[derive(Clone, PartialEq, Debug)]
pub enum Agg {
    /// From the account's events alone.
    Plain(Plain),
    /// Two independent counts over one window, a / b.
    Share {
        /// What is counted above.
        a: Filter,
        /// What is counted below.
        b: Filter,
        /// Length in days of the window both are counted over, today included.
        window: u32,
        /// Fewer b make it missing.
        min: u64,
    },
    /// A state of affairs.
    Standing(StandingKind),
    /// One metric divided by another; missing where either is, or where b is 0 or less.
    Ratio {
        /// Index of the metric above.
        a: usize,
        /// Index of the metric below.
        b: usize,
        /// A smaller b makes it missing.
        min_b: Option<f64>,
    },
    /// A metric divided by the account's seats at the end of the last day it looks at.
    PerSeat {
        /// Index of the metric.
        a: usize,
    },
    /// The last window against the one before.
    Change {
        /// Index of the metric.
        a: usize,
        /// The one window of all its parts, in days.
        window: u32,
    },
    /// Now against the median of the same window `1…weeks` weeks ago.
    AgainstOwn {
        /// Index of the metric.
        a: usize,
        /// How many weeks back.
        weeks: u32,
    },
    /// Least-squares slope per week over the mean.
    Slope {
        /// Index of the metric.
        a: usize,
        /// How many weeks back, the newest included.
        weeks: u32,
    },
}

/// An aggregation over the events that pass a filter.
#[derive(Clone, PartialEq, Debug)]
pub struct Plain {
    /// What is computed of the events that pass the filter.
    pub kind: PlainKind,
    /// The events that count.
    pub filter: Filter,
    /// Days, today included; `None`: everything seen.
    pub window: Option<u32>,
    /// Whether closed days are left out and made up for.
    pub skip_closed: bool,
}

/// What a plain aggregation computes.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the names are those of the table in health-model §4")]
pub enum PlainKind {
    Count,
    Sum(Field),
    ActiveUsers,
    ActiveDays,
    FeaturesUsed { core: Vec<String> },
    FeaturesShare { core: Vec<String> },
    FirstTime,
    LastTime,
    DaysSinceLast,
    Last(Field),
    Mean(Field),
    Quantile(Field, f64),
    DecayedSum(Option<Field>, f64),
    DecayedMean(Field, f64),
    Happiness,
    FirstReplyHours,
    ResolutionHours,
}

/// A state of affairs at an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are those of the table in health-model §4")]
pub enum StandingKind {
    OldestPastDueDays,
    AmountPastDue(crate::event::Currency),
    OpenTickets,
    OpenEscalations,
    DaysToRenewal,
    DaysToNotice,
    MilestonesShare,
    ExpectedDays,
    CreditsBurn,
    Seats,
    AgeDays,
}

/// A model file with its names resolved and its ranges checked.
#[derive(Clone, PartialEq, Debug)]
pub struct Model {
    /// Its name; empty when the file gives none.
    pub name: String,
    /// Its version; 0 when the file gives none.
    pub version: i64,
    /// Days until an invoice without `due_at` is due.
    pub payment_terms_days: i64,
    /// The rhythm of accounts that state none.
    pub usage_rhythm: Rhythm,
    /// The milestones of every account.
    pub milestones: Vec<Milestone>,
    /// The metrics, by name.
    pub metrics: Vec<Metric>,
    /// What a digest of it covers: files that mean the same whatever their comments, their order of keys and their spelling of numbers
    /// give the same bytes, and what a file leaves to the default model is written out.
    pub canonical: Arc<[u8]>,
    /// How accounts are scored, or why this model cannot score them, which only one that [`Model::parse_adopted`] read can say.
    pub scoring: Result<Scoring, ModelError>,
}

const TOP_LEVEL: [&str; 13] = [
    "name",
    "version",
    "coverage_min",
    "band_margin",
    "bands",
    "payment_terms_days",
    "usage_rhythm",
    "active_account",
    "milestones",
    "metrics",
    "measures",
    "weights",
    "profiles",
];

static DEFAULT_TABLE: LazyLock<Table> =
    LazyLock::new(|| document::parse(DEFAULT).expect("the default model is TOML"));
static DEFAULT_MODEL: LazyLock<Model> =
    LazyLock::new(|| Model::read(&DEFAULT_TABLE, None).expect("the default model is in the grammar"));

/// Those that come from the default model where a file has none.
const FROM_DEFAULT: [&str; 7] = [
    "coverage_min",
    "band_margin",
    "bands",
    "payment_terms_days",
    "usage_rhythm",
    "active_account",
    "milestones",
];

/// Half-lives after which a decayed value, or an old answer, is no longer counted (health-model §4, §5).
pub(crate) const HALF_LIVES_MAX: f64 = 10.0;

/// Most metrics a model may declare.
pub const METRICS_MAX: usize = 1_000;

impl Model {
    /// Reads a model file. Keys other than metrics, measures, weights and profiles come from the default model where the file has
    /// none.
    ///
    /// # Errors
    /// Anything outside the grammar, and whatever could not be scored, with key, value and the nearest valid key.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let model = Self::parse_adopted(text)?;
        match &model.scoring {
            Ok(_) => Ok(model),
            Err(error) => Err(error.clone()),
        }
    }

    /// Reads a model file that was adopted: versions before this one did not check what scores, and a model of theirs that
    /// cannot be scored still answers metrics.
    ///
    /// # Errors
    /// Anything outside the grammar among what metrics depend on.
    pub fn parse_adopted(text: &str) -> Result<Self, ModelError> {
        Self::read(&document::parse(text)?, Some(&DEFAULT_MODEL))
    }

    fn read(table: &Table, default: Option<&Self>) -> Result<Self, ModelError> {
        check_keys(table, "the model", &TOP_LEVEL)?;
        let name = match table.get("name") {
            Some(name) => text(name, "name")?.to_owned(),
            None => String::new(),
        };
        let version = match table.get("version") {
            Some(version) => integer(version, "version", 0, i64::MAX)?,
            None => 0,
        };
        let terms = match table.get("payment_terms_days") {
            Some(days) => Some(integer(days, "payment_terms_days", 0, 3_650)?),
            None => default.map(|model| model.payment_terms_days),
        };
        let rhythm = match table.get("usage_rhythm") {
            Some(name) => Some(
                name.as_str()
                    .and_then(Rhythm::from_name)
                    .ok_or_else(|| bad_value("usage_rhythm", name, "one of daily, weekly, monthly"))?,
            ),
            None => default.map(|model| model.usage_rhythm),
        };
        let milestones = match table.get("milestones") {
            Some(list) => Some(read_milestones(list)?),
            None => default.map(|model| model.milestones.clone()),
        };
        let metrics = match table.get("metrics") {
            Some(Toml::Table(metrics)) => metric::read_all(metrics)?,
            Some(other) => return Err(bad_value("metrics", other, "a table of metrics")),
            None => Vec::new(),
        };
        let default = default.and_then(|model| model.scoring.as_ref().ok());
        let scoring = Scoring::read(table, &metrics, default);
        Ok(Self {
            name,
            version,
            payment_terms_days: terms.expect("the default model states it"),
            usage_rhythm: rhythm.expect("the default model states it"),
            milestones: milestones.expect("the default model states them"),
            metrics,
            canonical: document::canonical(&with_defaults(table.clone())).into(),
            scoring,
        })
    }
}

/// A model file with what it leaves to the default model written out.
fn with_defaults(mut table: Table) -> Table {
    for key in FROM_DEFAULT {
        if let Some(value) = DEFAULT_TABLE.get(key) {
            table.entry(key).or_insert_with(|| value.clone());
        }
    }
    table
}

fn read_milestones(list: &Toml) -> Result<Vec<Milestone>, ModelError> {
    let list = list.as_array().ok_or_else(|| bad_value("milestones", list, "a list of tables"))?;
    list.iter()
        .enumerate()
        .map(|(index, entry)| {
            let path = format!("milestones[{index}]");
            let table = entry.as_table().ok_or_else(|| bad_value(&path, entry, "a table"))?;
            check_keys(table, &path, &["name", "due_after_days"])?;
            let name = text(required(table, "name", &path, "a milestone")?, &format!("{path}.name"))?;
            let due = required(table, "due_after_days", &path, "a milestone")?;
            let due_after_days = integer(due, &format!("{path}.due_after_days"), 0, 36_500)?;
            Ok(Milestone { name: name.to_owned(), due_after_days })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_model_reads() {
        let model = Model::parse(DEFAULT).expect("the default model is in the grammar");
        assert_eq!((model.name.as_str(), model.version, model.metrics.len()), ("default", 2, 35));
        assert_eq!(model.milestones.len(), 5);
    }

    #[test]
    fn metrics_alone_take_the_other_keys_from_the_default() {
        let model = Model::parse("[metrics]\nn = { agg = 'count' }").expect("a model");
        assert_eq!(
            (model.payment_terms_days, model.usage_rhythm, model.milestones.len()),
            (30, Rhythm::Daily, 5)
        );
    }

    #[test]
    fn the_canonical_bytes_cover_what_a_file_means() {
        let canonical = |text: &str| Model::parse(text).expect(text).canonical;
        let plain =
            "name = 'm'\nusage_rhythm = 'weekly'\n[metrics]\na = { agg = 'decayed_sum', half_life_days = 3 }";
        let same = "# mine\nusage_rhythm = \"weekly\"\nname = \"m\"\nband_margin = 3.0\nmetrics.a.half_life_days = 3.00\n\
                    metrics.a.agg = 'decayed_sum'";
        assert_eq!(canonical(plain), canonical(same));
        for (part, by) in [("'m'", "'n'"), ("weekly", "daily"), ("= 3", "= 3.5"), ("a =", "b =")] {
            assert_ne!(canonical(plain), canonical(&plain.replacen(part, by, 1)), "{part} became {by}");
        }
        let without_rhythm = plain.replace("usage_rhythm = 'weekly'\n", "");
        assert_eq!(
            canonical(&without_rhythm),
            canonical(&plain.replace("weekly", "daily")),
            "as the default has it"
        );
    }

    #[test]
    fn what_is_outside_the_grammar_is_refused_by_name() {
        let error = |text: &str| Model::parse(text).expect_err(text).to_string();
        assert!(error("paymnt_terms_days = 3").contains("nearest valid key: \"payment_terms_days\""));
        assert!(error("[metrics]\nn = { agg = 'cuont' }").contains("nearest: \"count\""));
        assert!(
            error("[metrics]\nn = { agg = 'count', windw = 3 }").contains("nearest valid key: \"window\"")
        );
        assert!(error("[metrics]\nn = { agg = 'active_users' }").contains("window"));
        assert!(error("[metrics]\nn = { agg = 'sum', field = 'amount' }").contains("currency"));
        assert!(
            error("[metrics]\nn = { agg = 'mean', field = 'quantity', window = 7, skip_closed = true }")
                .contains("skip_closed")
        );
        assert!(
            error("[metrics]\na = { agg = 'count' }\nb = { agg = 'change', a = 'a' }").contains("window")
        );
        assert!(
            error(
                "[metrics]\na = { agg = 'ratio', a = 'b', b = 'b' }\nb = { agg = 'ratio', a = 'a', b = 'a' }"
            )
            .contains("itself")
        );
        assert!(
            error("[metrics]\naa = { agg = 'per_seat', a = 'x' }\nxy = { agg = 'count' }").contains("\"xy\"")
        );
    }

    #[test]
    fn a_comparison_takes_plain_metrics_and_their_ratios_only() {
        let parse = |tail: &str| {
            Model::parse(&format!(
                "[metrics]\nn = {{ agg = 'count', window = 7 }}\nm = {{ agg = 'count', window = 14 }}\n\
                 s = {{ agg = 'standing', kind = 'seats' }}\np = {{ agg = 'per_seat', a = 'n' }}\n\
                 r = {{ agg = 'ratio', a = 'n', b = 's' }}\nq = {{ agg = 'ratio', a = 'n', b = 'm' }}\n\
                 c = {{ agg = 'change', a = 'n' }}\n{tail}"
            ))
        };
        for good in [
            "x = { agg = 'against_own', a = 'r', weeks = 8 }",
            "x = { agg = 'change', a = 'p' }",
            "x = { agg = 'slope', a = 'q', weeks = 6 }",
        ] {
            assert!(parse(good).is_ok(), "{good}: {:?}", parse(good));
        }
        for bad in [
            "x = { agg = 'change', a = 'r' }",
            "x = { agg = 'change', a = 'q' }",
            "x = { agg = 'slope', a = 'c', weeks = 6 }",
            "x = { agg = 'against_own', a = 's', weeks = 6 }",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
