//! Pauses a source when over half of its last 10,000 records are rejected.

use std::collections::BTreeMap;

use tidewatch_ingest::reject::Reason;
use tidewatch_ingest::source::Stopped;

use crate::write::sequencer::Receipt;

/// A stream is judged each time so many of its records were taken; it is paused when more than half of them were refused.
pub const JUDGED_RECORDS: u64 = 10_000;

/// What became of the records of a stream since it was judged last.
#[derive(Default, Debug)]
pub(super) struct RejectionRate {
    records: u64,
    refused: u64,
    reasons: BTreeMap<Reason, u64>,
}

impl RejectionRate {
    /// Counts a batch; says why the stream is to be paused, if it is.
    pub(super) fn judge(&mut self, source_name: &str, receipt: &Receipt) -> Option<Stopped> {
        let refused = receipt.rejected_count() + receipt.repeated_dead_letters;
        self.records += receipt.accepted + receipt.duplicates + receipt.filtered + refused;
        self.refused += refused;
        for (reason, count) in &receipt.rejected {
            *self.reasons.entry(*reason).or_default() += count;
        }
        if self.records < JUDGED_RECORDS {
            return None;
        }
        let Self { records, refused, reasons } = std::mem::take(self);
        if refused * 2 <= records {
            return None;
        }
        let usual = reasons.iter().max_by_key(|(_, count)| **count);
        let usual = usual.map_or(String::new(), |(reason, _)| format!(", most of them as {}", reason.name()));
        Some(Stopped {
            source_name: source_name.to_owned(),
            stream: "all of its streams".to_owned(),
            cause: "mostly_refused",
            what_happened: format!("{refused} of its last {records} records were refused{usual}"),
            what_to_do: format!(
                "`tidewatch deadletters list --source {source_name}` shows them; correct its mapping or its feed and start it again, \
                 it goes on where it paused"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(accepted: u64, refused: u64) -> Receipt {
        Receipt { accepted, rejected: BTreeMap::from([(Reason::BadTime, refused)]), ..Receipt::default() }
    }

    #[test]
    fn half_of_the_records_may_be_refused_and_no_more() {
        let mut refusals = RejectionRate::default();
        assert_eq!(refusals.judge("app", &receipt(0, JUDGED_RECORDS - 1)), None, "too few to judge");
        let stopped = refusals.judge("app", &receipt(0, 1)).unwrap();
        assert_eq!(
            stopped.what_happened,
            "10000 of its last 10000 records were refused, most of them as bad_time"
        );
        assert_eq!(refusals.judge("app", &receipt(5_000, 5_000)), None);
        assert!(refusals.judge("app", &receipt(4_999, 5_001)).is_some());
        let repeated = Receipt { accepted: 4_000, repeated_dead_letters: 6_000, ..Receipt::default() };
        assert!(refusals.judge("app", &repeated).is_some(), "the same bytes again are refused again");
    }
}
