//! Assigns sequences: takes decoded batches and commands, puts out filled frames and answers.
//!
//! Sans-IO: [`Sequencer::step`] takes an input and the time and never waits. What it puts out is in the order in which
//! it must be made durable; an answer stands behind the frames it depends on, so that it can be given when everything
//! before it is synced. That is also why a duplicate of an event that is not durable yet is answered no sooner than the
//! event itself.

mod input;
mod receipt;
#[cfg(test)]
mod tests;
mod time;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use tidewatch_ingest::batch::{Batch, Item, Origin, Outcome};
use tidewatch_ingest::checkpoint::{Checkpoint, Stream};
use tidewatch_ingest::content;
use tidewatch_ingest::reject::{Reason, Rejection};
use tidewatch_projections::alert::case::CaseState;
use tidewatch_projections::alert::fleet::FleetFactors;
use tidewatch_projections::calendar::{Calendar, Day};
use tidewatch_projections::event::{Event, Micros};
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::tenant::{Fed, Feed, Tenant, merge_of};
use tidewatch_projections::vocabulary::EventType;

pub use input::{Command, CommandError, Input, OpenSource, ReplyId};
pub use receipt::{Answer, BatchReply, CommandReply, OpenReply, Opened, Receipt};

use crate::control::adoption::{Adoption, etag};
use crate::control::entry::{Control, ControlError, DayDecided};
use crate::control::request::{CarriedOut, Request};
use crate::control::state::{ControlState, SourceState};
use crate::planted::{self, Bug};
use crate::storage::dedup::{Dedup, DedupError, Tended, Verdict};
use crate::storage::identity::Identity;
use crate::storage::log::{ControlRecord, DeadLetter, Entry, FrameBuilder, SealedFrame, Unwritable};

/// A frame is closed when it holds this many bytes before compression, even while the writer is busy.
pub const FRAME_BYTES: usize = 1 << 20;

/// Longest original that a dead letter keeps, in bytes. The ends of longer records are cut; the detail says so, and such a
/// letter cannot be replayed.
pub const ORIGINAL_BYTES_MAX: usize = 8 << 20;

/// A closed frame on its way to the log, and what is in it.
#[derive(Debug)]
pub struct Filled {
    pub frame: SealedFrame,
    /// Its entries with their sequences, for the folds.
    pub entries: Vec<(u64, Entry)>,
    /// The control entry it ends with.
    pub control: Option<Control>,
}

/// What a step puts out, in the order in which it takes effect.
#[derive(Debug)]
pub enum Emit {
    /// To be written and synced.
    Frame(Box<Filled>),
    /// To be told once every frame before it is durable.
    Answer(Answer),
}

pub struct Sequencer {
    names: Arc<Names>,
    identity: Identity,
    dedup: Dedup,
    builder: FrameBuilder,
    entries: Vec<(u64, Entry)>,
    /// Answers that wait for the frame being filled.
    answers: Vec<Answer>,
    control_state: ControlState,
    calendar: Calendar,
    feed: Feed,
    fed_days: HashMap<EventType, FedDays>,
    merged: Tenant,
    /// Complete-through instants of the sources the clock waits for; `None` while one is unknown.
    streaming: HashMap<Symbol, Option<Micros>>,
    /// How far every stream has been read.
    checkpoints: BTreeMap<Stream, Checkpoint>,
    recorded_at: Micros,
    /// Requests that the log has carried out, newest last.
    carried_out: VecDeque<CarriedOut>,
}

/// The days from which a type, and its users, are fed.
type FedDays = (Day, Option<Day>);

impl Sequencer {
    /// A sequencer for a log whose next entry is `next_seq`. Entries that the log holds already are taken in by
    /// [`Sequencer::recover`] before the first step.
    pub fn new(names: Arc<Names>, identity: Identity, dedup: Dedup, next_seq: u64) -> Self {
        Self {
            builder: FrameBuilder::new(Arc::clone(&names), next_seq),
            names,
            identity,
            dedup,
            entries: Vec::new(),
            answers: Vec::new(),
            control_state: ControlState::default(),
            calendar: Calendar::utc(),
            feed: Feed::default(),
            fed_days: HashMap::new(),
            merged: Tenant::default(),
            streaming: HashMap::new(),
            checkpoints: BTreeMap::new(),
            recorded_at: Micros::MIN,
            carried_out: VecDeque::new(),
        }
    }

