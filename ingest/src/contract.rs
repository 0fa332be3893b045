//! What each type of the contract says of its properties (health-model §1): required fields, types, allowed values.
//!
//! An event without its required field is refused, and so is one whose required field is something else. Every other
//! field may be absent; one with another type or a value outside its list is kept as it came and is unknown wherever
//! its meaning counts, because losing the event would lose what it says plainly. [`unread`] finds such fields, so that
//! they are counted and shown.

use tidewatch_projections::calendar::Named;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::Event;
use tidewatch_projections::names::Names;
use tidewatch_projections::value::Value;
use tidewatch_projections::vocabulary::EventType;

use crate::reject::{Reason, Rejection};

/// What a property must be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A text.
    Text,
    /// An id: a text that is not empty.
    Id,
    /// A number.
    Number,
    /// A number of this closed range.
    Range(i64, i64),
    /// `true` or `false`.
    Truth,
    /// A date `YYYY-MM-DD`, an RFC 3339 instant, or an integer of microseconds.
    Day,
    /// A list of texts.
    Texts,
    /// One of these texts.
    OneOf(&'static [&'static str]),
}

/// One property of a type.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The key.
    pub key: &'static str,
    /// What it must be.
    pub shape: Shape,
    /// Whether an event without it is refused.
    pub required: bool,
}

const fn need(key: &'static str, shape: Shape) -> Rule {
    Rule { key, shape, required: true }
}

const fn may(key: &'static str, shape: Shape) -> Rule {
    Rule { key, shape, required: false }
}

const SUBSCRIPTION: Rule = need("subscription_id", Shape::Id);
const SUBSCRIPTION_NAMED: Rule = may("subscription_id", Shape::Id);
const INVOICE: Rule = need("invoice_id", Shape::Id);
const TICKET: Rule = need("ticket_id", Shape::Id);
const AMOUNT_PER: Rule = may("amount_per", Shape::OneOf(&["month", "year", "term"]));
const TERM_START: Rule = may("term_start", Shape::Day);
const TERM_END: Rule = may("term_end", Shape::Day);
const EFFECTIVE: Rule = may("effective_at", Shape::Day);
const SEATS: Rule = may("seats", Shape::Number);
const RENEWS: Rule = may("renews", Shape::Texts);
const DUE: Rule = may("due", Shape::Day);

