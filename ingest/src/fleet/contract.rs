//! The subscription of an account, from trial to end, and the invoices and payments that follow from it.

use jiff::ToSpan;
use jiff::civil::Date;

use super::account_day::{AccountDay, MICROS_PER_HOUR};
use super::company::Company;
use super::scenario::{PAUSE_DAYS, Scenario, TRIAL_DAYS};
use super::season::Rhythm;
use super::simulated_event::{JsonEvent, System};
use crate::random::Random;

/// Days from an invoice to its due day.
const DUE_DAYS: i64 = 30;
/// How many days before the end of its term an account cancels.
const CANCEL_AHEAD_DAYS: i32 = 40;
/// How many days after its last subscription an account is closed.
const CLOSE_AFTER_DAYS: i64 = 14;
/// Credits granted for a week, for each event of a normal week of a machine account.
const CREDITS_PER_EVENT: f64 = 2.0;

/// An account's subscription and what is billed for it.
#[derive(Clone, Debug)]
pub(super) struct Contract {
    subscription: String,
    plan: &'static str,
    currency: &'static str,
    /// Price of a year, in minor units of `currency`.
    yearly: i64,
    monthly_billing: bool,
    auto_renew: bool,
    term_start: Date,
    /// The last day of the current term.
    term_end: Date,
    seats: u32,
    invoices: u32,
    /// The id of the newest invoice; refunds and credits name it.
    invoice: Option<String>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Before,
    Trial,
    Live,
    Cancelled,
    Ended(Date),
    Closed,
}

impl Contract {
    /// `joined` is the account's first day in the fleet; older accounts are in the middle of a term then.
    pub(super) fn draw(
        company: &Company,
        scenario: Scenario,
        joined: Date,
        turn: Date,
        random: &mut Random,
    ) -> Self {
        let per_seat_year = match company.tier() {
            "A" => 480,
            "B" => 540,
            _ => 600,
        };
        // Yen have no minor unit and buy less; the others count cents.
        let minor_per_unit = if company.country.currency == "JPY" { 150 } else { 100 };
        let term_start = if scenario.churns() {
            // Its term ends ten to fourteen weeks after the turn, so that the loss lies within the history.
            turn + i32::try_from(random.between(70, 98)).expect("two digits").days() - 12.months()
        } else if scenario.is_new() {
            joined
        } else {
            joined - i32::try_from(random.between(5, 350)).expect("three digits").days()
        };
        let machine = company.rhythm == Rhythm::Machine;
        Self {
            subscription: format!("sub-{}", company.id),
            plan: match company.tier() {
                "A" => "enterprise",
                "B" => "team",
                _ => "starter",
            },
            currency: company.country.currency,
            yearly: i64::from(company.seats) * per_seat_year * minor_per_unit * if machine { 12 } else { 1 },
            monthly_billing: company.tier() == "C",
            auto_renew: !scenario.churns() && random.chance(0.5),
            term_start,
            term_end: term_end(term_start),
            seats: company.seats,
            invoices: 0,
            invoice: None,
            state: State::Before,
        }
    }

