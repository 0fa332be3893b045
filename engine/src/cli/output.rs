//! Prints results on standard output and everything else on standard error, for people or programs.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, StdoutLock, Write as _};
use std::time::Duration;

use comfy_table::{CellAlignment, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tidewatch_ingest::time::write_rfc3339;
use tidewatch_projections::event::Currency;
use tidewatch_proto::prost_types::Timestamp;
use tidewatch_proto::v1;
use tidewatch_proto::v1::metric::Value;
use tidewatch_proto::v1::value::Kind;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Standard output, to be written with `writeln!`.
pub(super) fn out() -> io::BufWriter<StdoutLock<'static>> {
    io::BufWriter::new(io::stdout().lock())
}

/// A sentence beside the results.
pub(super) fn note(sentence: &str) {
    // Where standard error is closed nobody reads notes.
    let _written = writeln!(io::stderr(), "{sentence}");
}

/// The error and what caused it.
pub(super) fn complain(error: &anyhow::Error) {
    note(&format!("tidewatch: {}", sentence(error)));
}

/// The error and what caused it, each once: many errors tell their cause in their own sentence.
fn sentence(error: &anyhow::Error) -> String {
    let said = error.chain().map(ToString::to_string).reduce(|said, cause| match said.contains(&cause) {
        true => said,
        false => format!("{said}: {cause}"),
    });
    said.unwrap_or_default()
}

/// Whether an error only says that the reader of our output has gone, as `head` does.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.downcast_ref::<io::Error>().is_some_and(closed)
}

/// A bar on standard error, shown on a terminal only.
pub(super) fn bar(unit: Unit, message: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match unit {
        Unit::Bytes => "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        Unit::Entries => "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}",
    };
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(template).expect("the templates are constant"));
    bar.set_message(message);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// What a bar counts.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Bytes,
    Entries,
}

/// Called with (sequence, last sequence) while a log is read.
pub(super) fn reading(bar: &ProgressBar) -> impl Fn(u64, u64) {
    |seq, last_seq| {
        bar.set_length(last_seq);
        bar.set_position(seq);
    }
}

/// A table without lines.
pub(super) fn table<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let header: Vec<String> = header.into_iter().map(Into::into).collect();
    if !header.is_empty() {
        table.set_header(header);
    }
    table
}

/// Figures in the columns with these places stand under each other.
pub(super) fn align_right(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// A text in at most so many columns of a terminal; what is cut off is marked.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    for character in text.chars() {
        if cut.width() + character.width().unwrap_or(0) >= columns {
            break;
        }
        cut.push(character);
    }
    cut + "…"
}

/// What stands in a table where nothing is known.
pub(super) const ABSENT: &str = "–";

/// A difference to a tenth, with its sign.
pub(super) fn signed(difference: f64) -> String {
    let sign = if difference < 0.0 { "−" } else { "+" };
    format!("{sign}{:.1}", difference.abs())
}

/// An instant in RFC 3339; empty where there is none.
pub(super) fn instant(at: Option<&Timestamp>) -> String {
    at.map_or_else(String::new, |at| {
        write_rfc3339(at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000).to_string()
    })
}

/// A metric's value for people, with so many decimal places.
pub(super) fn shown(metric: &v1::Metric, places: usize) -> String {
    match &metric.value {
        None => ABSENT.to_owned(),
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Number(number)) => format!("{number:.places$}"),
        Some(Value::Text(text)) => text.clone(),
    }
}

/// A number as JSON; null where there is none.
pub(super) fn json_number(number: Option<f64>) -> String {
    let number = number.and_then(serde_json::Number::from_f64);
    number.map_or_else(|| "null".into(), |number| number.to_string())
}

/// A text as JSON; null where there is none.
pub(super) fn json_optional(text: Option<&str>) -> String {
    text.map_or_else(|| "null".into(), json_text)
}

/// A JSON list of items that are JSON already.
pub(super) fn json_list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(","))
}

/// A metric's value as JSON; missing is null.
pub(super) fn json_metric(metric: &v1::Metric) -> String {
    match &metric.value {
        None => "null".to_owned(),
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Number(number)) => json_number(Some(*number)),
        Some(Value::Text(text)) => json_text(text),
    }
}

/// Metrics as a JSON object by name; missing is null.
pub(super) fn json_metrics(metrics: &[v1::Metric]) -> String {
    json_object(metrics.iter().map(|metric| (metric.name.as_str(), json_metric(metric))))
}

