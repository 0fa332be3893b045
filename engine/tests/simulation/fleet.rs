//! A small fleet of accounts whose life is told line by line: all families, late, twice, in conflict and broken.

use std::collections::BTreeMap;

use crate::draw::Draw;
use crate::told::{Property, Told, Whom, date};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// What a line is.
#[derive(Clone, Debug)]
pub enum Meaning {
    /// An event.
    Event(Box<Told>),
    /// Nothing that can be accepted; the reason its dead letter must state.
    Refused(&'static str),
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What they say.
    pub meaning: Meaning,
}

#[derive(Clone, Default)]
struct Account {
    name: String,
    users: usize,
    tickets: usize,
    invoices: usize,
    subscriptions: Vec<i64>,
}

/// Tells lines.
pub struct Fleet {
    draw: Draw,
    accounts: Vec<Account>,
    ids: BTreeMap<String, u64>,
    /// What was told to each source, to be told again.
    told: BTreeMap<String, Vec<Told>>,
    broken: u64,
}

impl Fleet {
    /// A fleet of its own for each seed.
    pub fn new(mut draw: Draw) -> Self {
        let count = draw.range(2, 7) as usize;
        let named = |index: usize| match index {
            3 => "Ärger & Söhne".to_owned(),
            index => format!("acc{index}"),
        };
        let accounts = (0..count)
            .map(|index| Account { name: named(index), users: 1 + draw.below(4), ..Account::default() })
            .collect();
        Self { draw, accounts, ids: BTreeMap::new(), told: BTreeMap::new(), broken: 0 }
    }

    /// The next line for a source. `span_us` is how far back it may reach at most, besides the odd straggler.
    pub fn line(&mut self, source: &str, now: i64, span_us: i64) -> Line {
        if self.draw.often(30) {
            return self.broken_line();
        }
        let again = self.told.get(source).filter(|told| !told.is_empty()).map(|told| told.len());
        if let Some(count) = again
            && self.draw.often(60)
        {
            let mut told = self.told[source][self.draw.below(count)].clone();
            if self.draw.often(350) && told.kind == "usage" {
                // The same id with other content: the first one stays.
                told.quantity = Some(self.draw.range(2, 900) * 10_000 + 7);
            }
            return self.written(told);
        }
        let at = now - self.lateness(span_us);
        let mut told = self.event(at, now);
        if self.draw.often(80) {
            told.source = Some("crm-export".into());
        }
        let key = told.source.clone().unwrap_or_else(|| source.to_owned());
        told.id = self.id(&key);
        self.told.entry(source.to_owned()).or_default().push(told.clone());
        self.written(told)
    }

    fn written(&mut self, told: Told) -> Line {
        let style = self.draw.any();
        let mut said = told.clone();
        if let Some((minor, _)) = &mut said.amount
            && told.kind == "credit_issued"
            && style & 16 != 0
        {
            // Money to the customer may come with either sign.
            *minor = -*minor;
        }
        Line { bytes: said.line(style), meaning: Meaning::Event(Box::new(told)) }
    }

    fn lateness(&mut self, span_us: i64) -> i64 {
        match self.draw.below(20) {
            0 => self.draw.range(0, 45 * DAY),
            1 => -self.draw.range(0, 23 * HOUR),
            2 if self.draw.often(300) => -self.draw.range(25 * HOUR, 5 * DAY),
            // Two events in one microsecond are told apart by source and id.
            3 | 4 => self.draw.range(0, 3) * HOUR,
            _ => self.draw.range(0, span_us.max(1)),
        }
    }

    fn id(&mut self, source: &str) -> Option<String> {
        let next = self.ids.entry(source.to_owned()).or_insert(0);
        *next += 1;
        let number = *next;
        match self.draw.below(12) {
            0 => None,
            1..4 => Some(format!(
                "{:08x}-0000-4000-8000-{:012x}",
                number.wrapping_mul(2_654_435_761) & 0xffff_ffff,
                number
            )),
            4..7 => Some(format!("evt-{number}")),
            _ => Some(number.to_string()),
        }
    }