    /// Takes in an entry of the log that was there before.
    ///
    /// # Errors
    /// When a control entry is of a later version; when the table of ids cannot be written out.
    pub fn recover(&mut self, seq: u64, entry: &Entry) -> Result<(), RecoverError> {
        let is_known = seq <= self.dedup.covered_seq();
        match entry {
            Entry::Event(event) => {
                if !is_known {
                    let key = self.identity.event(self.names.text(event.source), event.generation, &event.id);
                    self.dedup.insert(key, seq, content::fingerprint(&self.names, event));
                }
                self.feed.observe(event);
                if event.kind == EventType::AccountMerged {
                    self.merged.observe(&self.names, event);
                }
            }
            Entry::Control(record) => {
                let control = Control::of_record(record)?;
                self.apply_control(seq, &control);
                if control.is_whole_answer()
                    && let Some(request) = Request::of_record(record).filter(|request| !request.id.is_empty())
                {
                    self.carried_out.push_back(CarriedOut { request, seq });
                    if self.carried_out.len() > CARRIED_OUT_MAX {
                        self.carried_out.pop_front();
                    }
                }
            }
            Entry::DeadLetter(letter) => {
                if !is_known {
                    let key = self.dead_letter_key(letter.source, &letter.original, letter.whole_bytes);
                    self.dedup.insert(key, seq, DEAD_LETTER_FINGERPRINT);
                }
            }
        }
        if !is_known && seq.is_multiple_of(TEND_EVERY) {
            // What comes from the log is durable.
            self.tend(seq)?;
        }
        Ok(())
    }

    fn apply_control(&mut self, seq: u64, control: &Control) {
        self.control_state.apply(&self.names, seq, control);
        match control {
            Control::SourceOpened { source, streams: true, .. } => {
                self.expect_stream(self.names.intern(source));
            }
            Control::SourceRetired { source } => {
                self.streaming.remove(&self.names.intern(source));
            }
            Control::SourceReset { source, .. } => {
                let source = self.names.intern(source);
                // What was taken back makes no cycle, and what will be read again is not complete yet.
                self.merged.merges.forget(source);
                if let Some(complete_through) = self.streaming.get_mut(&source) {
                    *complete_through = None;
                }
            }
            _ => {}
        }
    }

    /// Lets the clock wait for a stream that is about to be opened. For those that the log knows it waits anyway.
    pub fn expect_stream(&mut self, source: Symbol) {
        self.streaming.entry(source).or_insert(None);
    }

    fn dead_letter_key(&self, source: Symbol, kept: &[u8], whole_bytes: u64) -> u128 {
        self.identity.dead_letter(
            self.names.text(source),
            self.control_state.generation(source),
            kept,
            whole_bytes,
        )
    }

    /// Ends the recovery. No later frame is recorded before `recorded_at`, the greatest time of recording in the log;
    /// `checkpoints` say where the log's sources stand.
    ///
    /// # Errors
    /// When the bundled rules do not know the adopted zone.
    pub fn recovered(
        &mut self,
        recorded_at: Option<Micros>,
        checkpoints: Vec<Checkpoint>,
    ) -> Result<(), tidewatch_projections::calendar::UnknownZone> {
        self.recorded_at = recorded_at.unwrap_or(Micros::MIN);
        self.checkpoints = checkpoints.into_iter().map(|at| (at.stream(), at)).collect();
        self.calendar = self.control_state.calendar()?;
        self.count_fed_days();
        if planted::active(Bug::ForgetWhoStreams) {
            self.streaming.clear();
        }
        Ok(())
    }

    /// The newest requests that the log read back has carried out, oldest first; to be asked once.
    pub fn take_carried_out(&mut self) -> Vec<CarriedOut> {
        std::mem::take(&mut self.carried_out).into()
    }

    /// What the control entries add up to so far.
    pub fn control_state(&self) -> &ControlState {
        &self.control_state
    }

    /// Whether nothing waits to be written.
    pub fn is_empty(&self) -> bool {
        self.builder.is_empty() && self.answers.is_empty()
    }

    /// The sequence the next entry will get.
    pub fn next_seq(&self) -> u64 {
        self.builder.next_seq()
    }

    /// Writes full tables of ids out, a slice at a time; ids above `durable_seq` stay in memory. To be called between steps.
    ///
    /// # Errors
    /// When the disk refuses, except that it is full: then the table grows, and says so.
    pub fn tend(&mut self, durable_seq: u64) -> Result<Tended, DedupError> {
        self.dedup.tend(durable_seq, TEND_BYTES)
    }

