//! The vocabulary: every event type of the contract (health-model §1) and its family.

use crate::names::Symbol;

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Family {
    /// The product was used.
    Usage,
    /// The customer got the outcome they bought.
    Value,
    /// Subscriptions, trials, invoices, payments, credits.
    Billing,
    /// Tickets.
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
/// The type of an event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub enum EventType {
    Usage,
    Value,
    SubscriptionStarted,
    TrialStarted,
    TrialConverted,
    TrialEnded,
    SubscriptionChanged,
    SubscriptionRenewed,
    SubscriptionCancelled,
    CancellationWithdrawn,
    SubscriptionEnded,
    SubscriptionPaused,
    SubscriptionResumed,
    InvoiceIssued,
    InvoicePaid,
    PaymentFailed,
    InvoiceVoided,
    RefundIssued,
    CreditIssued,
    CreditsGranted,
    CreditsUsed,
    TicketOpened,
    TicketReplied,
    TicketUpdated,
    TicketResolved,
    TicketClosed,
    TicketReopened,
    TicketEscalated,
    TicketDeescalated,
    TicketRated,
    NpsAnswered,
    CsatAnswered,
    PulseRecorded,
    MilestoneReached,
    StageChanged,
    TouchpointHeld,
    GoalSet,
    GoalMet,
    ReferralMade,
    RequestRecorded,
    StakeholderChanged,
    OutcomeRecorded,
    AccountUpdated,
    UserIdentified,
    UserDeactivated,
    AccountMerged,
    AccountClosed,
    /// A type outside the contract: kept, counted by filters, and meaning nothing else.
    Other(Symbol),
}

/// The types of the contract with name and family, in its order.
pub const KNOWN_TYPES: [(EventType, &str, Family); 47] = [
    (EventType::Usage, "usage", Family::Usage),
    (EventType::Value, "value", Family::Value),
    (EventType::SubscriptionStarted, "subscription_started", Family::Billing),
    (EventType::TrialStarted, "trial_started", Family::Billing),
    (EventType::TrialConverted, "trial_converted", Family::Billing),
    (EventType::TrialEnded, "trial_ended", Family::Billing),
    (EventType::SubscriptionChanged, "subscription_changed", Family::Billing),
    (EventType::SubscriptionRenewed, "subscription_renewed", Family::Billing),
    (EventType::SubscriptionCancelled, "subscription_cancelled", Family::Billing),
    (EventType::CancellationWithdrawn, "cancellation_withdrawn", Family::Billing),
    (EventType::SubscriptionEnded, "subscription_ended", Family::Billing),
    (EventType::SubscriptionPaused, "subscription_paused", Family::Billing),
    (EventType::SubscriptionResumed, "subscription_resumed", Family::Billing),
    (EventType::InvoiceIssued, "invoice_issued", Family::Billing),
    (EventType::InvoicePaid, "invoice_paid", Family::Billing),
    (EventType::PaymentFailed, "payment_failed", Family::Billing),
    (EventType::InvoiceVoided, "invoice_voided", Family::Billing),
    (EventType::RefundIssued, "refund_issued", Family::Billing),
    (EventType::CreditIssued, "credit_issued", Family::Billing),
    (EventType::CreditsGranted, "credits_granted", Family::Billing),
    (EventType::CreditsUsed, "credits_used", Family::Billing),
    (EventType::TicketOpened, "ticket_opened", Family::Support),
    (EventType::TicketReplied, "ticket_replied", Family::Support),
    (EventType::TicketUpdated, "ticket_updated", Family::Support),
    (EventType::TicketResolved, "ticket_resolved", Family::Support),
    (EventType::TicketClosed, "ticket_closed", Family::Support),
    (EventType::TicketReopened, "ticket_reopened", Family::Support),
    (EventType::TicketEscalated, "ticket_escalated", Family::Support),
    (EventType::TicketDeescalated, "ticket_deescalated", Family::Support),
    (EventType::TicketRated, "ticket_rated", Family::Support),
    (EventType::NpsAnswered, "nps_answered", Family::Survey),
    (EventType::CsatAnswered, "csat_answered", Family::Survey),
    (EventType::PulseRecorded, "pulse_recorded", Family::Survey),
    (EventType::MilestoneReached, "milestone_reached", Family::Lifecycle),
    (EventType::StageChanged, "stage_changed", Family::Lifecycle),
    (EventType::TouchpointHeld, "touchpoint_held", Family::Lifecycle),
    (EventType::GoalSet, "goal_set", Family::Lifecycle),
    (EventType::GoalMet, "goal_met", Family::Lifecycle),
    (EventType::ReferralMade, "referral_made", Family::Lifecycle),
    (EventType::RequestRecorded, "request_recorded", Family::Lifecycle),
    (EventType::StakeholderChanged, "stakeholder_changed", Family::Lifecycle),
    (EventType::OutcomeRecorded, "outcome_recorded", Family::Lifecycle),
    (EventType::AccountUpdated, "account_updated", Family::Account),
    (EventType::UserIdentified, "user_identified", Family::Account),
    (EventType::UserDeactivated, "user_deactivated", Family::Account),
    (EventType::AccountMerged, "account_merged", Family::Account),
    (EventType::AccountClosed, "account_closed", Family::Account),
];

