//! What a receiver is told about one transition of a case. Its JSON form is the body of the webhook (docs/WEBHOOK.md).

use serde::{Serialize, Serializer};
use tidewatch_ingest::time::write_rfc3339;
use tidewatch_projections::alert::case::Notice;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::event::{Micros, Money};
use tidewatch_projections::severity::Severity;

/// What a receiver is told. Whoever queues it again after a restart gives it the same key, case and number.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Message {
    /// The idempotency key, see [`key`]. A receiver that knows it has had the message.
    pub key: String,
    /// The id of the case; of an operator alert, its own id. Messages of one case arrive in the order of their numbers.
    pub case: String,
    /// The number of the transition within the case; rises, and may leave gaps for a receiver that is not told of all.
    pub number: u64,
    /// What happened to the case.
    #[serde(serialize_with = "notice")]
    pub what: Notice,
    /// When, in µs since the epoch.
    #[serde(serialize_with = "rfc3339")]
    pub at: Micros,
    /// Whose case it is.
    pub account: Account,
    /// The case in one line, see [`words::title`](super::words::title).
    pub title: String,
    /// The greatest severity of its open alerts; when none is open any more, of those it had.
    #[serde(serialize_with = "severity")]
    pub severity: Severity,
    /// Who or what made the transition, and why, where that is worth telling: `owner is away, told the delegate`.
    pub cause: Option<String>,
    /// The person that acknowledged, snoozed or closed.
    pub actor: Option<String>,
    /// Whom the message is for, where its route names a role.
    pub addressed_to: Option<Person>,
    /// The alerts of the case, the most severe first.
    pub alerts: Vec<Line>,
    /// What to do first.
    pub first_step: Option<FirstStep>,
    /// Whom to call, the best choice first.
    pub call: Vec<Person>,
    /// When it is too late.
    pub until: Option<Until>,
    /// Where the case is shown.
    pub link: Option<String>,
}

/// An account as people know it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Account {
    /// Its id; [`FLEET`](tidewatch_projections::alert::close::FLEET) for an operator alert.
    pub id: String,
    /// Its name, where a fact gives one.
    pub name: Option<String>,
}

impl Account {
    /// Its name, or else its id.
    pub fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

/// One alert of the case.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Line {
    /// The id of the alert.
    pub alert: String,
    /// The name of its rule.
    pub rule: String,
    /// What of the account it is about: `account`, `service`, `subscription:X`, ….
    pub scope: String,
    /// Its state, by the words of alerts §1.
    pub state: String,
    /// Its own severity.
    #[serde(serialize_with = "severity")]
    pub severity: Severity,
    /// What was seen, in a sentence with the figures.
    pub text: String,
    /// How probable figures at least as low are, were all as usual; 0 to 1.
    pub p: Option<f64>,
    /// The share of the expected activity that is missing, 0 to 1; negative where there is more.
    pub drop: Option<f64>,
    /// The range that was expected, least and greatest.
    pub expected: Option<[f64; 2]>,
}

/// The first step of the playbook.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FirstStep {
    /// What to do.
    pub text: String,
    /// The playbook it is from.
    pub playbook: String,
    /// Where the playbook is written down.
    pub link: Option<String>,
    /// The day by which the playbook should be done.
    #[serde(serialize_with = "optional_date")]
    pub due: Option<Day>,
}

/// A person, with what matters about them here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Person {
    /// Their id, as events have it.
    pub id: String,
    /// Their name, where it is known.
    pub name: Option<String>,
    /// Why this one: `champion, silent for 12 days`.
    pub why: String,
}

impl Person {
    /// Their name, or else their id.
    pub fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

/// The decision that the account is heading for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Until {
    /// Which decision it is.
    pub decision: Decision,
    /// Its day.
    #[serde(serialize_with = "date")]
    pub date: Day,
    /// Days from the day of the transition to it; negative when it has passed.
    pub days: i64,
    /// What is at stake.
    #[serde(serialize_with = "amount")]
    pub amount: Option<Money>,
}

/// The kinds of decisions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The term ends, and goes on only if somebody renews it.
    Renewal,
    /// The last day to give notice; the term renews itself after it.
    Notice,
    /// A cancellation takes effect.
    End,
}

/// The idempotency key of a transition: the id of its case or alert, and the number of the transition in it.
pub fn key(id: &str, number: u64) -> String {
    format!("{id}.{number}")
}

/// An amount as a decimal in units of the currency: `48000.00`.
pub fn decimal(amount: &Money) -> String {
    let places = amount.currency.exponent();
    let one = 10u64.pow(places);
    let (sign, minor) = (if amount.minor < 0 { "-" } else { "" }, amount.minor.unsigned_abs());
    match places {
        0 => format!("{sign}{minor}"),
        places => format!("{sign}{}.{:0width$}", minor / one, minor % one, width = places as usize),
    }
}

