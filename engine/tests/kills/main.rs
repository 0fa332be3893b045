//! The program is killed over and over while it reads a real broker, at random moments and at named places, and in the end
//! every record must have become what it would have become without: `docs/CRASHES.md`.
//!
//! ```text
//! cargo test -p tidewatch-engine --features failpoints --test kills -- [--kills N] [--seed S]
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program for people")]
#![expect(clippy::disallowed_methods, reason = "a real broker and real processes keep real time")]

#[expect(dead_code, reason = "the reader's own tests do more to a broker")]
#[path = "../../../ingest/tests/support/mod.rs"]
mod broker;
#[expect(dead_code, reason = "the simulation draws more")]
#[path = "../simulation/draw.rs"]
mod draw;
mod producer;
#[expect(dead_code, reason = "the tests of a shard by itself do more to it")]
#[path = "../shard/support.rs"]
mod support;
mod verdict;
mod victim;
mod workload;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use tidewatch_engine::failpoint::{PLACES, Place};

use broker::Broker;
use draw::Draw;
use producer::Producer;
use support::Shard;
use verdict::Kept;
use victim::{End, Program};
use workload::{SOURCE, Workload};

/// Kills in a run that says nothing else: what CI runs.
const KILLS: u64 = 10;
const PARTITIONS: i32 = 3;
/// Times the broker is killed and started again in a run, and times it gets a partition.
const RESTARTS: u64 = 3;
/// Records that come in a life that ends at random, and in one that ends at a place: segments and runs must fill.
const RECORDS: usize = 500;
const RECORDS_TO_A_PLACE: usize = 2_000;
/// Bursts in which they are produced while the program runs, and the pause after each.
const BURSTS: usize = 6;
const PAUSE: Duration = Duration::from_millis(40);
/// Longest wait for the program to come to the place where it dies; then it is killed where it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest random life, in milliseconds, and the longest in which the broker goes and comes back.
const LIFE_MAX_MS: i64 = 4_000;
const LIFE_WITH_RESTART_MAX_MS: i64 = 20_000;
/// It is told how far it is after so many kills.
const TOLD_EVERY: u64 = 25;
/// Longest wait for the last life, which must read everything.
const CATCH_UP_MAX: Duration = Duration::from_secs(300);

/// What was done.
#[derive(Default, Debug)]
struct Counts {
    lives: u64,
    at_random: u64,
    at_places: BTreeMap<Place, u64>,
    restarts: u64,
    partitions_added: u64,
}

impl Counts {
    fn kills(&self) -> u64 {
        self.at_random + self.at_places.values().sum::<u64>()
    }
}

fn options() -> Result<(u64, u64), String> {
    let (mut kills, mut seed) = (KILLS, 1);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().ok_or(format!("{word} needs a value"))?;
            text.parse::<u64>().map_err(|_| format!("{text} is no number"))
        };
        match word.as_str() {
            "--kills" => kills = number()?,
            "--seed" => seed = number()?,
            // What the test runner of cargo passes on means nothing here.
            "--nocapture" | "--quiet" | "-q" | "--exact" => {}
            other => return Err(format!("{other} is not known: --kills, --seed")),
        }
    }
    Ok((kills, seed))
}

