//! Paths into a record, such as `$.customer.id`, `$.lines[0].sku` and `$["odd.key"]`, parsed when the mapping is read.

use std::fmt;

use crate::json::{Fields, Node};

/// A step of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Key(Box<str>),
    Index(usize),
}

/// A path from the record's root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// The first step, always a key; `None` for the root itself.
    first: Option<Box<str>>,
    rest: Vec<Step>,
}

impl Path {
    /// Parses a path that starts with `$`; `None` when it is not valid.
    pub fn parse(text: &str) -> Option<Self> {
        let steps = parse_steps(text.strip_prefix('$')?)?;
        let mut steps = steps.into_iter();
        match steps.next() {
            None => Some(Self { first: None, rest: Vec::new() }),
            Some(Step::Key(first)) => Some(Self { first: Some(first), rest: steps.collect() }),
            Some(Step::Index(_)) => None,
        }
    }

    /// Parses a path written without `$.`, as the keys of `when` are.
    pub fn parse_key(text: &str) -> Option<Self> {
        if text.starts_with('$') {
            return Self::parse(text);
        }
        Self::parse(&format!("$.{text}"))
    }

    /// Whether this is the record itself.
    pub fn is_root(&self) -> bool {
        self.first.is_none()
    }

    /// The first key of the path; `None` for the root.
    pub fn top_level_key(&self) -> Option<&str> {
        self.first.as_deref()
    }

    /// The value at the path; `None` when it is null or absent.
    pub fn find<'r>(&self, record: &'r Fields<'r>) -> Option<&'r Node<'r>> {
        let first = self.first.as_deref()?;
        let mut node = &record.iter().find(|(key, _)| key == first)?.1;
        for step in &self.rest {
            node = match (step, node) {
                (Step::Key(key), node) => node.field(key)?,
                (Step::Index(index), Node::List(items)) => items.get(*index)?,
                (Step::Index(_), _) => return None,
            };
        }
        (*node != Node::Null).then_some(node)
    }
}

fn parse_steps(mut text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    while !text.is_empty() {
        if let Some(rest) = text.strip_prefix("[\"") {
            let end = rest.find("\"]")?;
            steps.push(Step::Key(rest[..end].into()));
            text = &rest[end + 2..];
        } else if let Some(rest) = text.strip_prefix('[') {
            let end = rest.find(']')?;
            steps.push(Step::Index(rest[..end].parse().ok()?));
            text = &rest[end + 1..];
        } else {
            let rest = text.strip_prefix('.')?;
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let key = &rest[..end];
            if key.is_empty() || key.contains(['{', '}', '"', ']', ' ', '$']) {
                return None;
            }
            steps.push(Step::Key(key.into()));
            text = &rest[end..];
        }
    }
    Some(steps)
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = |f: &mut fmt::Formatter<'_>, key: &str| {
            if key.is_empty() || key.contains(['.', '[', '{', '}', '"', ']', ' ', '$']) {
                write!(f, "[\"{key}\"]")
            } else {
                write!(f, ".{key}")
            }
        };
        f.write_str("$")?;
        if let Some(first) = &self.first {
            key(f, first)?;
        }
        self.rest.iter().try_for_each(|step| match step {
            Step::Key(name) => key(f, name),
            Step::Index(index) => write!(f, "[{index}]"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::read_object;
    use crate::limits::Limits;

    #[test]
    fn paths_lead_to_their_values() {
        let record = br#"{"a":{"b.c":[1,{"d":"x"}],"n":null},"odd key":2}"#;
        let fields = read_object(record, &Limits::default()).unwrap();
        for (path, expected) in [
            (r#"$.a["b.c"][1].d"#, Some(Node::Text("x".into()))),
            (r#"$.a["b.c"][0]"#, Some(Node::Number("1"))),
            (r#"$["odd key"]"#, Some(Node::Number("2"))),
            ("$.a.n", None),
            ("$.a.n.deeper", None),
            (r#"$.a["b.c"][2]"#, None),
            ("$.a[0]", None),
            ("$.absent", None),
        ] {
            let parsed = Path::parse(path).unwrap();
            assert_eq!(parsed.find(&fields), expected.as_ref(), "{path}");
            assert_eq!(parsed.to_string(), path);
        }
        for bad in ["a.b", "$a", "$.", "$..a", "$[0]", "$.a[", "$.a[x]", "$.a[-1]", "$.a b", "$.a}"] {
            assert_eq!(Path::parse(bad), None, "{bad}");
        }
    }
}
