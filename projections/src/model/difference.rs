//! What differs between two models in what they mean: comments, the order of keys and the spelling of numbers are no difference,
//! nor is whether weights stand in a set or where they are used.

use std::collections::BTreeSet;

use toml::{Table, Value as Toml};

use super::curve::Curve;
use super::profile::Profile;
use super::scoring::Scoring;
use super::{Model, ModelError, document, with_defaults};

/// One difference between two models.
#[derive(Clone, PartialEq, Debug)]
pub struct Difference {
    /// What it is about: a key, a metric, a measure, a profile, by its path.
    pub path: String,
    /// What changed there.
    pub change: Change,
}

/// What changed.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// It is new: its value as a model file has it.
    Added(String),
    /// It is gone: the value that it had.
    Removed(String),
    /// Its value changed.
    Value {
        /// As the first model has it.
        from: String,
        /// As the second has it.
        to: String,
    },
    /// The curve gives other points at some values.
    Curve(Vec<CurvePoint>),
    /// A weight of a profile changed, or only its share of the score because others did.
    Weight {
        /// In the first model; `None`: not there.
        from: Option<Weight>,
        /// In the second.
        to: Option<Weight>,
    },
    /// Profiles are tried in another order: their names, in the order of the second model.
    Order(Vec<String>),
}

/// What a value is worth under two curves.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CurvePoint {
    /// The value of the metric.
    pub value: f64,
    /// Its points under the first curve.
    pub from: f64,
    /// Its points under the second.
    pub to: f64,
}

/// What a measure weighs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Weight {
    /// As the file has it, against the others of its group.
    pub weight: f64,
    /// Its share of the score when every measure has a value, from 0 to 1.
    pub share: f64,
}

/// Keys whose absence means the same as one of their values.
const IMPLIED: [(&str, &str); 6] = [
    ("skip_closed", "false"),
    ("core", "[]"),
    ("min", "1"),
    ("missing", "\"exclude\""),
    ("otherwise", "[]"),
    ("filter", "{}"),
];
/// Tables of conditions on events or facts.
const CONDITIONS: [&str; 5] = ["filter", "a_filter", "b_filter", "input", "when"];
/// Keys that TOML reads as a table where they stand before a point.
const POINTED: [&str; 2] = ["properties", "roles"];

/// What differs, in the order: keys of the top, metrics, measures, profiles; each by name.
///
/// # Errors
/// When one of the texts is no model.
pub fn differences(from: &str, to: &str) -> Result<Vec<Difference>, ModelError> {
    let (models, tables) = (
        [Model::parse_adopted(from)?, Model::parse_adopted(to)?],
        [with_defaults(document::parse(from)?), with_defaults(document::parse(to)?)],
    );
    let [before, after] = &tables;
    let mut found = Found(Vec::new());
    let sections = ["metrics", "measures", "weights", "profiles"];
    let top = |table: &Table| -> Table {
        let kept = table.iter().filter(|(key, _)| !sections.contains(&key.as_str()));
        kept.map(|(key, value)| (key.clone(), by_name(key, value))).collect()
    };
    let nested = ["bands", "milestones"];
    let (top_before, top_after) = (top(before), top(after));
    for key in keys([&top_before, &top_after]) {
        match (top_before.get(key), top_after.get(key)) {
            (Some(Toml::Table(from)), Some(Toml::Table(to))) if nested.contains(&key) => {
                found.tables(key, from, to);
            }
            (from, to) => found.value(key.to_owned(), from, to),
        }
    }
    let table =
        |table: &Table, key: &str| table.get(key).and_then(Toml::as_table).cloned().unwrap_or_default();
    for section in ["metrics", "measures"] {
        found.tables(section, &table(before, section), &table(after, section));
    }
    let [before, after] = &models;
    if let (Ok(before), Ok(after)) = (&before.scoring, &after.scoring) {
        found.profiles(before, after, &tables);
    }
    Ok(found.0)
}

struct Found(Vec<Difference>);

impl Found {
    fn add(&mut self, path: String, change: Change) {
        self.0.push(Difference { path, change });
    }

    /// Things by name: those that came, went, and what changed of the others, key by key.
    fn tables(&mut self, section: &str, from: &Table, to: &Table) {
        for name in keys([from, to]) {
            let path = format!("{section}.{name}");
            match (from.get(name).and_then(Toml::as_table), to.get(name).and_then(Toml::as_table)) {
                (Some(from), Some(to)) => {
                    let (from, to) = (meaning(from), meaning(to));
                    for key in keys([&from, &to]) {
                        self.value(format!("{path}.{key}"), from.get(key), to.get(key));
                    }
                }
                _ => self.value(path, from.get(name), to.get(name)),
            }
        }
    }

