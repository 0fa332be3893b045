//! The state of one account: a fold over its events that any order of arrival brings to the same value.

use thin_vec::ThinVec;

use crate::calendar::{Calendar, Day};
use crate::days::Days;
use crate::entities::{Entities, text_hash};
use crate::event::{Event, Micros};
use crate::invoice::{self, Invoice};
use crate::names::{Names, Symbol};
use crate::plan::{Feeds, Plan};
use crate::roster::{Numbered, Roster};
use crate::seen::Seen;
use crate::series::{Need, Numbers, Series, Sum, Wanted};
use crate::subscription::{AmountPer, Change, Recorded, Terms};
use crate::ticket::{self, Rating, Ticket};
use crate::timeline::{Order, Timeline};
use crate::value::Value;
use crate::vocabulary::{EventType, Family};

/// What is known of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// `user_identified`.
    Identified {
        /// The id used before.
        previous_user: Option<Box<str>>,
        /// The e-mail address.
        email: Option<Box<str>>,
        /// The position.
        title: Option<Box<str>>,
    },
    /// `user_deactivated`: left, not quiet.
    Deactivated,
}

/// The property that names the people in charge of an account, by role.
const ROLES: &str = "roles";

/// (type, user, survey): whose answers replace each other.
pub type AnswerKey = (EventType, Option<Symbol>, Option<Box<str>>);

/// A survey answer, the newest of its (type, user, survey).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answered(pub Option<(Order, Value)>);

/// What one account is, as far as its own events say.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its id.
    pub id: Symbol,
    /// How many events were folded in.
    pub events: u64,
    /// The earliest event of a family that starts a life.
    pub first_life_at: Option<Micros>,
    /// The earliest use, not by the vendor's own staff: from then on the account has used the product.
    pub first_use_at: Option<Micros>,
    /// The earliest event: from then on lists hold the account.
    pub oldest_at: Micros,
    /// The newest event.
    pub newest_at: Micros,
    /// Every event was earlier than this day's end.
    newest_day: Day,
    /// By index in the plan, ascending; one that was never fed is not there.
    series: ThinVec<(u32, Series)>,
    facts: Entities<Symbol, Timeline<Value>>,
    /// Subscriptions by id.
    pub subscriptions: Entities<Box<str>, Timeline<Recorded>>,
    /// Pauses, resumptions and withdrawals that name no subscription.
    pub account_wide: Timeline<Recorded>,
    /// `credits_used` by subscription, in millionths.
    pub credits_used: Entities<Box<str>, Days<Sum>>,
    /// Invoices by id.
    pub invoices: Entities<Box<str>, Invoice>,
    /// Tickets by id.
    pub tickets: Entities<Box<str>, Ticket>,
    /// When each milestone was first reached.
    pub milestones: Entities<Box<str>, Seen>,
    /// When it was closed first.
    pub closed_at: Option<Micros>,
    /// Users. Seen are those of usage and value events.
    pub people: Roster,
    /// What `user_identified` and `user_deactivated` said, in order.
    pub notes: Entities<Symbol, Timeline<Note>>,
    /// Features. Seen are those of usage and value events.
    pub features: Roster,
    /// Newest answers by (type, user, survey).
    pub answers: Entities<AnswerKey, Answered>,
    /// Whether changes of some entity or fact beyond the bound were forgotten.
    pub changes_cut: bool,
}

impl Account {
    /// An account of which nothing is known.
    pub fn new(id: Symbol) -> Self {
        Self {
            id,
            events: 0,
            first_life_at: None,
            first_use_at: None,
            oldest_at: Micros::MAX,
            newest_at: Micros::MIN,
            newest_day: Day::MIN,
            series: ThinVec::new(),
            facts: Entities::default(),
            subscriptions: Entities::default(),
            account_wide: Timeline::default(),
            credits_used: Entities::default(),
            invoices: Entities::default(),
            tickets: Entities::default(),
            milestones: Entities::default(),
            closed_at: None,
            people: Roster::default(),
            notes: Entities::default(),
            features: Roster::default(),
            answers: Entities::default(),
            changes_cut: false,
        }
    }

