//! What a model file may say and is rarely meant: curves that tell nothing apart, things that nothing uses, types that no
//! contract has.

use std::collections::BTreeSet;

use toml::{Table, Value as Toml};

use super::curve::Curve;
use super::measure::Measure;
use super::scoring::Scoring;
use super::{Agg, Model, Plain, PlainKind, StandingKind, document};
use crate::filter::{Field, Filter};
use crate::model_error::nearest;
use crate::names::Names;
use crate::tenant::Feed;
use crate::vocabulary::{EventType, KNOWN_TYPES};

/// Something of a model that may be used and is rarely meant.
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
    /// Every value of a metric gives the same points.
    FlatCurve {
        /// The points.
        points: f64,
    },
    /// Values between two neighbouring pairs give the same points.
    FlatPart {
        /// The value of the lower pair.
        from: f64,
        /// The value of the upper one.
        to: f64,
        /// The points of both.
        points: f64,
    },
    /// The points rise up to some value and fall after it, or the other way round.
    Turn {
        /// The value at which they turn.
        at: f64,
        /// Whether they rise before it.
        rises_before: bool,
    },
    /// No measure tries the metric, nor is it part of one that is tried.
    UnusedMetric,
    /// No profile has the measure.
    UnusedMeasure,
    /// No profile has the set of weights.
    UnusedWeights,
    /// A condition names a type that the contract does not have; sources may send it all the same.
    UnknownType {
        /// The type as written.
        name: String,
        /// The type of the contract most like it.
        nearest: &'static str,
    },
    /// No type of the contract can pass the filter.
    MatchesNoType,
    /// No source has sent an event of any type that the metric is made of.
    Unfed {
        /// The types of the contract that it can be made of, at most a few.
        types: Vec<&'static str>,
    },
    /// Events that the metric counts people by never name a user.
    NoUsers,
    /// No account meets the condition of the profile and of none before it.
    UnreachedProfile,
    /// No account has used the feature.
    UnseenFeature {
        /// The feature as written.
        name: String,
        /// The feature that was used and is most like it; empty when none was.
        nearest: String,
    },
}

impl About {
    /// What was probably meant, where something is most like it.
    pub fn nearest(&self) -> Option<&str> {
        match self {
            Self::UnknownType { nearest, .. } => Some(nearest),
            Self::UnseenFeature { nearest, .. } => Some(nearest.as_str()).filter(|name| !name.is_empty()),
            _ => None,
        }
    }
}

/// Most types that are named of a metric without events.
const TYPES_NAMED_MAX: usize = 4;

