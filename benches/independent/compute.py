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
import tempfile
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import duckdb

import model as models
import subscriptions
from calendars import DATE, Calendar, day_number, instant, text_of
from events import FAMILY, LIFE, Number, load, number

SQL = {p.stem: p.read_text() for p in (Path(__file__).parent / "sql").glob("*.sql")}
LEVEL = 0  # window keys; a positive key n is the window ending n days before today, a negative one a change's previous
ALWAYS = -(1 << 30)
ANSWERED = "ticket_replied"


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


def shown(value):
    """A property as it is stored for SQL: (kind, text, number)."""
    if isinstance(value, bool):
        return "bool", "true" if value else "false", None
    d = number(value)
    if d is not None:
        return "number", str(d.normalize()), d
    if isinstance(value, str):
        return "text", value, None
    return "other", "", None


def condition(name, spec):
    """SQL for one filter field over `e`."""
    if name in ("feature", "metric") or name.startswith("properties."):
        key = quoted(name.removeprefix("properties."))
        some = lambda test: f"exists (select 1 from props p where p.ord = e.ord and p.name = {key} and {test})"

        def equal(v):
            kind, text, num = shown(v if not isinstance(v, Decimal) else Number(v))
            return f"(p.kind = 'number' and p.num = {num})" if num is not None else f"(p.kind = '{kind}' and p.text = {quoted(text)})"

        compare = lambda op, v: some(f"p.kind = 'text' and encode(p.text) {op} encode({quoted(v)})" if isinstance(v, str) else f"p.kind = 'number' and p.num {op} {v}")
        exists = some("true")
    else:
        column = f'e."{name}"'
        some = lambda test: test
        numeric = name in ("quantity", "amount")

        def equal(v):
            if numeric != isinstance(v, (int, Decimal)) or isinstance(v, bool):
                return "false"
            return f"coalesce({column} = {v if numeric else quoted(v)}, false)"

        compare = lambda op, v: (f"coalesce(encode({column}) {op} encode({quoted(v)}), false)" if isinstance(v, str) and not numeric
                                 else f"coalesce({column} {op} {v}, false)" if numeric and not isinstance(v, str) else "false")
        exists = f"{column} is not null"
    parts = []
    for op, operand in models.conditions(spec):
        if op in ("in", "not"):
            any_of = some("(" + (" or ".join(equal(v) for v in models.one_of(operand)) or "false") + ")")
            parts.append(any_of if op == "in" else f"not {any_of}")
        elif op == "exists":
            parts.append(exists if operand else f"not ({exists})")
        else:
            sign = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}[op]
            parts.append(compare(sign, operand) if not isinstance(operand, bool) else "false")
    return " and ".join(f"({p})" for p in parts) or "true"


class Facts:
    """Newest non-null values of account facts at any instant; an empty text says that there is none."""

    def __init__(self, events):
        self.of = defaultdict(list)
        for e in events:
            if e.account is None:
                continue
            if e.type == "account_updated":
                for name, value in e.props.items():
                    for fact, told in ([(f"roles.{role}", person) for role, person in value.items() if person is not None]
                                       if name == "roles" and isinstance(value, dict) else [(name, value)]):
                        self.of[e.account, fact].append((e.occurred, e.ord, told))
            elif e.type == "stage_changed":
                self.of[e.account, "stage"].append((e.occurred, e.ord, e.props["stage"]))

    def at(self, account, name, t):
        known = self.of.get((account, name), [])
        n = bisect.bisect_left(known, t, key=lambda f: f[0])
        return (known[n - 1][2] if n and known[n - 1][2] != "" else None)

    def newest_change_to(self, account, name, value, t):
        before, when = None, None
        for occurred, _, v in self.of.get((account, name), []):
            if occurred >= t:
                break
            if v == value and before != value:
                when = occurred
            before = v
        return when


