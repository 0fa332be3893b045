//! One thing that happens in the fleet, and its line of native JSON.

use std::fmt::Write as _;

use tidewatch_projections::event::Micros;

use super::company::push_person;

/// Features of the product, the most used first.
pub(super) const FEATURES: [&str; 12] = [
    "dashboards",
    "search",
    "reports",
    "exports",
    "alerts",
    "integrations",
    "api",
    "comments",
    "templates",
    "automation",
    "permissions",
    "audit_log",
];
/// What customers buy the product for.
pub(super) const METRICS: [&str; 2] = ["reports_delivered", "decisions_logged"];

/// The system an event comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum System {
    App,
    Billing,
    Desk,
    Surveys,
    Crm,
}

impl System {
    fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Billing => "billing",
            Self::Desk => "desk",
            Self::Surveys => "surveys",
            Self::Crm => "crm",
        }
    }
}

/// Who used the product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// A person of the company, by number.
    Person(u32),
    /// One of its programs.
    Service,
    /// The vendor's own staff.
    Staff,
}

/// The frequent kinds are kept as numbers until their line is written: most of the fleet's cost is there.
#[derive(Clone, Debug)]
pub(super) enum What {
    Usage { by: By, feature: u8, duration_s: u16 },
    Value { by: By, metric: u8, quantity: u16 },
    Note(Box<Note>),
}

#[derive(Clone, Debug)]
pub(super) struct Happening {
    pub(super) at: Micros,
    /// The account's number.
    pub(super) account: u32,
    /// Counts the account's happenings; with the account it is the event's id.
    pub(super) serial: u32,
    pub(super) what: What,
}

/// An event of any other kind: its JSON after `occurred_at`.
#[derive(Clone, Debug)]
pub(super) struct Note {
    system: System,
    envelope: String,
    properties: String,
}

impl Note {
    pub(super) fn new(system: System, kind: &str) -> Self {
        Self { system, envelope: format!(",\"type\":\"{kind}\""), properties: String::new() }
    }

    pub(super) fn user(mut self, user: &str) -> Self {
        write!(self.envelope, ",\"user\":{}", quoted(user)).expect("a String takes all");
        self
    }

    /// In the currency's minor unit.
    pub(super) fn amount(mut self, minor: i64, currency: &str) -> Self {
        write!(self.envelope, ",\"amount\":{minor},\"currency\":\"{currency}\"").expect("a String takes all");
        self
    }

    pub(super) fn quantity(mut self, quantity: u64) -> Self {
        write!(self.envelope, ",\"quantity\":{quantity}").expect("a String takes all");
        self
    }

    pub(super) fn text(self, key: &str, value: &str) -> Self {
        self.raw(key, quoted(value))
    }

    pub(super) fn texts(self, key: &str, values: &[&str]) -> Self {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        self.raw(key, format!("[{}]", values.join(",")))
    }

    /// A number, a truth value or a date.
    pub(super) fn plain(self, key: &str, value: impl Plain) -> Self {
        self.raw(key, value.json())
    }

    fn raw(mut self, key: &str, json: impl std::fmt::Display) -> Self {
        let comma = if self.properties.is_empty() { "" } else { "," };
        write!(self.properties, "{comma}\"{key}\":{json}").expect("a String takes all");
        self
    }

    /// The owner of an account in each role.
    pub(super) fn owner(self, manager: &str) -> Self {
        self.raw("roles", format_args!("{{\"account_manager\":{}}}", quoted(manager)))
    }
}

/// Values whose JSON is what they print.
pub(super) trait Plain {
    fn json(&self) -> String;
}

impl Plain for i64 {
    fn json(&self) -> String {
        self.to_string()
    }
}

impl Plain for u32 {
    fn json(&self) -> String {
        self.to_string()
    }
}

impl Plain for bool {
    fn json(&self) -> String {
        self.to_string()
    }
}

