//! Samples the records of a long file: some evenly spread over it, and the first of every type.

use std::collections::{BTreeMap, BTreeSet};

use super::schema::Schema;
use super::words::TYPE;
use crate::json::{self, Node};
use crate::limits::Limits;

/// Most evenly spread records that are kept.
const SPREAD_MAX: usize = 1_500;
/// Most records that are kept because they are the first of their type.
const FIRSTS_MAX: usize = super::RECORDS_MAX - SPREAD_MAX;
/// Most bytes that are kept; of longer records fewer are kept.
const BYTES_MAX: usize = 64 << 20;

/// A sample of the records offered so far; the same records give the same sample.
#[derive(Debug)]
pub struct Samples<'l> {
    limits: &'l Limits,
    offered: u64,
    /// One in this many records is kept.
    stride: u64,
    types: BTreeSet<String>,
    /// By their number, with whether they are the first of their type.
    kept: BTreeMap<u64, (bool, Vec<u8>)>,
    bytes: usize,
}

impl<'l> Samples<'l> {
    /// A sample without a record yet.
    pub fn new(limits: &'l Limits) -> Self {
        Self { limits, offered: 0, stride: 1, types: BTreeSet::new(), kept: BTreeMap::new(), bytes: 0 }
    }

    /// Offers the next record, which is kept or not.
    pub fn offer(&mut self, line: &[u8]) {
        let number = self.offered;
        self.offered += 1;
        let is_first = self.types.len() < FIRSTS_MAX && self.is_new_type(line);
        if !is_first && !number.is_multiple_of(self.stride) {
            return;
        }
        self.bytes += line.len();
        self.kept.insert(number, (is_first, line.to_vec()));
        while self.is_full() && self.thin() {}
    }

    /// How many records were offered.
    pub fn offered(&self) -> u64 {
        self.offered
    }

    /// The samples, in the order they came.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.kept.values().map(|(_, line)| line.as_slice())
    }

    fn is_full(&self) -> bool {
        self.kept.len() - self.types.len() > SPREAD_MAX || self.bytes > BYTES_MAX
    }

    /// Drops every second of the evenly spread records; false when none can be dropped.
    fn thin(&mut self) -> bool {
        let before = self.kept.len();
        self.stride = self.stride.saturating_mul(2);
        let stride = self.stride;
        self.kept.retain(|number, (is_first, _)| *is_first || number.is_multiple_of(stride));
        self.bytes = self.kept.values().map(|(_, line)| line.len()).sum();
        self.kept.len() < before
    }

    fn is_new_type(&mut self, line: &[u8]) -> bool {
        let Ok(record) = json::read_object(line, self.limits) else { return false };
        let schema = Schema::infer([&record]);
        let path = schema
            .find(TYPE, 0.0, |column| column.is_own() && column.all(|node| matches!(node, Node::Text(_))));
        let Some(Node::Text(word)) = path.and_then(|path| schema.columns[path].values.first()) else {
            return false;
        };
        self.types.insert(word.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_over_the_file_and_miss_no_type() {
        let limits = Limits::default();
        let mut samples = Samples::new(&limits);
        for number in 0..100_000 {
            let kind = if number == 77_777 { "rare" } else { "common" };
            samples.offer(format!("{{\"type\":\"{kind}\",\"n\":{number}}}").as_bytes());
        }
        let lines: Vec<String> =
            samples.lines().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        assert_eq!(samples.offered(), 100_000);
        assert!((SPREAD_MAX / 2..=SPREAD_MAX + 2).contains(&lines.len()), "{}", lines.len());
        assert!(lines.iter().any(|line| line.contains("rare")));
        assert!(lines.last().unwrap().contains("\"n\":99"), "{lines:?}");
    }

    #[test]
    fn long_records_make_for_fewer_samples() {
        let limits = Limits::default();
        let mut samples = Samples::new(&limits);
        let long = vec![b' '; BYTES_MAX / 8];
        (0..100).for_each(|_| samples.offer(&long));
        assert!((1..=8).contains(&samples.lines().count()), "{}", samples.lines().count());
    }
}
