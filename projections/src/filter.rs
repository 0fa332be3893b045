//! Filters over events: all conditions of a table must hold (health-model §4).

use toml::{Table, Value as Toml};

use crate::decimal::Decimal;
use crate::event::{Actor, Currency, Event};
use crate::model_error::{ModelError, nearest};
use crate::names::{Names, Symbol};
use crate::value::Value;
use crate::vocabulary::{EventType, Family};

/// Something of an event that filters test and aggregations read.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Field {
    /// The family of the type.
    Family,
    /// The name of the type.
    Type,
    /// `properties.feature`: which part of the product was used.
    Feature,
    /// `properties.metric`: which outcome the customer got.
    Metric,
    /// The product, where the vendor has several.
    Product,
    /// On whose behalf it was done: `person`, `service` or `internal`.
    Actor,
    /// The name of the source that delivered the event.
    Source,
    /// The user's id as the event gives it.
    User,
    /// The quantity, in whole units; 1 where `usage` and `value` give none.
    Quantity,
    /// The amount, in minor units.
    Amount,
    /// The currency of the amount, by its ISO 4217 code.
    Currency,
    /// A property by its key.
    Property(Box<str>),
}

const FIELD_NAMES: [(&str, Field); 11] = [
    ("family", Field::Family),
    ("type", Field::Type),
    ("feature", Field::Feature),
    ("metric", Field::Metric),
    ("product", Field::Product),
    ("actor", Field::Actor),
    ("source", Field::Source),
    ("user", Field::User),
    ("quantity", Field::Quantity),
    ("amount", Field::Amount),
    ("currency", Field::Currency),
];

impl Field {
    /// Reads a field's name; `path` is where it stands, for the error.
    pub fn parse(name: &str, path: &str) -> Result<Self, ModelError> {
        match name.strip_prefix("properties.") {
            Some("feature") => return Ok(Self::Feature),
            Some("metric") => return Ok(Self::Metric),
            Some(key) if !key.is_empty() => return Ok(Self::Property(key.into())),
            _ => {}
        }
        let known = FIELD_NAMES.iter().find(|(known, _)| *known == name).map(|(_, field)| field.clone());
        known.ok_or_else(|| {
            let names = FIELD_NAMES.iter().map(|(name, _)| *name);
            ModelError::UnknownKey {
                path: path.to_owned(),
                key: name.to_owned(),
                nearest: nearest(name, names.clone()).to_owned(),
                valid: format!("{}, properties.<key>", names.collect::<Vec<_>>().join(", ")),
            }
        })
    }

    /// The field's value in an event; `None` when it is absent.
    pub fn of<'a>(&self, names: &'a Names, event: &'a Event) -> Option<FieldValue<'a>> {
        let text = |symbol: Symbol| FieldValue::Text(names.text(symbol));
        match self {
            Self::Family => event.kind.family().map(|family| FieldValue::Text(family.name())),
            Self::Type => Some(FieldValue::Text(event.kind.name(names))),
            Self::Feature => textual_property(names, event, event.feature, "feature"),
            Self::Metric => textual_property(names, event, event.metric, "metric"),
            Self::Product => event.product.map(text),
            Self::Actor => Some(FieldValue::Text(event.actor.name())),
            Self::Source => Some(text(event.source)),
            Self::User => event.user.map(text),
            Self::Quantity => {
                let millionths = event.quantity_or_default()?;
                Some(FieldValue::Number(Decimal::new(i128::from(millionths), -6)))
            }
            Self::Amount => event.amount.map(|amount| FieldValue::Number(Decimal::from(amount.minor))),
            Self::Currency => event.amount.as_ref().map(|amount| FieldValue::Text(amount.currency.code())),
            Self::Property(key) => event.property_named(names, key).and_then(FieldValue::of),
        }
    }
}

fn textual_property<'a>(
    names: &'a Names,
    event: &'a Event,
    text: Option<Symbol>,
    key: &str,
) -> Option<FieldValue<'a>> {
    match text {
        Some(symbol) => Some(FieldValue::Text(names.text(symbol))),
        None => event.property_named(names, key).and_then(FieldValue::of),
    }
}

