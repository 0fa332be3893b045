"""The status of an account at a point, what keeps it from a score, and which profile of the model it falls under (§2, §7)."""
from decimal import Decimal

import model as models
from events import number

EXCLUDED_KINDS = ("internal", "test")


class Status:
    def __init__(self, c, profiles):
        self.c, self.profiles = c, profiles
        self.closings, self.first_use = {}, {}
        for e in c.events:
            if e.account is not None and e.type == "account_closed":
                self.closings.setdefault(e.account, (e.occurred, e.day))
            if e.account is not None and e.type == "usage" and not e.void:
                self.first_use.setdefault(e.account, e.occurred)

    def of(self, point):
        """(status, the day since which it is closed or ended, where it is)."""
        at, day = self.closings.get(point.account, (point.t, None))
        if at < point.t:
            return "closed", day
        subs = [s for _, _, s in self.c.standing.subscriptions(point, point.today)]
        if not subs:
            return "paying", None
        live = [s for s in subs if s.live]
        if not live:
            return ("ended", max(s.off for s in subs if s.served)) if any(s.served for s in subs) else ("prospect", None)
        paid = [s for s in live if not s.trial]
        if not paid:
            return "trial", None
        for status, holds in (("paused", lambda s: s.paused), ("leaving", lambda s: s.cancelled), ("free", lambda s: s.amount == 0)):
            if all(map(holds, paid)):
                return status, None
        return "paying", None

    def excluded(self, point):
        """Why it has no score since a day before today: ended, closed, internal, test; None when it may have one."""
        status, since = self.of(point)
        if since is not None and point.today > since:
            return status
        kind = self.c.facts.at(point.account, "kind", point.t)
        if kind in EXCLUDED_KINDS and point.today > self.c.calendar.day(self.c.facts.since(point.account, "kind", EXCLUDED_KINDS, point.t)):
            return kind
        return None

    def ever_used(self, point):
        return any(self.first_use.get(a, point.t) < point.t for a in point.members)

    def never_used(self, point):
        """Whether it is judged on 0: usage is fed, it is not on premise, and none ever came."""
        fed = self.c.fed.get("usage", point.today + 1) <= point.today and self.fact(point, "deployment") != "on_premise"
        return fed and not self.ever_used(point)

    def amount(self, point):
        """Σ of the annualised amounts of live subscriptions that are no trials; None where there is none, one has none or currencies differ."""
        paid = [s for _, _, s in self.c.standing.subscriptions(point, point.today) if s.live and not s.trial]
        amounts = [s.annual_amount() for s in paid]
        if not paid or any(x is None for x in amounts) or len({s.currency for s in paid}) > 1:
            return None
        return Decimal(sum(amounts))

    def fact(self, point, name):
        if name == "status":
            return self.of(point)[0]
        if name == "ever_used":
            return self.ever_used(point)
        if name == "seats":
            return self.c.standing.seats(point, point.today)
        if name == "amount":
            return self.amount(point)
        value = self.c.facts.at(point.account, name, point.t)
        return "customer" if name == "kind" and value is None else value

    def holds(self, point, name, test):
        if name == "age_days_below":
            return point.life is not None and point.today - point.life < test
        value = self.fact(point, name)
        return value is not None and all(passes(op, operand, value) for op, operand in models.conditions(test))

    def profile(self, point):
        """The first whose condition matches, in the order of the file."""
        return next(p for p in self.profiles if "when" not in p or any(
            all(self.holds(point, name, test) for name, test in alternative.items()) for alternative in p["when"]))


def comparable(value):
    """(JSON type, what is compared)."""
    if isinstance(value, bool):
        return "bool", value
    d = value if isinstance(value, Decimal) else number(value)
    if d is not None:
        return "number", d
    return ("text", value.encode()) if isinstance(value, str) else ("other", None)


def passes(op, operand, value):
    kind, x = comparable(value)
    if op == "exists":
        return bool(operand)
    if op in ("in", "not"):
        equal = any(comparable(v) == (kind, x) and kind != "other" for v in models.one_of(operand))
        return equal == (op == "in")
    other, y = comparable(operand)
    if kind != other or kind not in ("number", "text"):
        return False
    return {"ge": x >= y, "gt": x > y, "le": x <= y, "lt": x < y}[op]
