//! The public data sets and what they state about themselves.
#![expect(
    clippy::disallowed_methods,
    reason = "tests find and read the files of the sets and of the project"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tidewatch_projections::model::Model;
use tidewatch_projections::scalar::Scalar;

use crate::support::Shard;

/// Columns that are metrics under their own name.
const COUNTS: [&str; 5] = ["events_before", "usage_30d", "users_30d", "features_30d", "support_30d"];
const DAY_US: i64 = 86_400_000_000;

/// A set with the mapping that the project keeps for it.
pub struct Dataset {
    pub name: &'static str,
    folder: PathBuf,
}

impl Dataset {
    /// The set, from where `TIDEWATCH_DATASETS` says or from beside the project.
    ///
    /// # Panics
    /// When it is not there: its tests are `#[ignore]` and asked for only where it is.
    pub fn of(name: &'static str) -> Self {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
        let sets = std::env::var_os("TIDEWATCH_DATASETS").map_or_else(beside, PathBuf::from);
        let folder = sets.join(name);
        assert!(
            folder.is_dir(),
            "there is no data set {}; set TIDEWATCH_DATASETS to the folder of the sets",
            folder.display()
        );
        Self { name, folder }
    }

    /// Its events.
    pub fn events(&self) -> PathBuf {
        self.folder.join("events.jsonl.gz")
    }

    /// The file of its mapping.
    pub fn mapping_file(&self) -> PathBuf {
        mappings().join(format!("{}.toml", self.name))
    }

    /// Imports its events as files.
    pub fn import(&self, shard: &Shard) {
        let mapping = std::fs::read_to_string(self.mapping_file()).unwrap();
        let ingested = shard.import(self.name, Some(&mapping), &[self.events()]);
        assert_eq!(ingested.receipt.rejected_count(), 0, "{:?}", ingested.receipt);
    }

    /// Holds every row of its `expected.csv`; `billing` is the metric of the column of that name, if it has one.
    pub fn check(&self, shard: &Shard, billing: Option<&str>) {
        let mut file = csv::Reader::from_path(self.folder.join("expected.csv")).unwrap();
        let rows: Vec<BTreeMap<String, String>> = file.deserialize().map(Result::unwrap).collect();
        let accounts: Vec<&str> = rows.iter().map(|row| row["account"].as_str()).collect();
        let cutoffs: Vec<i64> = rows.iter().map(|row| micros(&row["cutoff"])).collect();
        let mut asked: Vec<String> =
            cutoffs.iter().flat_map(|at| [*at, at - 30 * DAY_US]).map(rfc3339).collect();
        asked.sort_unstable();
        asked.dedup();
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let model = mappings().join(format!("{}.expected.toml", self.name));
        let model = std::fs::read_to_string(model).unwrap();
        let metrics = Model::parse(&model).unwrap().metrics;
        let mut unique = accounts.clone();
        unique.sort_unstable();
        unique.dedup();
        let answers: BTreeMap<(String, i64), BTreeMap<&str, Option<Scalar>>> = shard
            .metrics(&model, &asked, Some(&unique))
            .into_iter()
            .map(|(account, as_of, values)| {
                let named = metrics.iter().map(|metric| metric.name.as_str()).zip(values);
                ((account, as_of), named.collect())
            })
            .collect();

        for row in &rows {
            let cutoff = micros(&row["cutoff"]);
            let at = |as_of: i64, metric: &str| answers[&(row["account"].clone(), as_of)][metric].clone();
            let number = |value: Option<Scalar>| value.map_or(0.0, |value| value.number().unwrap());
            for column in COUNTS {
                let expected: f64 = row[column].parse().unwrap();
                assert_eq!(number(at(cutoff, column)), expected, "{column} of {row:?}");
            }
            let before: f64 = row["usage_prev_30d"].parse().unwrap();
            assert_eq!(number(at(cutoff - 30 * DAY_US, "usage_30d")), before, "usage_prev_30d of {row:?}");
            match billing {
                // The file states major units; both currencies have two digits.
                Some(column) => {
                    let expected: f64 = row[column].parse().unwrap();
                    assert_eq!(number(at(cutoff, column)), (expected * 100.0).round(), "{column} of {row:?}");
                }
                None => assert_eq!(row["billing_none_30d"], "0"),
            }
            let last = at(cutoff, "last_event").map(|last| match last {
                Scalar::Integer(at) => i64::try_from(at).unwrap(),
                other => panic!("a time is a whole number, not {other:?}"),
            });
            let expected = Some(row["last_event"].as_str()).filter(|at| !at.is_empty()).map(micros);
            assert_eq!(last, expected, "last_event of {row:?}");
        }
    }
}

fn mappings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/mappings")
}

fn micros(rfc3339: &str) -> i64 {
    rfc3339.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

fn rfc3339(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).unwrap().to_string()
}