    /// Reads what the next [`Account::apply`] will need, at each stage one step of pointers further; the number means
    /// nothing. Accounts lie all over memory, and one that is folded into is waited for at every step: several that are
    /// touched together are waited for together.
    pub fn touch(&self, stage: usize) -> usize {
        match stage {
            0 => self.events as usize ^ self.newest_day.0 as usize ^ usize::from(self.features.cut),
            1 => self.people.touch() ^ self.features.touch() ^ self.series.len(),
            _ => self.series.iter().map(|(_, series)| series.touch()).fold(0, |all, one| all ^ one),
        }
    }

    /// Stages of [`Account::touch`].
    pub const TOUCH_STAGES: usize = 3;

    /// Folds an event in. Events must be distinct: the log accepts each once.
    pub fn apply(&mut self, plan: &Plan, names: &Names, event: &Event) {
        self.events += 1;
        self.oldest_at = self.oldest_at.min(event.occurred_at);
        self.newest_at = self.newest_at.max(event.occurred_at);
        if event.counts_nowhere() {
            return;
        }
        let feeds = plan.feeds(names, event.kind);
        let numbers = self.meet(plan, feeds.wanted, names, event);
        self.count(plan, &feeds, names, event, numbers);
        match event.kind.family() {
            Some(Family::Account) | None => {}
            Some(_) => {
                let first = self.first_life_at.get_or_insert(event.occurred_at);
                *first = event.occurred_at.min(*first);
            }
        }
        match event.kind.family() {
            Some(Family::Usage) => {
                let first = self.first_use_at.get_or_insert(event.occurred_at);
                *first = event.occurred_at.min(*first);
            }
            Some(Family::Value) | None => {}
            Some(Family::Billing) => self.apply_billing(plan, names, event),
            Some(Family::Support) => self.apply_support(plan, names, event),
            Some(Family::Survey) => self.answer(plan, names, event),
            Some(Family::Lifecycle) => self.apply_lifecycle(plan, names, event),
            Some(Family::Account) => self.apply_facts(plan, names, event),
        }
    }

    /// The numbers of the event's user and feature, where a figure or a profile needs them.
    fn meet(&mut self, plan: &Plan, wanted: Wanted, names: &Names, event: &Event) -> Numbers {
        let profiles =
            plan.bounds.profiles && matches!(event.kind.family(), Some(Family::Usage | Family::Value));
        let most = plan.bounds.entities_max;
        let series = &mut self.series;
        let mut meet = |roster: &mut Roster, name: Option<Symbol>, forget: fn(&mut Series, u32)| {
            let number = match roster.number(names, name?, most) {
                Numbered::At(number) => number,
                Numbered::InPlaceOfAnother(number) => {
                    series.iter_mut().for_each(|(_, series)| forget(series, number));
                    number
                }
                Numbered::NotKept => return None,
            };
            if profiles {
                roster.see(number, event.occurred_at);
            }
            Some(number)
        };
        Numbers {
            user: meet(
                &mut self.people,
                event.user.filter(|_| profiles || wanted.people),
                Series::forget_person,
            ),
            feature: meet(
                &mut self.features,
                event.feature.filter(|_| profiles || wanted.features),
                Series::forget_feature,
            ),
        }
    }

    fn count(&mut self, plan: &Plan, feeds: &Feeds, names: &Names, event: &Event, numbers: Numbers) {
        let slot = plan.slot(event.occurred_at);
        let first_kept =
            |newest: Day| plan.bounds.days_max.map_or(Day::MIN, |days| newest.plus(1 - i64::from(days)));
        if slot.day > self.newest_day {
            self.newest_day = slot.day;
            let first = first_kept(slot.day);
            self.series.iter_mut().for_each(|(_, series)| series.trim(names, first));
        }
        let slot = Some(slot).filter(|slot| slot.day >= first_kept(self.newest_day));
        plan.for_each_fed(feeds, names, event, |index, need| {
            self.series_mut(index, need).add(need, names, event, slot, numbers);
        });
    }

    fn series_mut(&mut self, index: usize, need: &Need) -> &mut Series {
        let index = index as u32;
        let at = self.series.binary_search_by_key(&index, |(other, _)| *other).unwrap_or_else(|at| {
            self.series.insert(at, (index, Series::new(need)));
            at
        });
        &mut self.series[at].1
    }

