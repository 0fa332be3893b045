//! The system calls of the program, as `strace` sees them: no answer and no commit leaves it that refers to what is not yet
//! synced.
#![expect(
    clippy::disallowed_methods,
    reason = "an operator writes the configuration, and waits in real time"
)]

mod calls;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use tidewatch_engine::storage::directory::Directory;
use tidewatch_engine::storage::log::{Entry, LogReader};
use tidewatch_projections::names::Names;
use tidewatch_proto::v1;
use v1::account_service_client::AccountServiceClient;

use crate::broker::{Broker, eventually, shared};
use crate::child;
use crate::support::Shard;
use crate::wait::wait_until;
use calls::{Laid, Seen, judge};

const BATCHES: usize = 40;
const BATCH_EVENTS: usize = 25;

#[test]
#[ignore = "needs strace, and the right to trace"]
fn no_answer_and_no_commit_leaves_before_its_sync() {
    let broker = shared();
    let topic = broker.topic("traced", 1);
    let shard = Shard::new();
    let trace = shard.path().with_extension("trace");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut program = serve(&shard, broker, &topic, port, &trace);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for batch in 0..BATCHES {
                broker.produce(&topic, 0, (batch * BATCH_EVENTS..(batch + 1) * BATCH_EVENTS).map(line));
            }
        });
        ask_until_all_is_there(&mut program, port);
    });
    assert!(child::stop(&mut program).success());
    let mut text = String::new();
    eventually("the tracer has written its last line", || {
        text = std::fs::read_to_string(&trace).unwrap();
        text.contains(&format!("{:<5} +++ exited", program.id()))
    });
    let Seen { frames, syncs, answers, commits } = judge(&text, &topic, &laid(&shard)).unwrap();
    assert!(frames > 10 && syncs > 10, "{frames} frames, {syncs} syncs");
    assert!(answers > 20 && commits > 2, "{answers} answers, {commits} commits");
}

fn line(number: usize) -> String {
    format!(
        r#"{{"id":"{number}","account":"a{}","type":"usage","occurred_at":"2024-02-01T10:00:00Z","properties":{{"feature":"f"}}}}"#,
        number % 9
    )
}

/// The program, traced: with `-D` it is our child, and the tracer is not.
fn serve(shard: &Shard, broker: &Broker, topic: &str, port: u16, trace: &Path) -> Child {
    let config = shard.path().with_extension("toml");
    let text = format!(
        "[serve]\ngrpc = '127.0.0.1:{port}'\nhttp = '127.0.0.1:0'\n[log]\nlevel = 'warn'\n[[sources]]\nkind = 'kafka'\n\
         name = 'app'\nbrokers = '{}'\ntopics = ['{topic}']\ncommit_ms = 50\n",
        broker.address
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-q", "-y", "-xx", "-s", "4096", "-e", calls::TRACED, "-o"]).arg(trace);
    command.arg(env!("CARGO_BIN_EXE_tidewatch")).args(["serve", "--data"]).arg(shard.path());
    command.arg("--config").arg(config).env_remove("TIDEWATCH_DATA");
    command.spawn().expect("strace is there, or the test was not to be asked for")
}

fn ask_until_all_is_there(program: &mut Child, port: u16) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut client = wait_until("the traced program serves", || {
        assert_eq!(program.try_wait().unwrap(), None, "it ended before it served");
        let address = format!("http://127.0.0.1:{port}");
        runtime.block_on(AccountServiceClient::connect(address)).map_err(|error| error.to_string())
    });
    wait_until("every event counts", || {
        let answer = runtime.block_on(client.list_accounts(v1::ListAccountsRequest::default())).unwrap();
        let accounts = answer.into_inner().accounts.into_iter().filter_map(|listed| listed.account);
        let seen: u64 = accounts.map(|account| account.events).sum();
        (seen >= (BATCHES * BATCH_EVENTS) as u64).then_some(()).ok_or(seen)
    });
    // The commit of the last offset is still to come.
    std::thread::sleep(Duration::from_millis(300));
}

/// Where each frame lies and what it brought, from the log as it is afterwards.
fn laid(shard: &Shard) -> Laid {
    let directory = Directory::open(&shard.path()).unwrap();
    let names = Arc::new(Names::new());
    let mut reader = LogReader::new(Arc::clone(directory.disk()), "log", Arc::clone(&names), 1);
    let mut laid = Laid::default();
    while let Some(raw) = reader.next_raw().unwrap() {
        laid.frames.insert(raw.header.offset.into(), raw.header.next_seq() - 1);
        for (seq, entry) in raw.decode(&names).unwrap().entries {
            if let Entry::Event(event) = entry {
                laid.events.insert(event.id.parse().unwrap(), seq);
            }
        }
    }
    laid
}
