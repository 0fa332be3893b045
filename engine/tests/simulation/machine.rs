//! One life of the process: the engine's own steps between one opening and the crash that ends it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tidewatch_engine::control::entry::Control;
use tidewatch_engine::fold::history::History;
use tidewatch_engine::storage::directory::SHARD;
use tidewatch_engine::storage::disk::Disk;
use tidewatch_engine::storage::identity::Identity;
use tidewatch_engine::storage::log::{Entry, Frame, LogError, LogOptions, Opened};
use tidewatch_engine::write::queues::{Priority, Queues};
use tidewatch_engine::write::recovery::{Recovered, Recovery, RecoveryError};
use tidewatch_engine::write::sequencer::{Answer, Command, Emit, Input, OpenSource, ReplyId, Sequencer};
use tidewatch_engine::write::writer::Writer;
use tidewatch_ingest::batch::RawBatch;
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::kafka::Accept;
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::source::Polled;
use tidewatch_projections::names::Names;

use crate::audit::{Violation, print_of, stream_of, violated};
use crate::broker::Stream;
use crate::draw::Draw;
use crate::folds::{Folds, context};
use crate::source::{FileSource, Survey, TopicSource, Watched, World};

/// Rounds of emits that wait for the writer, as in the engine.
const ROUNDS_MAX: usize = 2;
/// Batches of one source that are not answered yet.
const BATCHES_MAX: usize = 3;

/// What does not change between the lives of a seed.
#[derive(Clone)]
pub struct Setup {
    /// Fold workers.
    pub workers: usize,
    /// Size of a segment in bytes.
    pub segment_bytes: u64,
    /// Zeros ahead, in bytes.
    pub reserve_bytes: u64,
    /// Memory for the table of recent ids, in bytes.
    pub dedup_bytes: u64,
    /// Whether a life is told which streams it will open; else it knows those that an earlier one opened.
    pub is_expecting: bool,
    /// Sources: name, and whether it reads topics.
    pub sources: Vec<(String, bool)>,
}

impl Setup {
    /// Opens the directory of a disk.
    pub fn open(&self, disk: Arc<dyn Disk>, names: &Arc<Names>) -> Result<Recovered, RecoveryError> {
        let log = LogOptions {
            segment_bytes: self.segment_bytes,
            reserve_bytes: self.reserve_bytes,
            ..LogOptions::new(SHARD, 7)
        };
        let recovery = Recovery {
            disk,
            log,
            names: Arc::clone(names),
            identity: Identity::new(&[3; 16], "main"),
            dedup_memory_bytes_max: self.dedup_bytes,
            workers: None,
            progress: &|_, _| {},
        };
        recovery.run()
    }
}

/// All frames of a log.
pub fn frames(history: &History) -> Result<Vec<Frame>, LogError> {
    let mut frames = Vec::new();
    history.frames(|frame| {
        frames.push(frame);
        Ok::<(), LogError>(())
    })?;
    Ok(frames)
}

fn note_live(live: &mut BTreeSet<String>, control: &Control) {
    match control {
        Control::SourceOpened { source, streams: true, .. } => {
            live.insert(source.to_string());
        }
        Control::SourceRetired { source } => {
            live.remove(&**source);
        }
        _ => {}
    }
}

/// An answered batch.
#[derive(Clone)]
pub struct Receipt {
    /// Its records, by place in the ledger.
    pub records: Vec<usize>,
    /// The position that was named.
    pub last_seq: u64,
}

/// What outlives the process because somebody saw it.
#[derive(Default)]
pub struct Witness {
    /// Prints of all entries that were put out, by sequence from 1.
    pub prints: Vec<u64>,
    /// The last sequence that was seen to be durable.
    pub durable_seq: u64,
    /// Answers that were given.
    pub receipts: Vec<Receipt>,
    /// Commands that were answered.
    pub commands: u64,
}

struct Asked {
    reader: Option<usize>,
    records: Vec<usize>,
}