    /// How many ids are known.
    pub fn ids(&self) -> u64 {
        self.dedup.keys()
    }

    /// The memory they take, in bytes.
    pub fn ids_memory_bytes(&self) -> u64 {
        self.dedup.memory_bytes()
    }

    /// Takes one input at the time `now`.
    ///
    /// # Errors
    /// When the table of ids cannot be read: nothing can be accepted then.
    pub fn step(&mut self, input: Input, now: Micros, out: &mut Vec<Emit>) -> Result<(), DedupError> {
        self.recorded_at = self.recorded_at.max(now);
        match input {
            Input::Batch { reply_id, generation, batch } => {
                self.take_batch(reply_id, generation, batch, out)?
            }
            Input::OpenSource { reply_id, open, request } => {
                self.open_source(reply_id, open, request.as_deref(), out);
            }
            Input::Command { reply_id, command, request } => {
                self.carry_out(reply_id, command, request.as_deref(), out);
            }
            Input::CompleteThrough { source, generation, .. }
                if generation != self.control_state.generation(source)
                    && !planted::active(Bug::StaleCompleteThrough) => {}
            Input::CompleteThrough { source, at, .. } => {
                // A source that was retired meanwhile holds nothing.
                if let Some(complete_through) = self.streaming.get_mut(&source) {
                    *complete_through = Some(at);
                }
            }
            Input::Tick => self.tick(now, out),
            Input::AdvanceWall => {
                let at = self.control_state.wall_at.map_or(now, |wall| wall.max(now));
                self.control(Control::WallAdvanced { at }, out);
            }
            Input::WriterFree => self.close(None, out),
        }
        Ok(())
    }

    fn take_batch(
        &mut self,
        reply_id: ReplyId,
        generation: u32,
        batch: Batch,
        out: &mut Vec<Emit>,
    ) -> Result<(), DedupError> {
        let Batch { source, payload, items, progress } = batch;
        let current = self.control_state.generation(source);
        if generation != current {
            let name = self.names.text(source).into();
            let refused = CommandError::SourceWasReset { name, opened: generation, current };
            self.answer(Answer::Batch(reply_id, Err(refused)), out);
            return Ok(());
        }
        if planted::active(Bug::CheckpointTooFar) {
            self.progress(&progress);
        }
        let mut receipt = Receipt::default();
        for item in items {
            self.take_item(source, &payload, item, &mut receipt, out)?;
            if self.builder.bytes() >= FRAME_BYTES {
                self.close(None, out);
            }
        }
        // Only now are all records below the checkpoints in this frame or an earlier one.
        self.progress(&progress);
        receipt.last_seq = self.builder.next_seq() - 1;
        self.answer(Answer::Batch(reply_id, Ok(Box::new(receipt))), out);
        Ok(())
    }

    fn take_item(
        &mut self,
        source: Symbol,
        payload: &[u8],
        item: Item,
        receipt: &mut Receipt,
        out: &mut Vec<Emit>,
    ) -> Result<(), DedupError> {
        let Item { outcome, bytes, whole_bytes, origin } = item;
        let rejection = match outcome {
            Outcome::Filtered => {
                receipt.filtered += 1;
                return Ok(());
            }
            Outcome::Rejected(rejection) => rejection,
            Outcome::Event { event, fingerprint } => {
                let generation = self.control_state.generation(event.source);
                let key = self.identity.event(self.names.text(event.source), generation, &event.id);
                match self.dedup.check(key, fingerprint)? {
                    Verdict::Duplicate { .. } => {
                        receipt.duplicates += 1;
                        return Ok(());
                    }
                    Verdict::Conflict { seq } => conflict(&self.names, &event, seq),
                    Verdict::New => match self.judge(&event) {
                        Err(rejection) => rejection,
                        Ok(()) => {
                            let event = Event { generation, ..*event };
                            match self.accept(event, key, fingerprint, out) {
                                Ok(()) => {
                                    receipt.accepted += 1;
                                    return Ok(());
                                }
                                Err(unwritable) => Rejection::new(Reason::OverLimit, unwritable.to_string()),
                            }
                        }
                    },
                }
            }
        };
        self.refuse(source, (&payload[bytes], whole_bytes), origin, rejection, receipt)
    }

