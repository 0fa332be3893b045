//! When an account counts as active (health-model §9).

use toml::Value as Toml;

use super::document::{check_keys, days, flag, list, number, refused, required, table, text, word};
use super::{ModelError, Plain, PlainKind, bad_value};
use crate::filter::Filter;

const KEYS: [&str; 6] = ["agg", "window", "filter", "at_least", "core", "skip_closed"];
const AGGS: [&str; 4] = ["active_days", "active_users", "count", "features_used"];

/// A level of use that an account must reach to count as active.
#[derive(Clone, PartialEq, Debug)]
pub struct ActiveAccount {
    /// Days, people, events or features within a window, of the core features alone where there is a list of them.
    pub level: Plain,
    /// The account is active from this level on; above 0.
    pub at_least: f64,
}

impl ActiveAccount {
    pub(super) fn read(declared: &Toml, path: &str) -> Result<Self, ModelError> {
        let at = |key: &str| format!("{path}.{key}");
        let needed = "an active account";
        let declared = table(declared, path, "a table with the keys \"agg\", \"window\" and \"at_least\"")?;
        check_keys(declared, path, &KEYS)?;
        let agg = word(required(declared, "agg", path, needed)?, &at("agg"), &AGGS)?;
        let window = days(required(declared, "window", path, needed)?, &at("window"))?;
        let at_least = required(declared, "at_least", path, needed)?;
        let at_least = number(at_least, &at("at_least"), "a number above 0", |least| 0.0 < least)?;
        let mut filter = match declared.get("filter") {
            None => Filter::default(),
            Some(Toml::Table(filter)) => Filter::parse(filter, &at("filter"))?,
            Some(other) => return Err(bad_value(&at("filter"), other, "a table of conditions")),
        };
        let skip_closed = match declared.get("skip_closed") {
            Some(skip) => flag(skip, &at("skip_closed"))?,
            None => false,
        };
        let mut core = Vec::new();
        if let Some(features) = declared.get("core") {
            for feature in list(features, &at("core"), "a list of features")? {
                core.push(text(feature, &at("core"))?.to_owned());
            }
        }
        core.sort();
        core.dedup();
        if !core.is_empty() && agg != "features_used" {
            filter = filter.with_features(&core);
        }
        if agg == "active_days" && at_least > f64::from(window) {
            let reason = format!("{at_least} days of {window} cannot be reached");
            return Err(refused(&at("at_least"), reason));
        }
        let kind = match agg {
            "active_days" => PlainKind::ActiveDays,
            "active_users" => PlainKind::ActiveUsers,
            "count" => PlainKind::Count,
            _ => PlainKind::FeaturesUsed { core },
        };
        Ok(Self { level: Plain { kind, filter, window: Some(window), skip_closed }, at_least })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(active: &str) -> Result<ActiveAccount, String> {
        let table: toml::Table = format!("active_account = {active}").parse().expect(active);
        ActiveAccount::read(&table["active_account"], "active_account").map_err(|error| error.to_string())
    }

    #[test]
    fn core_features_narrow_the_level() {
        let filter = "filter = { family = 'usage' }";
        let all = read(&format!("{{ agg = 'active_days', window = 28, at_least = 4, {filter} }}")).unwrap();
        assert_eq!(
            (all.level.kind.clone(), all.level.window, all.at_least),
            (PlainKind::ActiveDays, Some(28), 4.0)
        );
        let same =
            read(&format!("{{ agg = 'active_days', window = 28, at_least = 4, {filter}, core = [] }}"));
        assert_eq!(same.unwrap(), all);
        let core = "core = ['b', 'a', 'b']";
        let some =
            read(&format!("{{ agg = 'active_days', window = 28, at_least = 4, {filter}, {core} }}")).unwrap();
        assert_eq!(some.level.filter, all.level.filter.with_features(&["a".to_owned(), "b".to_owned()]));
        let features =
            read(&format!("{{ agg = 'features_used', window = 7, at_least = 0.5, {core} }}")).unwrap();
        assert_eq!(features.level.kind, PlainKind::FeaturesUsed { core: vec!["a".into(), "b".into()] });
        assert_eq!(features.level.filter, Filter::default());
    }

    #[test]
    fn what_no_account_could_reach_is_refused() {
        for (active, message) in [
            ("4", "active_account: 4 is not a table with the keys \"agg\", \"window\" and \"at_least\""),
            ("{ window = 28, at_least = 4 }", "active_account: an active account needs the key \"agg\""),
            (
                "{ agg = 'active_day', window = 28, at_least = 4 }",
                "active_account.agg: \"active_day\" is not one of active_days, active_users, count, features_used \
                 (nearest: \"active_days\")",
            ),
            ("{ agg = 'count', at_least = 4 }", "active_account: an active account needs the key \"window\""),
            (
                "{ agg = 'count', window = 28, at_least = 0 }",
                "active_account.at_least: 0 is not a number above 0",
            ),
            (
                "{ agg = 'active_days', window = 28, at_least = 29 }",
                "active_account.at_least: 29 days of 28 cannot be reached",
            ),
            (
                "{ agg = 'count', window = 28, at_leest = 4 }",
                "active_account: unknown key \"at_leest\"; nearest valid key: \"at_least\" (valid: agg, window, filter, \
                 at_least, core, skip_closed)",
            ),
            (
                "{ agg = 'count', window = 28, at_least = 4, filter = { famly = 'usage' } }",
                "active_account.filter: unknown key \"famly\"; nearest valid key: \"family\" (valid: family, type, \
                 feature, metric, product, actor, source, user, quantity, amount, currency, properties.<key>)",
            ),
        ] {
            assert_eq!(read(active), Err(message.to_owned()));
        }
    }
}
