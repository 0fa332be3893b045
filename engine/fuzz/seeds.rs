//! Seeds for the fuzz targets, made from the project's own lines, files and tokens: `fuzz-seeds FOLDER` writes a folder of
//! them for each target, and its dictionary beside it.
#![expect(clippy::disallowed_methods, reason = "a tool that writes files outside the engine")]

use std::fs;
use std::path::{Path, PathBuf};

use tidewatch_engine::position::Position;
use tidewatch_engine::serve::token::{Page, position_token};
use tidewatch_engine::storage::disk::Disk;
use tidewatch_engine::storage::disk::simulated::{Faults, SimulatedDisk};
use tidewatch_engine::storage::log::{FrameBuilder, LogOptions, LogWriter};
use tidewatch_ingest::fleet::{Fleet, Shape};
use tidewatch_ingest::random::Random;
use tidewatch_projections::model;
use tidewatch_projections::names::Names;

const MAPPINGS: [&str; 5] = [
    include_str!("../../deploy/mappings/events-jsonl.toml"),
    include_str!("../../deploy/mappings/itsm-tickets.toml"),
    include_str!("../../deploy/mappings/online-retail-b2b.toml"),
    include_str!("../../deploy/mappings/openstack-vendors.toml"),
    include_str!("../../deploy/mappings/ravenstack.toml"),
];
const FILTERS: [&str; 8] = [
    "type = usage\noccurred_at desc, quantity",
    "NOT (user:ann OR properties.n >= -0.5) AND family != billing\nproperties.n, id desc",
    "occurred_at > \"2024-02-29T12:00:00Z\" AND occurred_at < 2024-03-01\namount,currency desc",
    "properties.\"a b\":* OR -(amount = 1200)\nuser asc",
    "quantity = 2.50 AND properties.ok = true\nproperties.ok",
    "((id = 1))\nsource, type, family, actor, product, metric",
    "properties.note = \"a \\\"b\\\" c\"\nproperties.note",
    "account = acme AND\nnope desc",
];
/// Metrics of every aggregation that the default model has not.
const MODEL: &str = r#"
payment_terms_days = 14
usage_rhythm = "weekly"
milestones = [{ name = "kickoff", due_after_days = 3 }]
[metrics]
a = { agg = "quantile", field = "properties.n", q = 0.9, window = 28 }
b = { agg = "decayed_sum", half_life_days = 3.5, filter = { family = { not = "usage" } } }
c = { agg = "slope", a = "d", weeks = 6 }
d = { agg = "ratio", a = "e", b = "f", min_b = 2 }
e = { agg = "sum", field = "amount", currency = "EUR", window = 30 }
f = { agg = "mean", field = "quantity", window = 30, filter = { feature = ["export", "search"], quantity = { gt = 1, le = 9.5 } } }
g = { agg = "last", field = "properties.stage" }
h = { agg = "standing", kind = "credits_burn" }
i = { agg = "features_share", core = ["export"], window = 9, skip_closed = true, filter = { "properties.x" = { exists = false } } }
j = { agg = "last_time" }
"#;

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("usage: fuzz-seeds FOLDER"));
    let write = |target: &str, seeds: Vec<Vec<u8>>| {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).expect("the folder can be made");
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("{number:03}")), seed).expect("the folder can be written");
        }
    };
    let lines = lines();
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    write("native", lines.clone());
    let record = br#"{"id":7,"ts":"2024-02-29 12:00:00","customer":{"id":"acme"},"kind":"opened","amount":"12.50","tags":["a"]}"#;
    write("mapping", MAPPINGS.iter().map(|file| [file.as_bytes(), b"\0", record].concat()).collect());
    let batches = lines.chunks(3).zip([0, 6, 7, 128, 135]);
    write("records", batches.map(|(lines, style)| [vec![style], lines.join(&b'\n')].concat()).collect());
    let mut random = Random::new(1);
    let mut noise = |bytes: usize| (0..bytes).map(|_| random.bits() as u8).collect::<Vec<u8>>();
    write("log", (1..12).map(|size| noise(40 * size)).collect());
    write("log_bytes", segments());
    write("filter", texts(&FILTERS));
    write("model", texts(&[model::DEFAULT, MODEL]));
    let position = Position { shard: 0, lineage: 1 << 70, seq: 12_345 };
    let page = Page { position, skipped: 100, query: u64::MAX };
    write("token", texts(&[&position_token(position), &page.token()]));
    dictionaries(&folder);
}

/// Lines of every type, the shortest of each.
fn lines() -> Vec<Vec<u8>> {
    let begin = jiff::civil::date(2025, 1, 1);
    let mut shortest = std::collections::BTreeMap::<String, Vec<u8>>::new();
    for day in Fleet::new(Shape::new(7, 24, begin)).take(300) {
        for line in &day.lines {
            let bytes = &day.payload[line.bytes.clone()];
            let value: serde_json::Value = serde_json::from_slice(bytes).expect("the fleet writes JSON");
            let kind = value["type"].as_str().expect("each line has a type").to_owned();
            let known = shortest.entry(kind).or_insert_with(|| bytes.to_vec());
            if bytes.len() < known.len() {
                *known = bytes.to_vec();
            }
        }
    }
    shortest.into_values().collect()
}

/// Small segments: one that goes on, one that was closed.
fn segments() -> Vec<Vec<u8>> {
    let segment = |is_closed: bool| {
        let disk = SimulatedDisk::new(1, Faults::default());
        let options = LogOptions { reserve_bytes: 64, ..LogOptions::new(3, 0x7157) };
        let (mut writer, _) = LogWriter::open(std::sync::Arc::new(disk.clone()), options).expect("a new log");
        for frame in 0..3_u8 {
            let mut builder = FrameBuilder::new(std::sync::Arc::new(Names::new()), writer.next_seq());
            builder.push_control(700, &[frame; 9]).expect("it is small");
            writer.append(&builder.seal(i64::from(frame))).expect("the disk has no faults");
            writer.sync().expect("the disk has no faults");
        }
        if is_closed {
            writer.close().expect("the disk has no faults");
        }
        let name = disk.list("log").expect("the folder is there").remove(0);
        disk.content(&format!("log/{name}")).expect("the segment is there")
    };
    vec![segment(false), segment(true)]
}

/// Words that mean something to a parser and that chance would not find: those of the seeds.
fn dictionaries(folder: &Path) {
    let targets = ["native", "mapping", "records", "filter", "model"];
    for target in targets {
        let mut words = std::collections::BTreeSet::new();
        for seed in fs::read_dir(folder.join(target)).expect("it was just written") {
            let text = fs::read(seed.expect("it was just written").path()).expect("it was just written");
            let text = String::from_utf8_lossy(&text);
            let parts = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            words.extend(parts.filter(|word| (2..24).contains(&word.len())).map(str::to_owned));
        }
        let lines: String = words.iter().map(|word| format!("\"{word}\"\n")).collect();
        fs::write(folder.join(format!("{target}.dict")), lines).expect("the folder can be written");
    }
}