/// A field's value, borrowed from an event.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum FieldValue<'a> {
    /// A text, compared as UTF-8 bytes.
    Text(&'a str),
    /// A number, compared by its exact value.
    Number(Decimal),
    /// A property of another JSON type.
    Other(&'a Value),
}

impl<'a> FieldValue<'a> {
    /// The value of a property or a fact; `null` is no value.
    pub(crate) fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Text(text) => Some(Self::Text(text)),
            Value::Number(number) => Some(Self::Number(*number)),
            other => Some(Self::Other(other)),
        }
    }

    /// The number, when it is one.
    pub fn number(self) -> Option<Decimal> {
        match self {
            Self::Number(number) => Some(number),
            Self::Text(_) | Self::Other(_) => None,
        }
    }

    fn equals(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(text), Value::Text(other)) => *text == **other,
            (Self::Number(number), Value::Number(other)) => number == *other,
            (Self::Other(value), other) => value == other,
            _ => false,
        }
    }

    /// Order within one JSON type: numbers by value, texts by bytes; nothing else is ordered.
    fn compare(self, value: &Value) -> Option<std::cmp::Ordering> {
        match (self, value) {
            (Self::Text(text), Value::Text(other)) => Some(text.as_bytes().cmp(other.as_bytes())),
            (Self::Number(number), Value::Number(other)) => Some(number.cmp(other)),
            _ => None,
        }
    }
}

/// What one condition asks of a value; all that are given must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Test {
    any_of: Option<Vec<Value>>,
    ge: Option<Value>,
    gt: Option<Value>,
    le: Option<Value>,
    lt: Option<Value>,
    /// Passes where the field is absent.
    not: Option<Vec<Value>>,
    exists: Option<bool>,
}

impl Test {
    /// Reads `value | [values] | {ge, gt, le, lt, not, exists}`; `path` is where it stands, for the error.
    pub(crate) fn parse(wanted: &Toml, path: &str) -> Result<Self, ModelError> {
        let Toml::Table(table) = wanted else {
            return Ok(Self { any_of: Some(parse_values(wanted, path)?), ..Self::default() });
        };
        let mut test = Self::default();
        for (name, wanted) in table {
            let path = format!("{path}.{name}");
            match name.as_str() {
                "ge" => test.ge = Some(parse_ordered(wanted, &path)?),
                "gt" => test.gt = Some(parse_ordered(wanted, &path)?),
                "le" => test.le = Some(parse_ordered(wanted, &path)?),
                "lt" => test.lt = Some(parse_ordered(wanted, &path)?),
                "not" => test.not = Some(parse_values(wanted, &path)?),
                "exists" => {
                    test.exists =
                        Some(wanted.as_bool().ok_or_else(|| bad_value(&path, wanted, "true or false"))?);
                }
                _ => {
                    return Err(ModelError::UnknownKey {
                        path,
                        key: name.clone(),
                        nearest: nearest(name, TESTS).to_owned(),
                        valid: TESTS.join(", "),
                    });
                }
            }
        }
        if test == Self::default() {
            let expected = "a value, a list of values, or a table with one of the tests";
            return Err(bad_value(path, wanted, expected));
        }
        Ok(test)
    }

    /// The values that are compared for being equal.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Value> {
        self.any_of.iter().chain(&self.not).flatten()
    }

    /// The values that are compared by order.
    pub(crate) fn limits(&self) -> impl Iterator<Item = &Value> {
        [&self.ge, &self.gt, &self.le, &self.lt].into_iter().flatten()
    }

    /// Whether it is a list of values with none in it, which nothing passes.
    pub(crate) fn is_empty_list(&self) -> bool {
        self.any_of.as_ref().is_some_and(Vec::is_empty)
    }

    /// Refuses values other than these words.
    pub(crate) fn check_words(&self, valid: &[&str], path: &str) -> Result<(), ModelError> {
        for value in self.values() {
            let word = value.as_text().unwrap_or("");
            if value.as_text().is_none() || !valid.contains(&word) {
                let nearest = nearest(word, valid.iter().copied());
                return Err(ModelError::BadValue {
                    path: path.to_owned(),
                    value: value.to_json(),
                    expected: format!("one of {} (nearest: {nearest:?})", valid.join(", ")),
                });
            }
        }
        Ok(())
    }

    /// Whether a value passes, or its absence.
    pub fn passes(&self, value: Option<FieldValue<'_>>) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        if self.exists.is_some_and(|exists| exists != value.is_some()) {
            return false;
        }
        if let Some(refused) = &self.not
            && value.is_some_and(|value| refused.iter().any(|other| value.equals(other)))
        {
            return false;
        }
        if let Some(wanted) = &self.any_of
            && !value.is_some_and(|value| wanted.iter().any(|other| value.equals(other)))
        {
            return false;
        }
        let bound = |limit: &Option<Value>, orders: &[std::cmp::Ordering]| match limit {
            Some(limit) => {
                value.and_then(|value| value.compare(limit)).is_some_and(|order| orders.contains(&order))
            }
            None => true,
        };
        bound(&self.ge, &[Greater, Equal])
            && bound(&self.gt, &[Greater])
            && bound(&self.le, &[Less, Equal])
            && bound(&self.lt, &[Less])
    }
}

