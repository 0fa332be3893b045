//! What accounts pay for, and whether they do: subscriptions and trials, their terms, pauses and ends, invoices, credits.

use super::{DAY, Fleet, text};
use crate::told::{Property, Told, date, day, months_later};

/// A subscription that was told of.
#[derive(Clone)]
pub(super) struct Subscription {
    /// When it or its trial began.
    at: i64,
    is_trial: bool,
}

impl Fleet {
    pub(super) fn invoice(&mut self, index: usize, told: &mut Told) {
        told.user = None;
        let known = self.accounts[index].invoices;
        let currency = if self.draw.often(800) { "EUR" } else { self.draw.text(&["USD", "JPY", "KWD"]) };
        if known == 0 || self.draw.often(400) {
            self.accounts[index].invoices += 1;
            told.kind = "invoice_issued";
            told.amount = Some((self.draw.range(1, 900) * 10, currency));
            if self.draw.often(600) {
                told.properties.push(("due_at", self.near(told.at, -3, 20)));
            }
            told.properties.push(("invoice_id", Property::Text(format!("i{}", known + 1))));
            return;
        }
        let invoice = 1 + self.draw.below(known);
        (told.kind, told.amount) = match self.draw.below(9) {
            0 | 1 => ("invoice_paid", None),
            2..5 => ("invoice_paid", Some((self.draw.range(1, 500) * 10, currency))),
            5 => ("invoice_voided", None),
            6 => ("payment_failed", None),
            7 => ("refund_issued", Some((-self.draw.range(1, 200) * 10, currency))),
            _ => ("credit_issued", Some((-self.draw.range(1, 200) * 10, currency))),
        };
        if told.kind != "credit_issued" || self.draw.often(850) {
            told.properties.push(("invoice_id", Property::Text(format!("i{invoice}"))));
        }
    }

    /// Mostly the first start comes first. A trial may become paid, and what was paid may be started again, as a trial too.
    pub(super) fn subscription(&mut self, index: usize, now: i64, told: &mut Told) {
        told.user = None;
        let count = self.accounts[index].subscriptions.len();
        if count == 0 || (count < 3 && self.draw.often(250)) {
            let is_trial = self.draw.often(300);
            self.accounts[index].subscriptions.push(Subscription { at: told.at, is_trial });
            told.properties.push(("subscription_id", Property::Text(format!("s{}", count + 1))));
            if !is_trial {
                return self.start(told);
            }
            return self.start_trial(told);
        }
        if self.draw.often(150) {
            // It names no subscription and means all of the account's.
            told.kind =
                self.draw.text(&["subscription_paused", "subscription_resumed", "cancellation_withdrawn"]);
            return self.pause(told);
        }
        let which = self.draw.below(count);
        let Subscription { at, is_trial } = self.accounts[index].subscriptions[which];
        let least = if self.draw.often(50) { -20 * DAY } else { 1 };
        told.at = at + self.draw.range(least, (now - at).max(2));
        told.properties.push(("subscription_id", Property::Text(format!("s{}", which + 1))));
        match self.draw.below(24) {
            0..4 if is_trial => {
                told.kind = self.draw.text(&["trial_converted", "trial_converted", "trial_ended"]);
                if told.kind == "trial_converted" && self.draw.often(500) {
                    told.properties.push(("term_end", self.near(told.at, 10, 60)));
                }
            }
            0..6 => {
                told.kind = "subscription_changed";
                told.properties.push(("effective_at", self.near(told.at, -2, 6)));
                if self.draw.often(800) {
                    told.properties.push(("seats", Property::Number(self.draw.range(1, 40))));
                }
                told.amount = self.draw.often(300).then(|| (self.draw.range(0, 3) * 1000, "EUR"));
            }
            6..9 => self.renew(told),
            9..12 => {
                told.kind = "subscription_cancelled";
                if self.draw.often(800) {
                    told.properties.push(("effective_at", self.near(told.at, -2, 20)));
                }
            }
            12 => told.kind = "cancellation_withdrawn",
            13 => told.kind = "subscription_ended",
            14..17 => {
                told.kind =
                    self.draw.text(&["subscription_paused", "subscription_paused", "subscription_resumed"]);
                self.pause(told);
            }
            17 if self.draw.often(200) => self.start_trial(told),
            17 | 18 => self.start(told),
            _ => {
                told.kind =
                    self.draw.text(&["credits_used", "credits_used", "credits_used", "credits_granted"]);
                told.quantity = Some(self.draw.range(1, 400) * 10_000);
            }
        }
    }

    fn pause(&mut self, told: &mut Told) {
        if told.kind == "subscription_paused" && self.draw.often(600) {
            told.properties.push(("until", self.near(told.at, 0, 15)));
        }
    }

    fn start_trial(&mut self, told: &mut Told) {
        told.kind = "trial_started";
        if self.draw.often(500) {
            told.properties.push(("term_end", self.near(told.at, 5, 30)));
        }
        if self.draw.often(500) {
            told.properties.push(("seats", Property::Number(self.draw.range(1, 9))));
        }
        told.amount = self.draw.often(400).then_some((0, "EUR"));
    }

    fn start(&mut self, told: &mut Told) {
        told.kind = "subscription_started";
        let mut start = told.at.div_euclid(DAY) as i32;
        if self.draw.often(650) {
            start += self.draw.range(-4, 5) as i32;
            if self.draw.often(400) {
                // An old contract, heard of only now; some begin on the last of a month.
                start -= self.draw.range(20, 400) as i32;
                if self.draw.often(300) {
                    start = day(date(start).last_of_month());
                }
            }
            told.properties.push(("term_start", Property::Text(date(start).to_string())));
        }
        if self.draw.often(700) {
            told.properties.push(("term_end", self.term_end(start)));
            told.properties.push(("auto_renew", Property::Truth(self.draw.often(750))));
        }
        if self.draw.often(400) {
            told.properties.push(("notice_days", Property::Number(self.draw.range(0, 30))));
        }
        if self.draw.often(100) {
            told.properties.push(("recurring", Property::Truth(self.draw.often(300))));
        }
        if self.draw.often(400) {
            told.properties.push(("commit_quantity", Property::Number(self.draw.range(0, 50))));
        }
        if self.draw.often(700) {
            told.properties.push(("seats", Property::Number(self.draw.range(1, 40))));
        }
        told.amount = self.draw.often(900).then(|| (self.draw.range(0, 4) * 30_000, "EUR"));
        told.properties.push(("amount_per", text("year")));
    }

    fn renew(&mut self, told: &mut Told) {
        told.kind = "subscription_renewed";
        let start = told.at.div_euclid(DAY) as i32 + self.draw.range(-10, 20) as i32;
        if self.draw.often(950) {
            told.properties.push(("term_start", Property::Text(date(start).to_string())));
        }
        told.properties.push(("term_end", self.term_end(start)));
        told.amount = Some((self.draw.range(0, 4) * 30_000, "EUR"));
        told.properties.push(("amount_per", text("term")));
    }

    /// The last day of a term: whole months, or some days.
    fn term_end(&mut self, start: i32) -> Property {
        let after = match self.draw.below(6) {
            0..3 => months_later(start, 1),
            3 => months_later(start, *self.draw.pick(&[3, 12])),
            _ => start + self.draw.range(1, 45) as i32,
        };
        Property::Text(date(after - 1).to_string())
    }

    /// A date some days from an instant.
    fn near(&mut self, at: i64, least: i64, most: i64) -> Property {
        let day = at.div_euclid(DAY) + self.draw.range(least, most);
        Property::Text(date(day as i32).to_string())
    }
}
