//! The half of a model that scores: measures, weights, profiles and bands, every reference resolved (health-model §5–7, §9).

use toml::Table;

use super::active_account::ActiveAccount;
use super::band::{self, Band};
use super::curve::POINTS_MAX;
use super::document::{number, refused, table};
use super::group::WeightSets;
use super::measure::{self, Measure};
use super::profile::{self, Profile};
use super::{Metric, ModelError};

/// How accounts are scored, and which count as active.
#[derive(Clone, PartialEq, Debug)]
pub struct Scoring {
    /// The share of the weights, from 0 to 1, that measures with a value must hold for there to be a score.
    pub coverage_min: f64,
    /// Points, from 0 to 100, by which a score must leave a band before another is taken.
    pub band_margin: f64,
    /// Worst first; never empty.
    pub bands: Vec<Band>,
    /// When an account is active, unless its profile says otherwise.
    pub active_account: ActiveAccount,
    /// By rising name, so that indices do not depend on the order of the file.
    pub measures: Vec<Measure>,
    /// In the order of the file: the first whose condition holds applies, and the last always does. Empty: the model answers
    /// metrics and gives no score (`no_model`).
    pub profiles: Vec<Profile>,
}

impl Scoring {
    /// Reads everything of a model file but what metrics depend on. Bands, their margin, `coverage_min` and `active_account`
    /// come from `default` where the file has none.
    pub(super) fn read(
        model: &Table,
        metrics: &[Metric],
        default: Option<&Self>,
    ) -> Result<Self, ModelError> {
        let coverage_min = match model.get("coverage_min") {
            Some(share) => Some(number(share, "coverage_min", "a share from 0 to 1", |share| {
                (0.0..=1.0).contains(&share)
            })?),
            None => default.map(|scoring| scoring.coverage_min),
        };
        let band_margin = match model.get("band_margin") {
            Some(margin) => Some(number(margin, "band_margin", "points from 0 to 100", |points| {
                (0.0..=POINTS_MAX).contains(&points)
            })?),
            None => default.map(|scoring| scoring.band_margin),
        };
        let bands = match model.get("bands") {
            Some(declared) => Some(band::read_all(declared)?),
            None => default.map(|scoring| scoring.bands.clone()),
        };
        let active_account = match model.get("active_account") {
            Some(declared) => Some(ActiveAccount::read(declared, "active_account")?),
            None => default.map(|scoring| scoring.active_account.clone()),
        };
        let (measures, profiles) = read_profiles(model, metrics)?;
        let stated = "the default model states it";
        Ok(Self {
            coverage_min: coverage_min.expect(stated),
            band_margin: band_margin.expect(stated),
            bands: bands.expect(stated),
            active_account: active_account.expect(stated),
            measures,
            profiles,
        })
    }
}

fn read_profiles(model: &Table, metrics: &[Metric]) -> Result<(Vec<Measure>, Vec<Profile>), ModelError> {
    let sub_table = |key: &str, expected: &str| match model.get(key) {
        Some(declared) => table(declared, key, expected).map(Some),
        None => Ok(None),
    };
    let measures = match sub_table("measures", "a table of measures")? {
        Some(declared) => {
            let names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
            measure::read_all(declared, &names)?
        }
        None => Vec::new(),
    };
    let names: Vec<&str> = measures.iter().map(|measure| measure.name.as_str()).collect();
    let sets = WeightSets::read(sub_table("weights", "a table of named sets of weights")?, &names)?;
    let profiles = match model.get("profiles") {
        Some(declared) => profile::read_all(declared, &measures, &sets)?,
        None => Vec::new(),
    };
    if profiles.is_empty()
        && let Some(key) = ["measures", "weights"].into_iter().find(|key| model.contains_key(*key))
    {
        return Err(refused(
            key,
            format!(
                "no profile uses them; add [[profiles]], the last without \"when\", or leave [{key}] out"
            ),
        ));
    }
    Ok((measures, profiles))
}

