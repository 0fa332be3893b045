//! One seed: a workload, faults, the lives of the process in between, and what must hold whenever one of them ends.

mod check;
mod past;

use std::sync::{Arc, Mutex, MutexGuard};

use tidewatch_engine::control::adoption::Adoption;
use tidewatch_engine::storage::disk::Disk;
use tidewatch_engine::storage::disk::simulated::{ALWAYS, Faults, SimulatedDisk};
use tidewatch_engine::write::sequencer::Command;
use tidewatch_ingest::kafka::Accept;
use tidewatch_projections::calendar::{Calendar, Day};
use tidewatch_projections::model;
use tidewatch_projections::names::Names;
use tidewatch_projections::settings::{ClosedDays, Scope, Settings};

use crate::audit::{Violation, violated};
use crate::broker::Broker;
use crate::draw::Draw;
use crate::fleet::Fleet;
use crate::folds::MODEL;
use crate::machine::{Machine, Setup, Stop, Witness};
use crate::power::{Plug, Plugged};
use crate::source::World;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;
/// Days before the clocks change in Europe, and one in the middle of summer.
const STARTS: [i64; 4] = [1_743_100_000, 1_741_400_000, 1_761_200_000, 1_750_000_000];
/// Rounds in which everything must be caught up once the faults are off.
const CATCH_UP_ROUNDS: usize = 600;
const ZONES: [&str; 5] = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"];

/// The calendars of all zones that are adopted.
pub fn calendars() -> Vec<Calendar> {
    ZONES.iter().map(|zone| Calendar::new(zone).expect("these zones exist")).collect()
}

/// What happened in a seed.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counts {
    /// Lives of the process.
    pub lives: u64,
    /// Steps.
    pub steps: u64,
    /// Records told.
    pub records: u64,
    /// Events that counted at the end.
    pub events: u64,
    /// Figures held against the oracle.
    pub figures: u64,
    /// Of those, figures that memory answered.
    pub hot: u64,
    /// How often another fold took the place of the served one while things went on.
    pub replaced: u64,
    /// Copies of the disk with a flipped bit that were opened.
    pub rotten: u64,
    /// Of those, how many were named.
    pub named: u64,
}

impl Counts {
    /// Adds those of another seed.
    pub fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        self.steps += other.steps;
        self.records += other.records;
        self.events += other.events;
        self.figures += other.figures;
        self.hot += other.hot;
        self.replaced += other.replaced;
        self.rotten += other.rotten;
        self.named += other.named;
    }
}

/// A copy of the log, as a backup keeps it.
struct Backup {
    files: Vec<(String, Vec<u8>)>,
    last_seq: u64,
}

/// Everything of a seed.
pub struct Simulation {
    draw: Draw,
    fleet: Fleet,
    world: World,
    disk: SimulatedDisk,
    plug: Plug,
    setup: Setup,
    faults: Faults,
    witness: Witness,
    accepted: Vec<Accept>,
    backup: Option<Backup>,
    /// The files of the index of accounts, as the last life left them.
    account_index: Vec<(String, Vec<u8>)>,
    true_now: i64,
    wall_ahead: i64,
    weights: Vec<u32>,
    counts: Counts,
    is_traced: bool,
}

enum End {
    /// The machine lost its power.
    Crash,
    /// The process died.
    Kill,
    /// It ended in order.
    Close,
}

