//! Health: one account's score, its year of day ends, and the cells of all accounts, from memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::ToSpan as _;
use tidewatch_benches::cost::Cost;
use tidewatch_benches::log::context;
use tidewatch_benches::options::{Options, scratch};
use tidewatch_benches::pair::Spread;
use tidewatch_benches::population::{Population, Size};
use tidewatch_benches::table::Report;
use tidewatch_engine::app::{self, Engine, Reading};
use tidewatch_engine::cancellation::Cancellation;
use tidewatch_engine::fold::replay::Fold;
use tidewatch_engine::fold::step::Entries;
use tidewatch_engine::fold::view::View;
use tidewatch_engine::fold::worker::Worker;
use tidewatch_engine::position::Position;
use tidewatch_engine::read::account;
use tidewatch_engine::read::cells::Cells;
use tidewatch_engine::serve::health::{Naming, model_version};
use tidewatch_engine::serve::health_list::list;
use tidewatch_engine::storage::log::Entry;
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::fleet::{Fleet, FleetSource, Horizon, Shape};
use tidewatch_ingest::limits::Limits;
use tidewatch_projections::calendar::Calendar;
use tidewatch_projections::health::{health, history};
use tidewatch_projections::names::Names;
use tidewatch_proto::v1;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FLEET: &str = "fleet";
/// Months of history of the simulated fleet.
const MONTHS: i32 = 13;

fn main() {
    let options = Options::read();
    let accounts = options.size(400, 20);
    let rounds = options.rounds(9);
    let root = scratch();
    let view = fleet(root.path(), accounts);
    let mut report = Report::new(
        format!("health: default model, fleet of {accounts} companies over {MONTHS} months, one thread"),
        &["median (least–greatest)", "CPU", "aim"],
    );

    let count = view.accounts_count() as u64;
    let evaluate =
        || view.accounts().filter_map(|account| health(&account::led_by(&view, account)?).ok()).count();
    let costs = costs(rounds, || Cost::of_thread(count, evaluate));
    report.row(&[
        "one account's health, µs".into(),
        shown(&costs, 1e3),
        "a day's turn of 100,000 in ≤ 10 s: ≤ 100".into(),
    ]);

    let never = Cancellation::default();
    let cells = || Cells::at(Arc::clone(&view), None, &never).expect("nobody cancels it");
    let all = self::costs(rounds, || Cost::of_thread(count, cells));
    report.row(&[
        "cells of all accounts at a day's turn, µs an account".into(),
        shown(&all, 1e3),
        "≤ 100".into(),
    ]);
    let newest = cells();
    let again = || Cells::at(Arc::clone(&view), Some(&newest), &never).expect("nobody cancels it");
    let unchanged = self::costs(rounds, || Cost::of_thread(count, again));
    report.row(&["cells where nothing changed, ns an account".into(), shown(&unchanged, 1.0), "–".into()]);

    let last = view.plan.calendar.day(view.tenant.newest_at.expect("the fleet has events"));
    let first = last.plus(-364);
    let mut years = Vec::new();
    for account in view.accounts().take(options.size(100, 5)) {
        years.push(Cost::of_thread(1, || {
            history(view.context(), account.id, first, last, |_, health| {
                std::hint::black_box(health);
            })
        }));
    }
    report.row(&["a year of one account's day ends, ms".into(), shown(&years, 1e6), "≤ 10".into()]);
    lists(&options, &mut report);
    report.note(format!("a cell takes {} bytes", size_of::<tidewatch_engine::read::cells::Place>()));
    report.print();
}