#[cfg(test)]
mod tests {
    use super::super::condition::FactTest;
    use super::super::measure::Missing;
    use super::super::{DEFAULT, Model};
    use super::*;

    /// A model that scores, to be spoilt.
    const MODEL: &str = r#"
        coverage_min = 0.5
        band_margin = 2
        bands = [{ name = "low", below = 50 }, { name = "high" }]
        [metrics]
        usage = { agg = "count", window = 28, filter = { family = "usage" } }
        nps = { agg = "last", field = "properties.score", filter = { type = "nps_answered" } }
        [measures]
        activity = { metric = "usage", curve = [[0, 0], [10, 100]], otherwise = [{ metric = "nps", curve = [[0, 0], [9, 90]] }] }
        voice = { metric = "nps", curve = [[0, 0], [10, 100]], missing = "last", half_life_days = 20, max_age_days = 90, input = { type = "nps_answered" } }
        [weights]
        voice = { voice = 1 }
        [[profiles]]
        name = "key account"
        when = [{ tier = "A" }]
        groups = { outcome = { weight = 70, measures = { activity = 2.5 } }, experience = { weight = 30, measures = "voice" } }
        active_account = { agg = "count", window = 7, at_least = 10 }
        [[profiles]]
        name = "standard"
        groups = { outcome = { weight = 1, measures = { activity = 1, voice = 0 } } }
    "#;

