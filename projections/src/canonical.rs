//! State as text-keyed bytes: what a digest covers. Symbols and the order of arrival leave no trace in it.

use crate::account::{Account, AnswerKey, Note};
use crate::event::Money;
use crate::invoice;
use crate::names::{Names, Symbol};
use crate::roster::Roster;
use crate::seen::Seen;
use crate::series::Series;
use crate::subscription::{Change, Recorded, Terms};
use crate::ticket;
use crate::timeline::{Order, Timeline};

/// Writes one account's facts: equal for equal sets of events, whatever brought them.
///
/// Series of the plan are covered too, so two digests are comparable under one plan only.
pub fn write_account(account: &Account, names: &Names, out: &mut Vec<u8>) {
    let mut writer = Writer { names, out };
    writer.text(names.text(account.id));
    writer.number(i128::from(account.events));
    writer.number(account.first_life_at.map_or(i128::MIN, i128::from));
    writer.number(i128::from(account.oldest_at));
    writer.number(i128::from(account.newest_at));
    writer.number(account.closed_at.map_or(i128::MIN, i128::from));
    let mut facts: Vec<_> = account.fact_histories().collect();
    facts.sort_by_key(|(key, _)| names.text(*key));
    for (key, line) in facts {
        writer.text(names.text(*key));
        writer.line(line, |writer, value| writer.text(&value.to_json()));
    }
    for (id, line) in account.subscriptions.iter() {
        writer.text(id);
        writer.line(line, Writer::recorded);
    }
    writer.line(&account.account_wide, Writer::recorded);
    for (id, days) in account.credits_used.iter() {
        writer.text(id);
        for (slot, sum) in days.all() {
            writer.number(i128::from(slot.day.0));
            writer.number(sum.total);
        }
    }
    for (id, line) in account.invoices.iter() {
        writer.text(id);
        writer.line(line, Writer::invoice_step);
    }
    for (id, line) in account.tickets.iter() {
        writer.text(id);
        writer.line(line, |writer, step| writer.ticket_step(*step));
    }
    for (name, seen) in account.milestones.iter() {
        writer.text(name);
        writer.seen(seen);
    }
    writer.people(account);
    writer.answers(account);
    writer.series(account);
}

