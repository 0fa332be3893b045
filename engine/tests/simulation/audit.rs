//! A log held against the ledger of everything that was ever told: what must be in it, what must not, and in which order.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use tidewatch_engine::control::entry::Control;
use tidewatch_engine::control::state::ControlState;
use tidewatch_engine::storage::log::{DeadLetter, Entry, Frame};
use tidewatch_ingest::checkpoint::{Checkpoint, PartitionCheckpoint};
use tidewatch_ingest::native;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::{Currency, Event, Subject};
use tidewatch_projections::names::Names;
use tidewatch_projections::value::Value;

use crate::broker::{Broker, Stream};
use crate::fleet::Meaning;
use crate::oracle::{Closed, Fact, Oracle, Zone, feed};
use crate::told::{Property, Told, Whom, family};

/// An invariant that does not hold.
#[derive(Debug)]
pub struct Violation {
    /// Which.
    pub invariant: &'static str,
    /// How it was seen.
    pub what: String,
}

/// Fails with an invariant.
pub fn violated<T>(invariant: &'static str, what: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { invariant, what: what.into() })
}

/// The name of a stream a checkpoint is about, and how far it says that stream was read.
pub fn stream_of(checkpoint: &Checkpoint) -> (Stream, i64) {
    match checkpoint {
        Checkpoint::Kafka(at) => {
            let PartitionCheckpoint { source, topic, topic_id, partition, .. } = at.clone();
            (Stream::Partition(source, topic, topic_id, partition), at.next_offset)
        }
        Checkpoint::File(at) => (Stream::File(at.source.clone(), at.digest.clone()), at.line as i64),
    }
}

/// An entry as a number that depends on nothing but what it says.
pub fn print_of(names: &Names, entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    match entry {
        Entry::Event(event) => {
            let mut bytes = Vec::new();
            native::write(names, event, &mut bytes);
            (1, event.generation, bytes).hash(&mut hasher);
        }
        Entry::DeadLetter(letter) => {
            let DeadLetter { source, reason, detail, origin, original, whole_bytes, at } = letter;
            let words = (reason.name(), detail, origin.id(names));
            (2, names.text(*source), words, original, whole_bytes, at).hash(&mut hasher);
        }
        Entry::Control(record) => (3, record.kind, &record.payload).hash(&mut hasher),
    }
    hasher.finish()
}

/// Generation, line, sequence.
type Accepted = (u32, usize, u64);
/// Generation, sequence.
type Refused = (u32, u64);

/// What became of the records of a log.
#[derive(Default)]
pub struct Audit {
    /// The fold of its control entries.
    pub control_state: ControlState,
    /// Where its sources stand.
    pub checkpoints: HashMap<Stream, i64>,
    /// Accepted: source, id, generation, record.
    accepted: Vec<(String, String, u32, usize)>,
    /// By source and id.
    by_identity: HashMap<(String, String), Vec<Accepted>>,
    /// By source and bytes.
    letters: HashMap<(String, Vec<u8>), Vec<Refused>>,
    /// Merges: account, survivor, source, generation.
    merges: Vec<(String, String, String, u32)>,
    next_seq: u64,
    recorded_at: i64,
}

impl Audit {
    /// Goes through a whole log.
    pub fn of(frames: &[Frame], names: &Names, broker: &Broker) -> Result<Self, Violation> {
        let mut audit = Self { next_seq: 1, recorded_at: i64::MIN, ..Self::default() };
        let mut frame_no = 0;
        for frame in frames {
            let header = &frame.header;
            if header.first_seq != audit.next_seq
                || header.frame_no <= frame_no
                || header.synced_to >= header.frame_no
            {
                return violated(
                    "sequences have no gaps",
                    format!("{header:?} where sequence {} should be", audit.next_seq),
                );
            }
            if header.recorded_at < audit.recorded_at {
                return violated("the time of recording never falls", format!("{header:?}"));
            }
            frame_no = header.frame_no;
            audit.recorded_at = header.recorded_at;
            for (seq, entry) in &frame.entries {
                if *seq != audit.next_seq {
                    return violated(
                        "sequences have no gaps",
                        format!("{seq} where {} should be", audit.next_seq),
                    );
                }
                audit.next_seq += 1;
                audit.entry(*seq, entry, names, broker)?;
            }
            let progress = &frame.progress;
            for source in &progress.forgotten {
                audit.checkpoints.retain(|stream, _| stream.source() != source);
            }
            for checkpoint in &progress.checkpoints {
                let (stream, to) = stream_of(checkpoint);
                let from = audit.checkpoints.insert(stream.clone(), to).unwrap_or(0);
                for record in broker.by_stream.get(&stream).into_iter().flatten() {
                    let offset = broker.records[*record].offset;
                    if (from..to).contains(&offset)
                        && !audit.is_settled(*record, names, broker)
                        && !broker.records[*record].is_gone
                    {
                        return violated(
                            "every record below a checkpoint is settled in this or an earlier frame",
                            format!(
                                "{stream:?} is read to {to} says frame {}, but {offset} is not settled: {}",
                                header.frame_no,
                                broker_line(broker, *record)
                            ),
                        );
                    }
                }
            }
        }
        Ok(audit)
    }

