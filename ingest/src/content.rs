//! The fingerprint of an event's content: the same id with another fingerprint is a conflict, never an overwrite.
//!
//! Content is the accepted event, after mapping and scaling, by its texts: source, id, subject, user, actor, product,
//! type, time, quantity, amount, properties and unknown fields. The generation, the time of recording, the position
//! and the raw bytes are left out, so key order, white space and `1.0` for `1` are no conflict.
//!
//! Format 1, fixed: SipHash-1-3 with a zero key over the fields in the order of [`Event`]; a text is its length
//! (u32, little endian) and its bytes, an optional field is preceded by 0 or 1, numbers are little endian.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use tidewatch_projections::event::{Event, Subject};
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::value::Value;

/// The 64-bit fingerprint of the event's content, equal on every machine and in every run.
pub fn fingerprint(names: &Names, event: &Event) -> u64 {
    let mut content = Content { names, hasher: SipHasher13::new(), held: [0; HELD_BYTES], held_len: 0 };
    content.symbol(event.source);
    content.text(&event.id);
    match event.subject {
        Subject::Account(account) => {
            content.tag(0);
            content.symbol(account);
        }
        Subject::Ref { system, id } => {
            content.tag(1);
            content.symbol(system);
            content.symbol(id);
        }
        Subject::User => content.tag(2),
    }
    content.optional(event.user);
    content.text(event.actor.name());
    content.optional(event.product);
    content.text(event.kind.name(names));
    content.integer(event.occurred_at);
    content.tag(u8::from(event.quantity.is_some()));
    if let Some(quantity) = event.quantity {
        content.integer(quantity);
    }
    content.tag(u8::from(event.amount.is_some()));
    if let Some(amount) = event.amount {
        content.integer(amount.minor);
        content.text(amount.currency.code());
    }
    content.optional(event.feature);
    content.optional(event.metric);
    content.length(event.properties.len());
    for (key, value) in &event.properties {
        content.symbol(*key);
        content.value(value);
    }
    content.bytes(&event.unknown);
    content.finish()
}

/// Bytes handed to the hasher at once: it is slow at a few bytes at a time.
const HELD_BYTES: usize = 256;

struct Content<'n> {
    names: &'n Names,
    hasher: SipHasher13,
    held: [u8; HELD_BYTES],
    held_len: usize,
}

impl Content<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let end = self.held_len + bytes.len();
        match self.held.get_mut(self.held_len..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.held_len = end;
            }
            None => self.hand_over(bytes),
        }
    }

    #[cold]
    fn hand_over(&mut self, bytes: &[u8]) {
        self.hasher.write(&self.held[..self.held_len]);
        self.held_len = 0;
        match self.held.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.held_len = bytes.len();
            }
            None => self.hasher.write(bytes),
        }
    }

    fn finish(mut self) -> u64 {
        self.hasher.write(&self.held[..self.held_len]);
        self.hasher.finish()
    }

    fn tag(&mut self, tag: u8) {
        self.write(&[tag]);
    }

    fn length(&mut self, length: usize) {
        let length = u32::try_from(length).expect("records are limited far below 4 GiB");
        self.write(&length.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.write(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn integer(&mut self, number: i64) {
        self.write(&number.to_le_bytes());
    }

    fn symbol(&mut self, symbol: Symbol) {
        self.text(self.names.text(symbol));
    }

    fn optional(&mut self, symbol: Option<Symbol>) {
        self.tag(u8::from(symbol.is_some()));
        if let Some(symbol) = symbol {
            self.symbol(symbol);
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.tag(0),
            Value::Bool(truth) => self.tag(1 + u8::from(*truth)),
            Value::Number(number) => {
                self.tag(3);
                self.write(&number.mantissa().to_le_bytes());
                self.write(&number.exponent().to_le_bytes());
            }
            Value::Text(text) => {
                self.tag(4);
                self.text(text);
            }
            Value::List(items) => {
                self.tag(5);
                self.length(items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Object(fields) => {
                self.tag(6);
                self.length(fields.len());
                for (key, value) in fields {
                    self.text(key);
                    self.value(value);
                }
            }
        }
    }
}
