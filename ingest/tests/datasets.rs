//! The real data sets through the mappings kept in the project: every record becomes an event, and the plain counts of
//! `expected.csv` follow from the events by the filters of the model files beside the mappings.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tidewatch_ingest::batch::{Outcome, RawBatch};
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::files::{FileSource, Input};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::mapping::Mapping;
use tidewatch_ingest::mapping::guess::guess;
use tidewatch_ingest::mapping::guess::samples::Samples;
use tidewatch_ingest::source::{Polled, Source};
use tidewatch_ingest::time::{read_rfc3339, write_rfc3339};
use tidewatch_projections::event::Event;
use tidewatch_projections::filter::Filter;
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Names;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The folder of a set.
///
/// # Panics
/// When it is not there: the tests are `#[ignore]` and asked for only where it is.
#[expect(
    clippy::disallowed_methods,
    reason = "where the sets lie is a matter of the machine that runs the tests"
)]
fn set(name: &str) -> PathBuf {
    let sets =
        std::env::var_os("TIDEWATCH_DATASETS").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let folder = sets.join(name);
    assert!(
        folder.is_dir(),
        "there is no data set {}; set TIDEWATCH_DATASETS to the folder of the sets",
        folder.display()
    );
    folder
}

fn deployed(name: &str) -> String {
    let path = root().join("deploy/mappings").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

struct Mapped {
    names: Arc<Names>,
    events: Vec<Event>,
    /// Records whose own event came out.
    records: usize,
}

fn map(folder: &Path, mapping: &str) -> Mapped {
    let names = Arc::new(Names::new());
    let mapping = Mapping::parse(mapping).unwrap();
    let format = Format::Mapped(Arc::new(mapping));
    let decoder = Decoder::new(Arc::clone(&names), "main", "set", Limits::default(), format);
    let input = Input::Path(folder.join("events.jsonl.gz"));
    let mut source =
        FileSource::new("set", Arc::clone(&names), vec![input], Limits::default().record_bytes_max);
    let mut mapped = Mapped { names, events: Vec::new(), records: 0 };
    let mut polled = Polled::Open;
    while polled == Polled::Open {
        let mut batch = RawBatch::default();
        polled = source.poll(Duration::ZERO, &mut batch).unwrap();
        for item in decoder.decode(batch).items {
            match item.outcome {
                Outcome::Event { event, .. } => {
                    mapped.records += usize::from(!event.id.contains('#'));
                    mapped.events.push(*event);
                }
                other => panic!("{:?}: {other:?}", item.origin),
            }
        }
    }
    mapped
}

fn records_of(folder: &Path) -> usize {
    let stats = std::fs::read_to_string(folder.join("stats.json")).unwrap();
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    usize::try_from(stats["events"].as_u64().unwrap()).unwrap()
}

const DAY: i64 = 86_400_000_000;

/// Every row of `expected.csv`, from the mapped events by plain counting.
fn counts_hold(name: &str, mapping: &str) {
    let folder = set(name);
    let mapped = map(&folder, &deployed(mapping));
    assert_eq!(mapped.records, records_of(&folder), "{name}: one own event a record");
    let model = deployed(&format!("{name}.expected.toml"));
    Model::parse(&model).unwrap();
    let model: toml::Table = model.parse().unwrap();
    let filter = |metric: &str| {
        let filter = model["metrics"][metric]["filter"].as_table().unwrap();
        Filter::parse(filter, metric).unwrap()
    };
    let names = &mapped.names;
    let mut by_account: HashMap<&str, Vec<&Event>> = HashMap::new();
    for event in &mapped.events {
        by_account.entry(names.text(event.account().unwrap())).or_default().push(event);
    }
    let file = std::fs::read_to_string(folder.join("expected.csv")).unwrap();
    let mut lines = file.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let mut rows = 0;
    for line in lines {
        rows += 1;
        let cells: HashMap<&str, &str> = columns.iter().copied().zip(line.split(',')).collect();
        let cutoff = read_rfc3339(cells["cutoff"]).unwrap();
        let events = by_account.get(cells["account"]).map_or(&[][..], Vec::as_slice);
        let matching = |metric: &str, from: i64, to: i64| {
            let filter = filter(metric);
            let matching = events.iter().filter(|event| (from..to).contains(&event.occurred_at));
            matching.filter(|event| filter.passes(names, event)).copied().collect::<Vec<_>>()
        };
        for column in &columns[2..] {
            let month = cutoff - 30 * DAY;
            let found = match *column {
                "events_before" => matching(column, i64::MIN, cutoff).len().to_string(),
                "usage_30d" | "support_30d" => matching(column, month, cutoff).len().to_string(),
                "usage_prev_30d" => matching("usage_30d", month - 30 * DAY, month).len().to_string(),
                "users_30d" => matching(column, month, cutoff)
                    .iter()
                    .filter_map(|e| e.user)
                    .collect::<HashSet<_>>()
                    .len()
                    .to_string(),
                "features_30d" => matching(column, month, cutoff)
                    .iter()
                    .filter_map(|e| e.feature)
                    .collect::<HashSet<_>>()
                    .len()
                    .to_string(),
                "last_event" => {
                    let last = matching(column, i64::MIN, cutoff).iter().map(|e| e.occurred_at).max();
                    last.map_or_else(String::new, write_rfc3339)
                }
                "billing_none_30d" => "0".to_owned(),
                billing => {
                    let code = model["metrics"][billing]["currency"].as_str().unwrap();
                    let amounts = matching(billing, month, cutoff);
                    let amounts =
                        amounts.iter().filter_map(|e| e.amount).filter(|a| a.currency.code() == code);
                    let minor = (cells[billing].parse::<f64>().unwrap() * 100.0).round() as i64;
                    assert_eq!(
                        amounts.map(|amount| amount.minor).sum::<i64>(),
                        minor,
                        "{name} {line}: {billing}"
                    );
                    continue;
                }
            };
            assert_eq!(found, cells[column], "{name} {line}: {column}");
        }
    }
    assert!(rows >= 70, "{name}: {rows} rows");
}

#[test]
#[ignore = "needs the public data sets"]
fn data_set_openstack_vendors() {
    counts_hold("openstack-vendors", "openstack-vendors.toml");
}

#[test]
#[ignore = "needs the public data sets"]
fn data_set_online_retail_b2b() {
    counts_hold("online-retail-b2b", "online-retail-b2b.toml");
}

#[test]
#[ignore = "needs the public data sets"]
fn data_set_itsm_tickets() {
    counts_hold("itsm-tickets", "itsm-tickets.toml");
}

#[test]
#[ignore = "needs the public data sets"]
fn data_set_ravenstack() {
    counts_hold("ravenstack", "ravenstack.toml");
}

#[test]
#[ignore = "needs the public data sets"]
fn data_set_nab_activity() {
    let folder = set("nab-activity");
    let mapped = map(&folder, &deployed("nab-activity.toml"));
    assert_eq!(mapped.records, records_of(&folder));
    assert!(mapped.events.iter().all(|event| event.quantity.is_some() && event.feature.is_some()));
}

#[test]
#[ignore = "needs the public data sets"]
fn the_mapping_of_the_neutral_form_counts_every_data_set_alike() {
    for name in ["openstack-vendors", "online-retail-b2b", "itsm-tickets", "ravenstack"] {
        counts_hold(name, "events-jsonl.toml");
    }
}

#[test]
#[ignore = "needs the public data sets"]
fn a_guess_takes_every_record_of_every_data_set() {
    for name in ["openstack-vendors", "online-retail-b2b", "itsm-tickets", "ravenstack", "nab-activity"] {
        let folder = set(name);
        let limits = Limits::default();
        let input = Input::Path(folder.join("events.jsonl.gz"));
        let mut source = FileSource::new("set", Arc::new(Names::new()), vec![input], limits.record_bytes_max);
        let mut samples = Samples::new(&limits);
        let mut polled = Polled::Open;
        while polled == Polled::Open {
            let mut raw = RawBatch::default();
            polled = source.poll(Duration::ZERO, &mut raw).unwrap();
            raw.records.iter().for_each(|record| samples.offer(&raw.payload[record.bytes.clone()]));
        }
        let guess = guess(samples.lines(), &limits).unwrap();
        assert_eq!(map(&folder, &guess.file).records, records_of(&folder), "{name}\n{}", guess.file);
    }
}
