//! Invoices: what is owed and since when (health-model §4, `standing`).

use crate::calendar::Day;
use crate::event::{Micros, Money};
use crate::timeline::Timeline;

/// What happened to an invoice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// `invoice_issued`: something is owed from now on.
    Issued {
        /// What is asked for; unknown when the event gives none.
        amount: Option<Money>,
        /// The day it was issued.
        on: Day,
        /// The day it is due, when stated.
        due: Option<Day>,
    },
    /// `invoice_paid`; without an amount it settles the invoice.
    Paid(Option<Money>),
    /// `payment_failed`: what is owed stays owed.
    Failed,
    /// `invoice_voided`: nothing is owed, whatever was paid.
    Voided,
    /// `credit_issued` naming it; negative.
    Credited(Option<Money>),
}

/// An invoice: its steps in order.
pub type Invoice = Timeline<Step>;

/// Money owed past its day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PastDue {
    /// The day it was due.
    pub due: Day,
    /// How much is open.
    pub open: Money,
}

/// Whether the invoice was issued before `as_of`.
pub fn issued(invoice: &Invoice, as_of: Micros) -> bool {
    invoice.before(as_of).iter().any(|(_, step)| matches!(step, Step::Issued { .. }))
}

/// What is owed past its due day, if anything. The newest issue states amount and due day.
pub fn past_due(invoice: &Invoice, as_of: Micros, today: Day, payment_terms_days: i64) -> Option<PastDue> {
    let steps = invoice.before(as_of);
    let (amount, due) = steps.iter().rev().find_map(|(_, step)| match step {
        Step::Issued { amount, on, due } => {
            amount.map(|amount| (amount, due.unwrap_or_else(|| on.plus(payment_terms_days))))
        }
        _ => None,
    })?;
    if due >= today {
        return None;
    }
    let mut open = i128::from(amount.minor);
    for (_, step) in steps {
        match step {
            Step::Voided | Step::Paid(None) => return None,
            Step::Paid(Some(paid)) if paid.currency == amount.currency => open -= i128::from(paid.minor),
            Step::Credited(Some(credit)) if credit.currency == amount.currency => {
                open += i128::from(credit.minor)
            }
            _ => {}
        }
    }
    let minor = i64::try_from(open).ok().filter(|open| *open > 0)?;
    Some(PastDue { due, open: Money { minor, currency: amount.currency } })
}
