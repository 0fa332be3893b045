//! Where a target's value comes from and what is done to it on the way.

use std::borrow::Cow;

use tidewatch_projections::decimal::Decimal;
use toml::{Table, Value as Toml};

use super::clock::{Clock, Moment};
use super::constant::Constant;
use super::cooked::{Cooked, number_of};
use super::decimal_mark::DecimalMark;
use super::error::{MappingError, bad_value, only_keys, refused, text, truth};
use super::path::Path;
use crate::draft::Finer;
use crate::json::Fields;
use crate::reject::{Reason, Rejection};
use crate::time;

/// Where a value is read.
#[derive(Clone, PartialEq, Debug)]
enum Origin {
    Path(Path),
    Template(Vec<Piece>),
    Constant(Constant),
}

#[derive(Clone, PartialEq, Debug)]
enum Piece {
    Text(Box<str>),
    Path(Path),
}

/// What a text or number is turned into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Number,
    Bool,
}

/// What happens to a value that a translation table does not list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unlisted {
    Refuse,
    Keep,
    Drop,
}

/// A translation table, and what becomes of the rest.
type Map = (Vec<(Box<str>, Constant)>, Unlisted);

/// Units of an amount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// 12.5 is 12.50.
    Major,
    /// 1250 is 12.50.
    Minor,
}

/// A target's value: the first of its origins that is there, worked on in the order of these fields.
#[derive(Clone, PartialEq, Debug)]
pub struct Source {
    origins: Vec<Origin>,
    trim: bool,
    lower: bool,
    after: Option<String>,
    before: Option<String>,
    map: Option<Map>,
    decimal: Option<DecimalMark>,
    kind: Option<Kind>,
    times: Option<Decimal>,
    clock: Option<Clock>,
    default: Option<Constant>,
    required: bool,
    /// For amounts: what its numbers count.
    pub unit: Unit,
    /// For amounts: what becomes of digits finer than the minor unit.
    pub finer: Finer,
}

const KEYS: [&str; 17] = [
    "from", "value", "trim", "lower", "after", "before", "map", "unlisted", "decimal", "as", "times", "time",
    "zone", "default", "required", "unit", "finer",
];

impl Source {
    /// Reads what stands behind `target`: a path, a template, a constant, a list of them, or a table.
    pub(super) fn read(at: &str, target: &str, written: &Toml) -> Result<Self, MappingError> {
        let mut source = Self {
            origins: Vec::new(),
            trim: false,
            lower: false,
            after: None,
            before: None,
            map: None,
            decimal: None,
            kind: None,
            times: None,
            clock: None,
            default: None,
            required: false,
            unit: Unit::Major,
            finer: Finer::Refuse,
        };
        match written {
            Toml::Table(table) => source.read_table(at, target, table)?,
            other => source.origins = read_origins(at, other)?,
        }
        if target == "occurred_at" && source.clock.is_none() {
            source.clock = Some(Clock::rfc3339());
        }
        Ok(source)
    }

