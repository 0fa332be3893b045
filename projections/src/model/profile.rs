//! Profiles: the groups and weights for the accounts that meet a condition (health-model §7).

use toml::{Table, Value as Toml};

use super::ModelError;
use super::active_account::ActiveAccount;
use super::condition::Condition;
use super::document::{check_keys, list, name, refused, required, table};
use super::group::{Group, WeightSets};
use super::measure::Measure;

/// Most profiles of a model.
const PROFILES_MAX: usize = 200;
const KEYS: [&str; 4] = ["name", "when", "groups", "active_account"];
/// What holds for a whole model.
const KEYS_OF_MODEL: [&str; 3] = ["coverage_min", "band_margin", "bands"];

/// How accounts of one kind are scored.
#[derive(Clone, PartialEq, Debug)]
pub struct Profile {
    /// Unique in the model.
    pub name: String,
    /// The accounts it applies to, unless an earlier profile does; `None`, of the last profile only: every account.
    pub when: Option<Condition>,
    /// At least one weighs more than 0 and has a measure that does; in the order of the file.
    pub groups: Vec<Group>,
    /// When such an account is active; `None`: as the model says.
    pub active_account: Option<ActiveAccount>,
}

/// Reads the list `profiles`: at least one, and the last, no other, applies to every account.
pub(super) fn read_all(
    declared: &Toml,
    measures: &[Measure],
    sets: &WeightSets<'_>,
) -> Result<Vec<Profile>, ModelError> {
    let entries = list(declared, "profiles", "a list of tables")?;
    if entries.len() > PROFILES_MAX {
        let reason = format!("{} profiles are declared, at most {PROFILES_MAX} are allowed", entries.len());
        return Err(refused("profiles", reason));
    }
    let mut profiles: Vec<Profile> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("profiles[{index}]");
        let entry = table(entry, &path, "a table with the keys \"name\" and \"groups\"")?;
        let profile = Profile::read(entry, &path, measures, sets)?;
        if let Some(other) = profiles.iter().position(|other| other.name == profile.name) {
            let reason = format!("profiles[{other}] has the name {:?} already", profile.name);
            return Err(refused(&format!("{path}.name"), reason));
        }
        profiles.push(profile);
    }
    match profiles.iter().position(|profile| profile.when.is_none()) {
        None if profiles.is_empty() => {
            Err(refused("profiles", "no profile; add one without \"when\", which applies to every account"))
        }
        None => Err(refused(
            "profiles",
            "no profile applies to accounts that meet no condition; add a last one without \"when\"",
        )),
        Some(index) if index + 1 < profiles.len() => Err(refused(
            &at(&profiles[index].name),
            format!(
                "it has no \"when\", so {:?} after it can never apply; move it to the end or give it a condition",
                profiles[index + 1].name
            ),
        )),
        Some(_) => Ok(profiles),
    }
}

/// The path of a profile, by its name: which it is in the file is hard to count.
fn at(name: &str) -> String {
    format!("profiles[{name:?}]")
}

impl Profile {
    fn read(
        declared: &Table,
        path: &str,
        measures: &[Measure],
        sets: &WeightSets<'_>,
    ) -> Result<Self, ModelError> {
        let name = name(required(declared, "name", path, "a profile")?, &format!("{path}.name"))?;
        let path = at(name);
        if let Some(key) = KEYS_OF_MODEL.iter().find(|key| declared.contains_key(**key)) {
            let reason = format!(
                "{key} is the same for all profiles of a model; state it at the top (only active_account may differ)"
            );
            return Err(refused(&path, reason));
        }
        check_keys(declared, &path, &KEYS)?;
        let when = match declared.get("when") {
            Some(condition) => Some(Condition::read(condition, &format!("{path}.when"))?),
            None => None,
        };
        let at_groups = format!("{path}.groups");
        let declared_groups =
            table(required(declared, "groups", &path, "a profile")?, &at_groups, "a table of groups")?;
        let mut groups = Vec::with_capacity(declared_groups.len());
        for (name, group) in declared_groups {
            groups.push(Group::read(name, group, &format!("{at_groups}.{name}"), sets)?);
        }
        check_groups(&groups, measures, &at_groups)?;
        let active_account = match declared.get("active_account") {
            Some(active) => Some(ActiveAccount::read(active, &format!("{path}.active_account"))?),
            None => None,
        };
        Ok(Self { name: name.to_owned(), when, groups, active_account })
    }
}

fn check_groups(groups: &[Group], measures: &[Measure], path: &str) -> Result<(), ModelError> {
    let mut group_of: Vec<Option<&str>> = vec![None; measures.len()];
    for group in groups {
        for weighted in &group.measures {
            if let Some(other) = group_of[weighted.measure].replace(&group.name) {
                let measure = &measures[weighted.measure].name;
                let reason = format!(
                    "the measure {measure:?} stands in {other:?} already; a profile names a measure once"
                );
                return Err(refused(&format!("{path}.{}", group.name), reason));
            }
        }
    }
    let counts =
        |group: &Group| group.weight > 0.0 && group.measures.iter().any(|weighted| weighted.weight > 0.0);
    match groups.iter().any(counts) {
        true => Ok(()),
        false => Err(refused(
            path,
            "no group of positive weight has a measure of positive weight, so there would be no score",
        )),
    }
}
