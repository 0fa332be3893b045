//! A rule of a mapping: the records it matches, and the event it makes of one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::{Event, Money};
use tidewatch_projections::value::Value;
use toml::{Table, Value as Toml};

use super::condition::{self, Condition};
use super::error::{MappingError, bad_value, invalid, only_keys, text, texts, truth};
use super::expression::{Expression, Unit};
use super::mapped_value::{MappedValue, number_of};
use super::path::Path;
use crate::batch::Origin;
use crate::draft::{self, DecodeContext, Draft};
use crate::json::{Fields, Node};
use crate::native;
use crate::reject::{Reason, Rejection};

/// Targets of the envelope, as keys of a rule or of `[defaults]`.
const ENVELOPE: [&str; 11] = [
    "source",
    "id",
    "account",
    "user",
    "actor",
    "product",
    "type",
    "occurred_at",
    "quantity",
    "amount",
    "currency",
];
/// Targets that are tables or lists.
const GROUPS: [&str; 4] = ["ref", "properties", "copy", "except"];
/// Keys of a rule besides its targets.
const RULE_ONLY: [&str; 5] = ["name", "when", "also", "skip", "without"];
/// Properties whose values are ids or names: a feed's number becomes its text.
const TEXT_PROPERTIES: [&str; 8] =
    ["feature", "metric", "subscription_id", "invoice_id", "ticket_id", "milestone", "stage", "into_account"];

/// A target outside the properties.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Named {
    Source,
    Id,
    Account,
    User,
    Actor,
    Product,
    Type,
    OccurredAt,
    Quantity,
    Amount,
    Currency,
    RefSystem,
    RefId,
}

impl Named {
    const ALL: [Self; 13] = [
        Self::Source,
        Self::Id,
        Self::Account,
        Self::User,
        Self::Actor,
        Self::Product,
        Self::Type,
        Self::OccurredAt,
        Self::Quantity,
        Self::Amount,
        Self::Currency,
        Self::RefSystem,
        Self::RefId,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::RefSystem => "ref.system",
            Self::RefId => "ref.id",
            of_envelope => ENVELOPE[of_envelope as usize],
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|named| named.name() == name)
    }
}

/// The targets of a rule with their expressions.
#[derive(Clone, Default, PartialEq, Debug)]
pub(super) struct Targets {
    /// The targets outside the properties, indexed by [`Named`].
    named: [Option<Expression>; Named::ALL.len()],
    /// The properties by target name, as `properties.plan`.
    properties: BTreeMap<String, Expression>,
    copy: Vec<Path>,
    except: Vec<String>,
}

/// An external reference: system and id in that system.
type Reference<'r> = (Cow<'r, str>, Cow<'r, str>);

/// One rule with the defaults merged into it.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// The name for people; empty when it has none.
    pub name: String,
    /// Conditions of which one must hold; empty for a rule that matches every record.
    when: Vec<Condition>,
    /// Whether it adds an event beside the one of the record's own rule.
    pub also: bool,
    /// Whether it filters the record out.
    pub skip: bool,
    targets: Targets,
}

impl Targets {
    pub(super) fn read_defaults(table: &Table) -> Result<Self, MappingError> {
        only_keys("defaults", table, &[&ENVELOPE[..], &GROUPS].concat())?;
        let mut targets = Self::default();
        targets.read(table, "defaults")?;
        Ok(targets)
    }

    fn read(&mut self, table: &Table, at: &str) -> Result<(), MappingError> {
        for target in ENVELOPE {
            if let Some(written) = table.get(target) {
                self.set(target, Expression::read(&format!("{at}.{target}"), target, written)?);
            }
        }
        for (group, keys) in [("ref", Some(&["system", "id"][..])), ("properties", None)] {
            let at = format!("{at}.{group}");
            match table.get(group) {
                None => {}
                Some(Toml::Table(fields)) => {
                    keys.map_or(Ok(()), |keys| only_keys(&at, fields, keys))?;
                    for (key, written) in fields {
                        let target = format!("{group}.{key}");
                        self.set(&target, Expression::read(&format!("{at}.{key}"), &target, written)?);
                    }
                }
                Some(other) => return Err(bad_value(&at, other, "a table")),
            }
        }
        if let Some(written) = table.get("copy") {
            let at = format!("{at}.copy");
            let expected = "a path to an object such as $.properties, or $ for the whole record";
            self.copy = texts(&at, written)?
                .iter()
                .map(|path| Path::parse(path).ok_or_else(|| bad_value(&at, written, expected)))
                .collect::<Result<_, _>>()?;
        }
        if let Some(written) = table.get("except") {
            self.except = texts(&format!("{at}.except"), written)?;
        }
        Ok(())
    }

    fn set(&mut self, target: &str, expression: Expression) {
        match Named::from_name(target) {
            Some(named) => self.named[named as usize] = Some(expression),
            None => drop(self.properties.insert(target.to_owned(), expression)),
        }
    }

    fn get(&self, named: Named) -> Option<&Expression> {
        self.named[named as usize].as_ref()
    }

