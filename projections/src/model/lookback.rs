//! How far back metrics look: what decides whether memory with a horizon answers them.

use super::{Agg, HALF_LIVES_MAX, Model, Plain, PlainKind};

impl Model {
    /// The most days before today at which any of these metrics looks, given by their places in the model.
    pub fn lookback_days(&self, metrics: &[usize]) -> i64 {
        metrics.iter().map(|index| self.lookback_of(*index)).max().unwrap_or(0)
    }

    fn lookback_of(&self, index: usize) -> i64 {
        match &self.metrics[index].agg {
            Agg::Plain(plain) => plain_lookback(plain),
            Agg::Share { window, .. } => i64::from(*window),
            Agg::Standing(_) => 0,
            Agg::Ratio { a, b, .. } => self.lookback_of(*a).max(self.lookback_of(*b)),
            Agg::PerSeat { a } => self.lookback_of(*a),
            // Yesterday and before; both windows may reach back over as many closed days again.
            Agg::Change { window, .. } => 4 * i64::from(*window) + 1,
            Agg::AgainstOwn { a, weeks } | Agg::Slope { a, weeks } => {
                self.lookback_of(*a) + 7 * i64::from(*weeks) + 1
            }
        }
    }
}

fn plain_lookback(plain: &Plain) -> i64 {
    let days = match (plain.window, &plain.kind) {
        (Some(window), _) => i64::from(window),
        (None, PlainKind::DecayedSum(_, half_life) | PlainKind::DecayedMean(_, half_life)) => {
            (HALF_LIVES_MAX * half_life).min(f64::from(u32::MAX)) as i64
        }
        // Without a window everything seen counts, and what lies before the horizon is kept added up.
        (None, _) => 0,
    };
    if plain.skip_closed { 2 * days } else { days }
}
