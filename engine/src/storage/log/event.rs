//! Encodes events in a frame: dictionary references, times and ids relative to the event before.
//!
//! ```text
//! tag · flags · type · source · [generation] · id · occurred_at · subject · [user] · [product] · [quantity]
//!     · [amount] · [feature] · [metric] · [properties] · [unknown]
//! ```

use tidewatch_projections::event::{Actor, Currency, Event, Money, Subject};
use tidewatch_projections::names::Names;
use tidewatch_projections::vocabulary::EventType;

use super::bytes::{
    Bytes, Malformed, malformed, put_blob, put_signed, put_varint, put_wide_varint, wide_unzigzag,
    wide_zigzag,
};
use super::dictionary::{DictionaryBuilder, Strings};
use super::id::{LastId, pass_id, put_id, take_id};
use super::value::{pass_value, put_value, take_value};

/// What the encoding of an event is relative to. Starts anew with every sub-block, so that one can be read alone.
#[derive(Default)]
pub(crate) struct Before {
    occurred_at: i64,
    id: LastId,
}

impl Before {
    pub(crate) fn clear(&mut self) {
        self.occurred_at = 0;
        self.id.clear();
    }
}

/// The bits of an entry's tag that say its kind; the bits above belong to the kind.
pub(crate) const KIND_MASK: u8 = 0b111;
pub(crate) const KIND_EVENT: u8 = 1;

const SUBJECT_SHIFT: u8 = 3;
const ACTOR_SHIFT: u8 = 5;
const HAS_GENERATION: u8 = 1 << 7;

const HAS_USER: u8 = 1 << 0;
const HAS_PRODUCT: u8 = 1 << 1;
const HAS_QUANTITY: u8 = 1 << 2;
const HAS_AMOUNT: u8 = 1 << 3;
const HAS_FEATURE: u8 = 1 << 4;
const HAS_METRIC: u8 = 1 << 5;
const HAS_PROPERTIES: u8 = 1 << 6;
const HAS_UNKNOWN: u8 = 1 << 7;

/// The type number of a name outside the contract; the name follows.
const TYPE_OTHER: u8 = u8::MAX;

macro_rules! type_numbers {
    ($($name:ident = $number:literal),* $(,)?) => {
        /// The number of a type in every frame ever written: numbers are given once and never used again.
        fn type_number(kind: EventType) -> u8 {
            match kind {
                $(EventType::$name => $number,)*
                EventType::Other(_) => TYPE_OTHER,
            }
        }

        fn type_numbered(number: u8) -> Option<EventType> {
            match number {
                $($number => Some(EventType::$name),)*
                _ => None,
            }
        }
    };
}

type_numbers! {
    Usage = 0, Value = 1, SubscriptionStarted = 2, TrialStarted = 3, TrialConverted = 4, TrialEnded = 5,
    SubscriptionChanged = 6, SubscriptionRenewed = 7, SubscriptionCancelled = 8, CancellationWithdrawn = 9,
    SubscriptionEnded = 10, SubscriptionPaused = 11, SubscriptionResumed = 12, InvoiceIssued = 13, InvoicePaid = 14,
    PaymentFailed = 15, InvoiceVoided = 16, RefundIssued = 17, CreditIssued = 18, CreditsGranted = 19, CreditsUsed = 20,
    TicketOpened = 21, TicketReplied = 22, TicketUpdated = 23, TicketResolved = 24, TicketClosed = 25,
    TicketReopened = 26, TicketEscalated = 27, TicketDeescalated = 28, TicketRated = 29, NpsAnswered = 30,
    CsatAnswered = 31, PulseRecorded = 32, MilestoneReached = 33, StageChanged = 34, TouchpointHeld = 35, GoalSet = 36,
    GoalMet = 37, ReferralMade = 38, RequestRecorded = 39, StakeholderChanged = 40, OutcomeRecorded = 41,
    AccountUpdated = 42, UserIdentified = 43, UserDeactivated = 44, AccountMerged = 45, AccountClosed = 46,
}

