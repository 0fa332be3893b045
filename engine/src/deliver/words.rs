//! Messages in English, the only place that knows how they are said: as plain text, and in parts for receivers with blocks.

use tidewatch_ingest::time::write_rfc3339;
use tidewatch_projections::alert::case::Notice;
use tidewatch_projections::alert::close::FLEET;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::event::Money;

use super::message::{Decision, FirstStep, Line, Message, Person, Until};

/// The case in one line: what happened to the account, when it is too late, and what is at stake.
/// `Acme stopped: 3 of 41 people this week; renews in 74 days (€48k)`.
pub fn title(headline: &str, until: Option<&Until>) -> String {
    let Some(until) = until else { return headline.to_owned() };
    let decides = match (until.decision, until.days) {
        (Decision::Renewal, 0..) => "renews",
        (Decision::Renewal, _) => "was to renew",
        (Decision::Notice, 0..) => "last day of notice",
        (Decision::Notice, _) => "last day of notice was",
        (Decision::End, 0..) => "ends",
        (Decision::End, _) => "ended",
    };
    let amount =
        until.amount.as_ref().map_or_else(String::new, |amount| format!(" ({})", short_money(amount)));
    format!("{headline}; {decides} {}{amount}", distance(until.days))
}

/// The whole message as plain text, a line for each thing that a reader asks.
pub fn plain(message: &Message) -> String {
    let mut lines =
        vec![format!("[{}] {}", message.severity.name().to_uppercase(), message.title), happened(message)];
    lines.extend(message.alerts.iter().map(|line| format!("  • {}", alert(line))));
    let labelled = |label: &str, text: Option<String>| text.map(|text| format!("{label}: {text}"));
    lines.extend(labelled("Do first", message.first_step.as_ref().map(first_step)));
    lines.extend(labelled("Call", call(&message.call)));
    lines.extend(labelled("Until", message.until.as_ref().map(until)));
    lines.extend(labelled("Details", message.link.clone()));
    lines.join("\n")
}

/// What happened, when, by whom, why, and for whom this is: `New case, 2026-12-01T03:00:00Z, for Lena Ortiz (owner)`.
pub fn happened(message: &Message) -> String {
    let what = match message.what {
        Notice::Opened if message.account.id == FLEET => "New alert for the operators of Tidewatch",
        Notice::Opened => "New case",
        Notice::Worse => "It got worse",
        Notice::Awake => "Update",
        Notice::Acknowledged => "Acknowledged",
        Notice::Snoozed => "Snoozed",
        Notice::Resolved => "Resolved: the reasons are gone",
        Notice::Closed => "Closed",
        Notice::Corrected => "Corrected: data that came late changed the figures",
    };
    let mut said = what.to_owned();
    if let Some(actor) = &message.actor {
        said += &format!(" by {actor}");
    }
    if let Some(cause) = &message.cause {
        said += &format!(" ({cause})");
    }
    said += &format!(", {}", write_rfc3339(message.at));
    if let Some(person) = &message.addressed_to {
        said += &format!(", for {}", self::person(person));
    }
    said
}

/// One alert: its rule, what it is about, its state, and what was seen.
pub fn alert(line: &Line) -> String {
    let mut subject = line.rule.replace('_', " ");
    match line.scope.split_once(':') {
        Some((kind, id)) => subject += &format!(" of {kind} {id}"),
        None if line.scope == "account" => {}
        None => subject += &format!(" of the {}", line.scope),
    }
    if line.state != "open" {
        subject += &format!(" ({})", line.state);
    }
    let figures = figures(line);
    let figures = if figures.is_empty() { String::new() } else { format!(" ({})", figures.join(", ")) };
    format!("{subject}: {}{figures}", line.text)
}

/// The figures of an alert that its sentence may lack: the range that was expected, what is missing, and how likely it is that
/// all is well.
pub fn figures(line: &Line) -> Vec<String> {
    let expected = line.expected.map(|[least, most]| {
        // The sentence of a drop has the range already.
        let range = format!("{}–{}", number(least), number(most));
        (!line.text.contains(&range)).then(|| format!("expected {range}"))
    });
    let drop = line.drop.filter(|drop| drop.abs() >= 0.005).map(|drop| {
        let percent = (drop.abs() * 100.0).round();
        format!("{percent} % {} than expected", if drop > 0.0 { "less" } else { "more" })
    });
    let chance =
        line.p.filter(|p| *p > 0.0 && *p < 0.1).map(|p| format!("by chance 1 time in {}", large(1.0 / p)));
    expected.flatten().into_iter().chain(drop).chain(chance).collect()
}