impl EventType {
    /// The contract's type of this name.
    pub fn known(name: &str) -> Option<Self> {
        KNOWN_TYPES.iter().find(|(_, known, _)| *known == name).map(|(kind, _, _)| *kind)
    }

    /// The place among [`KNOWN_TYPES`]; types outside the contract have none.
    pub fn index(self) -> Option<usize> {
        Some(match self {
            Self::Other(_) => return None,
            Self::Usage => 0,
            Self::Value => 1,
            Self::SubscriptionStarted => 2,
            Self::TrialStarted => 3,
            Self::TrialConverted => 4,
            Self::TrialEnded => 5,
            Self::SubscriptionChanged => 6,
            Self::SubscriptionRenewed => 7,
            Self::SubscriptionCancelled => 8,
            Self::CancellationWithdrawn => 9,
            Self::SubscriptionEnded => 10,
            Self::SubscriptionPaused => 11,
            Self::SubscriptionResumed => 12,
            Self::InvoiceIssued => 13,
            Self::InvoicePaid => 14,
            Self::PaymentFailed => 15,
            Self::InvoiceVoided => 16,
            Self::RefundIssued => 17,
            Self::CreditIssued => 18,
            Self::CreditsGranted => 19,
            Self::CreditsUsed => 20,
            Self::TicketOpened => 21,
            Self::TicketReplied => 22,
            Self::TicketUpdated => 23,
            Self::TicketResolved => 24,
            Self::TicketClosed => 25,
            Self::TicketReopened => 26,
            Self::TicketEscalated => 27,
            Self::TicketDeescalated => 28,
            Self::TicketRated => 29,
            Self::NpsAnswered => 30,
            Self::CsatAnswered => 31,
            Self::PulseRecorded => 32,
            Self::MilestoneReached => 33,
            Self::StageChanged => 34,
            Self::TouchpointHeld => 35,
            Self::GoalSet => 36,
            Self::GoalMet => 37,
            Self::ReferralMade => 38,
            Self::RequestRecorded => 39,
            Self::StakeholderChanged => 40,
            Self::OutcomeRecorded => 41,
            Self::AccountUpdated => 42,
            Self::UserIdentified => 43,
            Self::UserDeactivated => 44,
            Self::AccountMerged => 45,
            Self::AccountClosed => 46,
        })
    }

    /// The name, if the contract has it.
    pub fn known_name(self) -> Option<&'static str> {
        self.index().map(|index| KNOWN_TYPES[index].1)
    }

    /// The family; types outside the contract have none.
    pub fn family(self) -> Option<Family> {
        match self {
            Self::Other(_) => None,
            Self::Usage => Some(Family::Usage),
            Self::Value => Some(Family::Value),
            Self::SubscriptionStarted
            | Self::TrialStarted
            | Self::TrialConverted
            | Self::TrialEnded
            | Self::SubscriptionChanged
            | Self::SubscriptionRenewed
            | Self::SubscriptionCancelled
            | Self::CancellationWithdrawn
            | Self::SubscriptionEnded
            | Self::SubscriptionPaused
            | Self::SubscriptionResumed
            | Self::InvoiceIssued
            | Self::InvoicePaid
            | Self::PaymentFailed
            | Self::InvoiceVoided
            | Self::RefundIssued
            | Self::CreditIssued
            | Self::CreditsGranted
            | Self::CreditsUsed => Some(Family::Billing),
            Self::TicketOpened
            | Self::TicketReplied
            | Self::TicketUpdated
            | Self::TicketResolved
            | Self::TicketClosed
            | Self::TicketReopened
            | Self::TicketEscalated
            | Self::TicketDeescalated
            | Self::TicketRated => Some(Family::Support),
            Self::NpsAnswered | Self::CsatAnswered | Self::PulseRecorded => Some(Family::Survey),
            Self::MilestoneReached
            | Self::StageChanged
            | Self::TouchpointHeld
            | Self::GoalSet
            | Self::GoalMet
            | Self::ReferralMade
            | Self::RequestRecorded
            | Self::StakeholderChanged
            | Self::OutcomeRecorded => Some(Family::Lifecycle),
            Self::AccountUpdated
            | Self::UserIdentified
            | Self::UserDeactivated
            | Self::AccountMerged
            | Self::AccountClosed => Some(Family::Account),
        }
    }
}

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
