//! What the close of a day decides (architecture §2.4, alerts §1–5): every account is judged, and what would open is told,
//! found, held or inhibited.
//!
//! Nothing is changed here: what comes out is proposed, logged, and applied by the fold of the log.

use std::collections::BTreeSet;

use super::change::Change;
use super::fall::{ACTIVITY_DROP, GONE_SILENT, is_sudden};
use super::figures::Figures;
use super::fleet::WHOLE_FLEET;
use super::judge::{Bench, Judged, SCOPE_ACCOUNT};
use super::life::{CONDITION, FLAP, Finding, Next, PASSED, Today, step};
use super::record::{AccountAlerts, Alert, AlertState, Counts, Slot, Transition};
use crate::account_at::AccountAt;
use crate::calendar::Day;
use crate::drop::fleet_day::FleetStatus;
use crate::drop::parameters::Parameters;
use crate::rules::kind::Kind;
use crate::rules::rule::Rule;
use crate::rules::{DROP_OUTCOMES, Rules};
use crate::severity::Severity;

/// The account of alerts about the fleet.
pub const FLEET: &str = "*";
/// Normal days after which an alert of the fleet is over: gaps of up to three are one lull (drop-detection §4).
const FLEET_KEEP_DAYS: u32 = 4;
/// Days for which an alert inhibits others, from its opening, beyond the time it is open (alerts §2).
const INHIBIT_DAYS: i64 = 28;
const STORM: &str = "storm";

/// Days that an alert has counted, to be logged without a transition.
#[derive(Clone, PartialEq, Debug)]
pub struct Counted {
    /// The account.
    pub account: Box<str>,
    /// Which of its alerts.
    pub slot: Slot,
    /// Its days.
    pub counts: Counts,
}

/// What a close decides.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Decided {
    /// Transitions, by account in order; those of the fleet first.
    pub transitions: Vec<Transition>,
    /// Days counted, by account in order.
    pub counted: Vec<Counted>,
}

/// What an account's own alerts come to, before it is known what happened to all the others.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Proposed {
    /// What the close decides if nothing is held.
    pub decided: Decided,
    /// Whether a rule of the detector judged it.
    pub is_measured: bool,
}

/// Whether what opens is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Telling {
    /// It is.
    Told,
    /// It is listed, for this reason: nobody is told of what was already true.
    Found(&'static str),
}

/// Whether what opens of an account is told, by what the rule looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tellings {
    /// Of the rules of the detector.
    pub activity: Telling,
    /// Of all others.
    pub others: Telling,
}

impl Tellings {
    /// The same for all.
    pub fn all(telling: Telling) -> Self {
        Self { activity: telling, others: telling }
    }
}

/// Judges one account.
pub fn propose(
    bench: &Bench<'_>,
    account_at: &AccountAt<'_>,
    alerts: &AccountAlerts,
    tellings: Tellings,
) -> Proposed {
    let names = account_at.context().names;
    let account: Box<str> = names.text(account_at.survivor).into();
    let rules = &bench.watch.rules;
    let today = Today { day: bench.day, closed: account_at.closed() };
    let mut proposed = Proposed::default();
    // As the account's alerts will stand, so that one that opens now inhibits others of the same close.
    let mut standing: Option<AccountAlerts> = None;
    for judged in by_inhibition(rules, bench.judge(account_at, alerts)) {
        proposed.is_measured |= judged.is_measured;
        let rule = &rules.rules[judged.rule];
        let alert = alerts.find(&rule.name, &judged.scope);
        let slot = Slot { rule: rule.name.as_str().into(), scope: judged.scope };
        match step(alert, rule, judged.outcome, today) {
            Next::Same => {}
            Next::Count(counts) => {
                proposed.decided.counted.push(Counted { account: account.clone(), slot, counts });
            }
            Next::Change { change, cause, finding } => {
                let is_activity = matches!(rule.kind, Kind::Drop(_));
                let telling = if is_activity { tellings.activity } else { tellings.others };
                let mut transition = transition(&account, slot, alert, bench.day, change, cause, finding);
                let standing = standing.get_or_insert_with(|| alerts.clone());
                gate(&mut transition, rules, standing, alert, telling);
                standing.apply(&transition);
                proposed.decided.transitions.push(transition);
            }
        }
    }
    released_from_inhibition(rules, alerts, bench.day, &account, &mut proposed.decided);
    proposed
}

/// Ends what is open of an account that answers for itself no more.
pub fn end_merged(account: &str, alerts: &AccountAlerts, day: Day) -> Vec<Transition> {
    let ends = |alert: &&Alert| alert.state != AlertState::Closed;
    let end = |alert: &Alert| {
        transition(account, alert.slot.clone(), Some(alert), day, Change::Closed, "merged".into(), None)
    };
    alerts.all().iter().filter(ends).map(end).collect()
}