    /// Whether the account is closed and sends no event any more.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether the account is a customer or may become one.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Trial | State::Live | State::Cancelled)
    }

    /// Appends today's billing events. `turn_days` counts from the turning point of the scenario; negative before it.
    pub(super) fn day(
        &mut self,
        company: &Company,
        scenario: Scenario,
        age_days: i32,
        turn_days: i32,
        random: &mut Random,
        today: &mut AccountDay<'_>,
    ) {
        match self.state {
            State::Before => self.begin(company, scenario, today),
            State::Trial if age_days >= TRIAL_DAYS => self.end_trial(company, scenario, today),
            State::Live | State::Cancelled => {
                self.act_out_scenario(scenario, turn_days, random, today);
                self.term(scenario, random, today);
                self.bill(scenario, random, today);
                if company.rhythm == Rhythm::Machine {
                    self.use_credits(company, scenario.level(turn_days), today);
                }
            }
            State::Ended(since) if today.date >= since + CLOSE_AFTER_DAYS.days() => {
                today.emit_in_office_hours(random, JsonEvent::new(System::Crm, "account_closed"));
                self.state = State::Closed;
            }
            State::Trial | State::Ended(_) | State::Closed => {}
        }
    }

    fn begin(&mut self, company: &Company, scenario: Scenario, today: &mut AccountDay<'_>) {
        if matches!(scenario, Scenario::TrialConverts | Scenario::TrialEnds) {
            let event = self.about("trial_started").plain("seats", self.seats);
            today.emit(
                today.opening_time(2),
                event.plain("term_end", today.date + i64::from(TRIAL_DAYS - 1).days()),
            );
            self.state = State::Trial;
        } else {
            self.start(company, today);
        }
    }

    fn end_trial(&mut self, company: &Company, scenario: Scenario, today: &mut AccountDay<'_>) {
        if scenario == Scenario::TrialConverts {
            today.emit(today.opening_time(2), self.about("trial_converted").plain("seats", self.seats));
            self.term_start = today.date;
            self.term_end = term_end(today.date);
            self.subscription.push_str("-paid");
            self.start(company, today);
        } else {
            today.emit(today.opening_time(2), self.about("trial_ended"));
            self.state = State::Ended(today.date);
        }
    }

    fn start(&mut self, company: &Company, today: &mut AccountDay<'_>) {
        let mut event = self
            .about("subscription_started")
            .amount(self.yearly, self.currency)
            .text("amount_per", "year")
            .plain("term_start", self.term_start)
            .plain("term_end", self.term_end)
            .text("plan", self.plan)
            .plain("seats", self.seats)
            .plain("recurring", true)
            .plain("auto_renew", self.auto_renew)
            .plain("notice_days", 30_u32)
            .text("sold_by", company.manager);
        if company.rhythm == Rhythm::Machine {
            let commit = (company.weekly_events * CREDITS_PER_EVENT * 52.0) as i64;
            event = event.plain("commit_quantity", commit);
            let granted = self.about("credits_granted").quantity(commit.unsigned_abs());
            today.emit(today.opening_time(4), granted);
        }
        today.emit(today.opening_time(3), event);
        self.state = State::Live;
    }

    fn act_out_scenario(
        &mut self,
        scenario: Scenario,
        turn_days: i32,
        random: &mut Random,
        today: &mut AccountDay<'_>,
    ) {
        let seats_change = |seats: u32, cause: &str, contract: &mut Self, today: &mut AccountDay<'_>| {
            contract.yearly = contract.yearly / i64::from(contract.seats) * i64::from(seats);
            contract.seats = seats;
            let event = contract
                .about("subscription_changed")
                .amount(contract.yearly, contract.currency)
                .text("amount_per", "year")
                .plain("effective_at", today.date)
                .plain("seats", seats)
                .text("cause", cause);
            today.emit(today.opening_time(5), event);
        };
        match (scenario, turn_days) {
            (Scenario::Growing, 0) => {
                seats_change(self.seats + self.seats.div_ceil(2), "upsell", self, today)
            }
            (Scenario::Shrinking, 0) => seats_change(self.seats.div_ceil(2), "reduction", self, today),
            (Scenario::Shrinking, 5) => {
                let event =
                    JsonEvent::new(System::Billing, "refund_issued").amount(-self.yearly / 24, self.currency);
                today.emit_in_office_hours(random, self.naming_invoice(event));
            }
            (Scenario::Pausing, 0) => {
                let until = today.date + i64::from(PAUSE_DAYS - 1).days();
                today.emit(today.opening_time(5), self.about("subscription_paused").plain("until", until));
            }
            (Scenario::Pausing, PAUSE_DAYS) => {
                today.emit(today.opening_time(5), self.about("subscription_resumed"));
            }
            (Scenario::Wavering, 0) => {
                let event =
                    self.about("subscription_cancelled").plain("effective_at", self.term_end + 1.day());
                today.emit_in_office_hours(random, event.text("reason", "price"));
            }
            (Scenario::Wavering, 20) => {
                today.emit_in_office_hours(random, self.about("cancellation_withdrawn"))
            }
            (Scenario::MergedAway, -1) => {
                today.emit_in_office_hours(random, self.about("subscription_ended").text("cause", "moved"));
                self.state = State::Closed;
            }
            _ => {}
        }
    }

    /// Renews, cancels or ends the subscription when its term says so.
    fn term(&mut self, scenario: Scenario, random: &mut Random, today: &mut AccountDay<'_>) {
        let left = (self.term_end - today.date).get_days();
        if scenario.churns() && left == CANCEL_AHEAD_DAYS {
            let event = self.about("subscription_cancelled").plain("effective_at", self.term_end + 1.day());
            today.emit_in_office_hours(random, event.text("reason", "no longer used"));
            self.state = State::Cancelled;
        }
        if left >= 0 {
            return;
        }
        if self.state == State::Cancelled {
            today.emit(today.opening_time(6), self.about("subscription_ended").text("cause", "cancelled"));
            let outcome = self
                .about_in(System::Crm, "outcome_recorded")
                .text("outcome", "lost")
                .text("reason", "unused");
            today.emit_in_office_hours(random, outcome);
            self.state = State::Ended(today.date);
            return;
        }
        self.term_start = today.date;
        self.term_end = term_end(today.date);
        if !self.auto_renew {
            self.yearly += self.yearly * 3 / 100;
            let event = self
                .about("subscription_renewed")
                .amount(self.yearly, self.currency)
                .text("amount_per", "year")
                .plain("term_start", self.term_start)
                .plain("term_end", self.term_end);
            today.emit(today.opening_time(6), event);
            let outcome = self.about_in(System::Crm, "outcome_recorded").text("outcome", "renewed");
            today.emit_in_office_hours(random, outcome);
        }
    }

    fn bill(&mut self, scenario: Scenario, random: &mut Random, today: &mut AccountDay<'_>) {
        let is_yearly_day = today.date == self.term_start;
        let is_monthly_day = today.date.day() == self.term_start.day().min(28);
        if self.state == State::Live && (is_yearly_day || (self.monthly_billing && is_monthly_day)) {
            let (amount, months) =
                if self.monthly_billing { (self.yearly / 12, 1) } else { (self.yearly, 12) };
            let voided = random.chance(0.02);
            self.invoice(amount, months, !voided, scenario, random, today);
            if voided {
                let event = JsonEvent::new(System::Billing, "invoice_voided");
                today.emit(today.opening_time(8), self.naming_invoice(event));
                self.invoice(amount, months, true, scenario, random, today);
            }
        }
    }

    fn invoice(
        &mut self,
        amount: i64,
        months: i32,
        will_be_paid: bool,
        scenario: Scenario,
        random: &mut Random,
        today: &mut AccountDay<'_>,
    ) {
        self.invoices += 1;
        let id = format!("{}-{:04}", self.subscription.replacen("sub", "inv", 1), self.invoices);
        let issued = JsonEvent::new(System::Billing, "invoice_issued")
            .amount(amount, self.currency)
            .text("invoice_id", &id)
            .text("subscription_id", &self.subscription)
            .plain("due_at", today.date + DUE_DAYS.days())
            .plain("period_start", today.date)
            .plain("period_end", today.date + months.months() - 1.day());
        let issued_at = today.opening_time(6 + i64::from(self.invoices % 2) * 3);
        today.emit(issued_at, issued);
        let slow = if scenario.churns() { 2.5 } else { 1.0 };
        let mut paid_at = issued_at + (random.log_normal(14.0, 0.5) * slow * 24.0) as i64 * MICROS_PER_HOUR;
        if will_be_paid {
            if random.chance(0.05) {
                let failed = JsonEvent::new(System::Billing, "payment_failed").amount(amount, self.currency);
                today.emit(paid_at, failed.text("invoice_id", &id));
                paid_at += 5 * 24 * MICROS_PER_HOUR;
            }
            let paid = JsonEvent::new(System::Billing, "invoice_paid").amount(amount, self.currency);
            today.emit(paid_at, paid.text("invoice_id", &id));
        }
        self.invoice = Some(id);
    }

    fn use_credits(&self, company: &Company, level: f64, today: &mut AccountDay<'_>) {
        let used = (company.weekly_events * CREDITS_PER_EVENT * level) as u64;
        if today.date.weekday() == jiff::civil::Weekday::Monday && used > 0 {
            today.emit(today.opening_time(10), self.about("credits_used").quantity(used));
        }
    }

    /// The vendor credits the days of the outage, where there is an invoice to name.
    pub(super) fn credit_outage(&self, random: &mut Random, today: &mut AccountDay<'_>) {
        if self.state == State::Live && self.invoice.is_some() {
            let event =
                JsonEvent::new(System::Billing, "credit_issued").amount(-self.yearly / 180, self.currency);
            today.emit_in_office_hours(random, self.naming_invoice(event));
        }
    }

    fn naming_invoice(&self, event: JsonEvent) -> JsonEvent {
        match &self.invoice {
            Some(invoice) => event.text("invoice_id", invoice),
            None => event,
        }
    }

    fn about(&self, kind: &str) -> JsonEvent {
        self.about_in(System::Billing, kind)
    }

    fn about_in(&self, system: System, kind: &str) -> JsonEvent {
        JsonEvent::new(system, kind).text("subscription_id", &self.subscription)
    }
}

/// The last day of a one-year term that begins on `start`.
fn term_end(start: Date) -> Date {
    start + 12.months() - 1.day()
}