    fn apply_billing(&mut self, plan: &Plan, names: &Names, event: &Event) {
        let calendar = &plan.calendar;
        let subscription = text_of(names, event, "subscription_id");
        let named = |key: &str| day_of(calendar, names, event, key);
        let change = match event.kind {
            EventType::SubscriptionStarted => Change::Started(terms(calendar, names, event, "term_start")),
            EventType::TrialStarted => Change::TrialStarted(terms(calendar, names, event, "term_start")),
            EventType::TrialConverted => Change::TrialConverted(terms(calendar, names, event, "term_start")),
            EventType::TrialEnded => Change::TrialEnded,
            EventType::SubscriptionChanged => Change::Changed(terms(calendar, names, event, "effective_at")),
            EventType::SubscriptionRenewed => Change::Renewed(terms(calendar, names, event, "term_start")),
            EventType::SubscriptionCancelled => Change::Cancelled { effective: named("effective_at") },
            EventType::CancellationWithdrawn => Change::Withdrawn,
            EventType::SubscriptionEnded => Change::Ended,
            EventType::SubscriptionPaused => Change::Paused { until: named("until") },
            EventType::SubscriptionResumed => Change::Resumed,
            EventType::CreditsUsed => {
                if let (Some(id), Some(quantity)) = (subscription, event.quantity) {
                    let slot = plan.slot(event.occurred_at);
                    self.credits_used.change(
                        id,
                        plan.bounds.entities_max,
                        |id| text_hash(id),
                        |days| {
                            let cell = days.cell(slot);
                            cell.total += i128::from(quantity);
                            cell.count += 1;
                        },
                    );
                }
                return;
            }
            _ => return self.invoice(plan, names, event),
        };
        let recorded = Recorded { day: calendar.day(event.occurred_at), change };
        let order = Order::of(event);
        match subscription {
            Some(id) => {
                let cut = &mut self.changes_cut;
                self.subscriptions.change(
                    id,
                    plan.bounds.entities_max,
                    |id| text_hash(id),
                    |line| {
                        line.insert(names, order, recorded);
                        *cut |= line.keep_newest(plan.bounds.changes_max);
                    },
                );
            }
            None => {
                self.account_wide.insert(names, order, recorded);
                self.changes_cut |= self.account_wide.keep_newest(plan.bounds.changes_max);
            }
        }
    }

    fn invoice(&mut self, plan: &Plan, names: &Names, event: &Event) {
        let step = match event.kind {
            EventType::InvoiceIssued => invoice::Step::Issued {
                amount: event.amount,
                on: plan.calendar.day(event.occurred_at),
                due: day_of(&plan.calendar, names, event, "due_at"),
            },
            EventType::InvoicePaid => invoice::Step::Paid(event.amount),
            EventType::PaymentFailed => invoice::Step::Failed,
            EventType::InvoiceVoided => invoice::Step::Voided,
            EventType::CreditIssued => invoice::Step::Credited(event.amount),
            _ => return,
        };
        let Some(id) = text_of(names, event, "invoice_id") else { return };
        let cut = &mut self.changes_cut;
        self.invoices.change(
            id,
            plan.bounds.entities_max,
            |id| text_hash(id),
            |line| {
                line.insert(names, Order::of(event), step);
                *cut |= line.keep_newest(plan.bounds.changes_max);
            },
        );
    }

    fn apply_support(&mut self, plan: &Plan, names: &Names, event: &Event) {
        let Some(id) = text_of(names, event, "ticket_id") else { return };
        let step = match event.kind {
            EventType::TicketOpened => ticket::Step::Opened { bits: plan.ticket_bits(names, event) },
            EventType::TicketReplied => {
                let by_agent = property_text(names, event, "by") == Some("agent");
                let public = event.property_named(names, "public").and_then(Value::as_bool).unwrap_or(true);
                ticket::Step::Replied { answers: by_agent && public }
            }
            EventType::TicketResolved => ticket::Step::Resolved,
            EventType::TicketClosed => ticket::Step::Closed,
            EventType::TicketReopened => ticket::Step::Reopened,
            EventType::TicketEscalated => ticket::Step::Escalated,
            EventType::TicketDeescalated => ticket::Step::Deescalated,
            EventType::TicketRated => ticket::Step::Rated {
                rating: property_text(names, event, "rating").and_then(Rating::from_name),
                bits: plan.ticket_bits(names, event),
            },
            _ => ticket::Step::Updated,
        };
        let cut = &mut self.changes_cut;
        self.tickets.change(
            id,
            plan.bounds.entities_max,
            |id| text_hash(id),
            |line| {
                line.insert(names, Order::of(event), step);
                *cut |= line.keep_newest(plan.bounds.changes_max);
            },
        );
    }

