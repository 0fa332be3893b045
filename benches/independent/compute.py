#!/usr/bin/env python3
"""Every metric of a model over native JSON events, at every asked instant: the contract computed apart from the engine.

    compute.py --model FILE --zone NAME [--closed-days FILE] --source NAME --as-of T… (--all | --account A…) FILE…

Prints what `tidewatch metrics --json` prints: one object a line.
"""
import argparse
import bisect
import csv
import json
import sys
from collections import defaultdict
from decimal import Decimal

import model as models
from calendars import DATE, Calendar, day_number, instant, text_of
from events import FAMILY, LIFE, load, number
from facts import Facts
from standing import FROM_TABLES, Standing
from tables import Tables

LEVEL = 0  # window keys; a positive key n is the window ending n days before today, a negative one a change's previous
PREVIOUS = -1
ALWAYS = -(1 << 30)
ANSWERED = "ticket_replied"
POINTS_AT_ONCE = 2000


class Point:
    """One account at one exclusive instant: whose events count, since when it lives."""

    def __init__(self, account, t, members, life, calendar):
        self.account, self.t, self.members, self.life, self.calendar = account, t, members, life, calendar
        self.today = calendar.day(t - 1)
        self.at_day_end = t == calendar.end(self.today)

    def instant_of(self, last):
        """The exclusive instant at which a window ending on `last` is evaluated."""
        return self.t if last >= self.today else self.calendar.end(last)