enum State {
    Idle,
    Opening,
    Open { generation: u32, source: Box<dyn Watched> },
}

struct Reader {
    name: String,
    is_streaming: bool,
    state: State,
    decoder: Decoder,
    unanswered: usize,
    complete_through: Option<i64>,
    surveys: Vec<Survey>,
}

/// Why a life ended by itself.
#[derive(Debug)]
pub enum Stop {
    /// The engine reported an error and takes nothing more.
    Failed(String),
    /// An invariant was seen broken.
    Violated(Violation),
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Violated(violation)
    }
}

/// A running process.
pub struct Machine {
    /// The table of names of this life.
    pub names: Arc<Names>,
    /// The sequencer.
    pub sequencer: Sequencer,
    /// The folds.
    pub folds: Folds,
    /// How the log was found.
    pub opened: Opened,
    /// The log up to the end that was found.
    pub history: History,
    writer: Option<Writer>,
    queues: Queues,
    rounds: VecDeque<Vec<Emit>>,
    readers: Vec<Reader>,
    asked: BTreeMap<ReplyId, Asked>,
    reply_ids: ReplyId,
    handed: HashMap<Stream, i64>,
    world: World,
    accepted: Vec<Accept>,
    /// The streams that the clock must wait for, by what the log says.
    live: BTreeSet<String>,
    /// Whether the last write met a full disk.
    pub is_full: bool,
    /// Whether another fold took the place of the served one since this was last looked at.
    pub is_replaced: bool,
}

impl Machine {
    /// The process after its log was read back.
    pub fn new(
        recovered: Recovered,
        setup: &Setup,
        names: Arc<Names>,
        world: World,
        accepted: Vec<Accept>,
    ) -> Result<Self, Stop> {
        let Recovered { sequencer, log, opened, history, fold: _ } = recovered;
        let entries = frames(&history).map_err(|error| Stop::Failed(error.to_string()))?;
        let entries: Vec<_> = entries.into_iter().flat_map(|frame| frame.entries).collect();
        let mut live = BTreeSet::new();
        for (_, entry) in &entries {
            if let Entry::Control(record) = entry {
                let control = Control::of_record(record).map_err(|error| Stop::Failed(error.to_string()))?;
                note_live(&mut live, &control);
            }
        }
        let folds = Folds::of_log(setup.workers, context(&names, sequencer.control_state()), &history);
        let folds = folds.map_err(|error| Stop::Failed(error.to_string()))?;
        let decoder =
            |name: &str| Decoder::new(Arc::clone(&names), "main", name, Limits::default(), Format::Native);
        let readers = setup.sources.iter().map(|(name, is_streaming)| Reader {
            name: name.clone(),
            is_streaming: *is_streaming,
            state: State::Idle,
            decoder: decoder(name),
            unanswered: 0,
            complete_through: None,
            surveys: Vec::new(),
        });
        let mut machine = Self {
            readers: readers.collect(),
            handed: opened.checkpoints.iter().map(stream_of).collect(),
            names,
            sequencer,
            folds,
            opened,
            history,
            writer: Some(Writer::new(log)),
            queues: Queues::default(),
            rounds: VecDeque::new(),
            asked: BTreeMap::new(),
            reply_ids: 0,
            world,
            accepted,
            live,
            is_full: false,
            is_replaced: false,
        };
        for reader in machine.readers.iter().filter(|reader| setup.is_expecting && reader.is_streaming) {
            machine.sequencer.expect_stream(machine.names.intern(&reader.name));
            machine.live.insert(reader.name.clone());
        }
        Ok(machine)
    }

    /// How many sources there are.
    pub fn readers(&self) -> usize {
        self.readers.len()
    }

    fn reply_id(&mut self, asked: Asked) -> ReplyId {
        self.reply_ids += 1;
        self.asked.insert(self.reply_ids, asked);
        self.reply_ids
    }

    /// Queues a command.
    pub fn command(&mut self, command: Command) {
        let reply_id = self.reply_id(Asked { reader: None, records: Vec::new() });
        self.queues.push(Priority::Command, Input::Command { reply_id, command, request: None }, 0);
    }

