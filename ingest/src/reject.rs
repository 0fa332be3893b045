//! Why a record is rejected and becomes a dead letter. Reasons are a closed list: they label metrics and select dead letters
//! for replay.

use std::fmt;

/// The typed reason of a dead letter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// Not valid UTF-8 or not valid JSON.
    NotJson,
    /// Valid JSON that is not an object.
    NotAnObject,
    /// The record is longer than `record_bytes_max`.
    TooLarge,
    /// The record is nested deeper than `depth_max`.
    TooDeep,
    /// A text, a list, a number or the number of fields exceeds its limit.
    OverLimit,
    /// A required field is absent, null or empty.
    MissingField,
    /// A field has the wrong type or a value outside its range.
    BadField,
    /// The same key stands twice in one object.
    DuplicateKey,
    /// The time is unreadable or outside the years 0001–9999.
    BadTime,
    /// `occurred_at` is later than the time of recording by more than the allowed skew.
    FromTheFuture,
    /// None of account, reference and user is given, or more than one of account and reference.
    NoSubject,
    /// The tenant is not the one of this data directory.
    WrongTenant,
    /// The amount does not fit, lacks its currency, or the currency is no ISO 4217 code.
    BadAmount,
    /// No rule of the mapping matches, and the mapping rejects such records.
    NoRule,
    /// An accepted event has the same source and id, but other content.
    IdConflict,
    /// A merge that would make an account its own survivor.
    MergeCycle,
}

impl Reason {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 16] = [
        Self::NotJson,
        Self::NotAnObject,
        Self::TooLarge,
        Self::TooDeep,
        Self::OverLimit,
        Self::MissingField,
        Self::BadField,
        Self::DuplicateKey,
        Self::BadTime,
        Self::FromTheFuture,
        Self::NoSubject,
        Self::WrongTenant,
        Self::BadAmount,
        Self::NoRule,
        Self::IdConflict,
        Self::MergeCycle,
    ];

    /// The stable name in logs, labels and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::OverLimit => "over_limit",
            Self::MissingField => "missing_field",
            Self::BadField => "bad_field",
            Self::DuplicateKey => "duplicate_key",
            Self::BadTime => "bad_time",
            Self::FromTheFuture => "from_the_future",
            Self::NoSubject => "no_subject",
            Self::WrongTenant => "wrong_tenant",
            Self::BadAmount => "bad_amount",
            Self::NoRule => "no_rule",
            Self::IdConflict => "id_conflict",
            Self::MergeCycle => "merge_cycle",
        }
    }

    /// The reason with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// A rejected record: the reason, and a sentence that names the field, the value and the limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// The reason, from the closed list.
    pub reason: Reason,
    /// What exactly was wrong, for people; at most [`DETAIL_BYTES_MAX`] bytes.
    pub detail: Box<str>,
}

/// Longest detail of a rejection, in bytes; longer ones are cut at a character.
pub const DETAIL_BYTES_MAX: usize = 512;

impl Rejection {
    /// A rejection with its detail, cut to [`DETAIL_BYTES_MAX`] bytes.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        detail.truncate(detail.floor_char_boundary(DETAIL_BYTES_MAX));
        Self { reason, detail: detail.into() }
    }

    /// The rejection with a short remark appended to its detail; the detail is cut where both are too long.
    pub fn with(self, remark: &str) -> Self {
        let room = DETAIL_BYTES_MAX.saturating_sub(remark.len() + "; ".len());
        let sentence = &self.detail[..self.detail.floor_char_boundary(room)];
        Self::new(self.reason, format!("{sentence}; {remark}"))
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.name(), self.detail)
    }
}
