//! Measures weighed into a score (health-model §5). Pure arithmetic.

use super::measured::Measured;
use crate::model::profile::Profile;

/// Decimals that scores and coverage are rounded to.
const DECIMALS: f64 = 1e9;

/// Measures weighed against each other.
#[derive(Clone, PartialEq, Debug)]
pub struct Weighed {
    /// Σ of the contributions, from 0 to 100, rounded to 9 decimals; `None` where no measure that counts has points.
    pub score: Option<f64>,
    /// The share of the weights that measures with a value hold, from 0 to 1, rounded to 9 decimals.
    pub coverage: f64,
    /// In the order of the model file.
    pub groups: Vec<GroupScore>,
    /// In the order of the model file, group by group.
    pub measures: Vec<MeasureScore>,
}

/// A group and what it is worth.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupScore {
    /// Its place in the profile.
    pub group: usize,
    /// W / Σ W over the groups that are used; 0 for one that is not.
    pub weight: f64,
    /// Σ w·p / Σ w over its used measures; `None` where those weights sum to 0.
    pub score: Option<f64>,
}

/// A measure and what it adds to the score.
#[derive(Clone, PartialEq, Debug)]
pub struct MeasureScore {
    /// Index of the measure in the model.
    pub measure: usize,
    /// Its group's place in the profile.
    pub group: usize,
    /// What it is worth.
    pub measured: Measured,
    /// The effective weight, of all used measures together 1; 0 where it is not used.
    pub weight: f64,
    /// weight · points; 0 where it is not used.
    pub contribution: f64,
}

/// Weighs the measures of a profile, given in its order.
pub(super) fn weigh(profile: &Profile, measured: Vec<Measured>) -> Weighed {
    let mut measured = measured.into_iter();
    let mut measures = Vec::with_capacity(measured.len());
    let mut groups = Vec::with_capacity(profile.groups.len());
    let all_groups: f64 = profile.groups.iter().map(|group| group.weight).sum();
    let mut coverage = 0.0;
    for (place, group) in profile.groups.iter().enumerate() {
        let start = measures.len();
        let all: f64 = group.measures.iter().map(|weighted| weighted.weight).sum();
        let (mut used, mut points) = (0.0, 0.0);
        for weighted in &group.measures {
            let measured = measured.next().expect("every measure of the profile was measured");
            if let Some(worth) = measured.points {
                used += weighted.weight;
                points += weighted.weight * worth;
            }
            if measured.present && all > 0.0 && all_groups > 0.0 {
                coverage += (group.weight / all_groups) * (weighted.weight / all);
            }
            measures.push(MeasureScore {
                measure: weighted.measure,
                group: place,
                measured,
                weight: weighted.weight,
                contribution: 0.0,
            });
        }
        // Shares within the group first; the group's own share follows once all groups are known.
        for measure in &mut measures[start..] {
            let counts = used > 0.0 && measure.measured.points.is_some();
            measure.weight = if counts { measure.weight / used } else { 0.0 };
        }
        let score = (used > 0.0).then(|| points / used);
        groups.push(GroupScore { group: place, weight: group.weight, score });
    }
    let used: f64 = groups.iter().filter(|group| group.score.is_some()).map(|group| group.weight).sum();
    for group in &mut groups {
        let counts = used > 0.0 && group.score.is_some();
        group.weight = if counts { group.weight / used } else { 0.0 };
    }
    let mut score = 0.0;
    for measure in &mut measures {
        measure.weight *= groups[measure.group].weight;
        measure.contribution = measure.measured.points.map_or(0.0, |points| measure.weight * points);
        score += measure.contribution;
    }
    Weighed { score: (used > 0.0).then(|| rounded(score)), coverage: rounded(coverage), groups, measures }
}

fn rounded(figure: f64) -> f64 {
    (figure * DECIMALS).round() / DECIMALS
}
