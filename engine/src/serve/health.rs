//! Health as the API shows it.

use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::health::change::{Cause, Change, changes};
use tidewatch_projections::health::{Band, Figures, GroupScore, Health, MeasureScore, Reason, State, shown};
use tidewatch_projections::model::Model;
use tidewatch_projections::model::scoring::Scoring;
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::settings::Settings;
use tidewatch_proto::v1;

use super::convert;
use super::evidence::MeasureEvidence;
use super::words::Words;
use crate::control::band_override::BandOverride;
use crate::fold::view::View;

/// The line of an explanation for everything but changes of points.
const REST: &str = "rest";

/// The model that answers, as its answers name it.
pub fn model_version(model: &Model, settings: &Settings) -> v1::ModelVersion {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(&model.canonical);
    part(settings.zone.as_bytes());
    let mut closed: Vec<String> = settings
        .closed_days
        .iter()
        .map(|days| format!("{} {} {}", days.scope, days.from.to_text(), days.to.to_text()))
        .collect();
    closed.sort_unstable();
    closed.dedup();
    closed.iter().for_each(|days| part(days.as_bytes()));
    v1::ModelVersion {
        name: model.name.clone(),
        version: model.version,
        digest: hasher.finalize().to_hex().to_string(),
    }
}

/// The state by its number in the API.
pub fn state(state: State) -> v1::HealthState {
    match state {
        State::Scored => v1::HealthState::Scored,
        State::CatchingUp => v1::HealthState::CatchingUp,
        State::Frozen => v1::HealthState::Frozen,
        State::Unknown => v1::HealthState::Unknown,
        State::StatusExcluded => v1::HealthState::StatusExcluded,
        State::NoModel => v1::HealthState::NoModel,
    }
}

fn reason(reason: Option<Reason>) -> v1::HealthReason {
    match reason {
        None => v1::HealthReason::Unspecified,
        Some(Reason::NoLife) => v1::HealthReason::NoLife,
        Some(Reason::Coverage) => v1::HealthReason::Coverage,
        Some(Reason::Paused) => v1::HealthReason::Paused,
        Some(Reason::Ended) => v1::HealthReason::Ended,
        Some(Reason::Closed) => v1::HealthReason::Closed,
        Some(Reason::Internal) => v1::HealthReason::Internal,
        Some(Reason::Test) => v1::HealthReason::Test,
        Some(Reason::NeverUsed) => v1::HealthReason::NeverUsed,
    }
}

/// The name of a state in text, as the contract has it.
pub fn state_name(state: v1::HealthState) -> String {
    convert::word(state.as_str_name(), "HEALTH_STATE_")
}

/// The name of a reason in text; `None` where there is none.
pub fn reason_name(reason: v1::HealthReason) -> Option<String> {
    (reason != v1::HealthReason::Unspecified).then(|| convert::word(reason.as_str_name(), "HEALTH_REASON_"))
}

/// The override of an account that holds at a view, as its live health shows it.
pub fn override_of(view: &View, account: Symbol) -> Option<v1::HealthOverride> {
    let set = view.control_state.override_of(account)?;
    Some(wire_override(view.names.text(account), set))
}

/// An override on the wire.
pub fn wire_override(account: &str, set: &BandOverride) -> v1::HealthOverride {
    v1::HealthOverride {
        account: account.to_owned(),
        band: set.band.to_string(),
        reason: set.reason.to_string(),
        author: set.author.to_string(),
        set_at: Some(convert::timestamp(set.at)),
        expires_at: Some(convert::timestamp(set.expires_at)),
    }
}

/// Names what health tells by place.
#[derive(Clone, Copy)]
pub struct Naming<'a> {
    /// The names of accounts.
    pub names: &'a Names,
    /// The model that answers.
    pub model: &'a Model,
    /// How answers name it.
    pub version: &'a v1::ModelVersion,
}

