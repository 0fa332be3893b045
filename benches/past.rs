//! One account's past: its timeline and its state at an instant that memory does not have, by the index of accounts, beside a
//! search of every frame and beside a fold of the whole log.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidewatch_benches::cost::now;
use tidewatch_benches::log::bytes_below;
use tidewatch_benches::options::{Options, scratch};
use tidewatch_benches::population::{BEGIN, Population, Size, mix};
use tidewatch_benches::serving::Serving;
use tidewatch_benches::table::Report;
use tidewatch_engine::app::{Engine, Options as EngineOptions};
use tidewatch_engine::cancellation::Cancellation;
use tidewatch_engine::fold::history::{History, HistoryError};
use tidewatch_engine::fold::view::View;
use tidewatch_engine::meters::Meters;
use tidewatch_engine::read::past::accounts_at;
use tidewatch_engine::storage::directory::{ACCOUNTS_DIR, Directory, LOG_DIR, TENANT_DEFAULT};
use tidewatch_engine::storage::log::{FrameBuilder, LogOptions, LogWriter};
use tidewatch_projections::event::Micros;
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_proto::prost_types::Timestamp;
use tidewatch_proto::v1;
use tonic::transport::Endpoint;
use v1::account_service_client::AccountServiceClient;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Days over which the events are spread.
const DAYS: u32 = 365;
/// Entries of a frame: what a source brings while the frame before is written.
const FRAME_ENTRIES: u64 = 4_000;
/// Threads that read the frames of one question.
const READERS: usize = 2;
/// Events on a page of a timeline.
const PAGE_EVENTS: i32 = 100;

fn main() {
    let options = Options::read();
    let (accounts, events) = (options.size(100_000, 500), options.size(4_000_000, 20_000));
    let size = Size { accounts, users: 10, features: 12, days: DAYS, events };
    let directory = scratch();
    let root = directory.path().join("data");
    let segment_bytes = options.size(64 << 20, 256 << 10);
    fill(&root, size, segment_bytes);

    let indexing = index(&root, events);
    let serving = Serving::start(&root, 2);
    let view = serving.engine().view().expect("it was opened with a fold");
    let disk = Arc::clone(serving.engine().directory().disk());
    let searched = History::new(disk, Arc::clone(&view.names), view.position.seq);
    let history = serving.engine().history();
    let segments = fs::read_dir(root.join(LOG_DIR)).expect("a log").count();

    let client = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let endpoint = Endpoint::from_shared(format!("http://{}", serving.address())).expect("an address");
    let channel = client.block_on(endpoint.connect()).expect("the server listens");
    let service = AccountServiceClient::new(channel).max_decoding_message_size(64 << 20);

    let mut report = Report::new(
        format!(
            "past: {accounts} accounts, {events} events of a year in {segments} segments; one account at a time, ms"
        ),
        &[
            "what is asked",
            "events",
            "by the index: p50 (greatest)",
            "a search of every frame",
            "every frame decoded",
            "aim",
        ],
    );
    let number = |account: usize| account.min(accounts as usize - 1);
    let median: Vec<usize> = (0..options.size(200, 5))
        .map(|draw| number(accounts as usize / 2 + mix(draw) as usize % 1_000))
        .collect();
    for (what, asked, aim) in [
        ("the median account", median, "p50 ≤ 30 ms"),
        ("the largest account", vec![0; options.size(20, 3)], "≤ 200 ms"),
    ] {
        let named: Vec<Symbol> = asked
            .iter()
            .map(|number| view.names.find(&format!("account-{number:08}")).expect("everybody has events"))
            .collect();
        let held = |account: &Symbol| view.account(*account).map_or(0, |account| account.events);
        let held = named.iter().map(held).sum::<u64>() / named.len() as u64;
        // Noon of some day: what lies within a day is not in memory.
        let as_of =
            |draw: usize| BEGIN + (i64::from(DAYS) / 2 + draw as i64 % 60) * 86_400_000_000 + 43_200_000_000;
        let one = &named[..1];
        let fold = |history: &History, account: Symbol, draw: usize| {
            drop(accounts_at(history, &view, &[account], as_of(draw)).expect("the log is sound"));
        };
        let by_index = each(&named, |draw, account| {
            let mut service = service.clone();
            let request = v1::GetAccountRequest {
                account: view.names.text(account).to_owned(),
                as_of: Some(instant(as_of(draw))),
                ..Default::default()
            };
            client.block_on(service.get_account(request)).expect("the account is known");
        });
        let search = each(one, |draw, account| fold(&searched, account, draw));
        let decoded = each(one, |draw, account| whole(&searched, &view, account, as_of(draw)));
        row(
            &mut report,
            &format!("GetAccount as of noon of a day, {what}"),
            held,
            [by_index, search, decoded],
            aim,
        );

        let by_index = each(&named, |_, account| {
            let mut service = service.clone();
            let request = v1::GetTimelineRequest {
                account: view.names.text(account).to_owned(),
                page_size: PAGE_EVENTS,
                ..Default::default()
            };
            client.block_on(service.get_timeline(request)).expect("the account is known");
        });
        let search = each(one, |_, account| events_of(&searched, account));
        let decoded = each(one, |_, account| whole(&searched, &view, account, Micros::MAX));
        row(&mut report, &format!("GetTimeline, {what}"), held, [by_index, search, decoded], aim);
        let by_index = each(&named, |_, account| events_of(&history, account));
        row(
            &mut report,
            &format!("… its events alone, without the call, {what}"),
            held,
            [by_index, Vec::new(), Vec::new()],
            "",
        );
    }
    report.note(indexing);
    report.print();
    serving.stop();
}

