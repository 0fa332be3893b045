//! The expression behind a target: where its value is read from, and the transformations applied to it.

use std::borrow::Cow;

use tidewatch_projections::decimal::Decimal;
use toml::{Table, Value as Toml};

use super::constant::Constant;
use super::decimal_mark::DecimalMark;
use super::error::{MappingError, bad_value, invalid, only_keys, text, truth};
use super::mapped_value::{MappedValue, number_of};
use super::path::Path;
use super::time_parser::{ParsedTime, TimeParser};
use crate::draft::Finer;
use crate::json::Fields;
use crate::reject::{Reason, Rejection};
use crate::time;

/// Where the value of an expression is read from.
#[derive(Clone, PartialEq, Debug)]
enum Input {
    Path(Path),
    Template(Vec<Piece>),
    Constant(Constant),
}

#[derive(Clone, PartialEq, Debug)]
enum Piece {
    Text(Box<str>),
    Path(Path),
}

/// The type that `as` converts a value to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Number,
    Bool,
}

/// What happens to a value that `map` does not list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unlisted {
    Refuse,
    Keep,
    Drop,
}

/// A translation table, and what happens to values it does not list.
type Map = (Vec<(Box<str>, Constant)>, Unlisted);

/// The units that an amount is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Major units: 12.5 means 12.50.
    Major,
    /// Minor units: 1250 means 12.50.
    Minor,
}

/// The value of a target: the first of its inputs that is present, transformed in the order of these fields.
#[derive(Clone, PartialEq, Debug)]
pub struct Expression {
    inputs: Vec<Input>,
    trim: bool,
    lower: bool,
    after: Option<String>,
    before: Option<String>,
    map: Option<Map>,
    decimal: Option<DecimalMark>,
    kind: Option<Kind>,
    times: Option<Decimal>,
    time: Option<TimeParser>,
    default: Option<Constant>,
    required: bool,
    /// For amounts: the units of the numbers.
    pub unit: Unit,
    /// For amounts: what happens to digits finer than the minor unit.
    pub finer: Finer,
}

const KEYS: [&str; 17] = [
    "from", "value", "trim", "lower", "after", "before", "map", "unlisted", "decimal", "as", "times", "time",
    "zone", "default", "required", "unit", "finer",
];

impl Expression {
    /// Parses what the mapping writes for `target`: a path, a template, a constant, a list of them, or a table.
    pub(super) fn read(at: &str, target: &str, written: &Toml) -> Result<Self, MappingError> {
        let mut expression = Self {
            inputs: Vec::new(),
            trim: false,
            lower: false,
            after: None,
            before: None,
            map: None,
            decimal: None,
            kind: None,
            times: None,
            time: None,
            default: None,
            required: false,
            unit: Unit::Major,
            finer: Finer::Refuse,
        };
        match written {
            Toml::Table(table) => expression.read_table(at, target, table)?,
            other => expression.inputs = read_inputs(at, other)?,
        }
        if target == "occurred_at" && expression.time.is_none() {
            expression.time = Some(TimeParser::rfc3339());
        }
        Ok(expression)
    }

