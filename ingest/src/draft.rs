//! Builds an event from the fields that a native record or a mapping gives, and checks it against the contract.

use std::borrow::Cow;

use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::{Actor, Currency, Event, Micros, Money, Subject};
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::value::Value;
use tidewatch_projections::vocabulary::EventType;

use crate::batch::Origin;
use crate::contract;
use crate::limits::Limits;
use crate::reject::{Reason, Rejection};

/// What the decoding of all records of one source has in common.
#[derive(Clone, Copy)]
pub struct DecodeContext<'a> {
    /// The shard's table of interned strings.
    pub names: &'a Names,
    /// The tenant of the data directory: a record of another tenant is rejected.
    pub tenant: &'a str,
    /// The source of records that do not name one.
    pub source: Symbol,
    /// The limits that each record must keep.
    pub limits: &'a Limits,
}

/// The fields of an event before they are checked, borrowed from the record. Empty texts are treated as absent.
#[derive(Clone, Default, Debug)]
pub struct Draft<'a> {
    /// The source; `None` for the one of [`DecodeContext`].
    pub source: Option<Cow<'a, str>>,
    /// The id; `None` when the place of the record is the id.
    pub id: Option<Cow<'a, str>>,
    /// The id of the account that the event is about.
    pub account: Option<Cow<'a, str>>,
    /// An external reference to the account: system and id in that system.
    pub reference: Option<(Cow<'a, str>, Cow<'a, str>)>,
    /// The id of the user within the account.
    pub user: Option<Cow<'a, str>>,
    /// Who acted: a person unless stated.
    pub actor: Actor,
    /// The vendor's product that the event concerns.
    pub product: Option<Cow<'a, str>>,
    /// The name of the event type; required.
    pub kind: Option<Cow<'a, str>>,
    /// When it happened, in µs since the epoch; required.
    pub occurred_at: Option<Micros>,
    /// The quantity, in millionths of one.
    pub quantity: Option<i64>,
    /// The amount of money with its currency.
    pub amount: Option<Money>,
    /// Properties in any order, each key once.
    pub properties: Vec<(Cow<'a, str>, Value)>,
    /// Canonical JSON of envelope fields this version does not know; empty for none.
    pub unknown: Box<[u8]>,
}

impl Draft<'_> {
    /// The event, checked against the contract. A rejected record interns no name: names are kept as long as the shard runs,
    /// and invalid input must not fill its memory.
    ///
    /// # Errors
    /// `missing_field`, `bad_field`, `no_subject`, `over_limit`, `bad_amount`.
    pub fn finish(self, with: &DecodeContext<'_>, origin: &Origin) -> Result<Event, Rejection> {
        let names = with.names;
        let limits = with.limits;
        let type_name = within_id(limits, "type", self.kind)?.ok_or_else(|| missing("type"))?;
        let kind = EventType::known(&type_name);
        let occurred_at = self.occurred_at.ok_or_else(|| missing("occurred_at"))?;
        let user = within_id(limits, "user", self.user)?;
        let account = within_id(limits, "account", self.account)?;
        let reference = match (&account, self.reference) {
            (Some(_), Some(_)) => return Err(no_subject("both account and ref are given; give one of them")),
            (None, None) if user.is_none() => {
                return Err(no_subject("none of account, ref and user is given"));
            }
            (_, None) => None,
            (None, Some((system, id))) => Some((
                within_id(limits, "ref.system", Some(system))?.ok_or_else(|| missing("ref.system"))?,
                within_id(limits, "ref.id", Some(id))?.ok_or_else(|| missing("ref.id"))?,
            )),
        };
        let id = within_id(limits, "id", self.id)?;
        let mut properties = Properties { type_name: &type_name, fields: self.properties };
        properties.check(kind)?;
        properties.add_points(kind);
        let feature = properties.take_name(limits, "feature")?;
        let metric = properties.take_name(limits, "metric")?;
        let source = within_id(limits, "source", self.source)?;
        let product = within_id(limits, "product", self.product)?;
        // Nothing is rejected from here on.
        let intern = |text: Cow<'_, str>| names.intern(&text);
        Ok(Event {
            source: source.map_or(with.source, intern),
            generation: 0,
            id: id.map_or_else(|| origin.id(names).into(), |id| id.as_ref().into()),
            subject: match (account, reference) {
                (Some(account), _) => Subject::Account(intern(account)),
                (None, Some((system, id))) => Subject::Ref { system: intern(system), id: intern(id) },
                (None, None) => Subject::User,
            },
            user: user.map(intern),
            actor: self.actor,
            product: product.map(intern),
            occurred_at,
            quantity: self.quantity,
            amount: self.amount.map(|amount| towards_customer(kind, amount)),
            feature: feature.map(|text| names.intern(&text)),
            metric: metric.map(|text| names.intern(&text)),
            properties: properties.sorted(names),
            unknown: self.unknown,
            kind: kind.unwrap_or_else(|| EventType::Other(names.intern(&type_name))),
        })
    }
}

fn towards_customer(kind: Option<EventType>, amount: Money) -> Money {
    let minor = if kind.is_some_and(contract::pays_customer) && amount.minor > 0 {
        -amount.minor
    } else {
        amount.minor
    };
    Money { minor, ..amount }
}

fn missing(field: &str) -> Rejection {
    Rejection::new(Reason::MissingField, format!("{field} is absent, null or empty"))
}

fn no_subject(detail: &str) -> Rejection {
    Rejection::new(Reason::NoSubject, detail)
}

