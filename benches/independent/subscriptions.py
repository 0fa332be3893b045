"""One subscription as known at an instant: whether it lives, its figures, its term. Row by row, in plain Python."""
from dataclasses import dataclass
from decimal import Decimal

from calendars import add_months, date_of
from events import number

PAID, TRIAL, CONVERTED = "subscription_started", "trial_started", "trial_converted"
STARTS = (PAID, TRIAL)
NAMING = STARTS + ("subscription_changed", "subscription_renewed", "subscription_cancelled", "cancellation_withdrawn",
                   "subscription_ended", "subscription_paused", "subscription_resumed", CONVERTED, "trial_ended")
# Where an event names the day its figures count from.
NAMED = {PAID: "term_start", TRIAL: "term_start", CONVERTED: "term_start", "subscription_renewed": "term_start",
         "subscription_changed": "effective_at"}
LONG_AGO = -(1 << 30)


@dataclass
class State:
    live: bool
    trial: bool
    cancelled: bool
    recurring: bool
    seats: Decimal | None = None
    amount: int | None = None
    notice_days: int | None = None
    commit: Decimal | None = None
    term_start: int | None = None
    term_end: int | None = None


def term_months(start, last):
    """n when the day after the last is n months after the start, else None."""
    a, b = date_of(start), date_of(last + 1)
    n = (b.year - a.year) * 12 + b.month - a.month
    return n if n >= 1 and add_months(start, n) == last + 1 else None


def rolled(start, last, until):
    """The term that holds on the day `until` when a term rolls on by its own length."""
    if last < start or until <= last:
        return start, last
    months = term_months(start, last)
    if months is None:
        n = last - start + 1
        k = (until - start) // n
        return start + k * n, start + (k + 1) * n - 1
    a, b = date_of(start), date_of(until)
    k = max(0, ((b.year - a.year) * 12 + b.month - a.month) // months - 1)
    while add_months(start, (k + 1) * months) <= until:
        k += 1
    return add_months(start, k * months), add_months(start, (k + 1) * months) - 1


class Told:
    """The events of one subscription seen before `t`, and what they say of days."""

    def __init__(self, events, t, today, calendar):
        self.seen, self.today, self.calendar = [e for e in events if e.occurred < t], today, calendar
        self.starts = [e for e in self.seen if e.type in STARTS and self.counts_from(e) <= today]
        self.newest = self.starts[-1] if self.starts else None
        self.unheard = bool(self.seen) and self.seen[0].type not in STARTS

    def named(self, e, name):
        return self.calendar.named_day(e.props.get(name)) if name else None

    def day(self, e):
        """The day its figures name, else its own."""
        named = self.named(e, NAMED.get(e.type))
        return e.day if named is None else named

    def counts_from(self, e):
        return max(self.day(e), e.day)

    def had_begun(self, other):
        """Whether it had begun when an event that means all of the account's came."""
        if self.unheard and self.seen[0].ord < other.ord:
            return True
        return any(s.ord < other.ord and self.day(s) <= other.day for s in self.starts)

    def since_start(self, of_all):
        """What came after the newest start that counts, which undoes what was before it."""
        after = -1 if self.newest is None else self.newest.ord
        mine = [e for e in self.seen if e.ord > after and e.type not in STARTS]
        return sorted(mine + [e for e in of_all if e.ord > after and self.had_begun(e)], key=lambda e: e.ord)


def state(events, of_all, t, today, calendar):
    """The state at instant `t` (exclusive) from the subscription's own events and those that mean all of the account's."""
    told = Told(events, t, today, calendar)
    if not told.seen:
        return None
    later = told.since_start([e for e in of_all if e.occurred < t])
    types = {e.type for e in later}
    trial = (told.newest.type == TRIAL if told.newest is not None else "trial_ended" in types) and CONVERTED not in types

    begins = LONG_AGO if told.newest is None else told.day(told.newest)
    begun = told.newest is not None or told.unheard
    cancel, effective, over = None, None, None
    for e in later:
        off = min((d for d in (effective, over) if d is not None), default=None)
        if e.type == "subscription_cancelled":
            named = told.named(e, "effective_at")
            cancel, effective = e, e.day if named is None else named
        elif e.type == "cancellation_withdrawn":
            cancel, effective = None, None
        elif e.type == "subscription_ended" or (e.type == "trial_ended" and trial):
            over = e.day if over is None else over
        elif e.type == "subscription_renewed" and off is not None and told.day(e) >= off:
            if off <= e.day:
                begins = told.day(e)
            cancel, effective, over = None, None, None
    live = begun and begins <= today and all(d is None or today < d for d in (effective, over))

    figures = sorted((told.counts_from(e), e.ord, e) for e in told.seen if e.type in NAMED and told.counts_from(e) <= today)
    out = State(live=live, trial=trial, cancelled=cancel is not None, recurring=True)
    auto_renew, base = False, None
    for _, _, e in figures:
        p = e.props
        if number(p.get("seats")) is not None:
            out.seats = number(p["seats"])
        if e.type != "subscription_changed":
            if number(p.get("notice_days")) is not None:
                out.notice_days = int(number(p["notice_days"]))
            if number(p.get("commit_quantity")) is not None:
                out.commit = number(p["commit_quantity"])
            if isinstance(p.get("recurring"), bool):
                out.recurring = p["recurring"]
            if isinstance(p.get("auto_renew"), bool):
                auto_renew = p["auto_renew"]
        if e.type == TRIAL and not (trial and e is told.newest):
            continue  # amount and term of a trial end with it
        if e.amount is not None:
            out.amount = e.amount
        states_term = told.named(e, "term_start") is not None or told.named(e, "term_end") is not None
        if e.type in STARTS or e.type == "subscription_renewed" or (e.type == CONVERTED and states_term):
            base = e
    if base is not None:
        first, last = told.day(base), told.named(base, "term_end")
        out.term_start, out.term_end = first, last
        if last is not None and auto_renew:
            until = today if cancel is None else min(today, cancel.day - 1)
            out.term_start, out.term_end = rolled(first, last, until)
    return out
