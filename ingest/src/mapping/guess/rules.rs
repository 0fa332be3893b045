//! Writes the rules of a proposal: the contract's type for each type of the feed, and the paths of its properties.

use std::collections::BTreeMap;

use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::vocabulary::{EventType, Family};

use super::kinds;
use super::money::Money;
use super::proposal::{Proposal, quote};
use super::schema::{Column, Schema};
use super::words::{AMOUNT, CSAT, FEATURE, INVOICE, NPS, QUANTITY, SCORE, SUBSCRIPTION, THINGS, TICKET};
use crate::json::{Fields, Node};

/// Distinct types given a rule; the others keep their own name.
const TYPES_MAX: usize = 60;

/// The type of all records of a feed that names none, by a field that only one type has.
pub(super) fn without_type(all: &Schema<'_>) -> (EventType, &'static str) {
    match (score(all, NPS, 0, 10), score(all, CSAT, 1, 5)) {
        (Some(_), _) => (EventType::NpsAnswered, "an answer to an NPS survey"),
        (None, Some(_)) => (EventType::CsatAnswered, "an answer to a satisfaction survey"),
        (None, None) => (EventType::Usage, "a use of the product"),
    }
}

/// Writes a rule for each type of the feed that matches a type of the contract.
pub(super) fn rules(proposal: &mut Proposal, records: &[Fields<'_>], kind: &str, id: Option<&str>) {
    let path = crate::mapping::path::Path::parse(kind).expect("a schema writes valid paths");
    let mut by_word: BTreeMap<&str, Vec<&Fields<'_>>> = BTreeMap::new();
    for record in records {
        if let Some(Node::Text(word)) = path.find(record) {
            by_word.entry(word).or_default().push(record);
        }
    }
    let mut words: Vec<(&str, Vec<&Fields<'_>>)> = by_word.into_iter().collect();
    words.sort_by_key(|(_, records)| std::cmp::Reverse(records.len()));
    if words.len() > TYPES_MAX {
        proposal.file += "\n";
        proposal.ask(format!(
            "{kind} has {} types; rules were made for the {TYPES_MAX} most frequent, the others keep their names.",
            words.len()
        ));
    }
    for (word, records) in words.into_iter().take(TYPES_MAX) {
        let schema = Schema::infer(records);
        match kinds::meaning(word) {
            Some(meant) => rule(proposal, word, Some((kind, word)), meant, &schema, word, id),
            None => own_name(proposal, (kind, word), &schema, "no type of the contract comes to mind"),
        }
    }
}

/// Writes the rule by which records become this type, with an open question for each property that the feed lacks.
pub(super) fn rule(
    proposal: &mut Proposal,
    name: &str,
    when: Option<(&str, &str)>,
    meant: EventType,
    schema: &Schema<'_>,
    word: &str,
    id: Option<&str>,
) {
    let (meant, properties) = match needed(meant, schema, word, id) {
        Some(properties) => (meant, properties),
        None if meant.family() == Some(Family::Support) => {
            proposal.file += "\n";
            proposal.ask(format!(
                "No field of {} looks like the ticket's id: the event counts as support and opens no ticket.",
                quote(word)
            ));
            (EventType::TicketUpdated, Vec::new())
        }
        None => {
            let like = format!("a field that {} needs was not found", meant.known_name().unwrap_or_default());
            if let Some(when) = when {
                own_name(proposal, when, schema, &like);
            }
            return;
        }
    };
    let known = meant.known_name().unwrap_or("usage");
    if when.is_some() {
        proposal.found.push((word.to_owned(), known.to_owned()));
    }
    proposal.file += &format!("\n[[rules]]\nname = {}\n", quote(name));
    if let Some((path, word)) = when {
        proposal.file += &format!("when = {{ {} = {} }}\n", quote(path), quote(word));
    }
    proposal.file += &format!("type = {}\n", quote(known));
    let billing = meant.family() == Some(Family::Billing);
    if billing && let Some(amount) = schema.find(AMOUNT, 0.5, Column::is_number) {
        match Money::of(schema, amount) {
            Some(money) => money.write(proposal, word),
            None => proposal.ask(format!(
                "{amount} of {} looks like money, but no field is its currency; it is kept as a property.",
                quote(word)
            )),
        }
    }
    if meant == EventType::Usage {
        let quantity = schema.find(QUANTITY, 0.5, Column::is_number);
        let amount = schema.find(AMOUNT, 0.5, Column::is_number);
        match (quantity, amount) {
            (Some(quantity), _) => proposal.file += &format!("quantity = {}\n", quote(quantity)),
            (None, Some(amount)) => proposal.ask(format!(
                "{amount} of {} is a number; add quantity = {} if it says how much was used.",
                quote(word),
                quote(amount)
            )),
            (None, None) => {}
        }
    }
    if !properties.is_empty() {
        let fields: Vec<String> =
            properties.iter().map(|(key, source)| format!("{key} = {}", quote(source))).collect();
        proposal.file += &format!("properties = {{ {} }}\n", fields.join(", "));
    }
}

/// The properties that a type needs and where they stand; `None` where one of them is not found.
fn needed(
    meant: EventType,
    schema: &Schema<'_>,
    word: &str,
    id: Option<&str>,
) -> Option<Vec<(&'static str, String)>> {
    let find = |words: &[&str]| schema.find(words, 1.0, Column::is_name).map(str::to_owned);
    let thing = || thing_id(schema, id).map(str::to_owned);
    let (key, path) = match meant {
        EventType::Usage => {
            let is_text = |column: &Column<'_>| column.all(|node| matches!(node, Node::Text(_)));
            let feature = schema.find(FEATURE, 1.0, is_text).map(str::to_owned);
            // Without a field for it the feed's own word is the feature.
            ("feature", Some(feature.unwrap_or_else(|| word.to_owned())))
        }
        EventType::TicketUpdated => {
            return Some(find(TICKET).map(|path| ("ticket_id", path)).into_iter().collect());
        }
        EventType::SubscriptionPaused | EventType::SubscriptionResumed => {
            return Some(find(SUBSCRIPTION).map(|path| ("subscription_id", path)).into_iter().collect());
        }
        EventType::RefundIssued | EventType::CreditIssued => return Some(Vec::new()),
        EventType::InvoiceIssued
        | EventType::InvoicePaid
        | EventType::PaymentFailed
        | EventType::InvoiceVoided => {
            ("invoice_id", find(INVOICE).or_else(thing).or_else(|| id.map(str::to_owned)))
        }
        EventType::NpsAnswered => {
            ("score", score(schema, NPS, 0, 10).or_else(|| score(schema, SCORE, 0, 10)))
        }
        EventType::CsatAnswered => {
            ("score", score(schema, CSAT, 1, 5).or_else(|| score(schema, SCORE, 1, 5)))
        }
        kind if kind.family() == Some(Family::Support) => ("ticket_id", find(TICKET).or_else(thing)),
        kind if is_of_subscription(kind) => ("subscription_id", find(SUBSCRIPTION).or_else(thing)),
        kind => {
            let needs_nothing = crate::contract::rules(kind).iter().all(|rule| !rule.required);
            return needs_nothing.then(Vec::new);
        }
    };
    path.map(|path| vec![(key, path)])
}

fn is_of_subscription(kind: EventType) -> bool {
    kind.known_name().is_some_and(|name| name.starts_with("subscription_") || name.starts_with("trial_"))
}

/// The path of the id of the entity that the record is about, as `data.object.id`, where the record has an id of its own.
fn thing_id<'s>(schema: &'s Schema<'_>, id: Option<&str>) -> Option<&'s str> {
    let is_thing = |column: &Column<'_>| {
        let [.., parent, name] = column.names.as_slice() else { return false };
        name == "id" && THINGS.contains(&parent.as_str()) && column.is_name()
    };
    let path = schema.present(1.0).find(|(path, column)| is_thing(column) && Some(*path) != id);
    path.map(|(path, _)| path)
}

/// Keeps a type outside the contract under its own name; it needs a rule only for an amount.
fn own_name(proposal: &mut Proposal, (path, word): (&str, &str), schema: &Schema<'_>, why: &str) {
    proposal.file += "\n";
    proposal.ask(format!("{} is kept under its own name: {why}.", quote(word)));
    let amount = schema.find(AMOUNT, 0.5, Column::is_number);
    if let Some(money) = amount.and_then(|amount| Money::of(schema, amount)) {
        let (name, path) = (quote(word), quote(path));
        proposal.file += &format!("[[rules]]\nname = {name}\nwhen = {{ {path} = {name} }}\n");
        money.write(proposal, word);
    }
}

fn score(schema: &Schema<'_>, words: &[&str], least: i64, most: i64) -> Option<String> {
    let within = |node: &Node<'_>| match node {
        Node::Number(text) => Decimal::parse(text).is_some_and(|n| n >= least.into() && n <= most.into()),
        _ => false,
    };
    schema.find(words, 1.0, |column| column.all(within)).map(str::to_owned)
}
