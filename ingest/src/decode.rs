//! Decodes raw records, in native JSON or through a mapping, into events and rejections.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tidewatch_projections::event::Event;
use tidewatch_projections::names::{Names, Symbol};

use crate::batch::{Batch, Item, Outcome, RawBatch, RawRecord};
use crate::content;
use crate::contract::{self, UnreadProperty};
use crate::draft::DecodeContext;
use crate::limits::Limits;
use crate::mapping::Mapping;
use crate::native;
use crate::reject::Rejection;

/// The format of a source's records.
#[derive(Clone, Debug)]
pub enum Format {
    /// The event envelope of health-model §1, one JSON object per record.
    Native,
    /// Any JSON objects, translated to events by a mapping.
    Mapped(Arc<Mapping>),
}

/// Decodes the batches of one source. Cheap to clone; clones share the names and the count of fields left unread.
#[derive(Clone)]
pub struct Decoder {
    names: Arc<Names>,
    tenant: Arc<str>,
    source: Symbol,
    limits: Limits,
    format: Format,
    unread: Arc<UnreadFields>,
}

/// Counts the fields of accepted events whose value is not what the contract says.
#[derive(Default)]
struct UnreadFields {
    count: AtomicU64,
    /// Those already logged, by type and key. Both are names of the contract, so there are few.
    logged: Mutex<BTreeSet<(&'static str, &'static str)>>,
}

impl UnreadFields {
    fn note(&self, source: &str, unread: &UnreadProperty) {
        let UnreadProperty { type_name, key, detail } = unread;
        self.count.fetch_add(1, Ordering::Relaxed);
        if self.logged.lock().unwrap_or_else(PoisonError::into_inner).insert((type_name, key)) {
            tracing::warn!(source, "properties.{key} of {type_name} is kept and not read: {detail}");
        }
    }
}

impl Decoder {
    /// A decoder for `source` in a directory of `tenant`.
    pub fn new(names: Arc<Names>, tenant: &str, source: &str, limits: Limits, format: Format) -> Self {
        let source = names.intern(source);
        Self { names, tenant: tenant.into(), source, limits, format, unread: Arc::default() }
    }

    /// The number of fields in the events decoded so far, by this decoder and its clones, that are kept unchanged and not
    /// read because their value is not what the contract says. Each (type, field) is logged once.
    pub fn unread_fields(&self) -> u64 {
        self.unread.count.load(Ordering::Relaxed)
    }

    /// Decodes every record. Nothing is lost: each record gives at least one outcome, in the order of the source.
    pub fn decode(&self, raw: RawBatch) -> Batch {
        let mut items = Vec::with_capacity(raw.records.len());
        for record in raw.records {
            self.decode_record(&raw.payload, record, &mut items);
        }
        Batch { source: self.source, payload: raw.payload, items, progress: raw.progress }
    }

    fn decode_record(&self, payload: &[u8], record: RawRecord, items: &mut Vec<Item>) {
        let with = DecodeContext {
            names: &self.names,
            tenant: &self.tenant,
            source: self.source,
            limits: &self.limits,
        };
        let RawRecord { bytes, whole_bytes, origin } = record;
        // Of a record past the limit only the bytes within it are kept.
        let kept = bytes.start..bytes.end.min(bytes.start.saturating_add(self.limits.record_bytes_max));
        let mut push = |outcome: Outcome| {
            items.push(Item { outcome, bytes: kept.clone(), whole_bytes, origin: origin.clone() })
        };
        let line = &payload[bytes];
        match &self.format {
            Format::Native => push(self.outcome(native::decode(line, &with, &origin).map(Some))),
            Format::Mapped(mapping) => {
                mapping.apply(line, &with, &origin, &mut |emitted| push(self.outcome(emitted.result)));
            }
        }
    }

    fn outcome(&self, decoded: Result<Option<Event>, Rejection>) -> Outcome {
        match decoded {
            Ok(None) => Outcome::Filtered,
            Ok(Some(event)) => {
                for unread in contract::unread(&self.names, &event) {
                    self.unread.note(self.names.text(self.source), &unread);
                }
                let fingerprint = content::fingerprint(&self.names, &event);
                Outcome::Event { event: Box::new(event), fingerprint }
            }
            Err(rejection) => Outcome::Rejected(rejection),
        }
    }
}
