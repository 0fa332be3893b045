//! Decoding: records to events, beside what serde_json makes of the same bytes.

use std::hint::black_box;
use std::sync::Arc;

use serde::Deserialize;
use tidewatch_benches::cost::Cost;
use tidewatch_benches::feed::{Lines, of_fleet, of_population};
use tidewatch_benches::options::Options;
use tidewatch_benches::pair::Pair;
use tidewatch_benches::population::{Population, Size};
use tidewatch_benches::table::Report;
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::fleet::{Fleet, Shape};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::mapping::Mapping;
use tidewatch_projections::names::Names;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The envelope as a program would declare it that trusts its input.
#[derive(Deserialize)]
#[expect(dead_code, reason = "what is measured is that the fields are filled")]
struct Envelope {
    source: Option<String>,
    id: Option<String>,
    account: Option<String>,
    user: Option<String>,
    actor: Option<String>,
    product: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    occurred_at: String,
    quantity: Option<f64>,
    amount: Option<f64>,
    currency: Option<String>,
    #[serde(default)]
    properties: serde_json::Map<String, serde_json::Value>,
}

/// The neutral form that `deploy/mappings/events-jsonl.toml` maps.
#[derive(Deserialize)]
#[expect(dead_code, reason = "what is measured is that the fields are filled")]
struct Neutral {
    id: String,
    account: String,
    user: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    feature: Option<String>,
    ts: String,
    amount: Option<f64>,
    currency: Option<String>,
    #[serde(default)]
    props: serde_json::Map<String, serde_json::Value>,
}

fn main() {
    let options = Options::read();
    let count = options.size(200_000, 2_000);
    let rounds = options.rounds(5);
    let mut report = Report::of_cpu("decode: one record to one checked event with its fingerprint");

    let names = Arc::new(Names::new());
    let fleet = Fleet::new(Shape::new(1, 1_000, jiff::civil::date(2025, 1, 1)));
    let fleet = Lines::of(of_fleet(fleet, u32::MAX), count);
    let decoder = decoder(&names, Format::Native);
    let title = |what: &str, lines: &Lines| format!("{what}, {:.0} B", lines.mean_bytes());
    let title_fleet = title("native, simulated fleet", &fleet);
    report.pair(
        &format!("{title_fleet}; beside serde_json::Value"),
        &measure(rounds, &decoder, &names, &fleet, value),
        "",
    );
    report.pair(
        &format!("{title_fleet}; beside a serde struct"),
        &measure(rounds, &decoder, &names, &fleet, typed::<Envelope>),
        "",
    );
    drop(fleet);

    let accounts = options.size(100_000, 100);
    let size = Size { accounts, users: 40, features: 12, days: 28, events: count };
    let population = Population::new(size, &names);
    let many = Lines::of(of_population(Population::new(size, &names), Arc::clone(&names)), count);
    report.pair(
        &format!("{}; beside a serde struct", title(&format!("native, {} names", names.count()), &many)),
        &measure(rounds, &decoder, &names, &many, typed::<Envelope>),
        "",
    );
    drop(many);

    let neutral = neutral(&population, &names, count);
    let mapping = include_str!("../deploy/mappings/events-jsonl.toml");
    let mapping = Mapping::parse(mapping).expect("the mapping of the repository is valid");
    let decoder = self::decoder(&names, Format::Mapped(Arc::new(mapping)));
    let title_mapped = title("mapped by events-jsonl.toml", &neutral);
    report.pair(
        &format!("{title_mapped}; beside serde_json::Value"),
        &measure(rounds, &decoder, &names, &neutral, value),
        "",
    );
    report.pair(
        &format!("{title_mapped}; beside a serde struct"),
        &measure(rounds, &decoder, &names, &neutral, typed::<Neutral>),
        "",
    );
    report.print();
}

fn decoder(names: &Arc<Names>, format: Format) -> Decoder {
    Decoder::new(Arc::clone(names), "main", "feed", Limits::default(), format)
}

fn measure(rounds: usize, decoder: &Decoder, names: &Names, lines: &Lines, peer: fn(&[u8])) -> Pair {
    let decode = || {
        let batches = lines.batches(names);
        Cost::of_thread(lines.count(), || {
            for batch in batches {
                let batch = black_box(decoder.decode(batch));
                let is_event = |outcome: &tidewatch_ingest::batch::Outcome| {
                    matches!(outcome, tidewatch_ingest::batch::Outcome::Event { .. })
                };
                assert!(batch.items.iter().all(|item| is_event(&item.outcome)), "a record was refused");
            }
        })
    };
    Pair::alternate(rounds, decode, || Cost::of_thread(lines.count(), || lines.iter().for_each(peer)))
}

fn value(line: &[u8]) {
    drop(black_box(serde_json::from_slice::<serde_json::Value>(line).expect("the line is JSON")));
}

fn typed<T: serde::de::DeserializeOwned>(line: &[u8]) {
    drop(black_box(serde_json::from_slice::<T>(line).expect("the line has the declared form")));
}

fn neutral(population: &Population, names: &Names, count: u64) -> Lines {
    let mut lines = Lines::default();
    for index in 0..count {
        let event = population.event(index);
        let text = |symbol: Option<_>| symbol.map(|symbol| names.text(symbol));
        let at = jiff::Timestamp::from_microsecond(event.occurred_at).expect("a few years after 1970");
        let line = serde_json::json!({
            "id": event.id, "account": text(event.account()), "user": text(event.user), "type": "usage.feature",
            "feature": text(event.feature), "ts": at.to_string(), "amount": null, "currency": null,
            "props": { "session": index / 7 },
        });
        lines.push(|out| out.extend_from_slice(line.to_string().as_bytes()));
    }
    lines
}
