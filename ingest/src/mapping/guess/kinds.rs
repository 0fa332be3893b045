//! Matches a feed's own name of an event type to a type of the contract.

use tidewatch_projections::vocabulary::EventType;

/// Words that say what an event is about, words that say what happened (none: whatever), and the type meant. The first
/// entry that fits counts.
const MEANINGS: &[(&[&str], &[&str], EventType)] = {
    use EventType as T;
    const TICKET: &[&str] = &["ticket", "case", "incident", "support", "conversation", "issue", "request"];
    const INVOICE: &[&str] = &["invoice", "bill", "charge", "payment", "billing"];
    const SUBSCRIPTION: &[&str] = &["subscription", "contract", "plan", "membership", "licence", "license"];
    &[
        (&["refund", "refunded"], &[], T::RefundIssued),
        (&["creditnote", "credit"], &[], T::CreditIssued),
        (INVOICE, &["failed", "declined"], T::PaymentFailed),
        (INVOICE, &["paid", "succeeded", "settled"], T::InvoicePaid),
        (INVOICE, &["void", "voided", "uncollectible"], T::InvoiceVoided),
        (&["invoice"], &[], T::InvoiceIssued),
        (&["payment"], &[], T::InvoicePaid),
        (&["identify", "identified"], &[], T::UserIdentified),
        (&["trial"], &["started", "created", "began", "start"], T::TrialStarted),
        (&["trial"], &["converted"], T::TrialConverted),
        (&["trial"], &["ended", "expired"], T::TrialEnded),
        (SUBSCRIPTION, &["started", "created", "activated", "start", "new"], T::SubscriptionStarted),
        (SUBSCRIPTION, &["renewed", "renewal"], T::SubscriptionRenewed),
        (SUBSCRIPTION, &["ended", "deleted", "expired", "terminated"], T::SubscriptionEnded),
        (SUBSCRIPTION, &["paused"], T::SubscriptionPaused),
        (SUBSCRIPTION, &["resumed", "unpaused"], T::SubscriptionResumed),
        (&["nps"], &[], T::NpsAnswered),
        (&["csat", "satisfaction"], &[], T::CsatAnswered),
        (TICKET, &["reopened"], T::TicketReopened),
        (TICKET, &["opened", "created", "open", "new"], T::TicketOpened),
        (TICKET, &["resolved", "solved"], T::TicketResolved),
        (TICKET, &["closed", "close"], T::TicketClosed),
        (TICKET, &["escalated"], T::TicketEscalated),
        (TICKET, &[], T::TicketUpdated),
        (
            &[
                "usage", "use", "track", "page", "screen", "login", "view", "viewed", "click", "clicked",
                "session", "api",
            ],
            &[],
            T::Usage,
        ),
    ]
};

/// The type of the contract that `word` most likely means.
pub fn meaning(word: &str) -> Option<EventType> {
    let lower = word.to_lowercase();
    let name: String = lower.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let after_first = name.split_once('_').map(|(_, rest)| rest);
    if let Some(kind) = EventType::known(&name).or_else(|| after_first.and_then(EventType::known)) {
        return Some(kind);
    }
    let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
    let any = |list: &[&str]| {
        words.iter().any(|word| list.contains(word) || list.contains(&word.trim_end_matches('s')))
    };
    MEANINGS
        .iter()
        .find(|(about, did, _)| any(about) && (did.is_empty() || any(did)))
        .map(|(_, _, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feeds_words_are_understood() {
        for (word, expected) in [
            ("usage.commit", Some("usage")),
            ("support.ticket_opened", Some("ticket_opened")),
            ("support.case", Some("ticket_updated")),
            ("Ticket Solved", Some("ticket_resolved")),
            ("billing.invoice", Some("invoice_issued")),
            ("invoice.payment_failed", Some("payment_failed")),
            ("invoice.paid", Some("invoice_paid")),
            ("billing.payment", Some("invoice_paid")),
            ("payment.declined", Some("payment_failed")),
            ("identify", Some("user_identified")),
            ("billing.credit_note", Some("credit_issued")),
            ("charge.refunded", Some("refund_issued")),
            ("customer.subscription.created", Some("subscription_started")),
            ("subscription.trial_started", Some("trial_started")),
            ("survey.csat", Some("csat_answered")),
            ("page", Some("usage")),
            ("Banana", None),
        ] {
            assert_eq!(meaning(word).and_then(EventType::known_name), expected, "{word}");
        }
    }
}