    fn all(&self) -> impl Iterator<Item = &Expression> {
        self.named.iter().flatten().chain(self.properties.values())
    }

    fn leave_out(&mut self, at: &str, name: &str) -> Result<(), MappingError> {
        let before = self.all().count() + self.copy.len();
        match name {
            "properties" => self.properties.clear(),
            "ref" => {
                for named in [Named::RefSystem, Named::RefId] {
                    self.named[named as usize] = None;
                }
            }
            "copy" => self.copy.clear(),
            target => match Named::from_name(target) {
                Some(named) => self.named[named as usize] = None,
                None => drop(self.properties.remove(target)),
            },
        }
        if self.all().count() + self.copy.len() == before {
            return Err(invalid(at, format!("the defaults have no {name:?} to leave out")));
        }
        Ok(())
    }

    fn has(&self, named: Named) -> bool {
        self.get(named).is_some()
    }

    fn check(&self, at: &str) -> Result<(), MappingError> {
        for needed in [Named::Type, Named::OccurredAt] {
            if !self.has(needed) {
                let needed = needed.name();
                return Err(invalid(at, format!("nothing gives {needed}; set it here or in [defaults]")));
            }
        }
        if ![Named::Account, Named::User, Named::RefId].into_iter().any(|subject| self.has(subject)) {
            return Err(invalid(
                at,
                "nothing says whom it is about; set account, ref or user here or in [defaults]",
            ));
        }
        if self.has(Named::RefId) != self.has(Named::RefSystem) {
            return Err(invalid(at, "ref needs both system and id"));
        }
        if self.has(Named::Amount) && !self.has(Named::Currency) {
            return Err(invalid(at, "amount needs currency, a path or a constant such as \"EUR\""));
        }
        Ok(())
    }
}

impl Rule {
    pub(super) fn read(at: &str, table: &Table, defaults: &Targets) -> Result<Self, MappingError> {
        only_keys(at, table, &[&RULE_ONLY[..], &ENVELOPE, &GROUPS].concat())?;
        let name = match table.get("name") {
            Some(name) => text(&format!("{at}.name"), name)?.to_owned(),
            None => String::new(),
        };
        let when = match table.get("when") {
            Some(when) => condition::read_when(&format!("{at}.when"), when)?,
            None => Vec::new(),
        };
        let when = if when.iter().any(Condition::is_empty) { Vec::new() } else { when };
        let (also, skip) = (truth(at, table, "also")?, truth(at, table, "skip")?);
        let mut targets = defaults.clone();
        if let Some(written) = table.get("without") {
            let at = format!("{at}.without");
            texts(&at, written)?.iter().try_for_each(|name| targets.leave_out(&at, name))?;
        }
        targets.read(table, at)?;
        match (skip, also) {
            (true, true) => return Err(invalid(at, "skip and also exclude each other")),
            (true, false) => {}
            (false, _) => targets.check(at)?,
        }
        Ok(Self { name, when, also, skip, targets })
    }

    /// The rule that makes an event of every record from the defaults alone.
    pub(super) fn of_defaults(defaults: &Targets) -> Result<Self, MappingError> {
        defaults.check("unmatched = \"keep\"")?;
        let targets = defaults.clone();
        Ok(Self { name: "unmatched".into(), when: Vec::new(), also: false, skip: false, targets })
    }

    /// Whether it matches every record.
    pub(super) fn takes_all(&self) -> bool {
        self.when.is_empty()
    }

    /// Whether it matches this record.
    pub fn matches(&self, record: &Fields<'_>) -> bool {
        self.takes_all() || self.when.iter().any(|condition| condition.holds(record))
    }

    /// The top-level keys of a record that it reads, in `when` or for a target.
    pub fn top_level_keys(&self) -> impl Iterator<Item = &str> {
        let copied = self.targets.copy.iter().filter_map(Path::top_level_key);
        self.when.iter().flat_map(Condition::top_level_keys).chain(self.read_keys()).chain(copied)
    }

    /// Whether it copies all top-level fields of a record.
    pub fn copies_root(&self) -> bool {
        self.targets.copy.iter().any(Path::is_root)
    }

    fn read_keys(&self) -> impl Iterator<Item = &str> {
        self.targets.all().flat_map(Expression::top_level_keys)
    }

    /// The event of this record. `position` is the place of an `also` rule in the file, which is part of the event's id.
    pub(super) fn event(
        &self,
        record: &Fields<'_>,
        position: Option<usize>,
        with: &DecodeContext<'_>,
        origin: &Origin,
    ) -> Result<Event, Rejection> {
        let mut draft = Draft {
            source: self.name_of(Named::Source, record)?,
            id: self.name_of(Named::Id, record)?,
            account: self.name_of(Named::Account, record)?,
            user: self.name_of(Named::User, record)?,
            product: self.name_of(Named::Product, record)?,
            kind: self.name_of(Named::Type, record)?,
            reference: self.reference(record)?,
            ..Draft::default()
        };
        if let Some(position) = position {
            let own = draft.id.filter(|id| !id.is_empty());
            let own = own.unwrap_or_else(|| Cow::Owned(origin.id(with.names)));
            draft.id = Some(Cow::Owned(format!("{own}#{position}")));
        }
        if let Some(actor) = self.name_of(Named::Actor, record)? {
            draft.actor = native::actor(&actor)?;
        }
        if let Some(expression) = self.targets.get(Named::OccurredAt) {
            draft.occurred_at = expression.evaluate_time(record)?;
        }
        if let Some(quantity) = self.evaluate(Named::Quantity, record)? {
            draft.quantity = Some(draft::quantity_of(
                number_of(&quantity).map_err(|error| prefixed("quantity", &error))?,
            )?);
        }
        draft.amount = self.money(record)?;
        draft.properties = self.properties(record)?;
        draft.finish(with, origin)
    }

