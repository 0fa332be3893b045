//! The case of an account: one conversation about all its alerts (alerts §2).

use super::change::Change;
use super::record::{AccountAlerts, AlertState, Transition};
use crate::calendar::Day;
use crate::event::Micros;
use crate::severity::Severity;

/// Days after a case resolved within which an alert that opens is part of it again.
pub const REJOIN_DAYS: i64 = 7;
/// Most notes that are kept of a case, the newest.
pub const NOTES_MAX: usize = 100;

/// Where a case stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CaseState {
    /// Nobody has taken it on.
    Open,
    /// A person has.
    Acknowledged,
    /// A person put it off.
    Snoozed,
    /// None of its alerts is open any more.
    Resolved,
    /// A person closed it.
    Closed,
}

impl CaseState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Open, Self::Acknowledged, Self::Snoozed, Self::Resolved, Self::Closed];

    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Snoozed => "snoozed",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    /// Whether it still asks for something.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Acknowledged | Self::Snoozed)
    }
}

/// What a person does with a case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Takes it on.
    Acknowledge,
    /// Gives it to a person.
    Assign {
        /// Who has it from here on; empty: nobody.
        to: Box<str>,
    },
    /// Puts it off.
    Snooze {
        /// Until then, exclusive.
        until: Micros,
    },
    /// Says something.
    Note {
        /// What.
        text: Box<str>,
    },
    /// Ends it.
    Close {
        /// What it was worth: `useful`, `noise`, `expected`, `data_fault`.
        signal: Box<str>,
        /// What came of it: `saved`, `reduced`, `lost`, `no_contact`, `no_action_needed`, `pending`.
        result: Box<str>,
        /// Why, in words.
        reason: Box<str>,
    },
}

/// What a closed case was worth (alerts §1).
pub const SIGNALS: [&str; 4] = ["useful", "noise", "expected", "data_fault"];
/// What came of it.
pub const RESULTS: [&str; 6] = ["saved", "reduced", "lost", "no_contact", "no_action_needed", "pending"];

/// A note, and who wrote it when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// Who.
    pub author: Box<str>,
    /// When.
    pub at: Micros,
    /// What.
    pub text: Box<str>,
}

/// How a case was closed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closing {
    /// See [`SIGNALS`].
    pub signal: Box<str>,
    /// See [`RESULTS`].
    pub result: Box<str>,
    /// Why.
    pub reason: Box<str>,
}

/// The case of an account as what happened left it.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    /// The day on which it opened: with the account, its identity.
    pub opened_on: Day,
    /// Where it stands.
    pub state: CaseState,
    /// The day of its newest change by an alert.
    pub changed_on: Day,
    /// The most severe of its alerts so far.
    pub severity: Severity,
    /// Who has it; empty: nobody.
    pub assigned_to: Box<str>,
    /// Until when it is put off.
    pub snoozed_until: Option<Micros>,
    /// The newest notes, oldest first.
    pub notes: Vec<Note>,
    /// How it was closed.
    pub closing: Option<Closing>,
    /// Notices so far: the number of the newest.
    pub notices: u32,
}

/// Something of a case that people are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// It opened, again or for the first time, or another alert joined it.
    Opened,
    /// It got more severe.
    Worse,
    /// A person took it on.
    Acknowledged,
    /// A person put it off.
    Snoozed,
    /// The time for which it was put off is over.
    Awake,
    /// It is over by itself.
    Resolved,
    /// A person closed it.
    Closed,
    /// Later data took the ground from an alert of it.
    Corrected,
}

impl Notice {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Opened,
        Self::Worse,
        Self::Acknowledged,
        Self::Snoozed,
        Self::Awake,
        Self::Resolved,
        Self::Closed,
        Self::Corrected,
    ];

    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Worse => "severity_raised",
            Self::Acknowledged => "acknowledged",
            Self::Snoozed => "snoozed",
            Self::Awake => "updated",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
            Self::Corrected => "corrected",
        }
    }
}