/// The text unless it is empty; rejects one that is longer than an id may be.
fn within_id<'a>(
    limits: &Limits,
    field: &str,
    text: Option<Cow<'a, str>>,
) -> Result<Option<Cow<'a, str>>, Rejection> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    check_id(limits, field, &text)?;
    Ok(Some(text))
}

fn check_id(limits: &Limits, field: &str, text: &str) -> Result<(), Rejection> {
    let (length, most) = (text.len(), limits.id_bytes_max);
    if length <= most {
        return Ok(());
    }
    Err(Rejection::new(Reason::OverLimit, format!("{field} of {length} bytes is past id_bytes_max = {most}")))
}

struct Properties<'n, 'a> {
    type_name: &'n str,
    fields: Vec<(Cow<'a, str>, Value)>,
}

impl Properties<'_, '_> {
    fn position(&self, key: &str) -> Option<usize> {
        self.fields.iter().position(|(name, _)| name == key)
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.position(key).map(|at| &self.fields[at].1)
    }

    fn check(&self, kind: Option<EventType>) -> Result<(), Rejection> {
        let rules = kind.map_or(&[] as &[_], contract::rules);
        rules.iter().try_for_each(|rule| rule.check(self.type_name, self.get(rule.key)))
    }

    /// Replaces the points of a pulse by those of its colour, so that metrics read a number.
    fn add_points(&mut self, kind: Option<EventType>) {
        if kind != Some(EventType::PulseRecorded) {
            return;
        }
        let colour = self.get("colour").and_then(Value::as_text);
        if let Some(points) = colour.and_then(contract::pulse_points) {
            self.fields.retain(|(key, _)| key != "points");
            self.fields.push((Cow::Borrowed("points"), Value::Number(Decimal::from(points))));
        }
    }

    /// Takes a non-empty text out of the properties, for the field that the event has for it.
    fn take_name(&mut self, limits: &Limits, key: &str) -> Result<Option<Box<str>>, Rejection> {
        let Some(at) = self.position(key) else { return Ok(None) };
        match &self.fields[at].1 {
            Value::Text(text) if !text.is_empty() => check_id(limits, key, text)?,
            _ => return Ok(None),
        }
        Ok(match self.fields.swap_remove(at).1 {
            Value::Text(text) => Some(text),
            _ => unreachable!("it was looked at above"),
        })
    }

    fn sorted(mut self, names: &Names) -> Vec<(Symbol, Value)> {
        self.fields.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.fields.into_iter().map(|(key, value)| (names.intern(&key), value)).collect()
    }
}

impl Origin {
    /// The id of an event that brings none: `topic/topic id/partition/offset`, or `digest:line`.
    pub fn id(&self, names: &Names) -> String {
        match self {
            Self::Kafka { topic, topic_id, partition, offset } => {
                format!("{}/{}/{partition}/{offset}", names.text(*topic), names.text(*topic_id))
            }
            Self::Line { digest, line } => format!("{}:{line}", names.text(*digest)),
        }
    }
}

/// What to do with digits of an amount that are finer than the currency's minor unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Finer {
    /// Reject the record, because money must be exact.
    #[default]
    Refuse,
    /// Truncate the digits towards zero.
    Cut,
    /// Round to the minor unit, half away from zero.
    Round,
}

/// An amount given in major units (12.5 euros), converted to the currency's minor unit.
///
/// # Errors
/// `bad_amount` when it does not fit 64 bits, or has finer digits and `finer` is [`Finer::Refuse`].
pub fn money_of_major(major: Decimal, currency: Currency, finer: Finer) -> Result<Money, Rejection> {
    let digits = currency.exponent();
    let code = currency.code();
    let one_more =
        major.scaled(digits + 1).ok_or_else(|| bad_amount(format!("{major} {code} does not fit")))?;
    let minor = match finer {
        Finer::Refuse if major.exponent() < -i32::try_from(digits).unwrap_or(0) => {
            return Err(bad_amount(format!(
                "{major} {code} has more than the {digits} decimal places of {code}"
            )));
        }
        Finer::Refuse | Finer::Cut => one_more / 10,
        Finer::Round => (one_more + 5 * one_more.signum()) / 10,
    };
    money_of_minor(minor, currency)
}

/// An amount given in minor units (1250 cents).
///
/// # Errors
/// `bad_amount` when it does not fit 64 bits.
pub fn money_of_minor(minor: i128, currency: Currency) -> Result<Money, Rejection> {
    let minor = i64::try_from(minor).ok().filter(|minor| *minor != i64::MIN).ok_or_else(|| {
        bad_amount(format!("{minor} minor units of {} do not fit 64 bits", currency.code()))
    })?;
    Ok(Money { minor, currency })
}

/// The currency with an ISO 4217 code.
///
/// # Errors
/// `bad_amount` when it is not three letters.
pub fn currency_of(code: &str) -> Result<Currency, Rejection> {
    Currency::from_code(code).ok_or_else(|| bad_amount(format!("{code:?} is no ISO 4217 currency code")))
}

/// The rejection `bad_amount` with this detail.
pub fn bad_amount(detail: impl Into<String>) -> Rejection {
    Rejection::new(Reason::BadAmount, detail)
}

/// A quantity in millionths; finer digits are truncated.
///
/// # Errors
/// `bad_field` when it does not fit 64 bits.
pub fn quantity_of(number: Decimal) -> Result<i64, Rejection> {
    use tidewatch_projections::decimal::QUANTITY_DIGITS;
    number.scaled(QUANTITY_DIGITS).and_then(|millionths| i64::try_from(millionths).ok()).ok_or_else(|| {
        Rejection::new(Reason::BadField, format!("quantity {number} does not fit 64 bits of millionths"))
    })
}
