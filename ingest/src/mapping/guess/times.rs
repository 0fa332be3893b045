//! Finds the field of a feed that holds the time of its events, and the format of that time.

use tidewatch_projections::decimal::Decimal;

use super::schema::{Column, SHARE_NEEDED, Schema};
use super::words::{TIME, TIME_WORDS};
use crate::json::Node;
use crate::mapping::mapped_value::MappedValue;
use crate::mapping::time_parser::TimeParser;

/// Patterns of times without a declared format, the least ambiguous first.
const PATTERNS: &[&str] = &[
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M:%S%.f %z",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d",
    "%a, %d %b %Y %H:%M:%S %z",
    "%d %b %Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y%m%d",
];

/// The first path, by the order of likely names, all of whose values some time format reads.
pub(super) fn time_of(schema: &Schema<'_>) -> Option<(String, String)> {
    let form = |column: &Column<'_>| {
        let mut forms = ["rfc3339", "date"].into_iter().chain(PATTERNS.iter().copied());
        let form = epoch_unit(column).or_else(|| forms.find(|form| reads(form, column)));
        form.map(str::to_owned)
    };
    let named = schema.find(TIME, SHARE_NEEDED, |column| form(column).is_some());
    // No name of the list: one that has a word of times in it, else the first that holds nothing but texts of times.
    let hints = |column: &Column<'_>| column.name().split('_').any(|word| TIME_WORDS.contains(&word));
    let is_text = |column: &Column<'_>| column.all(|node| matches!(node, Node::Text(_)));
    let by_word = || {
        let columns =
            schema.present(SHARE_NEEDED).filter(|(_, column)| hints(column) && form(column).is_some());
        columns.min_by_key(|(_, column)| (!column.is_own(), column.names.len()))
    };
    let by_values = || {
        schema
            .present(SHARE_NEEDED)
            .find(|(_, column)| is_text(column) && epoch_unit(column).is_none() && form(column).is_some())
    };
    let path = named.map(str::to_owned).or_else(|| Some(by_word().or_else(by_values)?.0.to_owned()))?;
    let form = form(&schema.columns[&path])?;
    Some((path, form))
}

fn reads(form: &str, column: &Column<'_>) -> bool {
    let mut table = toml::Table::new();
    table.insert("time".into(), form.into());
    let Ok(Some(parser)) = TimeParser::of_table("time", &table) else { return false };
    column.all(|node| match node {
        Node::Text(_) => MappedValue::of_node(node).is_ok_and(|value| parser.read(&value).is_ok()),
        _ => false,
    })
}

/// The unit by which all numbers, or texts of numbers, lie in the years 2001 to 2286, where the number of digits determines it.
fn epoch_unit(column: &Column<'_>) -> Option<&'static str> {
    [("s", 9), ("ms", 12), ("us", 15), ("ns", 18)]
        .into_iter()
        .map(|(unit, power)| (unit, Decimal::new(1, power)))
        .find_map(|(unit, least)| {
            let most = Decimal::new(1, least.exponent() + 1);
            let within = |node: &Node<'_>| {
                let text = match node {
                    Node::Number(text) => *text,
                    Node::Text(text) => text.as_ref(),
                    _ => return false,
                };
                Decimal::parse(text).is_some_and(|n| n >= least && n < most)
            };
            column.all(within).then_some(unit)
        })
}