impl Simulation {
    /// Prepares a seed.
    pub fn new(seed: u64, is_traced: bool) -> Self {
        let mut draw = Draw::new(seed);
        let fleet = Fleet::new(draw.fork());
        let mut some = |chance: u64, most: u32| if draw.often(chance) { most } else { 0 };
        let faults = Faults {
            sync_failed: some(250, ALWAYS / 40),
            short_write: some(300, ALWAYS / 8),
            slow_sync: some(200, ALWAYS / 10),
            ..Faults::default()
        };
        let faults = Faults {
            sector_lost: *draw.pick(&[ALWAYS / 2, ALWAYS / 2, ALWAYS, ALWAYS / 8, 0]),
            sector_torn: *draw.pick(&[ALWAYS / 8, ALWAYS / 2, 0]),
            names_lost: *draw.pick(&[ALWAYS / 2, ALWAYS, 0]),
            ..faults
        };
        let disk = SimulatedDisk::new(draw.any(), faults);
        let mut broker = Broker::default();
        let mut sources = Vec::new();
        if draw.often(900) {
            sources.push(("app".to_owned(), true));
            broker.add_topic("events", "app", 1 + draw.below(3));
            if draw.often(250) {
                broker.add_topic("more-events", "app", 1);
            }
        }
        if draw.often(400) {
            sources.push(("billing".to_owned(), true));
            broker.add_topic("invoices", "billing", 1 + draw.below(2));
        }
        if sources.is_empty() || draw.often(700) {
            sources.push(("crm".to_owned(), false));
        }
        let setup = Setup {
            workers: *draw.pick(&[1, 2, 3, 7]),
            segment_bytes: draw.range(3, 40) as u64 * 1024,
            reserve_bytes: draw.range(1, 12) as u64 * 512,
            dedup_bytes: if draw.often(800) { 1 } else { 1 << 20 },
            is_expecting: draw.often(500),
            sources,
        };
        // Which steps are likely is drawn as well: what never happens in one seed happens all the time in another.
        let weights = [60, 110, 120, 60, 80, 60, 40, 30, 25, 8, 5, 10, 8, 6, 30, 4]
            .iter()
            .map(|weight| (*weight * draw.range(20, 200) / 100).max(1) as u32)
            .collect();
        let true_now = draw.pick(&STARTS) * SECOND + draw.range(0, 3 * DAY);
        let mut simulation = Self {
            fleet,
            world: Arc::new(Mutex::new(broker)),
            disk,
            plug: Plug::new(),
            setup,
            faults,
            witness: Witness::default(),
            accepted: Vec::new(),
            backup: None,
            account_index: Vec::new(),
            true_now,
            wall_ahead: 0,
            weights,
            counts: Counts::default(),
            is_traced,
            draw,
        };
        simulation.pass(0);
        simulation
    }