    /// What only the moment and the other events can tell about an event.
    fn judge(&self, event: &Event) -> Result<(), Rejection> {
        let skew_us = self.control_state.settings.skew_us;
        if event.occurred_at > self.recorded_at.saturating_add(skew_us) {
            let ahead_s = (event.occurred_at - self.recorded_at) / 1_000_000;
            let detail = format!(
                "occurred_at is {ahead_s} s after the time of recording; at most {} s are allowed",
                skew_us / 1_000_000
            );
            return Err(Rejection::new(Reason::FromTheFuture, detail));
        }
        if let Some((from, into)) = merge_of(&self.names, event)
            && self.merged.merges.would_cycle(from, into)
        {
            let (from, into) = (self.names.text(from), self.names.text(into));
            let detail = format!("merging {from:?} into {into:?} would make an account its own survivor");
            return Err(Rejection::new(Reason::MergeCycle, detail));
        }
        Ok(())
    }

    fn accept(
        &mut self,
        event: Event,
        key: u128,
        fingerprint: u64,
        out: &mut Vec<Emit>,
    ) -> Result<(), Unwritable> {
        let seq = self.builder.push_event(&event)?;
        self.dedup.insert(key, seq, fingerprint);
        let fed = self.newly_fed(&event);
        let is_merge = merge_of(&self.names, &event).is_some();
        if is_merge {
            self.merged.observe(&self.names, &event);
        }
        self.entries.push((seq, Entry::Event(event)));
        match fed {
            Some(fed) => self.control(fed, out),
            None if is_merge => {
                self.builder.mark_control();
                self.close(None, out);
            }
            None => {}
        }
        Ok(())
    }

    /// Counts an event into the feed; says so where a day moved.
    fn newly_fed(&mut self, event: &Event) -> Option<Control> {
        if !self.feed.observe(event) {
            return None;
        }
        let (_, fed) = self.feed.types().find(|(kind, _)| *kind == event.kind)?;
        let days = self.days_of(fed);
        if self.fed_days.insert(event.kind, days) == Some(days) {
            return None;
        }
        Some(Control::TypeFed {
            kind: event.kind.name(&self.names).into(),
            earliest_at: Some(fed.earliest_at),
            earliest_user_at: fed.earliest_user_at,
        })
    }

    fn days_of(&self, fed: Fed) -> FedDays {
        (self.calendar.day(fed.earliest_at), fed.earliest_user_at.map(|at| self.calendar.day(at)))
    }

    fn count_fed_days(&mut self) {
        self.fed_days = self.feed.types().map(|(kind, fed)| (kind, self.days_of(fed))).collect();
    }

    fn refuse(
        &mut self,
        source: Symbol,
        (original, whole_bytes): (&[u8], u64),
        origin: Origin,
        rejection: Rejection,
        receipt: &mut Receipt,
    ) -> Result<(), DedupError> {
        let kept = &original[..original.len().min(ORIGINAL_BYTES_MAX)];
        let key = self.dead_letter_key(source, kept, whole_bytes);
        if !matches!(self.dedup.check(key, DEAD_LETTER_FINGERPRINT)?, Verdict::New) {
            receipt.repeated_dead_letters += 1;
            return Ok(());
        }
        let Rejection { reason, detail } = match whole_bytes.saturating_sub(kept.len() as u64) {
            0 => rejection,
            _ => rejection.with(&format!("kept the first {} of {whole_bytes} bytes", kept.len())),
        };
        let original = kept.into();
        let letter =
            DeadLetter { source, reason, detail, origin, original, whole_bytes, at: self.recorded_at };
        let seq = self
            .builder
            .push_dead_letter(&letter)
            .expect("originals are kept far below the limit of an entry");
        self.dedup.insert(key, seq, DEAD_LETTER_FINGERPRINT);
        receipt.count_rejected(letter.reason);
        self.entries.push((seq, Entry::DeadLetter(letter)));
        Ok(())
    }

    fn open_source(
        &mut self,
        reply_id: ReplyId,
        open: OpenSource,
        request: Option<&Request>,
        out: &mut Vec<Emit>,
    ) {
        let source = self.names.intern(&open.source);
        let reply = self.opening_of(open).map(|control| {
            if let Some(control) = control {
                self.log(control, request, out);
            }
            let checkpoints = self.checkpoints.values().cloned().collect();
            Box::new(Opened { generation: self.control_state.generation(source), checkpoints })
        });
        self.answer(Answer::OpenSource(reply_id, reply), out);
    }

