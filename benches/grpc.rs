//! gRPC: one account, and its health, read by its id, beside a service on the same kind of server that answers with nothing.

use std::sync::Arc;
use std::time::Duration;

use tidewatch_benches::cost::{Cost, now, threads};
use tidewatch_benches::feed::{Feed, of_fleet};
use tidewatch_benches::log::import;
use tidewatch_benches::options::{Options, scratch};
use tidewatch_benches::pair::{Pair, Spread, cpu_ns};
use tidewatch_benches::population::mix;
use tidewatch_benches::serving::{SERVER_THREAD, Serving};
use tidewatch_benches::table::Report;
use tidewatch_engine::serve::listen;
use tidewatch_ingest::fleet::{Fleet, Shape};
use tidewatch_proto::v1;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};
use v1::account_service_client::AccountServiceClient;
use v1::account_service_server::{AccountService, AccountServiceServer};
use v1::health_service_client::HealthServiceClient;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Connections of the client; one serialises its calls on a lock.
const CONNECTIONS: usize = 4;
/// Calls under way on each.
const CALLS_A_CONNECTION: usize = 8;

/// Answers every account with the same answer.
struct Echo {
    answer: v1::GetAccountResponse,
}

#[tonic::async_trait]
impl AccountService for Echo {
    async fn get_account(
        &self,
        _: Request<v1::GetAccountRequest>,
    ) -> Result<Response<v1::GetAccountResponse>, Status> {
        Ok(Response::new(self.answer.clone()))
    }

    async fn batch_get_accounts(
        &self,
        _: Request<v1::BatchGetAccountsRequest>,
    ) -> Result<Response<v1::BatchGetAccountsResponse>, Status> {
        Err(Status::unimplemented("an echo of one account"))
    }

    async fn list_accounts(
        &self,
        _: Request<v1::ListAccountsRequest>,
    ) -> Result<Response<v1::ListAccountsResponse>, Status> {
        Err(Status::unimplemented("an echo of one account"))
    }

    async fn get_timeline(
        &self,
        _: Request<v1::GetTimelineRequest>,
    ) -> Result<Response<v1::GetTimelineResponse>, Status> {
        Err(Status::unimplemented("an echo of one account"))
    }
}

/// Serves an echo on the runtime of the servers and connects to it.
fn echo(serving: &Serving, client: &Runtime, answer: v1::GetAccountResponse) -> Vec<Channel> {
    let listener = serving.runtime().block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let mut server = listen::server();
    let router = server.add_service(AccountServiceServer::new(Echo { answer }));
    serving.runtime().spawn(router.serve_with_incoming(incoming));
    connect(client, &address.to_string())
}

fn connect(client: &Runtime, address: &str) -> Vec<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    (0..CONNECTIONS).map(|_| client.block_on(endpoint.connect()).expect("the server listens")).collect()
}

/// What is read of an account.
#[derive(Clone, Copy)]
enum Read {
    Account,
    Health,
}

impl Read {
    async fn call(self, channel: Channel, account: String) {
        match self {
            Self::Account => {
                let request = v1::GetAccountRequest { account, ..Default::default() };
                let answer = AccountServiceClient::new(channel).get_account(request).await;
                drop(std::hint::black_box(answer.expect("the account is known")));
            }
            Self::Health => {
                let request = v1::GetHealthRequest { account, ..Default::default() };
                let answer = HealthServiceClient::new(channel).get_health(request).await;
                drop(std::hint::black_box(answer.expect("the account is known")));
            }
        }
    }
}

/// A round of calls and how long each took.
struct Calls {
    cost: Cost,
    each: Vec<Duration>,
}

/// Reads accounts, some calls at once on each connection. The cost is the server's thread.
fn get(
    client: &Runtime,
    channels: &[Channel],
    read: Read,
    accounts: &Arc<Vec<String>>,
    calls: usize,
) -> Calls {
    let server_time = || threads().get(SERVER_THREAD).copied().unwrap_or_default();
    let (before, began) = (server_time(), now());
    let queues = CONNECTIONS * CALLS_A_CONNECTION;
    let each = client.block_on(async {
        let tasks: Vec<_> = (0..queues)
            .map(|queue| {
                let accounts = Arc::clone(accounts);
                let channel = channels[queue % CONNECTIONS].clone();
                tokio::spawn(async move {
                    let mut each = Vec::with_capacity(calls / queues);
                    for call in 0..calls / queues {
                        let number = mix((queue * calls + call) as u64) as usize % accounts.len();
                        let (channel, account) = (channel.clone(), accounts[number].clone());
                        let began = now();
                        read.call(channel, account).await;
                        each.push(began.elapsed());
                    }
                    each
                })
            })
            .collect();
        let mut each = Vec::with_capacity(calls);
        for task in tasks {
            each.append(&mut task.await.expect("the client does not panic"));
        }
        each
    });
    let cost =
        Cost { items: each.len() as u64, wall: began.elapsed(), cpu: server_time().saturating_sub(before) };
    Calls { cost, each }
}

/// Latency in µs that so many of a hundred calls keep.
fn percentile(each: &mut [Duration], percent: usize) -> f64 {
    each.sort_unstable();
    each[(each.len() * percent).div_ceil(100) - 1].as_nanos() as f64 / 1e3
}