impl Case {
    fn new(transition: &Transition) -> Self {
        Self {
            opened_on: transition.day,
            state: CaseState::Closed,
            changed_on: transition.day,
            severity: transition.severity,
            assigned_to: "".into(),
            snoozed_until: None,
            notes: Vec::new(),
            closing: None,
            notices: 0,
        }
    }

    /// Takes what a person did; tells what people are to hear of it.
    pub fn act(&mut self, action: &Action, author: &str, at: Micros) -> Option<Notice> {
        let notice = match action {
            Action::Acknowledge => {
                self.state = CaseState::Acknowledged;
                self.snoozed_until = None;
                Some(Notice::Acknowledged)
            }
            Action::Assign { to } => {
                self.assigned_to = to.clone();
                None
            }
            Action::Snooze { until } => {
                self.state = CaseState::Snoozed;
                self.snoozed_until = Some(*until);
                Some(Notice::Snoozed)
            }
            Action::Note { text } => {
                self.notes.push(Note { author: author.into(), at, text: text.clone() });
                if self.notes.len() > NOTES_MAX {
                    self.notes.remove(0);
                }
                None
            }
            Action::Close { signal, result, reason } => {
                self.state = CaseState::Closed;
                self.snoozed_until = None;
                let (signal, result, reason) = (signal.clone(), result.clone(), reason.clone());
                self.closing = Some(Closing { signal, result, reason });
                Some(Notice::Closed)
            }
        };
        self.tell(notice)
    }

    /// Ends a snooze whose time is over.
    pub fn wake(&mut self, now: Micros) -> Option<Notice> {
        let is_over = self.snoozed_until.is_some_and(|until| until <= now);
        if self.state != CaseState::Snoozed || !is_over {
            return None;
        }
        self.reopen();
        self.tell(Some(Notice::Awake))
    }

    fn reopen(&mut self) {
        self.state = CaseState::Open;
        self.snoozed_until = None;
    }

    /// Takes the severity of one of its alerts; a rise ends a snooze and is told.
    fn rise(&mut self, severity: Severity) -> Option<Notice> {
        if severity <= self.severity {
            return None;
        }
        self.severity = severity;
        if self.state == CaseState::Snoozed {
            self.reopen();
        }
        self.tell(Some(Notice::Worse))
    }

    fn tell(&mut self, notice: Option<Notice>) -> Option<Notice> {
        self.notices += u32::from(notice.is_some());
        notice
    }
}

/// Takes a transition that its account's alerts have taken already; tells what people are to hear of it. One that opens
/// nothing and belongs to no open case is none of theirs.
pub fn take(case: &mut Option<Case>, alerts: &AccountAlerts, transition: &Transition) -> Option<Notice> {
    let Transition { change, day, severity, .. } = transition;
    let state = alerts.get(&transition.slot).map(|alert| alert.state);
    let opens = matches!(change, Change::Open | Change::Released)
        || (*change == Change::Updated && case.is_none() && state == Some(AlertState::Open));
    if opens {
        let joins = case.as_ref().is_some_and(|case| match case.state {
            CaseState::Resolved => day.since(case.changed_on) <= REJOIN_DAYS,
            CaseState::Closed => false,
            _ => true,
        });
        if !joins {
            *case = Some(Case::new(transition));
        }
    }
    let case = case.as_mut()?;
    if opens {
        case.changed_on = *day;
        if case.state.is_open() {
            // Another line of the same conversation: told if it is worse, and shown if not.
            return case.rise(*severity);
        }
        case.severity = case.severity.max(*severity);
        case.state = CaseState::Open;
        return case.tell(Some(Notice::Opened));
    }
    if !case.state.is_open() {
        return None;
    }
    match change {
        Change::Updated if *severity > case.severity => {
            case.changed_on = *day;
            case.rise(*severity)
        }
        Change::Corrected => case.tell(Some(Notice::Corrected)),
        Change::Resolved | Change::Closed
            if !alerts.all().iter().any(|alert| alert.state == AlertState::Open) =>
        {
            case.state = CaseState::Resolved;
            case.snoozed_until = None;
            case.changed_on = *day;
            case.tell(Some(Notice::Resolved))
        }
        _ => None,
    }
}
