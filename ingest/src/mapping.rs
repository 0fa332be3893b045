//! Translates the records of any JSON feed to events by the rules of a mapping file; `docs/MAPPING.md` has its grammar.
//!
//! The first rule that matches is the record's own and its event keeps the record's id; every matching rule marked
//! `also` adds an event whose id is `id#k`, k being the rule's place in the file counted from 1.

pub mod check;
pub mod condition;
pub mod constant;
mod decimal_mark;
pub mod error;
pub mod expression;
pub mod guess;
pub mod mapped_value;
pub mod path;
pub mod rule;
pub mod time_parser;

use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::Event;
use tidewatch_projections::value::Value;
use toml::{Table, Value as Toml};

use crate::batch::Origin;
use crate::draft::DecodeContext;
use crate::json;
use crate::reject::{Reason, Rejection};
pub use error::MappingError;
use error::{bad_value, invalid, only_keys, text};
use rule::{Rule, Targets};

/// Longest mapping file in bytes.
pub const MAPPING_BYTES_MAX: usize = 1 << 20;
/// Most rules of a mapping; each is tried for each record.
pub const RULES_MAX: usize = 256;
/// The version of the grammar.
pub const GRAMMAR: i64 = 1;

/// What becomes of a record that no rule is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unmatched {
    /// It becomes a dead letter `no_rule`.
    Refuse,
    /// It is filtered, and counted as that.
    Skip,
    /// It becomes the event that the defaults alone make.
    Keep,
}

/// A parsed and checked mapping, ready to translate records.
#[derive(Clone, Debug)]
pub struct Mapping {
    rules: Vec<Rule>,
    unmatched: Unmatched,
    digest: String,
}

/// The result of one rule for a record.
#[derive(Clone, PartialEq, Debug)]
pub struct RuleResult {
    /// The rule's index, counted from 0; `None` when no rule was reached or the defaults alone were used.
    pub rule: Option<usize>,
    /// The event; `None` where the record was filtered.
    pub result: Result<Option<Event>, Rejection>,
}

impl Mapping {
    /// Parses and checks the text of a mapping file.
    ///
    /// # Errors
    /// The first error, with its place, the value and what is expected there.
    pub fn parse(file: &str) -> Result<Self, MappingError> {
        if file.len() > MAPPING_BYTES_MAX {
            return Err(MappingError::TooLong { bytes: file.len(), most: MAPPING_BYTES_MAX });
        }
        let table: Table =
            file.parse().map_err(|error: toml::de::Error| MappingError::Syntax(error.to_string()))?;
        only_keys("the mapping", &table, &["version", "description", "unmatched", "defaults", "rules"])?;
        match table.get("version") {
            None | Some(Toml::Integer(GRAMMAR)) => {}
            Some(other) => return Err(bad_value("version", other, "1, the only version of the grammar")),
        }
        if let Some(description) = table.get("description") {
            text("description", description)?;
        }
        let unmatched = match table.get("unmatched").map(|value| (value, value.as_str())) {
            None | Some((_, Some("refuse"))) => Unmatched::Refuse,
            Some((_, Some("skip"))) => Unmatched::Skip,
            Some((_, Some("keep"))) => Unmatched::Keep,
            Some((other, _)) => return Err(bad_value("unmatched", other, "refuse, skip or keep")),
        };
        let defaults = match table.get("defaults") {
            None => Targets::default(),
            Some(Toml::Table(defaults)) => Targets::read_defaults(defaults)?,
            Some(other) => return Err(bad_value("defaults", other, "a table")),
        };
        let mut rules = Vec::new();
        match table.get("rules") {
            None => {}
            Some(Toml::Array(written)) if written.len() <= RULES_MAX => {
                for (index, rule) in written.iter().enumerate() {
                    let at = format!("rules[{}]", index + 1);
                    let Toml::Table(rule) = rule else { return Err(bad_value(&at, rule, "a table")) };
                    rules.push(Rule::read(&at, rule, &defaults)?);
                }
            }
            Some(other) => return Err(bad_value("rules", other, "a list of at most 256 tables ([[rules]])")),
        }
        reject_unreachable(&rules)?;
        if rules.is_empty() && unmatched != Unmatched::Keep {
            return Err(invalid("the mapping", "it has no rule; add [[rules]] or set unmatched = \"keep\""));
        }
        if unmatched == Unmatched::Keep {
            // Kept behind the others, where it takes what they leave.
            rules.push(Rule::of_defaults(&defaults)?);
        }
        Ok(Self { rules, unmatched, digest: digest_of(table) })
    }