    fn generation(&self, names: &Names, source: &str) -> u32 {
        names.find(source).map_or(0, |source| self.control_state.generation(source))
    }

    fn entry(&mut self, seq: u64, entry: &Entry, names: &Names, broker: &Broker) -> Result<(), Violation> {
        match entry {
            Entry::Event(event) => self.event(seq, event, names, broker),
            Entry::DeadLetter(letter) => self.letter(seq, letter, names, broker),
            Entry::Control(record) => {
                let control = match Control::of_record(record) {
                    Ok(control) => control,
                    Err(error) => return violated("control entries are read as written", error.to_string()),
                };
                let before = (self.control_state.clock_at, self.control_state.wall_at);
                self.control_state.apply(names, seq, &control);
                if matches!(control, Control::ClockAdvanced { at } if before.0.is_some_and(|clock| at <= clock))
                {
                    return violated("the clock only advances", format!("{control:?} after {before:?}"));
                }
                Ok(())
            }
        }
    }

    fn event(&mut self, seq: u64, event: &Event, names: &Names, broker: &Broker) -> Result<(), Violation> {
        let identity = (names.text(event.source).to_owned(), event.id.to_string());
        let generation = self.control_state.generation(event.source);
        let known = self.by_identity.get(&identity).into_iter().flatten();
        if event.generation != generation || known.clone().any(|(of, _, _)| *of == generation) {
            return violated(
                "one (tenant, source, generation, id) is accepted at most once",
                format!(
                    "{identity:?} at {seq} in generation {} (now {generation}), before: {:?}",
                    event.generation,
                    known.collect::<Vec<_>>()
                ),
            );
        }
        let records = broker.by_identity.get(&identity).into_iter().flatten();
        let told = |record: &&usize| match &broker.lines[broker.records[**record].line].meaning {
            Meaning::Event(told) => says(names, event, told),
            Meaning::Refused(_) => false,
        };
        let Some(record) = records.copied().find(|record| told(&record)) else {
            return violated("only what was told is accepted", format!("{identity:?} at {seq}: {event:?}"));
        };
        if event.occurred_at > self.recorded_at + self.control_state.settings.skew_us {
            return violated("the far future is refused", format!("{identity:?} at {seq}: {event:?}"));
        }
        let line = broker.records[record].line;
        if let Meaning::Event(told) = &broker.lines[line].meaning
            && told.kind == "account_merged"
        {
            let (from, into) = (
                told.account().expect("merges name an account").to_owned(),
                told.text("into_account").expect("and a survivor").to_owned(),
            );
            if self.would_cycle(&from, &into, names) {
                return violated(
                    "a merge that makes a cycle is refused",
                    format!("{from} into {into} at {seq}"),
                );
            }
            self.merges.push((from, into, identity.0.clone(), generation));
        }
        self.by_identity.entry(identity.clone()).or_default().push((generation, line, seq));
        self.accepted.push((identity.0, identity.1, generation, record));
        Ok(())
    }

    /// Among merges that count now.
    fn would_cycle(&self, from: &str, into: &str, names: &Names) -> bool {
        let mut reached = BTreeSet::from([into]);
        loop {
            let counting =
                self.merges.iter().filter(|(_, _, source, of)| self.generation(names, source) == *of);
            let more: Vec<&str> = counting
                .filter(|(from, into, _, _)| {
                    reached.contains(from.as_str()) && !reached.contains(into.as_str())
                })
                .map(|(_, into, _, _)| into.as_str())
                .collect();
            if more.is_empty() {
                return reached.contains(from);
            }
            reached.extend(more);
        }
    }

