//! The properties of each event type in the contract (health-model §1): which are required, their types, allowed values.
//!
//! An event is rejected when a required field is absent or has the wrong type. Every other field may be absent; one with
//! the wrong type or a value outside its list is kept unchanged and counts as unknown, because rejecting the event would
//! also lose its valid fields. [`unread`] finds such fields, so that they are counted and shown.

use tidewatch_projections::calendar::Named;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::Event;
use tidewatch_projections::names::Names;
use tidewatch_projections::value::Value;
use tidewatch_projections::vocabulary::{EventType, KINDS, USAGE_RHYTHMS};

use crate::reject::{Reason, Rejection};

/// The type that the contract gives a property.
#[derive(Clone, Copy, Debug)]
pub enum PropertyType {
    /// Any text, the empty one too.
    Text,
    /// An id: a text that is not empty.
    Id,
    /// A JSON number, whole or decimal.
    Number,
    /// A number from the first bound to the second, both included.
    Range(i64, i64),
    /// A boolean, `true` or `false`.
    Truth,
    /// A date `YYYY-MM-DD`, an RFC 3339 instant, or an integer of microseconds.
    Day,
    /// A list whose items are all texts.
    Texts,
    /// A text that is one of the listed values.
    OneOf(&'static [&'static str]),
}

/// What the contract says of one property of an event type.
#[derive(Clone, Copy, Debug)]
pub struct PropertyRule {
    /// The key of the property.
    pub key: &'static str,
    /// The type of its value.
    pub shape: PropertyType,
    /// Whether an event without the property is rejected.
    pub required: bool,
}

const fn need(key: &'static str, shape: PropertyType) -> PropertyRule {
    PropertyRule { key, shape, required: true }
}

const fn may(key: &'static str, shape: PropertyType) -> PropertyRule {
    PropertyRule { key, shape, required: false }
}

const SUBSCRIPTION: PropertyRule = need("subscription_id", PropertyType::Id);
const SUBSCRIPTION_NAMED: PropertyRule = may("subscription_id", PropertyType::Id);
const INVOICE: PropertyRule = need("invoice_id", PropertyType::Id);
const TICKET: PropertyRule = need("ticket_id", PropertyType::Id);
const AMOUNT_PER: PropertyRule = may("amount_per", PropertyType::OneOf(&["month", "year", "term"]));
const TERM_START: PropertyRule = may("term_start", PropertyType::Day);
const TERM_END: PropertyRule = may("term_end", PropertyType::Day);
const EFFECTIVE: PropertyRule = may("effective_at", PropertyType::Day);
const SEATS: PropertyRule = may("seats", PropertyType::Number);
const RENEWS: PropertyRule = may("renews", PropertyType::Texts);
const DUE: PropertyRule = may("due", PropertyType::Day);

