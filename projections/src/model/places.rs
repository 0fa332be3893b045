//! Where the things of a model file stand: the line of what an error, or a doubt, names by its path.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ModelError;

/// The lines of a model file, by path.
pub struct Places<'t> {
    text: &'t str,
    /// What was read, as far as it is TOML.
    table: Spanned<DeTable<'t>>,
    /// Where the text stops being TOML, in bytes.
    broken_at: Option<usize>,
}

/// What a step of a path leads to.
enum Node<'a, 't> {
    Table(&'a DeTable<'t>),
    List(&'a [Spanned<DeValue<'t>>]),
    Value,
}

impl<'a, 't> Node<'a, 't> {
    fn of(value: &'a DeValue<'t>) -> Self {
        match value {
            DeValue::Table(table) => Self::Table(table),
            DeValue::Array(list) => Self::List(list),
            _ => Self::Value,
        }
    }
}

impl<'t> Places<'t> {
    /// Reads a text, TOML or not.
    pub fn of(text: &'t str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let broken_at = errors.first().and_then(|error| error.span()).map(|span| span.start);
        Self { text, table, broken_at }
    }

    /// The line, counted from 1, of what a path leads to, such as `measures.nps.curve[1]` or `profiles["key account"].when`;
    /// of what is around it where the file has nothing there. `None` where it has nothing of it at all.
    pub fn line(&self, path: &str) -> Option<usize> {
        self.walk(path).0.map(|at| self.line_of(at))
    }

    /// The line that an error speaks of.
    pub fn line_of_error(&self, error: &ModelError) -> Option<usize> {
        let Some(path) = error.path() else { return self.broken_at.map(|at| self.line_of(at)) };
        let (around, node) = self.walk(path);
        let key = match (node, error.within()) {
            (Node::Table(table), Some(key)) => {
                table.iter().find(|(known, _)| known.get_ref() == key).map(|(known, _)| known.span().start)
            }
            _ => None,
        };
        key.or(around).map(|at| self.line_of(at))
    }

    /// Follows a path as far as the file has it: where the last step stands, in bytes, and what it leads to.
    fn walk(&self, path: &str) -> (Option<usize>, Node<'_, 't>) {
        let (mut at, mut node, mut rest) = (None, Node::Table(self.table.get_ref()), path);
        while !rest.is_empty() {
            let step = match &node {
                // A key may hold points itself.
                Node::Table(table) => table
                    .iter()
                    .filter_map(|(key, value)| {
                        let after = rest.strip_prefix(&**key.get_ref())?;
                        let is_whole = after.is_empty() || after.starts_with(['.', '[']);
                        is_whole.then(|| (key.span().start, value, after))
                    })
                    .min_by_key(|(_, _, after)| after.len()),
                Node::List(items) => items.iter().enumerate().find_map(|(index, item)| {
                    let named = |name: &str| rest.strip_prefix(&format!("[{name}]"));
                    let after =
                        named(&index.to_string()).or_else(|| named(&format!("{:?}", name_of(item)?)))?;
                    Some((item.span().start, item, after))
                }),
                Node::Value => None,
            };
            let Some((start, value, after)) = step else { break };
            at = Some(start);
            node = Node::of(value.get_ref());
            rest = after.strip_prefix('.').unwrap_or(after);
        }
        (at, node)
    }

    fn line_of(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }
}

fn name_of<'a>(item: &'a Spanned<DeValue<'_>>) -> Option<&'a str> {
    let DeValue::Table(item) = item.get_ref() else { return None };
    let (_, name) = item.iter().find(|(key, _)| key.get_ref() == "name")?;
    match name.get_ref() {
        DeValue::String(name) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# a model
band_margin = 3
bands = [
  { name = "red", below = 40 },
  { name = "green" },
]
[metrics]
"a.b" = { agg = "count", filter = { "properties.x" = 1 } }
a = { agg = "count" }

[measures.voice]
metric = "a"
curve = [
  [0, 0],
  [1, 100],
]
[[profiles]]
name = "key account"
when = [{ roles.owner = "ann" }]
[[profiles]]
name = "standard"
"#;

    #[test]
    fn a_path_leads_to_its_line_or_to_what_is_around_it() {
        let places = Places::of(TEXT);
        for (path, line) in [
            ("band_margin", Some(2)),
            ("bands[1].name", Some(5)),
            ("bands[1].below", Some(5)),
            ("metrics.a.b.filter.properties.x", Some(8)),
            ("metrics.a.agg", Some(9)),
            ("metrics.c", Some(7)),
            ("measures.voice.curve[1]", Some(15)),
            ("profiles[\"key account\"].when[0].roles.owner", Some(19)),
            ("profiles[\"standard\"].name", Some(21)),
            ("profiles[1]", Some(20)),
            ("the model", None),
        ] {
            assert_eq!(places.line(path), line, "{path}");
        }
    }

    #[test]
    fn an_error_stands_at_the_key_that_is_wrong() {
        let line = |text: &str| {
            let error = super::super::Model::parse(text).expect_err(text);
            (Places::of(text).line_of_error(&error), error.to_string())
        };
        let (at, error) = line("band_margin = 3\n\nband_margn = 3\n");
        assert_eq!(at, Some(3), "{error}");
        let (at, error) = line("[metrics]\nx = { agg = \"count\",\n  windw = 3 }\n");
        assert_eq!(at, Some(3), "{error}");
        let (at, error) = line("# one\n[metrics]\nx = { agg = \n");
        assert_eq!(at, Some(3), "{error}");
    }
}
