//! Proposes a mapping for a feed from sample records: by the names of fields and the shape of their values.

pub mod kinds;
pub mod samples;
pub mod survey;
mod words;

use std::collections::BTreeMap;

use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::vocabulary::{EventType, Family};

use super::Mapping;
use super::check::{Report, check};
use super::clock::Clock;
use super::value::Cooked;
use crate::json::{self, Fields, Node};
use crate::limits::Limits;
use survey::{Column, Survey};
use words::{
    ACCOUNT, AMOUNT, CSAT, CURRENCY, FEATURE, ID, ID_ENDS, INVOICE, NPS, PROPERTIES, QUANTITY, SCORE,
    SUBSCRIPTION, THINGS, TICKET, TIME, TIME_WORDS, TYPE, USER,
};

/// Records looked at; more tell nothing new.
pub const RECORDS_MAX: usize = 2000;
/// Distinct types given a rule; the others keep their own name.
const TYPES_MAX: usize = 60;
/// A field every event needs must stand in this share of the records.
const SHARE_NEEDED: f64 = 0.9;

const PATTERNS: &[&str] = &[
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M:%S%.f %z",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d",
    "%a, %d %b %Y %H:%M:%S %z",
    "%d %b %Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y%m%d",
];

/// A proposed mapping and what it makes of the samples.
#[derive(Clone, Debug)]
pub struct Guess {
    /// The mapping file, with comments on what to look at.
    pub file: String,
    /// What was found: targets, or types of the feed, and what they are taken from or for.
    pub found: Vec<(String, String)>,
    /// What a person must decide, a sentence each; the file says it where it matters.
    pub doubts: Vec<String>,
    /// The check of the samples with it.
    pub report: Report,
}

/// Why nothing can be proposed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GuessError {
    /// No line is a JSON object.
    #[error("none of the {lines} lines is a JSON object; a mapping reads one object a line")]
    NoRecords {
        /// Lines looked at.
        lines: usize,
    },
    /// No field looks like a time.
    #[error("no field looks like the time of the event; write a mapping with occurred_at (fields: {fields})")]
    NoTime {
        /// The paths there are.
        fields: String,
    },
    /// No field looks like an account or a user.
    #[error(
        "no field looks like an account or a user; write a mapping with account or user (fields: {fields})"
    )]
    NoSubject {
        /// The paths there are.
        fields: String,
    },
}

/// Proposes a mapping for the records of these lines.
///
/// # Errors
/// When there is no record, or no field for the time or for whom it is about.
///
/// # Panics
/// Never: what it writes is a mapping, which tests hold.
pub fn guess<'l>(lines: impl IntoIterator<Item = &'l [u8]>, limits: &Limits) -> Result<Guess, GuessError> {
    let lines: Vec<&[u8]> =
        lines.into_iter().filter(|line| !line.trim_ascii().is_empty()).take(RECORDS_MAX).collect();
    let records: Vec<Fields<'_>> =
        lines.iter().filter_map(|line| json::read_object(line, limits).ok()).collect();
    if records.is_empty() {
        return Err(GuessError::NoRecords { lines: lines.len() });
    }
    let Proposal { file, found, doubts } = propose(&records)?;
    let mapping = Mapping::parse(&file).expect("a proposal is a valid mapping");
    const SAMPLES_SHOWN: usize = 5;
    let report = check(&mapping, lines, limits, SAMPLES_SHOWN);
    Ok(Guess { file, found, doubts, report })
}

/// A file in the making.
#[derive(Default)]
struct Proposal {
    file: String,
    found: Vec<(String, String)>,
    doubts: Vec<String>,
}

impl Proposal {
    /// A sentence for the person, at this place of the file too.
    fn doubt(&mut self, sentence: String) {
        self.file += &format!("# {sentence}\n");
        self.doubts.push(sentence);
    }

    /// A default that stands at a path.
    fn target(&mut self, name: &str, path: &str) {
        self.file += &format!("{name} = {}\n", quote(path));
        self.found.push((name.to_owned(), path.to_owned()));
    }
}