    fn evaluate<'r>(
        &'r self,
        target: Named,
        record: &'r Fields<'r>,
    ) -> Result<Option<MappedValue<'r>>, Rejection> {
        match self.targets.get(target) {
            Some(expression) => expression.evaluate(target.name(), record),
            None => Ok(None),
        }
    }

    /// A text of the envelope: a number becomes its text; a boolean, list or object is rejected.
    fn name_of<'r>(
        &'r self,
        target: Named,
        record: &'r Fields<'r>,
    ) -> Result<Option<Cow<'r, str>>, Rejection> {
        match self.evaluate(target, record)? {
            None => Ok(None),
            Some(MappedValue::Text(text)) => Ok(Some(text)),
            Some(MappedValue::Number(number)) => Ok(Some(Cow::Owned(number.to_string()))),
            Some(other) => {
                let detail = format!("{} is {}; it must be a text or a number", target.name(), other.kind());
                Err(Rejection::new(Reason::BadField, detail))
            }
        }
    }

    fn reference<'r>(&'r self, record: &'r Fields<'r>) -> Result<Option<Reference<'r>>, Rejection> {
        let (system, id) = (self.name_of(Named::RefSystem, record)?, self.name_of(Named::RefId, record)?);
        // A constant system says nothing where the record has no id.
        Ok(id.filter(|id| !id.is_empty()).map(|id| (system.unwrap_or_default(), id)))
    }

    fn money(&self, record: &Fields<'_>) -> Result<Option<Money>, Rejection> {
        let Some(expression) = self.targets.get(Named::Amount) else { return Ok(None) };
        let Some(amount) = expression.evaluate("amount", record)? else { return Ok(None) };
        if amount == MappedValue::Text("".into()) {
            return Ok(None);
        }
        let number =
            number_of(&amount).map_err(|error| draft::bad_amount(format!("amount: {}", error.detail)))?;
        let code = self.name_of(Named::Currency, record)?.filter(|code| !code.is_empty());
        let code = code.ok_or_else(|| draft::bad_amount(format!("the amount {number} has no currency")))?;
        let currency = draft::currency_of(&code)?;
        match expression.unit {
            Unit::Major => draft::money_of_major(number, currency, expression.finer),
            Unit::Minor => {
                let digits = i32::try_from(currency.exponent()).expect("at most four digits");
                let major = Decimal::new(number.mantissa(), number.exponent() - digits);
                draft::money_of_major(major, currency, expression.finer)
            }
        }
        .map(Some)
    }

    fn properties<'r>(&'r self, record: &'r Fields<'r>) -> Result<Vec<(Cow<'r, str>, Value)>, Rejection> {
        let mut properties: Vec<(Cow<'r, str>, Value)> = Vec::new();
        for (target, expression) in &self.targets.properties {
            let key = target.strip_prefix("properties.").expect("only properties are kept by name");
            let Some(value) = expression.evaluate(target, record)? else { continue };
            properties.push((Cow::Borrowed(key), property(key, value)?));
        }
        for path in &self.targets.copy {
            let fields = if path.is_root() {
                record
            } else {
                match path.find(record) {
                    Some(Node::Object(fields)) => fields,
                    None => continue,
                    Some(other) => {
                        let detail = format!("copy from {path}: it is {}, not an object", other.kind());
                        return Err(Rejection::new(Reason::BadField, detail));
                    }
                }
            };
            for (key, node) in fields {
                let read_already = path.is_root()
                    && (self.read_keys().any(|top| top == key)
                        || self.targets.copy.iter().any(|other| other.top_level_key() == Some(key.as_ref())));
                let left_out = *node == Node::Null || self.targets.except.iter().any(|name| *name == **key);
                if read_already || left_out || properties.iter().any(|(given, _)| given == key) {
                    continue;
                }
                properties.push((Cow::Borrowed(key.as_ref()), property(key, MappedValue::of_node(node)?)?));
            }
        }
        Ok(properties)
    }
}

fn property(key: &str, value: MappedValue<'_>) -> Result<Value, Rejection> {
    match value {
        MappedValue::Number(number) if TEXT_PROPERTIES.contains(&key) => {
            Ok(Value::Text(number.to_string().into()))
        }
        other => other.into_value(),
    }
}

fn prefixed(target: &str, rejection: &Rejection) -> Rejection {
    Rejection::new(rejection.reason, format!("{target}: {}", rejection.detail))
}
