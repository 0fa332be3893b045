//! Tries a mapping on sample records and reports what they become, before anything is imported.

use std::collections::{BTreeMap, BTreeSet};

use tidewatch_projections::names::Names;

use super::{Mapping, RuleResult};
use crate::batch::Origin;
use crate::draft::DecodeContext;
use crate::json;
use crate::limits::Limits;
use crate::native;
use crate::reject::{Reason, Rejection};

/// The results of one sample record: one for each event, or one for its rejection or filtering.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// The number of the line, from 1.
    pub line: u64,
    /// The results, in the order in which events would be accepted.
    pub results: Vec<SampleResult>,
}

/// One result of a sample record, with the rule that gave it.
#[derive(Clone, PartialEq, Debug)]
pub struct SampleResult {
    /// The rule's place in the file, counted from 1, with its name; `None` when no rule was for the record.
    pub rule: Option<(usize, String)>,
    /// The event, the rejection, or that it was filtered.
    pub outcome: Outcome,
}

/// What a rule makes of a sample record.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// An event, as one line of native JSON.
    Event(String),
    /// A rejection, which an import keeps as a dead letter.
    Rejected(Rejection),
    /// The record is left out by a rule or because no rule matches.
    Filtered,
}

/// The report of a check.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Report {
    /// The first sample records with all their results.
    pub samples: Vec<Sample>,
    /// The number of records, blank lines not counted.
    pub records: u64,
    /// Records that gave at least one event and no rejection.
    pub accepted: u64,
    /// Records of which everything was filtered.
    pub filtered: u64,
    /// The number of events by the name of their type.
    pub types: BTreeMap<String, u64>,
    /// Rejected records by reason: their number, and the text of the first rejection.
    pub rejected: BTreeMap<Reason, (u64, String)>,
    /// For each rule, in the order of the file, how many records it made into an event or left out.
    pub by_rule: Vec<u64>,
    /// Top-level fields that no rule reads and that are therefore not kept, with the number of records that have them.
    pub unread: BTreeMap<String, u64>,
}

/// Runs `lines` through `mapping`; blank lines are skipped. The first `samples_max` records are reported in full.
pub fn check<'l>(
    mapping: &Mapping,
    lines: impl IntoIterator<Item = &'l [u8]>,
    limits: &Limits,
    samples_max: usize,
) -> Report {
    let names = Names::new();
    let with = DecodeContext { names: &names, tenant: "main", source: names.intern("sample"), limits };
    let digest = names.intern("sample");
    let read: BTreeSet<&str> = mapping.rules().iter().flat_map(|rule| rule.top_level_keys()).collect();
    let all_read = mapping.rules().iter().any(|rule| rule.copies_root());
    let mut report = Report { by_rule: vec![0; mapping.rules().len()], ..Report::default() };
    for (line, record) in (1..).zip(lines) {
        if record.trim_ascii().is_empty() {
            continue;
        }
        let mut made = Vec::new();
        mapping.apply(record, &with, &Origin::Line { digest, line }, &mut |one| made.push(one));
        report.count(&names, &made);
        if !all_read && let Ok(fields) = json::read_object(record, limits) {
            for (key, _) in fields.iter().filter(|(key, _)| !read.contains(key.as_ref())) {
                *report.unread.entry(key.to_string()).or_default() += 1;
            }
        }
        if report.samples.len() < samples_max {
            let results = made.into_iter().map(|one| results(mapping, &names, one)).collect();
            report.samples.push(Sample { line, results });
        }
    }
    report
}

impl Report {
    fn count(&mut self, names: &Names, made: &[RuleResult]) {
        self.records += 1;
        for one in made {
            if let (Some(rule), Ok(_)) = (one.rule, &one.result) {
                self.by_rule[rule] += 1;
            }
            match &one.result {
                Ok(Some(event)) => *self.types.entry(event.kind.name(names).to_owned()).or_default() += 1,
                Ok(None) => {}
                Err(rejection) => {
                    self.rejected.entry(rejection.reason).or_insert_with(|| (0, rejection.to_string())).0 +=
                        1;
                }
            }
        }
        let rejected = made.iter().any(|one| one.result.is_err());
        let events = made.iter().any(|one| matches!(one.result, Ok(Some(_))));
        self.accepted += u64::from(events && !rejected);
        self.filtered += u64::from(!events && !rejected);
    }

    /// Whether more than half of the records came through, filtered ones included.
    pub fn passes(&self) -> bool {
        2 * (self.accepted + self.filtered) > self.records
    }
}

fn results(mapping: &Mapping, names: &Names, made: RuleResult) -> SampleResult {
    let rule = made.rule.map(|index| (index + 1, mapping.rules()[index].name.clone()));
    let outcome = match made.result {
        Ok(Some(event)) => {
            let mut line = Vec::new();
            native::write(names, &event, &mut line);
            Outcome::Event(String::from_utf8(line).expect("native JSON is written from texts"))
        }
        Ok(None) => Outcome::Filtered,
        Err(rejection) => Outcome::Rejected(rejection),
    };
    SampleResult { rule, outcome }
}