    fn read_table(&mut self, at: &str, target: &str, table: &Table) -> Result<(), MappingError> {
        only_keys(at, table, &KEYS)?;
        let key = |name: &str| format!("{at}.{name}");
        self.inputs = match (table.get("from"), table.get("value")) {
            (Some(from), None) => read_inputs(&key("from"), from)?,
            (None, Some(value)) => vec![Input::Constant(Constant::read(&key("value"), value)?)],
            _ => return Err(invalid(at, "give one of from (a path or template) and value (a constant)")),
        };
        self.trim = truth(at, table, "trim")?;
        self.lower = truth(at, table, "lower")?;
        self.required = truth(at, table, "required")?;
        for (name, slot) in [("after", &mut self.after), ("before", &mut self.before)] {
            if let Some(value) = table.get(name) {
                *slot = Some(text(&key(name), value)?.to_owned()).filter(|separator| !separator.is_empty());
            }
        }
        self.map = read_map(at, table)?;
        if let Some(value) = table.get("decimal") {
            let mark = value.as_str().and_then(DecimalMark::of_text);
            self.decimal = Some(mark.ok_or_else(|| bad_value(&key("decimal"), value, "\".\" or \",\""))?);
        }
        self.kind = match table.get("as").map(|value| (value, value.as_str())) {
            None => None,
            Some((_, Some("text"))) => Some(Kind::Text),
            Some((_, Some("number"))) => Some(Kind::Number),
            Some((_, Some("bool"))) => Some(Kind::Bool),
            Some((other, _)) => return Err(bad_value(&key("as"), other, "text, number or bool")),
        };
        if let Some(value) = table.get("times") {
            let factor = match Constant::read(&key("times"), value)? {
                Constant::Number(number) => Some(number),
                Constant::Text(text) => Decimal::parse(&text),
                Constant::Bool(_) => None,
            };
            self.times = Some(factor.ok_or_else(|| bad_value(&key("times"), value, "a number"))?);
        }
        self.time = TimeParser::of_table(at, table)?;
        if let Some(value) = table.get("default") {
            self.default = Some(Constant::read(&key("default"), value)?);
        }
        for name in ["unit", "finer"] {
            if target != "amount" && table.contains_key(name) {
                return Err(invalid(
                    at,
                    format!("{name} is for the target amount only; use times for other numbers"),
                ));
            }
        }
        self.unit = match table.get("unit").map(|value| (value, value.as_str())) {
            None | Some((_, Some("major"))) => Unit::Major,
            Some((_, Some("minor"))) => Unit::Minor,
            Some((other, _)) => return Err(bad_value(&key("unit"), other, "major or minor")),
        };
        self.finer = match table.get("finer").map(|value| (value, value.as_str())) {
            None | Some((_, Some("refuse"))) => Finer::Refuse,
            Some((_, Some("cut"))) => Finer::Cut,
            Some((_, Some("round"))) => Finer::Round,
            Some((other, _)) => return Err(bad_value(&key("finer"), other, "refuse, cut or round")),
        };
        Ok(())
    }

