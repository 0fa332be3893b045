//! What an account has bought, and the invoices that follow from it.

use jiff::ToSpan;
use jiff::civil::Date;

use super::cast::{PAUSE_DAYS, Role, TRIAL_DAYS};
use super::company::Company;
use super::happening::{Note, System};
use super::season::Rhythm;
use super::today::{MICROS_PER_HOUR, Today};
use crate::random::Random;

/// Days from an invoice to its due day.
const DUE_DAYS: i64 = 30;
/// A leaving account cancels so many days before its term ends.
const CANCEL_AHEAD_DAYS: i32 = 40;
/// A closed account is gone so many days after its last subscription ended.
const CLOSE_AFTER_DAYS: i64 = 14;
/// Credits a program may use in a week of its plain volume, per event.
const CREDITS_PER_EVENT: f64 = 2.0;

/// An account's subscription and what is billed for it.
#[derive(Clone, Debug)]
pub(super) struct Contract {
    subscription: String,
    plan: &'static str,
    currency: &'static str,
    /// Minor units per year.
    yearly: i64,
    monthly_billing: bool,
    auto_renew: bool,
    term_start: Date,
    /// The term's last day.
    term_end: Date,
    seats: u32,
    invoices: u32,
    /// The newest invoice.
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
    pub(super) fn draw(company: &Company, role: Role, joined: Date, turn: Date, random: &mut Random) -> Self {
        let per_seat_year = match company.tier() {
            "A" => 480,
            "B" => 540,
            _ => 600,
        };
        // Yen have no minor unit and buy less; the others count cents.
        let minor_per_unit = if company.country.currency == "JPY" { 150 } else { 100 };
        let term_start = if role.churns() {
            // Its term ends ten to fourteen weeks after the turn, so that the loss lies within the history.
            turn + i32::try_from(random.between(70, 98)).expect("two digits").days() - 12.months()
        } else if role.is_new() {
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
            auto_renew: !role.churns() && random.chance(0.5),
            term_start,
            term_end: term_end(term_start),
            seats: company.seats,
            invoices: 0,
            invoice: None,
            state: State::Before,
        }
    }

