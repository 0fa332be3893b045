//! Every metric on `/metrics`: name, unit, labels and meaning in one table.
//!
//! Labels are closed: stages, codes and reasons are enums, sources are those of the configuration. So the number of
//! series is known before the first event.

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tidewatch_ingest::reject::Reason;

/// How a figure moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Only up, from 0 at the start of the process.
    Counter,
    /// Up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

#[derive(Clone, Copy, Debug)]
pub struct Meter {
    /// Its name, unit last.
    pub name: &'static str,
    pub shape: Shape,
    /// Its unit, where it has one.
    pub unit: Option<Unit>,
    pub labels: &'static [&'static str],
    pub meaning: &'static str,
}

macro_rules! meters {
    ($($constant:ident = $name:literal $shape:ident $unit:expr, [$($label:literal),*], $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $constant: Meter = Meter {
                name: $name, shape: Shape::$shape, unit: $unit, labels: &[$($label),*], meaning: $meaning,
            };
        )*
        pub const METERS: &[Meter] = &[$($constant),*];
    };
}

meters! {
    RECORDS = "tidewatch_source_records_total" Counter Some(Unit::Count), ["source", "outcome"],
        "Records taken from a source, by what became of them: accepted, duplicate, filtered, rejected.";
    REJECTED = "tidewatch_rejected_total" Counter Some(Unit::Count), ["reason"],
        "New dead letters, by reason; the same bytes refused twice are one.";
    UNREAD_FIELDS = "tidewatch_source_unread_fields_total" Counter Some(Unit::Count), ["source"],
        "Properties of decoded events that are kept as they came and not read: not of the contract's type or values.";
    SOURCE_BYTES = "tidewatch_source_bytes_total" Counter Some(Unit::Bytes), ["source"],
        "Bytes of the records taken from a source.";
    SOURCE_AGE = "tidewatch_source_age_seconds" Gauge Some(Unit::Seconds), ["source"],
        "Wall-clock time since a source's last record was taken.";
    SOURCE_SKIPPED = "tidewatch_source_skipped_total" Counter Some(Unit::Count), ["source", "why"],
        "Records of a source that carry no event and were passed over: tombstones, records that came again, gaps in the offsets.";
    SOURCE_TROUBLES = "tidewatch_source_troubles_total" Counter Some(Unit::Count), ["source", "kind"],
        "Troubles that a source overcame or will, by kind; commit_refused means that another member of its group lives.";
    SOURCE_PARTS = "tidewatch_source_parts" Gauge Some(Unit::Count), ["source", "state"],
        "Partitions of a source: reading, stopped until a person answers, waiting for a leader; and topics that the broker does not have.";
    SOURCE_LAG = "tidewatch_source_lag_records" Gauge Some(Unit::Count), ["source"],
        "Records that a source had not read when its end was last asked for.";
    SOURCE_BEHIND = "tidewatch_source_behind_seconds" Gauge Some(Unit::Seconds), ["source"],
        "How long the first of them waits, as far as is known; 0 when none does.";
    SOURCE_STOPPED = "tidewatch_source_stopped" Gauge None, ["source"],
        "1 while a source, or a part of it, waits for a person.";
    FRAMES = "tidewatch_log_frames_total" Counter Some(Unit::Count), [],
        "Frames that are durable.";
    WRITE_TIME = "tidewatch_log_write_seconds" Histogram Some(Unit::Seconds), [],
        "Time it took to append what waited and sync it.";
    FRAME_ENTRIES = "tidewatch_log_frame_entries" Histogram Some(Unit::Count), [],
        "Entries of one frame.";
    LOG_CUT = "tidewatch_log_cut_bytes" Gauge Some(Unit::Bytes), [],
        "Bytes cut from the end of the log when it was opened: they never were durable, and nobody was told of them.";
    LOG_COPIED = "tidewatch_log_copied_bytes" Gauge Some(Unit::Bytes), [],
        "Bytes of the last segment that were copied when the log was opened, because it had not been closed in order.";
    DISK_FULL = "tidewatch_disk_full" Gauge None, ["what"],
        "1 while no space is left: the log waits and takes nothing in, the table of ids stays in memory and grows.";
    IDS = "tidewatch_ids" Gauge Some(Unit::Count), [],
        "Ids that are known for deduplication.";
    IDS_MEMORY = "tidewatch_ids_memory_bytes" Gauge Some(Unit::Bytes), [],
        "Memory that they take; the rest lies on disk.";
    ACCOUNT_INDEX = "tidewatch_account_index_parts" Gauge Some(Unit::Count), [],
        "Parts of the index of accounts on disk.";
    ACCOUNT_INDEX_BYTES = "tidewatch_account_index_bytes" Gauge Some(Unit::Bytes), [],
        "Bytes of them.";
    ACCOUNT_INDEX_DISCARDED = "tidewatch_account_index_discarded_total" Counter Some(Unit::Count), [],
        "Parts that were damaged, unfinished or of another log; they are made anew from the log, and no answer depends on them.";
    DURABLE = "tidewatch_position_durable" Gauge None, [],
        "The newest sequence that is synced.";
    PUBLISHED = "tidewatch_position_published" Gauge None, [],
        "The newest sequence that answers cover.";
    REFOLDED = "tidewatch_position_refolded" Gauge None, [],
        "How far the log is folded anew beside what answers are read from, after an adoption or a reset; 0 while it is not.";
    REFOLDS = "tidewatch_refolds_total" Counter Some(Unit::Count), ["outcome"],
        "Folds of the log beside what answers are read from: shown, or void because something else was adopted meanwhile.";
    CLOCK = "tidewatch_clock_timestamp_seconds" Gauge Some(Unit::Seconds), [],
        "The event-time watermark: all live sources are complete through it.";
    ACCOUNTS = "tidewatch_accounts" Gauge Some(Unit::Count), [],
        "Accounts known.";
    ACCOUNTS_BY_BAND = "tidewatch_accounts_by_band" Gauge Some(Unit::Count), ["state", "band"],
        "Accounts by state of health and band of the model; the band is empty where there is no score, the state \"past_bounds\" where only the log answers.";
    EVALUATIONS = "tidewatch_health_evaluations_total" Counter Some(Unit::Count), [],
        "Evaluations of an account's health that keep lists up to date.";
    CELLS_BEHIND = "tidewatch_health_lists_behind_entries" Gauge None, [],
        "Entries of the log that answers cover and lists of health were not brought up to yet.";
    CELLS_REFRESH_TIME = "tidewatch_health_lists_refresh_seconds" Histogram Some(Unit::Seconds), [],
        "Time it took to bring lists of health up to the newest answers, which later ones wait for.";
    DAYS_DECIDED = "tidewatch_days_decided_total" Counter Some(Unit::Count), [],
        "Closed days whose alerts were decided.";
    DECIDE_TIME = "tidewatch_decide_seconds" Histogram Some(Unit::Seconds), [],
        "Time it took to judge every account at the close of a day.";
    TRANSITIONS = "tidewatch_alert_transitions_total" Counter Some(Unit::Count), ["rule", "transition"],
        "Transitions of alerts that were decided, by what the alert is called.";
    ALERTS_BY_STATE = "tidewatch_alerts" Gauge Some(Unit::Count), ["state"],
        "Alerts by state, the newest of each account, rule and scope.";
    PAST_BOUNDS = "tidewatch_accounts_past_bounds" Gauge Some(Unit::Count), [],
        "Accounts with more of something than memory keeps; part of their answers comes from the log.";
    PARKED = "tidewatch_parked_events" Gauge Some(Unit::Count), ["source"],
        "Events that wait for a link to their account, by the source they name; sources past 256 are \"others\".";
    CALLS = "tidewatch_calls_total" Counter Some(Unit::Count), ["method", "code"],
        "gRPC calls answered, by method and status code.";
    CALL_TIME = "tidewatch_call_seconds" Histogram Some(Unit::Seconds), ["method"],
        "Time from a call's arrival to the head of its answer.";
    LISTS = "tidewatch_list_positions" Gauge Some(Unit::Count), [],
        "Positions kept for the next pages of lists.";
    PAST_READS = "tidewatch_past_reads" Gauge Some(Unit::Count), ["state"],
        "Reads of the past, which fold or search the log, that are running or waiting.";
    PAST_MEMORY = "tidewatch_past_reads_memory_bytes" Gauge Some(Unit::Bytes), [],
        "Memory of reads of the past and their answers under way, by estimate.";
    PAST_QUESTIONS = "tidewatch_past_reads_total" Counter Some(Unit::Count), ["outcome"],
        "Questions to the past that were refused, that shared the read of an equal one, and reads that all callers left.";
}