fn main() {
    let options = Options::read();
    let rounds = options.rounds(5);
    let calls = options.size(10_000, 320);
    let accounts_count = options.size(100_000, 300);
    let directory = scratch();
    let serving = Serving::start(&directory.path().join("data"), 1);
    let shape = Shape {
        weekly_events_median: 4.0,
        weekly_events_max: 200.0,
        ..Shape::new(1, accounts_count, jiff::civil::date(2025, 1, 1))
    };
    let fleet = Fleet::new(shape);
    let receipt = import(serving.engine(), |names| Box::new(Feed::new(names, of_fleet(fleet, 14))));
    serving.wait_for(receipt.last_seq);
    let view = serving.engine().view().expect("it was opened with a fold");
    let accounts: Vec<String> =
        view.accounts().map(|account| view.names.text(account.id).to_owned()).collect();
    let accounts = Arc::new(accounts);
    drop(view);

    let client = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("client")
        .enable_all()
        .build()
        .expect("the system gives a thread");
    let own = connect(&client, &serving.address().to_string());
    let asked = v1::GetAccountRequest { account: accounts[0].clone(), ..Default::default() };
    let answer = client
        .block_on(AccountServiceClient::new(own[0].clone()).get_account(asked))
        .expect("the account is known")
        .into_inner();
    let answer_bytes = tidewatch_proto::prost::Message::encoded_len(&answer);
    let empty = echo(&serving, &client, v1::GetAccountResponse::default());
    let same = echo(&serving, &client, answer);

    let mut report = Report::new(
        format!(
            "grpc: reads of {} accounts ({} events), {CONNECTIONS} connections with {CALLS_A_CONNECTION} calls each under way",
            accounts.len(),
            receipt.accepted
        ),
        &[
            "server CPU µs a call",
            "ours",
            "beside",
            "ours ÷ beside",
            "calls/s ours, beside",
            "calls/s ratio",
            "p50 µs",
            "p99 µs",
            "aim",
        ],
    );
    let of_nothing = "an echo with an empty answer";
    for (what, read, channels, aim) in [
        (format!("GetAccount beside {of_nothing}"), Read::Account, &empty, "calls/s ≥ 0.90"),
        (
            format!("GetAccount beside an echo with one account's answer of {answer_bytes} B"),
            Read::Account,
            &same,
            "",
        ),
        (format!("GetHealth beside {of_nothing}"), Read::Health, &empty, "calls/s ≥ 0.90"),
    ] {
        let (mut each_of_ours, mut each_of_echo) = (Vec::new(), Vec::new());
        let pair = Pair::alternate(
            rounds,
            || {
                let mut run = get(&client, &own, read, &accounts, calls);
                each_of_ours.append(&mut run.each);
                run.cost
            },
            || {
                let mut run = get(&client, channels, Read::Account, &accounts, calls);
                each_of_echo.append(&mut run.each);
                run.cost
            },
        );
        let rate = |costs: &[Cost]| Spread::of(costs.iter().map(|cost| 1e9 / cost.wall_ns())).median;
        let rates = pair.ours.iter().zip(&pair.peer).map(|(ours, peer)| peer.wall_ns() / ours.wall_ns());
        let us = |spread: Spread| spread.map(|ns| ns / 1e3).to_string();
        let mut both = |percent| {
            format!(
                "{:.0}, {:.0}",
                percentile(&mut each_of_ours, percent),
                percentile(&mut each_of_echo, percent)
            )
        };
        report.row(&[
            what,
            us(cpu_ns(&pair.ours)),
            us(cpu_ns(&pair.peer)),
            pair.cpu_ratio().to_string(),
            format!("{:.0}, {:.0}", rate(&pair.ours), rate(&pair.peer)),
            Spread::of(rates).to_string(),
            both(50),
            both(99),
            aim.to_owned(),
        ]);
    }
    report.note(format!(
        "One thread serves, one asks; p50 and p99 with {} calls under way.",
        CONNECTIONS * CALLS_A_CONNECTION
    ));
    report.print();
    larger(&options, &client, &own[0], &accounts);
    serving.stop();
}

/// Calls that have an aim and no peer, one at a time.
fn larger(options: &Options, client: &Runtime, channel: &Channel, accounts: &Arc<Vec<String>>) {
    let mut service = AccountServiceClient::new(channel.clone());
    let mut health = HealthServiceClient::new(channel.clone());
    let calls = options.size(50, 3);
    let mut report = Report::new("grpc: larger calls, one at a time", &["call", "p50 ms", "p99 ms", "aim"]);
    let mut row = |what: &str, aim: &str, call: &mut dyn FnMut()| {
        let mut each: Vec<Duration> = (0..=calls)
            .map(|_| {
                let began = now();
                call();
                began.elapsed()
            })
            .skip(1)
            .collect();
        let ms = |us: f64| format!("{:.2}", us / 1e3);
        report.row(&[
            what.to_owned(),
            ms(percentile(&mut each, 50)),
            ms(percentile(&mut each, 99)),
            aim.to_owned(),
        ]);
    };
    let mut listed = service.clone();
    row("ListAccounts with filter and order, page of 100", "p99 ≤ 50 ms", &mut || {
        let request = v1::ListAccountsRequest {
            filter: "events > 20".into(),
            order_by: "events desc".into(),
            page_size: 100,
            ..Default::default()
        };
        client.block_on(listed.list_accounts(request)).expect("the filter is valid");
    });
    let batch: Vec<String> =
        (0..1_000).map(|number| accounts[mix(number) as usize % accounts.len()].clone()).collect();
    row("BatchGetAccounts of 1,000", "p99 ≤ 20 ms", &mut || {
        let request = v1::BatchGetAccountsRequest { accounts: batch.clone(), ..Default::default() };
        client.block_on(service.batch_get_accounts(request)).expect("the accounts are known");
    });
    row("ListHealth by score with a filter, page of 100", "p99 ≤ 50 ms", &mut || {
        let request =
            v1::ListHealthRequest { filter: "score < 90".into(), page_size: 100, ..Default::default() };
        client.block_on(health.list_health(request)).expect("the filter is valid");
    });
    report.print();
}
