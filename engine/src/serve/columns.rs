//! The fields by which lists can be filtered and ordered.

use std::borrow::Cow;

use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::{Event, QUANTITY_ONE};
use tidewatch_projections::names::Names;
use tidewatch_projections::plan::Plan;
use tidewatch_projections::scalar::Scalar;
use tidewatch_projections::value::Value;
use tidewatch_proto::v1::AccountFacts;

use super::convert::plain_text;
use super::filter::{Kind, Operand};

/// A field of the list of accounts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AccountColumn {
    Id,
    /// The name of its status.
    Status,
    /// The first day of that status.
    StatusSince,
    /// The first day of life.
    FirstDay,
    AgeDays,
    Seats,
    Events,
    /// The newest of them.
    NewestEvent,
    OpenTickets,
    /// A fact that is a text.
    Fact(&'static str),
    Attribute(String),
    /// An adopted metric, by its place in the model.
    Metric(usize),
}

impl AccountColumn {
    /// Finds a column by its path.
    pub fn resolve(plan: &Plan, path: &[String]) -> Option<(Self, Kind)> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        Some(match path.as_slice() {
            ["id"] => (Self::Id, Kind::Text),
            ["status"] => (Self::Status, Kind::Text),
            ["status_since"] => (Self::StatusSince, Kind::Day),
            ["first_day"] => (Self::FirstDay, Kind::Day),
            ["age_days"] => (Self::AgeDays, Kind::Number),
            ["seats"] => (Self::Seats, Kind::Number),
            ["events"] => (Self::Events, Kind::Number),
            ["newest_event"] => (Self::NewestEvent, Kind::Instant),
            ["open_tickets"] => (Self::OpenTickets, Kind::Number),
            // A role is a fact with a dot in its name: `attributes.roles.owner`.
            ["attributes", name @ ..] if !name.is_empty() => (Self::Attribute(name.join(".")), Kind::Any),
            ["metrics", name] => {
                let index = plan.model.metrics.iter().position(|metric| metric.name == *name)?;
                (Self::Metric(index), Kind::Any)
            }
            [name] => {
                let fact = AccountFacts::TEXT_NAMES.into_iter().find(|fact| fact == name)?;
                (Self::Fact(fact), Kind::Text)
            }
            _ => return None,
        })
    }

    /// What an account has there.
    pub fn operand<'v>(&self, account_at: &AccountAt<'v>) -> Option<Operand<'v>> {
        match self {
            Self::Id => Some(Operand::Text(account_at.context().names.text(account_at.survivor).into())),
            Self::Status => Some(Operand::Text(account_at.since().status.name().into())),
            Self::StatusSince => account_at.since().since.map(|day| Operand::Day(day.date())),
            Self::FirstDay => account_at.first_day().map(|day| Operand::Day(day.date())),
            Self::AgeDays => account_at.age_days().map(|days| Operand::Exact(days.into())),
            Self::Seats => account_at.seats().map(Operand::Exact),
            Self::Events => Some(Operand::Exact(Decimal::new(account_at.events().into(), 0))),
            Self::NewestEvent => account_at.newest_at().map(Operand::Instant),
            Self::OpenTickets => {
                i64::try_from(account_at.open_tickets()).ok().map(|open| Operand::Exact(open.into()))
            }
            Self::Fact(name) => {
                let stated = account_at.fact(name)?;
                match stated {
                    Value::Text(text) => Some(Operand::Text(Cow::Borrowed(text))),
                    other => plain_text(other).map(|text| Operand::Text(text.into())),
                }
            }
            Self::Attribute(name) => value(account_at.fact(name)?),
            Self::Metric(index) => match account_at.metric(*index)? {
                Scalar::Number(number) => Some(Operand::Number(*number)),
                Scalar::Integer(whole) => Some(Operand::Exact(Decimal::new(*whole, 0))),
                Scalar::Text(text) => Some(Operand::Text(text.clone().into())),
            },
        }
    }
}

/// A field of a timeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EventColumn {
    Type,
    /// The family's name; types outside the contract have none.
    Family,
    Source,
    /// The id within the source.
    Id,
    User,
    Actor,
    Product,
    OccurredAt,
    /// How much, in ones.
    Quantity,
    /// The amount in minor units.
    Amount,
    Currency,
    Property(String),
}

impl EventColumn {
    /// Finds a column by its path.
    pub fn resolve(path: &[String]) -> Option<(Self, Kind)> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        Some(match path.as_slice() {
            ["type"] => (Self::Type, Kind::Text),
            ["family"] => (Self::Family, Kind::Text),
            ["source"] => (Self::Source, Kind::Text),
            ["id"] => (Self::Id, Kind::Text),
            ["user"] => (Self::User, Kind::Text),
            ["actor"] => (Self::Actor, Kind::Text),
            ["product"] => (Self::Product, Kind::Text),
            ["occurred_at"] => (Self::OccurredAt, Kind::Instant),
            ["quantity"] => (Self::Quantity, Kind::Number),
            ["amount"] => (Self::Amount, Kind::Number),
            ["currency"] => (Self::Currency, Kind::Text),
            ["properties", name] => (Self::Property((*name).to_owned()), Kind::Any),
            _ => return None,
        })
    }

    /// What an event has there.
    pub fn operand<'e>(&self, names: &'e Names, event: &'e Event) -> Option<Operand<'e>> {
        let text = |symbol| Operand::Text(Cow::Borrowed(names.text(symbol)));
        match self {
            Self::Type => Some(Operand::Text(event.kind.name(names).into())),
            Self::Family => event.kind.family().map(|family| Operand::Text(family.name().into())),
            Self::Source => Some(text(event.source)),
            Self::Id => Some(Operand::Text(Cow::Borrowed(&event.id))),
            Self::User => event.user.map(text),
            Self::Actor => Some(Operand::Text(event.actor.name().into())),
            Self::Product => event.product.map(text),
            Self::OccurredAt => Some(Operand::Instant(event.occurred_at)),
            Self::Quantity => {
                let millionths = i128::from(event.quantity_or_default()?);
                let digits = QUANTITY_ONE.ilog10();
                Some(Operand::Exact(Decimal::new(millionths, -i32::try_from(digits).expect("six"))))
            }
            Self::Amount => event.amount.map(|amount| Operand::Exact(amount.minor.into())),
            Self::Currency => {
                event.amount.map(|amount| Operand::Text(amount.currency.code().to_owned().into()))
            }
            Self::Property(name) => match name.as_str() {
                "feature" if event.feature.is_some() => event.feature.map(text),
                "metric" if event.metric.is_some() => event.metric.map(text),
                _ => value(event.property_named(names, name)?),
            },
        }
    }
}

/// Lists, objects and null have no order and equal nothing.
fn value(value: &Value) -> Option<Operand<'_>> {
    match value {
        Value::Text(text) => Some(Operand::Text(Cow::Borrowed(text))),
        Value::Number(number) => Some(Operand::Exact(*number)),
        Value::Bool(truth) => Some(Operand::Truth(*truth)),
        Value::Null | Value::List(_) | Value::Object(_) => None,
    }
}