pub(crate) fn put_event(
    out: &mut Vec<u8>,
    event: &Event,
    names: &Names,
    dictionary: &mut DictionaryBuilder,
    before: &mut Before,
) {
    let bit = |condition: bool, flag: u8| if condition { flag } else { 0 };
    let subject = match event.subject {
        Subject::Account(_) => 0,
        Subject::Ref { .. } => 1,
        Subject::User => 2,
    };
    let actor = match event.actor {
        Actor::Person => 0,
        Actor::Service => 1,
        Actor::Internal => 2,
    };
    let flags = bit(event.user.is_some(), HAS_USER)
        | bit(event.product.is_some(), HAS_PRODUCT)
        | bit(event.quantity.is_some(), HAS_QUANTITY)
        | bit(event.amount.is_some(), HAS_AMOUNT)
        | bit(event.feature.is_some(), HAS_FEATURE)
        | bit(event.metric.is_some(), HAS_METRIC)
        | bit(!event.properties.is_empty(), HAS_PROPERTIES)
        | bit(!event.unknown.is_empty(), HAS_UNKNOWN);
    let number = type_number(event.kind);
    out.extend_from_slice(&[
        KIND_EVENT
            | subject << SUBJECT_SHIFT
            | actor << ACTOR_SHIFT
            | bit(event.generation != 0, HAS_GENERATION),
        flags,
        number,
    ]);
    let mut reference =
        |out: &mut Vec<u8>, symbol| put_varint(out, u64::from(dictionary.number(names, symbol)));
    if let EventType::Other(name) = event.kind {
        reference(out, name);
    }
    reference(out, event.source);
    if event.generation != 0 {
        put_varint(out, u64::from(event.generation));
    }
    put_id(out, &event.id, &mut before.id);
    put_signed(out, event.occurred_at.wrapping_sub(before.occurred_at));
    before.occurred_at = event.occurred_at;
    match event.subject {
        Subject::Account(account) => reference(out, account),
        Subject::Ref { system, id } => {
            reference(out, system);
            reference(out, id);
        }
        Subject::User => {}
    }
    for symbol in [event.user, event.product].into_iter().flatten() {
        reference(out, symbol);
    }
    if let Some(quantity) = event.quantity {
        put_quantity(out, quantity);
    }
    if let Some(amount) = event.amount {
        put_signed(out, amount.minor);
        out.extend_from_slice(amount.currency.code().as_bytes());
    }
    for symbol in [event.feature, event.metric].into_iter().flatten() {
        reference(out, symbol);
    }
    if !event.properties.is_empty() {
        put_varint(out, event.properties.len() as u64);
        for (key, value) in &event.properties {
            reference(out, *key);
            put_value(out, value);
        }
    }
    if !event.unknown.is_empty() {
        put_blob(out, &event.unknown);
    }
}

pub(crate) fn take_event(
    tag: u8,
    bytes: &mut Bytes<'_>,
    dictionary: &impl Strings,
    before: &mut Before,
) -> Result<Event, Malformed> {
    let flags = bytes.byte("event flags")?;
    let kind = match bytes.byte("event type")? {
        TYPE_OTHER => EventType::Other(dictionary.read(bytes, "event type")?),
        number => match type_numbered(number) {
            Some(kind) => kind,
            None => return malformed("event type"),
        },
    };
    let source = dictionary.read(bytes, "source")?;
    let generation = match tag & HAS_GENERATION {
        0 => 0,
        _ => u32::try_from(bytes.varint("generation")?).or(malformed("generation"))?,
    };
    let id = take_id(bytes, &mut before.id)?;
    let occurred_at = before.occurred_at.wrapping_add(bytes.signed("occurred_at")?);
    before.occurred_at = occurred_at;
    let subject = match tag >> SUBJECT_SHIFT & 0b11 {
        0 => Subject::Account(dictionary.read(bytes, "account")?),
        1 => Subject::Ref {
            system: dictionary.read(bytes, "system")?,
            id: dictionary.read(bytes, "reference")?,
        },
        2 => Subject::User,
        _ => return malformed("subject"),
    };
    let actor = match tag >> ACTOR_SHIFT & 0b11 {
        0 => Actor::Person,
        1 => Actor::Service,
        2 => Actor::Internal,
        _ => return malformed("actor"),
    };
    let has = |flag: u8| flags & flag != 0;
    let symbol =
        |bytes: &mut Bytes<'_>, flag, what| has(flag).then(|| dictionary.read(bytes, what)).transpose();
    let user = symbol(bytes, HAS_USER, "user")?;
    let product = symbol(bytes, HAS_PRODUCT, "product")?;
    let quantity = has(HAS_QUANTITY).then(|| take_quantity(bytes)).transpose()?;
    let amount = has(HAS_AMOUNT).then(|| take_money(bytes)).transpose()?;
    let feature = symbol(bytes, HAS_FEATURE, "feature")?;
    let metric = symbol(bytes, HAS_METRIC, "metric")?;
    let mut properties = Vec::new();
    if has(HAS_PROPERTIES) {
        let count = bytes.count("number of properties")?;
        properties.reserve_exact(count);
        for _ in 0..count {
            properties.push((dictionary.read(bytes, "property")?, take_value(bytes)?));
        }
    }
    let unknown = if has(HAS_UNKNOWN) { bytes.blob("unknown fields")?.into() } else { Box::default() };
    Ok(Event {
        source,
        generation,
        id,
        subject,
        user,
        actor,
        product,
        kind,
        occurred_at,
        quantity,
        amount,
        feature,
        metric,
        properties,
        unknown,
    })
}

