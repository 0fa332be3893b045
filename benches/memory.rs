//! Memory an account takes, as the growth of the resident set of a process that does nothing else.
//!
//! Every case runs in a process of its own: memory that an earlier one gave back would hide what a later one takes.

use std::process::Command;
use std::sync::Arc;

use tidewatch_benches::cost::resident_bytes;
use tidewatch_benches::log::context;
use tidewatch_benches::options::Options;
use tidewatch_benches::population::{Population, Size};
use tidewatch_benches::table::Report;
use tidewatch_engine::fold::worker::Worker;
use tidewatch_engine::storage::log::Entry;
use tidewatch_projections::names::Names;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events folded before they are dropped, so that they are not counted.
const FRAME_ENTRIES: u64 = 4_096;

fn main() {
    let options = Options::read();
    match options.rest.as_slice() {
        [] => parent(&options),
        case => child(case),
    }
}

fn parent(options: &Options) {
    let mut report = Report::new(
        "memory: bytes an account takes, default model",
        &["case", "names", "state", "both", "aim"],
    );
    let accounts = |full: u32| options.size(full, 200);
    // Accounts, users, features, days of history, aim.
    let cases = [
        (accounts(50_000), 5, 3, 1, "≤ 1.5 KB"),
        (accounts(20_000), 5, 3, 28, "≤ 1.5 KB"),
        (accounts(2_000), 5, 3, 400, "≤ 1.5 KB"),
        (accounts(20_000), 60, 12, 1, "≤ 4 KB"),
        (accounts(5_000), 60, 12, 28, "≤ 4 KB"),
        (accounts(500), 60, 12, 400, "≤ 4 KB"),
    ];
    for (accounts, users, features, days, aim) in cases {
        let case = [accounts, users, features, days].map(|number: u32| number.to_string());
        let program = std::env::current_exe().expect("a running program has a file");
        let output = Command::new(program).args(&case).output().expect("the program runs again");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("two numbers");
        let figures: Vec<f64> =
            text.split_whitespace().map(|figure| figure.parse().expect("a number")).collect();
        let [names, state] = figures[..] else { panic!("two numbers, not {text:?}") };
        report.row(&[
            format!("{users} users and {features} features, each person once a day for {days} days; {accounts} accounts"),
            format!("{names:.0}"),
            format!("{state:.0}"),
            format!("{:.0}", names + state),
            aim.to_owned(),
        ]);
    }
    report.note("names: the texts of its id and of its people; they are kept once for the whole shard.");
    report.print();
}

/// Prints the bytes of names and of state, each for one account.
#[expect(clippy::print_stdout, reason = "read by the process that started this one")]
fn child(case: &[String]) {
    let numbers: Vec<u32> = case.iter().map(|word| word.parse().expect("numbers")).collect();
    let [accounts, users, features, days] = numbers[..] else { panic!("accounts, users, features, days") };
    let events = u64::from(accounts) * u64::from(users) * u64::from(days);
    let names = Arc::new(Names::new());
    let empty = resident_bytes();
    let population = Population::new(Size { accounts, users, features, days, events }, &names);
    let own_bytes = size_of::<u32>() as u64 * (u64::from(accounts) * (u64::from(users) + 1));
    let named = resident_bytes();
    let mut worker = Worker::new(0, 1, context(&names));
    for from in (0..events).step_by(FRAME_ENTRIES as usize) {
        let indexes = from..(from + FRAME_ENTRIES).min(events);
        let entries: Vec<_> =
            indexes.map(|index| (index + 1, Entry::Event(population.event_of_plan(index)))).collect();
        worker.apply(&entries);
    }
    let folded = resident_bytes();
    let each = |bytes: u64| bytes as f64 / f64::from(accounts);
    println!("{} {}", each((named - empty).saturating_sub(own_bytes)), each(folded.saturating_sub(named)));
    drop(worker);
}
