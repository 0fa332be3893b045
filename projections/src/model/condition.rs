//! Conditions: to which accounts a profile applies, by what is known of them (health-model §7).

use toml::{Table, Value as Toml};

use super::document::{days, flag, list, refused, table};
use super::{ModelError, bad_value};
use crate::filter::Test;
use crate::value::Value;
use crate::vocabulary::{KINDS, Status, USAGE_RHYTHMS};

/// Holds for an account when all tests of one alternative hold.
#[derive(Clone, PartialEq, Debug)]
pub struct Condition {
    /// At least one, each with at least one test.
    pub alternatives: Vec<Vec<FactTest>>,
}

/// A test of one fact. Where the fact is missing the test fails, whatever it asks.
#[derive(Clone, PartialEq, Debug)]
pub enum FactTest {
    /// The status, by its name.
    Status(Test),
    /// The age in days, counted from the first day of life, is below this.
    AgeDaysBelow(u32),
    /// Whether the account ever had a usage event.
    EverUsed(bool),
    /// The seats that are paid for, or else stated (health-model §2).
    Seats(Test),
    /// The annualised amount of live subscriptions, in minor units.
    Amount(Test),
    /// A fact by its name: `tier`, `segment`, `stage`, `roles.owner`, an attribute.
    Named(Box<str>, Test),
}

const FACTS_OF_ROLES: &str = "roles";

impl Condition {
    pub(crate) fn read(declared: &Toml, path: &str) -> Result<Self, ModelError> {
        let entries = list(declared, path, "a list of tables of facts")?;
        if entries.is_empty() {
            return Err(refused(
                path,
                "no alternative, so it never holds; name a fact, or leave \"when\" out",
            ));
        }
        let mut alternatives = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let tests = read_tests(table(entry, &path, "a table of facts")?, &path)?;
            if tests.is_empty() {
                return Err(refused(&path, "no fact, so it always holds; name one, or leave \"when\" out"));
            }
            alternatives.push(tests);
        }
        Ok(Self { alternatives })
    }
}

/// Reads one alternative. `roles.x` may stand in quotes or bare: bare, TOML reads it as a table `roles` with a key `x`.
fn read_tests(facts: &Table, path: &str) -> Result<Vec<FactTest>, ModelError> {
    let mut tests = Vec::with_capacity(facts.len());
    for (name, wanted) in facts {
        match wanted {
            Toml::Table(roles) if name == FACTS_OF_ROLES => {
                for (role, wanted) in roles {
                    tests.push(FactTest::read(&format!("{FACTS_OF_ROLES}.{role}"), wanted, path)?);
                }
            }
            _ => tests.push(FactTest::read(name, wanted, path)?),
        }
    }
    Ok(tests)
}

impl FactTest {
    fn read(name: &str, wanted: &Toml, path: &str) -> Result<Self, ModelError> {
        let path = format!("{path}.{name}");
        let words = match name {
            "age_days_below" => return Ok(Self::AgeDaysBelow(days(wanted, &path)?)),
            "ever_used" => return Ok(Self::EverUsed(flag(wanted, &path)?)),
            FACTS_OF_ROLES => {
                let expected = "a test of one role; write roles.owner, roles.seller, …";
                return Err(bad_value(&path, wanted, expected));
            }
            "status" => Status::ALL.map(Status::name).to_vec(),
            "kind" => KINDS.to_vec(),
            "usage_rhythm" => USAGE_RHYTHMS.to_vec(),
            _ => Vec::new(),
        };
        let test = Test::parse(wanted, &path)?;
        if test.is_empty_list() {
            return Err(bad_value(&path, wanted, "a value or a list of at least one"));
        }
        if !words.is_empty() {
            test.check_words(&words, &path)?;
            if test.limits().next().is_some() {
                let expected = "a test of a word: a value, a list of values, not or exists";
                return Err(bad_value(&path, wanted, expected));
            }
        }
        Ok(match name {
            "status" => Self::Status(test),
            "seats" | "amount" => {
                check_numbers(&test, &path)?;
                if name == "seats" { Self::Seats(test) } else { Self::Amount(test) }
            }
            other => Self::Named(other.into(), test),
        })
    }
}