/// A conjunction of conditions. The empty filter lets everything through.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Those on family and type come first.
    conditions: Vec<(Field, Test)>,
}

impl Filter {
    /// Reads `{field = value | [values] | {ge, gt, le, lt, not, exists}}`. `properties.x` may stand in quotes or bare: bare, TOML
    /// reads it as a table `properties` with a key `x`.
    ///
    /// # Errors
    /// Unknown fields or tests, families and actors that do not exist, values that no field can have.
    pub fn parse(table: &Table, path: &str) -> Result<Self, ModelError> {
        let mut conditions = Vec::with_capacity(table.len());
        for (name, wanted) in table {
            match wanted {
                Toml::Table(properties) if name == "properties" => {
                    for (key, wanted) in properties {
                        conditions.push(parse_condition(&format!("properties.{key}"), wanted, path)?);
                    }
                }
                _ => conditions.push(parse_condition(name, wanted, path)?),
            }
        }
        conditions.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Self { conditions })
    }

    /// The filter for events of some types.
    pub(crate) fn of_types(types: &[EventType]) -> Self {
        Self::default().with_types(types)
    }

    /// The same filter, for events of some types only.
    pub(crate) fn with_types(mut self, types: &[EventType]) -> Self {
        let names = types.iter().filter_map(|kind| kind.known_name());
        let any_of = names.map(|name| Value::Text(name.into())).collect();
        // Conditions on the type come first.
        self.conditions.insert(0, (Field::Type, Test { any_of: Some(any_of), ..Test::default() }));
        self
    }

    /// The same filter, for amounts of one currency only.
    pub fn with_currency(mut self, currency: Currency) -> Self {
        let only = Test { any_of: Some(vec![Value::Text(currency.code().into())]), ..Test::default() };
        self.conditions.push((Field::Currency, only));
        self
    }

    /// The same filter, for some features only.
    pub(crate) fn with_features(mut self, features: &[String]) -> Self {
        let any_of = features.iter().map(|feature| Value::Text(feature.as_str().into())).collect();
        self.conditions.push((Field::Feature, Test { any_of: Some(any_of), ..Test::default() }));
        self
    }

    /// Whether one of the conditions names a currency.
    pub fn names_currency(&self) -> bool {
        self.conditions.iter().any(|(field, test)| *field == Field::Currency && test.any_of.is_some())
    }

    /// The texts that a field is compared with.
    pub(crate) fn texts<'a>(&'a self, field: &'a Field) -> impl Iterator<Item = &'a str> {
        let of_field = self.conditions.iter().filter(move |(other, _)| other == field);
        of_field.flat_map(|(_, test)| test.values()).filter_map(Value::as_text)
    }

    /// Whether an event passes.
    pub fn passes(&self, names: &Names, event: &Event) -> bool {
        self.conditions.iter().all(|(field, test)| test.passes(field.of(names, event)))
    }

    /// Whether an event passes whose type is known to be one that can.
    pub fn passes_beyond_type(&self, names: &Names, event: &Event) -> bool {
        let beyond =
            self.conditions.iter().skip_while(|(field, _)| matches!(field, Field::Family | Field::Type));
        beyond.into_iter().all(|(field, test)| test.passes(field.of(names, event)))
    }

    /// Whether events of a type can pass, as far as the conditions on type and family say.
    pub fn can_match(&self, names: &Names, kind: EventType) -> bool {
        self.conditions.iter().all(|(field, test)| match field {
            Field::Family => test.passes(kind.family().map(|family| FieldValue::Text(family.name()))),
            Field::Type => test.passes(Some(FieldValue::Text(kind.name(names)))),
            _ => true,
        })
    }
}

fn parse_condition(name: &str, wanted: &Toml, path: &str) -> Result<(Field, Test), ModelError> {
    let field = Field::parse(name, path)?;
    let path = format!("{path}.{name}");
    let test = Test::parse(wanted, &path)?;
    check_names(&field, &test, &path)?;
    Ok((field, test))
}

const TESTS: [&str; 6] = ["ge", "gt", "le", "lt", "not", "exists"];

fn parse_values(wanted: &Toml, path: &str) -> Result<Vec<Value>, ModelError> {
    match wanted {
        Toml::Array(values) => values.iter().map(|value| parse_value(value, path)).collect(),
        value => Ok(vec![parse_value(value, path)?]),
    }
}

fn parse_ordered(wanted: &Toml, path: &str) -> Result<Value, ModelError> {
    match parse_value(wanted, path)? {
        value @ (Value::Number(_) | Value::Text(_)) => Ok(value),
        _ => Err(bad_value(path, wanted, "a number or a text")),
    }
}

