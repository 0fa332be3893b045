//! Judges a model file: its errors, and what is doubtful of it alone and for the accounts of a view.

use std::collections::BTreeSet;

use tidewatch_projections::calendar::Calendar;
use tidewatch_projections::event::Micros;
use tidewatch_projections::health;
use tidewatch_projections::model::doubt::Doubt;
use tidewatch_projections::model::places::Places;
use tidewatch_projections::model::{Model, ModelError};
use tidewatch_projections::names::Names;
use tidewatch_projections::plan::{Bounds, Plan};
use tidewatch_proto::v1;

use super::model_words;
use crate::cancellation::{Cancellation, Cancelled};
use crate::fold::view::View;
use crate::read::account;
use crate::read::scan::standing_accounts;

/// What a file is found to be.
pub struct Checked {
    /// The model; `None` of one with errors.
    pub model: Option<Model>,
    /// Errors and doubts, in the order of the file.
    pub findings: Vec<v1::ModelFinding>,
}

/// Checks what a file alone shows.
pub fn check(text: &str) -> Checked {
    match read(text) {
        Ok(model) => {
            let findings = in_order(text, model.doubts(text));
            Checked { model: Some(model), findings }
        }
        Err(errors) => {
            let places = Places::of(text);
            let mut findings: Vec<v1::ModelFinding> =
                errors.iter().map(|error| of_error(&places, error)).collect();
            findings.sort_by_key(|finding| finding.line);
            Checked { model: None, findings }
        }
    }
}

/// Checks what a file shows for the accounts of a view too, at their live instants.
///
/// # Errors
/// Once it is cancelled.
pub fn check_for(text: &str, view: &View, cancellation: &Cancellation) -> Result<Checked, Cancelled> {
    let model = match read(text) {
        Ok(model) => model,
        Err(_) => return Ok(check(text)),
    };
    let mut doubts = model.doubts(text);
    doubts.extend(model.doubts_of_feed(&view.tenant.feed, &view.names));
    let (mut used, mut is_cut) = (BTreeSet::new(), false);
    for account in view.accounts() {
        cancellation.check()?;
        is_cut |= account.features.cut;
        used.extend(account.features.names().map(|name| view.names.text(name)));
    }
    // Past its bound an account does not keep every feature: one that is not found may have been used.
    if !is_cut {
        doubts.extend(model.doubts_of_features(&used));
    }
    if let Ok(scoring) = &model.scoring {
        let mut reached = BTreeSet::new();
        for account in standing_accounts(view, Micros::MAX) {
            cancellation.check()?;
            let live = account::live(view, account);
            reached.extend(live.and_then(|account_at| health::profile_of(scoring, &account_at)));
        }
        doubts.extend(model.doubts_of_profiles(&reached));
    }
    let findings = in_order(text, doubts);
    Ok(Checked { model: Some(model), findings })
}

/// Reads a model as an adoption would.
fn read(text: &str) -> Result<Model, Vec<ModelError>> {
    let errors = Model::errors(text);
    if !errors.is_empty() {
        return Err(errors);
    }
    let model = Model::parse(text).map_err(|error| vec![error])?;
    // What a plan has no room for shows when it is made.
    Plan::compile(model.clone(), &Names::new(), Calendar::utc(), Bounds::LIVE, &[])
        .map_err(|error| vec![error])?;
    Ok(model)
}

fn of_error(places: &Places<'_>, error: &ModelError) -> v1::ModelFinding {
    v1::ModelFinding {
        severity: v1::ModelFindingSeverity::Error.into(),
        key: match (error.path(), error) {
            (None, _) => String::new(),
            (Some(_), ModelError::UnknownKey { path, key, .. }) if path == "the model" => key.clone(),
            (Some(path), _) => path.to_owned(),
        },
        line: number(places.line_of_error(error)),
        nearest: error.nearest().unwrap_or_default().to_owned(),
        text: error.to_string(),
    }
}

