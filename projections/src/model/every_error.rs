//! Every error of a model file, not only the first: what is wrong is left out, and the rest is read again.

use std::collections::BTreeSet;

use toml::{Table, Value as Toml};

use super::{DEFAULT_MODEL, Model, ModelError, document, nearest};

/// Most errors of one file that are told.
const ERRORS_MAX: usize = 100;
/// Tables of things by name.
const NAMED: [&str; 3] = ["metrics", "measures", "weights"];
const PROFILES: &str = "profiles";

impl Model {
    /// What is wrong with a model file; nothing of one that [`Model::parse`] reads. What only fails because it refers to something
    /// that is wrong itself is not told.
    pub fn errors(text: &str) -> Vec<ModelError> {
        let file = match document::parse(text) {
            Ok(table) => table,
            Err(error) => return vec![error],
        };
        let mut table = file.clone();
        let (mut errors, mut left_out) = (Vec::new(), BTreeSet::new());
        while errors.len() < ERRORS_MAX {
            let read = Self::read(&table, Some(&DEFAULT_MODEL));
            let Err(error) = read.and_then(|model| model.scoring) else { break };
            let name = leave_out(&mut table, &error);
            if !is_consequence(&error, &left_out) {
                errors.push(with_nearest_of(&file, error));
            }
            match name {
                Some(name) => left_out.insert(name),
                None => break,
            };
        }
        errors
    }
}

/// The table of things of a kind.
fn section_of(what: &str) -> &'static str {
    match what {
        "metric" => NAMED[0],
        "measure" => NAMED[1],
        _ => NAMED[2],
    }
}

/// The same error, with the nearest of all names of the file: what has an error itself may be what was meant.
fn with_nearest_of(file: &Table, mut error: ModelError) -> ModelError {
    if let ModelError::NoSuchName { what, name, nearest: found, .. } = &mut error
        && let Some(Toml::Table(things)) = file.get(section_of(what))
    {
        *found = nearest(name, things.keys().map(String::as_str)).to_owned();
    }
    error
}

/// Whether it only says that something is gone that was left out before.
fn is_consequence(error: &ModelError, left_out: &BTreeSet<String>) -> bool {
    match error {
        ModelError::NoSuchName { what, name, .. } => {
            left_out.contains(name) || left_out.contains(section_of(what))
        }
        // Without one of them, or without what they refer to, profiles need not be complete.
        ModelError::Refused { path, .. } | ModelError::BadValue { path, .. } => {
            !left_out.is_empty() && (path == PROFILES || NAMED.contains(&path.as_str()))
        }
        _ => false,
    }
}

/// Takes the thing that an error is about out of a model, and tells its name.
fn leave_out(table: &mut Table, error: &ModelError) -> Option<String> {
    let path = error.path()?;
    for section in NAMED {
        let Some(Toml::Table(things)) = table.get_mut(section) else { continue };
        let is_at = |name: &&String| {
            let rest = path.strip_prefix(section).and_then(|path| path.strip_prefix('.'));
            let rest = rest.and_then(|path| path.strip_prefix(name.as_str()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        if let Some(name) = things.keys().filter(is_at).max_by_key(|name| name.len()).cloned() {
            things.remove(&name);
            return Some(name);
        }
    }
    if let Some(rest) = path.strip_prefix(PROFILES)
        && let Some(Toml::Array(profiles)) = table.get_mut(PROFILES)
    {
        let label = |index: usize, profile: &Toml| {
            let name = profile.get("name").and_then(Toml::as_str);
            (format!("[{index}]"), name.map(|name| format!("[{name:?}]")))
        };
        let found = profiles.iter().enumerate().position(|(index, profile)| {
            let (by_place, by_name) = label(index, profile);
            rest.starts_with(&by_place) || by_name.is_some_and(|by_name| rest.starts_with(&by_name))
        });
        if let Some(index) = found {
            profiles.remove(index);
            if profiles.is_empty() {
                // A model without profiles has no use for what they are made of, which is no error of its own here.
                [PROFILES, "measures", "weights"].iter().for_each(|key| {
                    table.remove(*key);
                });
            }
            return Some(PROFILES.to_owned());
        }
    }
    let key = match error {
        ModelError::UnknownKey { key, .. } if table.contains_key(key) => key.as_str(),
        _ => path.split(['.', '[']).next().unwrap_or_default(),
    };
    table.remove(key).map(|_| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DEFAULT;

    #[test]
    fn every_error_is_told_once_and_none_that_follows_from_another() {
        let text = r#"
            band_margn = 3
            band_margin = 300
            [metrics]
            a = { agg = "cuont", window = 7 }
            b = { agg = "ratio", a = "a", b = "c" }
            c = { agg = "count", windw = 7 }
            d = { agg = "count", window = 7 }
            e = { agg = "count", window = 0 }
            [measures]
            one = { metric = "a", curve = [[0, 0], [1, 1]] }
            two = { metric = "d", curve = [[0, 0]] }
            three = { metric = "f", curve = [[0, 0], [1, 100]] }
            [weights]
            all = { one = 1, two = 1, three = -1 }
            [[profiles]]
            name = "key account"
            wen = [{ tier = "A" }]
            groups = { outcome = { weight = 1, measures = "all" } }
            [[profiles]]
            name = "standard"
            groups = { outcome = { weight = 1, measures = "all" } }
        "#;
        let found = Model::errors(text);
        let mut paths: Vec<String> = found
            .iter()
            .map(|error| format!("{}/{}", error.path().unwrap(), error.within().unwrap_or("")))
            .collect();
        paths.sort_unstable();
        assert_eq!(
            paths,
            [
                "band_margin/",
                "measures.three.metric/f",
                "measures.two.curve/",
                "metrics.a.agg/",
                "metrics.c/windw",
                "metrics.e.window/",
                "profiles[\"key account\"]/wen",
                "the model/band_margn",
            ],
            "{found:?}"
        );
        assert_eq!(Model::errors(DEFAULT), []);
        assert!(matches!(Model::errors("a = ").as_slice(), [ModelError::Syntax(_)]));
    }

    #[test]
    fn a_file_has_errors_exactly_when_it_cannot_be_read() {
        for text in ["", "name = 3", "[measures]\nx = 1", "profiles = []", "metrics = 3", "bands = []"] {
            assert_eq!(Model::errors(text).is_empty(), Model::parse(text).is_ok(), "{text}");
        }
    }
}
