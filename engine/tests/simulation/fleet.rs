//! A small fleet of accounts whose life is told line by line: all families, late, twice, in conflict and broken.

mod billing;

use std::collections::BTreeMap;

use crate::draw::Draw;
use crate::told::{Property, Told, Whom};

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
    subscriptions: Vec<billing::Subscription>,
}

fn text(text: &str) -> Property {
    Property::Text(text.to_owned())
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
            && matches!(told.kind, "credit_issued" | "refund_issued")
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
        match self.draw.weighted(&[400, 80, 60, 12, 60, 140, 90, 130, 60, 20, 30, 10]) {
            0 => {
                told.properties.push(("feature", Property::Text(format!("f{}", self.draw.below(5)))));
                if self.draw.often(300) {
                    told.properties.push(("duration_s", Property::Number(self.draw.range(0, 900))));
                }
                if self.draw.often(500) {
                    told.quantity = Some(self.draw.range(0, 99) * 100_000);
                }
                told.actor = self.draw.text(&["person", "person", "person", "person", "service", "internal"]);
            }
            1 => {
                told.kind = "value";
                told.properties.push(("metric", text(self.draw.text(&["reports", "reports", "exports"]))));
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
            4 => self.answer(&mut told),
            5 => self.ticket(index, &mut told),
            6 => self.invoice(index, &mut told),
            7 => self.subscription(index, now, &mut told),
            8 => self.life(&mut told),
            9 => {
                told.kind = "page_viewed";
                told.quantity = Some(500_000);
            }
            10 => {
                told.properties.push(("feature", text("f0")));
                match self.draw.below(2) {
                    0 => told.whom = Whom::Reference("erp".into(), format!("k{}", self.draw.below(3))),
                    _ => {
                        told.whom = Whom::User;
                        told.user = Some("wanderer".into());
                    }
                }
            }
            _ => match self.draw.below(7) {
                0..3 => {
                    told.kind = "user_identified";
                    told.properties.push(("title", text("head of operations")));
                }
                3..6 => told.kind = "user_deactivated",
                _ => told.kind = "account_closed",
            },
        }
        told
    }

    fn fact(&mut self, told: &mut Told) {
        told.kind = "account_updated";
        told.user = None;
        let draw = &mut self.draw;
        told.properties.push(match draw.below(15) {
            0..4 => ("seats", Property::Number(draw.range(0, 30))),
            4..7 => ("segment", text(draw.text(&["smb", "enterprise"]))),
            7 | 8 => ("usage_rhythm", text(draw.text(&["daily", "weekly", "monthly"]))),
            9 => ("deployment", text(draw.text(&["cloud", "cloud", "on_premise"]))),
            10 | 11 => ("country", text(draw.text(&["NZ", "DE"]))),
            12 => ("stage", text(draw.text(&["onboarding", "adoption"]))),
            13 => (draw.text(&["deployment", "segment", "usage_rhythm", "stage"]), text("")),
            _ => (draw.text(&["seats", "segment", "stage"]), Property::Null),
        });
    }

    fn answer(&mut self, told: &mut Told) {
        let draw = &mut self.draw;
        (told.kind, told.properties) = match draw.below(5) {
            0 | 1 => ("nps_answered", vec![("score", Property::Number(draw.range(0, 10)))]),
            2 | 3 => ("csat_answered", vec![("score", Property::Number(draw.range(1, 5)))]),
            _ => ("pulse_recorded", vec![("colour", text(draw.text(&["red", "yellow", "green"])))]),
        };
        if draw.often(300) {
            told.properties.push(("survey", text("q1")));
        }
    }

    fn life(&mut self, told: &mut Told) {
        let draw = &mut self.draw;
        (told.kind, told.properties) = match draw.below(16) {
            0..6 => {
                let milestone = draw.text(&["kickoff", "live", "adopted", "party"]);
                ("milestone_reached", vec![("milestone", text(milestone))])
            }
            6..10 => {
                let stage = draw.text(&["onboarding", "onboarding", "adoption", "renewal"]);
                ("stage_changed", vec![("stage", text(stage))])
            }
            10 => ("touchpoint_held", vec![("kind", text("review")), ("channel", text("human"))]),
            11 => ("goal_set", vec![("goal", text("faster"))]),
            12 => ("goal_met", vec![("goal", text("faster"))]),
            13 => ("referral_made", vec![]),
            14 => ("stakeholder_changed", vec![("role", text("sponsor")), ("state", text("left"))]),
            _ => (draw.text(&["request_recorded", "outcome_recorded"]), vec![("outcome", text("lost"))]),
        };
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
            "ticket_updated",
            "ticket_rated",
            "ticket_rated",
            "ticket_rated",
        ]);
        if told.kind == "ticket_rated" && self.draw.often(950) {
            let rating = self.draw.text(&["great", "great", "okay", "bad", "fine"]);
            told.properties.push(("rating", text(rating)));
        }
        if told.kind == "ticket_replied" {
            let by = self.draw.text(&["agent", "agent", "customer", "bot"]);
            told.properties.push(("by", Property::Text(by.into())));
            if self.draw.often(400) {
                told.properties.push(("public", Property::Truth(self.draw.often(600))));
            }
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
