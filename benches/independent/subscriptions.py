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
    paused: bool = False
    served: bool = False  # whether it gave a day of service
    off: int | None = None  # the first day without service
    seats: Decimal | None = None
    amount: int | None = None
    amount_per: str | None = None
    currency: str | None = None
    notice_days: int | None = None
    commit: Decimal | None = None
    term_start: int | None = None
    term_end: int | None = None

    def annual_amount(self):
        """The amount of a year, in minor units; None where it is not known."""
        if self.amount is None or self.amount_per is None:
            return None
        if self.amount_per != "term":
            return self.amount * {"month": 12, "year": 1}[self.amount_per]
        if self.term_end is None or self.term_end < self.term_start:
            return None
        return Decimal(self.amount) * 365 / (self.term_end - self.term_start + 1)


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

    def spells(self, of_all):
        """One a start that counts, in order, each with what came after it: a start undoes what was before it."""
        marks = ([None] if self.unheard else []) + self.starts
        after = [-1 if m is None else m.ord for m in marks]
        for n, mark in enumerate(marks):
            until = after[n + 1] if n + 1 < len(marks) else None
            mine = [e for e in self.seen if e.type not in STARTS] + [e for e in of_all if self.had_begun(e)]
            yield Spell(self, mark, sorted((e for e in mine if e.ord > after[n] and (until is None or e.ord < until)), key=lambda e: e.ord))


class Spell:
    """What one start and the events after it make of service: `runs` are pairs (first day, first day without service or None)."""

    def __init__(self, told, start, later):
        types = {e.type for e in later}
        self.start = start
        self.trial = (start.type == TRIAL if start is not None else "trial_ended" in types) and CONVERTED not in types
        begins, self.runs = LONG_AGO if start is None else told.day(start), []
        self.cancel, self.pause = None, None
        effective, over = None, None
        for e in later:
            off = min((d for d in (effective, over) if d is not None), default=None)
            if e.type == "subscription_cancelled":
                named = told.named(e, "effective_at")
                self.cancel, effective = e, e.day if named is None else named
            elif e.type == "cancellation_withdrawn":
                self.cancel, effective = None, None
            elif e.type == "subscription_ended" or (e.type == "trial_ended" and self.trial):
                over = e.day if over is None else over
            elif e.type == "subscription_renewed" and off is not None and told.day(e) >= off:
                if off <= e.day:
                    self.runs.append((begins, off))
                    begins = told.day(e)
                self.cancel, effective, over = None, None, None
            elif e.type == "subscription_paused":
                self.pause = e
            elif e.type == "subscription_resumed":
                self.pause = None
        self.runs.append((begins, min((d for d in (effective, over) if d is not None), default=None)))

    def paused(self, told):
        """A pause ends with the day `until`."""
        until = None if self.pause is None else told.named(self.pause, "until")
        return self.pause is not None and (until is None or told.today <= until)


def service(spells, today):
    """Whether any day up to today had service, and the first day without after the last one that had."""
    served, off = False, None
    for n, spell in enumerate(spells):
        goes_on = spells[n + 1].runs[0][0] if n + 1 < len(spells) else None
        for first, last in spell.runs:
            last = goes_on if last is None else last
            if first <= today and (last is None or first < last):
                served, off = True, last
    return served, off


def state(events, of_all, t, today, calendar):
    """The state at instant `t` (exclusive) from the subscription's own events and those that mean all of the account's."""
    told = Told(events, t, today, calendar)
    if not told.seen:
        return None
    spells = list(told.spells([e for e in of_all if e.occurred < t]))
    newest = spells[-1] if spells else None
    live = newest is not None and newest.runs[-1][0] <= today and (newest.runs[-1][1] is None or today < newest.runs[-1][1])
    trial = newest is not None and newest.trial
    cancel = newest and newest.cancel
    served, off = service(spells, today)

    figures = sorted((told.counts_from(e), e.ord, e) for e in told.seen if e.type in NAMED and told.counts_from(e) <= today)
    out = State(live=live, trial=trial, cancelled=cancel is not None, recurring=True, paused=newest is not None and newest.paused(told),
                served=served, off=off)
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
        if e.type == TRIAL and not (trial and e is newest.start):
            continue  # amount and term of a trial end with it
        if e.amount is not None:
            out.amount, out.currency = e.amount, e.currency
        if p.get("amount_per") in ("month", "year", "term"):
            out.amount_per = p["amount_per"]
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
