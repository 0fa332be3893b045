//! Prints a control entry as JSON for people and their tools. The format is not read back.

use serde_json::{Value as Json, json};
use tidewatch_projections::alert::case::Action;
use tidewatch_projections::alert::fleet::GroupFactors;
use tidewatch_projections::alert::record::Transition;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::settings::{ClosedDays, Settings};

use super::{Control, Settled};
use crate::storage::log::time;

impl Control {
    /// Its fields: instants in RFC 3339, days as dates, lengths of time in microseconds.
    pub fn to_json(&self) -> Json {
        match self {
            Self::ClockAdvanced { at } | Self::WallAdvanced { at } => json!({ "at": time(*at) }),
            Self::TypeFed { kind, earliest_at, earliest_user_at } => json!({
                "type": kind,
                "earliest_at": earliest_at.map(time),
                "earliest_user_at": earliest_user_at.map(time),
            }),
            Self::SettingsAdopted { settings, tz_version } => {
                let Settings { zone, closed_days, skew_us, close_delay_us } = settings;
                json!({
                    "zone": zone,
                    "tz_version": tz_version,
                    "closed_days": closed_days.iter().map(closed).collect::<Vec<_>>(),
                    "skew_us": skew_us,
                    "close_delay_us": close_delay_us,
                })
            }
            Self::ModelAdopted { text } => json!({ "text": text }),
            Self::SourceOpened { source, mapping_digest, streams } => {
                json!({ "source": source, "mapping_digest": mapping_digest, "streams": streams })
            }
            Self::SourceRetired { source } => json!({ "source": source }),
            Self::SourceReset { source, generation, mapping_digest } => {
                json!({ "source": source, "generation": generation, "mapping_digest": mapping_digest })
            }
            Self::OverrideSet { account, band_override } => json!({
                "account": account,
                "band": band_override.band,
                "reason": band_override.reason,
                "author": band_override.author,
                "at": time(band_override.at),
                "expires_at": time(band_override.expires_at),
            }),
            Self::DeadLettersResolved { seqs } => json!({ "seqs": seqs }),
            Self::RulesAdopted { text } => json!({ "text": text }),
            Self::FactorsAdopted(factors) => json!({
                "rule": factors.rule,
                "day": date(factors.day),
                "c0": factors.c0,
                "groups": factors.groups.iter().map(group).collect::<Vec<_>>(),
            }),
            Self::AlertsDecided(part) => json!({
                "day": date(part.day),
                "transitions": part.decided.transitions.iter().map(transition).collect::<Vec<_>>(),
                "counted": part.decided.counted.len(),
                "is_last": part.is_last,
            }),
            Self::CaseChanged(change) => json!({
                "account": change.account,
                "author": change.author,
                "at": time(change.at),
                "action": action(change.action.as_ref()),
            }),
            Self::NoticesSettled { settled } => json!({
                "settled": settled.iter().map(one_settled).collect::<Vec<_>>(),
            }),
        }
    }
}

fn group(group: &GroupFactors) -> Json {
    let factors = group.days.iter().map(|day| json!({ "day": date(day.day), "factor": day.factor }));
    json!({ "group": group.group, "factors": factors.collect::<Vec<_>>() })
}

fn transition(transition: &Transition) -> Json {
    json!({
        "account": transition.account,
        "rule": transition.name,
        "scope": transition.slot.scope,
        "transition": transition.change.name(),
        "severity": transition.severity.name(),
        "cause": transition.cause,
        "number": transition.number,
        "text": transition.figures.text,
    })
}

fn action(action: Option<&Action>) -> Json {
    match action {
        None => json!("awoke"),
        Some(Action::Acknowledge) => json!("acknowledged"),
        Some(Action::Assign { to }) => json!({ "assigned": to }),
        Some(Action::Snooze { until }) => json!({ "snoozed_until": time(*until) }),
        Some(Action::Note { text }) => json!({ "note": text }),
        Some(Action::Close { signal, result, reason }) => {
            json!({ "closed": { "signal": signal, "result": result, "reason": reason } })
        }
    }
}

fn one_settled(settled: &Settled) -> Json {
    json!({
        "account": settled.key.account,
        "rule": settled.key.rule,
        "opened_on": date(settled.key.opened_on),
        "number": settled.key.number,
        "receiver": settled.receiver,
        "at": time(settled.at),
        "given_up": settled.given_up,
    })
}

fn closed(days: &ClosedDays) -> Json {
    json!({ "scope": days.scope.to_string(), "from": date(days.from), "to": date(days.to) })
}

/// A date, or days since 1970-01-01 outside its years.
fn date(day: Day) -> Json {
    if Day::from_date(day.date()) == day { day.to_text().into() } else { day.0.into() }
}

#[cfg(test)]
mod tests {
    use tidewatch_projections::settings::Scope;

    use super::*;

    #[test]
    fn instants_and_days_are_told_as_people_write_them() {
        let fed = Control::TypeFed { kind: "usage".into(), earliest_at: Some(0), earliest_user_at: None };
        assert_eq!(
            fed.to_json(),
            json!({ "type": "usage", "earliest_at": "1970-01-01T00:00:00Z", "earliest_user_at": null })
        );
        let days = ClosedDays { scope: Scope::All, from: Day(19_723), to: Day(19_724) };
        assert_eq!(closed(&days), json!({ "scope": "all", "from": "2024-01-01", "to": "2024-01-02" }));
        assert_eq!((date(Day(i32::MAX)), date(Day(-5_000_000))), (i32::MAX.into(), (-5_000_000).into()));
        assert_eq!(Control::WallAdvanced { at: i64::MAX }.to_json(), json!({ "at": i64::MAX }));
    }
}