fn notice<S: Serializer>(what: &Notice, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(what.name())
}

fn rfc3339<S: Serializer>(at: &Micros, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&write_rfc3339(*at))
}

fn severity<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity.name())
}

fn date<S: Serializer>(day: &Day, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&day.to_text())
}

fn optional_date<S: Serializer>(day: &Option<Day>, serializer: S) -> Result<S::Ok, S::Error> {
    day.map(Day::to_text).serialize(serializer)
}

fn amount<S: Serializer>(amount: &Option<Money>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Written<'a> {
        value: String,
        currency: &'a str,
    }
    let written =
        amount.as_ref().map(|amount| Written { value: decimal(amount), currency: amount.currency.code() });
    written.serialize(serializer)
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;
    use tidewatch_projections::event::Currency;

    use super::*;

    pub(crate) fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    pub(crate) fn euros(minor: i64) -> Money {
        Money { minor, currency: Currency::from_code("EUR").unwrap() }
    }

    /// 2026-12-01T03:00:00Z
    pub(crate) const AT: Micros = 1_796_094_000_000_000;

    /// An account that stopped, with all that there is to tell.
    pub(crate) fn acme() -> Message {
        let person = |id: &str, name: &str, why: &str| Person {
            id: id.to_owned(),
            name: Some(name.to_owned()),
            why: why.to_owned(),
        };
        Message {
            key: key("c-3f9a20c1", 1),
            case: "c-3f9a20c1".to_owned(),
            number: 1,
            what: Notice::Opened,
            at: AT,
            account: Account { id: "acme".to_owned(), name: Some("Acme".to_owned()) },
            title: "Acme stopped: 3 of 41 people this week; renews in 74 days (€48k)".to_owned(),
            severity: Severity::High,
            cause: None,
            actor: None,
            addressed_to: Some(person("lena", "Lena Ortiz", "owner")),
            alerts: vec![
                Line {
                    alert: "a-77b1".to_owned(),
                    rule: "activity_drop".to_owned(),
                    scope: "account".to_owned(),
                    state: "open".to_owned(),
                    severity: Severity::High,
                    text: "18 events in the last 7 days, 96–131 expected from the same weekdays of the last 8 weeks"
                        .to_owned(),
                    p: Some(3.2e-7),
                    drop: Some(0.84),
                    expected: Some([96.0, 131.0]),
                },
                Line {
                    alert: "a-90c4".to_owned(),
                    rule: "health_band".to_owned(),
                    scope: "account".to_owned(),
                    state: "inhibited".to_owned(),
                    severity: Severity::Medium,
                    text: "red for 3 days, yellow before".to_owned(),
                    p: None,
                    drop: None,
                    expected: None,
                },
            ],
            first_step: Some(FirstStep {
                text: "Call the champion and ask what changed".to_owned(),
                playbook: "Activity stopped".to_owned(),
                link: Some("https://wiki.example.com/playbooks/stopped".to_owned()),
                due: Some(day("2026-12-03")),
            }),
            call: vec![
                person("u-12", "Dana Weiss", "champion, silent for 12 days"),
                person("u-31", "Tom Ode", "most active until 20 November, went quiet"),
            ],
            until: Some(Until {
                decision: Decision::Renewal,
                date: day("2027-02-13"),
                days: 74,
                amount: Some(euros(4_800_000)),
            }),
            link: Some("https://tidewatch.example.com/cases/c-3f9a20c1".to_owned()),
        }
    }

    #[test]
    fn the_json_form_is_the_documented_one() {
        let written = serde_json::to_value(acme()).unwrap();
        assert_eq!(written["key"], "c-3f9a20c1.1");
        assert_eq!(written["at"], "2026-12-01T03:00:00Z");
        assert_eq!(written["what"], "opened");
        assert_eq!(written["severity"], "high");
        assert_eq!(written["cause"], json!(null));
        assert_eq!(written["alerts"][0]["expected"], json!([96.0, 131.0]));
        assert_eq!(written["first_step"]["due"], "2026-12-03");
        assert_eq!(
            written["until"],
            json!({
                "decision": "renewal", "date": "2027-02-13", "days": 74,
                "amount": { "value": "48000.00", "currency": "EUR" },
            })
        );
    }

    #[test]
    fn amounts_have_the_places_of_their_currency() {
        let of = |minor, code| decimal(&Money { minor, currency: Currency::from_code(code).unwrap() });
        assert_eq!(of(5, "EUR"), "0.05");
        assert_eq!(of(-120, "USD"), "-1.20");
        assert_eq!(of(1_500, "JPY"), "1500");
        assert_eq!(of(1_500, "KWD"), "1.500");
    }
}
