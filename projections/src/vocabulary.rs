//! The vocabulary: every event type of the contract and its family (health-model §1), the status of an account (§2), and the words
//! that a fact may be.

use crate::names::{Names, Symbol};

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Family {
    /// The product was used.
    Usage,
    /// The customer got the outcome they bought.
    Value,
    /// Subscriptions, trials, invoices, payments, credits.
    Billing,
    /// Tickets: opening, replies, resolution, ratings.
    Support,
    /// Answers and the owner's own judgement.
    Survey,
    /// Milestones, stages, contacts, goals.
    Lifecycle,
    /// Facts about the account itself; they do not start its life.
    Account,
}

impl Family {
    /// All families, in the order of the contract.
    pub const ALL: [Self; 7] = [
        Self::Usage,
        Self::Value,
        Self::Billing,
        Self::Support,
        Self::Survey,
        Self::Lifecycle,
        Self::Account,
    ];

    /// The name in model files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Value => "value",
            Self::Billing => "billing",
            Self::Support => "support",
            Self::Survey => "survey",
            Self::Lifecycle => "lifecycle",
            Self::Account => "account",
        }
    }

    /// The family with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}

/// Makes the types, and what is known of each, from one list.
macro_rules! event_types {
    ($($kind:ident $name:literal $family:ident,)*) => {
        /// The type of an event.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[expect(missing_docs, reason = "the names are the contract's own")]
        pub enum EventType {
            $($kind,)*
            /// A type outside the contract: kept, counted by filters, and meaning nothing else.
            Other(Symbol),
        }

        /// The types of the contract with name and family, in its order.
        pub const KNOWN_TYPES: [(EventType, &str, Family); [$($name),*].len()] =
            [$((EventType::$kind, $name, Family::$family),)*];

        impl EventType {
            /// The place among [`KNOWN_TYPES`], counted from 0; types outside the contract have none.
            pub fn index(self) -> Option<usize> {
                enum Place { $($kind,)* }
                match self {
                    $(Self::$kind => Some(Place::$kind as usize),)*
                    Self::Other(_) => None,
                }
            }

            /// The family; types outside the contract have none.
            pub fn family(self) -> Option<Family> {
                match self {
                    $(Self::$kind => Some(Family::$family),)*
                    Self::Other(_) => None,
                }
            }
        }
    };
}

event_types! {
    Usage "usage" Usage,
    Value "value" Value,
    SubscriptionStarted "subscription_started" Billing,
    TrialStarted "trial_started" Billing,
    TrialConverted "trial_converted" Billing,
    TrialEnded "trial_ended" Billing,
    SubscriptionChanged "subscription_changed" Billing,
    SubscriptionRenewed "subscription_renewed" Billing,
    SubscriptionCancelled "subscription_cancelled" Billing,
    CancellationWithdrawn "cancellation_withdrawn" Billing,
    SubscriptionEnded "subscription_ended" Billing,
    SubscriptionPaused "subscription_paused" Billing,
    SubscriptionResumed "subscription_resumed" Billing,
    InvoiceIssued "invoice_issued" Billing,
    InvoicePaid "invoice_paid" Billing,
    PaymentFailed "payment_failed" Billing,
    InvoiceVoided "invoice_voided" Billing,
    RefundIssued "refund_issued" Billing,
    CreditIssued "credit_issued" Billing,
    CreditsGranted "credits_granted" Billing,
    CreditsUsed "credits_used" Billing,
    TicketOpened "ticket_opened" Support,
    TicketReplied "ticket_replied" Support,
    TicketUpdated "ticket_updated" Support,
    TicketResolved "ticket_resolved" Support,
    TicketClosed "ticket_closed" Support,
    TicketReopened "ticket_reopened" Support,
    TicketEscalated "ticket_escalated" Support,
    TicketDeescalated "ticket_deescalated" Support,
    TicketRated "ticket_rated" Support,
    NpsAnswered "nps_answered" Survey,
    CsatAnswered "csat_answered" Survey,
    PulseRecorded "pulse_recorded" Survey,
    MilestoneReached "milestone_reached" Lifecycle,
    StageChanged "stage_changed" Lifecycle,
    TouchpointHeld "touchpoint_held" Lifecycle,
    GoalSet "goal_set" Lifecycle,
    GoalMet "goal_met" Lifecycle,
    ReferralMade "referral_made" Lifecycle,
    RequestRecorded "request_recorded" Lifecycle,
    StakeholderChanged "stakeholder_changed" Lifecycle,
    OutcomeRecorded "outcome_recorded" Lifecycle,
    AccountUpdated "account_updated" Account,
    UserIdentified "user_identified" Account,
    UserDeactivated "user_deactivated" Account,
    AccountMerged "account_merged" Account,
    AccountClosed "account_closed" Account,
}