/// Writes the log as an engine would, in smaller segments.
fn fill(root: &Path, size: Size, segment_bytes: u64) {
    let engine = Engine::open(root, EngineOptions::new(None), &|_, _| ()).expect("a new directory opens");
    engine.shutdown().expect("the engine ends in order");
    let directory = Directory::open_or_create(root, TENANT_DEFAULT).expect("the directory opens");
    let options =
        LogOptions { segment_bytes, ..directory.log_options().expect("the system gives random bytes") };
    let (mut log, opened) = LogWriter::open(Arc::clone(directory.disk()), options).expect("the log opens");
    let names = Arc::new(Names::new());
    let population = Population::new(size, &names);
    let mut builder = FrameBuilder::new(Arc::clone(&names), log.next_seq());
    let recorded_at = opened.recorded_at.unwrap_or(BEGIN);
    for index in 0..size.events {
        builder.push_event(&population.event(index)).expect("the event fits");
        if builder.count() as u64 == FRAME_ENTRIES || index + 1 == size.events {
            log.append(&builder.seal(recorded_at)).expect("the disk has room");
        }
    }
    log.close().expect("the disk syncs");
}

/// Makes the index from the whole log; says what that took.
fn index(root: &Path, events: u64) -> String {
    let directory = Directory::open(root).expect("the directory opens");
    let history = History::new(Arc::clone(directory.disk()), Arc::default(), u64::MAX);
    let last_seq = history.end().expect("the log is sound").last_seq;
    let index = directory.account_index(false, READERS, &Arc::new(Meters::new()));
    let began = now();
    index.catch_up(last_seq, &Cancellation::default()).expect("the log is sound");
    let ns = began.elapsed().as_nanos() as f64 / events as f64;
    let bytes = bytes_below(&root.join(ACCOUNTS_DIR)) as f64 / events as f64;
    let log_bytes = bytes_below(&root.join(LOG_DIR)) as f64 / events as f64;
    format!(
        "The index takes {bytes:.2} B of disk an event beside {log_bytes:.1} B of log, and {ns:.0} ns to make, on the wall."
    )
}

/// What a read of an account took before there was an index: every frame is decoded, its events are kept.
fn whole(history: &History, view: &View, account: Symbol, as_of: Micros) {
    let mut found = Vec::new();
    let read = history.frames(|frame| {
        found.extend(frame.entries.into_iter().filter(|(_, entry)| match entry {
            tidewatch_engine::storage::log::Entry::Event(event) => {
                event.account() == Some(account)
                    && event.occurred_at < as_of
                    && view.control_state.counts(event)
            }
            _ => false,
        }));
        Ok::<(), HistoryError>(())
    });
    read.expect("the log is sound");
    drop(std::hint::black_box(found));
}

fn events_of(history: &History, account: Symbol) {
    let mut events = 0;
    let read = history.events_of(&[account], |excerpt| {
        events += excerpt.events.len();
        Ok::<(), HistoryError>(())
    });
    read.expect("the log is sound");
    std::hint::black_box(events);
}

/// How long each call took; one before them is not counted.
fn each(accounts: &[Symbol], mut call: impl FnMut(usize, Symbol)) -> Vec<Duration> {
    call(0, accounts[0]);
    (0..)
        .zip(accounts)
        .map(|(draw, account)| {
            let began = now();
            call(draw, *account);
            began.elapsed()
        })
        .collect()
}

fn row(report: &mut Report, what: &str, events: u64, mut took: [Vec<Duration>; 3], aim: &str) {
    let ms = |took: Duration| took.as_nanos() as f64 / 1e6;
    let cells = took.each_mut().map(|took| {
        took.sort_unstable();
        match took.as_slice() {
            [] => String::new(),
            [one] => format!("{:.0}", ms(*one)),
            [.., last] => format!("{:.2} ({:.2})", ms(took[took.len() / 2]), ms(*last)),
        }
    });
    let [by_index, search, decoded] = cells;
    report.row(&[what.to_owned(), events.to_string(), by_index, search, decoded, aim.to_owned()]);
}

fn instant(at: Micros) -> v1::AsOf {
    let (seconds, nanos) = (at.div_euclid(1_000_000), at.rem_euclid(1_000_000) as i32 * 1_000);
    v1::AsOf { instant: Some(v1::as_of::Instant::At(Timestamp { seconds, nanos })) }
}
