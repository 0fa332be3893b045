//! Rules made ready: which series each of them reads, and which of them the adopted model cannot answer.

use std::sync::Arc;

use crate::filter::Field;
use crate::names::Names;
use crate::plan::{COUNT, Plan};
use crate::rules::Rules;
use crate::rules::kind::Kind;
use crate::series::Need;

/// The rules beside a plan that keeps what they read.
#[derive(Clone)]
pub struct Watch {
    /// The rules.
    pub rules: Arc<Rules>,
    /// By rule, in the order of the file: where it finds its figures.
    inputs: Vec<Source>,
}

/// Where a rule finds its figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a series of the plan.
    Series(usize),
    /// In metrics of the model, by their places, in the order of the rule's tests.
    Metrics(Vec<usize>),
    /// In the account itself, or in its scores.
    Account,
    /// Nowhere: the model lacks a metric that the rule names.
    NoMetric(Box<str>),
}

impl Watch {
    /// Adds what the rules read to a plan.
    pub fn compile(rules: &Arc<Rules>, plan: &mut Plan, names: &Names) -> Self {
        let inputs = rules.rules.iter().map(|rule| match &rule.kind {
            Kind::Drop(drop) => Source::Series(plan.watch(&drop.filter, Need::Sum(Field::Quantity))),
            Kind::Event(filter) => Source::Series(plan.watch(filter, COUNT)),
            Kind::Metrics(tests) => {
                let place = |name: &str| plan.model.metrics.iter().position(|metric| metric.name == name);
                let places: Result<Vec<usize>, &str> =
                    tests.tests.iter().map(|test| place(&test.metric).ok_or(test.metric.as_str())).collect();
                places.map_or_else(|name| Source::NoMetric(name.into()), Source::Metrics)
            }
            _ => Source::Account,
        });
        let inputs = inputs.collect();
        plan.index_feeds(names);
        Self { rules: Arc::clone(rules), inputs }
    }

    /// Where a rule finds its figures, by its place in the file.
    pub fn source(&self, rule: usize) -> &Source {
        &self.inputs[rule]
    }
}