class Computation:
    def __init__(self, events, model, zone, closed_rows):
        self.events, self.model, self.calendar, self.closed_rows = events, model, Calendar(zone), closed_rows
        self.metrics = model["metrics"]
        self.facts = Facts(events)
        self.fed, self.carried = {}, {}
        self.life_events, self.merges = {}, []
        self.seen_first = {}
        for e in events:
            self.fed.setdefault(e.type, e.day)
            if e.user:
                self.carried.setdefault(e.type, e.day)
            if e.account is None:
                continue
            self.seen_first.setdefault(e.account, e.occurred)
            if e.family in LIFE and not e.void:
                self.life_events.setdefault(e.account, (e.occurred, e.day))
            if e.type == "account_merged" and isinstance(e.props.get("into_account"), str) and e.props["into_account"]:
                self.merges.append((e.occurred, e.account, e.props["into_account"]))
                self.seen_first.setdefault(e.props["into_account"], e.occurred)
        self.standing = Standing(events, self.facts, self.fed, model, self.calendar)
        self.tables = Tables(events, self.metrics, self.calendar)
        self.base = defaultdict(dict)  # {metric and side: {window: what its events come to}}
        self.sets, self.numbers = [], {}
        self._points, self._merged, self._closed, self._opened, self._since, self.evaluated = {}, {}, {}, {}, {}, set()

    # -- accounts at an instant --------------------------------------------------------------------------------------

    def merged(self, t):
        """{account: survivor} of those merged before `t`, and {survivor: all whose events count for it}."""
        n = bisect.bisect_left(self.merges, t, key=lambda m: m[0])
        if n not in self._merged:
            into = {source: target for _, source, target in self.merges[:n]}
            survivors, members = {}, {}
            for a in into:
                passed, at = {a}, a
                while at in into and into[at] not in passed:
                    at = into[at]
                    passed.add(at)
                survivors[a] = at
                members.setdefault(at, [at]).append(a)
            self._merged[n] = survivors, {s: tuple([s] + sorted(set(m) - {s})) for s, m in members.items()}
        return self._merged[n]

    def point(self, account, t):
        """The account at `t`; a merged one is answered by its survivor."""
        survivors, members = self.merged(t)
        account = survivors.get(account, account)
        got = self._points.get((account, t))
        if got is None:
            of = members.get(account, (account,))
            born = [self.life_events[m][1] for m in of if m in self.life_events and self.life_events[m][0] < t]
            got = self._points[account, t] = Point(account, t, of, min(born, default=None), self.calendar)
        return got

    def points(self, t, wanted=None):
        """The accounts asked for at `t`; `wanted` None asks for all."""
        if wanted is None:
            merged = self.merged(t)[0]
            wanted = sorted(a for a, first in self.seen_first.items() if first < t and a not in merged)
        return list(dict.fromkeys(self.point(a, t) for a in wanted))

    def together(self, instants, wanted=None):
        """The points of some instants at a time: as many as are read from the tables in one go."""
        batch = []
        for t in instants:
            batch += self.points(t, wanted)
            if len(batch) > POINTS_AT_ONCE:
                yield batch
                batch = []
        yield batch

    def answers(self, instants, wanted=None):
        """{point: {metric: value}} at the exclusive instants."""
        out = {}
        for points in self.together(instants, wanted):
            self.evaluate(points, self.metrics)
            out.update((p, {name: self.value(name, p) for name in self.metrics}) for p in points)
        return out

    def at(self, t, wanted=None):
        """Answers [(account, {metric: value})] at the exclusive instant `t`."""
        return [(p.account, values) for p, values in self.answers([t], wanted).items()]

    # -- windows -----------------------------------------------------------------------------------------------------

    def demand(self, name, key, need):
        """Which uncomposed metrics are needed with which windows."""
        m = self.metrics[name]
        if m["agg"] in models.COMPARISONS:
            for k in self.keys(name):
                self.demand(m["a"], k, need)
        elif m["agg"] in ("ratio", "per_seat"):
            self.demand(m["a"], key, need)
            if m["agg"] == "ratio":
                self.demand(m["b"], key, need)
        else:
            need[name].add(key)

    def keys(self, name):
        m = self.metrics[name]
        if m["agg"] == "change":
            return [1, PREVIOUS]
        if m["agg"] == "against_own":
            return [1] + [1 + 7 * k for k in range(1, m["weeks"] + 1)]
        return [1 + 7 * (k - 1) for k in range(1, m["weeks"] + 1)]

    def closed_days(self, point):
        scopes = frozenset(["all", f"account:{point.account}"] + [f"{name}:{self.facts.at(point.account, name, point.t)}" for name in ("segment", "country")])
        if scopes not in self._closed:
            self._closed[scopes] = frozenset(d for scope, a, b in self.closed_rows if scope in scopes for d in range(a, b + 1))
        return self._closed[scopes]

    def open_window(self, last, n, closed):
        """(first counted day, last day) of n open days up to `last`; None when fewer than half are left."""
        if not closed:
            return last - n + 1, last
        got = self._opened.get((last, n, closed))
        if got is None:
            days, d = [], last
            while len(days) < n and last - d < 2 * n:
                if d not in closed:
                    days.append(d)
                d -= 1
            got = self._opened[last, n, closed] = (days[-1], last) if days and len(days) * 2 >= n else ()
        return got or None

    def window(self, name, point, key):
        """(first, last) or None when the window is missing; first None when the metric has no window."""
        m = self.metrics[name]
        n = m.get("window")
        if n is None:
            return None, point.today - max(key, 0)
        closed = self.closed_days(point) if m.get("skip_closed") and self.closed_rows else frozenset()
        if key == PREVIOUS:
            current = self.window(name, point, 1)
            return current and self.open_window(current[0] - 1, int(n), closed)
        return self.open_window(point.today - key, int(n), closed)

    def set_number(self, members, shut):
        if (members, shut) not in self.numbers:
            self.numbers[members, shut] = len(self.sets)
            self.sets.append((members, shut))
        return self.numbers[members, shut]

    def asked(self, name, point, key):
        """The window as the tables know it: (set of accounts, first, last, exclusive instant); None when it is missing."""
        m = self.metrics[name]
        w = self.window(name, point, key)
        if w is None:
            return None
        first, last = w
        if first is None:
            first = ALWAYS if key == LEVEL or point.life is None else point.life
        shut = self.closed_days(point) if m.get("skip_closed") and self.closed_rows else frozenset()
        return self.set_number(point.members, shut), first, last, point.instant_of(last)

    def evaluate(self, points, names):
        """Reads from the tables whatever the values of these metrics at these points depend on."""
        need = defaultdict(set)
        for name in names:
            fresh = [p for p in points if (name, p) not in self.evaluated]
            self.evaluated.update((name, p) for p in fresh)
            keys = defaultdict(set)
            self.demand(name, LEVEL, keys)
            for part, of_part in keys.items():
                need[part].update((p, k) for p in fresh for k in of_part)
        for name, asked in need.items():
            m = self.metrics[name]
            if m["agg"] == "standing" and m["kind"] not in FROM_TABLES:
                continue
            known = self.base[name]
            windows = [w for w in {self.asked(name, p, k) for p, k in asked} if w is not None and w not in known]
            if not windows:
                continue
            self.tables.ask(windows, self.sets)
            if m["agg"] == "standing":
                found = self.tables.standing(FROM_TABLES[m["kind"]], terms=self.model["payment_terms_days"], currency=m.get("currency", ""))
                known.update((w, found.get(n)) for n, w in enumerate(windows))
                continue
            for side, _ in models.sides(m):
                found = self.tables.aggregate(name, side, m)
                self.base[name + side].update((w, found.get(n)) for n, w in enumerate(windows))
            if m["agg"] == "share":
                known.update(dict.fromkeys(windows))

    # -- values and when they are missing ----------------------------------------------------------------------------

    def fed_since(self, m, filters, on_premise, of):
        """The day from which a type is fed that the metric can match; None when there is none."""
        key = id(filters), m["agg"], on_premise, of is self.fed
        if key not in self._since:
            own = {"happiness": "ticket_rated", "first_reply_hours": "ticket_opened", "resolution_hours": "ticket_opened"}.get(m["agg"])
            days = [day for kind, day in of.items() if (own is None or kind == own) and models.types_pass(filters, kind, FAMILY.get(kind))
                    and not (on_premise and FAMILY.get(kind) in ("usage", "value"))]
            self._since[key] = min(days, default=None)
        return self._since[key]

    def judged_fed(self, m, filters, point, last):
        on_premise = self.facts.at(point.account, "deployment", point.instant_of(last)) == "on_premise"
        for of in (self.fed, self.carried) if m["agg"] == "active_users" else (self.fed,):
            since = self.fed_since(m, filters, on_premise, of)
            if since is None or since > last:
                return False
        return not (m["agg"] == "first_reply_hours" and self.fed.get(ANSWERED, last + 1) > last)

    def value(self, name, point, key=LEVEL):
        m = self.metrics[name]
        agg = m["agg"]
        if agg == "standing":
            last = point.today - key
            row = self.base[name].get(self.asked(name, point, key)) if m["kind"] in FROM_TABLES else None
            return self.standing.value(m, point, last, row)
        if agg == "ratio":
            a, b = self.value(m["a"], point, key), self.value(m["b"], point, key)
            if a is None or b is None or isinstance(a, str) or isinstance(b, str) or b <= 0:
                return None
            if "min_b" in m and b < m["min_b"]:
                return None
            return float(a) / float(b)
        if agg == "per_seat":
            a, w = self.value(m["a"], point, key), self.window(m["a"], point, key)
            seats = None if a is None or isinstance(a, str) else self.standing.seats(point, w[1])
            return None if seats is None or seats <= 0 else float(a) / float(seats)
        if agg in models.COMPARISONS:
            return getattr(self, agg)(m, point, self.keys(name))
        return self.plain(name, m, point, key)

    def plain(self, name, m, point, key):
        window = self.asked(name, point, key)
        if window is None:
            return None
        last, agg = window[2], m["agg"]
        if agg == "share":
            if not all(self.judged_fed(m, m.get(f), point, last) for f in ("a_filter", "b_filter")):
                return None
            a, b = (self.base[name + side][window] or 0 for side in ("_a", "_b"))
            return None if b < m.get("min", 1) or b == 0 else a / b
        if not self.judged_fed(m, m.get("filter"), point, last):
            return None
        v = self.base[name][window]
        if agg == "features_share":
            core = set(m.get("core") or [])
            return None if not core else (v or 0) / len(core)
        if agg == "last":
            return None if v is None else self.field_of(self.events[v], m["field"])
        if v is None and agg in ("count", "sum", "active_users", "active_days", "features_used", "decayed_sum"):
            return 0
        return v

    @staticmethod
    def field_of(e, name):
        if name == "quantity":
            return Decimal(e.quantity).scaleb(-6)
        if name == "amount":
            return e.amount
        v = e.props[name.removeprefix("properties.")]
        if isinstance(v, bool):
            return "true" if v else "false"
        d = number(v)
        return v if d is None else d

    # -- comparisons -------------------------------------------------------------------------------------------------

    def begins(self, name, point, key):
        """First day of a window, for holding against life: ALWAYS before life, None where there is no window (standing)."""
        m = self.metrics[name]
        if m["agg"] in ("ratio", "per_seat"):
            parts = [self.begins(m[p], point, key) for p in ("a", "b") if p in m]
            return min((p for p in parts if p is not None), default=None)
        if m["agg"] == "standing":
            return None
        w = self.window(name, point, key)
        if w is None:
            return ALWAYS
        if w[0] is None:
            return point.life if w[1] >= point.life else ALWAYS
        return w[0]

    def after_life(self, name, point, key):
        if point.life is None:
            return False
        begin = self.begins(name, point, key)
        return begin is None or begin >= point.life

    def change(self, m, point, keys):
        if not all(self.after_life(m["a"], point, k) for k in keys):
            return None
        now, base = (self.value(m["a"], point, k) for k in keys)
        if now is None or base is None or isinstance(now, str) or isinstance(base, str) or base < 0:
            return None
        if base == 0:
            return 1 if now > 0 else -1
        return float(now - base) / float(base)

    def past(self, m, point, keys):
        got = []
        for n, k in enumerate(keys):
            v = self.value(m["a"], point, k) if self.after_life(m["a"], point, k) else None
            if v is not None and not isinstance(v, str):
                got.append((n, v))
        return got

    def against_own(self, m, point, keys):
        now = self.value(m["a"], point, keys[0])
        past = sorted(v for _, v in self.past(m, point, keys[1:]))
        if now is None or isinstance(now, str) or len(past) < 3:
            return None
        half = len(past) // 2
        median = past[half] if len(past) % 2 else (past[half - 1] + past[half]) / 2
        if median < 0:
            return None
        if median == 0:
            return 2 if now > 0 else 0
        return float(now) / float(median)

    def slope(self, m, point, keys):
        points = [(-n, float(v)) for n, v in self.past(m, point, keys)]
        if len(points) < 3:
            return None
        mx = sum(x for x, _ in points) / len(points)
        my = sum(y for _, y in points) / len(points)
        if my < 0:
            return None
        if my == 0:
            return -1
        rise = sum((x - mx) * (y - my) for x, y in points) / sum((x - mx) ** 2 for x, _ in points)
        return rise / my


