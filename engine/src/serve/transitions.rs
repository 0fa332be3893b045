//! Transitions of alerts and their figures on the wire.

use tidewatch_projections::alert::figures::Figures;
use tidewatch_projections::alert::record::Transition;
use tidewatch_proto::v1;

use super::convert;

/// A transition as the API has it.
pub fn wire_transition(at: i64, transition: &Transition) -> v1::AlertTransition {
    v1::AlertTransition {
        at: Some(convert::timestamp(at)),
        account: transition.account.to_string(),
        rule: transition.name.to_string(),
        scope: transition.slot.scope.to_string(),
        transition: transition.change.name().to_owned(),
        severity: transition.severity.name().to_owned(),
        cause: transition.cause.to_string(),
        figures: Some(wire_figures(&transition.figures)),
        day: transition.day.to_text(),
    }
}

/// The figures of an alert as the API has them.
pub fn wire_figures(figures: &Figures) -> v1::AlertFigures {
    v1::AlertFigures {
        p: figures.p,
        drop: figures.drop,
        expected: figures.expected,
        text: figures.text.to_string(),
        values: figures.values.iter().map(|(name, value)| (name.to_string(), *value)).collect(),
        members: figures.members.iter().map(|member| member.to_string()).collect(),
        level: figures.level,
    }
}
