//! What a line says, in the simulation's own words: the engine's decoder is judged by it and has no part in it.

use std::fmt::Write as _;

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
            fields.push(format!("\"amount\":{minor},\"currency\":{currency:?}"));
        }
        if !self.properties.is_empty() {
            let mut each: Vec<String> = self
                .properties
                .iter()
                .map(|(key, value)| match value {
                    Property::Text(text) => format!("{key:?}:{text:?}"),
                    Property::Number(number) => format!("{key:?}:{number}"),
                    Property::Truth(truth) => format!("{key:?}:{truth}"),
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
    Some(match kind {
        "usage" => "usage",
        "value" => "value",
        "account_updated" | "account_merged" => "account",
        "nps_answered" | "csat_answered" => "survey",
        "milestone_reached" | "stage_changed" => "lifecycle",
        kind if kind.starts_with("ticket_") => "support",
        kind if ["subscription_", "invoice_", "credit_"].iter().any(|start| kind.starts_with(start)) => {
            "billing"
        }
        _ => return None,
    })
}

/// Every type the simulation tells of.
pub const KINDS: [&str; 24] = [
    "usage",
    "value",
    "account_updated",
    "account_merged",
    "nps_answered",
    "csat_answered",
    "milestone_reached",
    "stage_changed",
    "ticket_opened",
    "ticket_replied",
    "ticket_resolved",
    "ticket_closed",
    "ticket_reopened",
    "ticket_escalated",
    "ticket_deescalated",
    "subscription_started",
    "subscription_changed",
    "subscription_cancelled",
    "subscription_ended",
    "invoice_issued",
    "invoice_paid",
    "invoice_voided",
    "credit_issued",
    "page_viewed",
];

fn decimal(millionths: i64) -> String {
    let (sign, size) = (if millionths < 0 { "-" } else { "" }, millionths.unsigned_abs());
    let mut text = format!("{sign}{}.{:06}", size / 1_000_000, size % 1_000_000);
    text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    text
}

fn instant(at: i64) -> String {
    jiff::Timestamp::from_microsecond(at).expect("the simulation lives in this century").to_string()
}

/// A day as a date.
pub fn date(day: i32) -> String {
    let epoch = jiff::civil::date(1970, 1, 1);
    let mut text = String::new();
    write!(text, "{}", epoch + jiff::Span::new().days(i64::from(day))).expect("texts take everything");
    text
}