impl EventType {
    /// The contract's type of this name.
    pub fn known(name: &str) -> Option<Self> {
        KNOWN_TYPES.iter().find(|(_, known, _)| *known == name).map(|(kind, _, _)| *kind)
    }

    /// The name, if the contract has it.
    pub fn known_name(self) -> Option<&'static str> {
        self.index().map(|index| KNOWN_TYPES[index].1)
    }

    /// The name, the contract's or the source's own.
    pub fn name(self, names: &Names) -> &str {
        match self {
            Self::Other(name) => names.text(name),
            known => KNOWN_TYPES[known.index().expect("every type but others is known")].1,
        }
    }
}

/// Whether events of a type speak of a subscription, so that their feed makes subscriptions known.
pub fn speaks_of_subscriptions(kind: EventType) -> bool {
    use EventType::{
        CancellationWithdrawn, SubscriptionCancelled, SubscriptionChanged, SubscriptionEnded,
        SubscriptionPaused, SubscriptionRenewed, SubscriptionResumed, SubscriptionStarted, TrialConverted,
        TrialEnded, TrialStarted,
    };
    matches!(
        kind,
        SubscriptionStarted
            | TrialStarted
            | TrialConverted
            | TrialEnded
            | SubscriptionChanged
            | SubscriptionRenewed
            | SubscriptionCancelled
            | CancellationWithdrawn
            | SubscriptionEnded
            | SubscriptionPaused
            | SubscriptionResumed
    )
}

/// Where an account stands with the vendor, in the order in which the contract tests it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    /// It was closed by `account_closed`, whatever its subscriptions say.
    Closed,
    /// It was merged into another, which answers for it.
    Merged,
    /// It pays, or no subscription was ever heard of.
    Paying,
    /// It had service and has none now.
    Ended,
    /// No subscription gave a day of service yet.
    Prospect,
    /// It has service, by trials only.
    Trial,
    /// All paid subscriptions are paused.
    Paused,
    /// All paid subscriptions are cancelled.
    Leaving,
    /// All amounts are 0.
    Free,
}

impl Status {
    /// Every status, in the order in which the contract tests them.
    pub const ALL: [Self; 9] = [
        Self::Closed,
        Self::Merged,
        Self::Paying,
        Self::Ended,
        Self::Prospect,
        Self::Trial,
        Self::Paused,
        Self::Leaving,
        Self::Free,
    ];

    /// The name in answers and conditions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Merged => "merged",
            Self::Paying => "paying",
            Self::Ended => "ended",
            Self::Prospect => "prospect",
            Self::Trial => "trial",
            Self::Paused => "paused",
            Self::Leaving => "leaving",
            Self::Free => "free",
        }
    }
}

/// What an account may be declared as; without a word it is a customer.
pub const KINDS: [&str; 4] = ["customer", "partner", "internal", "test"];

/// How often an account may be expected to be active.
pub const USAGE_RHYTHMS: [&str; 3] = ["daily", "weekly", "monthly"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_stands_at_its_index() {
        for (index, (kind, name, family)) in KNOWN_TYPES.iter().enumerate() {
            assert_eq!(
                (kind.index(), kind.known_name(), kind.family()),
                (Some(index), Some(*name), Some(*family))
            );
            assert_eq!(EventType::known(name), Some(*kind));
        }
    }
}
