//! The scoring parts of a model file: their keys are checked, their evaluation is not this crate's yet.

use toml::{Table, Value as Toml};

use super::{ModelError, bad_value, check_keys, integer, number, required, text};

const MEASURE: [&str; 8] =
    ["metric", "curve", "otherwise", "missing", "half_life_days", "max_age_days", "input", "weight"];
const PROFILE: [&str; 7] =
    ["name", "when", "groups", "coverage_min", "band_margin", "bands", "active_account"];
const ACTIVE_ACCOUNT: [&str; 6] = ["agg", "window", "filter", "at_least", "core", "skip_closed"];

/// Checks bands, measures, weights and profiles.
pub(super) fn check(table: &Table) -> Result<(), ModelError> {
    if let Some(name) = table.get("name") {
        text(name, "name")?;
    }
    if let Some(version) = table.get("version") {
        integer(version, "version", 0, i64::MAX)?;
    }
    check_common(table, "")?;
    for (name, measure) in tables(table, "measures")? {
        let path = format!("measures.{name}");
        let measure = measure.as_table().ok_or_else(|| bad_value(&path, measure, "a table"))?;
        check_measure(measure, &path)?;
    }
    for (name, weights) in tables(table, "weights")? {
        let path = format!("weights.{name}");
        check_weights(
            weights.as_table().ok_or_else(|| bad_value(&path, weights, "a table of weights"))?,
            &path,
        )?;
    }
    let Some(profiles) = table.get("profiles") else { return Ok(()) };
    let list = profiles.as_array().ok_or_else(|| bad_value("profiles", profiles, "a list of tables"))?;
    for (index, profile) in list.iter().enumerate() {
        let path = format!("profiles[{index}]");
        check_profile(profile.as_table().ok_or_else(|| bad_value(&path, profile, "a table"))?, &path)?;
    }
    Ok(())
}

fn tables<'a>(
    table: &'a Table,
    key: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Toml)>, ModelError> {
    match table.get(key) {
        None => Ok(None.into_iter().flatten()),
        Some(Toml::Table(inner)) => Ok(Some(inner.iter()).into_iter().flatten()),
        Some(other) => Err(bad_value(key, other, "a table")),
    }
}

fn check_common(table: &Table, path: &str) -> Result<(), ModelError> {
    let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    if let Some(share) = table.get("coverage_min") {
        number(share, &at("coverage_min"), "a share from 0 to 1", |share| (0.0..=1.0).contains(&share))?;
    }
    if let Some(margin) = table.get("band_margin") {
        number(margin, &at("band_margin"), "points from 0 to 100", |points| (0.0..=100.0).contains(&points))?;
    }
    if let Some(bands) = table.get("bands") {
        let list = bands.as_array().ok_or_else(|| bad_value(&at("bands"), bands, "a list of bands"))?;
        for (index, band) in list.iter().enumerate() {
            let path = format!("{}[{index}]", at("bands"));
            let band = band.as_table().ok_or_else(|| bad_value(&path, band, "a table"))?;
            check_keys(band, &path, &["name", "below"])?;
            text(required(band, "name", &path, "a band")?, &path)?;
        }
    }
    if let Some(active) = table.get("active_account") {
        let path = at("active_account");
        let active = active.as_table().ok_or_else(|| bad_value(&path, active, "a table"))?;
        check_keys(active, &path, &ACTIVE_ACCOUNT)?;
    }
    Ok(())
}

fn check_measure(measure: &Table, path: &str) -> Result<(), ModelError> {
    check_keys(measure, path, &MEASURE)?;
    check_curve(measure, path)?;
    if let Some(missing) = measure.get("missing") {
        let word = text(missing, &format!("{path}.missing"))?;
        if !["exclude", "neutral", "worst", "last"].contains(&word) {
            return Err(bad_value(
                &format!("{path}.missing"),
                missing,
                "one of exclude, neutral, worst, last",
            ));
        }
    }
    if let Some(others) = measure.get("otherwise") {
        let list = others.as_array().ok_or_else(|| bad_value(path, others, "a list of {metric, curve}"))?;
        for (index, other) in list.iter().enumerate() {
            let path = format!("{path}.otherwise[{index}]");
            let other = other.as_table().ok_or_else(|| bad_value(&path, other, "a table"))?;
            check_keys(other, &path, &["metric", "curve"])?;
            check_curve(other, &path)?;
        }
    }
    Ok(())
}

fn check_curve(table: &Table, path: &str) -> Result<(), ModelError> {
    text(required(table, "metric", path, "a measure")?, &format!("{path}.metric"))?;
    let path = format!("{path}.curve");
    let curve = required(table, "curve", &path, "a measure")?;
    let expected =
        "at least two [value, points] pairs with strictly increasing values and points from 0 to 100";
    let wrong = || bad_value(&path, curve, expected);
    let pairs = curve.as_array().ok_or_else(wrong)?;
    let mut last = f64::NEG_INFINITY;
    for pair in pairs {
        let [value, points] = pair.as_array().map(Vec::as_slice).ok_or_else(wrong)? else {
            return Err(wrong());
        };
        let value = number(value, &path, expected, |_| true)?;
        number(points, &path, expected, |points| (0.0..=100.0).contains(&points))?;
        if value <= last {
            return Err(wrong());
        }
        last = value;
    }
    if pairs.len() < 2 { Err(wrong()) } else { Ok(()) }
}

fn check_weights(weights: &Table, path: &str) -> Result<(), ModelError> {
    for (name, weight) in weights {
        number(weight, &format!("{path}.{name}"), "a weight of 0 or more", |weight| weight >= 0.0)?;
    }
    Ok(())
}

fn check_profile(profile: &Table, path: &str) -> Result<(), ModelError> {
    check_keys(profile, path, &PROFILE)?;
    check_common(profile, path)?;
    text(required(profile, "name", path, "a profile")?, &format!("{path}.name"))?;
    let groups = required(profile, "groups", path, "a profile")?;
    let table = groups.as_table().ok_or_else(|| bad_value(path, groups, "a table of groups"))?;
    for (name, group) in table {
        let path = format!("{path}.groups.{name}");
        let group = group.as_table().ok_or_else(|| bad_value(&path, group, "a table"))?;
        check_keys(group, &path, &["weight", "measures"])?;
        number(required(group, "weight", &path, "a group")?, &path, "a weight of 0 or more", |w| w >= 0.0)?;
        match required(group, "measures", &path, "a group")? {
            Toml::String(_) => {}
            Toml::Table(weights) => check_weights(weights, &path)?,
            other => {
                return Err(bad_value(&path, other, "the name of a set of weights, or a table of weights"));
            }
        }
    }
    match profile.get("when") {
        None => Ok(()),
        Some(Toml::Array(alternatives)) if alternatives.iter().all(Toml::is_table) => Ok(()),
        Some(other) => Err(bad_value(&format!("{path}.when"), other, "a list of tables of facts")),
    }
}