def as_instant(text, calendar, events):
    if text == "last":
        return max(e.occurred for e in events) + 1
    if DATE.match(text):
        return calendar.end(day_number(text))
    t = instant(text)
    if t is None:
        raise SystemExit(f"--as-of {text}: neither a date, an RFC 3339 instant nor `last`")
    return t


def closed_days(path):
    if not path:
        return []
    with open(path, newline="", encoding="utf-8") as f:
        return [(r["scope"], day_number(r["from"]), day_number(r["to"])) for r in csv.DictReader(f)]


def plain_json(value):
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def arguments(doc):
    """The parser of what every computation reads."""
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True)
    p.add_argument("--zone", default="UTC")
    p.add_argument("--closed-days")
    p.add_argument("--source", default="file")
    p.add_argument("--account", action="append")
    p.add_argument("--all", action="store_true")
    p.add_argument("files", nargs="+")
    return p


def computation(a):
    events, refused = load(a.files, a.source, Calendar(a.zone))
    if refused:
        print(f"not accepted: {refused}", file=sys.stderr)
    return Computation(events, models.read(a.model), a.zone, closed_days(a.closed_days))


def main():
    parser = arguments(__doc__)
    parser.add_argument("--as-of", action="append", required=True)
    a = parser.parse_args()
    c = computation(a)
    for p, values in c.answers([as_instant(text, c.calendar, c.events) for text in a.as_of], a.account).items():
        print(json.dumps({"account": p.account, "as_of": text_of(p.t), "metrics": {k: plain_json(v) for k, v in values.items()}}, ensure_ascii=False))


if __name__ == "__main__":
    main()
