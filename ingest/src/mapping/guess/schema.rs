//! Infers the schema of sample records: their paths, and the values at each path.

use std::collections::{BTreeMap, BTreeSet};

use crate::json::{Fields, Node};

/// A field that every event needs must be present in this share of the records.
pub const SHARE_NEEDED: f64 = 0.9;
/// Depth of the deepest objects whose fields are read.
const DEPTH_MAX: usize = 6;
/// Most distinct values that are kept of a path.
const DISTINCT_MAX: usize = 2000;

/// Names of objects that only wrap the payload, so that they add nothing to the meaning of their fields.
const CONTAINERS: &[&str] = &[
    "event",
    "data",
    "object",
    "payload",
    "properties",
    "props",
    "attributes",
    "body",
    "message",
    "record",
    "envelope",
    "context",
    "meta",
    "metadata",
    "details",
    "resource",
    "item",
    "groups",
    "traits",
    "event_properties",
];

/// The values at one path.
#[derive(Default, Debug)]
pub struct Column<'r> {
    /// The names of the keys along the path, in snake case.
    pub names: Vec<String>,
    /// The values that are neither null nor the empty text.
    pub values: Vec<&'r Node<'r>>,
    /// The distinct scalars as texts, up to `DISTINCT_MAX`.
    pub distinct: BTreeSet<&'r str>,
}

/// The schema of some records: a column for each path.
#[derive(Default, Debug)]
pub struct Schema<'r> {
    /// The columns by path, as `$.customer.id`.
    pub columns: BTreeMap<String, Column<'r>>,
    /// The number of records.
    pub records: usize,
}

impl<'r> Schema<'r> {
    /// Infers the schema of the records.
    pub fn infer(records: impl IntoIterator<Item = &'r Fields<'r>>) -> Self {
        let mut schema = Self::default();
        for record in records {
            schema.records += 1;
            schema.add("$", &[], record);
        }
        schema
    }

    fn add(&mut self, at: &str, names: &[String], fields: &'r Fields<'r>) {
        for (key, node) in fields {
            let plain = !key.is_empty() && !key.contains(['.', '[', '{', '}', '"', ']', ' ', '$']);
            let path = if plain { format!("{at}.{key}") } else { format!("{at}[\"{key}\"]") };
            if key.contains("\"]") {
                continue;
            }
            if matches!(node, Node::Null) || matches!(node, Node::Text(text) if text.is_empty()) {
                continue;
            }
            let column = self.columns.entry(path.clone()).or_default();
            if column.names.is_empty() {
                column.names = names.iter().cloned().chain([snake(key)]).collect();
            }
            let Node::Object(inner) = node else {
                column.add(node);
                continue;
            };
            column.values.push(node);
            let names = column.names.clone();
            if names.len() < DEPTH_MAX {
                self.add(&path, &names, inner);
            }
        }
    }

    /// The path whose name comes first in `words`, among those that are present in at least `share` of the records and pass
    /// `fits`; the shallower of equals. `customer.id` is also called `customer_id`, and a field of anything but a container
    /// comes after all that are the record's own: the type of a user is not the type of the event.
    pub fn find(&self, words: &[&str], share: f64, fits: impl Fn(&Column<'r>) -> bool) -> Option<&str> {
        let place_of = |name: &str| words.iter().position(|word| *word == name);
        let rank = |column: &Column<'r>| {
            let own = column.is_own();
            // A nested "id" is the id of its parent and of nothing else.
            let of_last =
                if column.name() == "id" && column.names.len() > 1 { None } else { place_of(column.name()) };
            let of_last = of_last.map(|place| (!own, place));
            let of_both = place_of(&column.joined()).map(|place| (false, place));
            Some((of_last.into_iter().chain(of_both).min()?, column.names.len()))
        };
        let ranked = self
            .present(share)
            .filter(|(_, column)| fits(column))
            .filter_map(|(path, column)| Some((rank(column)?, path)));
        ranked.min().map(|(_, path)| path)
    }

    /// The columns that are present in at least `share` of the records, by path.
    pub fn present(&self, share: f64) -> impl Iterator<Item = (&str, &Column<'r>)> {
        let enough = (self.records as f64 * share).max(1.0);
        let columns = self.columns.iter().map(|(path, column)| (path.as_str(), column));
        columns.filter(move |(_, column)| column.values.len() as f64 >= enough)
    }
}

impl<'r> Column<'r> {
    /// The name of the key itself.
    pub fn name(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }

    /// The names of its parent and itself, as one: `customer_id`.
    fn joined(&self) -> String {
        self.names[self.names.len().saturating_sub(2)..].join("_")
    }

    /// Whether it says something of the record, and not of a thing the record names.
    pub fn is_own(&self) -> bool {
        let parents = &self.names[..self.names.len().saturating_sub(1)];
        parents.last().is_none_or(|parent| CONTAINERS.contains(&parent.as_str()))
    }

    fn add(&mut self, node: &'r Node<'r>) {
        self.values.push(node);
        if self.distinct.len() < DISTINCT_MAX {
            match node {
                Node::Text(text) => self.distinct.insert(text),
                Node::Number(text) => self.distinct.insert(text),
                _ => false,
            };
        }
    }

    /// Whether all values pass.
    pub fn all(&self, passes: impl Fn(&Node<'_>) -> bool) -> bool {
        self.values.iter().all(|node| passes(node))
    }

    /// Texts or numbers, as ids are.
    pub fn is_name(&self) -> bool {
        self.all(|node| matches!(node, Node::Text(_) | Node::Number(_)))
    }

    /// Numbers, or texts of numbers.
    pub fn is_number(&self) -> bool {
        use tidewatch_projections::decimal::Decimal;
        self.all(|node| match node {
            Node::Number(_) => true,
            Node::Text(text) => Decimal::parse(text).is_some(),
            _ => false,
        })
    }
}

/// `customerId` as `customer_id`, lower case; marks such as `$` before a name say nothing.
fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut before = '.';
    for character in name.trim_start_matches(['$', '@', '#']).chars() {
        if character.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit()) {
            out.push('_');
        }
        out.extend(
            character.to_lowercase().map(|c| if matches!(c, '-' | ' ' | '.' | '/') { '_' } else { c }),
        );
        before = character;
    }
    out
}
