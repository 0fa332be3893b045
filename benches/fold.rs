//! Folding: entries in memory to account states on one worker, beside tables that add up and keep nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use tidewatch_benches::cost::Cost;
use tidewatch_benches::log::context;
use tidewatch_benches::options::Options;
use tidewatch_benches::pair::{Pair, cpu_ns};
use tidewatch_benches::population::{Population, Size};
use tidewatch_benches::table::{Report, per_core_second};
use tidewatch_engine::fold::worker::{FoldContext, Worker};
use tidewatch_engine::storage::log::Entry;
use tidewatch_projections::event::{Event, Micros};
use tidewatch_projections::names::{Names, Symbol};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Entries handed over at once, as a full frame has.
const FRAME_ENTRIES: usize = 16_384;

fn main() {
    let options = Options::read();
    let rounds = options.rounds(5);
    let mut report =
        Report::of_cpu("fold: one event into the state of its account, default model, one worker, from none");
    let mut rates = Vec::new();
    for (accounts, users, events, aim) in [
        (options.size(10_000, 100), 5, options.size(1_000_000, 10_000), "≤ 200 ns with reading"),
        (options.size(10_000, 100), 40, options.size(1_000_000, 10_000), "≤ 200 ns with reading"),
        (options.size(100_000, 1_000), 40, options.size(1_500_000, 10_000), "≤ 400 ns with reading"),
    ] {
        let size = Size { accounts, users, features: 12, days: 28, events };
        let names = Arc::new(Names::new());
        let frames = frames(&Population::new(size, &names), events);
        let context = context(&names);
        let what = format!("{accounts} accounts, {users} users each, {events} events");
        let by_symbol =
            Pair::alternate(rounds, || fold(&context, &frames, events), || add_up(&frames, events));
        report.pair(&format!("{what}; beside sums by interned account"), &by_symbol, aim);
        let by_text = Pair::alternate(
            rounds,
            || fold(&context, &frames, events),
            || add_up_text(&names, &frames, events),
        );
        report.pair(&format!("{what}; beside sums by account and user as texts"), &by_text, aim);
        rates.push(format!(
            "{what}: {} events a second of one core",
            per_core_second(cpu_ns(&by_symbol.ours))
        ));
    }
    rates.into_iter().for_each(|rate| report.note(rate));
    report.print();
}

fn frames(population: &Population, events: u64) -> Vec<Vec<(u64, Entry)>> {
    let entry = |index: u64| (index + 1, Entry::Event(population.event(index)));
    (0..events)
        .step_by(FRAME_ENTRIES)
        .map(|from| (from..(from + FRAME_ENTRIES as u64).min(events)).map(entry).collect())
        .collect()
}

fn fold(context: &FoldContext, frames: &[Vec<(u64, Entry)>], events: u64) -> Cost {
    let mut worker = Worker::new(0, 1, context.clone());
    Cost::of_thread(events, || frames.iter().for_each(|entries| worker.apply(entries)))
}

/// What the smallest fold does.
#[derive(Default)]
struct Sum {
    events: u64,
    quantity: i64,
    newest_at: Micros,
}

impl Sum {
    fn add(&mut self, event: &Event) {
        self.events += 1;
        self.quantity += event.quantity_or_default().unwrap_or(0);
        self.newest_at = self.newest_at.max(event.occurred_at);
    }
}

fn events_of(frames: &[Vec<(u64, Entry)>]) -> impl Iterator<Item = &Event> {
    frames.iter().flatten().filter_map(|(_, entry)| match entry {
        Entry::Event(event) => Some(event),
        Entry::DeadLetter(_) | Entry::Control(_) => None,
    })
}

fn add_up(frames: &[Vec<(u64, Entry)>], events: u64) -> Cost {
    Cost::of_thread(events, || {
        let mut sums: HashMap<Symbol, Sum> = HashMap::new();
        for event in events_of(frames) {
            sums.entry(event.account().expect("all have one")).or_default().add(event);
        }
        sums
    })
}

fn add_up_text(names: &Names, frames: &[Vec<(u64, Entry)>], events: u64) -> Cost {
    Cost::of_thread(events, || {
        let mut sums: HashMap<&str, (Sum, HashMap<&str, Sum>)> = HashMap::new();
        for event in events_of(frames) {
            let (account, users) =
                sums.entry(names.text(event.account().expect("all have one"))).or_default();
            account.add(event);
            users.entry(names.text(event.user.expect("all have one"))).or_default().add(event);
        }
        sums
    })
}