    fn scoring(text: &str) -> Scoring {
        Model::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}")).scoring.expect("it was parsed")
    }

    /// The error of [`MODEL`] with a part of it replaced.
    fn error_with(part: &str, by: &str) -> String {
        assert!(MODEL.contains(part), "{part}");
        let text = MODEL.replacen(part, by, 1);
        let error = Model::parse(&text).expect_err(&text);
        let adopted = Model::parse_adopted(&text).expect("its metrics are right");
        assert_eq!((adopted.scoring, adopted.metrics.len()), (Err(error.clone()), 2));
        error.to_string()
    }

    #[test]
    fn names_become_indices() {
        let scoring = scoring(MODEL);
        assert_eq!((scoring.coverage_min, scoring.band_margin, scoring.bands.len()), (0.5, 2.0, 2));
        let [activity, voice] = scoring.measures.as_slice() else { panic!("{scoring:?}") };
        let tried: Vec<usize> = activity.attempts.iter().map(|attempt| attempt.metric).collect();
        assert_eq!(
            (activity.name.as_str(), tried),
            ("activity", vec![1, 0]),
            "metrics go by name: nps, usage"
        );
        assert_eq!((activity.missing, activity.max_age_days), (Missing::Exclude, None));
        assert_eq!(voice.missing, Missing::Last { half_life_days: 20.0 });
        assert!(voice.max_age_days == Some(90) && voice.input.is_some());
        let [key, standard] = scoring.profiles.as_slice() else { panic!("{scoring:?}") };
        let [outcome, experience] = key.groups.as_slice() else { panic!("{key:?}") };
        assert_eq!((experience.name.as_str(), experience.weight), ("experience", 30.0));
        assert_eq!(experience.measures.iter().map(|m| (m.measure, m.weight)).collect::<Vec<_>>(), [(1, 1.0)]);
        assert_eq!(outcome.measures.iter().map(|m| (m.measure, m.weight)).collect::<Vec<_>>(), [(0, 2.5)]);
        assert_eq!(key.active_account.as_ref().map(|active| active.at_least), Some(10.0));
        let condition = key.when.as_ref().expect("it has one");
        assert!(
            matches!(condition.alternatives[0].as_slice(), [FactTest::Named(name, _)] if **name == *"tier")
        );
        assert!(standard.when.is_none() && standard.active_account.is_none());
        let kept =
            Scoring { bands: Vec::new(), measures: Vec::new(), profiles: Vec::new(), ..scoring.clone() };
        let default = Scoring { coverage_min: 0.5, band_margin: 2.0, ..self::scoring("") };
        assert_eq!(Scoring { bands: Vec::new(), ..default }, kept, "what it does not state is the default's");
    }

    #[test]
    fn a_measure_that_cannot_be_computed_is_refused() {
        for (part, by, message) in [
            (
                "metric = \"usage\"",
                "metric = \"usgae\"",
                "measures.activity.metric: there is no metric \"usgae\"; nearest: \"usage\"",
            ),
            (
                "[{ metric = \"nps\"",
                "[{ metric = \"npss\"",
                "measures.activity.otherwise[0].metric: there is no metric \"npss\"; nearest: \"nps\"",
            ),
            (
                "curve = [[0, 0], [10, 100]], otherwise",
                "otherwise",
                "measures.activity: a measure needs the key \"curve\"",
            ),
            (
                "curve = [[0, 0], [9, 90]] }]",
                "curve = [[0, 0], [9, 190]] }]",
                "measures.activity.otherwise[0].curve[1]: 190 is not points from 0 to 100",
            ),
            (
                "otherwise = [",
                "otherwize = [",
                "measures.activity: unknown key \"otherwize\"; nearest valid key: \"otherwise\" (valid: metric, curve, \
                 otherwise, missing, half_life_days, max_age_days, input)",
            ),
            (
                "missing = \"last\"",
                "missing = \"lsat\"",
                "measures.voice.missing: \"lsat\" is not one of exclude, neutral, worst, last (nearest: \"last\")",
            ),
            (
                "half_life_days = 20, ",
                "",
                "measures.voice: missing = \"last\" needs the key \"half_life_days\"",
            ),
            (
                "half_life_days = 20",
                "half_life_days = 0",
                "measures.voice.half_life_days: 0 is not days above 0, at most 36525",
            ),
            (
                "missing = \"last\", ",
                "",
                "measures.voice: half_life_days goes with missing = \"last\" only, and missing is \"exclude\"",
            ),
            (
                "max_age_days = 90",
                "max_age_days = 0",
                "measures.voice.max_age_days: 0 is not a whole number from 1 to 36525",
            ),
            (
                "input = { type = \"nps_answered\" }",
                "input = { family = \"survy\" }",
                "measures.voice.input.family: \"survy\" is not one of usage, value, billing, support, survey, lifecycle, \
                 account (nearest: \"survey\")",
            ),
            (
                "input = { type = \"nps_answered\" }",
                "input = \"nps_answered\"",
                "measures.voice.input: \"nps_answered\" is not a table of conditions",
            ),
        ] {
            assert_eq!(error_with(part, by), message);
        }
    }

    #[test]
    fn a_profile_that_could_give_no_score_is_refused() {
        for (part, by, message) in [
            (
                "voice = { voice = 1 }",
                "voice = { voise = 1 }",
                "weights.voice: there is no measure \"voise\"; nearest: \"voice\"",
            ),
            (
                "voice = { voice = 1 }",
                "voice = { voice = -1 }",
                "weights.voice.voice: -1 is not a weight from 0 to 1000000000",
            ),
            (
                "measures = \"voice\"",
                "measures = \"voices\"",
                "profiles[\"key account\"].groups.experience.measures: there is no set of weights \"voices\"; nearest: \"voice\"",
            ),
            (
                "{ activity = 2.5 }",
                "{ activty = 2.5 }",
                "profiles[\"key account\"].groups.outcome.measures: there is no measure \"activty\"; nearest: \"activity\"",
            ),
            (
                "{ activity = 2.5 }",
                "{}",
                "profiles[\"key account\"].groups.outcome.measures: the group has no measure",
            ),
            (
                "{ activity = 2.5 }",
                "3",
                "profiles[\"key account\"].groups.outcome.measures: 3 is not the name of a set of weights, or a table of \
                 measures and their weights",
            ),
            (
                "{ activity = 2.5 }",
                "{ voice = 2.5 }",
                "profiles[\"key account\"].groups.experience: the measure \"voice\" stands in \"outcome\" already; a profile \
                 names a measure once",
            ),
            (
                "weight = 70",
                "weight = nan",
                "profiles[\"key account\"].groups.outcome.weight: nan is not a weight from 0 to 1000000000",
            ),
            (
                "weight = 70, ",
                "",
                "profiles[\"key account\"].groups.outcome: a group needs the key \"weight\"",
            ),
            (
                "weight = 1, ",
                "weight = 0, ",
                "profiles[\"standard\"].groups: no group of positive weight has a measure of positive weight, so there would be \
                 no score",
            ),
            (
                "activity = 1, voice = 0",
                "activity = 0, voice = 0",
                "profiles[\"standard\"].groups: no group of positive weight has a measure of positive weight, so there would be \
                 no score",
            ),
            ("name = \"standard\"", "", "profiles[1]: a profile needs the key \"name\""),
            ("name = \"standard\"", "name = ''", "profiles[1].name: \"\" is not a name"),
            (
                "name = \"standard\"",
                "name = \"key account\"",
                "profiles[1].name: profiles[0] has the name \"key account\" already",
            ),
            (
                "when = [{ tier = \"A\" }]",
                "",
                "profiles[\"key account\"]: it has no \"when\", so \"standard\" after it can never apply; move it to the end or \
                 give it a condition",
            ),
            (
                "name = \"standard\"",
                "name = \"standard\"\nwhen = [{ tier = \"B\" }]",
                "profiles: no profile applies to accounts that meet no condition; add a last one without \"when\"",
            ),
            (
                "name = \"standard\"",
                "name = \"standard\"\nwenn = [{ tier = \"B\" }]",
                "profiles[\"standard\"]: unknown key \"wenn\"; nearest valid key: \"when\" (valid: name, when, groups, \
                 active_account)",
            ),
            (
                "name = \"standard\"",
                "name = \"standard\"\nband_margin = 3",
                "profiles[\"standard\"]: band_margin is the same for all profiles of a model; state it at the top (only \
                 active_account may differ)",
            ),
            (
                "at_least = 10",
                "at_least = -1",
                "profiles[\"key account\"].active_account.at_least: -1 is not a number above 0",
            ),
            (
                "when = [{ tier = \"A\" }]",
                "when = [{ status = \"active\" }]",
                "profiles[\"key account\"].when[0].status: \"active\" is not one of closed, merged, paying, ended, prospect, \
                 trial, paused, leaving, free (nearest: \"closed\")",
            ),
        ] {
            assert_eq!(error_with(part, by), message);
        }
    }

    #[test]
    fn figures_of_the_whole_model_have_ranges() {
        for (part, by, message) in [
            ("coverage_min = 0.5", "coverage_min = 40", "coverage_min: 40 is not a share from 0 to 1"),
            ("band_margin = 2", "band_margin = -1", "band_margin: -1 is not points from 0 to 100"),
            ("below = 50", "below = 500", "bands[0].below: 500 is not a score above 0, at most 100"),
        ] {
            assert_eq!(error_with(part, by), message);
        }
    }

    #[test]
    fn a_model_scores_or_answers_metrics_only() {
        let metrics_only = scoring("[metrics]\nn = { agg = 'count' }");
        assert!(metrics_only.profiles.is_empty() && metrics_only.measures.is_empty());
        let default = scoring(DEFAULT);
        assert_eq!((metrics_only.coverage_min, metrics_only.band_margin), (0.4, 3.0));
        assert_eq!(
            (metrics_only.bands, metrics_only.active_account),
            (default.bands, default.active_account)
        );
        let error = |text: &str| Model::parse(text).expect_err(text).to_string();
        assert_eq!(
            error("[measures]\nm = { metric = 'n', curve = [[0, 0], [1, 1]] }"),
            "measures.m.metric: there is no metric \"n\", nor any other"
        );
        assert_eq!(
            error(
                "[metrics]\nn = { agg = 'count' }\n[measures]\nm = { metric = 'n', curve = [[0, 0], [1, 1]] }"
            ),
            "measures: no profile uses them; add [[profiles]], the last without \"when\", or leave [measures] out"
        );
        assert_eq!(
            error("[weights]\nw = {}"),
            "weights: no profile uses them; add [[profiles]], the last without \"when\", or leave [weights] out"
        );
        assert_eq!(
            error("profiles = []"),
            "profiles: no profile; add one without \"when\", which applies to every account"
        );
        assert_eq!(error("profiles = 3"), "profiles: 3 is not a list of tables");
        assert_eq!(error("measures = 3"), "measures: 3 is not a table of measures");
    }

    /// The table of health-model §7.
    #[test]
    fn the_default_model_weighs_as_the_contract_says() {
        let scoring = scoring(DEFAULT);
        let weights = |profile: &str| {
            let profile = scoring.profiles.iter().find(|one| one.name == profile).expect(profile);
            let group = |group: &super::super::group::Group| {
                let mut measures: Vec<(&str, f64)> = group
                    .measures
                    .iter()
                    .map(|weighted| (scoring.measures[weighted.measure].name.as_str(), weighted.weight))
                    .collect();
                measures.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
                (group.name.clone(), group.weight, measures)
            };
            profile.groups.iter().map(group).collect::<Vec<_>>()
        };
        let outcome = vec![
            ("value_reached", 30.0),
            ("recency", 20.0),
            ("seat_activity", 20.0),
            ("steadiness", 20.0),
            ("depth", 10.0),
            ("momentum", 0.0),
        ];
        let experience = vec![
            ("nps", 20.0),
            ("past_due", 12.0),
            ("csat", 10.0),
            ("escalations", 10.0),
            ("first_reply", 10.0),
            ("happiness", 10.0),
            ("pulse", 10.0),
            ("reopened", 10.0),
            ("failed_payments", 8.0),
        ];
        let onboarding = vec![
            ("onboarding", 45.0),
            ("seat_activity", 20.0),
            ("recency", 15.0),
            ("depth", 10.0),
            ("regularity", 10.0),
        ];
        let of = |first: f64, first_measures: &[(&'static str, f64)], second: f64| {
            vec![
                ("outcome".to_owned(), first, first_measures.to_vec()),
                ("experience".to_owned(), second, experience.clone()),
            ]
        };
        assert_eq!(weights("standard"), of(80.0, &outcome, 20.0));
        assert_eq!(weights("key account"), of(70.0, &outcome, 30.0));
        assert_eq!(weights("onboarding"), of(80.0, &onboarding, 20.0));
        assert_eq!(weights("onboarding, key account"), of(70.0, &onboarding, 30.0));
        assert_eq!(weights("no telemetry"), of(50.0, &[("goals", 1.0)], 50.0));
        assert_eq!(
            weights("no telemetry, onboarding"),
            of(50.0, &[("onboarding", 60.0), ("goals", 40.0)], 50.0)
        );
        let order: Vec<&str> = scoring.profiles.iter().map(|profile| profile.name.as_str()).collect();
        assert_eq!(
            order,
            [
                "no telemetry, onboarding",
                "no telemetry",
                "onboarding, key account",
                "onboarding",
                "key account",
                "standard"
            ]
        );
        let bands: Vec<(&str, Option<f64>)> =
            scoring.bands.iter().map(|band| (band.name.as_str(), band.below)).collect();
        assert_eq!(bands, [("red", Some(40.0)), ("yellow", Some(70.0)), ("green", None)]);
        assert_eq!((scoring.active_account.level.window, scoring.active_account.at_least), (Some(28), 4.0));
    }
}