impl Model {
    /// What is doubtful of a model whatever accounts there are. `text` is the file it was read from.
    pub fn doubts(&self, text: &str) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        if let Ok(scoring) = &self.scoring {
            scoring.measures.iter().for_each(|measure| doubt_curves(measure, &mut doubts));
            if !scoring.profiles.is_empty() {
                self.doubt_unused(scoring, text, &mut doubts);
            }
        }
        for (path, filter) in self.filters() {
            for name in filter.texts(&Field::Type).filter(|name| EventType::known(name).is_none()) {
                let nearest = nearest(name, KNOWN_TYPES.iter().map(|(_, known, _)| *known));
                let about = About::UnknownType { name: name.to_owned(), nearest };
                doubts.push(Doubt { path: format!("{path}.type"), about });
            }
            let names_type = filter.texts(&Field::Type).next().is_some();
            let knows_all = filter.texts(&Field::Type).all(|name| EventType::known(name).is_some());
            if names_type && knows_all && types_of(filter).next().is_none() {
                doubts.push(Doubt { path, about: About::MatchesNoType });
            }
        }
        doubts
    }

    /// The metrics that cannot have a value for any account, because nothing they are made of has ever arrived. Those made of
    /// others are not told: their parts are.
    pub fn doubts_of_feed(&self, feed: &Feed, names: &Names) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        for (index, metric) in self.metrics.iter().enumerate() {
            if !metric.agg.parts().is_empty() {
                continue;
            }
            let path = format!("metrics.{}", metric.name);
            if let Some(needed) = needed_type(&metric.agg) {
                if feed.types().all(|(kind, _)| kind != needed) {
                    let types = needed.known_name().into_iter().collect();
                    doubts.push(Doubt { path, about: About::Unfed { types } });
                }
                continue;
            }
            for filter in self.inputs_of(index) {
                let mut arrived = feed.types().filter(|(kind, _)| filter.can_match(names, *kind)).peekable();
                if arrived.peek().is_none() {
                    let types = types_of(&filter).take(TYPES_NAMED_MAX).collect();
                    doubts.push(Doubt { path: path.clone(), about: About::Unfed { types } });
                } else if counts_people(&metric.agg) && arrived.all(|(_, fed)| fed.earliest_user_at.is_none())
                {
                    doubts.push(Doubt { path: path.clone(), about: About::NoUsers });
                }
            }
        }
        doubts
    }

    /// The features that a model names and none of those that were used is.
    pub fn doubts_of_features(&self, used: &BTreeSet<&str>) -> Vec<Doubt> {
        let mut named: Vec<(String, &str)> = Vec::new();
        for metric in &self.metrics {
            if let Agg::Plain(Plain {
                kind: PlainKind::FeaturesUsed { core } | PlainKind::FeaturesShare { core },
                ..
            }) = &metric.agg
            {
                named
                    .extend(core.iter().map(|name| (format!("metrics.{}.core", metric.name), name.as_str())));
            }
        }
        let filters = self.filters();
        for (path, filter) in &filters {
            named.extend(filter.texts(&Field::Feature).map(|name| (format!("{path}.feature"), name)));
        }
        let unseen = named.into_iter().filter(|(_, name)| !used.contains(name));
        let doubt = |(path, name): (String, &str)| {
            let nearest = nearest(name, used.iter().copied()).to_owned();
            Doubt { path, about: About::UnseenFeature { name: name.to_owned(), nearest } }
        };
        unseen.map(doubt).collect()
    }

    /// The profiles that apply to none of the accounts whose profiles are given, by their places.
    pub fn doubts_of_profiles(&self, reached: &BTreeSet<usize>) -> Vec<Doubt> {
        let Ok(scoring) = &self.scoring else { return Vec::new() };
        let unreached = scoring.profiles.iter().enumerate().filter(|(index, _)| !reached.contains(index));
        let doubt =
            |name: &str| Doubt { path: format!("profiles[{name:?}]"), about: About::UnreachedProfile };
        unreached.map(|(_, profile)| doubt(&profile.name)).collect()
    }

    fn doubt_unused(&self, scoring: &Scoring, text: &str, doubts: &mut Vec<Doubt>) {
        let groups = || scoring.profiles.iter().flat_map(|profile| &profile.groups);
        let used: BTreeSet<usize> =
            groups().flat_map(|group| &group.measures).map(|weighted| weighted.measure).collect();
        let mut ahead: Vec<usize> =
            scoring.measures.iter().flat_map(|measure| &measure.attempts).map(|tried| tried.metric).collect();
        let mut tried = BTreeSet::new();
        while let Some(metric) = ahead.pop() {
            if tried.insert(metric) {
                ahead.extend(self.metrics[metric].agg.parts());
            }
        }
        let unused = |section: &str, name: &str, about| Doubt { path: format!("{section}.{name}"), about };
        for (index, metric) in self.metrics.iter().enumerate() {
            if !tried.contains(&index) {
                doubts.push(unused("metrics", &metric.name, About::UnusedMetric));
            }
        }
        for (index, measure) in scoring.measures.iter().enumerate() {
            if !used.contains(&index) {
                doubts.push(unused("measures", &measure.name, About::UnusedMeasure));
            }
        }
        for name in unused_weights(text) {
            doubts.push(unused("weights", &name, About::UnusedWeights));
        }
    }

    /// Every filter of the model by its path.
    fn filters(&self) -> Vec<(String, &Filter)> {
        let mut filters = Vec::new();
        for metric in &self.metrics {
            let mut at = |key: &str, filter| filters.push((format!("metrics.{}.{key}", metric.name), filter));
            match &metric.agg {
                Agg::Plain(plain) => at("filter", &plain.filter),
                Agg::Share { a, b, .. } => {
                    at("a_filter", a);
                    at("b_filter", b);
                }
                _ => {}
            }
        }
        for measure in self.scoring.iter().flat_map(|scoring| &scoring.measures) {
            let input = measure.input.as_ref();
            filters.extend(input.map(|filter| (format!("measures.{}.input", measure.name), filter)));
        }
        filters
    }
}

