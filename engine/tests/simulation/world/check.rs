//! What is held against the ledger, the oracle and the log itself.

use std::sync::Arc;

use tidewatch_engine::fold::history::History;
use tidewatch_engine::fold::view::View;
use tidewatch_engine::read::digest::of_log;
use tidewatch_engine::read::scan::{AsOf, Columns, Figures as _, standing_accounts};
use tidewatch_engine::storage::disk::Disk;
use tidewatch_engine::storage::disk::simulated::{Faults, SimulatedDisk};
use tidewatch_engine::storage::log::{Entry, verify};
use tidewatch_engine::write::sequencer::{Emit, Input};
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::limits::Limits;
use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::event::Micros;
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::plan::Bounds;
use tidewatch_projections::scalar::Scalar;
use tidewatch_projections::status::Since;

use super::{Backup, DAY, Simulation};
use crate::audit::{Audit, Violation, print_of, violated};
use crate::folds::{Folds, MODEL, canonical, context, context_of, figures, model as read_model};
use crate::machine::{Machine, frames};
use crate::oracle::{Asked, METRICS, Oracle, parked};

/// Figures may differ by this part of themselves.
const TOLERANCE: f64 = 1e-9;
/// … and by this much where they are sums of parts that cancel.
const ZERO: f64 = 1e-12;

impl Simulation {
    /// What must hold of a log that was just opened.
    pub(super) fn check_opened(&mut self, machine: &Machine) -> Result<(), Violation> {
        let last_seq = machine.opened.last_seq;
        if last_seq < self.witness.durable_seq {
            return violated(
                "the log before is a prefix of the log after, down to what was durable",
                format!(
                    "it ends at {last_seq}, {} was durable; {:?}",
                    self.witness.durable_seq, machine.opened
                ),
            );
        }
        let audit = self.audit(machine)?;
        self.witness.prints.truncate(last_seq as usize);
        self.witness.durable_seq = last_seq;
        if self.draw.often(250) {
            self.check_rot()?;
        }
        self.check_account_index(last_seq)?;
        if self.draw.often(300) {
            let as_of = self.some_instants(&audit, machine);
            self.check_figures(machine, &audit, &as_of[..1])?;
        }
        if self.draw.often(150) {
            let dir = "log";
            let names = self.disk.list(dir).unwrap_or_default();
            let files = names.into_iter().map(|name| format!("{dir}/{name}"));
            let files = files.map(|path| (path.clone(), self.disk.content(&path).unwrap_or_default()));
            self.backup = Some(Backup { files: files.collect(), last_seq });
        }
        Ok(())
    }

    /// Reads the log up to its durable end and holds it against all that is known.
    pub(super) fn audit(&self, machine: &Machine) -> Result<Audit, Violation> {
        let frames = match frames(&machine.durable_history()) {
            Ok(frames) => frames,
            Err(error) => return violated("an opened log can be read", error.to_string()),
        };
        for (seq, entry) in frames.iter().flat_map(|frame| &frame.entries) {
            let known = self.witness.prints.get(*seq as usize - 1).copied();
            if known != Some(print_of(&machine.names, entry)) {
                return violated("a sequence never changes meaning", format!("{seq} is now {entry:?}"));
            }
        }
        let broker = self.broker();
        let audit = Audit::of(&frames, &machine.names, &broker)?;
        for receipt in &self.witness.receipts {
            audit.check_receipt(&receipt.records, receipt.last_seq, &machine.names, &broker)?;
        }
        Ok(audit)
    }

