"""A measure at a point: the metric chosen, its value and points, whether its input is stale (§5)."""
import bisect
import math
from collections import namedtuple

import model as models
from events import FAMILIES

Reading = namedtuple("Reading", "metric value points stale")  # points None: missing

TICKET_TYPES = FAMILIES["support"]
TICKET_STATES = ["ticket_opened", "ticket_reopened", "ticket_resolved", "ticket_closed"]
INVOICE_TYPES = ["invoice_issued", "invoice_paid", "invoice_voided", "credit_issued"]
SUBSCRIPTION_TYPES = [t for t in FAMILIES["billing"] if t.startswith(("subscription_", "trial_")) or t == "cancellation_withdrawn"]
STANDING_INPUT = {  # the kinds that are not here are never stale
    "open_tickets": TICKET_STATES, "open_escalations": TICKET_STATES + ["ticket_escalated", "ticket_deescalated"],
    "oldest_past_due_days": INVOICE_TYPES, "amount_past_due": INVOICE_TYPES, "milestones_share": ["milestone_reached"],
    "days_to_renewal": SUBSCRIPTION_TYPES, "days_to_notice": SUBSCRIPTION_TYPES, "credits_burn": SUBSCRIPTION_TYPES + ["credits_used"],
}


def on_curve(curve, value):
    """Linear between the pairs, flat outside."""
    pairs = [(float(x), float(y)) for x, y in curve]
    x = float(value)
    if x <= pairs[0][0]:
        return pairs[0][1]
    for (x0, y0), (x1, y1) in zip(pairs, pairs[1:]):
        if x <= x1:
            return y0 + (y1 - y0) * ((x - x0) / (x1 - x0))
    return pairs[-1][1]


class Measures:
    def __init__(self, c):
        self.c, self.declared = c, c.model["measures"]
        self.inputs, self.known = {}, {}

    def metrics(self, name):
        return [metric for metric, _ in models.choices(self.declared[name])]

    def read(self, points, names):
        self.c.evaluate(points, dict.fromkeys(metric for name in names for metric in self.metrics(name)))

    def at(self, name, point):
        got = self.known.get((name, point))
        if got is None:
            got = self.known[name, point] = self.reading(name, point)
        return got

    def reading(self, name, point):
        measure = self.declared[name]
        tried = [(metric, curve, self.c.value(metric, point)) for metric, curve in models.choices(measure)]
        metric, curve, value = next((x for x in tried if x[2] is not None and not isinstance(x[2], str)), tried[0])
        stale = "max_age_days" in measure and self.stale(name, metric, point, measure["max_age_days"])
        missing = stale or value is None or isinstance(value, str)
        return Reading(metric, value, None if missing else on_curve(curve, value), stale)

    def stale(self, name, metric, point, most):
        given = self.declared[name].get("input")
        key = metric if given is None else (name,)
        if key not in self.inputs:
            filters = self.filters_of(metric) if given is None else [given]
            self.inputs[key] = None if filters is None else [self.seen(f) for f in filters]
        seen = self.inputs[key]
        if seen is None:
            return False
        days = [day for by_account in seen for a in point.members for day in [newest(by_account.get(a), point.t)] if day is not None]
        return not days or point.today - max(days) > most

    def seen(self, filters):
        by_account = {}
        for account, occurred, day in self.c.tables.passing(filters):
            at, days = by_account.setdefault(account, ([], []))
            at.append(occurred)
            days.append(day)
        return by_account

    def filters_of(self, metric):
        """Filters of its input events; None when it is never stale."""
        m = self.c.metrics[metric]
        if m["agg"] in models.COMPOSED:
            parts = [self.filters_of(m[p]) for p in ("a", "b") if isinstance(m.get(p), str)]
            return [f for part in parts if part for f in part] if any(parts) else None
        if m["agg"] == "standing":
            types = STANDING_INPUT.get(m["kind"])
            return types and [{"type": types}]
        if m["agg"] in models.TICKET_HOURS:
            return [{"type": TICKET_TYPES}]
        if m["agg"] == "happiness":
            return [{"type": "ticket_rated"} | (m.get("filter") or {})]
        return [f for _, f in models.sides(m)]

    def carried_over(self, name, points):
        """{point: points} of a missing measure that takes its last ones, fading towards 50; no entry where there were none."""
        half_life = float(self.declared[name]["half_life_days"])
        furthest = math.floor(10 * self.declared[name]["half_life_days"])
        found, ahead, done, size = {}, list(points), 0, 8
        while ahead and done < furthest:
            back = range(done + 1, min(done + size, furthest) + 1)
            earlier = {(p, k): self.c.point(p.account, self.c.calendar.end(p.today - k)) for p in ahead for k in back}
            self.read(list(dict.fromkeys(earlier.values())), [name])
            for p in ahead:
                for k in back:
                    reading = self.at(name, earlier[p, k])
                    if reading.points is not None:
                        found[p] = 50 + (reading.points - 50) * 2 ** (-k / half_life)
                        break
            ahead, done, size = [p for p in ahead if p not in found], back[-1], 2 * size
        return found


def newest(seen, t):
    """The day of the newest event before `t`."""
    n = bisect.bisect_left(seen[0], t) if seen else 0
    return seen[1][n - 1] if n else None