    fn value(&mut self, path: String, from: Option<&Toml>, to: Option<&Toml>) {
        let change = match (from, to) {
            (Some(from), Some(to)) if document::value_of(from) == document::value_of(to) => return,
            (Some(from), Some(to)) => match curve_change(&path, from, to) {
                Some(points) if points.is_empty() => return,
                Some(points) => Change::Curve(points),
                None => Change::Value { from: from.to_string(), to: to.to_string() },
            },
            (None, Some(to)) => Change::Added(to.to_string()),
            (Some(from), None) => Change::Removed(from.to_string()),
            (None, None) => return,
        };
        self.add(path, change);
    }

    fn profiles(&mut self, before: &Scoring, after: &Scoring, tables: &[Table; 2]) {
        let names = |scoring: &Scoring| -> Vec<String> {
            scoring.profiles.iter().map(|profile| profile.name.clone()).collect()
        };
        let (from, to) = (names(before), names(after));
        let both = |one: &[String], other: &[String]| -> Vec<String> {
            one.iter().filter(|name| other.contains(name)).cloned().collect()
        };
        if both(&from, &to) != both(&to, &from) {
            self.add("profiles".to_owned(), Change::Order(to.clone()));
        }
        let gone = from.iter().filter(|name| !to.contains(name));
        for name in to.iter().chain(gone) {
            let path = format!("profiles[{name:?}]");
            let [declared_before, declared_after] =
                tables.each_ref().map(|table| declared_profile(table, name));
            let of = |scoring: &Scoring| scoring.profiles.iter().position(|profile| profile.name == *name);
            match (of(before), of(after)) {
                (Some(old), Some(new)) => {
                    for key in ["when", "active_account"] {
                        let [from, to] =
                            [&declared_before, &declared_after].map(|declared| declared.get(key));
                        self.value(format!("{path}.{key}"), from, to);
                    }
                    self.weights(&path, (before, &before.profiles[old]), (after, &after.profiles[new]));
                }
                (from, to) => {
                    let declared = Toml::Table(declared_before.clone());
                    let declared_new = Toml::Table(declared_after.clone());
                    self.value(path, from.map(|_| &declared), to.map(|_| &declared_new));
                }
            }
        }
    }

    fn weights(&mut self, path: &str, before: (&Scoring, &Profile), after: (&Scoring, &Profile)) {
        let (from, to) = (weights(before.0, before.1), weights(after.0, after.1));
        let places: BTreeSet<&(String, String)> = from.iter().chain(&to).map(|(place, _)| place).collect();
        for place in places {
            let of = |weights: &[Placed]| {
                weights.iter().find(|(other, _)| other == place).map(|(_, weight)| *weight)
            };
            let (from, to) = (of(&from), of(&to));
            if !is_same_weight(from, to) {
                let (group, measure) = place;
                self.add(format!("{path}.groups.{group}.{measure}"), Change::Weight { from, to });
            }
        }
    }
}

/// A group, a measure of it, and what it weighs.
type Placed = ((String, String), Weight);

/// Shares that differ by less are the same, however they were added up.
const SHARE_DIFFERENCE_MIN: f64 = 1e-9;

fn is_same_weight(from: Option<Weight>, to: Option<Weight>) -> bool {
    match (from, to) {
        // Weights are relative: two that give the same share mean the same.
        (Some(from), Some(to)) => (from.share - to.share).abs() < SHARE_DIFFERENCE_MIN,
        (from, to) => from.is_none() && to.is_none(),
    }
}

fn weights(scoring: &Scoring, profile: &Profile) -> Vec<Placed> {
    let all: f64 = profile.groups.iter().map(|group| group.weight).sum();
    let mut placed = Vec::new();
    for group in &profile.groups {
        let of_group: f64 = group.measures.iter().map(|weighted| weighted.weight).sum();
        for weighted in &group.measures {
            let share = group.weight / all * weighted.weight / of_group;
            let weight =
                Weight { weight: weighted.weight, share: if share.is_finite() { share } else { 0.0 } };
            placed.push(((group.name.clone(), scoring.measures[weighted.measure].name.clone()), weight));
        }
    }
    placed
}

/// The points that differ between two curves; `None` of what is no curve.
fn curve_change(path: &str, from: &Toml, to: &Toml) -> Option<Vec<CurvePoint>> {
    if !path.ends_with(".curve") {
        return None;
    }
    let (from, to) = (Curve::read(from, path).ok()?, Curve::read(to, path).ok()?);
    let mut values: Vec<f64> = from.pairs().iter().chain(to.pairs()).map(|(value, _)| *value).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let point = |value: f64| CurvePoint { value, from: from.points(value), to: to.points(value) };
    Some(values.into_iter().map(point).filter(|point| point.from != point.to).collect())
}

fn keys(tables: [&Table; 2]) -> BTreeSet<&str> {
    tables.into_iter().flat_map(Table::keys).map(String::as_str).collect()
}