class Computation:
    def __init__(self, events, model, zone, closed_rows):
        self.events, self.model, self.calendar, self.closed_rows = events, model, Calendar(zone), closed_rows
        self.metrics = model["metrics"]
        self.facts = Facts(events)
        self.fed, self.carried = {}, {}
        self.life_events, self.merges = defaultdict(list), []
        self.seen_first = {}
        self.subs = defaultdict(lambda: defaultdict(list))
        self.nameless = defaultdict(list)  # pauses, resumptions and withdrawals that mean all subscriptions of the account
        self.credits = defaultdict(list)
        for e in events:
            self.fed.setdefault(e.type, e.day)
            if e.user:
                self.carried.setdefault(e.type, e.day)
            if e.account is None:
                continue
            self.seen_first.setdefault(e.account, e.occurred)
            void = e.actor == "internal" and e.family in ("usage", "value")
            if e.family in LIFE and not void and e.account not in self.life_events:
                self.life_events[e.account] = (e.occurred, e.day)
            if e.type == "account_merged" and isinstance(e.props.get("into_account"), str) and e.props["into_account"]:
                self.merges.append((e.occurred, e.account, e.props["into_account"]))
                self.seen_first.setdefault(e.props["into_account"], e.occurred)
            sub = e.props.get("subscription_id")
            if e.type in subscriptions.NAMING:
                if isinstance(sub, str) and sub:
                    self.subs[e.account][sub].append(e)
                else:
                    self.nameless[e.account].append(e)
            if e.type == "credits_used" and isinstance(sub, str) and e.quantity is not None:
                self.credits[e.account, sub].append(e)
        self.db = duckdb.connect()
        self.db.execute("set preserve_insertion_order = false")
        self.store()
        self.matched, self.previous = {}, {}
        for name, m in self.metrics.items():
            self.match(name, m)
            if m["agg"] == "change":
                self.previous[-1 - len(self.previous)] = name

    # -- the tables --------------------------------------------------------------------------------------------------

    def store(self):
        self.db.execute(SQL["schema"])
        with tempfile.TemporaryDirectory() as folder:
            paths = {n: Path(folder) / f"{n}.csv" for n in ("events", "props", "due")}
            files = {n: open(p, "w", newline="", encoding="utf-8") for n, p in paths.items()}
            out = {n: csv.writer(f, quoting=csv.QUOTE_NOTNULL if hasattr(csv, "QUOTE_NOTNULL") else csv.QUOTE_MINIMAL) for n, f in files.items()}
            text = lambda v: r"\N" if v is None else v
            for e in self.events:
                void = e.actor == "internal" and e.family in ("usage", "value")
                quantity = None if e.quantity is None else Decimal(e.quantity).scaleb(-6)
                out["events"].writerow([text(v) for v in (
                    e.ord, e.account, e.user, e.actor, e.product, e.type, e.family, e.source, e.occurred, e.day,
                    None if quantity is None else f"{quantity:f}", e.amount, e.currency, "true" if void else "false")])
                for name, value in e.props.items():
                    kind, s, num = shown(value)
                    out["props"].writerow([text(v) for v in (e.ord, name, kind, s, None if num is None else f"{num:f}")])
                if e.type == "invoice_issued":
                    day = self.calendar.named_day(e.props.get("due_at"))
                    if day is not None:
                        out["due"].writerow([e.ord, day])
            for f in files.values():
                f.close()
            for name, path in paths.items():
                self.copy(name, path)
        self.db.execute(SQL["derive"])

    def copy(self, table, path):
        if Path(path).stat().st_size:
            options = """(format csv, auto_detect false, header false, nullstr '\\N', quote '"', escape '"', delim ',')"""
            self.db.execute(f"copy {table} from {quoted(path)} {options}")

    def match(self, name, m):
        """Tables of the events an uncomposed metric can count, with their value `v`."""
        agg = m["agg"]
        if agg in models.COMPOSED or agg == "standing":
            return
        sides = {"": m.get("filter")} if agg != "share" else {"_a": m.get("a_filter"), "_b": m.get("b_filter")}
        for side, filters in sides.items():
            tests = ["not e.void", "e.account is not null"]
            tests += [condition(f, spec) for f, spec in (filters or {}).items()]
            value = "null::integer"
            field = m.get("field")
            if field == "quantity":
                value = "e.quantity"
            elif field == "amount":
                value = "e.amount"
                tests.append(f"e.currency = {quoted(m['currency'])}")
            elif field is not None:
                key = quoted(field.removeprefix("properties."))
                value = f"(select p.num from props p where p.ord = e.ord and p.name = {key} and p.kind = 'number')"
                if agg == "last":
                    value = f"(select 1 from props p where p.ord = e.ord and p.name = {key} and p.kind <> 'other')"
            elif agg == "decayed_sum":
                value = "1"
            if field is not None:
                tests.append(f"{value} is not null")
            if agg in ("first_reply_hours", "resolution_hours"):
                tests.append("e.ord in (select ord from first_openings)")
            if agg == "happiness":
                tests.append("e.type = 'ticket_rated'")
            table = f"m_{len(self.matched)}"
            self.matched[name, side] = table
            self.db.execute(f"""create table {table} as
                select e.ord, e.account, e."user", e.actor = 'person' as person, e.occurred, e.day, {value} as v
                from events e where {' and '.join(tests)}""")

    # -- one instant -------------------------------------------------------------------------------------------------

    def at(self, t, wanted=None):
        """Answers [(account, {metric: value})] at the exclusive instant `t`; `wanted` None asks for all accounts."""
        self.t, self.today = t, self.calendar.day(t - 1)
        into = {}
        for occurred, source, target in self.merges:
            if occurred < t:
                into[source] = target

        def survivor(a):
            passed = {a}
            while a in into and into[a] not in passed:
                a = into[a]
                passed.add(a)
            return a

        accounts = set(self.seen_first)
        if wanted is None:
            asked = sorted(a for a, first in self.seen_first.items() if first < t and a not in into)
        else:
            asked = list(dict.fromkeys(survivor(a) for a in wanted))
        self.members = {a: [a] for a in asked}
        for a in accounts:
            s = survivor(a)
            if s in self.members and s != a:
                self.members[s].append(a)
        self.life = {}
        for a, members in self.members.items():
            born = [self.life_events[m] for m in members if m in self.life_events and self.life_events[m][0] < t]
            if born:
                self.life[a] = min(d for _, d in born)
        self.closed, self._opened, self._subs = {}, {}, {}
        self.insert("members", "survivor varchar, account varchar", [(s, a) for s, ms in self.members.items() for a in ms])
        self.windows, self.base, self.stand = {}, {}, {}
        need = defaultdict(set)
        for name in self.metrics:
            self.demand(name, LEVEL, need)
        for name, keys in need.items():
            self.evaluate(name, sorted(keys))
        answers = []
        for a in asked:
            answers.append((a, {name: self.value(name, a, LEVEL) for name in self.metrics}))
        return answers

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
            return [1, next(k for k, c in self.previous.items() if c == name)]
        if m["agg"] == "against_own":
            return [1] + [1 + 7 * k for k in range(1, m["weeks"] + 1)]
        return [1 + 7 * (k - 1) for k in range(1, m["weeks"] + 1)]

    def insert(self, table, columns, rows):
        self.db.execute(f"create or replace temp table {table} ({columns})")
        if rows:
            with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", encoding="utf-8") as f:
                csv.writer(f, quoting=csv.QUOTE_MINIMAL).writerows(rows)
                f.flush()
                self.copy(table, f.name)

    def closed_days(self, account):
        if account not in self.closed:
            scopes = {"all", f"account:{account}"}
            for name in ("segment", "country"):
                scopes.add(f"{name}:{self.facts.at(account, name, self.t)}")
            self.closed[account] = frozenset(d for scope, a, b in self.closed_rows if scope in scopes for d in range(a, b + 1))
        return self.closed[account]

    def open_window(self, last, n, closed):
        """(first counted day, last day) of n open days up to `last`; None when fewer than half are left."""
        got = self._opened.get((last, n, closed))
        if got is None:
            days, d = [], last
            while len(days) < n and last - d < 2 * n:
                if d not in closed:
                    days.append(d)
                d -= 1
            got = self._opened[last, n, closed] = (days[-1], last) if days and len(days) * 2 >= n else ()
        return got or None

    def window(self, name, account, key):
        """(first, last) or None when the window is missing; first None when the metric has no window."""
        m = self.metrics[name]
        n = m.get("window")
        if n is None:
            last = self.today - max(key, 0)
            return None, last
        n = int(n)
        closed = self.closed_days(account) if m.get("skip_closed") else frozenset()
        if key < 0:
            current = self.window(name, account, 1)
            return current and self.open_window(current[0] - 1, n, closed)
        return self.open_window(self.today - key, n, closed)

    def instant_of(self, last):
        """The exclusive instant at which a window ending on `last` is evaluated."""
        return self.t if last >= self.today else self.calendar.end(last)

    def evaluate(self, name, keys):
        m = self.metrics[name]
        if m["agg"] == "standing":
            self.evaluate_standing(name, m, keys)
            return
        rows, shut = [], set()
        for a in self.members:
            for k in keys:
                w = self.window(name, a, k)
                if w is None:
                    continue
                first, last = w
                if first is None:
                    first = ALWAYS if k == LEVEL else self.life.get(a, last + 1)
                rows.append((a, k, first, last, self.instant_of(last)))
            if m.get("skip_closed"):
                shut.update((a, d) for d in self.closed_days(a))
        self.insert("windows", "survivor varchar, k integer, first integer, last integer, t bigint", rows)
        self.insert("shut", "survivor varchar, day integer", sorted(shut))
        agg = m["agg"]
        for side in ("",) if agg != "share" else ("_a", "_b"):
            self.db.execute(SQL["hits"].format(matched=self.matched[name, side]))
            self.base[name + side] = {(a, k): v for a, k, v in self.db.execute(self.statement(agg, m)).fetchall()}

    @staticmethod
    def statement(agg, m):
        if agg == "share":
            return SQL["count"]
        if agg in ("median", "quantile"):
            return SQL["quantile"].format(q=m.get("q", Decimal("0.5")))
        if agg in ("features_used", "features_share"):
            core = m.get("core") or []
            return SQL["features_used"].format(core=f"f.text in ({', '.join(map(quoted, core))})" if core else "true")
        if agg in ("decayed_sum", "decayed_mean"):
            return SQL[agg].format(half_life=m["half_life_days"])
        if agg in ("first_reply_hours", "resolution_hours"):
            return SQL["ticket_hours"].format(replies="true" if agg == "first_reply_hours" else "false")
        return SQL[agg]

    # -- values and when they are missing ----------------------------------------------------------------------------

    def is_fed(self, last, types_pass, on_premise, since=None):
        since = self.fed if since is None else since
        return any(day <= last and types_pass(kind) and not (on_premise and FAMILY.get(kind) in ("usage", "value"))
                   for kind, day in since.items())

    def judged_fed(self, m, filters, account, last):
        on_premise = self.facts.at(account, "deployment", self.instant_of(last)) == "on_premise"
        own = {"happiness": "ticket_rated", "first_reply_hours": "ticket_opened", "resolution_hours": "ticket_opened"}.get(m["agg"])
        passes = lambda kind: (own is None or kind == own) and models.types_pass(filters, kind, FAMILY.get(kind))
        if not self.is_fed(last, passes, on_premise):
            return False
        if m["agg"] == "active_users" and not self.is_fed(last, passes, on_premise, self.carried):
            return False
        return not (m["agg"] == "first_reply_hours" and self.fed.get(ANSWERED, last + 1) > last)

    def value(self, name, account, key):
        m = self.metrics[name]
        agg = m["agg"]
        if agg == "standing":
            return self.stand[name].get((account, key))
        if agg == "ratio":
            a, b = self.value(m["a"], account, key), self.value(m["b"], account, key)
            if a is None or b is None or isinstance(a, str) or isinstance(b, str) or b <= 0:
                return None
            if "min_b" in m and b < m["min_b"]:
                return None
            return float(a) / float(b)
        if agg == "per_seat":
            a, w = self.value(m["a"], account, key), self.window(m["a"], account, key)
            seats = None if a is None or isinstance(a, str) else self.seats(account, w[1])
            return None if seats is None or seats <= 0 else float(a) / float(seats)
        if agg in models.COMPARISONS:
            return getattr(self, agg)(name, m, account)
        return self.plain(name, m, account, key)

    def plain(self, name, m, account, key):
        w = self.window(name, account, key)
        if w is None:
            return None
        last, agg = w[1], m["agg"]
        if agg == "share":
            if not all(self.judged_fed(m, m.get(f), account, last) for f in ("a_filter", "b_filter")):
                return None
            a, b = (self.base[name + s].get((account, key), 0) for s in ("_a", "_b"))
            return None if b < m.get("min", 1) or b == 0 else a / b
        if not self.judged_fed(m, m.get("filter"), account, last):
            return None
        v = self.base[name].get((account, key))
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

    def begins(self, name, account, key):
        """First day of a window, for holding against life: ALWAYS before life, None where there is no window (standing)."""
        m = self.metrics[name]
        if m["agg"] in ("ratio", "per_seat"):
            parts = [self.begins(m[p], account, key) for p in ("a", "b") if p in m]
            parts = [p for p in parts if p is not None]
            return min(parts) if parts else None
        if m["agg"] == "standing":
            return None
        w = self.window(name, account, key)
        if w is None:
            return ALWAYS
        if w[0] is None:
            return self.life[account] if w[1] >= self.life[account] else ALWAYS
        return w[0]

    def after_life(self, name, account, key):
        if account not in self.life:
            return False
        begin = self.begins(name, account, key)
        return begin is None or begin >= self.life[account]

    def change(self, name, m, account):
        if not all(self.after_life(m["a"], account, k) for k in self.keys(name)):
            return None
        now, base = (self.value(m["a"], account, k) for k in self.keys(name))
        if now is None or base is None or isinstance(now, str) or isinstance(base, str) or base < 0:
            return None
        if base == 0:
            return 1 if now > 0 else -1
        return float(now - base) / float(base)

    def past(self, m, account, keys):
        got = []
        for n, k in enumerate(keys):
            v = self.value(m["a"], account, k) if self.after_life(m["a"], account, k) else None
            if v is not None and not isinstance(v, str):
                got.append((n, v))
        return got

    def against_own(self, name, m, account):
        keys = self.keys(name)
        now = self.value(m["a"], account, keys[0])
        past = sorted(v for _, v in self.past(m, account, keys[1:]))
        if now is None or isinstance(now, str) or len(past) < 3:
            return None
        half = len(past) // 2
        median = past[half] if len(past) % 2 else (past[half - 1] + past[half]) / 2
        if median < 0:
            return None
        if median == 0:
            return 2 if now > 0 else 0
        return float(now) / float(median)

    def slope(self, name, m, account):
        points = [(-n, float(v)) for n, v in self.past(m, account, self.keys(name))]
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

    # -- standing ----------------------------------------------------------------------------------------------------

    def subscriptions(self, account, last):
        """[(owning account, id, state)] of all members' subscriptions at the end of `last`."""
        got = self._subs.get((account, last))
        if got is None:
            got, t = [], self.instant_of(last)
            for member in self.members[account]:
                for sub, events in self.subs.get(member, {}).items():
                    s = subscriptions.state(events, self.nameless[member], t, last, self.calendar)
                    if s is not None:
                        got.append((member, sub, s))
            self._subs[account, last] = got
        return got

    def seats(self, account, last):
        stated = [s.seats for _, _, s in self.subscriptions(account, last) if s.live and not s.trial and s.seats is not None]
        if stated:
            return sum(stated)
        return number(self.facts.at(account, "seats", self.instant_of(last)))

    def evaluate_standing(self, name, m, keys):
        kind, out = m["kind"], {}
        last_of = {k: self.today - k for k in keys}
        rows = [(a, k, self.instant_of(last_of[k]), last_of[k]) for a in self.members for k in keys]
        self.insert("instants", "survivor varchar, k integer, t bigint, today integer", rows)
        fed = lambda types, last: any(self.fed.get(x, last + 1) <= last for x in types)
        if kind in ("oldest_past_due_days", "amount_past_due"):
            sql = SQL["past_due"].format(terms=self.model["payment_terms_days"], currency=m.get("currency", ""))
            for a, k, oldest, amount in self.db.execute(sql).fetchall():
                if fed(["invoice_paid"], last_of[k]):
                    out[a, k] = oldest if kind == "oldest_past_due_days" else amount
        elif kind in ("open_tickets", "open_escalations"):
            types = ["ticket_escalated"] if kind == "open_escalations" else [
                "ticket_opened", "ticket_reopened", "ticket_resolved", "ticket_closed"]
            found = {(a, k): v for a, k, *v in self.db.execute(SQL["open_tickets"]).fetchall()}
            for a, k, _, last in rows:
                if fed(types, last):
                    out[a, k] = found.get((a, k), (0, 0))[kind == "open_escalations"]
        elif kind == "milestones_share":
            reached = {(a, k): set(v) for a, k, v in self.db.execute(SQL["milestones"]).fetchall()}
            for a, k, t, last in rows:
                if fed(["milestone_reached"], last):
                    out[a, k] = self.milestones(a, t, last, reached.get((a, k), set()))
        else:
            for a, k, t, last in rows:
                out[a, k] = self.row_standing(kind, a, t, last)
        self.stand[name] = out

    def milestones(self, account, t, last, reached):
        since = self.life.get(account)
        if since is None or since > last:
            return None
        again = self.facts.newest_change_to(account, "stage", "onboarding", t)
        if again is not None:
            since = max(since, self.calendar.day(again))
        due = [x["name"] for x in self.model["milestones"] if last - since >= x["due_after_days"]]
        return sum(x in reached for x in due) / len(due) if due else None

    def row_standing(self, kind, account, t, last):
        if kind == "age_days":
            life = self.life.get(account)
            return None if life is None or life > last else last - life
        if kind == "expected_days":
            rhythm = self.facts.at(account, "usage_rhythm", t)
            table = {"daily": 20, "weekly": 4, "monthly": 1}
            return table.get(rhythm, table[self.model["usage_rhythm"]])
        if kind == "seats":
            return self.seats(account, last)
        live = [(owner, sub, s) for owner, sub, s in self.subscriptions(account, last) if s.live]
        if kind in ("days_to_renewal", "days_to_notice"):
            days = []
            for _, _, s in live:
                if s.recurring and not s.trial and not s.cancelled and s.amount != 0 and s.term_end is not None:
                    if kind == "days_to_renewal":
                        days.append(s.term_end - last)
                    elif s.notice_days is not None:
                        days.append(s.term_end - s.notice_days - last)
            return min(days) if days else None
        if kind == "credits_burn":
            if self.fed.get("credits_used", last + 1) > last:
                return None
            used = planned = Decimal(0)
            for owner, sub, s in live:
                if s.commit is None or s.commit <= 0 or s.term_end is None or s.term_end < s.term_start:
                    continue
                used += sum(e.quantity for e in self.credits[owner, sub] if e.occurred < t and e.day >= s.term_start)
                elapsed = Decimal(last - s.term_start + 1) / Decimal(s.term_end - s.term_start + 1)
                planned += s.commit * min(Decimal(1), elapsed)
            return float(used.scaleb(-6)) / float(planned) if planned > 0 else None
        raise ValueError(f"unknown standing kind {kind}")


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


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True)
    p.add_argument("--zone", default="UTC")
    p.add_argument("--closed-days")
    p.add_argument("--source", default="file")
    p.add_argument("--as-of", action="append", required=True)
    p.add_argument("--account", action="append")
    p.add_argument("--all", action="store_true")
    p.add_argument("files", nargs="+")
    a = p.parse_args()
    calendar = Calendar(a.zone)
    events, refused = load(a.files, a.source, calendar)
    if refused:
        print(f"not accepted: {refused}", file=sys.stderr)
    c = Computation(events, models.read(a.model), a.zone, closed_days(a.closed_days))
    for text in a.as_of:
        t = as_instant(text, calendar, events)
        for account, values in c.at(t, a.account):
            print(json.dumps({"account": account, "as_of": text_of(t), "metrics": {k: plain_json(v) for k, v in values.items()}}, ensure_ascii=False))


if __name__ == "__main__":
    main()
