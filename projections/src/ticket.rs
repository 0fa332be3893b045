//! Tickets: who waits, since when, and how it ended (health-model §4).

use crate::event::Micros;
use crate::timeline::{Order, Timeline};

/// What happened to a ticket. The bits say which of the plan's ticket filters the event passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// `ticket_opened`: the customer waits.
    Opened {
        /// Filters the event passes.
        bits: u64,
    },
    /// `ticket_replied`: by an agent, the customer or a bot.
    Replied {
        /// Whether it is a public reply by an agent.
        answers: bool,
    },
    /// `ticket_updated`: counts in no figure.
    Updated,
    /// `ticket_resolved`: ends the wait unless it is reopened.
    Resolved,
    /// `ticket_closed`: ends the wait as a resolution does.
    Closed,
    /// `ticket_reopened`: open again, which starts no new wait.
    Reopened,
    /// `ticket_escalated`: passed on to somebody above.
    Escalated,
    /// `ticket_deescalated`: no longer with somebody above.
    Deescalated,
    /// `ticket_rated`: the newest rating counts.
    Rated {
        /// The rating; unknown when the event names none.
        rating: Option<Rating>,
        /// Filters the event passes.
        bits: u64,
    },
}

/// How a customer rated the help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rating {
    /// Good help: one for happiness.
    Great,
    /// Help without praise: rated, and neither for nor against happiness.
    Okay,
    /// No help: one against happiness.
    Bad,
}

impl Rating {
    /// The rating with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "great" => Some(Self::Great),
            "okay" => Some(Self::Okay),
            "bad" => Some(Self::Bad),
            _ => None,
        }
    }
}

/// A ticket: its steps in order.
pub type Ticket = Timeline<Step>;

/// When it was first opened before `as_of`, and the filters that event passes.
pub fn first_opened(ticket: &Ticket, as_of: Micros) -> Option<(usize, &Order, u64)> {
    ticket.before(as_of).iter().enumerate().find_map(|(index, (order, step))| match step {
        Step::Opened { bits } => Some((index, order, *bits)),
        _ => None,
    })
}

/// Microseconds from the first opening to the first step that ends the wait; a wait that goes on counts to `as_of`.
pub fn wait_us(ticket: &Ticket, opened: usize, as_of: Micros, ends: fn(&Step) -> bool) -> Micros {
    let steps = ticket.before(as_of);
    let opened_at = steps[opened].0.at;
    let ended = steps[opened + 1..].iter().find(|(_, step)| ends(step));
    ended.map_or(as_of, |(order, _)| order.at) - opened_at
}

/// A public reply by an agent, a resolution or a closing.
pub fn ends_first_wait(step: &Step) -> bool {
    matches!(step, Step::Replied { answers: true } | Step::Resolved | Step::Closed)
}

/// A resolution or a closing.
pub fn ends_work(step: &Step) -> bool {
    matches!(step, Step::Resolved | Step::Closed)
}

/// Whether it is open: the newest of opened, reopened, resolved and closed is one of the first two.
pub fn open(ticket: &Ticket, as_of: Micros) -> bool {
    let newest = ticket.before(as_of).iter().rev().find_map(|(_, step)| match step {
        Step::Opened { .. } | Step::Reopened => Some(true),
        Step::Resolved | Step::Closed => Some(false),
        _ => None,
    });
    newest.unwrap_or(false)
}

/// Whether it is escalated: the newest of escalated and deescalated is the former.
pub fn escalated(ticket: &Ticket, as_of: Micros) -> bool {
    let newest = ticket.before(as_of).iter().rev().find_map(|(_, step)| match step {
        Step::Escalated => Some(true),
        Step::Deescalated => Some(false),
        _ => None,
    });
    newest.unwrap_or(false)
}

/// The newest rating that passes a filter, and when it was given.
pub fn newest_rating(ticket: &Ticket, as_of: Micros, bit: u32) -> Option<(Micros, Rating)> {
    ticket.before(as_of).iter().rev().find_map(|(order, step)| match step {
        Step::Rated { rating: Some(rating), bits } if bits >> bit & 1 == 1 => Some((order.at, *rating)),
        _ => None,
    })
}