    fn event(&mut self, at: i64, now: i64) -> Told {
        let index = self.draw.below(self.accounts.len());
        let account = self.accounts[index].name.clone();
        let user = format!("u{}", self.draw.below(self.accounts[index].users));
        let mut told = Told {
            source: None,
            id: None,
            whom: Whom::Account(account),
            user: None,
            actor: "person",
            kind: "usage",
            at,
            quantity: None,
            amount: None,
            properties: Vec::new(),
        };
        if self.draw.often(850) {
            told.user = Some(user);
        }
        match self.draw.weighted(&[480, 90, 60, 12, 60, 120, 90, 60, 20, 20, 30]) {
            0 => {
                told.properties.push(("feature", Property::Text(format!("f{}", self.draw.below(5)))));
                if self.draw.often(500) {
                    told.quantity = Some(self.draw.range(0, 99) * 100_000);
                }
                told.actor = self.draw.text(&["person", "person", "person", "person", "service", "internal"]);
            }
            1 => {
                told.kind = "value";
                told.properties.push(("metric", Property::Text("reports".into())));
                told.quantity = self.draw.often(800).then(|| self.draw.range(1, 400) * 10_000 + 3);
                told.actor = self.draw.text(&["person", "person", "service", "internal"]);
            }
            2 => self.fact(&mut told),
            3 => {
                told.kind = "account_merged";
                let into = self.draw.below(self.accounts.len());
                if into == index {
                    return self.event(at, now);
                }
                let into = self.accounts[into].name.clone();
                told.properties.push(("into_account", Property::Text(into)));
            }
            4 => {
                (told.kind, told.properties) = match self.draw.below(2) {
                    0 => ("nps_answered", vec![("score", Property::Number(self.draw.range(0, 10)))]),
                    _ => ("csat_answered", vec![("score", Property::Number(self.draw.range(1, 5)))]),
                };
                if self.draw.often(300) {
                    told.properties.push(("survey", Property::Text("q1".into())));
                }
            }
            5 => self.ticket(index, &mut told),
            6 => self.invoice(index, &mut told),
            7 => self.subscription(index, now, &mut told),
            8 => {
                told.kind = "milestone_reached";
                told.properties.push(("milestone", Property::Text("live".into())));
            }
            9 => {
                told.kind = "page_viewed";
                told.quantity = Some(500_000);
            }
            _ => {
                told.properties.push(("feature", Property::Text("f0".into())));
                match self.draw.below(2) {
                    0 => told.whom = Whom::Reference("erp".into(), format!("k{}", self.draw.below(3))),
                    _ => {
                        told.whom = Whom::User;
                        told.user = Some("wanderer".into());
                    }
                }
            }
        }
        told
    }

    fn fact(&mut self, told: &mut Told) {
        told.kind = "account_updated";
        told.user = None;
        let text = |text: &str| Property::Text(text.into());
        let draw = &mut self.draw;
        told.properties.push(match draw.below(10) {
            0..4 => ("seats", Property::Number(draw.range(0, 30))),
            4..7 => ("segment", text(draw.text(&["smb", "enterprise"]))),
            7 | 8 => ("usage_rhythm", text(draw.text(&["daily", "weekly", "monthly"]))),
            _ => ("deployment", text(draw.text(&["cloud", "cloud", "on_premise"]))),
        });
    }

    fn ticket(&mut self, index: usize, told: &mut Told) {
        let account = &mut self.accounts[index];
        if account.tickets == 0 || self.draw.often(350) {
            account.tickets += 1;
            told.kind = "ticket_opened";
            told.properties.push(("ticket_id", Property::Text(format!("t{}", account.tickets))));
            return;
        }
        let ticket = 1 + self.draw.below(account.tickets);
        told.properties.push(("ticket_id", Property::Text(format!("t{ticket}"))));
        told.kind = self.draw.text(&[
            "ticket_replied",
            "ticket_replied",
            "ticket_resolved",
            "ticket_resolved",
            "ticket_closed",
            "ticket_reopened",
            "ticket_escalated",
            "ticket_deescalated",
        ]);
        if told.kind == "ticket_replied" {
            let by = self.draw.text(&["agent", "agent", "customer", "bot"]);
            told.properties.push(("by", Property::Text(by.into())));
            if self.draw.often(400) {
                told.properties.push(("public", Property::Truth(self.draw.often(600))));
            }
        }
    }