/// A list of tables with names as a table of them.
fn by_name(key: &str, value: &Toml) -> Toml {
    let Toml::Array(items) = value else { return value.clone() };
    if key != "bands" && key != "milestones" {
        return value.clone();
    }
    let named = |item: &Toml| {
        let mut item = item.as_table()?.clone();
        let name = item.remove("name")?.as_str()?.to_owned();
        Some((name, Toml::Table(item)))
    };
    Toml::Table(items.iter().filter_map(named).collect())
}

fn declared_profile(table: &Table, name: &str) -> Table {
    let profiles = table.get("profiles").and_then(Toml::as_array).into_iter().flatten();
    let mut tables = profiles.filter_map(Toml::as_table);
    let found = tables.find(|profile| profile.get("name").and_then(Toml::as_str) == Some(name));
    found.map(meaning).unwrap_or_default()
}

/// What a table means: implied keys left out, conditions in one spelling, attempts of a measure under their places.
fn meaning(table: &Table) -> Table {
    let mut meant = Table::new();
    for (key, value) in table {
        if IMPLIED.iter().any(|(implied, text)| implied == key && value.to_string().trim() == *text) {
            continue;
        }
        match (key.as_str(), value) {
            ("otherwise", Toml::Array(attempts)) => {
                for (index, attempt) in attempts.iter().enumerate() {
                    for (part, value) in attempt.as_table().into_iter().flatten() {
                        meant.insert(format!("otherwise[{index}].{part}"), value.clone());
                    }
                }
            }
            ("core", Toml::Array(_)) => {
                meant.insert(key.clone(), sorted(value));
            }
            (name, value) if CONDITIONS.contains(&name) => {
                meant.insert(key.clone(), conditions(value));
            }
            _ => {
                meant.insert(key.clone(), value.clone());
            }
        }
    }
    meant
}

/// A table of conditions, or a list of alternatives, in one spelling.
fn conditions(value: &Toml) -> Toml {
    match value {
        Toml::Array(alternatives) => {
            let mut alternatives: Vec<Toml> = alternatives.iter().map(conditions).collect();
            alternatives.sort_by_key(|alternative| document::value_of(alternative).to_json());
            alternatives.dedup();
            Toml::Array(alternatives)
        }
        Toml::Table(table) => {
            let mut meant = Table::new();
            for (key, wanted) in table {
                match wanted {
                    Toml::Table(inner) if POINTED.contains(&key.as_str()) => {
                        for (name, wanted) in inner {
                            meant.insert(format!("{key}.{name}"), wanted_values(wanted));
                        }
                    }
                    wanted => {
                        meant.insert(key.clone(), wanted_values(wanted));
                    }
                }
            }
            Toml::Table(meant)
        }
        other => other.clone(),
    }
}

/// A test of one field: a list of one value is the value, and lists have no order.
fn wanted_values(wanted: &Toml) -> Toml {
    match wanted {
        Toml::Array(_) => match sorted(wanted) {
            Toml::Array(mut values) if values.len() == 1 => values.remove(0),
            values => values,
        },
        Toml::Table(tests) => {
            Toml::Table(tests.iter().map(|(test, value)| (test.clone(), wanted_values(value))).collect())
        }
        other => other.clone(),
    }
}