fn transition(
    account: &str,
    slot: Slot,
    alert: Option<&Alert>,
    day: Day,
    change: Change,
    cause: Box<str>,
    finding: Option<Finding>,
) -> Transition {
    let opens = matches!(change, Change::Open | Change::Pending);
    let known = alert.filter(|_| !opens);
    let (name, severity, figures) = match (finding, alert) {
        (Some(finding), _) => {
            let name = known.map_or(finding.name, |alert| alert.name.clone());
            (name, finding.severity, finding.figures)
        }
        (None, Some(alert)) => (alert.name.clone(), alert.severity, alert.figures.clone()),
        (None, None) => (slot.rule.clone(), Severity::Low, Figures::default()),
    };
    let number = Alert::next_number(alert);
    Transition { account: account.into(), slot, name, change, day, severity, cause, figures, number }
}

/// Rules that inhibit others are judged before them.
fn by_inhibition(rules: &Rules, judged: Vec<Judged>) -> Vec<Judged> {
    let inhibits = |rule: usize| {
        let rule = &rules.rules[rule];
        rules.inhibitions.iter().any(|inhibition| is_name_of(rule, &inhibition.by))
    };
    let (mut first, then): (Vec<_>, Vec<_>) = judged.into_iter().partition(|judged| inhibits(judged.rule));
    first.extend(then);
    first
}

fn is_name_of(rule: &Rule, name: &str) -> bool {
    rule.name == name || (matches!(rule.kind, Kind::Drop(_)) && DROP_OUTCOMES.contains(&name))
}

/// What would open is found or inhibited instead; so is what began to hold when nobody was to be told.
fn gate(
    transition: &mut Transition,
    rules: &Rules,
    standing: &AccountAlerts,
    alert: Option<&Alert>,
    telling: Telling,
) {
    let pending_since = alert.filter(|alert| alert.state == AlertState::Pending).map(|alert| &alert.cause);
    match (transition.change, telling) {
        (Change::Pending, Telling::Found(cause)) => transition.cause = cause.into(),
        (Change::Open, Telling::Found(cause)) => {
            transition.change = Change::Found;
            transition.cause = cause.into();
        }
        (Change::Open, Telling::Told) => {
            if let Some(cause) = pending_since.filter(|cause| ***cause != *CONDITION) {
                transition.change = Change::Found;
                transition.cause = cause.clone();
            } else if let Some(by) =
                inhibitor(rules, standing, &transition.name, &transition.slot, transition.day)
            {
                transition.change = Change::Inhibited;
                transition.cause = by.into();
            }
        }
        _ => {}
    }
}

/// The name of the alert that says already what another of the account would.
fn inhibitor<'a>(
    rules: &Rules,
    standing: &'a AccountAlerts,
    name: &str,
    slot: &Slot,
    day: Day,
) -> Option<&'a str> {
    let says = |alert: &&Alert| {
        let is_recent = alert.opened_on.is_some_and(|opened| day.since(opened) <= INHIBIT_DAYS);
        alert.slot != *slot
            && alert.state != AlertState::Inhibited
            && (alert.state.is_active() || (is_recent && alert.state != AlertState::Pending))
            && rules
                .inhibitions
                .iter()
                .any(|inhibition| is_by(alert, &inhibition.by) && inhibition.inhibits(name))
    };
    standing.all().iter().find(says).map(|alert| &*alert.name)
}

/// Whether an alert is one that a file names as inhibiting others. A drop that was found by its silence is a drop.
fn is_by(alert: &Alert, by: &str) -> bool {
    *alert.name == *by || (by == ACTIVITY_DROP && *alert.name == *GONE_SILENT)
}

/// What was inhibited by an alert that is over, and still holds, is told.
fn released_from_inhibition(
    rules: &Rules,
    alerts: &AccountAlerts,
    day: Day,
    account: &str,
    decided: &mut Decided,
) {
    for alert in alerts.all().iter().filter(|alert| alert.state == AlertState::Inhibited) {
        let is_decided = decided.transitions.iter().any(|transition| transition.slot == alert.slot);
        let is_going =
            decided.counted.iter().any(|counted| counted.slot == alert.slot && counted.counts.gone > 0)
                || alert.counts.gone > 0;
        if !is_decided && !is_going && inhibitor(rules, alerts, &alert.name, &alert.slot, day).is_none() {
            let slot = alert.slot.clone();
            decided.transitions.push(transition(
                account,
                slot,
                Some(alert),
                day,
                Change::Released,
                "not_inhibited".into(),
                None,
            ));
        }
    }
}

/// What a close decides, and why what opens is held on that day.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Close {
    /// What it decides.
    pub decided: Decided,
    /// Empty where nothing is held.
    pub hold: Box<str>,
}

