//! Model files with something wrong in them: any value of one replaced, lost, renamed or moved. Each is refused in a sentence, or
//! can be scored.

use proptest::prelude::*;
use tidewatch_projections::calendar::Calendar;
use tidewatch_projections::model::scoring::Scoring;
use tidewatch_projections::model::{DEFAULT, Metric, Model};
use tidewatch_projections::names::Names;
use tidewatch_projections::plan::{Bounds, Plan};
use toml::{Table, Value};

/// What the default model has no example of.
const MORE: &str = r#"
[measures]
watched = { metric = "nps", curve = [[0, 0], [9, 90]], missing = "last", half_life_days = 20, max_age_days = 9, input = { type = "nps_answered" } }
[[profiles]]
name = "watched"
when = [{ status = ["paying", "free"], ever_used = true, seats = { ge = 10 }, amount = { lt = 5.5 } }, { roles.owner = { exists = true } }]
groups = { all = { weight = 1, measures = { watched = 1, nps = 0 } } }
active_account = { agg = "count", window = 7, at_least = 10, core = ["export"] }
"#;

fn model() -> Table {
    let mut model: Table = DEFAULT.parse().expect("the default model is TOML");
    let more: Table = MORE.parse().expect("more is TOML");
    let watched = more["measures"]["watched"].clone();
    model["measures"].as_table_mut().expect("a table").insert("watched".into(), watched);
    model["profiles"].as_array_mut().expect("a list").insert(0, more["profiles"][0].clone());
    model
}

/// Every value inside another, depth first.
fn places(value: &Value, here: &mut Vec<Step>, all: &mut Vec<Vec<Step>>) {
    let mut go = |step: Step, inner: &Value| {
        here.push(step);
        all.push(here.clone());
        places(inner, here, all);
        here.pop();
    };
    match value {
        Value::Table(table) => table.iter().for_each(|(key, inner)| go(Step::Key(key.clone()), inner)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, inner)| go(Step::Index(index), inner))
        }
        _ => {}
    }
}

#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

fn at<'a>(value: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key.as_str()),
        Step::Index(index) => value.get_mut(*index),
    })
}