/// What this type demands of its properties. Types outside the contract demand nothing.
pub fn rules(kind: EventType) -> &'static [Rule] {
    use EventType as T;
    match kind {
        T::Usage => &const { [need("feature", Shape::Id), may("duration_s", Shape::Number)] },
        T::Value => &const { [need("metric", Shape::Id)] },
        T::SubscriptionStarted => {
            &const {
                [
                    SUBSCRIPTION,
                    AMOUNT_PER,
                    TERM_START,
                    TERM_END,
                    SEATS,
                    may("plan", Shape::Text),
                    may("recurring", Shape::Truth),
                    may("auto_renew", Shape::Truth),
                    may("notice_days", Shape::Number),
                    may("holder", Shape::Text),
                    may("covers", Shape::Texts),
                    RENEWS,
                    may("sold_by", Shape::Text),
                    may("commit_quantity", Shape::Number),
                ]
            }
        }
        T::TrialStarted | T::TrialConverted | T::TrialEnded => &const { [SUBSCRIPTION, TERM_END, SEATS] },
        T::SubscriptionChanged => {
            &const {
                let cause = may("cause", Shape::OneOf(&["upsell", "price", "reduction"]));
                [SUBSCRIPTION, EFFECTIVE, AMOUNT_PER, SEATS, may("plan", Shape::Text), cause]
            }
        }
        T::SubscriptionRenewed => &const { [SUBSCRIPTION, TERM_START, TERM_END, AMOUNT_PER, RENEWS, SEATS] },
        T::SubscriptionCancelled => {
            &const { [SUBSCRIPTION, EFFECTIVE, may("reason", Shape::Text), may("replaced_by", Shape::Texts)] }
        }
        T::SubscriptionEnded => {
            &const { [SUBSCRIPTION, may("cause", Shape::OneOf(&["cancelled", "lapsed", "replaced", "moved"]))] }
        }
        T::SubscriptionPaused => &const { [SUBSCRIPTION_NAMED, may("until", Shape::Day)] },
        T::SubscriptionResumed | T::CancellationWithdrawn | T::CreditsGranted | T::CreditsUsed => {
            &const { [SUBSCRIPTION_NAMED] }
        }
        T::InvoiceIssued => {
            &const {
                let period = [may("period_start", Shape::Day), may("period_end", Shape::Day)];
                [INVOICE, may("due_at", Shape::Day), SUBSCRIPTION_NAMED, period[0], period[1]]
            }
        }
        T::InvoicePaid | T::PaymentFailed | T::InvoiceVoided => &const { [INVOICE] },
        T::RefundIssued | T::CreditIssued => &const { [may("invoice_id", Shape::Id)] },
        T::TicketOpened => {
            &const {
                [TICKET, may("priority", Shape::Text), may("channel", Shape::Text), may("agent", Shape::Text)]
            }
        }
        T::TicketReplied => {
            &const {
                let by = may("by", Shape::OneOf(&["agent", "customer", "bot"]));
                [
                    TICKET,
                    by,
                    may("public", Shape::Truth),
                    may("agent", Shape::Text),
                    may("handle_s", Shape::Number),
                ]
            }
        }
        T::TicketUpdated => &const { [may("ticket_id", Shape::Id)] },
        T::TicketResolved
        | T::TicketClosed
        | T::TicketReopened
        | T::TicketEscalated
        | T::TicketDeescalated => &const { [TICKET] },
        T::TicketRated => &const { [TICKET, may("rating", Shape::OneOf(&["great", "okay", "bad"]))] },
        T::NpsAnswered => {
            &const { [need("score", Shape::Range(0, 10)), may("survey", Shape::Text), may("role", Shape::Text)] }
        }
        T::CsatAnswered => {
            &const { [need("score", Shape::Range(1, 5)), may("survey", Shape::Text), may("ticket_id", Shape::Id)] }
        }
        T::PulseRecorded => {
            &const {
                [
                    may("colour", Shape::OneOf(&["red", "yellow", "green"])),
                    may("points", Shape::Range(0, 100)),
                ]
            }
        }
        T::MilestoneReached => &const { [need("milestone", Shape::Id)] },
        T::StageChanged => &const { [need("stage", Shape::Id)] },
        T::TouchpointHeld => {
            &const {
                let channel = may("channel", Shape::OneOf(&["human", "automatic"]));
                [may("kind", Shape::Text), channel, may("people", Shape::Texts)]
            }
        }
        T::GoalSet | T::GoalMet => &const { [may("goal", Shape::Text), DUE] },
        T::StakeholderChanged => {
            &const { [may("role", Shape::Text), may("state", Shape::OneOf(&["joined", "left"]))] }
        }
        T::OutcomeRecorded => {
            &const {
                let reasons = &[
                    "unused",
                    "unreachable",
                    "price",
                    "product",
                    "service",
                    "competitor",
                    "closed",
                    "merged",
                    "other",
                ];
                [may("outcome", Shape::Text), SUBSCRIPTION_NAMED, may("reason", Shape::OneOf(reasons))]
            }
        }
        T::AccountUpdated => {
            &const {
                let kind = may("kind", Shape::OneOf(&["customer", "partner", "internal", "test"]));
                let rhythm = may("usage_rhythm", Shape::OneOf(&["daily", "weekly", "monthly"]));
                [kind, rhythm, SEATS]
            }
        }
        T::AccountMerged => &const { [may("into_account", Shape::Id)] },
        T::UserIdentified => &const { [may("previous_user", Shape::Text)] },
        T::ReferralMade | T::RequestRecorded | T::UserDeactivated | T::AccountClosed | T::Other(_) => &[],
    }
}