/// Puts the accounts of a close together with what happened to the fleet: a storm and an outage hold what would open.
pub fn decide(bench: &Bench<'_>, fleet: &AccountAlerts, proposed: Vec<Proposed>, telling: Telling) -> Close {
    let rules = &bench.watch.rules;
    let measured = proposed.iter().filter(|proposed| proposed.is_measured).count();
    let opens = |transition: &&Transition| transition.change == Change::Open;
    let opening: BTreeSet<&str> = proposed
        .iter()
        .flat_map(|proposed| &proposed.decided.transitions)
        .filter(opens)
        .filter(|transition| is_sudden(&transition.name))
        .map(|transition| &*transition.account)
        .collect();
    let is_storm = telling == Telling::Told && rules.storm.is(opening.len(), measured);
    let mut decided = Decided::default();
    let mut hold = "";
    for (name, status) in
        [("telemetry_missing", FleetStatus::TelemetryMissing), ("fleet_lull", FleetStatus::Lull)]
    {
        let seen = of_the_day(bench, status);
        if seen.is_some() && hold.is_empty() {
            hold = name;
        }
        of_fleet(bench.day, fleet, name, seen, &mut decided);
    }
    let storm = is_storm.then(|| {
        let members: Vec<Box<str>> = opening.iter().map(|account| (*account).into()).collect();
        let text = format!(
            "{} of {measured} judged accounts would open activity alerts at once; they are held for a person, or for three closed days",
            members.len()
        );
        Figures { members, text: text.into(), ..Figures::default() }
    });
    of_fleet(bench.day, fleet, STORM, storm, &mut decided);
    if is_storm {
        hold = STORM;
    }
    let rest = hold_back(rules, proposed, hold);
    decided.transitions.extend(rest.transitions);
    decided.counted.extend(rest.counted);
    Close { decided, hold: hold.into() }
}

/// Holds the activity alerts that would open, where there is a reason to; what is left of a close whose fleet was decided.
pub fn hold_back(rules: &Rules, proposed: Vec<Proposed>, hold: &str) -> Decided {
    let mut decided = Decided::default();
    for proposed in proposed {
        let Decided { transitions, counted } = proposed.decided;
        decided.counted.extend(counted);
        for mut transition in transitions {
            let rule = rules.rule(&transition.slot.rule);
            let is_activity = rule.is_some_and(|rule| matches!(rule.kind, Kind::Drop(_)));
            if !hold.is_empty() && transition.change == Change::Open && is_activity {
                transition.change = Change::Held;
                transition.cause = hold.into();
            }
            decided.transitions.push(transition);
        }
    }
    // Stable: what happens to one account stays in its order.
    decided.transitions.sort_by(|a, b| a.account.cmp(&b.account));
    decided.counted.sort_by(|a, b| a.account.cmp(&b.account));
    decided
}

/// What is said of the day of the whole fleet, where a rule of the detector finds it to have this status.
fn of_the_day(bench: &Bench<'_>, status: FleetStatus) -> Option<Figures> {
    let dark = Parameters::default().dark;
    let rules = bench.watch.rules.rules.iter().filter(|rule| matches!(rule.kind, Kind::Drop(_)));
    let mut days =
        rules.filter_map(|rule| bench.fleets.get(rule.name.as_str())?.day_of(WHOLE_FLEET, bench.day));
    let (day, _) = days.find(|(day, noise)| noise.status(day.raw, day.silent_share, dark) == status)?;
    let text = format!(
        "the fleet's activity was {:.0} % of usual on {}; {:.0} % of the regularly active accounts were silent",
        day.raw * 100.0,
        bench.day.to_text(),
        day.silent_share * 100.0
    );
    let values = vec![("factor".into(), day.raw), ("silent_share".into(), day.silent_share)];
    Some(Figures { values, text: text.into(), ..Figures::default() })
}

/// The life of an alert of the fleet: it opens at once and is over after some normal days.
fn of_fleet(day: Day, fleet: &AccountAlerts, name: &str, seen: Option<Figures>, decided: &mut Decided) {
    let slot = Slot { rule: name.into(), scope: SCOPE_ACCOUNT.into() };
    let alert = fleet.get(&slot).filter(|alert| alert.state != AlertState::Closed);
    let number = fleet.next_number(&slot);
    let mut push = |change, cause: &str, figures| {
        let (slot, severity) = (slot.clone(), Severity::High);
        let (account, name) = (FLEET.into(), name.into());
        decided.transitions.push(Transition {
            account,
            slot,
            name,
            change,
            day,
            severity,
            cause: cause.into(),
            figures,
            number,
        });
    };
    match (alert, seen) {
        (None, Some(figures)) => push(Change::Open, CONDITION, figures),
        (Some(alert), Some(figures)) if alert.state == AlertState::Resolved => {
            push(Change::Open, FLAP, figures);
        }
        // Another day of the same; of a storm there are other members.
        (Some(_), Some(figures)) if name == STORM => push(Change::Updated, CONDITION, figures),
        (Some(alert), Some(_)) if alert.counts.gone > 0 => {
            let counts = Counts::default();
            decided.counted.push(Counted { account: FLEET.into(), slot, counts });
        }
        (Some(alert), None) if alert.state.is_active() => {
            let gone = alert.counts.gone + 1;
            if gone >= FLEET_KEEP_DAYS {
                push(Change::Closed, PASSED, alert.figures.clone());
            } else {
                let counts = Counts { holding: 0, gone };
                decided.counted.push(Counted { account: FLEET.into(), slot, counts });
            }
        }
        _ => {}
    }
}