    fn invoice(&mut self, index: usize, told: &mut Told) {
        let account = &mut self.accounts[index];
        told.user = None;
        let currency = if self.draw.often(900) { "EUR" } else { "USD" };
        if account.invoices == 0 || self.draw.often(400) {
            account.invoices += 1;
            told.kind = "invoice_issued";
            told.amount = Some((self.draw.range(1, 900) * 10, currency));
            if self.draw.often(600) {
                let due = told.at.div_euclid(DAY) as i32 + self.draw.range(-3, 20) as i32;
                told.properties.push(("due_at", Property::Text(date(due))));
            }
            told.properties.push(("invoice_id", Property::Text(format!("i{}", account.invoices))));
            return;
        }
        let invoice = 1 + self.draw.below(account.invoices);
        told.properties.push(("invoice_id", Property::Text(format!("i{invoice}"))));
        match self.draw.below(6) {
            0 | 1 => told.kind = "invoice_paid",
            2 | 3 => {
                told.kind = "invoice_paid";
                told.amount = Some((self.draw.range(1, 500) * 10, currency));
            }
            4 => told.kind = "invoice_voided",
            _ => {
                told.kind = "credit_issued";
                told.amount = Some((-self.draw.range(1, 200) * 10, currency));
            }
        }
    }

    /// Starts come first: what a start in the future of an earlier change means is not this test's question.
    fn subscription(&mut self, index: usize, now: i64, told: &mut Told) {
        let account = &mut self.accounts[index];
        told.user = None;
        let count = account.subscriptions.len();
        if count == 0 || (count < 3 && self.draw.often(300)) {
            account.subscriptions.push(told.at);
            told.kind = "subscription_started";
            told.properties.push(("subscription_id", Property::Text(format!("s{}", count + 1))));
            if self.draw.often(500) {
                let start = told.at.div_euclid(DAY) as i32 + self.draw.range(-4, 5) as i32;
                told.properties.push(("term_start", Property::Text(date(start))));
            }
            if self.draw.often(700) {
                told.properties.push(("seats", Property::Number(self.draw.range(1, 40))));
            }
            told.amount = Some((120_000, "EUR"));
            told.properties.push(("amount_per", Property::Text("year".into())));
            return;
        }
        let subscription = self.draw.below(count);
        told.at = account.subscriptions[subscription]
            + self.draw.range(1, (now - account.subscriptions[subscription]).max(2));
        told.properties.push(("subscription_id", Property::Text(format!("s{}", subscription + 1))));
        let named = date(told.at.div_euclid(DAY) as i32 + self.draw.range(-2, 6) as i32);
        match self.draw.below(5) {
            0..3 => {
                told.kind = "subscription_changed";
                told.properties.push(("effective_at", Property::Text(named)));
                told.properties.push(("seats", Property::Number(self.draw.range(1, 40))));
            }
            3 => {
                told.kind = "subscription_cancelled";
                told.properties.push(("effective_at", Property::Text(named)));
            }
            _ => told.kind = "subscription_ended",
        }
    }

    fn broken_line(&mut self) -> Line {
        // Some of them come again with the same bytes.
        if self.draw.often(800) {
            self.broken += 1;
        }
        let n = self.broken;
        let (reason, text) = match n % 6 {
            0 => ("not_json", format!("{{\"id\":\"x{n}\",")),
            1 => ("not_an_object", format!("[{n}]")),
            2 => (
                "missing_field",
                format!("{{\"id\":\"x{n}\",\"account\":\"acc0\",\"type\":\"usage\",\"occurred_at\":{n}}}"),
            ),
            3 => (
                "bad_time",
                format!(
                    "{{\"id\":\"x{n}\",\"account\":\"acc0\",\"type\":\"page_viewed\",\"occurred_at\":\"yesterday\"}}"
                ),
            ),
            4 => ("no_subject", format!("{{\"id\":\"x{n}\",\"type\":\"page_viewed\",\"occurred_at\":{n}}}")),
            _ => ("duplicate_key", format!("{{\"id\":\"x{n}\",\"id\":\"y{n}\"}}")),
        };
        Line { bytes: text.into_bytes(), meaning: Meaning::Refused(reason) }
    }

    /// The names of all accounts.
    pub fn accounts(&self) -> Vec<String> {
        self.accounts.iter().map(|account| account.name.clone()).collect()
    }
}
