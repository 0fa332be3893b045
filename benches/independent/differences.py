"""What the engine and this computation answer differently about one case."""
import math
from collections import Counter
from pathlib import Path

import model as models
from calendars import Calendar, day_number
from compute import Computation, as_instant, closed_days, plain_json
from engine import Engine
from events import load
from health import Health

RELATIVE, ABSOLUTE = 1e-9, 1e-12
ABSENT = "(absent)"


class Case:
    def __init__(self, files, model, zone, closed, source, as_of, native=None, mapping=None, settings_last=False, scores=False, history=None):
        self.files, self.model, self.zone, self.closed = [Path(f) for f in files], Path(model), zone, closed
        self.source, self.as_of, self.native, self.mapping, self.settings_last = source, as_of, native or files, mapping, settings_last
        self.scores, self.history = scores, history  # history: (first day, last day, at most so many accounts)


def same(a, b):
    if a is None or b is None or isinstance(a, str) or isinstance(b, str):
        return a == b
    return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


class Independent:
    def __init__(self, case):
        self.case, self.calendar = case, Calendar(case.zone)
        self.events, self.refused = load(case.native, case.source, self.calendar)
        self.model = models.read(case.model)
        self.c = Computation(self.events, self.model, case.zone, closed_days(case.closed))
        self.health = Health(self.c) if case.scores else None
        self.compared, self.present = Counter(), Counter()  # by part: metrics, health, history

    def instants(self):
        return sorted({as_instant(x, self.calendar, self.events) for x in self.case.as_of})

    def metrics(self):
        return {(p.account, p.t): {k: plain_json(v) for k, v in m.items()} for p, m in self.c.answers(self.instants()).items()}

    def answers(self):
        return {(p.account, p.t): row for p, row in self.health.answers(self.instants()).items()}

    def some_accounts(self):
        """Those whose day ends are held: so many of the case's, spread over the list of its last day."""
        _, last, most = self.case.history
        listed = [p.account for p in self.c.points(self.calendar.end(last))]
        return listed[::max(1, len(listed) // most)][:most]

    def day_ends(self, accounts):
        first, last, _ = self.case.history
        return {(row["account"], day_number(row["day"])): row for row in self.health.history(first, last, accounts)}

    def held_against(self, part, theirs, mine):
        """[(account and instant or day, name, engine's, ours)] of two sets of rows {key: {name: value}}; name None: the row itself."""
        found = [(key, None, theirs.get(key) and "a row", mine.get(key) and "a row") for key in sorted(mine.keys() ^ theirs.keys())]
        for key in sorted(mine.keys() & theirs.keys()):
            for name in mine[key] | theirs[key]:
                got, want = theirs[key].get(name, ABSENT), mine[key].get(name, ABSENT)
                self.compared[part] += 1
                self.present[part] += want is not None
                if not same(got, want):
                    found.append((key, name, got, want))
        return found


def flat(row, names):
    return {k: row.get(k, ABSENT) for k in names}


def flat_health(row, whole):
    """{name: value} of an answer of `health`; its groups and measures where there is a score or the engine gives them."""
    out = flat(row, ("state", "reason", "status", "score", "shown", "band", "provisional", "coverage", "profile"))
    out |= {f"model {k}": row.get("model", {}).get(k, ABSENT) for k in ("name", "version")}
    for part in ("groups", "measures") if whole else ():
        out |= {f"{part} {x['name']}: {k}": v for x in row[part] for k, v in x.items() if k != "name"}
    return out


def flat_day(row):
    return flat(row, ("state", "score", "band", "coverage", "profile"))


def differences(binary, case):
    """[(class, account, instant, name, engine's, ours)], and this side."""
    ours, found = Independent(case), []
    with Engine(binary, case) as engine:
        theirs = {key: row["metrics"] for key, row in engine.at_all("metrics").items()}
        for key, name, got, want in ours.held_against("metrics", theirs, ours.metrics()):
            found.append(("list of accounts" if name is None else declared_agg(ours.model, name), *key, name, got, want))
        if case.scores:
            theirs, mine = engine.at_all("health"), ours.answers()
            whole = {key: mine[key]["score"] is not None or bool(theirs[key]["measures"]) for key in mine.keys() & theirs.keys()}
            for key, name, got, want in ours.held_against("health", *({k: flat_health(r, whole.get(k)) for k, r in side.items()} for side in (theirs, mine))):
                found.append((f"health {(name or 'list of accounts').split(': ')[-1]}", *key, f"health {name or ''}", got, want))
        if case.scores and case.history:
            accounts = ours.some_accounts()
            theirs, mine = engine.history(*case.history[:2], accounts) if accounts else {}, ours.day_ends(accounts)
            theirs = {(a, day): row for (a, day), row in theirs.items() if ours.calendar.has(day)}  # reading 46
            for (account, day), name, got, want in ours.held_against("history", *({k: flat_day(r) for k, r in side.items()} for side in (theirs, mine))):
                found.append((f"history {name or 'days'}", account, ours.calendar.end(day), f"history {name or ''}", got, want))
    return found, ours


def declared_agg(model, name):
    m = model["metrics"][name]
    text = m["agg"] + (f" {m['kind']}" if "kind" in m else "")
    return text + ("(" + ", ".join(declared_agg(model, m[p]) for p in ("a", "b") if p in m) + ")" if "a" in m else "")