    /// BLAKE3 of what the mapping means, in hexadecimal: comments, order of keys, white space, the description and the
    /// names of rules do not count.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The rules in their order; with `unmatched = "keep"` the last one is the defaults'.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Turns one record into events, one call of `emit` for each; at least one call, at most one with a rejection.
    pub fn apply(
        &self,
        record: &[u8],
        with: &DecodeContext<'_>,
        origin: &Origin,
        emit: &mut impl FnMut(RuleResult),
    ) {
        let fields = match json::read_object(record, with.limits) {
            Ok(fields) => fields,
            Err(rejection) => return emit(RuleResult { rule: None, result: Err(rejection) }),
        };
        let own = self.rules.iter().position(|rule| !rule.also && rule.matches(&fields));
        let mut rejected = false;
        let mut make = |rule: Option<usize>, result: Result<Option<Event>, Rejection>| {
            // One record is one dead letter; the next reason shows once the first is mended.
            if result.is_ok() || !rejected {
                rejected |= result.is_err();
                emit(RuleResult { rule, result });
            }
        };
        match own {
            Some(index) if self.rules[index].skip => make(own, Ok(None)),
            Some(index) => make(own, self.rules[index].event(&fields, None, with, origin).map(Some)),
            None if self.unmatched == Unmatched::Skip => make(None, Ok(None)),
            None => make(None, Err(no_rule(&fields))),
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if rule.also && rule.matches(&fields) {
                make(Some(index), rule.event(&fields, Some(index + 1), with, origin).map(Some));
            }
        }
    }
}

fn reject_unreachable(rules: &[Rule]) -> Result<(), MappingError> {
    let Some(all) = rules.iter().position(|rule| !rule.also && rule.takes_all()) else { return Ok(()) };
    match rules.iter().skip(all + 1).position(|rule| !rule.also) {
        None => Ok(()),
        Some(after) => Err(invalid(
            &format!("rules[{}]", all + after + 2),
            format!("it is never reached: rules[{}] has no condition and takes every record", all + 1),
        )),
    }
}

fn no_rule(record: &json::Fields<'_>) -> Rejection {
    const SHOWN_MAX: usize = 12;
    let shown = record.iter().take(SHOWN_MAX).map(|(key, node)| match node {
        json::Node::Text(text) if key == "type" || key == "event" => format!("{key} {text:?}"),
        _ => key.to_string(),
    });
    let shown: Vec<String> = shown.collect();
    Rejection::new(Reason::NoRule, format!("no rule is for this record; it has {}", shown.join(", ")))
}

fn digest_of(mut table: Table) -> String {
    table.remove("description");
    if let Some(Toml::Array(rules)) = table.get_mut("rules") {
        for rule in rules {
            if let Toml::Table(rule) = rule {
                rule.remove("name");
            }
        }
    }
    let mut canonical = Vec::new();
    value_of(&Toml::Table(table)).write_json(&mut canonical);
    blake3::hash(&canonical).to_hex().to_string()
}

fn value_of(toml: &Toml) -> Value {
    match toml {
        Toml::String(text) => Value::Text(text.as_str().into()),
        Toml::Integer(number) => Value::Number(Decimal::from(*number)),
        Toml::Float(number) => Value::Text(format!("{number:e}").into()),
        Toml::Boolean(truth) => Value::Bool(*truth),
        Toml::Datetime(time) => Value::Text(time.to_string().into()),
        Toml::Array(items) => Value::List(items.iter().map(value_of).collect()),
        Toml::Table(table) => {
            let mut fields: Vec<(Box<str>, Value)> =
                table.iter().map(|(key, value)| (key.as_str().into(), value_of(value))).collect();
            fields.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(fields)
        }
    }
}