fn propose(records: &[Fields<'_>]) -> Result<Proposal, GuessError> {
    let all = Survey::of(records);
    let fields = || all.columns.keys().cloned().collect::<Vec<_>>().join(", ");
    let (time_path, form) = time_of(&all).ok_or_else(|| GuessError::NoTime { fields: fields() })?;
    let account =
        all.find(ACCOUNT, SHARE_NEEDED, Column::is_name).or_else(|| all.find(ACCOUNT, 0.1, Column::is_name));
    let user = all.find(USER, 0.0, Column::is_name).filter(|path| Some(*path) != account);
    if account.is_none() && user.is_none() {
        return Err(GuessError::NoSubject { fields: fields() });
    }
    let is_unique = |column: &Column<'_>| column.is_name() && column.distinct.len() == column.values.len();
    let is_free = |path: &&str| Some(*path) != account && Some(*path) != user && *path != time_path;
    let named_id = all.find(ID, 1.0, is_unique).filter(is_free);
    let id = named_id.or_else(|| {
        // One that only looks like an id must have been unique for long enough.
        const RECORDS_MIN: usize = 20;
        let columns =
            all.present(1.0).filter(|(_, column)| column.values.len() >= RECORDS_MIN && column.is_own());
        let ends = |column: &Column<'_>| ID_ENDS.iter().any(|end| column.name().ends_with(end));
        columns.filter(|(_, column)| ends(column) && is_unique(column)).map(|(path, _)| path).find(is_free)
    });
    let kind = all.find(TYPE, SHARE_NEEDED, |column| {
        let few = (column.values.len() / 4).max(12);
        // The type of a user that the record names is not the type of the record.
        column.is_own() && column.all(|node| matches!(node, Node::Text(_))) && column.distinct.len() <= few
    });
    let properties = all.find(PROPERTIES, 0.1, |column| column.all(|node| matches!(node, Node::Object(_))));

    let mut proposal = Proposal {
        file: "# Proposed from samples: read every line of it before use.\nversion = 1\n".into(),
        ..Proposal::default()
    };
    if kind.is_some() {
        proposal.file += "# Records of a type without a rule are kept under their own name; \"refuse\" makes them dead letters.\n";
        proposal.file += "unmatched = \"keep\"\n";
    }
    proposal.file += "\n[defaults]\n";
    match id {
        Some(id) => {
            if named_id.is_none() {
                proposal.doubt(format!("{id} is unique in the samples and taken for the id."));
            }
            proposal.target("id", id);
        }
        None => proposal.doubt(
            "No field is unique, so the id is the record's place: topic/topic id/partition/offset or digest:line."
                .into(),
        ),
    }
    match account {
        Some(account) => {
            let stated = all.columns[account].values.len();
            if user.is_none() && stated < all.records {
                let others = all.records - stated;
                proposal.doubt(format!(
                    "{account} is missing in {others} of {} records, which are about nobody and refused.",
                    all.records
                ));
            }
            proposal.target("account", account);
        }
        None => proposal
            .doubt("No field looks like an account: events wait until their user is linked to one.".into()),
    }
    if let Some(user) = user {
        proposal.target("user", user);
    }
    if form.contains('%') || form == "date" {
        proposal.doubt(
            "The feed names no zone: set the one its clock shows. Check that day and month are not swapped."
                .into(),
        );
    }
    proposal.file += &match form.as_str() {
        "rfc3339" => format!("occurred_at = {}\n", quote(&time_path)),
        form if form.contains('%') || form == "date" => format!(
            "occurred_at = {{ from = {}, time = {}, zone = \"UTC\" }}\n",
            quote(&time_path),
            quote(form)
        ),
        form => format!("occurred_at = {{ from = {}, time = {} }}\n", quote(&time_path), quote(form)),
    };
    proposal.found.push(("occurred_at".to_owned(), format!("{time_path} as {form}")));
    if let Some(kind) = kind {
        proposal.target("type", kind);
    }
    proposal.file += "# What no target reads is kept as properties.\n";
    proposal.file += &match properties {
        Some(path) => format!("copy = [{}, \"$\"]\n", quote(path)),
        None => "copy = \"$\"\n".to_owned(),
    };
    match kind {
        Some(kind) => rules(&mut proposal, records, kind, id),
        None => {
            proposal.file += "\n";
            let (meant, words) = without_type(&all);
            proposal.doubt(format!("No field looks like a type: every record is taken for {words}."));
            rule(&mut proposal, "every record", None, meant, &all, "usage", id);
        }
    }
    Ok(proposal)
}

/// What the records of a feed without types are, by a field that only one type has.
fn without_type(all: &Survey<'_>) -> (EventType, &'static str) {
    match (score(all, NPS, 0, 10), score(all, CSAT, 1, 5)) {
        (Some(_), _) => (EventType::NpsAnswered, "an answer to an NPS survey"),
        (None, Some(_)) => (EventType::CsatAnswered, "an answer to a satisfaction survey"),
        (None, None) => (EventType::Usage, "a use of the product"),
    }
}

/// A rule for each type of the contract that the feed's types seem to mean.
fn rules(proposal: &mut Proposal, records: &[Fields<'_>], kind: &str, id: Option<&str>) {
    let path = super::path::Path::parse(kind).expect("surveys write valid paths");
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

fn rule(
    proposal: &mut Proposal,
    name: &str,
    when: Option<(&str, &str)>,
    meant: EventType,
    survey: &Survey<'_>,
    word: &str,
    id: Option<&str>,
) {
    let find = |words: &[&str]| survey.find(words, 1.0, Column::is_name).map(str::to_owned);
    // `data.object.id`: the thing itself, where the record has an id of its own.
    let thing = || {
        let is_thing = |column: &Column<'_>| {
            let [.., parent, name] = column.names.as_slice() else { return false };
            name == "id" && THINGS.contains(&parent.as_str()) && column.is_name()
        };
        let path = survey.present(1.0).find(|(path, column)| is_thing(column) && Some(*path) != id);
        path.map(|(path, _)| path.to_owned())
    };
    let mut meant = meant;
    let mut properties: Vec<(&str, String)> = Vec::new();
    let mut need = |key: &'static str, path: Option<String>| match path {
        Some(path) => {
            properties.push((key, quote(&path)));
            true
        }
        None => false,
    };
    let complete = match meant {
        EventType::Usage => {
            let feature =
                survey.find(FEATURE, 1.0, |column| column.all(|node| matches!(node, Node::Text(_))));
            let feature = feature.map(str::to_owned);
            if !need("feature", feature) {
                properties.push(("feature", quote(word)));
            }
            true
        }
        EventType::TicketUpdated => {
            need("ticket_id", find(TICKET));
            true
        }
        kind if kind.family() == Some(Family::Support) => need("ticket_id", find(TICKET).or_else(thing)),
        EventType::InvoiceIssued
        | EventType::InvoicePaid
        | EventType::PaymentFailed
        | EventType::InvoiceVoided => {
            need("invoice_id", find(INVOICE).or_else(thing).or_else(|| id.map(str::to_owned)))
        }
        EventType::SubscriptionPaused | EventType::SubscriptionResumed => {
            need("subscription_id", find(SUBSCRIPTION));
            true
        }
        kind if kind
            .known_name()
            .is_some_and(|name| name.starts_with("subscription_") || name.starts_with("trial_")) =>
        {
            need("subscription_id", find(SUBSCRIPTION).or_else(thing))
        }
        EventType::NpsAnswered => {
            need("score", score(survey, NPS, 0, 10).or_else(|| score(survey, SCORE, 0, 10)))
        }
        EventType::CsatAnswered => {
            need("score", score(survey, CSAT, 1, 5).or_else(|| score(survey, SCORE, 1, 5)))
        }
        EventType::RefundIssued | EventType::CreditIssued => true,
        kind => crate::contract::rules(kind).iter().all(|rule| !rule.required),
    };
    if !complete && meant.family() != Some(Family::Support) {
        let like = format!("a field that {} needs was not found", meant.known_name().unwrap_or_default());
        if let Some(when) = when {
            own_name(proposal, when, survey, &like);
        }
        return;
    }
    if !complete {
        proposal.file += "\n";
        proposal.doubt(format!(
            "No field of {} looks like the ticket's id: the event counts as support and opens no ticket.",
            quote(word)
        ));
        meant = EventType::TicketUpdated;
    }
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
            properties.iter().map(|(key, source)| format!("{key} = {source}")).collect();
        proposal.file += &format!("properties = {{ {} }}\n", fields.join(", "));
    }
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

/// An amount with the field that holds its currency.
struct Money<'s> {
    amount: &'s str,
    currency: &'s str,
    /// No amount has digits after the point.
    is_whole: bool,
}