    fn answer(&mut self, plan: &Plan, names: &Names, event: &Event) {
        if !plan.bounds.profiles {
            return;
        }
        let key = if event.kind == EventType::PulseRecorded { "colour" } else { "score" };
        let Some(value) = event.property_named(names, key).filter(|value| **value != Value::Null) else {
            return;
        };
        let survey = text_of(names, event, "survey");
        let hash = |(_, user, survey): &AnswerKey| {
            let user = user.map_or(0, |user| text_hash(names.text(user)));
            user.wrapping_mul(31) ^ survey.as_deref().map_or(0, text_hash)
        };
        self.answers.change((event.kind, event.user, survey), plan.bounds.entities_max, hash, |newest| {
            let order = Order::of(event);
            if !newest.0.as_ref().is_some_and(|(other, _)| other.cmp(&order, names).is_gt()) {
                newest.0 = Some((order, value.clone()));
            }
        });
    }

    fn apply_lifecycle(&mut self, plan: &Plan, names: &Names, event: &Event) {
        match event.kind {
            EventType::MilestoneReached => {
                if let Some(name) = text_of(names, event, "milestone") {
                    let most = plan.bounds.entities_max;
                    self.milestones.change(
                        name,
                        most,
                        |name| text_hash(name),
                        |seen| seen.add(event.occurred_at),
                    );
                }
            }
            EventType::StageChanged => {
                if let Some(stage) = event.property_named(names, "stage") {
                    self.apply_fact(plan, names, event, names.intern("stage"), stage.clone());
                }
            }
            _ => {}
        }
    }

    fn apply_facts(&mut self, plan: &Plan, names: &Names, event: &Event) {
        match event.kind {
            EventType::AccountUpdated => {
                for (key, value) in &event.properties {
                    match value {
                        Value::Object(roles) if names.text(*key) == ROLES => {
                            self.apply_roles(plan, names, event, roles);
                        }
                        _ => self.apply_fact(plan, names, event, *key, value.clone()),
                    }
                }
            }
            EventType::AccountClosed => {
                let closed = self.closed_at.get_or_insert(event.occurred_at);
                *closed = event.occurred_at.min(*closed);
            }
            EventType::UserIdentified | EventType::UserDeactivated if plan.bounds.profiles => {
                let Some(user) = event.user else { return };
                let note = match event.kind {
                    EventType::UserDeactivated => Note::Deactivated,
                    _ => Note::Identified {
                        previous_user: text_of(names, event, "previous_user"),
                        email: text_of(names, event, "email"),
                        title: text_of(names, event, "title"),
                    },
                };
                let hash = |symbol: &Symbol| text_hash(names.text(*symbol));
                let cut = &mut self.changes_cut;
                self.notes.change(user, plan.bounds.entities_max, hash, |notes| {
                    notes.insert(names, Order::of(event), note);
                    *cut |= notes.keep_newest(plan.bounds.changes_max);
                });
            }
            _ => {}
        }
    }

    /// Each role is a fact of its own, so that one who takes a role over changes nobody else's.
    fn apply_roles(&mut self, plan: &Plan, names: &Names, event: &Event, roles: &[(Box<str>, Value)]) {
        for (role, person) in roles {
            let key = names.intern(&format!("{ROLES}.{role}"));
            self.apply_fact(plan, names, event, key, person.clone());
        }
    }

    fn apply_fact(&mut self, plan: &Plan, names: &Names, event: &Event, key: Symbol, value: Value) {
        if value == Value::Null {
            return;
        }
        let cut = &mut self.changes_cut;
        let hash = |symbol: &Symbol| text_hash(names.text(*symbol));
        self.facts.change(key, plan.bounds.facts_max, hash, |line| {
            line.insert(names, Order::of(event), value);
            *cut |= line.keep_newest(plan.bounds.changes_max);
        });
    }

    /// One of the plan's series, unless it was never fed.
    pub fn series(&self, index: usize) -> Option<&Series> {
        let at = self.series.binary_search_by_key(&(index as u32), |(other, _)| *other).ok()?;
        Some(&self.series[at].1)
    }