/// Bounds of the histograms of times, in seconds: from a fast read to a stalled disk.
const SECONDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// Bounds of the histograms of counts.
const COUNTS: [f64; 8] = [1.0, 10.0, 100.0, 500.0, 1_000.0, 5_000.0, 10_000.0, 50_000.0];

/// The figures of one engine. Engines of one process have their own each, so tests run side by side.
pub struct Meters {
    recorder: PrometheusRecorder,
}

impl Default for Meters {
    fn default() -> Self {
        Self::new()
    }
}

impl Meters {
    /// No figure has moved yet.
    pub fn new() -> Self {
        let buckets = |matcher, bounds: &[f64]| (matcher, bounds.to_vec());
        let mut builder = PrometheusBuilder::new();
        for (matcher, bounds) in [
            buckets(Matcher::Suffix("_seconds".to_owned()), &SECONDS),
            buckets(Matcher::Suffix("_entries".to_owned()), &COUNTS),
        ] {
            builder = builder.set_buckets_for_metric(matcher, &bounds).expect("a histogram has bounds");
        }
        let recorder = builder.build_recorder();
        for meter in METERS {
            let name = KeyName::from_const_str(meter.name);
            match meter.shape {
                Shape::Counter => recorder.describe_counter(name, meter.unit, meter.meaning.into()),
                Shape::Gauge => recorder.describe_gauge(name, meter.unit, meter.meaning.into()),
                Shape::Histogram => recorder.describe_histogram(name, meter.unit, meter.meaning.into()),
            }
        }
        let meters = Self { recorder };
        // A counter that may never move is shown at 0, so that alarms on its rate have a beginning.
        for reason in Reason::ALL {
            meters.counter(&REJECTED, &[reason.name()]).absolute(0);
        }
        meters
    }

