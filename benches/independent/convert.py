#!/usr/bin/env python3
"""Public data sets in their neutral form (`id, account, user, type, feature, ts, amount, currency, props`) to native JSON.

    convert.py SET/events.jsonl.gz > native.ndjson

Each record becomes exactly one event that keeps its id; `properties.signal` is the part of the neutral type before the dot.
"""
import gzip
import json
import sys

from generate import Raw, dumps

TYPES = {
    "billing.invoice": "invoice_issued", "billing.credit_note": "credit_issued", "billing.refund": "refund_issued",
    "support.ticket_opened": "ticket_opened", "support.ticket_closed": "ticket_closed", "support.ticket_resolved": "ticket_resolved",
    "support.ticket_reopened": "ticket_reopened", "support.return_request": "ticket_opened", "support.case": "ticket_updated",
    "survey.csat": "csat_answered", "subscription.started": "subscription_started", "subscription.ended": "subscription_ended",
    "subscription.trial_started": "trial_started",
}


def native(o):
    props = dict(o["props"] or {})
    signal = o["type"].split(".")[0]
    kind = "usage" if signal == "usage" else TYPES.get(o["type"], o["type"])
    e = {"id": o["id"], "account": o["account"], "type": kind, "occurred_at": o["ts"]}
    if o["user"]:
        e["user"] = o["user"]
    if o["feature"]:
        props["feature"] = o["feature"]
    for new, old in (("ticket_id", "ticket"), ("ticket_id", "case"), ("subscription_id", "subscription"), ("invoice_id", "invoice")):
        if old in props:
            props[new] = props.pop(old)
    if kind in ("invoice_issued", "ticket_opened", "credit_issued") and "invoice_id" not in props:
        props["invoice_id"] = o["id"]
    if kind.startswith("ticket_") and "ticket_id" not in props:
        props["ticket_id"] = props.get("invoice_id") or o["id"]
    if kind == "csat_answered" and o["amount"] is not None:
        props["score"] = o["amount"]
    if kind == "usage":
        for name in ("qty", "count"):
            if name in props:
                e["quantity"] = props.pop(name)
        if "feature" not in props:
            props["feature"] = "any"
        if o["amount"] is not None and o["currency"] is None:
            e["quantity"] = str(o["amount"])
    if kind == "subscription_started":
        props["amount_per"] = "year" if props.get("frequency") == "annual" else "month"
        props["term_start"] = o["ts"][:10]
    if o["amount"] is not None and o["currency"]:
        e["amount"] = str(o["amount"])
        e["currency"] = o["currency"]
    props["signal"] = signal
    e["properties"] = props
    return e


def main():
    with gzip.open(sys.argv[1], "rt", encoding="utf-8") as lines:
        for line in lines:
            o = json.loads(line, parse_float=Raw)
            sys.stdout.write(dumps(native(o)) + "\n")


if __name__ == "__main__":
    main()
