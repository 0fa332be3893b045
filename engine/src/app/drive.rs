//! Reads one source: polls it, decodes its records, hands them to the sequencer and tells the source what is durable.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use tidewatch_ingest::batch::{Batch, Item, RawBatch};
use tidewatch_ingest::checkpoint::Checkpoint;
use tidewatch_ingest::decode::Decoder;
use tidewatch_ingest::source::{Polled, Source, Stopped};
use tidewatch_projections::event::{Event, Micros};

use super::poll_interval::PollInterval;
use super::rejection_rate::RejectionRate;
use super::status::{Condition, SourceStatus};
use super::{EngineError, Shared};
use crate::clock::monotonic;
use crate::control::request::Request;
use crate::meters::{
    Meters, RECORDS, REJECTED, SOURCE_BEHIND, SOURCE_BYTES, SOURCE_LAG, SOURCE_PARTS, SOURCE_SKIPPED,
    SOURCE_TROUBLES, UNREAD_FIELDS,
};
use crate::write::queues::Priority;
use crate::write::sequencer::{BatchReply, Command, Input, OpenSource, Opened, Receipt, ReplyId};

/// How long a source may wait for records before it is asked whether to stop.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// A source is asked how it does at most this often, in microseconds.
const HEALTH_EVERY_US: Micros = 1_000_000;

/// A source and how to read it.
pub struct Reading {
    pub source: Box<dyn Source>,
    /// Makes events of its records.
    pub decoder: Decoder,
    /// Digest of the decoder's mapping, empty for native JSON.
    pub mapping_digest: Box<str>,
    /// Set to stop reading after the batch in hand.
    pub stop: Arc<AtomicBool>,
    /// Stop once everything is read that was there at the start; a part of the source that stops ends it too.
    pub until_caught_up: bool,
}

/// What a source brought.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Ingested {
    /// What became of its records.
    pub receipt: Receipt,
    /// Properties of its events that are kept as they came and not read, duplicates included.
    pub unread_fields: u64,
    /// What stopped parts of it.
    pub stops: Vec<Stopped>,
}

/// One source being read.
struct Drive<'a> {
    shared: &'a Shared,
    priority: Priority,
    until_caught_up: bool,
    to: Sender<(ReplyId, BatchReply)>,
    answers: Receiver<(ReplyId, BatchReply)>,
    /// Batches that are not durable yet, with the progress they make.
    waiting: HashMap<ReplyId, Vec<Checkpoint>>,
    ingested: Ingested,
    rejection_rate: RejectionRate,
    is_paused: bool,
    health_reported_at: Option<Micros>,
}

pub(super) fn drive(
    shared: &Shared,
    reading: Reading,
    request: Option<&Request>,
) -> Result<Ingested, EngineError> {
    let Reading { mut source, decoder, mapping_digest, stop, until_caught_up } = reading;
    let name: Box<str> = source.name().into();
    shared.set_status(&name, |status| *status = SourceStatus::starting(&status.name));
    let streams = source.streams();
    let open = OpenSource { source: name.clone(), mapping_digest, accept_new_mapping: false, streams };
    let opened = shared.open_source(open, request).inspect_err(|error| {
        if let EngineError::Command(_) = error {
            shared.set_status(&name, |status| {
                status.condition = Condition::Stopped;
                status.problem = error.to_string();
            });
        }
    })?;
    let priority = if streams { Priority::Live } else { Priority::Bulk };
    let (to, answers) = channel();
    let drive = Drive {
        shared,
        priority,
        until_caught_up,
        to,
        answers,
        waiting: HashMap::new(),
        ingested: Ingested::default(),
        rejection_rate: RejectionRate::default(),
        is_paused: false,
        health_reported_at: None,
    };
    let result = drive.run(source.as_mut(), &decoder, &opened, &stop);
    shared.set_status(&name, |status| match &result {
        Ok(_) if status.condition == Condition::Running => status.condition = Condition::Ended,
        Ok(_) => status.condition = Condition::Stopped,
        Err(error) => {
            status.condition = Condition::Stopped;
            status.problem = error.to_string();
        }
    });
    result
}

