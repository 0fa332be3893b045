//! Which events feed a measure: those whose age makes it stale (health-model §5).

use super::measure::Measure;
use super::{Agg, Model, PlainKind, StandingKind};
use crate::filter::Filter;
use crate::vocabulary::{EventType, Family, KNOWN_TYPES};

impl Model {
    /// The filters of a measure's input events when one of its attempts was chosen: its own `input`, else those of every part
    /// of the metric. None at all: nothing feeds it, and it is never stale.
    pub(crate) fn input_events(&self, measure: &Measure, attempt: usize) -> Vec<Filter> {
        match &measure.input {
            Some(filter) => vec![filter.clone()],
            None => self.inputs_of(measure.attempts[attempt].metric),
        }
    }

    /// The filters of the events that a metric is made of, by its place in the model.
    pub(crate) fn inputs_of(&self, metric: usize) -> Vec<Filter> {
        let mut filters = Vec::new();
        self.add_inputs(metric, &mut filters);
        filters
    }

    fn add_inputs(&self, metric: usize, filters: &mut Vec<Filter>) {
        match &self.metrics[metric].agg {
            Agg::Plain(plain) => filters.push(match plain.kind {
                // Happiness is made of ratings, and nothing else keeps it fresh.
                PlainKind::Happiness => plain.filter.clone().with_types(&[EventType::TicketRated]),
                PlainKind::FirstReplyHours | PlainKind::ResolutionHours => {
                    Filter::of_types(&of_family(Family::Support))
                }
                _ => plain.filter.clone(),
            }),
            Agg::Share { a, b, .. } => filters.extend([a.clone(), b.clone()]),
            Agg::Standing(kind) => {
                let types = inputs_of_standing(*kind);
                if !types.is_empty() {
                    filters.push(Filter::of_types(&types));
                }
            }
            Agg::Ratio { a, b, .. } => {
                self.add_inputs(*a, filters);
                self.add_inputs(*b, filters);
            }
            Agg::PerSeat { a } | Agg::Change { a, .. } | Agg::AgainstOwn { a, .. } | Agg::Slope { a, .. } => {
                self.add_inputs(*a, filters)
            }
        }
    }
}

fn inputs_of_standing(kind: StandingKind) -> Vec<EventType> {
    use EventType::{
        CreditIssued, CreditsUsed, InvoiceIssued, InvoicePaid, InvoiceVoided, MilestoneReached, TicketClosed,
        TicketDeescalated, TicketEscalated, TicketOpened, TicketReopened, TicketResolved,
    };
    match kind {
        StandingKind::OldestPastDueDays | StandingKind::AmountPastDue(_) => {
            vec![InvoiceIssued, InvoicePaid, InvoiceVoided, CreditIssued]
        }
        StandingKind::OpenTickets => vec![TicketOpened, TicketReopened, TicketResolved, TicketClosed],
        StandingKind::OpenEscalations => {
            vec![
                TicketOpened,
                TicketReopened,
                TicketResolved,
                TicketClosed,
                TicketEscalated,
                TicketDeescalated,
            ]
        }
        StandingKind::DaysToRenewal | StandingKind::DaysToNotice => of_subscriptions(),
        StandingKind::CreditsBurn => of_subscriptions().into_iter().chain([CreditsUsed]).collect(),
        StandingKind::MilestonesShare => vec![MilestoneReached],
        StandingKind::ExpectedDays | StandingKind::Seats | StandingKind::AgeDays => Vec::new(),
    }
}

fn of_family(family: Family) -> Vec<EventType> {
    KNOWN_TYPES.iter().filter(|(_, _, of)| *of == family).map(|(kind, _, _)| *kind).collect()
}

fn of_subscriptions() -> Vec<EventType> {
    KNOWN_TYPES
        .iter()
        .map(|(kind, _, _)| *kind)
        .filter(|kind| crate::vocabulary::speaks_of_subscriptions(*kind))
        .collect()
}