/// A page of a list by score, and what brings it up to date.
fn lists(options: &Options, report: &mut Report) {
    let accounts = options.size(100_000, 500);
    let view = population(accounts);
    let never = Cancellation::default();
    let at =
        |before: Option<&Cells>| Cells::at(Arc::clone(&view), before, &never).expect("nobody cancels it");
    let turn = vec![Cost::of_thread(u64::from(accounts), || at(None))];
    report.row(&[
        format!("a day's turn of {accounts} accounts, µs an account"),
        shown(&turn, 1e3),
        "≤ 100".into(),
    ]);
    let cells = at(None);
    let unchanged = self::costs(options.rounds(9), || Cost::of_thread(1, || at(Some(&cells))));
    report.row(&[
        format!("cells of {accounts} accounts where nothing changed, µs"),
        shown(&unchanged, 1e3),
        "–".into(),
    ]);
    let version = model_version(&view.plan.model, &view.control_state.settings);
    let naming = Naming { names: &view.names, model: &view.plan.model, version: &version };
    for (what, filter) in [("all", ""), ("those in red", "band = \"red\"")] {
        let request = v1::ListHealthRequest { filter: filter.to_owned(), ..Default::default() };
        let page = || {
            list(&cells, &HashMap::new(), naming, &request, (0, 100), &never)
                .expect("a filter in the grammar")
        };
        let pages = self::costs(options.rounds(9), || Cost::of_thread(1, page));
        report.row(&[format!("the worst 100 of {accounts}, {what}, ms"), shown(&pages, 1e6), "≤ 50".into()]);
    }
}

/// A view of many small accounts, folded by one worker.
fn population(accounts: u32) -> Arc<View> {
    const FRAME_ENTRIES: u64 = 16_384;
    let events = u64::from(accounts) * 10;
    let names = Arc::new(Names::new());
    let population = Population::new(Size { accounts, users: 5, features: 12, days: 28, events }, &names);
    let context = context(&names);
    let mut fold = Fold::new(context.clone(), Worker::new(0, 1, context));
    for from in (0..events).step_by(FRAME_ENTRIES as usize) {
        let indexes = from..(from + FRAME_ENTRIES).min(events);
        let entries = indexes.map(|index| (index + 1, Entry::Event(population.event(index)))).collect();
        fold.take(&Entries::new(entries)).expect("events alone");
    }
    let parts = vec![fold.executor().part()];
    Arc::new(fold.view_of(Position { shard: 0, lineage: 0, seq: events }, parts))
}

fn costs(rounds: usize, run: impl Fn() -> Cost) -> Vec<Cost> {
    (0..rounds).map(|_| run()).collect()
}

/// Processor time in units of so many nanoseconds.
fn shown(costs: &[Cost], unit_ns: f64) -> String {
    Spread::of(costs.iter().map(Cost::cpu_ns)).map(|ns| ns / unit_ns).to_string()
}

/// The newest view of a shard that read the simulated fleet.
fn fleet(root: &std::path::Path, accounts: usize) -> Arc<View> {
    let engine =
        Engine::open(root, app::Options::new(Some(2)), &|_, _| ()).expect("an empty directory opens");
    let utc = Calendar::utc();
    let end = utc.day(engine.now());
    let begin = end.date().saturating_sub(MONTHS.months());
    let horizon = Horizon::new(utc.start(end));
    let fleet = Fleet::new(Shape::new(7, accounts, begin));
    let source = FleetSource::new(FLEET, engine.names(), fleet, horizon);
    let decoder = Decoder::new(Arc::clone(engine.names()), "main", FLEET, Limits::default(), Format::Native);
    let stop = Arc::new(AtomicBool::new(false));
    let reading = Reading {
        source: Box::new(source),
        decoder,
        mapping_digest: "".into(),
        stop: Arc::clone(&stop),
        until_caught_up: false,
    };
    std::thread::scope(|scope| {
        let ingest = scope.spawn(|| engine.ingest(reading));
        let newest = || engine.view().and_then(|view| view.tenant.newest_at).map(|at| utc.day(at));
        while newest().is_none_or(|day| day < end.plus(-1)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        stop.store(true, Ordering::Release);
        ingest.join().expect("the simulation does not panic").expect("the fleet is in the contract");
    });
    let view = engine.view().expect("it folds");
    engine.shutdown().expect("it had not failed");
    view
}