impl Drive<'_> {
    fn run(
        mut self,
        source: &mut dyn Source,
        decoder: &Decoder,
        opened: &Opened,
        stop: &AtomicBool,
    ) -> Result<Ingested, EngineError> {
        if let Err(stopped) = source.resume(&opened.checkpoints) {
            self.note_stop(source.name(), stopped);
            return Ok(self.ingested);
        }
        let symbol = self.shared.names.intern(source.name());
        let source_bytes = self.shared.meters.counter(&SOURCE_BYTES, &[source.name()]);
        let unread_fields = self.shared.meters.counter(&UNREAD_FIELDS, &[source.name()]);
        let mut complete_through: Option<Micros> = None;
        let mut is_ended = false;
        let mut interval = PollInterval::default();
        while !stop.load(Ordering::Relaxed) {
            if self.priority == Priority::Live {
                thread::sleep(interval.wait(monotonic()));
            }
            let mut raw = RawBatch::default();
            let polled = match source.poll(POLL_WAIT, &mut raw) {
                Ok(polled) => polled,
                Err(stopped) if self.ingested.stops.last() == Some(&stopped) => break,
                Err(stopped) => {
                    self.note_stop(source.name(), stopped);
                    Polled::Open
                }
            };
            interval.poll(monotonic(), raw.records.len());
            if !raw.records.is_empty() || !raw.progress.is_empty() {
                source_bytes.increment(raw.payload.len() as u64);
                let batch = decoder.decode(raw);
                unread_fields.increment(decoder.unread_fields() - self.ingested.unread_fields);
                self.ingested.unread_fields = decoder.unread_fields();
                self.hand_over(batch, opened.generation)?;
                let now = self.shared.clock.now();
                self.shared.set_status(source.name(), |status| status.taken_at = Some(now));
            }
            let through = source.complete_through();
            if through > complete_through
                && let Some(at) = through
            {
                complete_through = through;
                self.tell(Input::CompleteThrough { source: symbol, generation: opened.generation, at })?;
                self.shared.set_status(source.name(), |status| status.complete_through = Some(at));
            }
            while let Ok((reply_id, reply)) = self.answers.try_recv() {
                self.take_reply(source, reply_id, reply)?;
            }
            self.report_health(source);
            let is_done = self.until_caught_up && (source.caught_up() || !self.ingested.stops.is_empty());
            is_ended = polled == Polled::Ended;
            if is_ended || is_done || self.is_paused {
                break;
            }
        }
        while !self.waiting.is_empty() {
            // An engine that stops forgets the reply_ids, but this side keeps a sender: look now and then. A reply_id is
            // forgotten just before its answer is sent, so the channel is asked after the reply_ids.
            let is_forgotten = self.is_forgotten();
            match self.answers.recv_timeout(POLL_WAIT) {
                Ok((reply_id, reply)) => self.take_reply(source, reply_id, reply)?,
                Err(_) if is_forgotten => return Err(self.shared.closed()),
                Err(_) => {}
            }
        }
        self.health_reported_at = None;
        self.report_health(source);
        if is_ended && source.streams() {
            // It will bring nothing more, ever. One that only stops being read still holds the clock.
            self.shared.carry_out(Command::RetireSource { source: source.name().into() }, None)?;
        }
        Ok(self.ingested)
    }

    fn report_health(&mut self, source: &dyn Source) {
        let now = self.shared.clock.now();
        if self.health_reported_at.is_some_and(|at| (now - at).abs() < HEALTH_EVERY_US) {
            return;
        }
        self.health_reported_at = Some(now);
        let Some(health) = source.health() else { return };
        let (meters, name) = (&self.shared.meters, source.name());
        for (why, count) in health.skipped {
            meters.counter(&SOURCE_SKIPPED, &[name, why]).absolute(count);
        }
        for (kind, count) in health.errors {
            meters.counter(&SOURCE_TROUBLES, &[name, kind]).absolute(count);
        }
        for (state, count) in health.partitions {
            meters.gauge(&SOURCE_PARTS, &[name, state]).set(count as f64);
        }
        meters.gauge(&SOURCE_LAG, &[name]).set(health.lag_records as f64);
        let behind_us = health.behind_since.map_or(0, |since| (now - since).max(0));
        meters.gauge(&SOURCE_BEHIND, &[name]).set(behind_us as f64 / 1e6);
    }

    fn note_stop(&mut self, name: &str, stopped: Stopped) {
        tracing::error!(%stopped, "a part of a source stopped");
        self.shared.set_status(name, |status| {
            status.condition = Condition::Impaired;
            status.problem = stopped.to_string();
        });
        self.ingested.stops.push(stopped);
    }

    /// Whether nobody will answer what still waits, unless the answer is on its way.
    fn is_forgotten(&self) -> bool {
        let asked = self.shared.waiting();
        !self.waiting.keys().any(|reply_id| asked.batches.contains_key(reply_id))
    }

    fn tell(&self, input: Input) -> Result<(), EngineError> {
        self.shared.inbox.push(self.priority, input, 0).map_err(|_| self.shared.closed())
    }

    fn hand_over(&mut self, batch: Batch, generation: u32) -> Result<(), EngineError> {
        let bytes = batch.payload.len() + batch.items.len() * (size_of::<Item>() + size_of::<Event>());
        let progress = batch.progress.clone();
        let reply_id = self.shared.push_batch(self.priority, bytes, &self.to, (generation, batch))?;
        self.waiting.insert(reply_id, progress);
        Ok(())
    }

    fn take_reply(
        &mut self,
        source: &mut dyn Source,
        reply_id: ReplyId,
        reply: BatchReply,
    ) -> Result<(), EngineError> {
        let progress = self.waiting.remove(&reply_id).unwrap_or_default();
        let receipt = reply?;
        count(&self.shared.meters, source.name(), &receipt);
        self.ingested.receipt += &receipt;
        source.durable(&progress);
        if self.priority == Priority::Live
            && !self.is_paused
            && let Some(stopped) = self.rejection_rate.judge(source.name(), &receipt)
        {
            self.is_paused = true;
            self.note_stop(source.name(), stopped);
        }
        Ok(())
    }
}

/// Counts what became of records of a source.
fn count(meters: &Meters, source: &str, receipt: &Receipt) {
    let rejected = receipt.rejected_count() + receipt.repeated_dead_letters;
    for (outcome, count) in [
        ("accepted", receipt.accepted),
        ("duplicate", receipt.duplicates),
        ("filtered", receipt.filtered),
        ("rejected", rejected),
    ] {
        meters.counter(&RECORDS, &[source, outcome]).increment(count);
    }
    for (reason, count) in &receipt.rejected {
        meters.counter(&REJECTED, &[reason.name()]).increment(*count);
    }
}
