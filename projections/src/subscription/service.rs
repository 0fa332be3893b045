//! When service runs: the starts, renewals, cancellations, ends and pauses of a subscription in their order
//! (health-model §2, "Live").

use super::{Change, Entry, Recorded};
use crate::calendar::Day;
use crate::names::Names;
use crate::planted::{self, Bug};

/// What the events seen so far make of service on one day.
pub(super) struct Service<'a> {
    today: Day,
    /// The first day of service of the newest start or renewal that began it.
    from: Option<Day>,
    /// The first day of service ever.
    begun_on: Option<Day>,
    /// A spell of service before `from` ran for a day or more.
    served_before: bool,
    /// The first day without service after such a spell.
    last_end: Option<Day>,
    trial: Option<Trial<'a>>,
    /// It was paid for, converted or started as such, since the last trial began.
    paid: bool,
    cancellation: Option<Cancellation>,
    ended_on: Option<Day>,
    trial_ended_on: Option<Day>,
    pause: Option<Pause>,
}

struct Trial<'a> {
    /// `None`: it was first heard of by its end.
    start: Option<&'a Recorded>,
}

struct Cancellation {
    /// The day of its event.
    on: Day,
    /// The first day without service.
    effective: Day,
}

struct Pause {
    /// The last day of it; `None` until it is resumed.
    until: Option<Day>,
}

impl<'a> Service<'a> {
    /// From the changes that name the subscription and those that mean all of the account's, both in order.
    pub fn on(own: &'a [Entry], account_wide: &'a [Entry], names: &Names, today: Day) -> Self {
        let mut service = Self {
            today,
            from: None,
            begun_on: None,
            served_before: false,
            last_end: None,
            trial: None,
            paid: false,
            cancellation: None,
            ended_on: None,
            trial_ended_on: None,
            pause: None,
        };
        if let Some((_, first)) = own.first()
            && !first.is_start()
        {
            // First heard of by another event than its start, it counts as begun before it.
            service.begin(Day::MIN);
        }
        let mut wide = account_wide.iter().peekable();
        let first = own.first().map(|(order, _)| order);
        while wide.next_if(|(order, _)| first.is_some_and(|first| order.cmp(first, names).is_lt())).is_some()
        {
        }
        for (order, recorded) in own {
            while let Some((_, all)) = wide.next_if(|(other, _)| other.cmp(order, names).is_lt()) {
                service.apply_to_all(all);
            }
            service.apply(recorded);
        }
        wide.for_each(|(_, all)| service.apply_to_all(all));
        service
    }

    /// A change that names no subscription means those that had begun.
    fn apply_to_all(&mut self, recorded: &'a Recorded) {
        if self.begun_on.is_some_and(|begun| begun <= recorded.day) {
            self.apply(recorded);
        }
    }

    fn apply(&mut self, recorded: &'a Recorded) {
        match recorded.change {
            // A start whose day has not come does not count yet.
            Change::Started(_) | Change::TrialStarted(_) if recorded.counts_from() > self.today => {}
            Change::Started(_) => {
                self.start(recorded);
                (self.trial, self.paid) = (None, true);
            }
            Change::TrialStarted(_) => {
                self.start(recorded);
                (self.trial, self.paid) = (Some(Trial { start: Some(recorded) }), false);
            }
            Change::TrialConverted(_) => (self.trial, self.paid, self.trial_ended_on) = (None, true, None),
            Change::TrialEnded if self.paid => {}
            Change::TrialEnded => {
                self.trial.get_or_insert(Trial { start: None });
                self.trial_ended_on.get_or_insert(recorded.day);
            }
            Change::Renewed(_) => self.renew(recorded),
            Change::Cancelled { effective } => {
                let effective = effective.unwrap_or(recorded.day);
                self.cancellation = Some(Cancellation { on: recorded.day, effective });
            }
            Change::Withdrawn => self.cancellation = None,
            Change::Ended => _ = self.ended_on.get_or_insert(recorded.day),
            Change::Paused { until } => self.pause = Some(Pause { until }),
            Change::Resumed => self.pause = None,
            Change::Changed(_) => {}
        }
    }

    /// A start undoes the cancellation, the end and the pause before it.
    fn start(&mut self, recorded: &Recorded) {
        self.end_spell(recorded.named_day());
        self.begin(recorded.named_day());
        self.pause = None;
    }

    /// A renewal whose term does not start before the first day without service undoes the cancellation and the end; one
    /// that comes when there is no service begins it again on the day it names.
    fn renew(&mut self, recorded: &Recorded) {
        let named = recorded.named_day();
        let Some(off) = self.off().filter(|off| named >= *off) else { return };
        if off <= recorded.day {
            self.end_spell(named);
            self.begin(named);
        } else {
            self.undo_end();
        }
    }

    fn begin(&mut self, from: Day) {
        self.from = Some(from);
        self.begun_on = Some(self.begun_on.map_or(from, |begun| begun.min(from)));
        self.undo_end();
    }

    fn undo_end(&mut self) {
        (self.cancellation, self.ended_on, self.trial_ended_on) = (None, None, None);
    }

    /// Notes the spell of service that another follows on the day `next`.
    fn end_spell(&mut self, next: Day) {
        let Some(from) = self.from else { return };
        let end = self.off().filter(|off| *off <= next);
        if from < end.unwrap_or(next) {
            self.served_before = true;
            self.last_end = end.or(self.last_end);
        }
    }

    /// The first day without service, by what stands.
    fn off(&self) -> Option<Day> {
        let effective = self.cancellation.as_ref().map(|cancellation| cancellation.effective);
        [effective, self.ended_on, self.trial_ended_on].into_iter().flatten().min()
    }

    fn off_by_today(&self) -> Option<Day> {
        self.off().filter(|off| *off <= self.today)
    }

    fn begins_by_today(&self) -> Option<Day> {
        self.from.filter(|from| *from <= self.today)
    }

    /// Service runs today.
    pub fn is_live(&self) -> bool {
        self.begins_by_today().is_some() && self.off_by_today().is_none()
    }

    /// It ran on some day up to today.
    pub fn has_served(&self) -> bool {
        let serves = self.begins_by_today().is_some_and(|from| self.off().is_none_or(|off| from < off));
        self.served_before || serves
    }

    /// The first day without service, once it has come and nothing began since.
    pub fn ended_on(&self) -> Option<Day> {
        if self.is_live() {
            return None;
        }
        let off = self.off_by_today();
        let serves_until = off.filter(|off| self.from.is_some_and(|from| from < *off));
        serves_until.or(self.last_end).or(off)
    }

    /// It is a trial.
    pub fn is_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// The start of the trial that runs, if it was heard of.
    pub fn trial_start(&self) -> Option<&'a Recorded> {
        self.trial.as_ref().and_then(|trial| trial.start)
    }

    /// The day of the event of the cancellation that stands.
    pub fn cancelled_on(&self) -> Option<Day> {
        self.cancellation.as_ref().map(|cancellation| cancellation.on)
    }

    /// Service is suspended today.
    pub fn is_paused(&self) -> bool {
        let until = |pause: &Pause| pause.until.filter(|_| !planted::active(Bug::PauseWithoutEnd));
        self.pause.as_ref().is_some_and(|pause| until(pause).is_none_or(|last| self.today <= last))
    }
}