/// The properties of an event type. Types outside the contract have no rules.
pub fn rules(kind: EventType) -> &'static [PropertyRule] {
    use EventType as T;
    match kind {
        T::Usage => &const { [need("feature", PropertyType::Id), may("duration_s", PropertyType::Number)] },
        T::Value => &const { [need("metric", PropertyType::Id)] },
        T::SubscriptionStarted => {
            &const {
                [
                    SUBSCRIPTION,
                    AMOUNT_PER,
                    TERM_START,
                    TERM_END,
                    SEATS,
                    may("plan", PropertyType::Text),
                    may("recurring", PropertyType::Truth),
                    may("auto_renew", PropertyType::Truth),
                    may("notice_days", PropertyType::Number),
                    may("holder", PropertyType::Text),
                    may("covers", PropertyType::Texts),
                    RENEWS,
                    may("sold_by", PropertyType::Text),
                    may("commit_quantity", PropertyType::Number),
                ]
            }
        }
        T::TrialStarted | T::TrialConverted | T::TrialEnded => &const { [SUBSCRIPTION, TERM_END, SEATS] },
        T::SubscriptionChanged => {
            &const {
                let cause = may("cause", PropertyType::OneOf(&["upsell", "price", "reduction"]));
                [SUBSCRIPTION, EFFECTIVE, AMOUNT_PER, SEATS, may("plan", PropertyType::Text), cause]
            }
        }
        T::SubscriptionRenewed => &const { [SUBSCRIPTION, TERM_START, TERM_END, AMOUNT_PER, RENEWS, SEATS] },
        T::SubscriptionCancelled => {
            &const {
                [
                    SUBSCRIPTION,
                    EFFECTIVE,
                    may("reason", PropertyType::Text),
                    may("replaced_by", PropertyType::Texts),
                ]
            }
        }
        T::SubscriptionEnded => {
            &const {
                [
                    SUBSCRIPTION,
                    may("cause", PropertyType::OneOf(&["cancelled", "lapsed", "replaced", "moved"])),
                ]
            }
        }
        T::SubscriptionPaused => &const { [SUBSCRIPTION_NAMED, may("until", PropertyType::Day)] },
        T::SubscriptionResumed | T::CancellationWithdrawn | T::CreditsGranted | T::CreditsUsed => {
            &const { [SUBSCRIPTION_NAMED] }
        }
        T::InvoiceIssued => {
            &const {
                let period = [may("period_start", PropertyType::Day), may("period_end", PropertyType::Day)];
                [INVOICE, may("due_at", PropertyType::Day), SUBSCRIPTION_NAMED, period[0], period[1]]
            }
        }
        T::InvoicePaid | T::PaymentFailed | T::InvoiceVoided => &const { [INVOICE] },
        T::RefundIssued | T::CreditIssued => &const { [may("invoice_id", PropertyType::Id)] },
        T::TicketOpened => {
            &const {
                [
                    TICKET,
                    may("priority", PropertyType::Text),
                    may("channel", PropertyType::Text),
                    may("agent", PropertyType::Text),
                ]
            }
        }
        T::TicketReplied => {
            &const {
                let by = may("by", PropertyType::OneOf(&["agent", "customer", "bot"]));
                [
                    TICKET,
                    by,
                    may("public", PropertyType::Truth),
                    may("agent", PropertyType::Text),
                    may("handle_s", PropertyType::Number),
                ]
            }
        }
        T::TicketUpdated => &const { [may("ticket_id", PropertyType::Id)] },
        T::TicketResolved
        | T::TicketClosed
        | T::TicketReopened
        | T::TicketEscalated
        | T::TicketDeescalated => &const { [TICKET] },
        T::TicketRated => &const { [TICKET, may("rating", PropertyType::OneOf(&["great", "okay", "bad"]))] },
        T::NpsAnswered => {
            &const {
                [
                    need("score", PropertyType::Range(0, 10)),
                    may("survey", PropertyType::Text),
                    may("role", PropertyType::Text),
                ]
            }
        }
        T::CsatAnswered => {
            &const {
                [
                    need("score", PropertyType::Range(1, 5)),
                    may("survey", PropertyType::Text),
                    may("ticket_id", PropertyType::Id),
                ]
            }
        }
        T::PulseRecorded => {
            &const {
                [
                    may("colour", PropertyType::OneOf(&["red", "yellow", "green"])),
                    may("points", PropertyType::Range(0, 100)),
                ]
            }
        }
        T::MilestoneReached => &const { [need("milestone", PropertyType::Id)] },
        T::StageChanged => &const { [need("stage", PropertyType::Id)] },
        T::TouchpointHeld => {
            &const {
                let channel = may("channel", PropertyType::OneOf(&["human", "automatic"]));
                [may("kind", PropertyType::Text), channel, may("people", PropertyType::Texts)]
            }
        }
        T::GoalSet | T::GoalMet => &const { [may("goal", PropertyType::Text), DUE] },
        T::StakeholderChanged => {
            &const { [may("role", PropertyType::Text), may("state", PropertyType::OneOf(&["joined", "left"]))] }
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
                [
                    may("outcome", PropertyType::Text),
                    SUBSCRIPTION_NAMED,
                    may("reason", PropertyType::OneOf(reasons)),
                ]
            }
        }
        T::AccountUpdated => {
            &const {
                let kind = may("kind", PropertyType::OneOf(&KINDS));
                let rhythm = may("usage_rhythm", PropertyType::OneOf(&USAGE_RHYTHMS));
                [kind, rhythm, SEATS]
            }
        }
        T::AccountMerged => &const { [may("into_account", PropertyType::Id)] },
        T::UserIdentified => &const { [may("previous_user", PropertyType::Text)] },
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

impl PropertyRule {
    /// Checks a property under this rule; `None` is an absent one. Only a required field can be rejected.
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

/// A property of an accepted event whose value is not what the contract says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnreadProperty {
    /// The name of the event type.
    pub type_name: &'static str,
    /// The key of the property.
    pub key: &'static str,
    /// What the value is and what it should be, for people.
    pub detail: String,
}

/// The properties of an event that are kept unchanged and ignored, because their value is not what the contract says; in
/// the order of the contract.
pub fn unread(names: &Names, event: &Event) -> impl Iterator<Item = UnreadProperty> {
    let type_name = event.kind.known_name().unwrap_or_default();
    rules(event.kind).iter().filter(|rule| !rule.required).filter_map(move |rule| {
        let value = event.property_named(names, rule.key)?;
        let is_read = *value == Value::Null || rule.shape.admits(value);
        (!is_read).then(|| UnreadProperty {
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

impl PropertyType {
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

impl std::fmt::Display for PropertyType {
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