/// The first step, by when, and where it is from.
pub fn first_step(step: &FirstStep) -> String {
    let due = step.due.map_or_else(String::new, |due| format!(", by {}", weekday(due)));
    let link = step.link.as_ref().map_or_else(String::new, |link| format!(": {link}"));
    format!("{}{due} (playbook \"{}\"{link})", step.text, step.playbook)
}

/// Whom to call, the best choice first; `None` where nobody is known.
pub fn call(people: &[Person]) -> Option<String> {
    let people: Vec<String> = people.iter().map(person).collect();
    (!people.is_empty()).then(|| people.join("; "))
}

/// The decision, its day and what is at stake.
pub fn until(until: &Until) -> String {
    let decision = match until.decision {
        Decision::Renewal => "the renewal",
        Decision::Notice => "the last day to give notice",
        Decision::End => "the end of the contract",
    };
    let amount = until.amount.as_ref().map_or_else(String::new, |amount| format!(", {}", money(amount)));
    format!("{decision} on {}, {}{amount}", date(until.date), distance(until.days))
}

fn person(person: &Person) -> String {
    match person.why.is_empty() {
        true => person.shown().to_owned(),
        false => format!("{} ({})", person.shown(), person.why),
    }
}

fn distance(days: i64) -> String {
    match days {
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        -1 => "yesterday".to_owned(),
        2.. => format!("in {days} days"),
        _ => format!("{} days ago", days.unsigned_abs()),
    }
}

/// `13 February 2027`
fn date(day: Day) -> String {
    let date = day.date();
    format!("{} {} {}", date.day(), MONTHS[usize::from(date.month().unsigned_abs()) - 1], date.year())
}