    fn letter(
        &mut self,
        seq: u64,
        letter: &DeadLetter,
        names: &Names,
        broker: &Broker,
    ) -> Result<(), Violation> {
        let source = names.text(letter.source).to_owned();
        let generation = self.control_state.generation(letter.source);
        let key = (source.clone(), letter.original.to_vec());
        let said = || String::from_utf8_lossy(&letter.original).into_owned();
        if self.letters.get(&key).into_iter().flatten().any(|(of, _)| *of == generation) {
            return violated(
                "the same bytes twice are one dead letter",
                format!("{source} at {seq}: {}", said()),
            );
        }
        let mut records = broker
            .records
            .iter()
            .filter(|record| record.source == source && broker.lines[record.line].bytes == *letter.original);
        let reason = letter.reason.name();
        let is_right = records.any(|record| match &broker.lines[record.line].meaning {
            Meaning::Refused(expected) => *expected == reason,
            Meaning::Event(told) => match reason {
                "from_the_future" => told.at > letter.at + self.control_state.settings.skew_us,
                "merge_cycle" => {
                    told.kind == "account_merged"
                        && self.would_cycle(
                            told.account().unwrap_or(""),
                            told.text("into_account").unwrap_or(""),
                            names,
                        )
                }
                "id_conflict" => {
                    let identity = record.identity.as_ref().expect("events have ids");
                    let of = self.generation(names, &identity.0);
                    let known = self.by_identity.get(identity).into_iter().flatten();
                    known.clone().any(|(generation, line, _)| {
                        *generation == of && !is_same(broker, *line, record.line)
                    })
                }
                _ => false,
            },
        });
        if !is_right {
            return violated(
                "only what cannot be accepted is a dead letter, with its reason",
                format!("{reason} ({}) at {seq}: {}", letter.detail, said()),
            );
        }
        self.letters.entry(key).or_default().push((generation, seq));
        Ok(())
    }

    /// Whether a record is accepted, duplicate or a dead letter in the generation its source has now.
    fn is_settled(&self, record: usize, names: &Names, broker: &Broker) -> bool {
        self.settled_at(record, true, names, broker).is_some()
    }

    /// The sequence at which a record was settled first; with `now` in the generation its source has now.
    fn settled_at(&self, record: usize, now: bool, names: &Names, broker: &Broker) -> Option<u64> {
        let record = &broker.records[record];
        let bytes = &broker.lines[record.line].bytes;
        let of = self.generation(names, &record.source);
        let letters = self.letters.get(&(record.source.clone(), bytes.clone())).into_iter().flatten();
        let letter = letters.filter(|(generation, _)| !now || *generation == of).map(|(_, seq)| *seq).min();
        let event = record.identity.as_ref().and_then(|identity| {
            let of = self.generation(names, &identity.0);
            let accepted = self.by_identity.get(identity).into_iter().flatten();
            let same = accepted.filter(|(generation, line, _)| {
                (!now || *generation == of) && is_same(broker, *line, record.line)
            });
            same.map(|(_, _, seq)| *seq).min()
        });
        match (letter, event) {
            (Some(letter), Some(event)) => Some(letter.min(event)),
            (letter, event) => letter.or(event),
        }
    }

    /// Whether every record of an answered batch is in the log, not after the position the answer named.
    pub fn check_receipt(
        &self,
        records: &[usize],
        last_seq: u64,
        names: &Names,
        broker: &Broker,
    ) -> Result<(), Violation> {
        for record in records {
            if self.settled_at(*record, false, names, broker).is_none_or(|seq| seq > last_seq) {
                return violated(
                    "each receipt's event is in the log",
                    format!("acknowledged up to {last_seq}, not there: {}", broker_line(broker, *record)),
                );
            }
        }
        Ok(())
    }

