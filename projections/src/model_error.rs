//! What can be wrong with a model file, told with the key, the value and the nearest valid key.

/// A model file that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ModelError {
    /// The text is not TOML; with what the reader of TOML says, line and column included.
    #[error("the file is not valid TOML: {0}")]
    Syntax(String),
    /// A key outside the grammar.
    #[error("{path}: unknown key {key:?}; nearest valid key: {nearest:?} (valid: {valid})")]
    UnknownKey {
        /// The table it stands in.
        path: String,
        /// The key as written.
        key: String,
        /// The valid key most like it.
        nearest: String,
        /// All keys that may stand there, joined by commas.
        valid: String,
    },
    /// A value of the wrong type or outside its range.
    #[error("{path}: {value} is not {expected}")]
    BadValue {
        /// The key's full path.
        path: String,
        /// The value as written.
        value: String,
        /// What it must be.
        expected: String,
    },
    /// A key that something cannot do without.
    #[error("{path}: {agg} needs the key {key:?}")]
    MissingKey {
        /// The table that lacks it.
        path: String,
        /// What needs it: an aggregation, "a measure", "a profile" …
        agg: String,
        /// The key that is not there.
        key: String,
    },
    /// A key that this aggregation has no use for.
    #[error("{path}: {agg} takes no key {key:?}; nearest valid key: {nearest:?} (it takes {valid})")]
    UselessKey {
        /// The metric that has it.
        path: String,
        /// The aggregation of that metric.
        agg: Box<str>,
        /// The key as written.
        key: String,
        /// The nearest key it takes.
        nearest: Box<str>,
        /// All keys it takes, joined by commas.
        valid: Box<str>,
    },
    /// A name that nothing in the model has.
    #[error("{path}: there is no {what} {name:?}{}", hint(nearest))]
    NoSuchName {
        /// The key's full path.
        path: String,
        /// What would have it, such as "measure".
        what: &'static str,
        /// The name that was not found.
        name: String,
        /// The existing name most like it; empty when there is none at all.
        nearest: String,
    },
    /// A combination the contract excludes.
    #[error("{path}: {reason}")]
    Refused {
        /// The table or the value that breaks a rule.
        path: String,
        /// Which rule, and what to do.
        reason: String,
    },
}

impl ModelError {
    /// Where it stands: the full path of a key or table; `None` of a text that is no TOML.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Syntax(_) => None,
            Self::UnknownKey { path, .. }
            | Self::BadValue { path, .. }
            | Self::MissingKey { path, .. }
            | Self::UselessKey { path, .. }
            | Self::NoSuchName { path, .. }
            | Self::Refused { path, .. } => Some(path),
        }
    }

    /// The key within that table, where one is too many there, or the name that nothing has.
    pub fn within(&self) -> Option<&str> {
        match self {
            Self::UnknownKey { key, .. } | Self::UselessKey { key, .. } => Some(key),
            Self::NoSuchName { name, .. } => Some(name),
            Self::Syntax(_) | Self::BadValue { .. } | Self::MissingKey { .. } | Self::Refused { .. } => None,
        }
    }

    /// The valid key or the existing name most like what was written.
    pub fn nearest(&self) -> Option<&str> {
        let nearest = match self {
            Self::UnknownKey { nearest, .. } | Self::NoSuchName { nearest, .. } => nearest,
            Self::UselessKey { nearest, .. } => &**nearest,
            Self::Syntax(_) | Self::BadValue { .. } | Self::MissingKey { .. } | Self::Refused { .. } => "",
        };
        Some(nearest).filter(|nearest| !nearest.is_empty())
    }
}

fn hint(nearest: &str) -> String {
    match nearest {
        "" => ", nor any other".to_owned(),
        nearest => format!("; nearest: {nearest:?}"),
    }
}

/// The candidate most like `word`: fewest single-character edits, the first of equals.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> &'a str {
    candidates.into_iter().min_by_key(|candidate| edits(word, candidate)).unwrap_or("")
}

fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
