"""Events as DuckDB tables, and the aggregations of `sql/` over windows of them."""
import csv
import tempfile
from decimal import Decimal
from pathlib import Path

import duckdb

import model as models
from events import number
from filters import condition, quoted, shown

SQL = {p.stem: p.read_text() for p in (Path(__file__).parent / "sql").glob("*.sql")}
COPIED = """(format csv, auto_detect false, header false, nullstr '\\N', quote '"', escape '"', delim ',')"""


class Tables:
    def __init__(self, events, metrics, calendar):
        self.db = duckdb.connect()
        self.db.execute("set preserve_insertion_order = false")
        self.store(events, calendar)
        self.matched, self.sets_known = {}, 0
        for name, m in metrics.items():
            self.match(name, m)

    def store(self, events, calendar):
        self.db.execute(SQL["schema"])
        text = lambda v: r"\N" if v is None else v
        rows = {"events": [], "props": [], "due": []}
        for e in events:
            quantity = None if e.quantity is None else Decimal(e.quantity).scaleb(-6)
            rows["events"].append([text(v) for v in (
                e.ord, e.account, e.user, e.actor, e.product, e.type, e.family, e.source, e.occurred, e.day,
                None if quantity is None else f"{quantity:f}", e.amount, e.currency, "true" if e.void else "false")])
            for name, value in e.props.items():
                kind, s, num = shown(value)
                rows["props"].append([text(v) for v in (e.ord, name, kind, s, None if num is None else f"{num:f}")])
            if e.type == "invoice_issued":
                day = calendar.named_day(e.props.get("due_at"))
                if day is not None:
                    rows["due"].append([e.ord, day])
        for table, of_table in rows.items():
            self.copy(table, of_table)
        self.db.execute(SQL["derive"])

    def copy(self, table, rows):
        if not rows:
            return
        with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", encoding="utf-8") as f:
            csv.writer(f, quoting=csv.QUOTE_NOTNULL if hasattr(csv, "QUOTE_NOTNULL") else csv.QUOTE_MINIMAL).writerows(rows)
            f.flush()
            self.db.execute(f"copy {table} from {quoted(f.name)} {COPIED}")

    def match(self, name, m):
        """Tables of the events an uncomposed metric can count, with their value `v`."""
        agg = m["agg"]
        if agg in models.COMPOSED or agg == "standing":
            return
        for side, filters in models.sides(m):
            tests = [condition(f, spec) for f, spec in (filters or {}).items()]
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
            if agg in models.TICKET_HOURS:
                tests.append("e.ord in (select ord from first_openings)")
            if agg == "happiness":
                tests.append("e.type = 'ticket_rated'")
            table = f"m_{len(self.matched)}"
            self.matched[name, side] = table
            self.db.execute(f"""create table {table} as
                select e.ord, e.account, e."user", e.actor = 'person' as person, e.occurred, e.day, {value} as v
                from events e where {' and '.join(['not e.void', 'e.account is not null'] + tests)}""")

    def passing(self, filters):
        """[(account, occurred, day)] of the events a filter lets through, in their order."""
        tests = ["not e.void", "e.account is not null"] + [condition(f, spec) for f, spec in (filters or {}).items()]
        return self.db.execute(f"select e.account, e.occurred, e.day from events e where {' and '.join(tests)} order by e.ord").fetchall()

    # -- windows: (set of accounts, first day, last day, exclusive instant), numbered by `w` ---------------------------------

    def ask(self, windows, sets):
        """The windows of the next statements; `sets` are pairs (accounts that count together, days left out), which only grow."""
        fresh = range(self.sets_known, len(sets))
        self.append("members", [(n, a) for n in fresh for a in sets[n][0]])
        self.append("shut", [(n, d) for n in fresh for d in sets[n][1]])
        self.sets_known = len(sets)
        self.db.execute("delete from windows")
        self.append("windows", [(w, *row) for w, row in enumerate(windows)])

    def append(self, table, rows):
        if rows:
            self.db.execute(f"insert into {table} select {', '.join('unnest(?)' for _ in rows[0])}", [list(column) for column in zip(*rows)])

    def aggregate(self, name, side, m):
        """{number of the window: value} of the windows in which anything matched."""
        self.db.execute(SQL["hits"].format(matched=self.matched[name, side]))
        return dict(self.db.execute(self.statement(m)).fetchall())

    def standing(self, kind, **given):
        """{number of the window: row} of one of the statements over `windows` itself."""
        return {w: row for w, *row in self.db.execute(SQL[kind].format(**given)).fetchall()}

    @staticmethod
    def statement(m):
        agg = m["agg"]
        if agg == "share":
            return SQL["count"]
        if agg in ("median", "quantile"):
            return SQL["quantile"].format(q=m.get("q", Decimal("0.5")))
        if agg in ("features_used", "features_share"):
            core = m.get("core") or []
            return SQL["features_used"].format(core=f"f.text in ({', '.join(map(quoted, core))})" if core else "true")
        if agg in ("decayed_sum", "decayed_mean"):
            return SQL[agg].format(half_life=m["half_life_days"])
        if agg in models.TICKET_HOURS:
            return SQL["ticket_hours"].format(replies="true" if agg == "first_reply_hours" else "false")
        return SQL[agg]
