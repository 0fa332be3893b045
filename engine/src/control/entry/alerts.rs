//! Control entries about alerts and cases, in their stored form and back.

use tidewatch_projections::alert::book::NoticeKey;
use tidewatch_projections::alert::case::Action;
use tidewatch_projections::alert::change::Change;
use tidewatch_projections::alert::close::{Counted, Decided};
use tidewatch_projections::alert::figures::Figures;
use tidewatch_projections::alert::fleet::{FleetFactors, GroupDay, GroupFactors};
use tidewatch_projections::alert::record::{Counts, Slot, Transition};
use tidewatch_projections::calendar::Day;
use tidewatch_projections::severity::Severity;
use tidewatch_proto::log::v1 as wire;

use super::{CaseChange, ControlError, DayDecided, Settled};

fn unknown(what: &'static str, found: &str) -> ControlError {
    ControlError::Unknown { what, found: found.into() }
}

fn exactly<const COUNT: usize>(what: &'static str, figures: &[f64]) -> Result<[f64; COUNT], ControlError> {
    figures.try_into().map_err(|_| unknown(what, &format!("a list of {}", figures.len())))
}

pub(super) fn wire_factors(factors: &FleetFactors) -> wire::FactorsAdopted {
    let day = |day: &GroupDay| wire::DayFactor {
        day: day.day.0,
        raw: day.raw,
        factor: day.factor,
        silent_share: day.silent_share,
    };
    let group = |group: &GroupFactors| wire::GroupFactors {
        group: group.group.to_string(),
        days: group.days.iter().map(day).collect(),
        weeks: group.weeks.to_vec(),
    };
    wire::FactorsAdopted {
        rule: factors.rule.to_string(),
        day: factors.day.0,
        c0: factors.c0,
        shares: factors.shares.to_vec(),
        groups: factors.groups.iter().map(group).collect(),
    }
}

pub(super) fn factors(stored: wire::FactorsAdopted) -> Result<FleetFactors, ControlError> {
    let group = |group: wire::GroupFactors| {
        let days = group.days.into_iter().map(|day| GroupDay {
            day: Day(day.day),
            raw: day.raw,
            factor: day.factor,
            silent_share: day.silent_share,
        });
        let weeks = exactly("weeks", &group.weeks)?;
        Ok(GroupFactors { group: group.group.into(), days: days.collect(), weeks })
    };
    Ok(FleetFactors {
        rule: stored.rule.into(),
        day: Day(stored.day),
        c0: stored.c0,
        shares: exactly("shares", &stored.shares)?,
        groups: stored.groups.into_iter().map(group).collect::<Result<_, ControlError>>()?,
    })
}

fn wire_transition(transition: &Transition) -> wire::AlertTransition {
    let Figures { p, drop, expected, level, values, members, text } = &transition.figures;
    wire::AlertTransition {
        account: transition.account.to_string(),
        rule: transition.slot.rule.to_string(),
        scope: transition.slot.scope.to_string(),
        name: transition.name.to_string(),
        change: transition.change.name().to_owned(),
        severity: transition.severity.name().to_owned(),
        cause: transition.cause.to_string(),
        number: transition.number,
        p: *p,
        drop: *drop,
        expected: *expected,
        level: *level,
        values: values.iter().map(|(name, value)| (name.to_string(), *value)).collect(),
        members: members.iter().map(|member| member.to_string()).collect(),
        text: text.to_string(),
    }
}

fn transition(stored: wire::AlertTransition, day: Day) -> Result<Transition, ControlError> {
    let change = Change::from_name(&stored.change)
        .ok_or_else(|| unknown("the transition of an alert", &stored.change))?;
    let severity =
        Severity::from_name(&stored.severity).ok_or_else(|| unknown("the severity", &stored.severity))?;
    Ok(Transition {
        account: stored.account.into(),
        slot: Slot { rule: stored.rule.into(), scope: stored.scope.into() },
        name: stored.name.into(),
        change,
        day,
        severity,
        cause: stored.cause.into(),
        figures: Figures {
            p: stored.p,
            drop: stored.drop,
            expected: stored.expected,
            level: stored.level,
            values: stored.values.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            members: stored.members.into_iter().map(Into::into).collect(),
            text: stored.text.into(),
        },
        number: stored.number,
    })
}

