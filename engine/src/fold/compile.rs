//! Compiles the adopted model and rules into what a fold keeps of each account.

use std::sync::Arc;

use tidewatch_projections::alert::watch::Watch;
use tidewatch_projections::calendar::Calendar;
use tidewatch_projections::model::{Model, ModelError};
use tidewatch_projections::names::Names;
use tidewatch_projections::plan::{Bounds, Plan};
use tidewatch_projections::rules::Rules;

/// A plan that keeps what a model and rules read, and the rules beside it.
#[derive(Clone)]
pub struct Compiled {
    pub plan: Arc<Plan>,
    /// `None`: no rules are watched.
    pub watch: Option<Arc<Watch>>,
}

impl Compiled {
    /// Compiles a model with some rules, or none.
    ///
    /// # Errors
    /// When the model keeps more than a plan can.
    pub fn new(
        model: Model,
        rules: Option<&Arc<Rules>>,
        names: &Names,
        calendar: Calendar,
        bounds: Bounds,
    ) -> Result<Self, ModelError> {
        let mut plan = Plan::compile(model, names, calendar, bounds, &[])?;
        let watch = rules.map(|rules| Arc::new(Watch::compile(rules, &mut plan, names)));
        Ok(Self { plan: Arc::new(plan), watch })
    }
}

/// The rules of an adopted text. One of another version is none that can be watched, and that is said.
pub fn adopted_rules(text: &str) -> Option<Arc<Rules>> {
    match Rules::parse(text) {
        Ok(rules) => Some(Arc::new(rules)),
        Err(error) => {
            tracing::warn!(
                "the adopted rules are not of this version's grammar: {error}; nothing is decided until `tidewatch adopt --rules FILE` adopts others"
            );
            None
        }
    }
}