#[derive(Clone, Debug)]
enum Change {
    /// The value becomes this one.
    Replace(Value),
    /// It is taken out.
    Lose,
    /// Its key changes.
    Rename(String),
    /// It becomes what stands at another place.
    Copy(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let number = prop_oneof![any::<f64>(), (-3i32..200).prop_map(f64::from)].prop_map(Value::Float);
    let whole = prop_oneof![any::<i64>(), -3i64..200].prop_map(Value::Integer);
    let word = prop_oneof![
        Just("count"),
        Just("last"),
        Just("nps"),
        Just("experience"),
        Just("paying"),
        Just("A"),
        Just(""),
        Just("watched"),
        Just("active_days"),
        Just("EUR"),
        Just("properties.score"),
        Just("standing")
    ];
    let text = word.clone().prop_map(Value::from);
    let leaf = prop_oneof![number, whole, text, any::<bool>().prop_map(Value::Boolean)];
    let value = leaf.prop_recursive(2, 6, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map(
                prop_oneof![Just("name"), Just("metric"), Just("weight"), Just("ge"), Just("type")],
                inner,
                0..3
            )
            .prop_map(|table| {
                Value::Table(table.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    });
    let key = prop_oneof![word.prop_map(str::to_owned), "[a-z_]{1,12}"];
    prop_oneof![
        3 => value.prop_map(Change::Replace),
        2 => Just(Change::Lose),
        1 => key.prop_map(Change::Rename),
        2 => any::<prop::sample::Index>().prop_map(Change::Copy),
    ]
}

fn apply(model: &mut Value, place: prop::sample::Index, change: Change) {
    let mut all = Vec::new();
    places(model, &mut Vec::new(), &mut all);
    let path = all[place.index(all.len())].clone();
    let (last, parent) = path.split_last().expect("a place is inside of the model");
    match change {
        Change::Replace(value) => *at(model, &path).expect("the place exists") = value,
        Change::Copy(from) => {
            let copied = at(model, &all[from.index(all.len())]).expect("the place exists").clone();
            *at(model, &path).expect("the place exists") = copied;
        }
        Change::Lose | Change::Rename(_) => match (at(model, parent).expect("it has a parent"), last) {
            (Value::Table(table), Step::Key(key)) => {
                let lost = table.remove(key).expect("the place exists");
                if let Change::Rename(key) = change {
                    table.insert(key, lost);
                }
            }
            (Value::Array(list), Step::Index(index)) => drop(list.remove(*index)),
            _ => unreachable!("a place is a key of a table or an index of a list"),
        },
    }
}

/// What the next steps rely on.
fn check(scoring: &Scoring, metrics: &[Metric]) {
    assert!((0.0..=1.0).contains(&scoring.coverage_min) && (0.0..=100.0).contains(&scoring.band_margin));
    let limits: Vec<f64> = scoring.bands.iter().map(|band| band.below.unwrap_or(f64::INFINITY)).collect();
    assert!(limits.is_sorted_by(|a, b| a < b) && limits.last() == Some(&f64::INFINITY), "{limits:?}");
    for measure in &scoring.measures {
        assert!(!measure.attempts.is_empty(), "{}", measure.name);
        for attempt in &measure.attempts {
            assert!(attempt.metric < metrics.len());
            for value in [f64::MIN, -1.0, -0.0, 0.3, 1.0, 7.5, f64::MAX] {
                let points = attempt.curve.points(value);
                assert!((0.0..=100.0).contains(&points), "{}: {points} at {value}", measure.name);
            }
        }
    }
    let last = scoring.profiles.len().wrapping_sub(1);
    for (index, profile) in scoring.profiles.iter().enumerate() {
        assert_eq!(profile.when.is_none(), index == last, "{}", profile.name);
        if let Some(condition) = &profile.when {
            assert!(!condition.alternatives.is_empty());
            assert!(condition.alternatives.iter().all(|tests| !tests.is_empty()));
        }
        let mut named: Vec<usize> =
            profile.groups.iter().flat_map(|group| &group.measures).map(|one| one.measure).collect();
        let count = named.len();
        named.sort_unstable();
        named.dedup();
        assert_eq!(named.len(), count, "{} names a measure twice", profile.name);
        assert!(named.iter().all(|measure| *measure < scoring.measures.len()));
        let whole: f64 = profile
            .groups
            .iter()
            .map(|group| group.weight * group.measures.iter().map(|one| one.weight).sum::<f64>())
            .sum();
        assert!(whole > 0.0 && whole.is_finite(), "{} weighs {whole}", profile.name);
    }
}

fn refused_or_scored(text: &str) {
    let adopted = Model::parse_adopted(text);
    match Model::parse(text) {
        Err(error) => {
            let told = error.to_string();
            assert!(told.contains(": ") && told.lines().count() < 9, "{told}");
            match adopted {
                Ok(model) => assert_eq!(model.scoring, Err(error)),
                Err(other) => assert_eq!(other, error),
            }
        }
        Ok(model) => {
            assert_eq!(adopted.as_ref(), Ok(&model));
            check(model.scoring.as_ref().expect("a parsed model scores"), &model.metrics);
            let compiled = Plan::compile(model, &Names::new(), Calendar::utc(), Bounds::NONE, &[]);
            assert!(compiled.is_ok(), "{:?}", compiled.err());
        }
    }
}

#[test]
fn the_unspoilt_model_is_scored() {
    let text = model().to_string();
    let model = Model::parse(&text).expect("it is in the grammar");
    assert_eq!(model.scoring.expect("it was parsed").profiles.len(), 7);
    refused_or_scored(&text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_spoilt_model_is_refused_or_scored(
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..4)
    ) {
        let mut model = Value::Table(model());
        for (place, change) in changes {
            apply(&mut model, place, change);
        }
        let Value::Table(model) = model else { unreachable!("changes are made inside of the model") };
        refused_or_scored(&model.to_string());
    }

    #[test]
    fn a_torn_text_is_refused_or_scored(
        from in any::<prop::sample::Index>(), length in 0usize..40, by in "[\\PC\n]{0,8}"
    ) {
        let mut text = DEFAULT.to_owned();
        let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let from = from.index(bounds.len());
        let to = (from + length).min(bounds.len() - 1);
        text.replace_range(bounds[from]..bounds[to], &by);
        refused_or_scored(&text);
    }
}
