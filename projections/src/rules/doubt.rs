//! What a rule file may say and is rarely meant, by itself or under a model.

use super::Rules;
use super::kind::Kind;
use super::route::Route;
use crate::model::Model;
use crate::model_error::nearest;

/// Something of a rule file that may be used and is rarely meant.
#[derive(Clone, PartialEq, Debug)]
pub struct Doubt {
    /// Where it stands: the full path of a key.
    pub path: String,
    /// What is doubtful there.
    pub about: About,
}

/// What is doubtful.
#[derive(Clone, PartialEq, Debug)]
pub enum About {
    /// The model has no such metric: the rule is not evaluated under it.
    NoMetric {
        /// The metric as written.
        name: String,
        /// The metric of the model most like it; empty where it has none.
        nearest: String,
    },
    /// The model has no such band, so none is ever entered.
    NoBand {
        /// The band as written.
        name: String,
        /// The band of the model most like it; empty where it has none.
        nearest: String,
    },
    /// A route before it takes everything.
    UnreachedRoute {
        /// Which one, counted from 0.
        by: usize,
    },
    /// No route names the receiver.
    UnusedReceiver,
    /// There are receivers, and no route at all: nobody is told.
    NoRoutes,
}

impl About {
    /// The existing name most like what was written, where there is one.
    pub fn nearest(&self) -> Option<&str> {
        match self {
            Self::NoMetric { nearest, .. } | Self::NoBand { nearest, .. } => {
                Some(nearest.as_str()).filter(|nearest| !nearest.is_empty())
            }
            Self::UnreachedRoute { .. } | Self::UnusedReceiver | Self::NoRoutes => None,
        }
    }
}

impl Rules {
    /// What is doubtful of the rules under a model, in the order: rules, routes, receivers.
    pub fn doubts(&self, model: &Model) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        let metrics: Vec<&str> = model.metrics.iter().map(|metric| metric.name.as_str()).collect();
        let bands: Vec<&str> = match &model.scoring {
            Ok(scoring) => scoring.bands.iter().map(|band| band.name.as_str()).collect(),
            Err(_) => Vec::new(),
        };
        let among = |name: &str, names: &[&str]| nearest(name, names.iter().copied()).to_owned();
        for rule in &self.rules {
            match &rule.kind {
                Kind::Metrics(tests) => {
                    let list = if tests.is_all { "all" } else { "any" };
                    for (index, test) in tests.tests.iter().enumerate() {
                        let name = test.metric.clone();
                        if !metrics.contains(&name.as_str()) {
                            let nearest = among(&name, &metrics);
                            let path = format!("rules.{}.{list}[{index}].metric", rule.name);
                            doubts.push(Doubt { path, about: About::NoMetric { name, nearest } });
                        }
                    }
                }
                Kind::Band(severities) => {
                    for (name, _) in severities.iter().filter(|(name, _)| !bands.contains(&name.as_str())) {
                        let path = format!("rules.{}.band.{name}", rule.name);
                        let (name, nearest) = (name.clone(), among(name, &bands));
                        doubts.push(Doubt { path, about: About::NoBand { name, nearest } });
                    }
                }
                _ => {}
            }
        }
        self.doubts_of_routes(&mut doubts);
        doubts
    }

    fn doubts_of_routes(&self, doubts: &mut Vec<Doubt>) {
        if let Some(by) = self.routes.iter().position(takes_everything) {
            let after = by + 1..self.routes.len();
            doubts.extend(after.map(|index| Doubt {
                path: format!("routes[{index}]"),
                about: About::UnreachedRoute { by },
            }));
        }
        if self.routes.is_empty() && !self.receivers.is_empty() {
            doubts.push(Doubt { path: "receivers".to_owned(), about: About::NoRoutes });
            return;
        }
        let is_unused = |name: &String| self.routes.iter().all(|route| route.receiver != *name);
        let unused = self.receivers.iter().map(|receiver| &receiver.name).filter(|name| is_unused(name));
        doubts.extend(
            unused.map(|name| Doubt { path: format!("receivers.{name}"), about: About::UnusedReceiver }),
        );
    }
}

fn takes_everything(route: &Route) -> bool {
    route.rules.is_empty()
        && route.severities.is_empty()
        && route.tiers.is_empty()
        && route.segments.is_empty()
        && route.stages.is_empty()
        && route.role.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubts(text: &str) -> Vec<Doubt> {
        let model = Model::parse(crate::model::DEFAULT).unwrap();
        Rules::parse(text).expect(text).doubts(&model)
    }

    #[test]
    fn the_default_rules_are_not_doubted_under_the_default_model() {
        assert_eq!(doubts(super::super::DEFAULT), []);
    }

    #[test]
    fn what_the_model_lacks_and_nobody_reaches_is_doubted() {
        let found = doubts(
            "[rules]\na = { any = [{ metric = 'usage_28d', ge = 1 }, { metric = 'usage_28', ge = 1 }], severity = 'low' }\n\
             b = { band = { red = 'low', yelow = 'low' } }\n\
             [[routes]]\nreceiver = 'one'\nrole = 'owner'\n[[routes]]\nreceiver = 'one'\n[[routes]]\nreceiver = 'two'\n\
             [receivers.one]\nkind = 'kafka'\n[receivers.two]\nkind = 'kafka'\n[receivers.three]\nkind = 'kafka'",
        );
        let expected = [
            (
                "rules.a.any[1].metric",
                About::NoMetric { name: "usage_28".into(), nearest: "usage_28d".into() },
            ),
            ("rules.b.band.yelow", About::NoBand { name: "yelow".into(), nearest: "yellow".into() }),
            ("routes[2]", About::UnreachedRoute { by: 1 }),
            ("receivers.three", About::UnusedReceiver),
        ];
        assert_eq!(found, expected.map(|(path, about)| Doubt { path: path.to_owned(), about }));
        let [only] = doubts("[receivers.one]\nkind = 'kafka'").try_into().unwrap();
        assert_eq!(only, Doubt { path: "receivers".into(), about: About::NoRoutes });
    }
}
