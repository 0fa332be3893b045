"""Native JSON lines to plain rows: the input rules of the contract, in the order the lines are read."""
import gzip
import json
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, InvalidOperation

from calendars import instant

FAMILIES = {
    "usage": ["usage"],
    "value": ["value"],
    "billing": [
        "subscription_started", "trial_started", "trial_converted", "trial_ended", "subscription_changed",
        "subscription_renewed", "subscription_cancelled", "cancellation_withdrawn", "subscription_ended",
        "subscription_paused", "subscription_resumed", "invoice_issued", "invoice_paid", "payment_failed",
        "invoice_voided", "refund_issued", "credit_issued", "credits_granted", "credits_used",
    ],
    "support": [
        "ticket_opened", "ticket_replied", "ticket_updated", "ticket_resolved", "ticket_closed", "ticket_reopened",
        "ticket_escalated", "ticket_deescalated", "ticket_rated",
    ],
    "survey": ["nps_answered", "csat_answered", "pulse_recorded"],
    "lifecycle": [
        "milestone_reached", "stage_changed", "touchpoint_held", "goal_set", "goal_met", "referral_made",
        "request_recorded", "stakeholder_changed", "outcome_recorded",
    ],
    "account": ["account_updated", "user_identified", "user_deactivated", "account_merged", "account_closed"],
}
FAMILY = {t: f for f, types in FAMILIES.items() for t in types}
LIFE = {"usage", "value", "billing", "support", "survey", "lifecycle"}

REQUIRED = {"usage": ["feature"], "value": ["metric"], "milestone_reached": ["milestone"], "stage_changed": ["stage"],
            "nps_answered": ["score"], "csat_answered": ["score"]}
for _t in FAMILIES["billing"]:
    # Pause, resumption and withdrawal may name a subscription and need not.
    if _t in ("cancellation_withdrawn", "subscription_paused", "subscription_resumed"):
        continue
    if _t.startswith(("subscription_", "trial_")):
        REQUIRED[_t] = ["subscription_id"]
    elif _t in ("invoice_issued", "invoice_paid", "payment_failed", "invoice_voided"):
        REQUIRED[_t] = ["invoice_id"]
for _t in FAMILIES["support"]:
    if _t != "ticket_updated":
        REQUIRED[_t] = ["ticket_id"]
SCORES = {"nps_answered": (0, 10), "csat_answered": (1, 5)}

EXPONENT = {"JPY": 0, "KRW": 0, "CLP": 0, "ISK": 0, "VND": 0, "XAF": 0, "XOF": 0, "UGX": 0, "PYG": 0, "RWF": 0,
            "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "TND": 3, "IQD": 3, "LYD": 3, "CLF": 4, "UYW": 4}
MICRO = Decimal("0.000001")


class Number(str):
    """A JSON number with a point or an exponent, as its text."""


@dataclass(slots=True)
class Event:
    source: str
    id: str
    account: str | None
    user: str | None
    actor: str
    product: str | None
    type: str
    family: str | None
    occurred: int
    quantity: int | None  # millionths
    amount: int | None  # minor units
    currency: str | None
    props: dict
    ord: int = 0
    day: int = 0

    @property
    def void(self):
        """Usage and value of internal actors: counts nowhere."""
        return self.actor == "internal" and self.family in ("usage", "value")


def decimal(value):
    """A number or decimal text as Decimal, else None."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        d = Decimal(str(value))
    except InvalidOperation:
        return None
    return d if d.is_finite() else None


def number(value):
    """A JSON number as Decimal, else None: texts are not numbers."""
    if isinstance(value, Number) or (isinstance(value, int) and not isinstance(value, bool)):
        return Decimal(value)
    return None


def of_its_kind(kind, name, value):
    """Whether a required property is what the table says: a score of its range, else a text."""
    if name != "score":
        return isinstance(value, str)
    least, most = SCORES[kind]
    d = number(value)
    return d is not None and least <= d <= most


def minor_units(value, currency):
    """The amount in minor units; a ValueError where it has no currency or finer digits than its currency."""
    if value is None:
        return None
    if currency is None:
        raise ValueError("amount without currency")
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    d = decimal(value)
    if d is None:
        raise ValueError("no amount")
    scaled = d.scaleb(EXPONENT.get(currency, 2))
    if scaled != scaled.to_integral_value():
        raise ValueError("finer digits than the currency has")
    return int(scaled)


def read(line, default_source):
    """One line to an Event, or a reason (str) why it is a dead letter."""
    try:
        o = json.loads(line, parse_float=Number)
    except ValueError:
        return "malformed"
    kind = o.get("type")
    when = o.get("occurred_at")
    occurred = when if isinstance(when, int) and not isinstance(when, bool) else instant(when) if isinstance(when, str) else None
    if not kind or occurred is None or not o.get("id"):
        return "incomplete"
    props = {k: v for k, v in (o.get("properties") or {}).items() if v is not None}
    for name in REQUIRED.get(kind, ()):
        if props.get(name, "") == "":
            return f"missing {name}"
        if not of_its_kind(kind, name, props[name]):
            return f"bad {name}"
    user = o.get("user") or None
    account = o.get("account") or None
    if account is None and user is None and not o.get("ref"):
        return "no subject"
    q = decimal(o.get("quantity"))
    quantity = None if q is None else int(q.scaleb(6).to_integral_value(ROUND_DOWN))
    if quantity is None and kind in ("usage", "value"):
        quantity = 1_000_000
    currency = o.get("currency") or None
    try:
        amount = minor_units(o.get("amount"), currency)
    except ValueError as wrong:
        return str(wrong)
    if amount is not None and kind in ("refund_issued", "credit_issued"):
        amount = -abs(amount)
    if kind == "pulse_recorded" and props.get("colour") in ("red", "yellow", "green"):
        props["points"] = {"red": 0, "yellow": 50, "green": 100}[props["colour"]]
    return Event(o.get("source") or default_source, str(o["id"]), account, user, o.get("actor") or "person",
                 o.get("product") or None, kind, FAMILY.get(kind), occurred, quantity, amount, currency, props)


def closes_cycle(merges, account, into):
    """Whether merging `account` into `into` would lead from an account back to itself, by any merge accepted so far."""
    reached, ahead = set(), [into]
    while ahead:
        at = ahead.pop()
        if at == account:
            return True
        if at not in reached:
            reached.add(at)
            ahead += merges.get(at, ())
    return False


def load(paths, default_source, calendar):
    """All accepted events of the files, each (source, id) once, ordered by (occurred_at, source, id)."""
    kept, refused, merges = {}, {}, {}
    for path in paths:
        opener = gzip.open if str(path).endswith(".gz") else open
        with opener(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                if not line.strip():
                    continue
                e = read(line, default_source)
                if isinstance(e, str):
                    refused[e] = refused.get(e, 0) + 1
                    continue
                into = e.props.get("into_account") if e.type == "account_merged" and e.account else None
                if isinstance(into, str) and into and (e.source, e.id) not in kept:
                    if closes_cycle(merges, e.account, into):
                        refused["merge_cycle"] = refused.get("merge_cycle", 0) + 1
                        continue
                    merges.setdefault(e.account, []).append(into)
                first = kept.setdefault((e.source, e.id), e)
                if first is not e:
                    why = "duplicate" if first == e else "id_conflict"
                    refused[why] = refused.get(why, 0) + 1
    events = sorted(kept.values(), key=lambda e: (e.occurred, e.source, e.id))
    for n, e in enumerate(events):
        e.ord, e.day = n, calendar.day(e.occurred)
    return events, refused
