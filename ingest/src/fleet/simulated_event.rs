//! An event of the simulated fleet, and how it is written as a line of native JSON.

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
/// Value metrics: the outcomes customers buy the product for.
pub(super) const METRICS: [&str; 2] = ["reports_delivered", "decisions_logged"];

/// The system an event comes from; its name is the event's source.
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

/// Who caused a usage or value event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum UsedBy {
    /// A person of the company, by number.
    Person(u32),
    /// A program of the company.
    Service,
    /// A member of the vendor's staff.
    Staff,
}

/// What happened. Usage and value are kept as numbers until their line is written, because most events are of these kinds.
#[derive(Clone, Debug)]
pub(super) enum EventBody {
    Usage { by: UsedBy, feature: u8, duration_s: u16 },
    Value { by: UsedBy, metric: u8, quantity: u16 },
    Json(Box<JsonEvent>),
}

#[derive(Clone, Debug)]
pub(super) struct SimulatedEvent {
    pub(super) at: Micros,
    /// The number of the account in the fleet, from 0.
    pub(super) account: u32,
    /// The number of the event among those of its account; with the account's number it is the event's id.
    pub(super) serial: u32,
    pub(super) what: EventBody,
}

/// An event of any other kind, kept as the JSON that follows `occurred_at`.
#[derive(Clone, Debug)]
pub(super) struct JsonEvent {
    system: System,
    envelope: String,
    properties: String,
}

impl JsonEvent {
    pub(super) fn new(system: System, kind: &str) -> Self {
        Self { system, envelope: format!(",\"type\":\"{kind}\""), properties: String::new() }
    }

    pub(super) fn user(mut self, user: &str) -> Self {
        write!(self.envelope, ",\"user\":{}", quoted(user)).expect("a String takes all");
        self
    }

    /// Sets the amount, in minor units of the currency.
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

    /// Sets a property that is a number, a boolean or a date.
    pub(super) fn plain(self, key: &str, value: impl Plain) -> Self {
        self.raw(key, value.json())
    }

    fn raw(mut self, key: &str, json: impl std::fmt::Display) -> Self {
        let comma = if self.properties.is_empty() { "" } else { "," };
        write!(self.properties, "{comma}\"{key}\":{json}").expect("a String takes all");
        self
    }

    /// Sets who owns the account, in the property `roles`.
    pub(super) fn owner(self, manager: &str) -> Self {
        self.raw("roles", format_args!("{{\"owner\":{}}}", quoted(manager)))
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

/// Writes events as lines. It caches the date of the last one, because consecutive events mostly share it.
#[derive(Clone, Default, Debug)]
pub(super) struct LineWriter {
    day: i64,
    date: Vec<u8>,
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

impl LineWriter {
    /// Appends the line without a line end.
    pub(super) fn write(&mut self, event: &SimulatedEvent, account_id: &str, out: &mut Vec<u8>) {
        let system = match &event.what {
            EventBody::Json(json) => json.system,
            EventBody::Usage { .. } | EventBody::Value { .. } => System::App,
        };
        out.extend_from_slice(b"{\"source\":\"");
        out.extend_from_slice(system.name().as_bytes());
        out.extend_from_slice(b"\",\"id\":\"");
        push_number(u64::from(event.account), 1, out);
        out.push(b'-');
        push_number(u64::from(event.serial), 1, out);
        out.extend_from_slice(b"\",\"account\":\"");
        out.extend_from_slice(account_id.as_bytes());
        out.extend_from_slice(b"\",\"occurred_at\":\"");
        self.push_instant(event.at, out);
        out.push(b'"');
        match &event.what {
            EventBody::Usage { by, feature, duration_s } => {
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
            EventBody::Value { by, metric, quantity } => {
                out.extend_from_slice(b",\"type\":\"value\"");
                push_by(*by, out);
                out.extend_from_slice(b",\"quantity\":");
                push_number(u64::from(*quantity), 1, out);
                out.extend_from_slice(b",\"properties\":{\"metric\":\"");
                out.extend_from_slice(METRICS[usize::from(*metric)].as_bytes());
                out.extend_from_slice(b"\"}");
            }
            EventBody::Json(json) => {
                out.extend_from_slice(json.envelope.as_bytes());
                if !json.properties.is_empty() {
                    out.extend_from_slice(b",\"properties\":{");
                    out.extend_from_slice(json.properties.as_bytes());
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

fn push_by(by: UsedBy, out: &mut Vec<u8>) {
    match by {
        UsedBy::Person(number) => {
            out.extend_from_slice(b",\"user\":\"");
            push_person(number, out);
            out.push(b'"');
        }
        UsedBy::Service => out.extend_from_slice(b",\"actor\":\"service\""),
        UsedBy::Staff => out.extend_from_slice(b",\"user\":\"support.desk\",\"actor\":\"internal\""),
    }
}

/// Appends a decimal number, padded with zeros to `width` digits.
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