    /// Whether nothing can come from the account any more.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether the account is a customer or may become one.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Trial | State::Live | State::Cancelled)
    }

    /// Writes down what the contract brings today. `turn_days` counts from the turn of the plot.
    pub(super) fn day(
        &mut self,
        company: &Company,
        role: Role,
        age_days: i32,
        turn_days: i32,
        random: &mut Random,
        today: &mut Today<'_>,
    ) {
        match self.state {
            State::Before => self.begin(company, role, today),
            State::Trial if age_days >= TRIAL_DAYS => self.end_trial(company, role, today),
            State::Live | State::Cancelled => {
                self.plot(role, turn_days, random, today);
                self.term(role, random, today);
                self.bill(role, random, today);
                if company.rhythm == Rhythm::Machine {
                    self.use_credits(company, role.level(turn_days), today);
                }
            }
            State::Ended(since) if today.date >= since + CLOSE_AFTER_DAYS.days() => {
                today.office_note(random, Note::new(System::Crm, "account_closed"));
                self.state = State::Closed;
            }
            State::Trial | State::Ended(_) | State::Closed => {}
        }
    }

    fn begin(&mut self, company: &Company, role: Role, today: &mut Today<'_>) {
        if matches!(role, Role::TrialConverts | Role::TrialEnds) {
            let note = self.about("trial_started").plain("seats", self.seats);
            today.note(
                today.opening_time(2),
                note.plain("term_end", today.date + i64::from(TRIAL_DAYS - 1).days()),
            );
            self.state = State::Trial;
        } else {
            self.start(company, today);
        }
    }

    fn end_trial(&mut self, company: &Company, role: Role, today: &mut Today<'_>) {
        if role == Role::TrialConverts {
            today.note(today.opening_time(2), self.about("trial_converted").plain("seats", self.seats));
            self.term_start = today.date;
            self.term_end = term_end(today.date);
            self.subscription.push_str("-paid");
            self.start(company, today);
        } else {
            today.note(today.opening_time(2), self.about("trial_ended"));
            self.state = State::Ended(today.date);
        }
    }

    fn start(&mut self, company: &Company, today: &mut Today<'_>) {
        let mut note = self
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
            note = note.plain("commit_quantity", commit);
            let granted = self.about("credits_granted").quantity(commit.unsigned_abs());
            today.note(today.opening_time(4), granted);
        }
        today.note(today.opening_time(3), note);
        self.state = State::Live;
    }

    fn plot(&mut self, role: Role, turn_days: i32, random: &mut Random, today: &mut Today<'_>) {
        let seats_change = |seats: u32, cause: &str, contract: &mut Self, today: &mut Today<'_>| {
            contract.yearly = contract.yearly / i64::from(contract.seats) * i64::from(seats);
            contract.seats = seats;
            let note = contract
                .about("subscription_changed")
                .amount(contract.yearly, contract.currency)
                .text("amount_per", "year")
                .plain("effective_at", today.date)
                .plain("seats", seats)
                .text("cause", cause);
            today.note(today.opening_time(5), note);
        };
        match (role, turn_days) {
            (Role::Growing, 0) => seats_change(self.seats + self.seats.div_ceil(2), "upsell", self, today),
            (Role::Shrinking, 0) => seats_change(self.seats.div_ceil(2), "reduction", self, today),
            (Role::Shrinking, 5) => {
                let note =
                    Note::new(System::Billing, "refund_issued").amount(-self.yearly / 24, self.currency);
                today.office_note(random, self.naming_invoice(note));
            }
            (Role::Pausing, 0) => {
                let until = today.date + i64::from(PAUSE_DAYS - 1).days();
                today.note(today.opening_time(5), self.about("subscription_paused").plain("until", until));
            }
            (Role::Pausing, PAUSE_DAYS) => {
                today.note(today.opening_time(5), self.about("subscription_resumed"));
            }
            (Role::Wavering, 0) => {
                let note =
                    self.about("subscription_cancelled").plain("effective_at", self.term_end + 1.day());
                today.office_note(random, note.text("reason", "price"));
            }
            (Role::Wavering, 20) => today.office_note(random, self.about("cancellation_withdrawn")),
            (Role::MergedAway, -1) => {
                today.office_note(random, self.about("subscription_ended").text("cause", "moved"));
                self.state = State::Closed;
            }
            _ => {}
        }
    }

    /// Renewal, cancellation and end.
    fn term(&mut self, role: Role, random: &mut Random, today: &mut Today<'_>) {
        let left = (self.term_end - today.date).get_days();
        if role.churns() && left == CANCEL_AHEAD_DAYS {
            let note = self.about("subscription_cancelled").plain("effective_at", self.term_end + 1.day());
            today.office_note(random, note.text("reason", "no longer used"));
            self.state = State::Cancelled;
        }
        if left >= 0 {
            return;
        }
        if self.state == State::Cancelled {
            today.note(today.opening_time(6), self.about("subscription_ended").text("cause", "cancelled"));
            let outcome = self
                .about_in(System::Crm, "outcome_recorded")
                .text("outcome", "lost")
                .text("reason", "unused");
            today.office_note(random, outcome);
            self.state = State::Ended(today.date);
            return;
        }
        self.term_start = today.date;
        self.term_end = term_end(today.date);
        if !self.auto_renew {
            self.yearly += self.yearly * 3 / 100;
            let note = self
                .about("subscription_renewed")
                .amount(self.yearly, self.currency)
                .text("amount_per", "year")
                .plain("term_start", self.term_start)
                .plain("term_end", self.term_end);
            today.note(today.opening_time(6), note);
            let outcome = self.about_in(System::Crm, "outcome_recorded").text("outcome", "renewed");
            today.office_note(random, outcome);
        }
    }

    fn bill(&mut self, role: Role, random: &mut Random, today: &mut Today<'_>) {
        let is_yearly_day = today.date == self.term_start;
        let is_monthly_day = today.date.day() == self.term_start.day().min(28);
        if self.state == State::Live && (is_yearly_day || (self.monthly_billing && is_monthly_day)) {
            let (amount, months) =
                if self.monthly_billing { (self.yearly / 12, 1) } else { (self.yearly, 12) };
            let voided = random.chance(0.02);
            self.invoice(amount, months, !voided, role, random, today);
            if voided {
                let note = Note::new(System::Billing, "invoice_voided");
                today.note(today.opening_time(8), self.naming_invoice(note));
                self.invoice(amount, months, true, role, random, today);
            }
        }
    }

    fn invoice(
        &mut self,
        amount: i64,
        months: i32,
        will_be_paid: bool,
        role: Role,
        random: &mut Random,
        today: &mut Today<'_>,
    ) {
        self.invoices += 1;
        let id = format!("{}-{:04}", self.subscription.replacen("sub", "inv", 1), self.invoices);
        let issued = Note::new(System::Billing, "invoice_issued")
            .amount(amount, self.currency)
            .text("invoice_id", &id)
            .text("subscription_id", &self.subscription)
            .plain("due_at", today.date + DUE_DAYS.days())
            .plain("period_start", today.date)
            .plain("period_end", today.date + months.months() - 1.day());
        let issued_at = today.opening_time(6 + i64::from(self.invoices % 2) * 3);
        today.note(issued_at, issued);
        let slow = if role.churns() { 2.5 } else { 1.0 };
        let mut paid_at = issued_at + (random.log_normal(14.0, 0.5) * slow * 24.0) as i64 * MICROS_PER_HOUR;
        if will_be_paid {
            if random.chance(0.05) {
                let failed = Note::new(System::Billing, "payment_failed").amount(amount, self.currency);
                today.note(paid_at, failed.text("invoice_id", &id));
                paid_at += 5 * 24 * MICROS_PER_HOUR;
            }
            let paid = Note::new(System::Billing, "invoice_paid").amount(amount, self.currency);
            today.note(paid_at, paid.text("invoice_id", &id));
        }
        self.invoice = Some(id);
    }

    fn use_credits(&self, company: &Company, level: f64, today: &mut Today<'_>) {
        let used = (company.weekly_events * CREDITS_PER_EVENT * level) as u64;
        if today.date.weekday() == jiff::civil::Weekday::Monday && used > 0 {
            today.note(today.opening_time(10), self.about("credits_used").quantity(used));
        }
    }

    /// The vendor makes good for the days without service, where an invoice is there to name.
    pub(super) fn make_good(&self, random: &mut Random, today: &mut Today<'_>) {
        if self.state == State::Live && self.invoice.is_some() {
            let note = Note::new(System::Billing, "credit_issued").amount(-self.yearly / 180, self.currency);
            today.office_note(random, self.naming_invoice(note));
        }
    }

    fn naming_invoice(&self, note: Note) -> Note {
        match &self.invoice {
            Some(invoice) => note.text("invoice_id", invoice),
            None => note,
        }
    }

    fn about(&self, kind: &str) -> Note {
        self.about_in(System::Billing, kind)
    }

    fn about_in(&self, system: System, kind: &str) -> Note {
        Note::new(system, kind).text("subscription_id", &self.subscription)
    }
}

/// The last day of a year's term.
fn term_end(start: Date) -> Date {
    start + 12.months() - 1.day()
}
