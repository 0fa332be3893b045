//! Reads and writes native JSON: the event envelope of health-model §1, one object per record.

use std::borrow::Cow;

use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::{Actor, Event, Micros, Money, Subject};
use tidewatch_projections::names::Names;
use tidewatch_projections::value::{Value, write_object, write_text};

use crate::batch::Origin;
use crate::draft::{self, DecodeContext, Draft};
use crate::json::{self, Fields, Node};
use crate::reject::{Reason, Rejection};
use crate::time;

/// Decodes one record in native JSON. Null and empty envelope fields are treated as absent; fields the envelope does
/// not have are kept in [`Event::unknown`].
///
/// # Errors
/// Every typed reason but `from_the_future`, `no_rule`, `id_conflict` and `merge_cycle`.
pub fn decode(record: &[u8], with: &DecodeContext<'_>, origin: &Origin) -> Result<Event, Rejection> {
    let fields = json::read_object(record, with.limits)?;
    read(fields, with)?.finish(with, origin)
}

fn read<'a>(fields: Fields<'a>, with: &DecodeContext<'_>) -> Result<Draft<'a>, Rejection> {
    let mut draft = Draft::default();
    let mut amount = None;
    let mut currency = None;
    let mut unknown: Fields<'a> = Vec::new();
    for (key, node) in fields {
        if node == Node::Null {
            continue;
        }
        match key.as_ref() {
            "tenant" => same_tenant(&text("tenant", node)?, with.tenant)?,
            "source" => draft.source = Some(text("source", node)?),
            "id" => draft.id = Some(text("id", node)?),
            "account" => draft.account = Some(text("account", node)?),
            "ref" => draft.reference = Some(reference(node)?),
            "user" => draft.user = Some(text("user", node)?),
            "actor" => draft.actor = actor(&text("actor", node)?)?,
            "product" => draft.product = Some(text("product", node)?),
            "type" => draft.kind = Some(text("type", node)?),
            "occurred_at" => draft.occurred_at = Some(instant(&node)?),
            "quantity" => draft.quantity = Some(quantity(&node)?),
            "amount" => amount = Some(node),
            "currency" => currency = Some(text("currency", node)?).filter(|code| !code.is_empty()),
            "properties" => draft.properties = properties(node)?,
            _ => unknown.push((key, node)),
        }
    }
    match (amount, currency) {
        (Some(amount), Some(code)) => draft.amount = Some(money(&amount, &code)?),
        (Some(_), None) => {
            return Err(draft::bad_amount("an amount needs a currency, which is absent or empty"));
        }
        // A currency without an amount means nothing; it is kept as it came.
        (None, Some(code)) => unknown.push((Cow::Borrowed("currency"), Node::Text(code))),
        (None, None) => {}
    }
    if !unknown.is_empty() {
        let mut bytes = Vec::new();
        Node::Object(unknown).to_value()?.write_json(&mut bytes);
        draft.unknown = bytes.into();
    }
    Ok(draft)
}

fn bad_field(detail: String) -> Rejection {
    Rejection::new(Reason::BadField, detail)
}

fn text<'a>(field: &str, node: Node<'a>) -> Result<Cow<'a, str>, Rejection> {
    match node {
        Node::Text(text) => Ok(text),
        other => Err(bad_field(format!("{field} is {}; it must be a text", other.kind()))),
    }
}

fn same_tenant(given: &str, expected: &str) -> Result<(), Rejection> {
    if given.is_empty() || given == expected {
        return Ok(());
    }
    let detail = format!("the record is of tenant {given:?}; this directory holds {expected:?}");
    Err(Rejection::new(Reason::WrongTenant, detail))
}

/// The actor of this name; the empty text is the default.
///
/// # Errors
/// `bad_field` for any other name.
pub fn actor(name: &str) -> Result<Actor, Rejection> {
    if name.is_empty() {
        return Ok(Actor::default());
    }
    Actor::from_name(name)
        .ok_or_else(|| bad_field(format!("actor is {name:?}; it must be person, service or internal")))
}

fn reference<'a>(node: Node<'a>) -> Result<(Cow<'a, str>, Cow<'a, str>), Rejection> {
    let Node::Object(fields) = node else {
        return Err(bad_field(format!("ref is {}; it must be an object of system and id", node.kind())));
    };
    let (mut system, mut id) = (Cow::Borrowed(""), Cow::Borrowed(""));
    for (key, node) in fields {
        match key.as_ref() {
            _ if node == Node::Null => {}
            "system" => system = text("ref.system", node)?,
            "id" => id = text("ref.id", node)?,
            other => {
                return Err(bad_field(format!("ref has the field {other:?}; it takes system and id only")));
            }
        }
    }
    Ok((system, id))
}