    fn read_table(&mut self, at: &str, target: &str, table: &Table) -> Result<(), MappingError> {
        only_keys(at, table, &KEYS)?;
        let key = |name: &str| format!("{at}.{name}");
        self.origins = match (table.get("from"), table.get("value")) {
            (Some(from), None) => read_origins(&key("from"), from)?,
            (None, Some(value)) => vec![Origin::Constant(Constant::read(&key("value"), value)?)],
            _ => return Err(refused(at, "give one of from (a path or template) and value (a constant)")),
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
        self.clock = Clock::of_table(at, table)?;
        if let Some(value) = table.get("default") {
            self.default = Some(Constant::read(&key("default"), value)?);
        }
        for name in ["unit", "finer"] {
            if target != "amount" && table.contains_key(name) {
                return Err(refused(
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
    pub(super) fn cook<'r>(
        &'r self,
        target: &str,
        record: &'r Fields<'r>,
    ) -> Result<Option<Cooked<'r>>, Rejection> {
        let found = match self.find(record)? {
            Some(found) => self.work(found).map_err(|rejection| self.explain(target, rejection))?,
            None => None,
        };
        match found.or_else(|| self.default.as_ref().map(Constant::cooked)) {
            None if self.required => Err(Rejection::new(
                Reason::MissingField,
                format!("{target} is required and {} gives nothing", self.origins_text()),
            )),
            value => Ok(value),
        }
    }

    /// The time for this record as an instant.
    pub(super) fn cook_time(&self, record: &Fields<'_>) -> Result<Option<i64>, Rejection> {
        let (Some(clock), Some(found)) = (&self.clock, self.find(record)?) else {
            return match self.required {
                true => Err(Rejection::new(Reason::MissingField, "occurred_at is required and absent")),
                false => Ok(None),
            };
        };
        let read = self.work_text(found).and_then(|found| match found {
            Some(found) => clock.read(&found).and_then(|moment| clock.instant_of(moment)).map(Some),
            None => Ok(None),
        });
        read.map_err(|rejection| self.explain("occurred_at", rejection))
    }

    fn find<'r>(&'r self, record: &'r Fields<'r>) -> Result<Option<Cooked<'r>>, Rejection> {
        for origin in &self.origins {
            let found = match origin {
                Origin::Path(path) => path.find(record).map(Cooked::of_node).transpose()?,
                Origin::Template(pieces) => fill(pieces, record)?,
                Origin::Constant(constant) => Some(constant.cooked()),
            };
            // An empty text is no value where another origin may have one.
            if found
                .as_ref()
                .is_some_and(|found| self.origins.len() == 1 || *found != Cooked::Text("".into()))
            {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn work<'r>(&'r self, found: Cooked<'r>) -> Result<Option<Cooked<'r>>, Rejection> {
        let Some(mut value) = self.work_text(found)? else { return Ok(None) };
        if let (Some(mark), Cooked::Text(text)) = (self.decimal, &value) {
            if text.trim().is_empty() {
                return Ok(None);
            }
            value = Cooked::Number(mark.read(text)?);
        }
        if let Some(kind) = self.kind {
            let Some(turned) = turn(value, kind)? else { return Ok(None) };
            value = turned;
        }
        if let Some(factor) = self.times {
            value = Cooked::Number(product(number_of(&value)?, factor)?);
        }
        if let Some(clock) = &self.clock {
            value = Cooked::Text(Cow::Owned(match clock.read(&value)? {
                Moment::Instant(at) => time::write_rfc3339(at),
                Moment::Day(date) => date.to_string(),
            }));
        }
        Ok(Some(value))
    }

    fn work_text<'r>(&'r self, found: Cooked<'r>) -> Result<Option<Cooked<'r>>, Rejection> {
        let mut value = found;
        if let Cooked::Text(text) = &mut value {
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
            (Some((_, to)), _) => Ok(Some(to.cooked())),
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
            format!("{target} from {}: {}", self.origins_text(), rejection.detail),
        )
    }

    fn origins_text(&self) -> String {
        let origins: Vec<String> = self
            .origins
            .iter()
            .map(|origin| match origin {
                Origin::Path(path) => path.to_string(),
                Origin::Template(_) => "a template".to_owned(),
                Origin::Constant(_) => "a constant".to_owned(),
            })
            .collect();
        origins.join(" or ")
    }

    /// The keys at the top of a record that it reads.
    pub(super) fn tops(&self) -> impl Iterator<Item = &str> {
        self.origins.iter().flat_map(|origin| match origin {
            Origin::Path(path) => path.top().into_iter().collect::<Vec<_>>(),
            Origin::Template(pieces) => pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Path(path) => path.top(),
                    Piece::Text(_) => None,
                })
                .collect(),
            Origin::Constant(_) => Vec::new(),
        })
    }
}

/// Leaves a part of a text, borrowed where the text is.
fn narrow(text: &mut Cow<'_, str>, part: impl Fn(&str) -> &str) {
    *text = match text {
        Cow::Borrowed(whole) => Cow::Borrowed(part(whole)),
        Cow::Owned(whole) => Cow::Owned(part(whole).to_owned()),
    };
}

fn read_origins(at: &str, written: &Toml) -> Result<Vec<Origin>, MappingError> {
    match written {
        Toml::Array(items) if !items.is_empty() => items.iter().map(|item| read_origin(at, item)).collect(),
        single => Ok(vec![read_origin(at, single)?]),
    }
}

fn read_origin(at: &str, written: &Toml) -> Result<Origin, MappingError> {
    let Toml::String(text) = written else { return Constant::read(at, written).map(Origin::Constant) };
    if text.starts_with('$') {
        let path = Path::parse(text).filter(|path| !path.is_root());
        let expected =
            "a path such as $.customer.id or $.lines[0].sku (a constant that starts with $ is { value = … })";
        return path.map(Origin::Path).ok_or_else(|| bad_value(at, written, expected));
    }
    if text.contains("{$") {
        return read_template(text)
            .map(Origin::Template)
            .ok_or_else(|| bad_value(at, written, "a template such as \"invoice-{$.invoice.id}\""));
    }
    Ok(Origin::Constant(Constant::Text(text.as_str().into())))
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

/// The template's text; nothing when one of its paths leads nowhere or to a list or object.
fn fill<'r>(pieces: &[Piece], record: &'r Fields<'r>) -> Result<Option<Cooked<'r>>, Rejection> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Path(path) => {
                let found = path.find(record).map(Cooked::of_node).transpose()?.and_then(Cooked::into_text);
                match found {
                    Some(found) => text.push_str(&found),
                    None => return Ok(None),
                }
            }
        }
    }
    Ok(Some(Cooked::Text(Cow::Owned(text))))
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
            Some(_) => Err(refused(at, "unlisted needs a map")),
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

fn turn(value: Cooked<'_>, kind: Kind) -> Result<Option<Cooked<'_>>, Rejection> {
    let bad =
        |what: String, into: &str| Err(Rejection::new(Reason::BadField, format!("{what} is no {into}")));
    match (kind, value) {
        (Kind::Text, value) => {
            let what = value.kind();
            value
                .into_text()
                .map_or_else(|| bad(what.to_owned(), "single text"), |text| Ok(Some(Cooked::Text(text))))
        }
        // An empty cell is how tables write "unknown".
        (Kind::Number | Kind::Bool, Cooked::Text(text)) if text.is_empty() => Ok(None),
        (Kind::Number, value) => number_of(&value).map(|number| Some(Cooked::Number(number))),
        (Kind::Bool, value @ Cooked::Bool(_)) => Ok(Some(value)),
        (Kind::Bool, value) => match value.clone().into_text().as_deref() {
            Some("1" | "true" | "True" | "TRUE" | "yes" | "Yes" | "y" | "Y") => Ok(Some(Cooked::Bool(true))),
            Some("0" | "false" | "False" | "FALSE" | "no" | "No" | "n" | "N") => {
                Ok(Some(Cooked::Bool(false)))
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
