#!/usr/bin/env python3
"""Holds compute.py against the `expected.csv` of the public sets (folder by $TIDEWATCH_DATASETS, else ../shared/data)."""
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from calendars import Calendar, instant
from compute import Computation, plain_json
from events import EXPONENT, load
from model import DEFAULTS

HERE = Path(__file__).resolve().parent


def metrics(currency):
    m = {
        "usage_30d": {"agg": "count", "window": 30, "filter": {"family": "usage"}},
        "users_30d": {"agg": "active_users", "window": 30, "filter": {"family": "usage"}},
        "features_30d": {"agg": "features_used", "window": 30, "filter": {"family": "usage"}},
        "support_30d": {"agg": "count", "window": 30, "filter": {"properties.signal": "support"}},
        "events_before": {"agg": "count"},
        "last_event": {"agg": "last_time"},
    }
    if currency:
        m["billing_30d"] = {"agg": "sum", "field": "amount", "currency": currency, "window": 30, "filter": {"properties.signal": "billing"}}
    return m


def check(folder):
    rows = list(csv.DictReader(open(folder / "expected.csv")))
    column = next(c for c in rows[0] if c.startswith("billing_"))
    currency = column.split("_")[1].upper()
    currency = None if currency == "NONE" else currency
    with tempfile.TemporaryDirectory() as tmp:
        native = Path(tmp) / "native.ndjson"
        with open(native, "wb") as out:
            subprocess.run([sys.executable, HERE / "convert.py", folder / "events.jsonl.gz"], stdout=out, check=True)
        events, refused = load([native], folder.name, Calendar("UTC"))
    c = Computation(events, {**DEFAULTS, "metrics": metrics(currency)}, "UTC", [])
    wrong = 0
    for cutoff in sorted({r["cutoff"] for r in rows}):
        t = instant(cutoff)
        of = [r for r in rows if r["cutoff"] == cutoff]
        now = dict(c.at(t, [r["account"] for r in of]))
        before = dict(c.at(t - 30 * 86_400_000_000, [r["account"] for r in of]))
        for r in of:
            got = {k: plain_json(v) or 0 for k, v in now[r["account"]].items()}
            got["usage_prev_30d"] = plain_json(before[r["account"]]["usage_30d"]) or 0
            if currency:
                got[column] = got.pop("billing_30d")
            for name, text in r.items():
                if name in ("account", "cutoff") or name == "billing_none_30d":
                    continue
                want = (instant(text) if text else 0) if name == "last_event" else float(text or 0)
                if name == column:
                    want = round(want * 10 ** EXPONENT.get(currency, 2))
                if got[name] != want:
                    wrong += 1
                    print(f"{folder.name} {r['account']} {cutoff} {name}: {got[name]} instead of {want}")
    print(f"{folder.name}: {len(events)} events ({refused or 'none'} refused), {len(rows)} rows, {wrong} differences")
    return wrong


def main():
    root = Path(os.environ.get("TIDEWATCH_DATASETS") or HERE.parents[2].parent / "shared" / "data")
    folders = sorted(p.parent for p in root.glob("*/expected.csv"))
    if not folders:
        print(f"skipped: no data sets in {root}")
    sys.exit(1 if sum(check(f) for f in folders) else 0)


if __name__ == "__main__":
    main()
