//! The rules of a proposal: which type of the contract a feed's words mean, and where its fields stand.

use std::collections::BTreeMap;

use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::vocabulary::{EventType, Family};

use super::kinds;
use super::money::Money;
use super::proposal::{Proposal, quote};
use super::survey::{Column, Survey};
use super::words::{AMOUNT, CSAT, FEATURE, INVOICE, NPS, QUANTITY, SCORE, SUBSCRIPTION, THINGS, TICKET};
use crate::json::{Fields, Node};

/// Distinct types given a rule; the others keep their own name.
const TYPES_MAX: usize = 60;

/// What the records of a feed without types are, by a field that only one type has.
pub(super) fn without_type(all: &Survey<'_>) -> (EventType, &'static str) {
    match (score(all, NPS, 0, 10), score(all, CSAT, 1, 5)) {
        (Some(_), _) => (EventType::NpsAnswered, "an answer to an NPS survey"),
        (None, Some(_)) => (EventType::CsatAnswered, "an answer to a satisfaction survey"),
        (None, None) => (EventType::Usage, "a use of the product"),
    }
}

/// A rule for each type of the contract that the feed's types seem to mean.
pub(super) fn rules(proposal: &mut Proposal, records: &[Fields<'_>], kind: &str, id: Option<&str>) {
    let path = crate::mapping::path::Path::parse(kind).expect("surveys write valid paths");
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
        proposal.doubt(format!(
            "{kind} has {} types; rules were made for the {TYPES_MAX} most frequent, the others keep their names.",
            words.len()
        ));
    }
    for (word, records) in words.into_iter().take(TYPES_MAX) {
        let survey = Survey::of(records);
        match kinds::meaning(word) {
            Some(meant) => rule(proposal, word, Some((kind, word)), meant, &survey, word, id),
            None => own_name(proposal, (kind, word), &survey, "no type of the contract comes to mind"),
        }
    }
}

/// Writes the rule by which records become this type; what the type needs and the feed lacks is a doubt.
pub(super) fn rule(
    proposal: &mut Proposal,
    name: &str,
    when: Option<(&str, &str)>,
    meant: EventType,
    survey: &Survey<'_>,
    word: &str,
    id: Option<&str>,
) {
    let (meant, properties) = match needed(meant, survey, word, id) {
        Some(properties) => (meant, properties),
        None if meant.family() == Some(Family::Support) => {
            proposal.file += "\n";
            proposal.doubt(format!(
                "No field of {} looks like the ticket's id: the event counts as support and opens no ticket.",
                quote(word)
            ));
            (EventType::TicketUpdated, Vec::new())
        }
        None => {
            let like = format!("a field that {} needs was not found", meant.known_name().unwrap_or_default());
            if let Some(when) = when {
                own_name(proposal, when, survey, &like);
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
    if billing && let Some(amount) = survey.find(AMOUNT, 0.5, Column::is_number) {
        match Money::of(survey, amount) {
            Some(money) => money.write(proposal, word),
            None => proposal.doubt(format!(
                "{amount} of {} looks like money, but no field is its currency; it is kept as a property.",
                quote(word)
            )),
        }
    }
    if meant == EventType::Usage {
        let quantity = survey.find(QUANTITY, 0.5, Column::is_number);
        let amount = survey.find(AMOUNT, 0.5, Column::is_number);
        match (quantity, amount) {
            (Some(quantity), _) => proposal.file += &format!("quantity = {}\n", quote(quantity)),
            (None, Some(amount)) => proposal.doubt(format!(
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
    survey: &Survey<'_>,
    word: &str,
    id: Option<&str>,
) -> Option<Vec<(&'static str, String)>> {
    let find = |words: &[&str]| survey.find(words, 1.0, Column::is_name).map(str::to_owned);
    let thing = || thing_id(survey, id).map(str::to_owned);
    let (key, path) = match meant {
        EventType::Usage => {
            let is_text = |column: &Column<'_>| column.all(|node| matches!(node, Node::Text(_)));
            let feature = survey.find(FEATURE, 1.0, is_text).map(str::to_owned);
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
            ("score", score(survey, NPS, 0, 10).or_else(|| score(survey, SCORE, 0, 10)))
        }
        EventType::CsatAnswered => {
            ("score", score(survey, CSAT, 1, 5).or_else(|| score(survey, SCORE, 1, 5)))
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

/// `data.object.id`: the thing itself, where the record has an id of its own.
fn thing_id<'s>(survey: &'s Survey<'_>, id: Option<&str>) -> Option<&'s str> {
    let is_thing = |column: &Column<'_>| {
        let [.., parent, name] = column.names.as_slice() else { return false };
        name == "id" && THINGS.contains(&parent.as_str()) && column.is_name()
    };
    let path = survey.present(1.0).find(|(path, column)| is_thing(column) && Some(*path) != id);
    path.map(|(path, _)| path)
}

/// A type the contract does not have is kept under its own name; only its money needs a rule.
fn own_name(proposal: &mut Proposal, (path, word): (&str, &str), survey: &Survey<'_>, why: &str) {
    proposal.file += "\n";
    proposal.doubt(format!("{} is kept under its own name: {why}.", quote(word)));
    let amount = survey.find(AMOUNT, 0.5, Column::is_number);
    if let Some(money) = amount.and_then(|amount| Money::of(survey, amount)) {
        let (name, path) = (quote(word), quote(path));
        proposal.file += &format!("[[rules]]\nname = {name}\nwhen = {{ {path} = {name} }}\n");
        money.write(proposal, word);
    }
}

fn score(survey: &Survey<'_>, words: &[&str], least: i64, most: i64) -> Option<String> {
    let within = |node: &Node<'_>| match node {
        Node::Number(text) => Decimal::parse(text).is_some_and(|n| n >= least.into() && n <= most.into()),
        _ => false,
    };
    survey.find(words, 1.0, |column| column.all(within)).map(str::to_owned)
}