/// Whether money of this type flows to the customer: a positive amount is stored negated.
pub fn pays_customer(kind: EventType) -> bool {
    matches!(kind, EventType::RefundIssued | EventType::CreditIssued)
}

/// The points a pulse's colour stands for.
pub fn pulse_points(colour: &str) -> Option<i64> {
    match colour {
        "red" => Some(0),
        "yellow" => Some(50),
        "green" => Some(100),
        _ => None,
    }
}

impl Rule {
    /// Checks a property under this rule; `None` is an absent one. Only a required field can be refused.
    ///
    /// # Errors
    /// `missing_field` where it is required and absent, null or empty; `bad_field` where it is something else.
    pub fn check(&self, type_name: &str, value: Option<&Value>) -> Result<(), Rejection> {
        let key = self.key;
        match value {
            _ if !self.required => Ok(()),
            None | Some(Value::Null) => Err(Rejection::new(
                Reason::MissingField,
                format!("{type_name} needs properties.{key}, which is {}", self.shape),
            )),
            Some(Value::Text(text)) if text.is_empty() => Err(Rejection::new(
                Reason::MissingField,
                format!("{type_name} needs properties.{key}; it is empty"),
            )),
            Some(value) if self.shape.admits(value) => Ok(()),
            Some(value) => Err(Rejection::new(
                Reason::BadField,
                format!("properties.{key} of {type_name} is {}; it must be {}", show(value), self.shape),
            )),
        }
    }
}

/// A property of an accepted event that is there and is not what the contract says of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unread {
    /// The type's name.
    pub type_name: &'static str,
    /// The property's key.
    pub key: &'static str,
    /// What it is and what it should be, for a person.
    pub detail: String,
}

/// The properties of an event that are kept as they came and mean nothing, in the order of the contract.
pub fn unread(names: &Names, event: &Event) -> impl Iterator<Item = Unread> {
    let type_name = event.kind.known_name().unwrap_or_default();
    rules(event.kind).iter().filter(|rule| !rule.required).filter_map(move |rule| {
        let value = event.property_named(names, rule.key)?;
        let is_read = *value == Value::Null || rule.shape.admits(value);
        (!is_read).then(|| Unread {
            type_name,
            key: rule.key,
            detail: format!("it is {}, not {}", show(value), rule.shape),
        })
    })
}

/// A value for a sentence: short texts and numbers as they stand, else what it is.
fn show(value: &Value) -> String {
    const SHOWN_CHARS_MAX: usize = 60;
    match value {
        Value::Null => "null".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) if text.chars().count() <= SHOWN_CHARS_MAX => format!("{text:?}"),
        Value::Text(text) => format!("a text of {} bytes", text.len()),
        Value::List(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

impl Shape {
    fn admits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text | Self::Id, Value::Text(_)) | (Self::Number, Value::Number(_)) => true,
            (Self::Truth, Value::Bool(_)) => true,
            (Self::Range(least, most), Value::Number(number)) => {
                *number >= Decimal::from(least) && *number <= Decimal::from(most)
            }
            (Self::Day, value) => Named::of(value).is_some(),
            (Self::Texts, Value::List(items)) => items.iter().all(|item| matches!(item, Value::Text(_))),
            (Self::OneOf(allowed), Value::Text(text)) => allowed.contains(&text.as_ref()),
            _ => false,
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text => f.write_str("a text"),
            Self::Id => f.write_str("a text that is not empty"),
            Self::Number => f.write_str("a number"),
            Self::Range(least, most) => write!(f, "a number from {least} to {most}"),
            Self::Truth => f.write_str("true or false"),
            Self::Day => f.write_str("a date, an RFC 3339 time or integer microseconds"),
            Self::Texts => f.write_str("a list of texts"),
            Self::OneOf(allowed) => write!(f, "one of {}", allowed.join(", ")),
        }
    }
}