fn parse_value(wanted: &Toml, path: &str) -> Result<Value, ModelError> {
    match wanted {
        Toml::String(text) => Ok(Value::Text(text.as_str().into())),
        Toml::Integer(number) => Ok(Value::Number(Decimal::from(*number))),
        Toml::Float(number) => Decimal::parse(&number.to_string())
            .map(Value::Number)
            .ok_or_else(|| bad_value(path, wanted, "a finite number")),
        Toml::Boolean(truth) => Ok(Value::Bool(*truth)),
        Toml::Datetime(_) | Toml::Array(_) | Toml::Table(_) => {
            Err(bad_value(path, wanted, "a text, a number, true or false"))
        }
    }
}

fn check_names(field: &Field, test: &Test, path: &str) -> Result<(), ModelError> {
    let valid: Vec<&str> = match field {
        Field::Family => Family::ALL.iter().map(|family| family.name()).collect(),
        Field::Actor => [Actor::Person, Actor::Service, Actor::Internal].map(Actor::name).to_vec(),
        _ => return Ok(()),
    };
    test.check_words(&valid, path)
}

/// Most characters of a value that an error repeats.
const SHOWN_CHARS_MAX: usize = 200;

/// The error for a value that is not what its key needs.
pub(crate) fn bad_value(path: &str, value: &Toml, expected: &str) -> ModelError {
    let mut shown = value.to_string();
    if let Some((cut, _)) = shown.char_indices().nth(SHOWN_CHARS_MAX) {
        shown.truncate(cut);
        shown.push('…');
    }
    ModelError::BadValue { path: path.to_owned(), value: shown, expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Money, Subject};

    fn event(names: &Names) -> Event {
        let mut properties = vec![
            (names.intern("plan"), Value::Text("pro".into())),
            (names.intern("score"), Value::Number(Decimal::parse("7.0").unwrap())),
            (names.intern("beta"), Value::Bool(false)),
            (names.intern("note"), Value::Null),
        ];
        properties.sort_by(|a, b| names.text(a.0).cmp(names.text(b.0)));
        Event {
            source: names.intern("app"),
            generation: 0,
            id: "1".into(),
            subject: Subject::Account(names.intern("acme")),
            user: None,
            actor: Actor::Person,
            product: None,
            kind: EventType::Usage,
            occurred_at: 0,
            quantity: None,
            amount: Some(Money { minor: -250, currency: Currency::from_code("EUR").unwrap() }),
            feature: Some(names.intern("export")),
            metric: None,
            properties,
            unknown: Box::default(),
        }
    }

    #[test]
    fn conditions_test_by_json_type() {
        let names = Names::new();
        let event = event(&names);
        let passes = |filter: &str| {
            let table: Table = toml::from_str(&format!("f = {filter}")).unwrap();
            Filter::parse(table["f"].as_table().unwrap(), "f").unwrap().passes(&names, &event)
        };
        for filter in [
            "{}",
            "{ family = 'usage', type = ['usage', 'value'] }",
            "{ feature = { not = 'import' } }",
            "{ user = { not = 'ann' } }",
            "{ user = { exists = false } }",
            "{ 'properties.feature' = 'export' }",
            "{ 'properties.score' = 7 }",
            "{ 'properties.score' = { ge = 7, lt = 7.5 } }",
            "{ properties.score = { ge = 7, lt = 7.5 }, properties.feature = 'export', type = 'usage' }",
            "{ 'properties.beta' = false }",
            "{ 'properties.plan' = { gt = 'premium' } }",
            "{ quantity = 1 }",
            "{ amount = { lt = 0 }, currency = 'EUR' }",
            "{ actor = 'person', source = 'app' }",
        ] {
            assert!(passes(filter), "{filter}");
        }
        for filter in [
            "{ family = 'value' }",
            "{ user = 'ann' }",
            "{ user = { exists = true } }",
            "{ 'properties.score' = '7' }",
            "{ 'properties.score' = { gt = 'a' } }",
            "{ 'properties.beta' = 0 }",
            "{ 'properties.absent' = { ge = 0 } }",
            "{ 'properties.note' = { exists = true } }",
            "{ feature = { not = ['export', 'import'] } }",
        ] {
            assert!(!passes(filter), "{filter}");
        }
    }

    #[test]
    fn errors_name_the_nearest_key() {
        let error = |filter: &str| {
            let table: Table = toml::from_str(&format!("f = {filter}")).unwrap();
            Filter::parse(table["f"].as_table().unwrap(), "metrics.x.filter").unwrap_err().to_string()
        };
        assert!(error("{ famly = 'usage' }").contains("nearest valid key: \"family\""));
        assert!(error("{ family = 'usgae' }").contains("nearest: \"usage\""));
        assert!(error("{ quantity = { gte = 1 } }").contains("nearest valid key: \"ge\""));
    }
}