    /// The entry that opens a source; `None` where the log says the same already.
    fn opening_of(&self, open: OpenSource) -> Result<Option<Control>, CommandError> {
        let OpenSource { source, mapping_digest, accept_new_mapping, streams } = open;
        let state = self.control_state.sources.get(&self.names.intern(&source));
        let is_new_stream = streams && !state.is_some_and(|state| state.streams);
        match state.and_then(|state| state.mapping_digest.as_ref()) {
            Some(known) if *known == mapping_digest && !is_new_stream => Ok(None),
            Some(known) if *known != mapping_digest && !accept_new_mapping => {
                let known = known.clone();
                Err(CommandError::MappingChanged { name: source, known, given: mapping_digest })
            }
            _ => Ok(Some(Control::SourceOpened { source, mapping_digest, streams })),
        }
    }

    fn carry_out(
        &mut self,
        reply_id: ReplyId,
        command: Command,
        request: Option<&Request>,
        out: &mut Vec<Emit>,
    ) {
        let is_adoption = matches!(command, Command::Adopt(_));
        let reply = self.controls_of(command).map(|mut controls| {
            if controls.is_empty() && is_adoption && self.control_state.adopted_seq > 0 {
                // It may wait for a fold yet; a later position would promise that it shows.
                return self.control_state.adopted_seq;
            }
            let last = controls.pop();
            // The last entry alone names the request: one that a crash left half done was not carried out.
            controls.into_iter().for_each(|control| self.control(control, out));
            if let Some(last) = last {
                self.log(last, request, out);
            }
            self.builder.next_seq() - 1
        });
        self.answer(Answer::Command(reply_id, reply), out);
    }

    /// The entries that carry a command out; none where all is as asked already.
    fn controls_of(&self, command: Command) -> Result<Vec<Control>, CommandError> {
        let control = match command {
            Command::RetireSource { source } => {
                let symbol = self.names.intern(&source);
                match self.control_state.sources.get(&symbol) {
                    Some(state) => state.streams.then_some(Control::SourceRetired { source }),
                    None => return Err(self.unknown_source(source)),
                }
            }
            // Lines may name sources that nobody opened. A name that no entry holds brought nothing: it is misspelt.
            Command::ResetSource { source, .. } if self.names.find(&source).is_none() => {
                return Err(self.unknown_source(source));
            }
            Command::ResetSource { source, mapping_digest } => {
                let symbol = self.names.intern(&source);
                let generation = self.control_state.generation(symbol) + 1;
                Some(Control::SourceReset { source, generation, mapping_digest })
            }
            Command::Adopt(adoption) => return self.adopted(*adoption),
            Command::SetOverride { account, band_override } => {
                Some(Control::OverrideSet { account, band_override })
            }
            Command::Decide { factors, part } => return Ok(self.decided(factors, *part)),
            Command::ChangeCase(change) => {
                let book = &self.control_state.alerts;
                let record = self.names.find(&change.account).and_then(|account| book.account(account));
                let Some(case) = record.and_then(|record| record.case.as_ref()) else {
                    return Err(CommandError::NoCase { account: change.account });
                };
                if change.action.is_none() && case.state != CaseState::Snoozed {
                    return Ok(Vec::new());
                }
                Some(Control::CaseChanged(Box::new(change)))
            }
            Command::SettleNotices { settled } => {
                let untold = self.control_state.alerts.untold();
                let settled: Vec<_> =
                    settled.into_iter().filter(|settled| untold.contains_key(&settled.key)).collect();
                (!settled.is_empty()).then_some(Control::NoticesSettled { settled })
            }
            Command::ResolveDeadLetters { seqs } => {
                (!seqs.is_empty()).then_some(Control::DeadLettersResolved { seqs })
            }
        };
        Ok(control.into_iter().collect())
    }

    /// The entries of a part of a close; none where the day was decided meanwhile. What was proposed of an alert that has changed
    /// since is dropped.
    fn decided(&self, factors: Vec<FleetFactors>, mut part: DayDecided) -> Vec<Control> {
        let book = &self.control_state.alerts;
        if book.decided_through >= Some(part.day) {
            return Vec::new();
        }
        part.decided
            .transitions
            .retain(|transition| book.next_number(&self.names, transition) == transition.number);
        let factors = factors.into_iter().map(Control::FactorsAdopted);
        factors.chain([Control::AlertsDecided(Box::new(part))]).collect()
    }

