//! Prints entries as JSON, one object a line, for people and their tools. The format is not read back.

use std::io::{self, Write};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use tidewatch_projections::event::{Event, Micros, Subject};
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::value::Value;

use super::entry::{ControlRecord, DeadLetter, Entry};
use super::error::LogError;
use super::frame::Frame;
use super::id::hex_text;
use super::reader::LogReader;
use crate::storage::disk::Disk;

/// Why a dump stopped.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The output takes nothing more.
    #[error("cannot write the dump: {0}")]
    Output(#[from] io::Error),
}

/// Writes entries `from_seq` to `until_seq` of the log in a directory, both included, and says how many there were. `control` says what a
/// control entry means; where it does not know, kind and bytes are written.
///
/// # Errors
/// [`DumpError`]; lines before it were written.
pub fn dump(
    disk: Arc<dyn Disk>,
    dir: &str,
    (from_seq, until_seq): (u64, u64),
    control: &dyn Fn(&ControlRecord) -> Option<Json>,
    out: &mut dyn Write,
) -> Result<u64, DumpError> {
    let names = Arc::new(Names::new());
    let mut reader = LogReader::new(disk, dir, Arc::clone(&names), from_seq);
    let mut count = 0;
    while let Some(frame) = reader.next_frame()? {
        for (seq, entry) in &frame.entries {
            if *seq > until_seq {
                return Ok(count);
            }
            serde_json::to_writer(&mut *out, &line(&frame, *seq, entry, &names, control))
                .map_err(io::Error::from)?;
            out.write_all(b"\n")?;
            count += 1;
        }
    }
    Ok(count)
}

fn line(
    frame: &Frame,
    seq: u64,
    entry: &Entry,
    names: &Names,
    control: &dyn Fn(&ControlRecord) -> Option<Json>,
) -> Json {
    let (kind, mut fields) = match entry {
        Entry::Event(event) => ("event", event_fields(event, names)),
        Entry::DeadLetter(letter) => ("dead_letter", letter_fields(letter, names)),
        Entry::Control(record) => ("control", control_fields(record, control)),
    };
    fields.insert("seq".into(), seq.into());
    fields.insert("frame".into(), frame.header.frame_no.into());
    fields.insert("entry".into(), kind.into());
    fields.insert("recorded_at".into(), time(frame.header.recorded_at));
    Json::Object(fields)
}

/// RFC 3339, or microseconds for instants outside its years.
pub(crate) fn time(at: Micros) -> Json {
    jiff::Timestamp::from_microsecond(at).map_or_else(|_| at.into(), |at| at.to_string().into())
}

fn bytes(bytes: &[u8]) -> Json {
    std::str::from_utf8(bytes).map_or_else(|_| json!({ "hex": hex_text(bytes) }), Into::into)
}

fn event_fields(event: &Event, names: &Names) -> Map<String, Json> {
    let mut fields = Map::new();
    let name = |symbol: Symbol| Json::from(names.text(symbol));
    fields.insert("source".into(), name(event.source));
    fields.insert("generation".into(), event.generation.into());
    fields.insert("id".into(), (*event.id).into());
    fields.insert("type".into(), event.kind.name(names).into());
    fields.insert("occurred_at".into(), time(event.occurred_at));
    fields.insert("actor".into(), event.actor.name().into());
    match event.subject {
        Subject::Account(account) => drop(fields.insert("account".into(), name(account))),
        Subject::Ref { system, id } => {
            drop(fields.insert("ref".into(), json!({ "system": name(system), "id": name(id) })));
        }
        Subject::User => {}
    }
    let optional = [
        ("user", event.user),
        ("product", event.product),
        ("feature", event.feature),
        ("metric", event.metric),
    ];
    for (key, symbol) in optional {
        if let Some(symbol) = symbol {
            fields.insert(key.into(), name(symbol));
        }
    }
    if let Some(quantity) = event.quantity {
        fields.insert("quantity_millionths".into(), quantity.into());
    }
    if let Some(amount) = event.amount {
        let amount = json!({ "minor": amount.minor, "currency": amount.currency.code() });
        fields.insert("amount".into(), amount);
    }
    if !event.properties.is_empty() {
        let properties =
            event.properties.iter().map(|(key, value)| (names.text(*key).into(), json_of(value)));
        fields.insert("properties".into(), Json::Object(properties.collect()));
    }
    if !event.unknown.is_empty() {
        fields.insert("unknown".into(), bytes(&event.unknown));
    }
    fields
}

/// Numbers as far as JSON tools keep them: whole ones exactly, all others as text of their exact decimal.
fn json_of(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => {
            let text = number.to_string();
            text.parse::<i64>().map_or(Json::String(text), Into::into)
        }
        Value::Text(text) => (**text).into(),
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Object(fields) => {
            Json::Object(fields.iter().map(|(key, item)| (key.to_string(), json_of(item))).collect())
        }
    }
}

fn letter_fields(letter: &DeadLetter, names: &Names) -> Map<String, Json> {
    let mut fields = Map::new();
    fields.insert("source".into(), names.text(letter.source).into());
    fields.insert("reason".into(), letter.reason.name().into());
    fields.insert("detail".into(), (*letter.detail).into());
    fields.insert("origin".into(), letter.origin.id(names).into());
    fields.insert("at".into(), time(letter.at));
    fields.insert("original".into(), bytes(&letter.original));
    fields
}

fn control_fields(
    record: &ControlRecord,
    control: &dyn Fn(&ControlRecord) -> Option<Json>,
) -> Map<String, Json> {
    let mut fields = Map::new();
    fields.insert("kind".into(), record.kind.into());
    let content = control(record).unwrap_or_else(|| json!({ "hex": hex_text(&record.payload) }));
    fields.insert("control".into(), content);
    fields
}