    /// Lets a source do one thing: open, or bring a batch. Says whether it moved on.
    pub fn read(&mut self, index: usize, draw: &mut Draw) -> bool {
        let reader = &mut self.readers[index];
        let streams = reader.is_streaming;
        match &mut reader.state {
            State::Opening => return false,
            State::Idle => {
                reader.state = State::Opening;
                let source: Box<str> = reader.name.as_str().into();
                let reply_id = self.reply_id(Asked { reader: Some(index), records: Vec::new() });
                let open =
                    OpenSource { source, mapping_digest: "".into(), accept_new_mapping: false, streams };
                self.queues.push(Priority::Command, Input::OpenSource { reply_id, open, request: None }, 0);
                return false;
            }
            State::Open { .. } if reader.unanswered >= BATCHES_MAX => return false,
            State::Open { .. } => {}
        }
        let State::Open { generation, source } = &mut reader.state else { return false };
        let generation = *generation;
        let mut raw = RawBatch::default();
        let polled =
            source.poll(Duration::ZERO, &mut raw).expect("simulated sources stop partitions, not themselves");
        let records = source.records().to_vec();
        reader.surveys.extend(source.surveys());
        let through = source.complete_through();
        let questions = source.questions();
        let bytes = raw.payload.len();
        let is_something = !raw.records.is_empty() || !raw.progress.is_empty();
        let is_moving = !raw.progress.is_empty();
        let priority = if reader.is_streaming { Priority::Live } else { Priority::Bulk };
        let batch = is_something.then(|| reader.decoder.decode(raw));
        let told = through.filter(|_| through > reader.complete_through);
        reader.complete_through = reader.complete_through.max(through);
        if polled == Polled::Ended && reader.unanswered == 0 {
            reader.state = State::Idle;
        }
        if let Some(batch) = batch {
            self.readers[index].unanswered += 1;
            let reply_id = self.reply_id(Asked { reader: Some(index), records });
            self.queues.push(priority, Input::Batch { reply_id, generation, batch }, bytes);
        }
        if let Some(at) = told {
            let source = self.names.intern(&self.readers[index].name);
            self.queues.push(priority, Input::CompleteThrough { source, generation, at }, 0);
        }
        if !questions.is_empty() && draw.often(150) {
            self.answer(index, questions);
        }
        is_moving
    }

    /// The operator answers what stopped a source, and opens it again.
    fn answer(&mut self, index: usize, questions: Vec<Accept>) {
        if self.readers[index].unanswered == 0 {
            for question in questions {
                if !self.accepted.contains(&question) {
                    self.accepted.push(question);
                }
            }
            self.readers[index].state = State::Idle;
        }
    }

    /// What operators have answered so far.
    pub fn accepted(&self) -> &[Accept] {
        &self.accepted
    }

    /// The sequencer takes the next input, unless the writer is too far behind.
    pub fn sequence(&mut self, witness: &mut Witness) -> Result<bool, Stop> {
        if self.rounds.len() >= ROUNDS_MAX {
            return Ok(false);
        }
        let Some((_, input)) = self.queues.take() else { return Ok(false) };
        let progress = match &input {
            Input::Batch { generation, batch, .. }
                if *generation == self.sequencer.control_state().generation(batch.source) =>
            {
                batch.progress.iter().map(stream_of).collect()
            }
            _ => Vec::new(),
        };
        for (stream, next) in progress {
            // A reader that was opened again before the last one's batches were in reads them once more: what was handed
            // over stays so.
            let handed = self.handed.entry(stream).or_default();
            *handed = next.max(*handed);
        }
        if let Input::Command { command: Command::ResetSource { source, .. }, .. } = &input {
            // What it had handed over is to come again, and proves nothing until then.
            self.handed.retain(|stream, _| stream.source() != &**source);
        }
        self.step(input, witness)?;
        Ok(true)
    }