/// `Thursday 3 December 2026`
fn weekday(day: Day) -> String {
    let weekday = usize::from(day.date().weekday().to_monday_zero_offset().unsigned_abs());
    format!("{} {}", WEEKDAYS[weekday], date(day))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// `€48,000`; cents only where there are any.
fn money(amount: &Money) -> String {
    let one = 10u64.pow(amount.currency.exponent());
    let minor = amount.minor.unsigned_abs();
    let cents = match minor % one {
        0 => String::new(),
        rest => format!(".{rest:0width$}", width = amount.currency.exponent() as usize),
    };
    signed(amount, &format!("{}{cents}", grouped(minor / one)))
}

/// `€48k`: what fits a title.
fn short_money(amount: &Money) -> String {
    let whole = amount.minor.unsigned_abs() as f64 / 10f64.powi(amount.currency.exponent() as i32);
    let short = match whole.round() {
        ..1_000.0 => format!("{}", whole.round()),
        ..999_500.0 => format!("{}k", tenths(whole / 1e3)),
        _ => format!("{}m", tenths(whole / 1e6)),
    };
    signed(amount, &short)
}

/// With one decimal below ten, and none where it would be 0.
fn tenths(figure: f64) -> String {
    let places = if figure < 9.95 { 1 } else { 0 };
    let text = format!("{figure:.places$}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

fn signed(amount: &Money, figure: &str) -> String {
    let sign = if amount.minor < 0 { "−" } else { "" };
    match amount.currency.code() {
        "EUR" => format!("{sign}€{figure}"),
        "USD" => format!("{sign}${figure}"),
        "GBP" => format!("{sign}£{figure}"),
        code => format!("{sign}{figure} {code}"),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A figure to a tenth, and without it where it is whole or large.
fn number(figure: f64) -> String {
    match figure.abs() {
        100.0.. => format!("{figure:.0}"),
        _ => {
            let text = format!("{figure:.1}");
            text.strip_suffix(".0").unwrap_or(&text).to_owned()
        }
    }
}

/// A large number to about two digits, in words from a million on.
fn large(figure: f64) -> String {
    let rounded = |figure: f64| {
        let unit = 10f64.powf((figure.log10().floor() - 1.0).max(0.0));
        (figure / unit).round() * unit
    };
    match figure {
        ..1e6 => grouped(rounded(figure) as u64),
        ..1e9 => format!("{} million", tenths(figure / 1e6)),
        _ => "more than a billion".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tidewatch_projections::event::Currency;
    use tidewatch_projections::severity::Severity;

    use super::super::message::tests::{AT, acme, day, euros};
    use super::super::message::{Account, key};
    use super::*;

    #[test]
    fn a_reader_learns_what_happened_what_to_do_whom_to_call_and_until_when() {
        assert_eq!(
            plain(&acme()),
            "[HIGH] Acme stopped: 3 of 41 people this week; renews in 74 days (€48k)
New case, 2026-12-01T03:00:00Z, for Lena Ortiz (owner)
  • activity drop: 18 events in the last 7 days, 96–131 expected from the same weekdays of the last 8 weeks \
(84 % less than expected, by chance 1 time in 3.1 million)
  • health band (inhibited): red for 3 days, yellow before
Do first: Call the champion and ask what changed, by Thursday 3 December 2026 (playbook \"Activity stopped\": \
https://wiki.example.com/playbooks/stopped)
Call: Dana Weiss (champion, silent for 12 days); Tom Ode (most active until 20 November, went quiet)
Until: the renewal on 13 February 2027, in 74 days, €48,000
Details: https://tidewatch.example.com/cases/c-3f9a20c1"
        );
    }

    #[test]
    fn a_resolved_case_says_so_and_asks_for_nothing() {
        let message = Message {
            what: Notice::Resolved,
            key: key("c-3f9a20c1", 5),
            number: 5,
            title: title("Acme is back: 39 of 41 people this week", None),
            alerts: vec![Line {
                state: "resolved".to_owned(),
                text: "112 events in the last 7 days, as many as expected".to_owned(),
                p: None,
                drop: None,
                expected: Some([96.0, 131.0]),
                ..acme().alerts.remove(0)
            }],
            first_step: None,
            call: Vec::new(),
            until: None,
            link: None,
            addressed_to: None,
            ..acme()
        };
        assert_eq!(
            plain(&message),
            "[HIGH] Acme is back: 39 of 41 people this week
Resolved: the reasons are gone, 2026-12-01T03:00:00Z
  • activity drop (resolved): 112 events in the last 7 days, as many as expected (expected 96–131)"
        );
    }

    #[test]
    fn operators_are_told_apart_from_customers() {
        let message = Message {
            account: Account { id: FLEET.to_owned(), name: None },
            severity: Severity::Critical,
            title: "Telemetry is missing: 8 % of the usual events since Sunday".to_owned(),
            at: AT,
            alerts: Vec::new(),
            first_step: None,
            call: Vec::new(),
            until: None,
            addressed_to: None,
            link: None,
            ..acme()
        };
        assert_eq!(
            plain(&message),
            "[CRITICAL] Telemetry is missing: 8 % of the usual events since Sunday
New alert for the operators of Tidewatch, 2026-12-01T03:00:00Z"
        );
    }

    #[test]
    fn who_did_it_and_why_is_said() {
        let actor = Some("Lena Ortiz".to_owned());
        let message =
            Message { what: Notice::Snoozed, actor, cause: Some("until 10 December".to_owned()), ..acme() };
        assert_eq!(
            happened(&message),
            "Snoozed by Lena Ortiz (until 10 December), 2026-12-01T03:00:00Z, for Lena Ortiz (owner)"
        );
    }

    #[test]
    fn titles_say_when_it_is_too_late() {
        let until = |decision, days, amount| Until { decision, date: day("2027-02-13"), days, amount };
        let of = |decision, days, amount| title("Acme", Some(&until(decision, days, amount)));
        assert_eq!(of(Decision::Renewal, 74, Some(euros(4_800_000))), "Acme; renews in 74 days (€48k)");
        assert_eq!(of(Decision::Notice, 1, None), "Acme; last day of notice tomorrow");
        assert_eq!(of(Decision::End, 0, Some(euros(125_000))), "Acme; ends today (€1.2k)");
        assert_eq!(of(Decision::Renewal, -3, None), "Acme; was to renew 3 days ago");
    }

    #[test]
    fn amounts_and_figures_are_short() {
        let of = |minor, code| Money { minor, currency: Currency::from_code(code).unwrap() };
        assert_eq!(short_money(&euros(95_040)), "€950");
        assert_eq!(short_money(&of(99_990_000, "USD")), "$1m");
        assert_eq!(short_money(&of(1_250_000, "JPY")), "1.2m JPY");
        assert_eq!(short_money(&of(-250_000, "CHF")), "−2.5k CHF");
        assert_eq!(money(&euros(123_456_705)), "€1,234,567.05");
        assert_eq!([number(96.0), number(7.25), number(1234.5)], ["96", "7.2", "1234"]);
        assert_eq!(
            [large(20.0), large(31_250.0), large(3.2e6), large(4e12)],
            ["20", "31,000", "3.2 million", "more than a billion"]
        );
    }
}