/// Refuses values other than numbers.
fn check_numbers(test: &Test, path: &str) -> Result<(), ModelError> {
    match test.values().chain(test.limits()).find(|value| !matches!(value, Value::Number(_))) {
        None => Ok(()),
        Some(other) => Err(ModelError::BadValue {
            path: path.to_owned(),
            value: other.to_json(),
            expected: "a number".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::FieldValue;

    fn read(when: &str) -> Result<Condition, String> {
        let table: Table = format!("when = {when}").parse().expect(when);
        Condition::read(&table["when"], "when").map_err(|error| error.to_string())
    }

    #[test]
    fn facts_are_typed_and_any_other_name_is_a_fact() {
        let condition = read(
            "[{ status = ['paying', 'leaving'], age_days_below = 60 }, { ever_used = false, seats = { ge = 10 } }, \
             { roles.owner = 'ann', 'roles.technical' = { exists = true }, amount = { lt = 5.5 }, tier = { not = 'A' } }]",
        )
        .unwrap();
        let [first, second, third] = condition.alternatives.as_slice() else { panic!("{condition:?}") };
        assert!(matches!(first.as_slice(), [FactTest::Status(_), FactTest::AgeDaysBelow(60)]), "{first:?}");
        assert!(matches!(second.as_slice(), [FactTest::EverUsed(false), FactTest::Seats(_)]), "{second:?}");
        let [owner, technical, FactTest::Amount(amount), tier] = third.as_slice() else {
            panic!("{third:?}")
        };
        let passes = |number: i64| amount.passes(Some(FieldValue::Number(number.into())));
        assert!(passes(5) && !passes(6));
        let names: Vec<&str> = [owner, technical, tier]
            .into_iter()
            .map(|test| match test {
                FactTest::Named(name, _) => &**name,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names, ["roles.owner", "roles.technical", "tier"]);
    }

    #[test]
    fn what_no_account_can_meet_is_refused() {
        for (when, message) in [
            ("{ tier = 'A' }", "when: { tier = \"A\" } is not a list of tables of facts"),
            ("[]", "when: no alternative, so it never holds; name a fact, or leave \"when\" out"),
            ("[{}]", "when[0]: no fact, so it always holds; name one, or leave \"when\" out"),
            ("[{ tier = 'A' }, 3]", "when[1]: 3 is not a table of facts"),
            ("[{ tier = [] }]", "when[0].tier: [] is not a value or a list of at least one"),
            (
                "[{ tier = { is = 'A' } }]",
                "when[0].tier.is: unknown key \"is\"; nearest valid key: \"ge\" (valid: ge, gt, le, lt, not, exists)",
            ),
            (
                "[{ status = 'payng' }]",
                "when[0].status: \"payng\" is not one of closed, merged, paying, ended, prospect, trial, paused, \
                 leaving, free (nearest: \"paying\")",
            ),
            (
                "[{ status = { ge = 'paying' } }]",
                "when[0].status: { ge = \"paying\" } is not a test of a word: a value, a list of values, not or exists",
            ),
            (
                "[{ kind = { not = 'tset' } }]",
                "when[0].kind: \"tset\" is not one of customer, partner, internal, test (nearest: \"test\")",
            ),
            ("[{ age_days_below = 0 }]", "when[0].age_days_below: 0 is not a whole number from 1 to 36525"),
            ("[{ ever_used = 'no' }]", "when[0].ever_used: \"no\" is not true or false"),
            ("[{ seats = '10' }]", "when[0].seats: \"10\" is not a number"),
            ("[{ amount = { ge = 'much' } }]", "when[0].amount: \"much\" is not a number"),
            (
                "[{ roles = 'ann' }]",
                "when[0].roles: \"ann\" is not a test of one role; write roles.owner, roles.seller, …",
            ),
        ] {
            assert_eq!(read(when), Err(message.to_owned()));
        }
    }
}