/// The types of the contract that can pass a filter.
fn types_of(filter: &Filter) -> impl Iterator<Item = &'static str> {
    // Types of the contract have their names without a table.
    let names = Names::new();
    KNOWN_TYPES
        .iter()
        .filter(move |(kind, _, _)| filter.can_match(&names, *kind))
        .map(|(_, name, _)| *name)
        .collect::<Vec<_>>()
        .into_iter()
}

/// The type without which a metric is missing, whatever else of its events arrives (health-model §4).
fn needed_type(agg: &Agg) -> Option<EventType> {
    match agg {
        Agg::Plain(Plain { kind: PlainKind::FirstReplyHours, .. }) => Some(EventType::TicketReplied),
        Agg::Standing(StandingKind::OldestPastDueDays | StandingKind::AmountPastDue(_)) => {
            Some(EventType::InvoicePaid)
        }
        Agg::Standing(StandingKind::OpenEscalations) => Some(EventType::TicketEscalated),
        Agg::Standing(StandingKind::CreditsBurn) => Some(EventType::CreditsUsed),
        _ => None,
    }
}

fn counts_people(agg: &Agg) -> bool {
    matches!(agg, Agg::Plain(Plain { kind: PlainKind::ActiveUsers, .. }))
}

fn doubt_curves(measure: &Measure, doubts: &mut Vec<Doubt>) {
    for (attempt, tried) in measure.attempts.iter().enumerate() {
        let path = match attempt.checked_sub(1) {
            None => format!("measures.{}.curve", measure.name),
            Some(other) => format!("measures.{}.otherwise[{other}].curve", measure.name),
        };
        doubt_curve(&tried.curve, &path, doubts);
    }
}

fn doubt_curve(curve: &Curve, path: &str, doubts: &mut Vec<Doubt>) {
    let pairs = curve.pairs();
    let (_, first) = pairs[0];
    if pairs.iter().all(|(_, points)| *points == first) {
        doubts.push(Doubt { path: path.to_owned(), about: About::FlatCurve { points: first } });
        return;
    }
    let mut rises = None;
    for (index, pair) in pairs.windows(2).enumerate() {
        let ((from, lower), (to, upper)) = (pair[0], pair[1]);
        let path = format!("{path}[{}]", index + 1);
        if lower == upper {
            doubts.push(Doubt { path, about: About::FlatPart { from, to, points: lower } });
            continue;
        }
        let rises_here = upper > lower;
        if let Some(rises_before) = rises
            && rises_before != rises_here
        {
            doubts.push(Doubt { path, about: About::Turn { at: from, rises_before } });
        }
        rises = Some(rises_here);
    }
}

/// The sets of weights that no group of a profile names, in the order of the file.
fn unused_weights(text: &str) -> Vec<String> {
    let table = document::parse(text).unwrap_or_default();
    let Some(Toml::Table(sets)) = table.get("weights") else { return Vec::new() };
    let groups = |profile: &Toml| profile.get("groups").and_then(Toml::as_table).cloned().unwrap_or_default();
    let profiles = table.get("profiles").and_then(Toml::as_array).into_iter().flatten();
    let named: BTreeSet<String> = profiles
        .flat_map(|profile| groups(profile).into_iter().map(|(_, group)| group).collect::<Vec<_>>())
        .filter_map(|group| group.get("measures").and_then(Toml::as_str).map(str::to_owned))
        .collect();
    let unused = |sets: &Table| sets.keys().filter(|name| !named.contains(*name)).cloned().collect();
    unused(sets)
}

#[cfg(test)]
mod tests {
    use super::super::DEFAULT;
    use super::*;
    use crate::tenant::Fed;