fn in_order(text: &str, doubts: Vec<Doubt>) -> Vec<v1::ModelFinding> {
    let places = Places::of(text);
    let finding = |doubt: &Doubt| v1::ModelFinding {
        severity: v1::ModelFindingSeverity::Doubt.into(),
        key: doubt.path.clone(),
        line: number(places.line(&doubt.path)),
        nearest: doubt.about.nearest().unwrap_or_default().to_owned(),
        text: model_words::doubt(doubt),
    };
    let mut findings: Vec<v1::ModelFinding> = doubts.iter().map(finding).collect();
    findings.sort_by_key(|finding| finding.line);
    findings
}

fn number(line: Option<usize>) -> u32 {
    line.and_then(|line| u32::try_from(line).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let finding = |finding: &v1::ModelFinding| {
            let severity = match finding.severity() {
                v1::ModelFindingSeverity::Error => "error",
                _ => "doubt",
            };
            format!("{}: {severity}: {}", finding.line, finding.text)
        };
        check(text).findings.iter().map(finding).collect()
    }

    #[test]
    fn errors_are_told_by_line_all_at_once() {
        let text = "\
name = \"ours\"
band_margn = 3
[metrics]
events = { agg = \"count\", window = 28, filter = { famly = \"usage\" } }
days = { agg = \"active_days\" }
all = { agg = \"count\", window = 7 }
[measures]
use = { metric = \"evnts\", curve = [[0, 0], [10, 100]] }
pace = { metric = \"all\", curve = [[0, 0], [1, 50], [1, 100]] }
[[profiles]]
name = \"standard\"
groups = { outcome = { weight = 1, measures = { use = 1, pace = 1 } } }
";
        assert_eq!(
            told(text),
            [
                "2: error: the model: unknown key \"band_margn\"; nearest valid key: \"band_margin\" (valid: name, version, \
                 coverage_min, band_margin, bands, payment_terms_days, usage_rhythm, active_account, milestones, metrics, \
                 measures, weights, profiles)",
                "4: error: metrics.events.filter: unknown key \"famly\"; nearest valid key: \"family\" (valid: family, type, \
                 feature, metric, product, actor, source, user, quantity, amount, currency, properties.<key>)",
                "5: error: metrics.days: active_days needs the key \"window\"",
                "8: error: measures.use.metric: there is no metric \"evnts\"; nearest: \"events\"",
                "9: error: measures.pace.curve[2]: the value 1 does not exceed 1 before it; values must rise",
            ]
        );
    }

    #[test]
    fn doubts_of_a_file_alone_are_told_by_line() {
        let text = "\
[metrics]
events = { agg = \"count\", window = 28, filter = { family = \"usage\" } }
nps = { agg = \"last\", field = \"properties.score\", filter = { type = \"nps_answred\" } }
spare = { agg = \"count\" }
[measures]
use = { metric = \"events\", curve = [[0, 50], [10, 50]] }
voice = { metric = \"nps\", curve = [[0, 0], [6, 40], [7, 40], [8, 30], [10, 100]] }
[[profiles]]
name = \"standard\"
groups = { outcome = { weight = 1, measures = { use = 1, voice = 1 } } }
";
        assert_eq!(
            told(text),
            [
                "3: doubt: metrics.nps.filter.type: \"nps_answred\" is no type of the contract (nearest: \"nps_answered\"); only \
                 a source that sends it feeds this",
                "4: doubt: metrics.spare: no measure uses it; only lists and `metrics` show it",
                "6: doubt: measures.use.curve: every value is worth 50 points, so the measure tells nobody apart",
                "7: doubt: measures.voice.curve[2]: values from 6 to 7 are all worth 40 points and are not told apart",
                "7: doubt: measures.voice.curve[3]: points rise up to the value 7 and fall after it",
                "7: doubt: measures.voice.curve[4]: points fall up to the value 8 and rise after it",
            ]
        );
        assert_eq!(told("[metrics]\nx = { agg = \n").len(), 1);
    }
}