fn main() -> ExitCode {
    let (kills, seed) = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(64);
        }
    };
    match run(kills, seed) {
        Ok(()) => {
            println!("1 passed, 0 failed");
            ExitCode::SUCCESS
        }
        Err(what) => {
            println!("{what}");
            println!(
                "again: cargo test -p tidewatch-engine --features failpoints --test kills -- --kills {kills} --seed {seed}"
            );
            println!("0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}

fn run(kills: u64, seed: u64) -> Result<(), String> {
    let shard = Shard::new();
    prove(&shard, kills, seed).map_err(|what| {
        let kept = shard.path();
        std::mem::forget(shard);
        format!("{what}\nthe data directory and the program's output are kept beside {}", kept.display())
    })
}

fn prove(shard: &Shard, kills: u64, seed: u64) -> Result<(), String> {
    let began = Instant::now();
    let mut proof = Proof::begin(shard, seed);
    while proof.counts.kills() < kills {
        proof.live(kills)?;
        let done = proof.counts.kills();
        if done > 0 && done.is_multiple_of(TOLD_EVERY) {
            eprintln!("{done} kills after {} s", began.elapsed().as_secs());
        }
    }
    let mut last = proof.program.start(true, None);
    match last.wait(CATCH_UP_MAX)? {
        Some(End::CaughtUp) => {}
        other => return Err(format!("the last life had not caught up within {CATCH_UP_MAX:?}: {other:?}")),
    }
    let Proof { broker, program, workload, producer, counts, .. } = proof;
    let ends = producer.ends(workload.ends.len());
    if ends != workload.ends {
        return Err(format!("the topic ends at {ends:?}, produced were {:?}", workload.ends));
    }
    let kept = Kept::of(&program.data)?;
    kept.check_against(&workload)?;
    let file = Shard::new();
    file.import_lines(SOURCE, &workload.file);
    kept.check_same(&Kept::of(&file.path())?)?;
    report(&counts, &workload, &kept, began.elapsed());
    broker.command(&["destroy"]);
    Ok(())
}

/// The broker, what is in it, and the program that reads it.
struct Proof {
    broker: Broker,
    topic: String,
    program: Program,
    workload: Workload,
    producer: Producer,
    draw: Draw,
    counts: Counts,
}

impl Proof {
    fn begin(shard: &Shard, seed: u64) -> Self {
        let broker = Broker::start("kills", &[]);
        let topic = broker.topic("events", PARTITIONS);
        let id = id_of(&broker, &topic);
        let program = Program {
            data: shard.path(),
            config: shard.path().with_extension("toml"),
            stderr: shard.path().with_extension("log"),
        };
        std::fs::write(&program.config, config(&broker, &topic)).expect("a configuration");
        Self {
            workload: Workload::new(seed, format!("{topic}/{id}"), PARTITIONS as usize),
            producer: Producer::new(&broker, &topic),
            draw: Draw::new(seed).fork(),
            counts: Counts::default(),
            broker,
            topic,
            program,
        }
    }

    /// One life, the next kind of `kills`.
    fn live(&mut self, kills: u64) -> Result<(), String> {
        let Counts { lives, restarts, partitions_added, .. } = self.counts;
        let done = self.counts.kills();
        let is_due = |times: u64| times < RESTARTS && done * (RESTARTS + 1) >= kills * (times + 1);
        if is_due(partitions_added) {
            self.broker.add_partitions(&self.topic, self.workload.ends.len() + 1);
            self.workload.add_partition();
            self.counts.partitions_added += 1;
        }
        self.counts.lives += 1;
        if lives.is_multiple_of(2) {
            let is_restart = is_due(restarts);
            self.counts.restarts += u64::from(is_restart);
            self.life(is_restart, None)
        } else {
            let place = place_of(lives / 2, &mut self.draw);
            self.life(false, Some(place))
        }
    }

    /// One life: records come while the program runs, the broker may go and come back, and the program is killed.
    fn life(&mut self, is_restart: bool, place: Option<(Place, u64)>) -> Result<(), String> {
        let Self { broker, program, workload, producer, draw, counts, .. } = self;
        let records = workload.slice(if place.is_some() { RECORDS_TO_A_PLACE } else { RECORDS });
        let broker = &*broker;
        thread::scope(|scope| {
            scope.spawn(|| {
                for burst in records.chunks(records.len().div_ceil(BURSTS)) {
                    producer.send(burst);
                    thread::sleep(PAUSE);
                }
                producer.flush();
            });
            if is_restart {
                scope.spawn(|| {
                    broker.command(&["kill"]);
                    broker.command(&["start"]);
                });
            }
            let until_caught_up = place.is_none() && !is_restart && draw.often(500);
            let mut victim = program.start(until_caught_up, place);
            let life_max_ms = if is_restart { LIFE_WITH_RESTART_MAX_MS } else { LIFE_MAX_MS };
            let patience = match place {
                Some(_) => PATIENCE,
                None => Duration::from_millis(draw.range(0, life_max_ms) as u64),
            };
            match victim.wait(patience)? {
                Some(End::Killed) => {
                    let (place, _) = place.ok_or("the program was killed by somebody else")?;
                    *counts.at_places.entry(place).or_default() += 1;
                }
                Some(End::CaughtUp) => {}
                None => counts.at_random += u64::from(victim.kill()? == End::Killed),
            }
            Ok(())
        })
    }
}

/// Every place in turn, and after how many passings.
fn place_of(turn: u64, draw: &mut Draw) -> (Place, u64) {
    let place = PLACES[turn as usize % PLACES.len()];
    let times = match place {
        Place::BeforeAppend | Place::BeforeSync | Place::BeforeAnswer => draw.range(1, 5),
        Place::RunPage => draw.range(1, 8),
        Place::FrameReplayed => draw.range(1, 60),
        _ => 1,
    };
    (place, times as u64)
}

fn id_of(broker: &Broker, topic: &str) -> String {
    let told = broker.command(&["topics", topic]);
    let id = told.split_whitespace().find_map(|word| word.strip_prefix("id="));
    id.expect("the broker tells a topic's id").to_owned()
}

/// A small table of ids, so that runs are written often.
fn config(broker: &Broker, topic: &str) -> String {
    format!(
        "workers = 2\n[dedup]\nmemory_bytes_max = 65536\n[serve]\ngrpc = '127.0.0.1:0'\nhttp = '127.0.0.1:0'\n\
         [[sources]]\nkind = 'kafka'\nname = '{SOURCE}'\nbrokers = '{}'\ntopics = ['{topic}']\nsurvey_ms = 100\n\
         batch_bytes_max = 20000\n",
        broker.address
    )
}

fn report(counts: &Counts, workload: &Workload, kept: &Kept, took: Duration) {
    println!("{} kills in {} lives, {} s", counts.kills(), counts.lives, took.as_secs());
    println!("  at random moments      {}", counts.at_random);
    for (place, times) in &counts.at_places {
        println!("  {:<22} {times}", format!("{place:?}"));
    }
    println!(
        "broker killed and started {} times, {} partitions added",
        counts.restarts, counts.partitions_added
    );
    let records: u64 = workload.kinds.values().sum();
    println!("{records} records: {:?}", workload.kinds);
    println!(
        "{} events accepted once each, {} dead letters, nothing else; {} frames in {} segments, digest {} as by way of a file",
        workload.events.len(),
        workload.refused.len(),
        kept.frames,
        kept.segments,
        kept.digest()
    );
}