impl<'s> Money<'s> {
    fn of(survey: &'s Survey<'_>, amount: &'s str) -> Option<Self> {
        let currency = survey.find(CURRENCY, 0.5, |column| {
            column.all(|node| matches!(node, Node::Text(text) if text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic())))
        })?;
        let is_whole = survey.columns[amount]
            .all(|node| matches!(node, Node::Number(text) if !text.contains(['.', 'e', 'E'])));
        Some(Self { amount, currency, is_whole })
    }

    fn write(&self, proposal: &mut Proposal, word: &str) {
        let Self { amount, currency, is_whole } = self;
        let unit = match is_whole {
            true => {
                proposal.doubt(format!(
                    "{amount} of {} has whole numbers only: taken for minor units (cents). \"major\" if 12 means 12.00.",
                    quote(word)
                ));
                "minor"
            }
            false => {
                proposal.file += "# Major units: 12.5 is 12.50.\n";
                "major"
            }
        };
        proposal.file += &format!(
            "amount = {{ from = {}, unit = \"{unit}\" }}\ncurrency = {}\n",
            quote(amount),
            quote(currency)
        );
    }
}

/// The first path, by the order of likely names, all of whose values some time format reads.
fn time_of(survey: &Survey<'_>) -> Option<(String, String)> {
    let form = |column: &Column<'_>| {
        let mut forms = ["rfc3339", "date"].into_iter().chain(PATTERNS.iter().copied());
        let form = epoch_unit(column).or_else(|| forms.find(|form| reads(form, column)));
        form.map(str::to_owned)
    };
    let named = survey.find(TIME, SHARE_NEEDED, |column| form(column).is_some());
    // No name of the list: one that has a word of times in it, else the first that holds nothing but texts of times.
    let hints = |column: &Column<'_>| column.name().split('_').any(|word| TIME_WORDS.contains(&word));
    let is_text = |column: &Column<'_>| column.all(|node| matches!(node, Node::Text(_)));
    let by_word = || {
        let columns =
            survey.present(SHARE_NEEDED).filter(|(_, column)| hints(column) && form(column).is_some());
        columns.min_by_key(|(_, column)| (!column.is_own(), column.names.len()))
    };
    let by_values = || {
        survey
            .present(SHARE_NEEDED)
            .find(|(_, column)| is_text(column) && epoch_unit(column).is_none() && form(column).is_some())
    };
    let path = named.map(str::to_owned).or_else(|| Some(by_word().or_else(by_values)?.0.to_owned()))?;
    let form = form(&survey.columns[&path])?;
    Some((path, form))
}

fn reads(form: &str, column: &Column<'_>) -> bool {
    let mut table = toml::Table::new();
    table.insert("time".into(), form.into());
    let Ok(Some(clock)) = Clock::of_table("time", &table) else { return false };
    column.all(|node| match node {
        Node::Text(_) => Cooked::of_node(node).is_ok_and(|value| clock.read(&value).is_ok()),
        _ => false,
    })
}

/// The unit by which all numbers, or texts of numbers, lie in the years 2001 to 2286, where the number of digits tells it.
fn epoch_unit(column: &Column<'_>) -> Option<&'static str> {
    [("s", 9), ("ms", 12), ("us", 15), ("ns", 18)]
        .into_iter()
        .map(|(unit, power)| (unit, Decimal::new(1, power)))
        .find_map(|(unit, least)| {
            let most = Decimal::new(1, least.exponent() + 1);
            let within = |node: &Node<'_>| {
                let text = match node {
                    Node::Number(text) => *text,
                    Node::Text(text) => text.as_ref(),
                    _ => return false,
                };
                Decimal::parse(text).is_some_and(|n| n >= least && n < most)
            };
            column.all(within).then_some(unit)
        })
}

/// A TOML text.
fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
