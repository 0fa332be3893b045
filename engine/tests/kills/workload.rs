//! What is produced, and what must have become of it: everything follows from the seed.

use std::collections::{BTreeMap, BTreeSet};

use tidewatch_ingest::fleet::{Day, Fleet, Shape};

use crate::draw::Draw;

/// The source that reads the topic; events that name another one are kept under that name.
pub const SOURCE: &str = "app";
/// Companies that bring the events.
const ACCOUNTS: usize = 40;

/// A record of the topic.
pub struct Record {
    /// Its partition.
    pub partition: i32,
    /// Its bytes.
    pub line: String,
}

/// The stream of records, and the ledger of what they must come to.
pub struct Workload {
    draw: Draw,
    fleet: Fleet,
    day: Vec<String>,
    /// `topic/topic id`, with which the ids of events that bring none begin.
    topic: String,
    /// Next offset of each partition.
    pub ends: Vec<i64>,
    /// Events that brought an id, with their partitions.
    told: Vec<(i32, String)>,
    serial: u64,
    /// Source and id of every event that must be accepted, once.
    pub events: BTreeSet<(String, String)>,
    /// The bytes of every record that must be refused, once.
    pub refused: BTreeSet<String>,
    /// All records in order, with ids written out: the same set as a file.
    pub file: Vec<String>,
    /// How many records there are of each kind.
    pub kinds: BTreeMap<&'static str, u64>,
}

impl Workload {
    /// The records of a seed for a topic of so many partitions.
    pub fn new(seed: u64, topic: String, partitions: usize) -> Self {
        let begin = "2025-01-06".parse().expect("a date");
        Self {
            draw: Draw::new(seed),
            fleet: Fleet::new(Shape::new(seed, ACCOUNTS, begin)),
            day: Vec::new(),
            topic,
            ends: vec![0; partitions],
            told: Vec::new(),
            serial: 0,
            events: BTreeSet::new(),
            refused: BTreeSet::new(),
            file: Vec::new(),
            kinds: BTreeMap::new(),
        }
    }

    /// The topic has one more partition.
    pub fn add_partition(&mut self) {
        self.ends.push(0);
    }

    /// The next records.
    pub fn slice(&mut self, count: usize) -> Vec<Record> {
        (0..count).map(|_| self.next()).collect()
    }

    fn next(&mut self) -> Record {
        self.serial += 1;
        let partition = self.draw.below(self.ends.len()) as i32;
        let is_first = self.told.is_empty();
        match self.draw.below(100) {
            0..8 if !is_first => {
                // Said again, perhaps elsewhere and with other white space.
                let (_, line) = self.draw.pick(&self.told).clone();
                let line = if self.draw.often(500) { line } else { format!(" {line} ") };
                self.tell("said again", partition, line.clone(), line)
            }
            8..11 if !is_first => {
                // Another content under an id that is taken, behind the first in its partition.
                let (partition, line) = self.draw.pick(&self.told).clone();
                let line = line.replacen('{', &format!(r#"{{"said":{},"#, self.serial), 1);
                self.refused.insert(line.clone());
                self.tell("another content", partition, line.clone(), line)
            }
            11..15 => {
                // No event at all, the same bytes more than once.
                let number = if self.draw.often(300) { self.serial / 2 } else { self.serial };
                let line = match number % 3 {
                    0 => format!(r#"{{"id":"broken-{number}","account":"#),
                    1 => format!(r#"{{"id":"broken-{number}","account":"acme","type":"usage"}}"#),
                    _ => format!(r#"["broken-{number}"]"#),
                };
                self.refused.insert(line.clone());
                self.tell("no event", partition, line.clone(), line)
            }
            15..35 => {
                // Without an id the record's place is the id.
                let line = self.line();
                let (before, _, after) = around_id(&line);
                let own = format!("{}/{partition}/{}", self.topic, self.ends[partition as usize]);
                self.events.insert((source_of(&line), own.clone()));
                let written = format!(r#"{before}"id":"{own}",{after}"#);
                self.tell("without id", partition, format!("{before}{after}"), written)
            }
            _ => {
                let line = self.line();
                let (_, id, _) = around_id(&line);
                self.events.insert((source_of(&line), id.to_owned()));
                self.told.push((partition, line.clone()));
                self.tell("with id", partition, line.clone(), line)
            }
        }
    }

    fn tell(&mut self, kind: &'static str, partition: i32, line: String, written: String) -> Record {
        *self.kinds.entry(kind).or_default() += 1;
        self.ends[partition as usize] += 1;
        self.file.push(written);
        Record { partition, line }
    }

    /// The next event of the fleet.
    fn line(&mut self) -> String {
        while self.day.is_empty() {
            let mut day = Day::default();
            self.fleet.next_day(&mut day);
            let text = |line: &tidewatch_ingest::fleet::Line| {
                String::from_utf8(day.payload[line.bytes.clone()].to_vec()).expect("JSON is UTF-8")
            };
            self.day = day.lines.iter().map(text).collect();
            self.draw.shuffle(&mut self.day);
        }
        self.day.pop().expect("it was just filled")
    }
}

/// A line of the fleet before its id, the id, and after it.
fn around_id(line: &str) -> (&str, &str, &str) {
    let (before, rest) = line.split_once(r#""id":""#).expect("lines of the fleet have ids");
    let (id, after) = rest.split_once(r#"","#).expect("ids have no quotes and other fields follow");
    (before, id, after)
}

fn source_of(line: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(line).expect("lines of the fleet are JSON");
    event["source"].as_str().unwrap_or(SOURCE).to_owned()
}
