//! From raw records to outcomes: the one place that knows which format a source speaks.

use std::sync::Arc;

use tidewatch_projections::event::Event;
use tidewatch_projections::names::{Names, Symbol};

use crate::batch::{Batch, Item, Outcome, RawBatch, RawRecord};
use crate::content;
use crate::draft::Decoding;
use crate::limits::Limits;
use crate::mapping::Mapping;
use crate::native;
use crate::reject::Rejection;

/// How the records of a source are written.
#[derive(Clone, Debug)]
pub enum Format {
    /// The envelope of health-model §1, one JSON object a record.
    Native,
    /// Any JSON objects, translated by a mapping.
    Mapped(Arc<Mapping>),
}

/// Decodes the batches of one source. Cheap to clone; decoders of several threads share nothing but the names.
#[derive(Clone)]
pub struct Decoder {
    names: Arc<Names>,
    tenant: Arc<str>,
    source: Symbol,
    limits: Limits,
    format: Format,
}

impl Decoder {
    /// A decoder for `source` in a directory of `tenant`.
    pub fn new(names: Arc<Names>, tenant: &str, source: &str, limits: Limits, format: Format) -> Self {
        let source = names.intern(source);
        Self { names, tenant: tenant.into(), source, limits, format }
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
        let with =
            Decoding { names: &self.names, tenant: &self.tenant, source: self.source, limits: &self.limits };
        let RawRecord { bytes, origin } = record;
        // Of a record past the limit only the bytes within it are kept.
        let kept = bytes.start..bytes.end.min(bytes.start.saturating_add(self.limits.record_bytes_max));
        let mut push =
            |outcome: Outcome| items.push(Item { outcome, bytes: kept.clone(), origin: origin.clone() });
        let line = &payload[bytes];
        match &self.format {
            Format::Native => push(self.outcome(native::decode(line, &with, &origin).map(Some))),
            Format::Mapped(mapping) => {
                mapping.apply(line, &with, &origin, &mut |made| push(self.outcome(made.result)));
            }
        }
    }

    fn outcome(&self, decoded: Result<Option<Event>, Rejection>) -> Outcome {
        match decoded {
            Ok(None) => Outcome::Filtered,
            Ok(Some(event)) => {
                let fingerprint = content::fingerprint(&self.names, &event);
                Outcome::Event { event: Box::new(event), fingerprint }
            }
            Err(rejection) => Outcome::Rejected(rejection),
        }
    }
}
