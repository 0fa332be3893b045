//! What stands in the sample records: which paths there are, and what their values look like.

use std::collections::{BTreeMap, BTreeSet};

use crate::json::{Fields, Node};

/// Deepest object whose fields are looked at.
const DEPTH_MAX: usize = 3;
/// Distinct values remembered of a path.
const DISTINCT_MAX: usize = 2000;

/// The values at one path.
#[derive(Default, Debug)]
pub struct Column<'r> {
    /// Values that are not null and not the empty text.
    pub values: Vec<&'r Node<'r>>,
    /// Distinct scalars, as texts, up to a limit.
    pub distinct: BTreeSet<&'r str>,
}

/// The columns of some records, by path.
#[derive(Default, Debug)]
pub struct Survey<'r> {
    /// By path, as `$.customer.id`.
    pub columns: BTreeMap<String, Column<'r>>,
    /// How many records.
    pub records: usize,
}

impl<'r> Survey<'r> {
    /// Looks at the records.
    pub fn of(records: impl IntoIterator<Item = &'r Fields<'r>>) -> Self {
        let mut survey = Self::default();
        for record in records {
            survey.records += 1;
            survey.add("$", record, 1);
        }
        survey
    }

    fn add(&mut self, at: &str, fields: &'r Fields<'r>, depth: usize) {
        for (key, node) in fields {
            let plain = !key.is_empty() && !key.contains(['.', '[', '{', '}', '"', ']', ' ', '$']);
            let path = if plain { format!("{at}.{key}") } else { format!("{at}[\"{key}\"]") };
            if key.contains("\"]") {
                continue;
            }
            match node {
                Node::Null => {}
                Node::Text(text) if text.is_empty() => {}
                Node::Object(inner) => {
                    self.columns.entry(path.clone()).or_default().values.push(node);
                    if depth < DEPTH_MAX {
                        self.add(&path, inner, depth + 1);
                    }
                }
                _ => self.columns.entry(path).or_default().add(node),
            }
        }
    }

    /// The path whose name comes first in `words`, among those that stand in at least `share` of the records and pass
    /// `fits`; the shallower of equals. `customer.id` is also called `customer_id`.
    pub fn find(&self, words: &[&str], share: f64, fits: impl Fn(&Column<'r>) -> bool) -> Option<&str> {
        let rank = |path: &str| {
            let name = snake(path);
            let segments: Vec<&str> = name.split('.').skip(1).collect();
            let last = segments.last().copied().unwrap_or_default();
            let joined = segments[segments.len().saturating_sub(2)..].join("_");
            // A nested "id" is the id of its parent and of nothing else.
            let of_last =
                if last == "id" && segments.len() > 1 { None } else { words.iter().position(|w| *w == last) };
            let place = of_last.into_iter().chain(words.iter().position(|word| *word == joined)).min()?;
            Some((place, segments.len()))
        };
        let enough = self.records as f64 * share;
        let columns = self.columns.iter().filter(|(_, column)| column.values.len() as f64 >= enough.max(1.0));
        let ranked =
            columns.filter(|(_, column)| fits(column)).filter_map(|(path, _)| Some((rank(path)?, path)));
        ranked.min().map(|(_, path)| path.as_str())
    }
}

impl<'r> Column<'r> {
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

/// `customerId` as `customer_id`, lower case.
fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut before = '.';
    for character in name.chars() {
        if character.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit()) {
            out.push('_');
        }
        out.extend(character.to_lowercase().map(|c| if matches!(c, '-' | ' ') { '_' } else { c }));
        before = character;
    }
    out
}