    fn broker(&self) -> MutexGuard<'_, Broker> {
        self.world.lock().expect("one thread alone holds it")
    }

    fn trace(&self, what: impl FnOnce() -> String) {
        if self.is_traced {
            eprintln!("{:>6} {}", self.counts.steps, what());
        }
    }

    fn pass(&mut self, us: i64) {
        self.true_now += us;
        let now = self.true_now + self.wall_ahead;
        self.broker().now = now;
    }

    /// Runs the seed.
    pub fn run(mut self) -> Result<Counts, Violation> {
        self.history_of_the_fleet();
        let mut budget = self.draw.range(60, 420);
        while budget > 0 {
            let Some(mut machine) = self.open(true)? else { continue };
            let end = self.live(&mut machine, &mut budget)?;
            self.accepted = machine.accepted().to_vec();
            self.end(machine, end)?;
        }
        self.trace(|| "faults are off".into());
        self.disk.set_faults(Faults {
            capacity_bytes: None,
            sync_failed: 0,
            short_write: 0,
            slow_sync: 0,
            ..self.faults
        });
        self.plug.put_back();
        let mut machine = loop {
            if let Some(machine) = self.open(false)? {
                break machine;
            }
        };
        self.catch_up(&mut machine)?;
        self.finish(machine)?;
        let records = self.broker().records.len();
        self.counts.records = records as u64;
        Ok(self.counts)
    }

    /// Weeks of the past, so that windows and comparisons have something to look at.
    fn history_of_the_fleet(&mut self) {
        let count = self.draw.range(20, 160) as usize;
        let is_file = self.setup.sources.iter().any(|(name, _)| name == "crm");
        let now = self.true_now;
        if is_file {
            let lines = (0..count).map(|_| self.fleet.line("crm", now, 50 * DAY)).collect();
            self.broker().add_file("crm", lines);
        } else {
            for _ in 0..count {
                self.produce_one(50 * DAY);
            }
        }
    }

    fn produce_one(&mut self, span_us: i64) {
        let topics = self.broker().topics.len();
        if topics == 0 {
            return;
        }
        let topic = self.draw.below(topics);
        let (source, partitions) = {
            let broker = self.broker();
            (broker.topics[topic].source.clone(), broker.topics[topic].partitions.len())
        };
        // One of the partitions is idle more often than not.
        let partition = self.draw.below(partitions).min(self.draw.below(partitions));
        let mut draw = self.draw.fork();
        let lines = self.broker().lines.len();
        if lines > 0 && self.draw.often(30) {
            // A line of any source may be sent again, byte by byte.
            let again = self.draw.below(lines);
            if self.line_belongs(again, &source) {
                self.broker().produce_again(topic, partition, again, &mut draw);
                return;
            }
        }
        let now = self.true_now;
        let line = self.fleet.line(&source, now, span_us);
        self.broker().produce(topic, partition, line, &mut draw);
    }

    fn line_belongs(&self, line: usize, source: &str) -> bool {
        self.broker().records.iter().any(|record| record.line == line && record.source == source)
    }

    /// One life, until something ends it.
    fn live(&mut self, machine: &mut Machine, budget: &mut i64) -> Result<End, Violation> {
        loop {
            *budget -= 1;
            self.counts.steps += 1;
            if *budget <= 0 {
                return Ok(if self.draw.often(500) { End::Crash } else { End::Kill });
            }
            match self.step(machine) {
                Ok(None) => {}
                Ok(Some(end)) => return Ok(end),
                Err(Stop::Violated(violation)) => return Err(violation),
                Err(Stop::Failed(cause)) => {
                    self.trace(|| format!("the engine stopped: {cause}"));
                    if self.plug.is_out() {
                        return Ok(End::Crash);
                    }
                    if self.disk.counts().syncs_failed == 0 {
                        return violated("the engine stops for a reason only", cause);
                    }
                    // The disk failed and looks clean again: whoever trusts it now loses what was acknowledged next.
                    return Ok(if self.draw.often(700) { End::Kill } else { End::Crash });
                }
            }
        }
    }

    fn step(&mut self, machine: &mut Machine) -> Result<Option<End>, Stop> {
        let weights = self.weights.clone();
        match self.draw.weighted(&weights) {
            0 => {
                let count = self.draw.range(1, 8);
                for _ in 0..count {
                    self.produce_one(2 * HOUR);
                }
            }
            1 => {
                let reader = self.draw.below(machine.readers());
                machine.read(reader, &mut self.draw);
            }
            2 => {
                machine.sequence(&mut self.witness)?;
                machine.tend()?;
            }
            3 => machine.writer_free(&mut self.witness)?,
            4 => {
                machine.write(&mut self.witness)?;
                if std::mem::take(&mut machine.is_replaced) && !self.plug.is_out() {
                    self.trace(|| "another fold took the place of the served one".into());
                    self.counts.replaced += 1;
                    self.check_live(machine).map_err(Stop::Violated)?;
                }
            }
            5 => machine.folds.work(&mut self.draw),
            6 => self.time_passes(),
            7 => machine.tick(&mut self.witness)?,
            8 => machine.tend()?,
            9 => self.command(machine),
            10 if self.plug.is_out() => {}
            10 => self.check_live(machine).map_err(Stop::Violated)?,
            11 => self.outside(),
            12 => {
                let end = match self.draw.below(10) {
                    0..5 => End::Crash,
                    5..8 => End::Kill,
                    _ => End::Close,
                };
                return Ok(Some(end));
            }
            13 => {
                let calls = self.draw.range(1, 12);
                self.trace(|| format!("the power goes after {calls} calls"));
                self.plug.pull_after(calls);
            }
            14 => {
                let entries_max = self.draw.range(1, 120) as u64;
                let is_close = self.draw.often(250);
                if let Some(seq) = machine.refold(entries_max, is_close)? {
                    self.trace(|| format!("the fold beside came to {seq}, is close: {is_close}"));
                }
            }
            _ => self.space(),
        }
        Ok(None)
    }

    fn space(&mut self) {
        let capacity = match self.faults.capacity_bytes {
            Some(_) => None,
            None if self.draw.often(400) => Some(self.disk.used_bytes() + self.draw.range(0, 6000) as u64),
            None => None,
        };
        self.trace(|| format!("space on disk: {capacity:?}"));
        self.faults.capacity_bytes = capacity;
        self.disk.set_faults(self.faults);
    }

    fn time_passes(&mut self) {
        let us = match self.draw.below(40) {
            0..16 => self.draw.range(1, 2000),
            16..28 => self.draw.range(1, 90) * SECOND,
            28..37 => self.draw.range(1, 20) * HOUR / 2,
            37 => self.draw.range(1, 3) * DAY,
            38 => 9 * DAY,
            _ => {
                // Somebody set the clock of the machine.
                self.wall_ahead = self.draw.range(-2 * DAY, 2 * DAY) / 8;
                0
            }
        };
        self.pass(us);
        self.trace(|| format!("{us} µs pass, the wall clock is {} µs ahead", self.wall_ahead));
    }

    fn command(&mut self, machine: &mut Machine) {
        let command = match self.draw.below(10) {
            0..5 => {
                let day = (self.true_now / DAY) as i32;
                let closed = |draw: &mut Draw, account: &str| {
                    let from = day - draw.range(0, 50) as i32;
                    let scope = match draw.below(4) {
                        0 => Scope::All,
                        1 => Scope::Segment("smb".into()),
                        2 => Scope::Country("NZ".into()),
                        _ => Scope::Account(account.into()),
                    };
                    ClosedDays { scope, from: Day(from), to: Day(from + draw.range(0, 12) as i32) }
                };
                let accounts = self.fleet.accounts();
                let count = self.draw.below(3);
                let closed_days = (0..count)
                    .map(|_| {
                        let account = self.draw.pick(&accounts).clone();
                        closed(&mut self.draw, &account)
                    })
                    .collect();
                let zone = self.draw.pick(&ZONES);
                let settings = Settings { zone: (*zone).into(), closed_days, ..Settings::default() };
                Command::Adopt(Box::new(settings.into()))
            }
            5..7 => {
                let text = match self.draw.below(10) {
                    0..6 => MODEL.to_owned(),
                    // Another text that needs no other series.
                    6 => format!("{MODEL}\n# {}\n", self.true_now),
                    _ => model::DEFAULT.to_owned(),
                };
                Command::Adopt(Box::new(Adoption::of_model(text)))
            }
            7..9 => {
                let (name, _) = self.draw.pick(&self.setup.sources);
                Command::ResetSource { source: name.as_str().into(), mapping_digest: "".into() }
            }
            _ if self.draw.often(300) => {
                let (name, _) = self.draw.pick(&self.setup.sources);
                Command::RetireSource { source: name.as_str().into() }
            }
            _ => Command::ResolveDeadLetters { seqs: vec![self.draw.range(1, 100) as u64] },
        };
        self.trace(|| format!("command {command:?}").chars().take(200).collect());
        machine.command(command);
    }

    /// What happens outside: records expire, topics come and go, files arrive.
    fn outside(&mut self) {
        let topics = self.broker().topics.len();
        if topics > 0 && self.draw.often(500) {
            let topic = self.draw.below(topics);
            let partitions = self.broker().topics[topic].partitions.len();
            match self.draw.below(4) {
                0 | 1 => {
                    let partition = self.draw.below(partitions);
                    let mut draw = self.draw.fork();
                    self.broker().expire(topic, partition, &mut draw);
                    self.trace(|| format!("records of topic {topic}, partition {partition} expire"));
                }
                2 => {
                    let mut broker = self.broker();
                    broker.topics[topic].partitions.push(Default::default());
                    drop(broker);
                    self.trace(|| format!("topic {topic} gets a partition"));
                }
                _ => {
                    let count = 1 + self.draw.below(3);
                    self.broker().recreate(topic, count);
                    self.trace(|| format!("topic {topic} is made again"));
                }
            }
        } else if self.setup.sources.iter().any(|(name, _)| name == "crm") {
            let now = self.true_now;
            let count = self.draw.range(1, 30);
            let lines = (0..count).map(|_| self.fleet.line("crm", now, 20 * DAY)).collect();
            self.broker().add_file("crm", lines);
            self.trace(|| format!("a file of {count} lines"));
        }
    }

    /// Opens the log; `None` when that failed for a reason that the simulation gave.
    fn open(&mut self, has_faults: bool) -> Result<Option<Machine>, Violation> {
        self.counts.lives += 1;
        if has_faults && self.draw.often(120) {
            let calls = self.draw.range(1, 14);
            self.plug.pull_after(calls);
        }
        let failed_before = self.disk.counts().syncs_failed;
        let disk: Arc<dyn Disk> =
            Arc::new(Plugged { disk: Arc::new(self.disk.clone()), plug: self.plug.clone() });
        let names = self.shuffled_names();
        let opened = self.setup.open(disk, &names).map_err(|error| error.to_string()).and_then(|recovered| {
            Machine::new(
                recovered,
                &self.setup,
                Arc::clone(&names),
                Arc::clone(&self.world),
                self.accepted.clone(),
            )
            .map_err(|stop| format!("{stop:?}"))
        });
        let machine = match opened {
            Ok(machine) => machine,
            Err(cause) => {
                self.trace(|| format!("not opened: {cause}"));
                let is_unplugged = self.plug.is_out();
                self.plug.put_back();
                if is_unplugged {
                    self.disk.crash();
                } else if self.disk.counts().syncs_failed > failed_before {
                    self.disk.kill();
                } else if self.faults.capacity_bytes.take().is_some() {
                    self.disk.set_faults(self.faults);
                    self.disk.kill();
                } else {
                    return violated("a log opens after every crash", cause);
                }
                return Ok(None);
            }
        };
        self.plug.put_back();
        self.trace(|| format!("opened: {:?}", machine.opened));
        self.check_opened(&machine)?;
        Ok(Some(machine))
    }

    /// A table of names in which symbols have another order in every life.
    fn shuffled_names(&mut self) -> Arc<Names> {
        let names = Arc::new(Names::new());
        let mut first = self.fleet.accounts();
        first.extend(["u0", "u1", "f0", "f1", "f2", "crm", "app", "billing"].map(str::to_owned));
        self.draw.shuffle(&mut first);
        let count = self.draw.below(first.len());
        first[..count].iter().for_each(|name| {
            names.intern(name);
        });
        names
    }

    /// The end of a life.
    fn end(&mut self, mut machine: Machine, end: End) -> Result<(), Violation> {
        match end {
            End::Crash => {
                self.trace(|| "crash".into());
                self.disk.crash();
            }
            End::Kill => {
                self.trace(|| "kill".into());
                self.disk.kill();
            }
            End::Close => {
                let closed = machine.close();
                self.trace(|| format!("closed: {closed:?}"));
                if let Ok(seq) = closed {
                    self.witness.durable_seq = self.witness.durable_seq.max(seq);
                }
                if self.draw.often(500) || self.plug.is_out() { self.disk.crash() } else { self.disk.kill() }
            }
        }
        drop(machine);
        self.plug.put_back();
        if self.draw.often(100) {
            self.restore();
        }
        if self.draw.often(60) {
            self.discard_derived();
        }
        Ok(())
    }

    /// The log is put back to a backup; what was derived from the newer one stays.
    fn restore(&mut self) {
        let Some(backup) = self.backup.take() else { return };
        self.trace(|| format!("the log is restored to {}", backup.last_seq));
        for name in self.disk.list("log").unwrap_or_default() {
            self.disk.remove(&format!("log/{name}")).expect("it was just listed");
        }
        self.disk.sync_dir("log").expect("directory syncs do not fail");
        for (path, content) in &backup.files {
            self.disk.put(path, content);
        }
        self.witness.prints.truncate(backup.last_seq as usize);
        self.witness.durable_seq = backup.last_seq;
        self.witness.receipts.retain(|receipt| receipt.last_seq <= backup.last_seq);
    }

    /// Everything that is derived is deleted.
    fn discard_derived(&mut self) {
        self.trace(|| "everything derived is deleted".into());
        for name in self.disk.list("dedup").unwrap_or_default() {
            self.disk.remove(&format!("dedup/{name}")).expect("it was just listed");
        }
        self.disk.sync_dir("dedup").expect("directory syncs do not fail");
    }

    /// Without faults everything is read, durable, folded and proven by the clock soon.
    fn catch_up(&mut self, machine: &mut Machine) -> Result<(), Violation> {
        // The wall clock shows the right time again, and later than it ever did.
        self.wall_ahead = 0;
        self.pass(3 * DAY);
        let mut quiet = 0;
        for _ in 0..CATCH_UP_ROUNDS {
            self.pass(SECOND);
            let mut is_moving = false;
            let caught = (|| {
                for reader in 0..machine.readers() {
                    is_moving |= machine.read(reader, &mut self.draw);
                }
                while machine.sequence(&mut self.witness)? {
                    machine.writer_free(&mut self.witness)?;
                    machine.write(&mut self.witness)?;
                }
                machine.tick(&mut self.witness)?;
                machine.writer_free(&mut self.witness)?;
                machine.write(&mut self.witness)?;
                machine.refold(u64::MAX / 2, true)?;
                machine.tend()
            })();
            match caught {
                Ok(()) => {}
                Err(Stop::Violated(violation)) => return Err(violation),
                Err(Stop::Failed(cause)) => return violated("the engine stops for a reason only", cause),
            }
            quiet = if is_moving { 0 } else { quiet + 1 };
            let now = self.broker().now;
            let clock = machine.sequencer.control_state().clock_at;
            if quiet > 30 && machine.is_quiet() && clock.is_some_and(|clock| clock >= now - 3 * 60 * SECOND) {
                return Ok(());
            }
        }
        let clock = machine.sequencer.control_state().clock_at;
        violated(
            "without faults everything is caught up with",
            format!(
                "{CATCH_UP_ROUNDS} s later the clock is {clock:?}, now {}; quiet: {}",
                self.broker().now,
                machine.is_quiet()
            ),
        )
    }

    /// What must hold at the end.
    fn finish(&mut self, mut machine: Machine) -> Result<(), Violation> {
        let audit = self.audit(&machine)?;
        audit.check_complete(&machine.names, &self.broker())?;
        self.check_live(&mut machine)?;
        self.counts.events = audit.counting_ids(&machine.names) as u64;
        let instants = self.some_instants(&audit, &machine);
        self.check_figures(&machine, &audit, &instants)?;
        self.check_hot(&mut machine, &audit, &instants)?;
        if self.draw.often(50) {
            self.check_digest(machine.durable_seq())?;
        }
        Ok(())
    }
}
