//! An accepted event: what the decoders produce, the log keeps and the folds read.

use crate::names::{Names, Symbol};
use crate::value::Value;
use crate::vocabulary::{EventType, Family};

/// Whole microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;

/// Whom an event is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    /// The account, by its id.
    Account(Symbol),
    /// An external reference that some link ties to an account.
    Ref {
        /// The system whose id it is, as `crm`.
        system: Symbol,
        /// The id in that system.
        id: Symbol,
    },
    /// Only the user of the event is known.
    User,
}

/// On whose behalf something was done (health-model §1, `actor`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Actor {
    /// A human of the customer; the default.
    #[default]
    Person,
    /// A machine of the customer.
    Service,
    /// Staff of the vendor: their usage and value events count nowhere.
    Internal,
}

impl Actor {
    /// The name on the wire and in filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
            Self::Internal => "internal",
        }
    }

    /// The actor with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Person, Self::Service, Self::Internal].into_iter().find(|actor| actor.name() == name)
    }
}

/// An ISO 4217 code: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency of a three-letter code (lower case is accepted); `None` when it is not three ASCII letters.
    pub fn from_code(code: &str) -> Option<Self> {
        let bytes: [u8; 3] = code.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphabetic).then(|| Self(bytes.map(|b| b.to_ascii_uppercase())))
    }

    /// The code in capitals.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("three ASCII letters")
    }

    /// Decimal places of the minor unit, from the ISO 4217 list of 2024 (2 where the list has no entry).
    pub fn exponent(self) -> u32 {
        match self.code() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI"
            | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            "CLF" | "UYW" => 4,
            _ => 2,
        }
    }
}

/// An amount of money in one currency. Money to the customer is negative.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Money {
    /// In the currency's minor unit.
    pub minor: i64,
    /// The currency; amounts of different ones are never added.
    pub currency: Currency,
}

/// One accepted event. (tenant, source, generation, id) identifies it; a directory holds one tenant.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Where it came from.
    pub source: Symbol,
    /// How often that source was reset before it.
    pub generation: u32,
    /// Unique within source and generation.
    pub id: Box<str>,
    /// Whom it is about.
    pub subject: Subject,
    /// The user as given; never the empty text.
    pub user: Option<Symbol>,
    /// On whose behalf it was done; a person's unless the source says otherwise.
    pub actor: Actor,
    /// The product, where the vendor has several.
    pub product: Option<Symbol>,
    /// Its type: one of the contract, or any other under its own name.
    pub kind: EventType,
    /// When it happened, by the source's clock.
    pub occurred_at: Micros,
    /// In millionths; `None` where the source gave none (see [`Event::quantity_or_default`]).
    pub quantity: Option<i64>,
    /// The amount with its currency.
    pub amount: Option<Money>,
    /// `properties.feature` when it is a text.
    pub feature: Option<Symbol>,
    /// `properties.metric` when it is a text.
    pub metric: Option<Symbol>,
    /// All other properties, sorted by key text, each key once.
    pub properties: Vec<(Symbol, Value)>,
    /// Envelope fields this version does not know: a JSON object in canonical form, empty when there are none.
    pub unknown: Box<[u8]>,
}

/// One unit of quantity, in the millionths it is kept in.
pub const QUANTITY_ONE: i64 = 1_000_000;

impl Event {
    /// The account it is about, if it carries one.
    pub fn account(&self) -> Option<Symbol> {
        match self.subject {
            Subject::Account(account) => Some(account),
            Subject::Ref { .. } | Subject::User => None,
        }
    }

    /// The quantity in millionths; absent on `usage` and `value` it is 1 (health-model §1).
    pub fn quantity_or_default(&self) -> Option<i64> {
        match self.kind.family() {
            Some(Family::Usage | Family::Value) => Some(self.quantity.unwrap_or(QUANTITY_ONE)),
            _ => self.quantity,
        }
    }

    /// Whether the event is left out of every figure: usage and value of the vendor's own staff (health-model §2).
    pub fn counts_nowhere(&self) -> bool {
        self.actor == Actor::Internal && matches!(self.kind.family(), Some(Family::Usage | Family::Value))
    }

    /// The property under `key`, other than a textual `feature` or `metric`.
    pub fn property(&self, key: Symbol) -> Option<&Value> {
        self.properties.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The property named `key`, looked up by text.
    pub fn property_named(&self, names: &Names, key: &str) -> Option<&Value> {
        // Texts are compared: an event has few properties, and a look-up by text would hash and lock.
        self.properties.iter().find(|(name, _)| names.text(*name) == key).map(|(_, value)| value)
    }
}