/// A JSON object of fields that are JSON already, in their order.
pub(super) fn json_object<'k>(fields: impl IntoIterator<Item = (&'k str, String)>) -> String {
    let fields: Vec<String> =
        fields.into_iter().map(|(key, value)| format!("{}:{value}", json_text(key))).collect();
    format!("{{{}}}", fields.join(","))
}

/// A text as JSON.
pub(super) fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What was stated of an account, by name: texts as the API shows them, attributes as they came; JSON values.
pub(super) fn facts(facts: Option<&v1::AccountFacts>) -> Vec<(&str, String)> {
    let Some(facts) = facts else { return Vec::new() };
    let texts = facts.texts().map(|(key, text)| (key, json_text(text)));
    texts.chain(facts.attributes.iter().map(|(key, value)| (key.as_str(), json_value(value)))).collect()
}

/// A quantity in millionths as a decimal number.
pub(super) fn quantity(micros: i64) -> String {
    decimal(micros, 6, 0)
}

/// An amount of the minor unit of a currency, with as many decimal places as that has.
pub(super) fn money(minor: i64, currency: &str) -> String {
    let places = Currency::from_code(currency).map_or(2, Currency::exponent) as usize;
    format!("{} {currency}", decimal(minor, places, places))
}

/// A whole number of 10^-`places`; at least `places_min` decimal places are shown, and more where they are not 0.
fn decimal(number: i64, places: usize, places_min: usize) -> String {
    let digits = format!("{:0width$}", number.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let shown = fraction.trim_end_matches('0').len().max(places_min);
    let sign = if number < 0 { "-" } else { "" };
    match shown {
        0 => format!("{sign}{whole}"),
        shown => format!("{sign}{whole}.{}", &fraction[..shown]),
    }
}

/// A value for people: a text without quotes, everything else as JSON.
pub(super) fn plain_value(value: &v1::Value) -> String {
    match &value.kind {
        Some(Kind::Text(text)) => text.clone(),
        _ => json_value(value),
    }
}

/// Values by name as a JSON object.
pub(super) fn json_values(values: &BTreeMap<String, v1::Value>) -> String {
    json_object(values.iter().map(|(key, value)| (key.as_str(), json_value(value))))
}

/// A value as JSON; numbers keep their digits.
fn json_value(value: &v1::Value) -> String {
    match &value.kind {
        None => "null".to_owned(),
        Some(Kind::Bool(truth)) => truth.to_string(),
        Some(Kind::Number(number)) => number.clone(),
        Some(Kind::Text(text)) => json_text(text),
        Some(Kind::List(list)) => {
            format!("[{}]", list.values.iter().map(json_value).collect::<Vec<_>>().join(","))
        }
        Some(Kind::Object(object)) => json_values(&object.fields),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn amounts_have_the_places_of_their_currency_and_quantities_those_they_need() {
        assert_eq!((money(1_999, "EUR").as_str(), money(-5, "EUR").as_str()), ("19.99 EUR", "-0.05 EUR"));
        assert_eq!((money(1_999, "JPY").as_str(), money(1_999, "KWD").as_str()), ("1999 JPY", "1.999 KWD"));
        assert_eq!((quantity(1_500_000).as_str(), quantity(3_000_000).as_str()), ("1.5", "3"));
        assert_eq!((quantity(-1).as_str(), quantity(0).as_str()), ("-0.000001", "0"));
    }

    #[test]
    fn a_long_text_is_cut_by_its_width_on_a_terminal() {
        assert_eq!(cut("Acme Ltd", 8), "Acme Ltd");
        assert_eq!(cut("Acme Limited", 8), "Acme Li…");
        // Each of these takes two columns.
        assert_eq!(cut("東京電力", 8), "東京電力");
        assert_eq!(cut("東京電力会社", 8), "東京電…");
    }

    #[test]
    fn a_cause_is_told_once() {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
        let told = crate::config::ConfigError::Unreadable { path: "x.toml".into(), source: missing() };
        assert_eq!(sentence(&told.into()), "cannot read the configuration x.toml: no such file");
        let bare = Err::<(), _>(missing()).context("cannot read the mapping m.toml").unwrap_err();
        assert_eq!(sentence(&bare), "cannot read the mapping m.toml: no such file");
    }
}
