"""One subscription as known at an instant: whether it lives, its figures, its term. Row by row, in plain Python."""
from dataclasses import dataclass
from decimal import Decimal

from calendars import add_months, date_of
from events import number

STARTS = ("subscription_started", "trial_started")
NAMING = STARTS + ("subscription_changed", "subscription_renewed", "subscription_cancelled", "cancellation_withdrawn",
                   "subscription_ended", "subscription_paused", "subscription_resumed", "trial_converted", "trial_ended")


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


def state(events, withdrawals_of_all, t, today, calendar):
    """The state at instant `t` (exclusive) from the subscription's own events and the account's nameless withdrawals."""
    seen = [e for e in events if e.occurred < t]
    if not seen:
        return None
    cancel = None
    for e in sorted(seen + [w for w in withdrawals_of_all if w.occurred < t], key=lambda e: e.ord):
        if e.type == "subscription_cancelled":
            cancel = e
        elif e.type in ("cancellation_withdrawn", *STARTS):
            cancel = None

    def counts(e, name):
        named = calendar.named_day(e.props.get(name))
        return e.day if named is None else max(named, e.day)

    started = [e for e in seen if e.type == "subscription_started"]
    trials = [e for e in seen if e.type == "trial_started"]
    begun_on = []
    for e in started + trials:
        named = calendar.named_day(e.props.get("term_start")) if e.type == "subscription_started" else None
        begun_on.append(e.day if named is None else named)
    begun = not begun_on or today >= min(begun_on)

    converted = [e for e in seen if e.type == "trial_converted"]
    holding = [e for e in started if counts(e, "term_start") <= today]
    trial_ended = [e for e in seen if e.type == "trial_ended"]
    trial = bool(trials or trial_ended) and not converted and not holding

    newest_start = max((e.ord for e in started + trials), default=-1)
    ended = any(e.type == "subscription_ended" and e.ord > newest_start for e in seen)
    if not converted and not started:
        ended = ended or any(e.ord > newest_start for e in trial_ended)

    live = begun and not ended
    if cancel is not None:
        effective = calendar.named_day(cancel.props.get("effective_at"))
        live = live and today < (cancel.day if effective is None else effective)

    figures = []
    for e in seen:
        name = {"subscription_started": "term_start", "subscription_renewed": "term_start", "subscription_changed": "effective_at"}.get(e.type)
        if e.type == "trial_converted" and calendar.named_day(e.props.get("term_end")) is not None and e.day <= today:
            figures.append((e.day, e.ord, e))  # names the end of what is paid from now on
        if name is not None and counts(e, name) <= today:
            figures.append((counts(e, name), e.ord, e))
    figures.sort(key=lambda f: f[:2])

    out = State(live=live, trial=trial, cancelled=cancel is not None, recurring=True)
    auto_renew, base = False, None
    for _, _, e in figures:
        p = e.props
        if number(p.get("seats")) is not None:
            out.seats = number(p["seats"])
        if e.amount is not None:
            out.amount = e.amount
        if e.type in ("subscription_started", "subscription_renewed", "trial_converted"):
            if number(p.get("notice_days")) is not None:
                out.notice_days = int(number(p["notice_days"]))
            if number(p.get("commit_quantity")) is not None:
                out.commit = number(p["commit_quantity"])
            if isinstance(p.get("recurring"), bool):
                out.recurring = p["recurring"]
            if isinstance(p.get("auto_renew"), bool):
                auto_renew = p["auto_renew"]
            base = e
    if base is not None:
        first = calendar.named_day(base.props.get("term_start"))
        first = base.day if first is None else first
        last = calendar.named_day(base.props.get("term_end"))
        out.term_start, out.term_end = first, last
        if last is not None and auto_renew:
            until = today if cancel is None else min(today, cancel.day - 1)
            out.term_start, out.term_end = rolled(first, last, until)
    return out