impl Naming<'_> {
    /// The scoring half; health that names a profile or a band was computed by it.
    fn scoring(&self) -> &Scoring {
        self.model.scoring.as_ref().expect("what was scored has a scoring half")
    }

    /// The name of a band, as answers have it.
    pub fn band(&self, band: Band) -> Option<String> {
        band.name(self.model).map(str::to_owned)
    }

    fn profile(&self, profile: Option<usize>) -> Option<String> {
        profile.map(|profile| self.scoring().profiles[profile].name.clone())
    }

    /// The health of an account.
    pub fn health(&self, health: &Health) -> v1::Health {
        let score = health.score();
        let (groups, measures) = match &health.figures {
            Some(figures) => (self.groups(figures), self.measures(figures)),
            None => (Vec::new(), Vec::new()),
        };
        v1::Health {
            account: self.names.text(health.account).to_owned(),
            as_of: Some(convert::timestamp(health.as_of)),
            state: state(health.state).into(),
            reason: reason(health.reason).into(),
            status: convert::status(health.status).into(),
            score,
            shown: score.map(|score| i32::try_from(shown(score)).expect("a score is at most 100")),
            band: self.band(health.band),
            provisional: health.provisional,
            coverage: health.coverage(),
            profile: self.profile(health.profile()),
            model: Some(self.version.clone()),
            groups,
            measures,
            r#override: None,
            reasons: Words { model: self.model }.reasons(health),
        }
    }

    /// An account of a list: its health without groups and measures, beside the band that a person set.
    pub fn listed(&self, view: &View, account_at: &AccountAt<'_>, health: &Health) -> v1::ListedHealth {
        v1::ListedHealth {
            account: Some(convert::account(account_at)),
            health: Some(v1::Health {
                groups: Vec::new(),
                measures: Vec::new(),
                r#override: override_of(view, account_at.survivor),
                ..self.health(health)
            }),
        }
    }

    fn groups(&self, figures: &Figures) -> Vec<v1::HealthGroup> {
        let profile = &self.scoring().profiles[figures.profile];
        let group = |group: &GroupScore| v1::HealthGroup {
            name: profile.groups[group.group].name.clone(),
            weight: group.weight,
            score: group.score,
        };
        figures.weighed.groups.iter().map(group).collect()
    }

    fn measures(&self, figures: &Figures) -> Vec<v1::HealthMeasure> {
        let profile = &self.scoring().profiles[figures.profile];
        let measure = |measure: &MeasureScore| {
            let measured = &measure.measured;
            let metric = &self.model.metrics[measured.metric].name;
            v1::HealthMeasure {
                name: self.scoring().measures[measure.measure].name.clone(),
                group: profile.groups[measure.group].name.clone(),
                metric: Some(convert::metric(metric, measured.value.as_ref())),
                points: measured.points,
                present: measured.present,
                stale: measured.stale,
                used: measured.points.is_some(),
                weight: measure.weight,
                contribution: measure.contribution,
                evidence: None,
            }
        };
        figures.weighed.measures.iter().map(measure).collect()
    }

    /// Why one health differs from another, with the events behind each line.
    pub fn changes(&self, from: &Health, to: &Health, evidence: &MeasureEvidence) -> Vec<v1::HealthChange> {
        let words = Words { model: self.model };
        let line = |change: &Change| v1::HealthChange {
            name: match change.measure {
                Some(measure) => self.scoring().measures[measure].name.clone(),
                None => REST.to_owned(),
            },
            cause: match change.cause {
                Cause::Value => v1::HealthCause::Value,
                Cause::Metric => v1::HealthCause::Metric,
                Cause::Filled => v1::HealthCause::Filled,
                Cause::Rest => v1::HealthCause::Rest,
            }
            .into(),
            points: change.points,
            text: words.change(from, to, change),
            evidence: change.measure.and_then(|measure| evidence.of(measure)),
        };
        changes(from, to).iter().map(line).collect()
    }

    /// The health at the end of a day.
    pub fn day(&self, day: Day, health: &Health) -> v1::HealthDay {
        v1::HealthDay {
            account: self.names.text(health.account).to_owned(),
            day: day.to_text(),
            state: state(health.state).into(),
            score: health.score(),
            band: self.band(health.band),
            coverage: health.coverage(),
            profile: self.profile(health.profile()),
        }
    }
}