impl Plain for jiff::civil::Date {
    fn json(&self) -> String {
        format!("\"{self}\"")
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

/// Writes lines; remembers the date of the last one, since neighbours share it.
#[derive(Clone, Default, Debug)]
pub(super) struct Pen {
    day: i64,
    date: Vec<u8>,
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

impl Pen {
    /// Appends the line without a line end.
    pub(super) fn write(&mut self, happening: &Happening, account_id: &str, out: &mut Vec<u8>) {
        let system = match &happening.what {
            What::Note(note) => note.system,
            What::Usage { .. } | What::Value { .. } => System::App,
        };
        out.extend_from_slice(b"{\"source\":\"");
        out.extend_from_slice(system.name().as_bytes());
        out.extend_from_slice(b"\",\"id\":\"");
        push_number(u64::from(happening.account), 1, out);
        out.push(b'-');
        push_number(u64::from(happening.serial), 1, out);
        out.extend_from_slice(b"\",\"account\":\"");
        out.extend_from_slice(account_id.as_bytes());
        out.extend_from_slice(b"\",\"occurred_at\":\"");
        self.push_instant(happening.at, out);
        out.push(b'"');
        match &happening.what {
            What::Usage { by, feature, duration_s } => {
                out.extend_from_slice(b",\"type\":\"usage\"");
                push_by(*by, out);
                out.extend_from_slice(b",\"properties\":{\"feature\":\"");
                out.extend_from_slice(FEATURES[usize::from(*feature)].as_bytes());
                out.push(b'"');
                if *duration_s > 0 {
                    out.extend_from_slice(b",\"duration_s\":");
                    push_number(u64::from(*duration_s), 1, out);
                }
                out.push(b'}');
            }
            What::Value { by, metric, quantity } => {
                out.extend_from_slice(b",\"type\":\"value\"");
                push_by(*by, out);
                out.extend_from_slice(b",\"quantity\":");
                push_number(u64::from(*quantity), 1, out);
                out.extend_from_slice(b",\"properties\":{\"metric\":\"");
                out.extend_from_slice(METRICS[usize::from(*metric)].as_bytes());
                out.extend_from_slice(b"\"}");
            }
            What::Note(note) => {
                out.extend_from_slice(note.envelope.as_bytes());
                if !note.properties.is_empty() {
                    out.extend_from_slice(b",\"properties\":{");
                    out.extend_from_slice(note.properties.as_bytes());
                    out.push(b'}');
                }
            }
        }
        out.push(b'}');
    }

    fn push_instant(&mut self, at: Micros, out: &mut Vec<u8>) {
        let day = at.div_euclid(MICROS_PER_DAY);
        if day != self.day || self.date.is_empty() {
            let date = jiff::civil::Date::constant(1970, 1, 1) + jiff::Span::new().days(day);
            self.date = date.to_string().into_bytes();
            self.day = day;
        }
        let millis = (at.rem_euclid(MICROS_PER_DAY) / 1_000) as u64;
        out.extend_from_slice(&self.date);
        for (separator, value, width) in [
            (b'T', millis / 3_600_000, 2),
            (b':', millis / 60_000 % 60, 2),
            (b':', millis / 1_000 % 60, 2),
            (b'.', millis % 1_000, 3),
        ] {
            out.push(separator);
            push_number(value, width, out);
        }
        out.push(b'Z');
    }
}

fn push_by(by: By, out: &mut Vec<u8>) {
    match by {
        By::Person(number) => {
            out.extend_from_slice(b",\"user\":\"");
            push_person(number, out);
            out.push(b'"');
        }
        By::Service => out.extend_from_slice(b",\"actor\":\"service\""),
        By::Staff => out.extend_from_slice(b",\"user\":\"support.desk\",\"actor\":\"internal\""),
    }
}

/// Appends a decimal number, with zeros in front up to `width`.
fn push_number(mut number: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while number > 0 {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}
