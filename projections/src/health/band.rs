//! The band that holds a score, which keeps what it was within a margin (health-model §6).

use crate::model::scoring::Scoring;

/// The score that a band ends below and the one it starts at; neither for the ends of the range.
fn limits(scoring: &Scoring, band: usize) -> (f64, f64) {
    let low = band.checked_sub(1).and_then(|before| scoring.bands[before].below);
    (low.unwrap_or(f64::NEG_INFINITY), scoring.bands[band].below.unwrap_or(f64::INFINITY))
}

/// Whether a band that was held is kept at a score: lo − margin ≤ score < hi + margin.
fn keeps(scoring: &Scoring, band: usize, score: f64) -> bool {
    let (low, high) = limits(scoring, band);
    low - scoring.band_margin <= score && score < high + scoring.band_margin
}

/// The band of a score after the one held before; without one, the band that holds the score.
pub(super) fn next(scoring: &Scoring, held: Option<usize>, score: f64) -> usize {
    held.filter(|held| keeps(scoring, *held, score)).unwrap_or_else(|| holding(scoring, score))
}

/// The band that holds a score, margins aside.
pub fn holding(scoring: &Scoring, score: f64) -> usize {
    let is_below = |band: &crate::model::band::Band| band.below.is_none_or(|below| score < below);
    scoring.bands.iter().position(is_below).expect("the last band holds all the rest")
}

/// Whether a score has the same band whatever was held before: then nothing older matters.
pub(super) fn is_certain(scoring: &Scoring, score: f64) -> bool {
    (0..scoring.bands.len()).filter(|band| keeps(scoring, *band, score)).count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DEFAULT, Model};

    #[test]
    fn a_band_is_kept_within_the_margin() {
        let scoring = Model::parse(DEFAULT).unwrap().scoring.unwrap();
        let fold = |scores: &[f64]| {
            scores.iter().fold(None, |held, score| Some(next(&scoring, held, *score))).unwrap()
        };
        // Red below 40, yellow below 70, margin 3.
        assert_eq!(fold(&[39.999]), 0);
        assert_eq!(fold(&[40.0]), 1);
        assert_eq!(fold(&[50.0, 37.0]), 1, "lo - margin is kept");
        assert_eq!(fold(&[50.0, 36.999]), 0);
        assert_eq!(fold(&[39.0, 42.999]), 0);
        assert_eq!(fold(&[39.0, 43.0]), 1, "hi + margin is not");
        assert_eq!(fold(&[90.0, 67.0]), 2);
        assert_eq!(fold(&[90.0, 20.0]), 0, "two bands at once");
        let certain: Vec<bool> = [36.9, 37.0, 42.9, 43.0, 66.9, 67.0, 72.9, 73.0]
            .iter()
            .map(|score| is_certain(&scoring, *score))
            .collect();
        assert_eq!(certain, [true, false, false, true, true, false, false, true]);
    }
}
