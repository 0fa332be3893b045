//! The events behind the measures of a health, as the API shows them.

use tidewatch_projections::event::Micros;
use tidewatch_projections::health::{Health, MeasureScore};
use tidewatch_projections::model::Model;
use tidewatch_projections::model::scoring::Scoring;
use tidewatch_projections::model_error::nearest;
use tidewatch_proto::v1;

use super::api_error::ApiError;
use super::convert;
use super::words;
use crate::read::evidence::{Behind, behind};
use crate::read::snapshot::ReadSnapshot;

/// Events of a measure where the request names no number (health-model §5).
const EVENTS_DEFAULT: usize = 20;
/// Events of a measure at most.
const EVENTS_MAX: usize = 100;
/// Events of one answer at most.
const EVENTS_ALL_MAX: usize = 2_000;

/// What a call asks of the events behind measures, checked.
pub struct EvidenceAsked {
    keep: usize,
    /// Places in the model; `None`: every measure.
    measures: Option<Vec<usize>>,
}

impl EvidenceAsked {
    /// Reads what a request asks of the measures of a model; `None` where it asks for nothing.
    ///
    /// # Errors
    /// For a number outside the limits, and a measure that the model does not have.
    pub fn new(asked: Option<&v1::EvidenceAsked>, model: &Model) -> Result<Option<Self>, ApiError> {
        let Some(asked) = asked else { return Ok(None) };
        let invalid = |problem| ApiError::InvalidEvidence { problem };
        let keep = match usize::try_from(asked.events_max) {
            Ok(0) => EVENTS_DEFAULT,
            Ok(keep) if keep <= EVENTS_MAX => keep,
            _ => {
                let problem = format!(
                    "events_max {} is outside 0 to {EVENTS_MAX} (0 means {EVENTS_DEFAULT})",
                    asked.events_max
                );
                return Err(invalid(problem));
            }
        };
        let measures = |scoring: &Scoring| -> Result<Vec<usize>, ApiError> {
            let named = |name: &String| {
                let place = scoring.measures.iter().position(|measure| measure.name == *name);
                place.ok_or_else(|| {
                    let nearest = nearest(name, scoring.measures.iter().map(|measure| measure.name.as_str()));
                    invalid(format!("the model has no measure {name:?}; nearest: {nearest:?}"))
                })
            };
            asked.measures.iter().map(named).collect()
        };
        let measures = match (&model.scoring, asked.measures.as_slice()) {
            (_, []) => None,
            (Ok(scoring), _) => Some(measures(scoring)?),
            (Err(_), _) => return Err(invalid("the model has no measures".to_owned())),
        };
        Ok(Some(Self { keep, measures }))
    }

    /// Whether a measure is asked about.
    fn is_about(&self, measure: usize) -> bool {
        self.measures.as_ref().is_none_or(|measures| measures.contains(&measure))
    }
}

/// The events behind the measures of one health.
#[derive(Default)]
pub struct MeasureEvidence {
    /// By measure of the model.
    found: Vec<(usize, v1::HealthEvidence)>,
}

impl MeasureEvidence {
    /// Reads the events behind those of some measures, by their places in the model, that are asked about; only those that
    /// happened at `since` or after it.
    ///
    /// # Errors
    /// When they are too many for one answer; whatever the log says.
    pub fn read(
        snapshot: &ReadSnapshot,
        model: &Model,
        health: &Health,
        asked: &EvidenceAsked,
        of: impl Fn(&MeasureScore) -> bool,
        since: Micros,
    ) -> Result<Self, ApiError> {
        let measures = health.figures.iter().flat_map(|figures| &figures.weighed.measures);
        let sought: Vec<&MeasureScore> =
            measures.filter(|measure| asked.is_about(measure.measure) && of(measure)).collect();
        if sought.len() * asked.keep > EVENTS_ALL_MAX {
            let problem = format!(
                "{} events of each of {} measures are more than {EVENTS_ALL_MAX}; ask for fewer, or name the measures",
                asked.keep,
                sought.len()
            );
            return Err(ApiError::InvalidEvidence { problem });
        }
        let metrics: Vec<usize> = sought.iter().map(|measure| measure.measured.metric).collect();
        let found = behind(snapshot, model, health, &metrics, since, asked.keep)?;
        let wire = |found: &Behind| v1::HealthEvidence {
            events: found
                .events
                .iter()
                .map(|event| convert::accepted(&snapshot.view.names, &snapshot.tenant, event))
                .collect(),
            count: found.total,
            text: words::evidence(&found.evidence, found.total, found.events.len()),
        };
        let found = sought.iter().map(|measure| measure.measure).zip(found.iter().map(wire)).collect();
        Ok(Self { found })
    }

    /// Those of a measure, by its place in the model; `None`: nobody asked for them.
    pub fn of(&self, measure: usize) -> Option<v1::HealthEvidence> {
        self.found.iter().find(|(other, _)| *other == measure).map(|(_, evidence)| evidence.clone())
    }
}
