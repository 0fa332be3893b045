//! What can become of an alert.

/// A transition of an alert (alerts §1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Change {
    /// The condition holds, and must hold for some days before the alert opens.
    Pending,
    /// It opened: people are told.
    Open,
    /// It was already true when somebody began to look: it is listed and nobody is told.
    Found,
    /// It would have opened, but so many did at once, or so little was heard of the fleet, that it waits for a person.
    Held,
    /// It was held and is told after all.
    Released,
    /// Another alert of the account says it already.
    Inhibited,
    /// Its severity, or what it is about, changed.
    Updated,
    /// A person took it on.
    Acknowledged,
    /// A person put it off.
    Snoozed,
    /// Its condition is gone.
    Resolved,
    /// It is over.
    Closed,
    /// Data that came later took its ground away.
    Corrected,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Pending,
        Self::Open,
        Self::Found,
        Self::Held,
        Self::Released,
        Self::Inhibited,
        Self::Updated,
        Self::Acknowledged,
        Self::Snoozed,
        Self::Resolved,
        Self::Closed,
        Self::Corrected,
    ];

    /// The name in answers and log entries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Open => "open",
            Self::Found => "found",
            Self::Held => "held",
            Self::Released => "released",
            Self::Inhibited => "inhibited",
            Self::Updated => "updated",
            Self::Acknowledged => "acknowledged",
            Self::Snoozed => "snoozed",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
            Self::Corrected => "corrected",
        }
    }

    /// The transition of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.name() == name)
    }
}