    /// The writer is idle: what there is goes into a frame.
    pub fn writer_free(&mut self, witness: &mut Witness) -> Result<(), Stop> {
        if self.rounds.is_empty() && !self.sequencer.is_empty() {
            self.step(Input::WriterFree, witness)?;
        }
        Ok(())
    }

    /// Time is looked at.
    pub fn tick(&mut self, witness: &mut Witness) -> Result<(), Stop> {
        if self.rounds.len() < ROUNDS_MAX {
            self.step(Input::Tick, witness)?;
        }
        Ok(())
    }

    fn now(&self) -> i64 {
        self.world.lock().expect("one thread alone holds it").now
    }

    fn step(&mut self, input: Input, witness: &mut Witness) -> Result<(), Stop> {
        let now = self.now();
        let mut emits = Vec::new();
        self.sequencer.step(input, now, &mut emits).map_err(|error| Stop::Failed(error.to_string()))?;
        for emit in &emits {
            let Emit::Frame(filled) = emit else { continue };
            for (seq, entry) in &filled.entries {
                if *seq != witness.prints.len() as u64 + 1 {
                    violated(
                        "sequences have no gaps",
                        format!("{seq} put out after {}", witness.prints.len()),
                    )?;
                }
                witness.prints.push(print_of(&self.names, entry));
            }
            match &filled.control {
                Some(Control::ClockAdvanced { at }) => self.check_clock(*at)?,
                Some(control) => note_live(&mut self.live, control),
                None => {}
            }
        }
        if !emits.is_empty() {
            self.rounds.push_back(emits);
        }
        Ok(())
    }

    /// For every live stream the clock must stand at or before the newest reading of watermarks that every partition has passed.
    fn check_clock(&self, at: i64) -> Result<(), Violation> {
        for reader in self.readers.iter().filter(|reader| self.live.contains(&reader.name)) {
            let is_passed =
                |(stream, high): &(Stream, i64)| self.handed.get(stream).copied().unwrap_or(0) >= *high;
            let passed = reader.surveys.iter().filter(|(_, highs)| highs.iter().all(is_passed));
            let bound = passed.map(|(read_at, _)| *read_at).max();
            if bound.is_none_or(|bound| at > bound) {
                return violated(
                    "the clock never passes a live source's complete-through time",
                    format!("clock {at}, {} is complete through {bound:?}", reader.name),
                );
            }
        }
        Ok(())
    }

    /// The table of ids is tended.
    pub fn tend(&mut self) -> Result<(), Stop> {
        let durable = self.writer.as_ref().map_or(0, |writer| writer.durable().seq);
        self.sequencer.tend(durable).map(|_| ()).map_err(|error| Stop::Failed(error.to_string()))
    }

    /// The writer writes and syncs all there is, and everything that holds then goes on.
    pub fn write(&mut self, witness: &mut Witness) -> Result<bool, Stop> {
        if self.rounds.is_empty() && !self.is_full {
            return Ok(false);
        }
        let writer = self.writer.as_mut().expect("the writer runs until it is closed");
        for round in self.rounds.drain(..) {
            writer.push(round);
        }
        self.is_full = false;
        let holding = match writer.write() {
            Ok(holding) => holding,
            Err(LogError::DiskFull { .. }) => {
                self.is_full = true;
                return Ok(false);
            }
            Err(error) => return Err(Stop::Failed(error.to_string())),
        };
        let durable = writer.durable().seq;
        witness.durable_seq = witness.durable_seq.max(durable);
        for emit in holding {
            match emit {
                Emit::Answer(answer) => self.take_answer(answer, durable, witness)?,
                Emit::Frame(filled) => {
                    let last_seq = filled.frame.next_seq() - 1;
                    if last_seq > durable {
                        violated("nothing is folded above durable", format!("{last_seq} above {durable}"))?;
                    }
                    let folded = self.folds.take(last_seq, filled.entries, &self.history);
                    self.is_replaced |= folded.map_err(|error| Stop::Failed(error.to_string()))?;
                }
            }
        }
        Ok(true)
    }

