//! What a line says, in the simulation's own words: the engine's decoder is judged by it and has no part in it.

/// Whom a line is about.
#[derive(Clone, PartialEq, Debug)]
pub enum Whom {
    /// An account by its id.
    Account(String),
    /// An external reference: system and id.
    Reference(String, String),
    /// Only the user is known.
    User,
}

/// A property's value.
#[derive(Clone, PartialEq, Debug)]
pub enum Property {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// `true` or `false`.
    Truth(bool),
    /// `null`: named, and unknown.
    Null,
}

/// One event as its producer meant it.
#[derive(Clone, PartialEq, Debug)]
pub struct Told {
    /// The source, where the line names one itself.
    pub source: Option<String>,
    /// The id, where the line brings one.
    pub id: Option<String>,
    /// Whom it is about.
    pub whom: Whom,
    /// The user.
    pub user: Option<String>,
    /// `person`, `service` or `internal`.
    pub actor: &'static str,
    /// The type.
    pub kind: &'static str,
    /// `occurred_at`, in microseconds.
    pub at: i64,
    /// In millionths.
    pub quantity: Option<i64>,
    /// Minor units and currency, with the sign the contract gives it.
    pub amount: Option<(i64, &'static str)>,
    /// By key.
    pub properties: Vec<(&'static str, Property)>,
}

impl Told {
    /// A text property.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.properties.iter().find_map(|(name, value)| match value {
            Property::Text(text) if *name == key => Some(text.as_str()),
            _ => None,
        })
    }

    /// A numeric property.
    pub fn number(&self, key: &str) -> Option<i64> {
        self.properties.iter().find_map(|(name, value)| match value {
            Property::Number(number) if *name == key => Some(*number),
            _ => None,
        })
    }

    /// A truth value.
    pub fn truth(&self, key: &str) -> Option<bool> {
        self.properties.iter().find_map(|(name, value)| match value {
            Property::Truth(truth) if *name == key => Some(*truth),
            _ => None,
        })
    }

    /// The account, where it is known.
    pub fn account(&self) -> Option<&str> {
        match &self.whom {
            Whom::Account(account) => Some(account),
            Whom::Reference(..) | Whom::User => None,
        }
    }

    /// The family of its type, none outside the contract.
    pub fn family(&self) -> Option<&'static str> {
        family(self.kind)
    }

    /// Usage and value of the vendor's own staff count nowhere.
    pub fn is_own_staff(&self) -> bool {
        self.actor == "internal" && matches!(self.family(), Some("usage" | "value"))
    }

    /// One line of native JSON. `style` chooses among writings that mean the same.
    pub fn line(&self, style: u64) -> Vec<u8> {
        let mut fields: Vec<String> = Vec::new();
        let mut text = |key: &str, value: &str| fields.push(format!("{key:?}:{value:?}"));
        if let Some(source) = &self.source {
            text("source", source);
        }
        if let Some(id) = &self.id {
            text("id", id);
        }
        if let Whom::Account(account) = &self.whom {
            text("account", account);
        }
        if let Some(user) = &self.user {
            text("user", user);
        }
        if self.actor != "person" || style & 4 != 0 {
            text("actor", self.actor);
        }
        text("type", self.kind);
        if let Whom::Reference(system, id) = &self.whom {
            fields.push(format!("\"ref\":{{\"system\":{system:?},\"id\":{id:?}}}"));
        }
        fields.push(match style & 8 {
            0 => format!("\"occurred_at\":{}", self.at),
            _ => format!("\"occurred_at\":\"{}\"", instant(self.at)),
        });
        if let Some(quantity) = self.quantity {
            fields.push(format!("\"quantity\":{}", decimal(quantity)));
        }
        if let Some((minor, currency)) = self.amount {
            let amount = match style & 96 {
                0 => format!("{:?}", major(minor, currency)),
                32 if digits(currency) > 0 => major(minor, currency),
                _ => minor.to_string(),
            };
            fields.push(format!("\"amount\":{amount},\"currency\":{currency:?}"));
        }
        if !self.properties.is_empty() {
            let mut each: Vec<String> = self
                .properties
                .iter()
                .map(|(key, value)| match value {
                    Property::Text(text) => format!("{key:?}:{text:?}"),
                    Property::Number(number) => format!("{key:?}:{number}"),
                    Property::Truth(truth) => format!("{key:?}:{truth}"),
                    Property::Null => format!("{key:?}:null"),
                })
                .collect();
            if style & 1 != 0 {
                each.reverse();
            }
            fields.push(format!("\"properties\":{{{}}}", each.join(",")));
        }
        if style & 1 != 0 {
            fields.reverse();
        }
        let (open, between, close) = if style & 2 != 0 { ("{ ", ", ", " }") } else { ("{", ",", "}") };
        format!("{open}{}{close}", fields.join(between)).into_bytes()
    }
}

