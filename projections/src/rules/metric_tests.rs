//! Conditions on metrics: `threshold`, `change` and `absence` of alerts §7 are all of this form.

use toml::Value as Toml;

use crate::filter::bad_value;
use crate::model::document::{check_keys, list, name, number, refused, required, table};
use crate::model_error::ModelError;

/// Most tests of one rule.
const TESTS_MAX: usize = 50;
const BOUNDS: [&str; 4] = ["ge", "gt", "le", "lt"];

/// What must hold of some metrics.
#[derive(Clone, PartialEq, Debug)]
pub struct MetricTests {
    /// Whether all of the tests must hold, or any one of them.
    pub is_all: bool,
    /// At least one.
    pub tests: Vec<MetricTest>,
}

/// What must hold of one metric of the adopted model.
#[derive(Clone, PartialEq, Debug)]
pub struct MetricTest {
    /// Its name. Whether the model has it is known when the rule is evaluated.
    pub metric: String,
    /// The bounds: at least one.
    pub bounds: Vec<(Bound, f64)>,
}

/// How a value is held against a bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// At least.
    Ge,
    /// Above.
    Gt,
    /// At most.
    Le,
    /// Below.
    Lt,
}

impl Bound {
    /// The name in rule files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ge => "ge",
            Self::Gt => "gt",
            Self::Le => "le",
            Self::Lt => "lt",
        }
    }

    /// Whether a value meets the bound.
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Ge => value >= bound,
            Self::Gt => value > bound,
            Self::Le => value <= bound,
            Self::Lt => value < bound,
        }
    }
}

impl MetricTest {
    /// Whether a value meets all bounds.
    pub fn holds(&self, value: f64) -> bool {
        self.bounds.iter().all(|(bound, limit)| bound.holds(value, *limit))
    }

    fn read(declared: &Toml, path: &str) -> Result<Self, ModelError> {
        let declared = table(declared, path, "a table with the key \"metric\"")?;
        check_keys(declared, path, &["metric", "ge", "gt", "le", "lt"])?;
        let metric = name(required(declared, "metric", path, "a test")?, &format!("{path}.metric"))?;
        let mut bounds = Vec::new();
        for bound in [Bound::Ge, Bound::Gt, Bound::Le, Bound::Lt] {
            if let Some(limit) = declared.get(bound.name()) {
                let limit = number(limit, &format!("{path}.{}", bound.name()), "a number", |_| true)?;
                bounds.push((bound, limit));
            }
        }
        if bounds.is_empty() {
            let reason = format!("nothing is asked of {metric:?}; give it one of {}", BOUNDS.join(", "));
            return Err(refused(path, reason));
        }
        Ok(Self { metric: metric.to_owned(), bounds })
    }
}

impl MetricTests {
    /// Reads the list under `any` or `all`.
    pub(super) fn read(declared: &Toml, path: &str, is_all: bool) -> Result<Self, ModelError> {
        let listed = list(declared, path, "a list of tables { metric, ge | gt | le | lt }")?;
        if listed.is_empty() || listed.len() > TESTS_MAX {
            return Err(bad_value(path, declared, &format!("a list of 1 to {TESTS_MAX} tests")));
        }
        let tests = listed.iter().enumerate();
        let tests = tests.map(|(index, test)| MetricTest::read(test, &format!("{path}[{index}]")));
        Ok(Self { is_all, tests: tests.collect::<Result<_, _>>()? })
    }

    /// Whether the condition holds of metrics; `None` where what is missing decides.
    ///
    /// Of all, one that fails is enough to say no, and of any, one that holds to say yes.
    pub fn hold(&self, value: impl Fn(&str) -> Option<f64>) -> Option<bool> {
        let mut is_missing = false;
        for test in &self.tests {
            match value(&test.metric) {
                Some(value) if test.holds(value) != self.is_all => return Some(!self.is_all),
                Some(_) => {}
                None => is_missing = true,
            }
        }
        (!is_missing).then_some(self.is_all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_decides_only_where_nothing_else_does() {
        let tests = |is_all| MetricTests {
            is_all,
            tests: vec![
                MetricTest { metric: "a".into(), bounds: vec![(Bound::Ge, 1.0), (Bound::Lt, 2.0)] },
                MetricTest { metric: "b".into(), bounds: vec![(Bound::Gt, 0.0)] },
            ],
        };
        let hold = |is_all, a: Option<f64>, b: Option<f64>| {
            tests(is_all).hold(|metric| if metric == "a" { a } else { b })
        };
        for (a, b, all, any) in [
            (Some(1.0), Some(1.0), Some(true), Some(true)),
            (Some(2.0), Some(1.0), Some(false), Some(true)),
            (Some(2.0), Some(0.0), Some(false), Some(false)),
            (Some(1.5), None, None, Some(true)),
            (Some(0.0), None, Some(false), None),
            (None, None, None, None),
        ] {
            assert_eq!((hold(true, a, b), hold(false, a, b)), (all, any), "{a:?}, {b:?}");
        }
    }
}