    /// The fold beside the served one reads on; says where it came to. With `is_close` it takes the place of the served one at the
    /// next frame, and asks for one as the engine does.
    pub fn refold(&mut self, entries_max: u64, is_close: bool) -> Result<Option<u64>, Stop> {
        let came_to = self.folds.read_on(entries_max).map_err(|error| Stop::Failed(error.to_string()))?;
        if is_close && self.folds.replace() {
            self.queues.push(Priority::Command, Input::AdvanceWall, 0);
        }
        Ok(came_to)
    }

    fn asked(&mut self, reply_id: ReplyId) -> Result<Asked, Violation> {
        match self.asked.remove(&reply_id) {
            Some(asked) => Ok(asked),
            None => violated("an input is answered once", format!("reply {reply_id}")),
        }
    }

    fn take_answer(&mut self, answer: Answer, durable: u64, witness: &mut Witness) -> Result<(), Stop> {
        let refers_to = |last_seq: u64| match last_seq > durable {
            true => violated(
                "no receipt refers to a sequence above durable",
                format!("{last_seq} above {durable}"),
            ),
            false => Ok(()),
        };
        match answer {
            Answer::Command(id, reply) => {
                self.asked(id)?;
                refers_to(reply.unwrap_or(0))?;
                witness.commands += 1;
            }
            Answer::OpenSource(id, reply) => {
                let index = self.asked(id)?.reader.expect("readers open sources");
                self.readers[index].state = match reply {
                    Ok(opened) => {
                        let source = self.source(index, &opened.checkpoints);
                        State::Open { generation: opened.generation, source }
                    }
                    Err(_) => State::Idle,
                };
            }
            Answer::Batch(id, reply) => {
                let asked = self.asked(id)?;
                let reader = &mut self.readers[asked.reader.expect("readers bring batches")];
                reader.unanswered = reader.unanswered.saturating_sub(1);
                match reply {
                    Ok(receipt) => {
                        refers_to(receipt.last_seq)?;
                        witness.receipts.push(Receipt { records: asked.records, last_seq: receipt.last_seq });
                    }
                    // The source was reset while it was read: it is opened anew.
                    Err(_) => reader.state = State::Idle,
                }
            }
        }
        Ok(())
    }

    fn source(
        &mut self,
        index: usize,
        checkpoints: &[tidewatch_ingest::checkpoint::Checkpoint],
    ) -> Box<dyn Watched> {
        let (world, names) = (Arc::clone(&self.world), Arc::clone(&self.names));
        self.reply_ids += 1;
        let draw = Draw::new(self.reply_ids ^ (index as u64) << 32 ^ self.opened.last_seq << 40);
        let name = self.readers[index].name.clone();
        let mut source: Box<dyn Watched> = match self.readers[index].is_streaming {
            true => Box::new(TopicSource::new(&name, world, names, draw, self.accepted.clone())),
            false => Box::new(FileSource::new(&name, world, names, draw)),
        };
        source.resume(checkpoints).expect("simulated sources stop partitions, not themselves");
        source
    }

    /// The log as far as it is durable.
    pub fn durable_history(&self) -> History {
        self.history.until(self.durable_seq())
    }

    /// The last durable sequence.
    pub fn durable_seq(&self) -> u64 {
        self.writer.as_ref().map_or(self.opened.last_seq, |writer| writer.durable().seq)
    }

    /// Whether nothing waits anywhere.
    pub fn is_quiet(&self) -> bool {
        let is_written =
            self.rounds.is_empty() && self.asked.is_empty() && self.sequencer.is_empty() && !self.is_full;
        is_written && self.folds.shows_all()
    }

    /// Ends the log in order.
    pub fn close(&mut self) -> Result<u64, Stop> {
        let writer = self.writer.take().expect("it is closed once");
        writer.close().map(|durable| durable.seq).map_err(|error| Stop::Failed(error.to_string()))
    }
}