    /// Whether everything that is left outside was settled.
    pub fn check_complete(&self, names: &Names, broker: &Broker) -> Result<(), Violation> {
        for (index, record) in broker.records.iter().enumerate() {
            if !record.is_gone && !self.is_settled(index, names, broker) {
                return violated("without faults everything is caught up with", broker_line(broker, index));
            }
        }
        Ok(())
    }

    /// The accepted events that count, for the oracle.
    pub fn oracle(&self, names: &Names, broker: &Broker) -> Oracle {
        use tidewatch_projections::settings::Scope;
        let settings = &self.control_state.settings;
        let zone = Zone::new(&settings.zone);
        let counting =
            self.accepted.iter().filter(|(source, _, of, _)| self.generation(names, source) == *of);
        let mut facts: Vec<Fact> = counting
            .map(|(source, id, _, record)| {
                let Meaning::Event(told) = &broker.lines[broker.records[*record].line].meaning else {
                    unreachable!("only events are accepted")
                };
                Fact {
                    source: source.clone(),
                    id: id.clone(),
                    family: family(told.kind),
                    day: zone.day(told.at),
                    told: (**told).clone(),
                }
            })
            .collect();
        facts.sort_by(|a, b| a.order().cmp(&b.order()));
        let scope = |scope: &Scope| match scope {
            Scope::All => "all".to_owned(),
            Scope::Account(name) => format!("account:{name}"),
            Scope::Segment(name) => format!("segment:{name}"),
            Scope::Country(name) => format!("country:{name}"),
        };
        let closed: Vec<Closed> =
            settings.closed_days.iter().map(|days| (scope(&days.scope), days.from.0, days.to.0)).collect();
        Oracle { feed: feed(&facts), facts, zone, closed }
    }

    /// Distinct ids accepted in their source's generation of today.
    pub fn counting_ids(&self, names: &Names) -> usize {
        let counting =
            self.accepted.iter().filter(|(source, _, of, _)| self.generation(names, source) == *of);
        counting.map(|(source, id, _, _)| (source, id)).collect::<HashSet<_>>().len()
    }
}

/// Whether two lines say the same of one id.
fn is_same(broker: &Broker, a: usize, b: usize) -> bool {
    match (&broker.lines[a].meaning, &broker.lines[b].meaning) {
        (Meaning::Event(a), Meaning::Event(b)) => {
            let content = |told: &Told| Told { source: None, id: None, ..told.clone() };
            content(a) == content(b)
        }
        _ => false,
    }
}

/// Whether the engine's event says what was told.
fn says(names: &Names, event: &Event, told: &Told) -> bool {
    let whom = match (&event.subject, &told.whom) {
        (Subject::Account(account), Whom::Account(name)) => names.text(*account) == name,
        (Subject::Ref { system, id }, Whom::Reference(of, as_id)) => {
            names.text(*system) == of && names.text(*id) == as_id
        }
        (Subject::User, Whom::User) => true,
        _ => false,
    };
    whom && event.user.map(|user| names.text(user)) == told.user.as_deref()
        && event.actor.name() == told.actor
        && event.kind.name(names) == told.kind
        && event.occurred_at == told.at
        && event.quantity == told.quantity
        && event.amount.map(|amount| (amount.minor, amount.currency))
            == told.amount.map(|(minor, code)| (minor, Currency::from_code(code).expect("three letters")))
        && told.properties.iter().all(|(key, value)| has(names, event, key, value))
}

/// Whether the engine's event has a property as it was told.
fn has(names: &Names, event: &Event, key: &str, told: &Property) -> bool {
    let symbol = match key {
        "feature" => event.feature,
        "metric" => event.metric,
        _ => None,
    };
    let found = event.property_named(names, key);
    match told {
        Property::Text(text) => {
            symbol.map(|symbol| names.text(symbol)).or(found.and_then(Value::as_text)) == Some(text)
        }
        Property::Number(number) => found.and_then(Value::as_number) == Some(Decimal::from(*number)),
        Property::Truth(truth) => found.and_then(Value::as_bool) == Some(*truth),
        Property::Null => found == Some(&Value::Null),
    }
}

fn broker_line(broker: &Broker, record: usize) -> String {
    let record = &broker.records[record];
    let line = &broker.lines[record.line];
    format!(
        "{:?} offset {} {:?}: {}",
        record.stream,
        record.offset,
        record.identity,
        String::from_utf8_lossy(&line.bytes)
    )
}