    /// The value for this record; `None` when it is absent, null or, without a default, dropped by the table.
    ///
    /// # Errors
    /// `missing_field` when it is required and absent; `bad_field`, `bad_time`, `over_limit` when it does not convert.
    pub(super) fn evaluate<'r>(
        &'r self,
        target: &str,
        record: &'r Fields<'r>,
    ) -> Result<Option<MappedValue<'r>>, Rejection> {
        let found = match self.find(record)? {
            Some(found) => self.transform(found).map_err(|rejection| self.explain(target, rejection))?,
            None => None,
        };
        match found.or_else(|| self.default.as_ref().map(Constant::as_value)) {
            None if self.required => Err(Rejection::new(
                Reason::MissingField,
                format!("{target} is required and {} gives nothing", self.inputs_text()),
            )),
            value => Ok(value),
        }
    }

    /// The time for this record as an instant.
    pub(super) fn evaluate_time(&self, record: &Fields<'_>) -> Result<Option<i64>, Rejection> {
        let (Some(parser), Some(found)) = (&self.time, self.find(record)?) else {
            return match self.required {
                true => Err(Rejection::new(Reason::MissingField, "occurred_at is required and absent")),
                false => Ok(None),
            };
        };
        let read = self.transform_text(found).and_then(|found| match found {
            Some(found) => parser.read(&found).and_then(|parsed| parser.instant_of(parsed)).map(Some),
            None => Ok(None),
        });
        read.map_err(|rejection| self.explain("occurred_at", rejection))
    }

    fn find<'r>(&'r self, record: &'r Fields<'r>) -> Result<Option<MappedValue<'r>>, Rejection> {
        for input in &self.inputs {
            let found = match input {
                Input::Path(path) => path.find(record).map(MappedValue::of_node).transpose()?,
                Input::Template(pieces) => fill(pieces, record)?,
                Input::Constant(constant) => Some(constant.as_value()),
            };
            // An empty text is no value where another input may have one.
            if found
                .as_ref()
                .is_some_and(|found| self.inputs.len() == 1 || *found != MappedValue::Text("".into()))
            {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn transform<'r>(&'r self, found: MappedValue<'r>) -> Result<Option<MappedValue<'r>>, Rejection> {
        let Some(mut value) = self.transform_text(found)? else { return Ok(None) };
        if let (Some(mark), MappedValue::Text(text)) = (self.decimal, &value) {
            if text.trim().is_empty() {
                return Ok(None);
            }
            value = MappedValue::Number(mark.read(text)?);
        }
        if let Some(kind) = self.kind {
            let Some(converted) = convert(value, kind)? else { return Ok(None) };
            value = converted;
        }
        if let Some(factor) = self.times {
            value = MappedValue::Number(product(number_of(&value)?, factor)?);
        }
        if let Some(parser) = &self.time {
            value = MappedValue::Text(Cow::Owned(match parser.read(&value)? {
                ParsedTime::Instant(at) => time::write_rfc3339(at),
                ParsedTime::Day(date) => date.to_string(),
            }));
        }
        Ok(Some(value))
    }

    fn transform_text<'r>(&'r self, found: MappedValue<'r>) -> Result<Option<MappedValue<'r>>, Rejection> {
        let mut value = found;
        if let MappedValue::Text(text) = &mut value {
            if self.trim {
                narrow(text, str::trim);
            }
            if self.lower {
                *text = Cow::Owned(text.to_lowercase());
            }
            for (separator, half) in [(&self.after, 1), (&self.before, 0)] {
                let Some(separator) = separator else { continue };
                narrow(text, |whole| {
                    let halves = whole.split_once(separator.as_str());
                    halves.map_or(whole, |(left, right)| [left, right][half])
                });
            }
        }
        let Some((table, unlisted)) = &self.map else { return Ok(Some(value)) };
        let word = value.clone().into_text();
        let listed = word.as_deref().and_then(|word| table.iter().find(|(from, _)| **from == *word));
        match (listed, unlisted) {
            (Some((_, to)), _) => Ok(Some(to.as_value())),
            (None, Unlisted::Keep) => Ok(Some(value)),
            (None, Unlisted::Drop) => Ok(None),
            (None, Unlisted::Refuse) => {
                let shown = word.map_or_else(|| value.kind().to_owned(), |word| format!("{word:?}"));
                let listed: Vec<&str> = table.iter().map(|(from, _)| from.as_ref()).collect();
                let detail =
                    format!("{shown} is not in the map ({}); add it, or set unlisted", listed.join(", "));
                Err(Rejection::new(Reason::BadField, detail))
            }
        }
    }

    fn explain(&self, target: &str, rejection: Rejection) -> Rejection {
        Rejection::new(
            rejection.reason,
            format!("{target} from {}: {}", self.inputs_text(), rejection.detail),
        )
    }

    fn inputs_text(&self) -> String {
        let inputs: Vec<String> = self
            .inputs
            .iter()
            .map(|input| match input {
                Input::Path(path) => path.to_string(),
                Input::Template(_) => "a template".to_owned(),
                Input::Constant(_) => "a constant".to_owned(),
            })
            .collect();
        inputs.join(" or ")
    }

    /// The top-level keys of a record that it reads.
    pub(super) fn top_level_keys(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().flat_map(|input| match input {
            Input::Path(path) => path.top_level_key().into_iter().collect::<Vec<_>>(),
            Input::Template(pieces) => pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Path(path) => path.top_level_key(),
                    Piece::Text(_) => None,
                })
                .collect(),
            Input::Constant(_) => Vec::new(),
        })
    }
}

/// Replaces a text by a part of it, without copying a borrowed text.
fn narrow(text: &mut Cow<'_, str>, part: impl Fn(&str) -> &str) {
    *text = match text {
        Cow::Borrowed(whole) => Cow::Borrowed(part(whole)),
        Cow::Owned(whole) => Cow::Owned(part(whole).to_owned()),
    };
}

fn read_inputs(at: &str, written: &Toml) -> Result<Vec<Input>, MappingError> {
    match written {
        Toml::Array(items) if !items.is_empty() => items.iter().map(|item| read_input(at, item)).collect(),
        single => Ok(vec![read_input(at, single)?]),
    }
}

