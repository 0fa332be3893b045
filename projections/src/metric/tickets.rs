//! Aggregations over tickets.

use super::plain::quantile;
use super::window::Window;
use super::{Moment, Scalar};
use crate::account_at::AccountAt;
use crate::event::Micros;
use crate::model::PlainKind;
use crate::ticket::{self, Rating, Step, Ticket};
use crate::vocabulary::EventType;

/// Fewer rated tickets say nothing about happiness (health-model §4).
const RATED_MIN: usize = 5;
const HOUR_US: f64 = 3_600_000_000.0;

impl AccountAt<'_> {
    pub(super) fn tickets(
        &self,
        kind: &PlainKind,
        bit: u32,
        window: &Window<'_>,
        moment: Moment,
    ) -> Option<Scalar> {
        match kind {
            PlainKind::Happiness => self.happiness(bit, window, moment),
            PlainKind::FirstReplyHours => {
                let fed = self.fed(moment, false, |kind| kind == EventType::TicketReplied);
                fed.then(|| self.median_wait(bit, window, moment, ticket::ends_first_wait)).flatten()
            }
            PlainKind::ResolutionHours => self.median_wait(bit, window, moment, ticket::ends_work),
            other => unreachable!("{other:?} is not about tickets"),
        }
    }

    /// Tickets of all members; equal ids of different accounts are different tickets.
    pub(super) fn each_ticket(&self, mut read: impl FnMut(&Ticket)) {
        for member in self.members() {
            member.tickets.iter().for_each(|(_, ticket)| read(ticket));
        }
    }

    fn inside(&self, at: Micros, window: &Window<'_>, moment: Moment) -> bool {
        let day = self.plan().calendar.day(at);
        at < moment.at && window.first <= day && day <= window.last
    }

    fn happiness(&self, bit: u32, window: &Window<'_>, moment: Moment) -> Option<Scalar> {
        let (mut great, mut bad, mut rated) = (0_i64, 0_i64, 0_usize);
        self.each_ticket(|ticket| {
            if let Some((at, rating)) = ticket::newest_rating(ticket, moment.at, bit)
                && self.inside(at, window, moment)
            {
                rated += 1;
                great += i64::from(rating == Rating::Great);
                bad += i64::from(rating == Rating::Bad);
            }
        });
        (rated >= RATED_MIN).then(|| Scalar::Number(100.0 * (great - bad) as f64 / rated as f64))
    }

    fn median_wait(
        &self,
        bit: u32,
        window: &Window<'_>,
        moment: Moment,
        ends: fn(&Step) -> bool,
    ) -> Option<Scalar> {
        let mut waits: Vec<Micros> = Vec::new();
        self.each_ticket(|ticket| {
            if let Some((index, order, bits)) = ticket::first_opened(ticket, moment.at)
                && bits >> bit & 1 == 1
                && self.inside(order.at, window, moment)
            {
                waits.push(ticket::wait_us(ticket, index, moment.at, ends));
            }
        });
        waits.sort_unstable();
        let hours: Vec<f64> = waits.iter().map(|wait| *wait as f64 / HOUR_US).collect();
        quantile(&hours, 0.5).map(Scalar::Number)
    }
}