fn instant(node: &Node<'_>) -> Result<Micros, Rejection> {
    let bad = |detail: String| Rejection::new(Reason::BadTime, detail);
    match node {
        Node::Text(text) => time::read_rfc3339(text),
        Node::Number(text) if is_integer(text) => time::in_range(
            text.parse().map_err(|_| bad(format!("occurred_at {text} does not fit 64 bits of µs")))?,
        ),
        Node::Number(text) => {
            Err(bad(format!("occurred_at {text} is no integer of microseconds since the epoch")))
        }
        other => Err(bad(format!("occurred_at is {}; it must be RFC 3339 text or integer µs", other.kind()))),
    }
}

fn is_integer(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

fn quantity(node: &Node<'_>) -> Result<i64, Rejection> {
    draft::quantity_of(match node {
        Node::Number(text) => json::read_number(text)?,
        Node::Text(text) => Decimal::parse(text)
            .ok_or_else(|| bad_field(format!("quantity {text:?} is no decimal number")))?,
        other => return Err(bad_field(format!("quantity is {}; it must be a number", other.kind()))),
    })
}

/// A JSON integer counts minor units; with a point or an exponent, or in quotes, it counts major units.
fn money(node: &Node<'_>, code: &str) -> Result<Money, Rejection> {
    let currency = draft::currency_of(code)?;
    let unreadable = |text: &str| draft::bad_amount(format!("amount {text:?} is no decimal number"));
    let major = match node {
        Node::Number(text) if is_integer(text) => {
            let minor =
                Decimal::parse(text).and_then(|number| number.scaled(0)).ok_or_else(|| unreadable(text))?;
            return draft::money_of_minor(minor, currency);
        }
        Node::Number(text) => Decimal::parse(text).ok_or_else(|| unreadable(text))?,
        Node::Text(text) => Decimal::parse(text).ok_or_else(|| unreadable(text))?,
        other => return Err(draft::bad_amount(format!("amount is {}; it must be a number", other.kind()))),
    };
    draft::money_of_major(major, currency, draft::Finer::Refuse)
}

fn properties<'a>(node: Node<'a>) -> Result<Vec<(Cow<'a, str>, Value)>, Rejection> {
    match node {
        Node::Object(fields) => {
            fields.into_iter().map(|(key, node)| node.to_value().map(|value| (key, value))).collect()
        }
        other => Err(bad_field(format!("properties is {}; it must be an object", other.kind()))),
    }
}

/// Appends the event as one line of native JSON, without a line end; decoding it gives the same event (in generation 0).
pub fn write(names: &Names, event: &Event, out: &mut Vec<u8>) {
    let mut line = Line { out, fields: 0 };
    line.text("source", names.text(event.source));
    line.text("id", &event.id);
    match event.subject {
        Subject::Account(account) => line.text("account", names.text(account)),
        Subject::Ref { system, id } => {
            let field = |key: &str, symbol| (key.into(), Value::Text(names.text(symbol).into()));
            line.value("ref", &Value::Object(vec![field("id", id), field("system", system)]));
        }
        Subject::User => {}
    }
    if let Some(user) = event.user {
        line.text("user", names.text(user));
    }
    if event.actor != Actor::default() {
        line.text("actor", event.actor.name());
    }
    if let Some(product) = event.product {
        line.text("product", names.text(product));
    }
    line.text("type", event.kind.name(names));
    line.text("occurred_at", &time::write_rfc3339(event.occurred_at));
    if let Some(quantity) = event.quantity {
        line.value("quantity", &Value::Number(Decimal::new(quantity.into(), -6)));
    }
    if let Some(Money { minor, currency }) = event.amount {
        line.key("amount");
        line.out.extend_from_slice(minor.to_string().as_bytes());
        line.text("currency", currency.code());
    }
    let mut properties: Vec<(&str, &Value)> =
        event.properties.iter().map(|(key, value)| (names.text(*key), value)).collect();
    let named = |symbol: Option<_>| symbol.map(|symbol| Value::Text(names.text(symbol).into()));
    let (feature, metric) = (named(event.feature), named(event.metric));
    properties.extend(feature.iter().map(|value| ("feature", value)));
    properties.extend(metric.iter().map(|value| ("metric", value)));
    properties.sort_unstable_by_key(|(key, _)| *key);
    if !properties.is_empty() {
        line.key("properties");
        write_object(properties.into_iter(), line.out);
    }
    if event.unknown.len() > 2 {
        line.out.push(b',');
        line.out.extend_from_slice(&event.unknown[1..event.unknown.len() - 1]);
    }
    out.push(b'}');
}

struct Line<'o> {
    out: &'o mut Vec<u8>,
    fields: usize,
}

impl Line<'_> {
    fn key(&mut self, key: &str) {
        self.out.push(if self.fields == 0 { b'{' } else { b',' });
        self.fields += 1;
        write_text(key, self.out);
        self.out.push(b':');
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        write_text(text, self.out);
    }

    fn value(&mut self, key: &str, value: &Value) {
        self.key(key);
        value.write_json(self.out);
    }
}