    fn adopted(&self, adoption: Adoption) -> Result<Vec<Control>, CommandError> {
        if let Some(asked) = &adoption.etag {
            let current = etag(&self.control_state);
            if **asked != *current {
                return Err(CommandError::SettingsChanged { asked: asked.clone(), current: current.into() });
            }
        }
        let settings = adoption.settings(&self.control_state.settings);
        Calendar::new(&settings.zone).map_err(|error| CommandError::UnknownZone(error.to_string()))?;
        let is_of_other_rules = adoption.names_settings() && self.control_state.other_tz_version().is_some();
        let is_new = settings != self.control_state.settings || is_of_other_rules;
        let settings = is_new.then(|| ControlState::adoption_of(settings));
        let model = adoption.model.filter(|text| **text != *self.control_state.model_text());
        let rules = adoption.rules.filter(|text| **text != *self.control_state.rules_text());
        let model = model.map(|text| Control::ModelAdopted { text });
        let rules = rules.map(|text| Control::RulesAdopted { text });
        Ok(settings.into_iter().chain(model).chain(rules).collect())
    }

    fn unknown_source(&self, name: Box<str>) -> CommandError {
        let known = self.control_state.sources.keys().map(|name| self.names.text(*name).into());
        CommandError::UnknownSource { name, known: known.collect() }
    }

    /// What is known of a source.
    pub fn source(&self, name: &str) -> SourceState {
        let known = self.names.find(name).and_then(|symbol| self.control_state.sources.get(&symbol));
        known.cloned().unwrap_or_default()
    }

    /// Logs a control entry that the engine decided itself.
    fn control(&mut self, control: Control, out: &mut Vec<Emit>) {
        self.log(control, None, out);
    }

    /// Logs a control entry, which closes the frame.
    fn log(&mut self, control: Control, request: Option<&Request>, out: &mut Vec<Emit>) {
        if let Control::SourceReset { source, .. } = &control {
            self.rewind(source);
        }
        let mut payload = Vec::new();
        control.encode(request, &mut payload);
        let kind = control.kind();
        let seq = self.builder.push_control(kind, &payload).expect("commands are limited far below an entry");
        self.entries.push((seq, Entry::Control(ControlRecord { kind, payload: payload.into() })));
        let zone_before = self.control_state.settings.zone.clone();
        self.apply_control(seq, &control);
        if self.control_state.settings.zone != zone_before {
            self.calendar =
                self.control_state.calendar().expect("the zone was checked before it was adopted");
            self.count_fed_days();
        }
        self.close(Some(control), out);
    }

    fn progress(&mut self, checkpoints: &[Checkpoint]) {
        self.builder.progress(checkpoints);
        self.checkpoints.extend(checkpoints.iter().map(|at| (at.stream(), at.clone())));
    }

    /// Forgets how far a source has read, so that it is read again, and how far that made it complete.
    fn rewind(&mut self, source: &str) {
        self.builder.forget(source);
        self.checkpoints.retain(|_, at| at.source() != source);
    }

    /// Where every source stands, with all inputs so far.
    pub fn checkpoints(&self) -> impl Iterator<Item = &Checkpoint> {
        self.checkpoints.values()
    }

    fn answer(&mut self, answer: Answer, out: &mut Vec<Emit>) {
        if self.builder.is_empty() || planted::active(Bug::DedupBeforeDurability) {
            out.push(Emit::Answer(answer));
        } else {
            self.answers.push(answer);
        }
    }

    fn close(&mut self, control: Option<Control>, out: &mut Vec<Emit>) {
        if !self.builder.is_empty() {
            let frame = self.builder.seal(self.recorded_at);
            let entries = std::mem::take(&mut self.entries);
            out.push(Emit::Frame(Box::new(Filled { frame, entries, control })));
        }
        out.extend(self.answers.drain(..).map(Emit::Answer));
    }
}

/// Why an entry of the log could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// A control entry of a later version, or a damaged one.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The table of ids.
    #[error(transparent)]
    Dedup(#[from] DedupError),
}

/// Requests of the log that are remembered at most; past it the oldest is forgotten.
pub const CARRIED_OUT_MAX: usize = 10_000;

/// The table of ids is tended after so many entries of the log …
const TEND_EVERY: u64 = 1024;
/// … and so many bytes at a time.
const TEND_BYTES: u64 = 1 << 20;

/// Dead letters have no content besides their bytes, which their key covers.
const DEAD_LETTER_FINGERPRINT: u64 = 0;

fn conflict(names: &Names, event: &Event, seq: u64) -> Rejection {
    let detail = format!(
        "source {:?} already has an event with id {:?} and other content, at position {seq}",
        names.text(event.source),
        event.id
    );
    Rejection::new(Reason::IdConflict, detail)
}