/// The beginning of an event: enough to know whose it is and to go past it.
pub(crate) struct EventHead<'a> {
    /// The number of its account in the frame's dictionary, if it names one.
    pub(crate) account: Option<usize>,
    flags: u8,
    step_us: i64,
    id: Bytes<'a>,
    rest: Bytes<'a>,
}

impl<'a> EventHead<'a> {
    /// Reads the beginning of the event whose tag was read before `bytes`.
    pub(crate) fn read(tag: u8, mut bytes: Bytes<'a>) -> Result<Self, Malformed> {
        let flags = bytes.byte("event flags")?;
        if bytes.byte("event type")? == TYPE_OTHER {
            bytes.varint("event type")?;
        }
        bytes.varint("source")?;
        if tag & HAS_GENERATION != 0 {
            bytes.varint("generation")?;
        }
        let id = bytes;
        pass_id(&mut bytes)?;
        let step_us = bytes.signed("occurred_at")?;
        let account = match tag >> SUBJECT_SHIFT & 0b11 {
            0 => Some(bytes.length("account")?),
            1 => {
                bytes.varint("system")?;
                bytes.varint("reference")?;
                None
            }
            _ => None,
        };
        Ok(Self { account, flags, step_us, id, rest: bytes })
    }

    /// Goes past the event; answers what follows it, and keeps what the next one is relative to.
    pub(crate) fn pass(self, before: &mut Before) -> Result<Bytes<'a>, Malformed> {
        let Self { flags, step_us, mut id, rest: mut bytes, .. } = self;
        before.id.pass(&mut id)?;
        before.occurred_at = before.occurred_at.wrapping_add(step_us);
        for (flag, what) in [(HAS_USER, "user"), (HAS_PRODUCT, "product")] {
            if flags & flag != 0 {
                bytes.varint(what)?;
            }
        }
        if flags & HAS_QUANTITY != 0 {
            bytes.wide_varint("quantity")?;
        }
        if flags & HAS_AMOUNT != 0 {
            bytes.varint("amount")?;
            bytes.take(3, "currency")?;
        }
        for (flag, what) in [(HAS_FEATURE, "feature"), (HAS_METRIC, "metric")] {
            if flags & flag != 0 {
                bytes.varint(what)?;
            }
        }
        if flags & HAS_PROPERTIES != 0 {
            for _ in 0..bytes.count("number of properties")? {
                bytes.varint("property")?;
                pass_value(&mut bytes)?;
            }
        }
        if flags & HAS_UNKNOWN != 0 {
            bytes.blob("unknown fields")?;
        }
        Ok(bytes)
    }
}

/// Millionths in a whole unit: most quantities are whole, and then one bit saves three bytes.
const WHOLE: i64 = 1_000_000;

fn put_quantity(out: &mut Vec<u8>, quantity: i64) {
    if quantity % WHOLE == 0 {
        put_wide_varint(out, wide_zigzag(i128::from(quantity / WHOLE)) << 1);
    } else {
        put_wide_varint(out, wide_zigzag(i128::from(quantity)) << 1 | 1);
    }
}

fn take_quantity(bytes: &mut Bytes<'_>) -> Result<i64, Malformed> {
    let coded = bytes.wide_varint("quantity")?;
    let number = i64::try_from(wide_unzigzag(coded >> 1)).or(malformed("quantity"))?;
    if coded & 1 == 1 {
        return Ok(number);
    }
    number.checked_mul(WHOLE).map_or(malformed("quantity"), Ok)
}

fn take_money(bytes: &mut Bytes<'_>) -> Result<Money, Malformed> {
    let minor = bytes.signed("amount")?;
    let code = std::str::from_utf8(bytes.take(3, "currency")?).or(malformed("currency"))?;
    match Currency::from_code(code) {
        Some(currency) => Ok(Money { minor, currency }),
        None => malformed("currency"),
    }
}