fn sorted(list: &Toml) -> Toml {
    let mut values = list.as_array().cloned().unwrap_or_default();
    values.sort_by_key(|value| document::value_of(value).to_json());
    values.dedup();
    Toml::Array(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DEFAULT;

    const MODEL: &str = r#"
        # a comment
        band_margin = 3
        bands = [{ name = "red", below = 40 }, { name = "green" }]
        [metrics]
        usage = { agg = "count", window = 28, filter = { type = ["usage", "value"], properties.x = 1 } }
        nps = { agg = "last", field = "properties.score", filter = { type = "nps_answered" } }
        [measures]
        activity = { metric = "usage", curve = [[0, 0], [10, 100]] }
        voice = { metric = "nps", curve = [[0, 0], [10, 100]], otherwise = [{ metric = "usage", curve = [[0, 0], [1, 1]] }] }
        [weights]
        all = { activity = 30, voice = 10 }
        [[profiles]]
        name = "key account"
        when = [{ tier = "A" }, { tier = "S" }]
        groups = { outcome = { weight = 1, measures = "all" } }
        [[profiles]]
        name = "other"
        when = [{ tier = "B" }]
        groups = { outcome = { weight = 1, measures = "all" } }
        [[profiles]]
        name = "standard"
        groups = { outcome = { weight = 1, measures = "all" } }
    "#;

    fn differences_with(replaced: &[(&str, &str)]) -> Vec<Difference> {
        let mut text = MODEL.to_owned();
        for (part, by) in replaced {
            assert!(text.contains(part), "{part}");
            text = text.replacen(part, by, 1);
        }
        differences(MODEL, &text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn what_means_the_same_is_no_difference() {
        for replaced in [
            vec![("# a comment", "")],
            vec![("band_margin = 3\n", ""), ("# a comment", "band_margin = 3.0")],
            vec![("band_margin = 3\n", "")],
            vec![
                ("[\"usage\", \"value\"]", "[\"value\", \"usage\"]"),
                ("\"nps_answered\"", "[\"nps_answered\"]"),
            ],
            vec![
                ("properties.x = 1", "\"properties.x\" = 1.0"),
                ("window = 28", "window = 28.0, skip_closed = false"),
            ],
            vec![("[[0, 0], [10, 100]]", "[[0, 0], [5, 50], [10, 100]], missing = \"exclude\"")],
            vec![("activity = 30, voice = 10", "voice = 1, activity = 3")],
            vec![("measures = \"all\"", "measures = { activity = 30, voice = 10 }")],
            vec![("{ tier = \"A\" }, { tier = \"S\" }", "{ tier = [\"S\"] }, { tier = \"A\" }")],
        ] {
            assert_eq!(differences_with(&replaced), [], "{replaced:?}");
        }
    }

    #[test]
    fn each_change_is_told_at_its_path() {
        let value = |from: &str, to: &str| Change::Value { from: from.to_owned(), to: to.to_owned() };
        let one = |path: &str, change| vec![Difference { path: path.to_owned(), change }];
        let point = |value, from, to| CurvePoint { value, from, to };
        let weight = |weight, share| Some(Weight { weight, share });
        for (part, by, expected) in [
            ("band_margin = 3", "band_margin = 5", one("band_margin", value("3", "5"))),
            ("below = 40", "below = 45", one("bands.red.below", value("40", "45"))),
            ("window = 28", "window = 35", one("metrics.usage.window", value("28", "35"))),
            (
                "[measures]",
                "more = { agg = \"count\" }\n[measures]",
                one("metrics.more", Change::Added("{ agg = \"count\" }".to_owned())),
            ),
            (
                "[[0, 0], [10, 100]] }",
                "[[0, 0], [5, 80], [10, 100]] }",
                one("measures.activity.curve", Change::Curve(vec![point(5.0, 50.0, 80.0)])),
            ),
            (
                "[[0, 0], [1, 1]] }]",
                "[[0, 0], [1, 2]] }]",
                one("measures.voice.otherwise[0].curve", Change::Curve(vec![point(1.0, 1.0, 2.0)])),
            ),
            (
                "curve = [[0, 0], [10, 100]], otherwise",
                "missing = \"worst\", curve = [[0, 0], [10, 100]], otherwise",
                one("measures.voice.missing", Change::Added("\"worst\"".to_owned())),
            ),
            (
                "{ tier = \"B\" }",
                "{ tier = \"C\" }",
                one("profiles[\"other\"].when", value("[{ tier = \"B\" }]", "[{ tier = \"C\" }]")),
            ),
            (
                "name = \"standard\"\n        groups = { outcome = { weight = 1, measures = \"all\" } }",
                "name = \"standard\"\n        groups = { outcome = { weight = 1, measures = { activity = 1 } } }",
                vec![
                    Difference {
                        path: "profiles[\"standard\"].groups.outcome.activity".to_owned(),
                        change: Change::Weight { from: weight(30.0, 0.75), to: weight(1.0, 1.0) },
                    },
                    Difference {
                        path: "profiles[\"standard\"].groups.outcome.voice".to_owned(),
                        change: Change::Weight { from: weight(10.0, 0.25), to: None },
                    },
                ],
            ),
        ] {
            assert_eq!(differences_with(&[(part, by)]), expected, "{part}");
        }
    }

    #[test]
    fn the_order_of_profiles_is_a_difference() {
        let swapped =
            [("name = \"key account\"", "name = \"x\""), ("name = \"other\"", "name = \"key account\"")];
        let swapped = [swapped.as_slice(), &[("name = \"x\"", "name = \"other\"")]].concat();
        let found = differences_with(&swapped);
        let order = ["other", "key account", "standard"].map(str::to_owned).to_vec();
        assert_eq!(found[0], Difference { path: "profiles".to_owned(), change: Change::Order(order) });
        assert_eq!(found.len(), 3, "and their conditions: {found:?}");
    }

    #[test]
    fn the_default_model_differs_from_itself_in_nothing_and_from_nothing_in_much() {
        assert_eq!(differences(DEFAULT, DEFAULT), Ok(Vec::new()));
        assert!(differences("", DEFAULT).unwrap().len() > 30);
        assert!(differences("metrics = 3", DEFAULT).is_err());
    }
}
