//! Entries of the log: events, dead letters and control entries.

use tidewatch_ingest::batch::Origin;
use tidewatch_ingest::reject::Reason;
use tidewatch_projections::event::{Event, Micros};
use tidewatch_projections::names::{Names, Symbol};

use super::bytes::{Bytes, Malformed, malformed, put_blob, put_signed, put_varint};
use super::dictionary::{Dictionary, DictionaryBuilder, Strings as _};
use super::event::{Before, KIND_EVENT, KIND_MASK, put_event, take_event};

/// One entry of the log; its sequence is its place.
#[derive(Clone, PartialEq, Debug)]
pub enum Entry {
    Event(Event),
    DeadLetter(DeadLetter),
    /// An entry of the engine itself.
    Control(ControlRecord),
}

/// A refused record with its original bytes: it can be replayed after a fix.
#[derive(Clone, PartialEq, Debug)]
pub struct DeadLetter {
    /// The source it came from.
    pub source: Symbol,
    pub reason: Reason,
    /// What exactly was wrong, for a person.
    pub detail: Box<str>,
    /// Where the record stood.
    pub origin: Origin,
    /// The record as the source handed it over, or its beginning.
    pub original: Box<[u8]>,
    /// How many bytes the record has in its source.
    pub whole_bytes: u64,
    /// When it was refused, by the engine's clock.
    pub at: Micros,
}

impl DeadLetter {
    /// Whether only the beginning of the record is kept: then it cannot be replayed.
    pub fn is_cut(&self) -> bool {
        (self.original.len() as u64) < self.whole_bytes
    }
}

/// A control entry as it lies in the log. What its kinds mean is not the log's business.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ControlRecord {
    pub kind: u16,
    /// Its content, in the kind's own encoding.
    pub payload: Box<[u8]>,
}

const KIND_DEAD_LETTER: u8 = 2;
const KIND_CONTROL: u8 = 3;
/// In the tag of a dead letter: the original is cut, and the length of the whole follows the time.
const IS_CUT: u8 = 1 << 3;

// 1 was a record of Kafka without its topic's id, before the first release.
const ORIGIN_LINE: u8 = 2;
const ORIGIN_KAFKA: u8 = 3;

/// An entry to be written.
#[derive(Clone, Copy)]
pub(crate) enum EntryRef<'a> {
    Event(&'a Event),
    DeadLetter(&'a DeadLetter),
    Control(u16, &'a [u8]),
}

pub(crate) fn put_entry(
    out: &mut Vec<u8>,
    entry: EntryRef<'_>,
    names: &Names,
    dictionary: &mut DictionaryBuilder,
    before: &mut Before,
) {
    match entry {
        EntryRef::Event(event) => put_event(out, event, names, dictionary, before),
        EntryRef::DeadLetter(letter) => put_dead_letter(out, letter, names, dictionary),
        EntryRef::Control(kind, payload) => {
            out.push(KIND_CONTROL);
            put_varint(out, u64::from(kind));
            put_blob(out, payload);
        }
    }
}

fn put_dead_letter(
    out: &mut Vec<u8>,
    letter: &DeadLetter,
    names: &Names,
    dictionary: &mut DictionaryBuilder,
) {
    out.push(KIND_DEAD_LETTER | if letter.is_cut() { IS_CUT } else { 0 });
    let mut reference =
        |out: &mut Vec<u8>, symbol| put_varint(out, u64::from(dictionary.number(names, symbol)));
    reference(out, letter.source);
    // By name: the list of reasons grows without a table of numbers here.
    put_blob(out, letter.reason.name().as_bytes());
    put_signed(out, letter.at);
    if letter.is_cut() {
        put_varint(out, letter.whole_bytes);
    }
    match letter.origin {
        Origin::Kafka { topic, topic_id, partition, offset } => {
            out.push(ORIGIN_KAFKA);
            reference(out, topic);
            reference(out, topic_id);
            put_signed(out, i64::from(partition));
            put_signed(out, offset);
        }
        Origin::Line { digest, line } => {
            out.push(ORIGIN_LINE);
            reference(out, digest);
            put_varint(out, line);
        }
    }
    put_blob(out, letter.detail.as_bytes());
    put_blob(out, &letter.original);
}

pub(crate) fn take_entry(
    bytes: &mut Bytes<'_>,
    dictionary: &Dictionary,
    before: &mut Before,
) -> Result<Entry, Malformed> {
    let tag = bytes.byte("entry kind")?;
    match tag & KIND_MASK {
        KIND_EVENT => Ok(Entry::Event(take_event(tag, bytes, dictionary, before)?)),
        KIND_DEAD_LETTER => Ok(Entry::DeadLetter(take_dead_letter(tag, bytes, dictionary)?)),
        KIND_CONTROL => Ok(Entry::Control(ControlRecord {
            kind: u16::try_from(bytes.varint("control kind")?).or(malformed("control kind"))?,
            payload: bytes.blob("control payload")?.into(),
        })),
        _ => malformed("entry kind"),
    }
}

/// Goes past an entry that is no event and that nobody asked for.
pub(crate) fn pass_other(tag: u8, bytes: &mut Bytes<'_>) -> Result<(), Malformed> {
    match tag & KIND_MASK {
        KIND_DEAD_LETTER => {
            bytes.varint("source")?;
            bytes.blob("reason")?;
            bytes.signed("time of refusal")?;
            if tag & IS_CUT != 0 {
                bytes.varint("length of the original")?;
            }
            match bytes.byte("origin kind")? {
                ORIGIN_KAFKA => {
                    for what in ["topic", "topic id", "partition", "offset"] {
                        bytes.varint(what)?;
                    }
                }
                ORIGIN_LINE => {
                    bytes.varint("file digest")?;
                    bytes.varint("line")?;
                }
                _ => return malformed("origin kind"),
            }
            bytes.blob("detail")?;
            bytes.blob("original bytes")?;
        }
        KIND_CONTROL => {
            bytes.varint("control kind")?;
            bytes.blob("control payload")?;
        }
        _ => return malformed("entry kind"),
    }
    Ok(())
}

fn take_dead_letter(
    tag: u8,
    bytes: &mut Bytes<'_>,
    dictionary: &Dictionary,
) -> Result<DeadLetter, Malformed> {
    let source = dictionary.read(bytes, "source")?;
    let Some(reason) = Reason::from_name(bytes.text("reason")?) else { return malformed("reason") };
    let at = bytes.signed("time of refusal")?;
    let cut_from = (tag & IS_CUT != 0).then(|| bytes.varint("length of the original")).transpose()?;
    let origin = match bytes.byte("origin kind")? {
        ORIGIN_KAFKA => Origin::Kafka {
            topic: dictionary.read(bytes, "topic")?,
            topic_id: dictionary.read(bytes, "topic id")?,
            partition: i32::try_from(bytes.signed("partition")?).or(malformed("partition"))?,
            offset: bytes.signed("offset")?,
        },
        ORIGIN_LINE => {
            Origin::Line { digest: dictionary.read(bytes, "file digest")?, line: bytes.varint("line")? }
        }
        _ => return malformed("origin kind"),
    };
    let detail = bytes.text("detail")?.into();
    let original: Box<[u8]> = bytes.blob("original bytes")?.into();
    let kept_bytes = original.len() as u64;
    if cut_from.is_some_and(|whole_bytes| whole_bytes <= kept_bytes) {
        return malformed("length of the original");
    }
    let whole_bytes = cut_from.unwrap_or(kept_bytes);
    Ok(DeadLetter { source, reason, detail, origin, original, whole_bytes, at })
}