    const MODEL: &str = r#"
        [metrics]
        people = { agg = "active_users", window = 7, filter = { family = "usage" } }
        share = { agg = "ratio", a = "people", b = "asked" }
        asked = { agg = "count", filter = { type = "nps_answred" } }
        never = { agg = "count", filter = { family = "usage", type = "nps_answered" } }
        core = { agg = "features_share", window = 28, core = ["search", "exprot"] }
        spare = { agg = "count", filter = { feature = "search" } }
        pulse = { agg = "last", field = "properties.points", filter = { type = "pulse_recorded" } }
        [measures]
        flat = { metric = "share", curve = [[0, 50], [1, 50]] }
        part = { metric = "never", curve = [[0, 0], [1, 40], [2, 40], [3, 100]], otherwise = [{ metric = "core", curve = [[0, 0], [1, 100], [2, 0]] }] }
        spare = { metric = "pulse", curve = [[0, 0], [100, 100]] }
        [weights]
        all = { flat = 1, part = 1 }
        none = { flat = 1 }
        [[profiles]]
        name = "key account"
        when = [{ tier = "A" }]
        groups = { outcome = { weight = 1, measures = "all" } }
        [[profiles]]
        name = "standard"
        groups = { outcome = { weight = 1, measures = { flat = 1, part = 1 } } }
    "#;

    fn model() -> Model {
        Model::parse(MODEL).unwrap()
    }

    #[test]
    fn what_a_file_alone_shows_is_told_by_path() {
        let found = model().doubts(MODEL);
        let mut told: Vec<(&str, &About)> = found.iter().map(|doubt| (&*doubt.path, &doubt.about)).collect();
        told.sort_by_key(|(path, _)| *path);
        let unknown = About::UnknownType { name: "nps_answred".to_owned(), nearest: "nps_answered" };
        assert_eq!(
            told,
            [
                ("measures.flat.curve", &About::FlatCurve { points: 50.0 }),
                ("measures.part.curve[2]", &About::FlatPart { from: 1.0, to: 2.0, points: 40.0 }),
                ("measures.part.otherwise[0].curve[2]", &About::Turn { at: 1.0, rises_before: true }),
                ("measures.spare", &About::UnusedMeasure),
                ("metrics.asked.filter.type", &unknown),
                ("metrics.never.filter", &About::MatchesNoType),
                ("metrics.spare", &About::UnusedMetric),
                ("weights.none", &About::UnusedWeights),
            ]
        );
    }

    #[test]
    fn what_never_arrived_is_told_of_the_metric_that_is_made_of_it() {
        let (model, names, mut feed) = (model(), Names::new(), Feed::default());
        let paths = |feed: &Feed| -> Vec<(String, About)> {
            model.doubts_of_feed(feed, &names).into_iter().map(|doubt| (doubt.path, doubt.about)).collect()
        };
        assert_eq!(paths(&feed).len(), 6, "all that are not made of others");
        feed.note(EventType::Usage, Fed { earliest_at: 1, earliest_user_at: None });
        let found = paths(&feed);
        let pulse = About::Unfed { types: vec!["pulse_recorded"] };
        assert!(found.contains(&("metrics.people".to_owned(), About::NoUsers)), "{found:?}");
        assert!(found.contains(&("metrics.pulse".to_owned(), pulse)), "{found:?}");
        assert!(found.contains(&("metrics.never".to_owned(), About::Unfed { types: vec![] })), "{found:?}");
        assert_eq!(found.len(), 4, "{found:?}");
        feed.note(EventType::Usage, Fed { earliest_at: 1, earliest_user_at: Some(1) });
        assert_eq!(paths(&feed).len(), 3);
    }

    #[test]
    fn features_and_profiles_that_no_account_has_are_told() {
        let used = BTreeSet::from(["search", "export"]);
        let unseen = About::UnseenFeature { name: "exprot".to_owned(), nearest: "export".to_owned() };
        assert_eq!(
            model().doubts_of_features(&used),
            [Doubt { path: "metrics.core.core".to_owned(), about: unseen }]
        );
        let unreached =
            Doubt { path: "profiles[\"key account\"]".to_owned(), about: About::UnreachedProfile };
        assert_eq!(model().doubts_of_profiles(&BTreeSet::from([1])), [unreached]);
    }

    #[test]
    fn the_default_model_keeps_one_metric_for_lists_and_plateaus_nowhere() {
        let model = Model::parse(DEFAULT).unwrap();
        let found: Vec<String> = model.doubts(DEFAULT).into_iter().map(|doubt| doubt.path).collect();
        assert_eq!(found, ["metrics.usage_7d"]);
    }
}