    /// The counter under these label values; keep it where it is used often.
    pub fn counter(&self, meter: &Meter, values: &[&str]) -> Counter {
        debug_assert_eq!(meter.shape, Shape::Counter, "{}", meter.name);
        self.recorder.register_counter(&key(meter, values), &METADATA)
    }

    /// The gauge under these label values.
    pub fn gauge(&self, meter: &Meter, values: &[&str]) -> Gauge {
        debug_assert_eq!(meter.shape, Shape::Gauge, "{}", meter.name);
        self.recorder.register_gauge(&key(meter, values), &METADATA)
    }

    /// The histogram under these label values.
    pub fn histogram(&self, meter: &Meter, values: &[&str]) -> Histogram {
        debug_assert_eq!(meter.shape, Shape::Histogram, "{}", meter.name);
        self.recorder.register_histogram(&key(meter, values), &METADATA)
    }

    /// What `/metrics` prints from.
    pub fn page(&self) -> PrometheusHandle {
        self.recorder.handle()
    }
}

static METADATA: Metadata<'static> = Metadata::new("tidewatch", Level::INFO, None);

fn key(meter: &Meter, values: &[&str]) -> Key {
    assert_eq!(meter.labels.len(), values.len(), "{} has labels {:?}", meter.name, meter.labels);
    let labels: Vec<Label> = meter
        .labels
        .iter()
        .zip(values)
        .map(|(label, value)| Label::new(*label, (*value).to_owned()))
        .collect();
    Key::from_parts(meter.name, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_in_their_unit_and_are_unique() {
        for meter in METERS {
            let fits = match (meter.shape, meter.unit) {
                (Shape::Counter, _) => meter.name.ends_with("_total"),
                (_, Some(Unit::Seconds)) => meter.name.ends_with("_seconds"),
                (_, Some(Unit::Bytes)) => meter.name.ends_with("_bytes"),
                _ => true,
            };
            assert!(fits && meter.name.starts_with("tidewatch_"), "{}", meter.name);
            assert_eq!(METERS.iter().filter(|other| other.name == meter.name).count(), 1, "{}", meter.name);
        }
    }

    #[test]
    fn engines_of_one_process_count_apart() {
        let (one, other) = (Meters::new(), Meters::new());
        one.counter(&REJECTED, &["bad_time"]).increment(2);
        one.histogram(&WRITE_TIME, &[]).record(0.002);
        let page = one.page().render();
        assert!(page.contains("tidewatch_rejected_total{reason=\"bad_time\"} 2"), "{page}");
        assert!(page.contains("tidewatch_log_write_seconds_bucket{le=\"0.0025\"} 1"), "{page}");
        assert!(page.contains("# HELP tidewatch_rejected_total"), "{page}");
        assert!(other.page().render().contains("tidewatch_rejected_total{reason=\"bad_time\"} 0"));
    }
}