struct Writer<'a> {
    names: &'a Names,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.out.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, number: i128) {
        self.out.extend_from_slice(&number.to_le_bytes());
    }

    fn maybe(&mut self, number: Option<i64>) {
        self.number(number.map_or(i128::MIN, i128::from));
    }

    fn maybe_text(&mut self, text: Option<&str>) {
        self.number(i128::from(text.is_some()));
        self.text(text.unwrap_or(""));
    }

    fn money(&mut self, money: Option<Money>) {
        self.maybe(money.map(|money| money.minor));
        self.maybe_text(money.as_ref().map(|money| money.currency.code()));
    }

    fn order(&mut self, order: &Order) {
        self.number(i128::from(order.at));
        self.text(self.names.text(order.source));
        self.text(&order.id);
    }

    fn line<T>(&mut self, line: &Timeline<T>, mut write: impl FnMut(&mut Self, &T)) {
        self.number(line.len() as i128);
        for (order, value) in line.all() {
            self.order(order);
            write(self, value);
        }
    }

    fn seen(&mut self, seen: &Seen) {
        self.number(i128::from(seen.first_at));
        self.number(i128::from(seen.last_at));
        self.number(i128::from(seen.events));
    }

    fn recorded(&mut self, recorded: &Recorded) {
        self.number(i128::from(recorded.day.0));
        match &recorded.change {
            Change::Started(terms) => self.terms(1, terms),
            Change::TrialStarted(terms) => self.terms(2, terms),
            Change::TrialConverted(terms) => self.terms(3, terms),
            Change::TrialEnded => self.number(4),
            Change::Changed(terms) => self.terms(5, terms),
            Change::Renewed(terms) => self.terms(6, terms),
            Change::Cancelled { effective } => {
                self.number(7);
                self.maybe(effective.map(|day| i64::from(day.0)));
            }
            Change::Withdrawn => self.number(8),
            Change::Ended => self.number(9),
            Change::Paused { until } => {
                self.number(10);
                self.maybe(until.map(|day| i64::from(day.0)));
            }
            Change::Resumed => self.number(11),
        }
    }

    fn terms(&mut self, kind: i128, terms: &Terms) {
        self.number(kind);
        self.maybe(terms.from.map(|day| i64::from(day.0)));
        self.maybe(terms.term_end.map(|day| i64::from(day.0)));
        self.money(terms.amount);
        self.maybe(terms.amount_per.map(|per| per as i64));
        self.maybe(terms.seats);
        self.maybe_text(terms.plan.as_deref());
        self.maybe(terms.recurring.map(i64::from));
        self.maybe(terms.auto_renew.map(i64::from));
        self.maybe(terms.notice_days);
        self.maybe(terms.commit);
    }

    fn invoice_step(&mut self, step: &invoice::Step) {
        match step {
            invoice::Step::Issued { amount, on, due } => {
                self.number(1);
                self.money(*amount);
                self.number(i128::from(on.0));
                self.maybe(due.map(|day| i64::from(day.0)));
            }
            invoice::Step::Paid(amount) => {
                self.number(2);
                self.money(*amount);
            }
            invoice::Step::Failed => self.number(3),
            invoice::Step::Voided => self.number(4),
            invoice::Step::Credited(amount) => {
                self.number(5);
                self.money(*amount);
            }
        }
    }

    fn ticket_step(&mut self, step: ticket::Step) {
        let (kind, detail) = match step {
            ticket::Step::Opened { bits } => (1, i128::from(bits)),
            ticket::Step::Replied { answers } => (2, i128::from(answers)),
            ticket::Step::Updated => (3, 0),
            ticket::Step::Resolved => (4, 0),
            ticket::Step::Closed => (5, 0),
            ticket::Step::Reopened => (6, 0),
            ticket::Step::Escalated => (7, 0),
            ticket::Step::Deescalated => (8, 0),
            ticket::Step::Rated { rating, bits } => {
                self.maybe(rating.map(|rating| rating as i64));
                (9, i128::from(bits))
            }
        };
        self.number(kind);
        self.number(detail);
    }

    fn people(&mut self, account: &Account) {
        let names = self.names;
        self.roster(&account.people);
        let mut notes: Vec<_> = account.notes.iter().collect();
        notes.sort_by_key(|(user, _)| names.text(*user));
        self.number(notes.len() as i128);
        for (user, notes) in notes {
            self.text(names.text(*user));
            self.line(notes, |writer, note| match note {
                Note::Deactivated => writer.number(1),
                Note::Identified { previous_user, email, title } => {
                    writer.maybe_text(previous_user.as_deref());
                    writer.maybe_text(email.as_deref());
                    writer.maybe_text(title.as_deref());
                }
            });
        }
        self.roster(&account.features);
    }

    fn roster(&mut self, roster: &Roster) {
        let names = self.names;
        let mut seen: Vec<_> = roster.seen().map(|(name, seen)| (names.text(name), seen)).collect();
        seen.sort_by_key(|(name, _)| *name);
        self.number(seen.len() as i128);
        for (name, seen) in seen {
            self.text(name);
            self.seen(seen);
        }
    }

    /// Names in the order of their texts: numbers of a roster mean nothing outside it.
    fn names(&mut self, found: impl Iterator<Item = Symbol>) {
        let names = self.names;
        let mut texts: Vec<&str> = found.map(|name| names.text(name)).collect();
        texts.sort_unstable();
        self.number(texts.len() as i128);
        texts.into_iter().for_each(|text| self.text(text));
    }

    fn answers(&mut self, account: &Account) {
        let names = self.names;
        let key = |(kind, user, survey): &AnswerKey| {
            (*kind, user.map(|user| names.text(user).to_owned()), survey.clone())
        };
        let mut answers: Vec<_> = account.answers.iter().map(|(id, answered)| (key(id), answered)).collect();
        answers.sort_by(|a, b| a.0.cmp(&b.0));
        for ((_, user, survey), answered) in answers {
            self.maybe_text(user.as_deref());
            self.maybe_text(survey.as_deref());
            if let Some((order, value)) = &answered.0 {
                self.order(order);
                self.text(&value.to_json());
            }
        }
    }

    fn series(&mut self, account: &Account) {
        for (index, series) in account.all_series() {
            self.number(i128::from(*index));
            match series {
                Series::Activity(days) => self.days(days, |writer, activity| {
                    writer.number(i128::from(activity.events));
                    writer.number(i128::from(activity.by_anyone()));
                    writer.names(activity.people().map(|number| account.people.name(number)));
                    writer.names(activity.features().map(|number| account.features.name(number)));
                }),
                Series::Sum(days) => self.days(days, |writer, sum| {
                    writer.number(sum.total);
                    writer.number(i128::from(sum.count));
                }),
                Series::Times(days) => self.days(days, |writer, span| {
                    writer.number(i128::from(span.first));
                    writer.number(i128::from(span.last));
                }),
                Series::Last(days) => self.days(days, |writer, newest| {
                    if let Some((order, value)) = &newest.0 {
                        writer.order(order);
                        writer.text(&value.to_json());
                    }
                }),
                Series::Figures(days) => {
                    self.days(days, |writer, figures| {
                        figures.0.iter().for_each(|figure| writer.number(*figure))
                    });
                }
                Series::Answers(days) => self.days(days, |writer, answers| {
                    for answer in &answers.0 {
                        writer.order(&answer.order);
                        writer.number(answer.value);
                    }
                }),
            }
        }
    }

    fn days<C: crate::days::Cell>(
        &mut self,
        days: &crate::days::Days<C>,
        mut write: impl FnMut(&mut Self, &C),
    ) {
        if let Some(older) = days.older() {
            self.number(i128::MIN);
            write(self, older);
        }
        self.number(days.all().len() as i128);
        for (slot, cell) in days.all() {
            self.number(i128::from(slot.day.0));
            write(self, cell);
        }
    }
}
