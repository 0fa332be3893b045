//! Bands: the names for ranges of the score (health-model §6).

use toml::Value as Toml;

use super::curve::POINTS_MAX;
use super::document::{check_keys, list, name, number, refused, required, table};
use super::{ModelError, bad_value};

/// A range of scores: from the limit of the band before it, or 0, up to its own.
#[derive(Clone, PartialEq, Debug)]
pub struct Band {
    /// Unique in the model.
    pub name: String,
    /// The score that it ends below, above 0 and at most 100; `None` of the last band, which holds all the rest.
    pub below: Option<f64>,
}

/// Reads the list `bands`.
pub(super) fn read_all(declared: &Toml) -> Result<Vec<Band>, ModelError> {
    let entries = list(declared, "bands", "a list of bands, worst first")?;
    let mut bands: Vec<Band> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("bands[{index}]");
        let entry = table(entry, &path, "a table with the keys \"name\" and \"below\"")?;
        check_keys(entry, &path, &["name", "below"])?;
        let name = name(required(entry, "name", &path, "a band")?, &format!("{path}.name"))?;
        if bands.iter().any(|band| band.name == name) {
            return Err(refused(&format!("{path}.name"), format!("there is a band {name:?} before it")));
        }
        let below = match entry.get("below") {
            Some(limit) => {
                Some(number(limit, &format!("{path}.below"), "a score above 0, at most 100", |limit| {
                    0.0 < limit && limit <= POINTS_MAX
                })?)
            }
            None if index + 1 < entries.len() => {
                return Err(refused(&path, format!("{name:?} needs \"below\": only the last band has none")));
            }
            None => None,
        };
        if let (Some(limit), Some(Band { below: Some(before), .. })) = (below, bands.last())
            && limit <= *before
        {
            let reason = format!("{limit} does not exceed {before} of the band before it");
            return Err(refused(&format!("{path}.below"), reason));
        }
        bands.push(Band { name: name.to_owned(), below });
    }
    match bands.last() {
        None => Err(bad_value("bands", declared, "a list of at least one band")),
        Some(Band { name, below: Some(limit) }) => Err(refused(
            &format!("bands[{}]", bands.len() - 1),
            format!(
                "{name:?} is the last band and holds every score from its start on; leave out below = {limit}"
            ),
        )),
        Some(Band { below: None, .. }) => Ok(bands),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bands: &str) -> Result<Vec<Band>, String> {
        let table: toml::Table = format!("bands = {bands}").parse().expect(bands);
        read_all(&table["bands"]).map_err(|error| error.to_string())
    }

    #[test]
    fn bands_hold_every_score_once() {
        let bands = read("[{ name = 'red', below = 39.5 }, { name = 'green' }]").unwrap();
        assert_eq!(bands.iter().map(|band| band.below).collect::<Vec<_>>(), [Some(39.5), None]);
        assert_eq!(read("[{ name = 'all' }]").unwrap().len(), 1);
        for (bands, message) in [
            ("{}", "bands: {} is not a list of bands, worst first"),
            ("[]", "bands: [] is not a list of at least one band"),
            ("[{ below = 40 }]", "bands[0]: a band needs the key \"name\""),
            ("[{ name = '' }]", "bands[0].name: \"\" is not a name"),
            (
                "[{ name = 'red', belw = 40 }]",
                "bands[0]: unknown key \"belw\"; nearest valid key: \"below\" (valid: name, below)",
            ),
            (
                "[{ name = 'red', below = 40 }, { name = 'red' }]",
                "bands[1].name: there is a band \"red\" before it",
            ),
            (
                "[{ name = 'red' }, { name = 'green' }]",
                "bands[0]: \"red\" needs \"below\": only the last band has none",
            ),
            (
                "[{ name = 'red', below = 0 }, { name = 'green' }]",
                "bands[0].below: 0 is not a score above 0, at most 100",
            ),
            (
                "[{ name = 'red', below = 40 }, { name = 'amber', below = 40 }, { name = 'green' }]",
                "bands[1].below: 40 does not exceed 40 of the band before it",
            ),
            (
                "[{ name = 'red', below = 40 }, { name = 'green', below = 100 }]",
                "bands[1]: \"green\" is the last band and holds every score from its start on; leave out below = 100",
            ),
        ] {
            assert_eq!(read(bands), Err(message.to_owned()));
        }
    }
}