    /// A bit flips in a copy of everything: that is named, or changes nothing but an end nobody had seen.
    fn check_rot(&mut self) -> Result<(), Violation> {
        let copy = SimulatedDisk::new(1, Faults::default());
        let mut files = Vec::new();
        for dir in ["log", "dedup"] {
            for name in self.disk.list(dir).unwrap_or_default() {
                let path = format!("{dir}/{name}");
                let content = self.disk.content(&path).unwrap_or_default();
                copy.put(&path, &content);
                files.push((path, content.len()));
            }
        }
        files.retain(|(_, len)| *len > 0);
        if files.is_empty() {
            return Ok(());
        }
        let (path, len) = self.draw.pick(&files).clone();
        let end = copy
            .content(&path)
            .map_or(len, |content| content.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1));
        let at = self.draw.below(end);
        copy.flip_bit(&path, at, self.draw.below(8) as u32);
        self.counts.rotten += 1;
        let disk: Arc<dyn Disk> = Arc::new(copy);
        let sound = verify(disk.as_ref(), "log", |_| true);
        let names = Arc::new(Names::new());
        let recovered = match self.setup.open(Arc::clone(&disk), &names) {
            Ok(recovered) => recovered,
            Err(error) => {
                self.counts.named += 1;
                if path.starts_with("dedup/") {
                    return violated(
                        "what is derived is made anew from the log",
                        format!("a bit of {path}, byte {at}: {error}"),
                    );
                }
                return match sound {
                    Ok(sound) if sound.is_sound() => violated(
                        "verify names what opening names",
                        format!("a bit of {path}, byte {at}: {error}"),
                    ),
                    _ => Ok(()),
                };
            }
        };
        let read = match frames(&recovered.history) {
            Ok(read) => read,
            Err(error) => {
                return violated("an opened log can be read", format!("a bit of {path}, byte {at}: {error}"));
            }
        };
        for (seq, entry) in read.iter().flat_map(|frame| &frame.entries) {
            if self.witness.prints.get(*seq as usize - 1).copied() != Some(print_of(&names, entry)) {
                return violated(
                    "rot never changes an entry unseen",
                    format!("a bit of {path}, byte {at}: {seq} is {entry:?}"),
                );
            }
        }
        let lost = self.witness.durable_seq.saturating_sub(recovered.opened.last_seq);
        if lost > 0 {
            self.counts.named += 1;
            if recovered.opened.cut.is_none() {
                return violated(
                    "rot never cuts unseen",
                    format!("a bit of {path}, byte {at}: {lost} entries are gone"),
                );
            }
            return Ok(());
        }
        self.check_known(recovered, &names)
    }

    /// Everything that was accepted is known: given again, nothing of it is new.
    fn check_known(
        &self,
        recovered: tidewatch_engine::write::recovery::Recovered,
        names: &Arc<Names>,
    ) -> Result<(), Violation> {
        let mut sequencer = recovered.sequencer;
        let next_seq = sequencer.next_seq();
        let broker = self.broker();
        let read = frames(&recovered.history)
            .map_err(|error| Violation { invariant: "an opened log can be read", what: error.to_string() })?;
        let mut bytes = Vec::new();
        for entry in read.iter().flat_map(|frame| &frame.entries) {
            let Entry::Event(event) = &entry.1 else { continue };
            if event.generation != sequencer.control_state().generation(event.source) {
                continue;
            }
            bytes.clear();
            tidewatch_ingest::native::write(names, event, &mut bytes);
            let origin = tidewatch_ingest::batch::Origin::Line { digest: event.source, line: 1 };
            let raw = tidewatch_ingest::batch::RawBatch {
                payload: bytes.clone(),
                records: vec![tidewatch_ingest::batch::RawRecord::whole(0..bytes.len(), origin)],
                progress: Vec::new(),
            };
            let source = names.text(event.source);
            let decoder = Decoder::new(Arc::clone(names), "main", source, Limits::default(), Format::Native);
            let batch = decoder.decode(raw);
            let generation = sequencer.control_state().generation(event.source);
            let mut out: Vec<Emit> = Vec::new();
            let input = Input::Batch { reply_id: 1, generation, batch };
            if let Err(error) = sequencer.step(input, broker.now, &mut out) {
                return violated("the table of ids answers", error.to_string());
            }
            if sequencer.next_seq() != next_seq {
                return violated(
                    "a duplicate is known whatever happened to what is derived",
                    format!("{entry:?}"),
                );
            }
        }
        Ok(())
    }

    /// The state that is served equals one that is folded from the log alone, on other workers, in another order.
    pub(super) fn check_live(&mut self, machine: &mut Machine) -> Result<(), Violation> {
        machine.folds.settle();
        let live = machine.folds.view();
        let history = machine.history.until(live.position.seq).under(&live.control_state);
        match history.summary() {
            Ok(summary) if summary.control_state == *live.control_state => {}
            Ok(summary) => {
                return violated(
                    "a log that is read back has the same control state",
                    format!("live {:?}, read back {:?}", live.control_state, summary.control_state),
                );
            }
            Err(error) => return violated("an opened log can be read", error.to_string()),
        }
        let workers = *self.draw.pick(&[1, 2, 7]);
        let context = context(&machine.names, &live.control_state);
        let read = Folds::of_log(workers, context.clone(), &history)
            .and_then(|again| Ok((again, frames(&history)?)));
        let (mut again, frames) = match read {
            Ok(read) => read,
            Err(error) => return violated("an opened log can be read", error.to_string()),
        };
        let again = again.view();
        if live.closed_through != again.closed_through {
            return violated(
                "a log that is read back closes the same days",
                format!("live {:?}, read back {:?}", live.closed_through, again.closed_through),
            );
        }
        self.check_same_facts(&live, &again, workers)?;
        let mut entries: Vec<(u64, Entry)> = frames.into_iter().flat_map(|frame| frame.entries).collect();
        self.draw.shuffle(&mut entries);
        self.check_same_facts(&live, &Folds::of(workers, context, entries).view(), workers)
    }

    fn check_same_facts(&self, live: &View, again: &View, workers: usize) -> Result<(), Violation> {
        if canonical(live) != canonical(again) || live.tenant != again.tenant {
            let differ = canonical(live).into_iter().zip(canonical(again)).find(|(a, b)| a != b);
            let account = differ.map(|((account, _), _)| account);
            return violated(
                "facts depend only on the set of accepted events, not on order, workers or restarts",
                format!(
                    "account {account:?} at {}, {} workers against {workers}",
                    live.position.seq, self.setup.workers
                ),
            );
        }
        Ok(())
    }

    pub(super) fn some_instants(&mut self, audit: &Audit, machine: &Machine) -> Vec<i64> {
        let oracle = audit.oracle(&machine.names, &self.broker());
        let Some(last) = oracle.last() else { return vec![self.true_now] };
        let day = oracle.zone.day(last - 1);
        let mut instants = vec![last];
        for _ in 0..3 {
            instants.push(match self.draw.below(2) {
                0 => last - self.draw.range(0, 40 * DAY),
                _ => oracle.zone.end(day - self.draw.range(0, 30) as i32),
            });
        }
        self.draw.shuffle(&mut instants);
        instants
    }

    /// All figures of all accounts at some instants, by the engine and by the oracle.
    pub(super) fn check_figures(
        &mut self,
        machine: &Machine,
        audit: &Audit,
        instants: &[i64],
    ) -> Result<(), Violation> {
        let read = match frames(&machine.durable_history()) {
            Ok(read) => read,
            Err(error) => return violated("an opened log can be read", error.to_string()),
        };
        let mut entries: Vec<(u64, Entry)> = read.into_iter().flat_map(|frame| frame.entries).collect();
        let oracle = audit.oracle(&machine.names, &self.broker());
        let context =
            context_of(&machine.names, &audit.control_state, read_model(MODEL), Bounds::NONE, instants);
        let mut reference = None;
        for workers in [1, 2, 7] {
            let view = Folds::of(workers, context.clone(), entries.clone()).view();
            self.check_tenant(&view, &oracle)?;
            let mut all = Vec::new();
            for as_of in instants {
                let expected = oracle.standing(*as_of);
                let listed = standing_accounts(&view, *as_of);
                let listed: Vec<&str> = listed.iter().map(|account| machine.names.text(*account)).collect();
                if listed != expected {
                    return violated(
                        "lists hold the accounts that an event before the instant names",
                        format!("at {}: {listed:?}, the oracle says {expected:?}", instant(*as_of)),
                    );
                }
                for account in expected {
                    let symbol = machine.names.intern(account);
                    let found = figures(&view, symbol, *as_of);
                    if workers == 1 {
                        self.check_status(&oracle, account, *as_of, found.1)?;
                        self.check_metrics(&oracle, account, *as_of, &view, &found.0)?;
                    }
                    all.push(found);
                }
            }
            if reference.get_or_insert_with(|| all.clone()) != &all {
                return violated(
                    "figures are the same to the bit, in any order and on any number of workers",
                    format!("{workers} workers"),
                );
            }
            self.draw.shuffle(&mut entries);
        }
        Ok(())
    }

    /// What memory answers, with the bounds of live state, is what the oracle says; it may leave questions to the log.
    pub(super) fn check_hot(
        &mut self,
        machine: &mut Machine,
        audit: &Audit,
        instants: &[i64],
    ) -> Result<(), Violation> {
        let live = machine.folds.view();
        if !live.control_state.model_text().starts_with(MODEL) {
            return Ok(());
        }
        let oracle = audit.oracle(&machine.names, &self.broker());
        for as_of in instants {
            for account in oracle.standing(*as_of) {
                let symbol = machine.names.intern(account);
                let asked = oracle.ask(account, *as_of);
                let exact_at = |index| in_memory(&live, symbol, *as_of, &[index]);
                for index in 0..live.plan.model.metrics.len() {
                    if let Some(found) = exact_at(index) {
                        self.check_metric(&asked, (account, *as_of), (&live, index), found[0].as_ref())?;
                        self.counts.hot += 1;
                    }
                }
            }
        }
        Ok(())
    }

    fn check_status(
        &self,
        oracle: &Oracle,
        account: &str,
        as_of: i64,
        since: Since,
    ) -> Result<(), Violation> {
        let found = (since.status.name(), since.since.map(|day| day.0));
        let expected = oracle.ask(account, as_of).status();
        if found == expected {
            return Ok(());
        }
        violated(
            "the status is that of the contract",
            format!("{account} at {}: {found:?}, the oracle says {expected:?}", instant(as_of)),
        )
    }

    fn check_metrics(
        &mut self,
        oracle: &Oracle,
        account: &str,
        as_of: i64,
        view: &View,
        found: &[Option<Scalar>],
    ) -> Result<(), Violation> {
        let metrics = &view.plan.model.metrics;
        if metrics.len() != METRICS.len() {
            return violated("the oracle knows every metric of the model", format!("{}", metrics.len()));
        }
        let asked = oracle.ask(account, as_of);
        for (index, found) in found.iter().enumerate() {
            self.check_metric(&asked, (account, as_of), (view, index), found.as_ref())?;
        }
        Ok(())
    }

    fn check_metric(
        &mut self,
        asked: &Asked<'_>,
        (account, as_of): (&str, i64),
        (view, index): (&View, usize),
        found: Option<&Scalar>,
    ) -> Result<(), Violation> {
        let name = &view.plan.model.metrics[index].name;
        let expected = asked.value(name);
        let found = found.map(|scalar| scalar.number().unwrap_or(f64::NAN));
        let is_equal = match (expected, found) {
            (None, None) => true,
            (Some(expected), Some(found)) => {
                (expected - found).abs() <= TOLERANCE * expected.abs().max(found.abs()) + ZERO
            }
            _ => false,
        };
        self.counts.figures += 1;
        if !is_equal {
            return violated(
                "figures are those of the contract",
                format!("{name} of {account} at {}: {found:?}, the oracle says {expected:?}", instant(as_of)),
            );
        }
        Ok(())
    }

    fn check_tenant(&self, view: &View, oracle: &Oracle) -> Result<(), Violation> {
        let tenant = &view.tenant;
        let expected = &oracle.feed;
        let mut found: Vec<(&str, (i64, Option<i64>))> = tenant
            .feed
            .types()
            .map(|(kind, fed)| (kind.name(&view.names), (fed.earliest_at, fed.earliest_user_at)))
            .collect();
        found.sort_unstable();
        let mut wanted: Vec<_> = expected.iter().map(|(kind, fed)| (*kind, *fed)).collect();
        wanted.sort_unstable();
        let waiting = tenant.parked.events();
        if found != wanted
            || tenant.events != oracle.facts.len() as u64
            || waiting != parked(&oracle.facts) as u64
        {
            return violated(
                "the tenant's feed, events and parked events are those of the contract",
                format!(
                    "{found:?} {} {waiting}, the oracle says {wanted:?} {} {}",
                    tenant.events,
                    oracle.facts.len(),
                    parked(&oracle.facts)
                ),
            );
        }
        Ok(())
    }

    /// The digest that users compare, from folds on threads and from tables of names of their own. Their interleaving is
    /// the system's, so that only equality is looked at.
    pub(super) fn check_digest(&mut self, last_seq: u64) -> Result<(), Violation> {
        let mut digests = Vec::new();
        for workers in [1, 2, 7] {
            let history = History::new(Arc::new(self.disk.clone()), self.shuffled_names(), last_seq);
            match of_log(&history, AsOf::Last, workers) {
                Ok(digest) => digests.push(digest),
                Err(error) => return violated("an opened log can be read", error.to_string()),
            }
        }
        if digests.iter().any(|digest| *digest != digests[0]) {
            return violated("the digest is the same on any number of workers", format!("{digests:?}"));
        }
        Ok(())
    }
}

fn instant(at: i64) -> String {
    jiff::Timestamp::from_microsecond(at).map(|at| at.to_string()).unwrap_or_default()
}

/// Some adopted metrics of an account at an instant, by their places in the model, if memory has all of them exactly.
fn in_memory(view: &View, account: Symbol, as_of: Micros, metrics: &[usize]) -> Option<Vec<Option<Scalar>>> {
    let account_at = AccountAt::new(view.context(), account, as_of);
    Columns::new(&view.plan.model, metrics.to_vec()).of(&account_at).ok()
}