fn read_input(at: &str, written: &Toml) -> Result<Input, MappingError> {
    let Toml::String(text) = written else { return Constant::read(at, written).map(Input::Constant) };
    if text.starts_with('$') {
        let path = Path::parse(text).filter(|path| !path.is_root());
        let expected =
            "a path such as $.customer.id or $.lines[0].sku (a constant that starts with $ is { value = … })";
        return path.map(Input::Path).ok_or_else(|| bad_value(at, written, expected));
    }
    if text.contains("{$") {
        return read_template(text)
            .map(Input::Template)
            .ok_or_else(|| bad_value(at, written, "a template such as \"invoice-{$.invoice.id}\""));
    }
    Ok(Input::Constant(Constant::Text(text.as_str().into())))
}

fn read_template(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find("{$") {
        let close = open + rest[open..].find('}')?;
        if open > 0 {
            pieces.push(Piece::Text(rest[..open].into()));
        }
        pieces.push(Piece::Path(Path::parse(&rest[open + 1..close]).filter(|path| !path.is_root())?));
        rest = &rest[close + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.into()));
    }
    Some(pieces)
}

/// The text of a template; `None` when one of its paths is absent or leads to a list or object.
fn fill<'r>(pieces: &[Piece], record: &'r Fields<'r>) -> Result<Option<MappedValue<'r>>, Rejection> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Path(path) => {
                let found =
                    path.find(record).map(MappedValue::of_node).transpose()?.and_then(MappedValue::into_text);
                match found {
                    Some(found) => text.push_str(&found),
                    None => return Ok(None),
                }
            }
        }
    }
    Ok(Some(MappedValue::Text(Cow::Owned(text))))
}

fn read_map(at: &str, table: &Table) -> Result<Option<Map>, MappingError> {
    let unlisted = match table.get("unlisted").map(|value| (value, value.as_str())) {
        None => None,
        Some((_, Some("refuse"))) => Some(Unlisted::Refuse),
        Some((_, Some("keep"))) => Some(Unlisted::Keep),
        Some((_, Some("drop"))) => Some(Unlisted::Drop),
        Some((other, _)) => return Err(bad_value(&format!("{at}.unlisted"), other, "refuse, keep or drop")),
    };
    let Some(map) = table.get("map") else {
        return match unlisted {
            Some(_) => Err(invalid(at, "unlisted needs a map")),
            None => Ok(None),
        };
    };
    let at = format!("{at}.map");
    let Toml::Table(map) = map else { return Err(bad_value(&at, map, "a table of text = constant")) };
    let entries = map
        .iter()
        .map(|(from, to)| Ok((from.as_str().into(), Constant::read(&format!("{at}.{from}"), to)?)))
        .collect::<Result<_, MappingError>>()?;
    Ok(Some((entries, unlisted.unwrap_or(Unlisted::Refuse))))
}

fn convert(value: MappedValue<'_>, kind: Kind) -> Result<Option<MappedValue<'_>>, Rejection> {
    let bad =
        |what: String, into: &str| Err(Rejection::new(Reason::BadField, format!("{what} is no {into}")));
    match (kind, value) {
        (Kind::Text, value) => {
            let what = value.kind();
            value
                .into_text()
                .map_or_else(|| bad(what.to_owned(), "single text"), |text| Ok(Some(MappedValue::Text(text))))
        }
        // An empty cell is how tables write "unknown".
        (Kind::Number | Kind::Bool, MappedValue::Text(text)) if text.is_empty() => Ok(None),
        (Kind::Number, value) => number_of(&value).map(|number| Some(MappedValue::Number(number))),
        (Kind::Bool, value @ MappedValue::Bool(_)) => Ok(Some(value)),
        (Kind::Bool, value) => match value.clone().into_text().as_deref() {
            Some("1" | "true" | "True" | "TRUE" | "yes" | "Yes" | "y" | "Y") => {
                Ok(Some(MappedValue::Bool(true)))
            }
            Some("0" | "false" | "False" | "FALSE" | "no" | "No" | "n" | "N") => {
                Ok(Some(MappedValue::Bool(false)))
            }
            Some(other) => bad(format!("{other:?}"), "truth value"),
            None => bad(value.kind().to_owned(), "truth value"),
        },
    }
}

fn product(a: Decimal, b: Decimal) -> Result<Decimal, Rejection> {
    a.mantissa()
        .checked_mul(b.mantissa())
        .map(|mantissa| Decimal::new(mantissa, a.exponent() + b.exponent()))
        .ok_or_else(|| Rejection::new(Reason::OverLimit, format!("{a} times {b} has too many digits")))
}