/// The family of a type (health-model §1).
pub fn family(kind: &str) -> Option<&'static str> {
    let families = KINDS.iter().find(|(_, kinds)| kinds.contains(&kind));
    families.map(|(family, _)| *family).filter(|family| !family.is_empty())
}

/// Every type of the contract by its family, and under the empty one a type of the simulation's own.
pub const KINDS: [(&str, &[&str]); 8] = [
    ("usage", &["usage"]),
    ("value", &["value"]),
    (
        "billing",
        &[
            "subscription_started",
            "trial_started",
            "trial_converted",
            "trial_ended",
            "subscription_changed",
            "subscription_renewed",
            "subscription_cancelled",
            "cancellation_withdrawn",
            "subscription_ended",
            "subscription_paused",
            "subscription_resumed",
            "invoice_issued",
            "invoice_paid",
            "payment_failed",
            "invoice_voided",
            "refund_issued",
            "credit_issued",
            "credits_granted",
            "credits_used",
        ],
    ),
    (
        "support",
        &[
            "ticket_opened",
            "ticket_replied",
            "ticket_updated",
            "ticket_resolved",
            "ticket_closed",
            "ticket_reopened",
            "ticket_escalated",
            "ticket_deescalated",
            "ticket_rated",
        ],
    ),
    ("survey", &["nps_answered", "csat_answered", "pulse_recorded"]),
    (
        "lifecycle",
        &[
            "milestone_reached",
            "stage_changed",
            "touchpoint_held",
            "goal_set",
            "goal_met",
            "referral_made",
            "request_recorded",
            "stakeholder_changed",
            "outcome_recorded",
        ],
    ),
    (
        "account",
        &["account_updated", "user_identified", "user_deactivated", "account_merged", "account_closed"],
    ),
    ("", &["page_viewed"]),
];

/// Decimal places of a currency's minor unit.
fn digits(currency: &str) -> usize {
    match currency {
        "JPY" => 0,
        "KWD" => 3,
        _ => 2,
    }
}

/// Minor units as a decimal number of major ones.
fn major(minor: i64, currency: &str) -> String {
    let (sign, digits) = (if minor < 0 { "-" } else { "" }, digits(currency));
    let size = format!("{:0>width$}", minor.unsigned_abs(), width = digits + 1);
    let (whole, part) = size.split_at(size.len() - digits);
    let point = if digits == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{part}")
}

fn decimal(millionths: i64) -> String {
    let (sign, size) = (if millionths < 0 { "-" } else { "" }, millionths.unsigned_abs());
    let mut text = format!("{sign}{}.{:06}", size / 1_000_000, size % 1_000_000);
    text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    text
}

fn instant(at: i64) -> String {
    jiff::Timestamp::from_microsecond(at).expect("the simulation lives in this century").to_string()
}

/// A day, counted from 1970-01-01, as a date.
pub fn date(day: i32) -> jiff::civil::Date {
    jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(i64::from(day))
}

/// A date as a day counted from 1970-01-01.
pub fn day(date: jiff::civil::Date) -> i32 {
    (date - jiff::civil::date(1970, 1, 1)).get_days()
}

/// Whole months later, cut to the month's end.
pub fn months_later(from: i32, months: i32) -> i32 {
    day(date(from) + jiff::Span::new().months(i64::from(months)))
}