pub(super) fn wire_decided(part: &DayDecided) -> wire::AlertsDecided {
    let count = |counted: &Counted| wire::AlertCount {
        account: counted.account.to_string(),
        rule: counted.slot.rule.to_string(),
        scope: counted.slot.scope.to_string(),
        holding: counted.counts.holding,
        gone: counted.counts.gone,
    };
    wire::AlertsDecided {
        day: part.day.0,
        transitions: part.decided.transitions.iter().map(wire_transition).collect(),
        counts: part.decided.counted.iter().map(count).collect(),
        through_account: part.through.to_string(),
        is_last: part.is_last,
        hold: part.hold.to_string(),
        tells: part.tells,
    }
}

pub(super) fn decided(stored: wire::AlertsDecided) -> Result<DayDecided, ControlError> {
    let day = Day(stored.day);
    let counted = stored.counts.into_iter().map(|count| Counted {
        account: count.account.into(),
        slot: Slot { rule: count.rule.into(), scope: count.scope.into() },
        counts: Counts { holding: count.holding, gone: count.gone },
    });
    let transitions = stored.transitions.into_iter().map(|stored| transition(stored, day));
    Ok(DayDecided {
        day,
        decided: Decided { transitions: transitions.collect::<Result<_, _>>()?, counted: counted.collect() },
        through: stored.through_account.into(),
        is_last: stored.is_last,
        hold: stored.hold.into(),
        tells: stored.tells,
    })
}

pub(super) fn wire_case(change: &CaseChange) -> wire::CaseChanged {
    use wire::case_changed::Action as Stored;
    let action = match &change.action {
        None => Stored::Awoke(wire::CaseAwoke {}),
        Some(Action::Acknowledge) => Stored::Acknowledged(wire::CaseAcknowledged {}),
        Some(Action::Assign { to }) => Stored::Assigned(wire::CaseAssigned { to: to.to_string() }),
        Some(Action::Snooze { until }) => Stored::Snoozed(wire::CaseSnoozed { until_us: *until }),
        Some(Action::Note { text }) => Stored::Noted(wire::CaseNoted { text: text.to_string() }),
        Some(Action::Close { signal, result, reason }) => Stored::Closed(wire::CaseClosed {
            signal: signal.to_string(),
            result: result.to_string(),
            reason: reason.to_string(),
        }),
    };
    wire::CaseChanged {
        account: change.account.to_string(),
        author: change.author.to_string(),
        at_us: change.at,
        tells: change.tells,
        action: Some(action),
    }
}

pub(super) fn case(stored: wire::CaseChanged) -> Result<CaseChange, ControlError> {
    use wire::case_changed::Action as Stored;
    let action = match stored.action {
        None => return Err(ControlError::UnknownKind),
        Some(Stored::Awoke(_)) => None,
        Some(Stored::Acknowledged(_)) => Some(Action::Acknowledge),
        Some(Stored::Assigned(assigned)) => Some(Action::Assign { to: assigned.to.into() }),
        Some(Stored::Snoozed(snoozed)) => Some(Action::Snooze { until: snoozed.until_us }),
        Some(Stored::Noted(noted)) => Some(Action::Note { text: noted.text.into() }),
        Some(Stored::Closed(closed)) => Some(Action::Close {
            signal: closed.signal.into(),
            result: closed.result.into(),
            reason: closed.reason.into(),
        }),
    };
    Ok(CaseChange {
        account: stored.account.into(),
        author: stored.author.into(),
        at: stored.at_us,
        tells: stored.tells,
        action,
    })
}

pub(super) fn wire_settled(settled: &[Settled]) -> wire::NoticesSettled {
    let settled = settled.iter().map(|settled| wire::NoticeSettled {
        account: settled.key.account.to_string(),
        rule: settled.key.rule.to_string(),
        opened_day: settled.key.opened_on.0,
        number: settled.key.number,
        receiver: settled.receiver.to_string(),
        at_us: settled.at,
        given_up: settled.given_up.to_string(),
    });
    wire::NoticesSettled { settled: settled.collect() }
}

pub(super) fn settled(stored: wire::NoticesSettled) -> Vec<Settled> {
    let settled = stored.settled.into_iter().map(|settled| Settled {
        key: NoticeKey {
            account: settled.account.into(),
            rule: settled.rule.into(),
            opened_on: Day(settled.opened_day),
            number: settled.number,
        },
        receiver: settled.receiver.into(),
        at: settled.at_us,
        given_up: settled.given_up.into(),
    });
    settled.collect()
}