    /// The series that were fed, by index in the plan.
    pub(crate) fn all_series(&self) -> &[(u32, Series)] {
        &self.series
    }

    /// The history of a fact, as `tier` or a declared attribute.
    pub fn fact_history(&self, names: &Names, key: &str) -> Option<&Timeline<Value>> {
        self.facts.iter().find(|(name, _)| names.text(*name) == key).map(|(_, line)| line)
    }

    /// A fact as known before `as_of`: the newest value that is not null. An empty text says that there is none.
    pub fn fact(&self, names: &Names, key: &str, as_of: Micros) -> Option<&Value> {
        self.fact_history(names, key)?.newest(as_of).filter(|value| says_something(value))
    }

    /// A fact that is a text.
    pub fn fact_text(&self, names: &Names, key: &str, as_of: Micros) -> Option<&str> {
        self.fact(names, key, as_of).and_then(Value::as_text)
    }

    /// All facts before `as_of`, by name.
    pub fn facts<'a>(&'a self, names: &'a Names, as_of: Micros) -> Vec<(&'a str, &'a Value)> {
        let newest = |(name, line): &'a (Symbol, Timeline<Value>)| {
            let stated = line.newest(as_of).filter(|value| says_something(value))?;
            Some((names.text(*name), stated))
        };
        let mut facts: Vec<_> = self.facts.iter().filter_map(newest).collect();
        facts.sort_by_key(|(name, _)| *name);
        facts
    }

    /// Histories of all facts, for the digest.
    pub(crate) fn fact_histories(&self) -> impl Iterator<Item = &(Symbol, Timeline<Value>)> {
        self.facts.iter()
    }

    /// The first day of life as known before `as_of`.
    pub fn first_day(&self, calendar: &Calendar, as_of: Micros) -> Option<Day> {
        self.first_life_at.filter(|first| *first < as_of).map(|first| calendar.day(first))
    }

    /// The day of the newest event.
    pub fn newest_day(&self) -> Day {
        self.newest_day
    }

    /// Whether anything was left out at a bound: then answers come from the log.
    pub fn past_a_bound(&self) -> bool {
        self.changes_cut
            || self.subscriptions.is_cut()
            || self.credits_used.is_cut()
            || self.invoices.is_cut()
            || self.tickets.is_cut()
            || self.milestones.is_cut()
            || self.facts.is_cut()
            || self.people.cut
            || self.notes.is_cut()
            || self.features.cut
            || self.answers.is_cut()
    }
}

fn says_something(stated: &Value) -> bool {
    stated.as_text().is_none_or(|text| !text.is_empty())
}

fn property_text<'a>(names: &Names, event: &'a Event, key: &str) -> Option<&'a str> {
    event.property_named(names, key).and_then(Value::as_text).filter(|text| !text.is_empty())
}

fn text_of(names: &Names, event: &Event, key: &str) -> Option<Box<str>> {
    property_text(names, event, key).map(Into::into)
}

/// A date, or an instant whose day in the zone counts.
fn day_of(calendar: &Calendar, names: &Names, event: &Event, key: &str) -> Option<Day> {
    calendar.named_day(event.property_named(names, key)?)
}

fn terms(calendar: &Calendar, names: &Names, event: &Event, from: &str) -> Terms {
    let number = |key: &str, digits: u32| {
        let number = event.property_named(names, key).and_then(Value::as_number)?;
        number.scaled(digits).and_then(|scaled| i64::try_from(scaled).ok())
    };
    let flag = |key: &str| event.property_named(names, key).and_then(Value::as_bool);
    const MILLIONTHS: u32 = crate::decimal::QUANTITY_DIGITS;
    Terms {
        from: day_of(calendar, names, event, from),
        term_end: day_of(calendar, names, event, "term_end"),
        amount: event.amount,
        amount_per: match property_text(names, event, "amount_per") {
            Some("month") => Some(AmountPer::Month),
            Some("year") => Some(AmountPer::Year),
            Some("term") => Some(AmountPer::Term),
            _ => None,
        },
        seats: number("seats", MILLIONTHS),
        plan: text_of(names, event, "plan"),
        recurring: flag("recurring"),
        auto_renew: flag("auto_renew"),
        notice_days: number("notice_days", 0),
        commit: number("commit_quantity", MILLIONTHS),
    }
}
