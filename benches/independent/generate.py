#!/usr/bin/env python3
"""A small adversarial data set and model, drawn from a seed.

    generate.py --seed N --accounts A --out DIR [--contested] [--malformed]

Writes `events-1.ndjson`, `events-2.ndjson`, `model.toml`, `closed.csv` and `case.json` (zone, source, as_of list, days of the history). The default set keeps to inputs the
contract speaks about plainly; `--contested` adds those that READINGS.md calls open, `--malformed` optional fields
of a wrong type or range and facts about nobody (reading 33).
"""
import argparse
import json
import random
from pathlib import Path

from calendars import Calendar, day_number, date_of, text_of
from models_drawn import draw_model

DAY = 86_400_000_000
PLACES = [  # zone and a year with something to trip over
    ("UTC", 2024), ("Europe/Berlin", 2024), ("America/New_York", 2023), ("America/Asuncion", 2024), ("Africa/Cairo", 2024),
    ("Asia/Beirut", 2023), ("America/Havana", 2023), ("Australia/Lord_Howe", 2024), ("Asia/Kathmandu", 2023),
    ("Pacific/Kiritimati", 2024), ("Pacific/Apia", 2011), ("America/Sao_Paulo", 2018), ("Europe/London", 2024),
]
CURRENCIES = {"EUR": 2, "JPY": 0, "KWD": 3}
FEATURES = ["export", "import", "reports", "Search", "search", "api/v1", "ä-feature", "b c"]
SOURCES = ["app", "billing", "App", "zz", "é"]


class Raw(str):
    """A JSON number kept as written."""


# Values of optional properties that are of another type, or that the contract does not know.
DISTORTED = {
    "rating": ["fine", 5, True], "by": ["robot", 1], "public": ["false", 0, "no"], "due_at": ["soon", Raw("12.5"), True, "2024-02-30"],
    "term_end": ["never", [], False], "term_start": ["now", Raw("1.5")], "effective_at": ["someday", {}], "until": ["later", True],
    "seats": ["5", "many", True], "auto_renew": ["yes", 1], "notice_days": ["30", True], "commit_quantity": ["100", []], "recurring": ["no", 0],
    "amount_per": ["week", 7], "cause": ["whim", 3], "reason": ["none of those", 4], "state": ["moved", 0], "colour": ["blue", 7], "survey": [5, ["a"]],
    "usage_rhythm": ["hourly", 3], "deployment": ["on-premise", 1], "segment": [7], "stage": [3], "into_account": [9, ""], "handle_s": ["60"],
}


def dumps(o):
    if isinstance(o, Raw):
        return str(o)
    if isinstance(o, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{dumps(v)}" for k, v in o.items()) + "}"
    if isinstance(o, list):
        return "[" + ",".join(map(dumps, o)) + "]"
    return json.dumps(o)


class Fleet:
    def __init__(self, seed, accounts, contested, malformed=False):
        self.r = random.Random(seed)
        self.contested, self.malformed = contested, malformed
        self.zone, year = self.r.choice(PLACES)
        self.calendar = Calendar(self.zone)
        self.first = day_number(f"{year}-01-01") + self.r.randrange(-40, 40)
        self.days = self.r.choice([150, 250, 400])
        self.accounts = [f"acct-{n:02d}" for n in range(accounts)]
        self.events, self.n = [], 0
        self.late_types = {t: self.first + self.r.randrange(20, self.days) for t in self.r.sample(
            ["usage", "value", "invoice_paid", "ticket_replied", "ticket_escalated", "nps_answered", "milestone_reached", "credits_used",
             "ticket_rated", "goal_set", "pulse_recorded", "ticket_reopened"], self.r.randrange(0, 4))}
        self.anonymous_usage_until = self.first + self.r.choice([0, 0, 0, 60])
        self.parked_early = self.r.random() < 0.3

    # -- instants ---------------------------------------------------------------------------------------------------

    def moment(self, day):
        """An instant of the day, often one that is easy to put in the wrong day."""
        start, end = self.calendar.start(day), self.calendar.end(day)
        length = max(end - start, 1)
        pick = self.r.random()
        if pick < 0.08:
            return start
        if pick < 0.14:
            return end - 1
        if pick < 0.18:
            return start - 1
        if pick < 0.25:
            return start + self.r.randrange(0, length) // 3_600_000_000 * 3_600_000_000
        return start + self.r.randrange(0, length)

    def written(self, us):
        pick = self.r.random()
        if pick < 0.2:
            return us
        text = text_of(us)
        if pick < 0.3 and "." not in text:
            return text.replace("Z", ".000000999Z")
        if pick < 0.4:
            offset = self.r.choice([330, -570, 60, -60, 765])
            sign = "+" if offset > 0 else "-"
            return text_of(us + offset * 60_000_000).replace("Z", f"{sign}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}")
        return text

    def named(self, day):
        """A date, or an instant inside that day."""
        if self.r.random() < 0.75:
            return date_of(day).isoformat()
        return text_of(self.calendar.start(day) + self.r.randrange(0, 20) * 3_600_000_000)

    # -- one event --------------------------------------------------------------------------------------------------

    def emit(self, account, kind, us, props=None, **top):
        day = self.calendar.day(us)
        if kind in self.late_types and day < self.late_types[kind]:
            return None
        self.n += 1
        e = {"id": f"{self.r.choice('abz')}{self.n}", "account": account, "type": kind, "occurred_at": self.written(us), "_at": us}
        if self.r.random() < 0.8:
            e["source"] = self.r.choice(SOURCES)
        if account is None:
            del e["account"]
        if props:
            e["properties"] = self.distorted(props) if self.malformed else props
        e.update({k: v for k, v in top.items() if v is not None})
        if self.r.random() < 0.04:
            e["tenant"] = "main"
        self.events.append(e)
        return e

    def distorted(self, props):
        """Now and then one optional property is of another type, or a value the contract does not know."""
        known = [name for name in props if name in DISTORTED]
        if not known or self.r.random() > 0.15:
            return props
        name = self.r.choice(known)
        return {**props, name: self.r.choice(DISTORTED[name])}

    def money(self, low, high, currency):
        minor = self.r.randrange(low, high)
        exponent = CURRENCIES[currency]
        if self.r.random() < 0.5:
            return {"amount": minor, "currency": currency}
        sign, digits = ("-" if minor < 0 else ""), str(abs(minor)).rjust(exponent + 1, "0")
        text = sign + (digits[:-exponent] + "." + digits[-exponent:] if exponent else digits)
        if exponent and self.r.random() < 0.5:
            return {"amount": Raw(text), "currency": currency}
        return {"amount": text, "currency": currency}

    def quantity(self):
        return self.r.choice([None, 1, 2, 5, Raw("0.5"), Raw("-3"), "2.25", Raw("1.123456789"), Raw("1e2"), "-0.000001", 0, Raw("12345678.9")])

    # -- an account's story -----------------------------------------------------------------------------------------

    def account(self, a):
        r = self.r
        born = self.first + (0 if r.random() < 0.5 else r.randrange(0, self.days))
        last = self.first + self.days
        self.users = [f"u{k}" for k in range(r.randrange(1, 6))] + ["shared"]
        self.currency = r.choice(list(CURRENCIES))
        if born >= last:
            return
        day = lambda lo=born, hi=last: r.randrange(lo, max(hi, lo + 1))
        if r.random() < 0.9:
            self.usage(a, born, last)
        for _ in range(r.choice([0, 3, 20, 60])):
            actor = r.choice([None, None, None, "service", "internal"])
            self.emit(a, "value", self.moment(day()), {"metric": r.choice(["orders", "savings"]), "weight": r.choice([1, Raw("2.5"), "7"])},
                      quantity=self.quantity(), actor=actor, user=r.choice(self.users + [None]))
        self.facts(a, born, last)
        for k in range(r.choice([0, 1, 2, 3])):
            self.subscription(a, f"s{k}" if r.random() < 0.8 or not self.contested else "s-same", born, last)
        for k in range(r.choice([0, 0, 3, 8])):
            self.invoice(a, f"i{k}", day())
        for k in range(r.choice([0, 2, 8, 20])):
            self.ticket(a, f"t{k}", self.moment(day()))
        for _ in range(r.choice([0, 1, 10, 30])):
            user = r.choice(self.users + [None, ""])
            kind = r.choice(["nps_answered", "csat_answered", "pulse_recorded"])
            props = {"score": r.choice([0, 3, 5, 7, 9, 10, Raw("7.5")]) if kind == "nps_answered" else r.randrange(1, 6)}
            if kind == "pulse_recorded":
                props = {"colour": r.choice(["red", "yellow", "green"])}
            elif r.random() < 0.7:
                props["survey"] = r.choice(["q1", "q2"])
            self.emit(a, kind, self.moment(day()), props, user=user)
        for name in ("kickoff", "configured", "trained", "live", "first_value", "extra"):
            for _ in range(r.choice([0, 1, 1, 2])):
                self.emit(a, "milestone_reached", self.moment(day()), {"milestone": name})
        for _ in range(r.choice([0, 2, 6])):
            kind = r.choice(["goal_set", "goal_met", "touchpoint_held", "referral_made", "request_recorded", "stakeholder_changed",
                             "outcome_recorded", "user_identified", "user_deactivated", "payment_failed", "beta.clicked", "usage.count"])
            props = {"goal": "g1", "kind": "call", "role": "champion", "state": r.choice(["joined", "left"]), "outcome": "renewed",
                     "invoice_id": "i0", "n": r.choice([1, True, "1", None, Raw("1.0")])}
            user = r.choice(self.users + ([None] if self.malformed or not kind.startswith(("user_", "stakeholder_")) else []))
            self.emit(a, kind, self.moment(day()), props, user=user, product=r.choice([None, "core", "plus"]))
        if r.random() < 0.1:
            self.emit(a, "account_closed", self.moment(day()))

    def usage(self, a, born, last):
        r = self.r
        pace = r.choice([0.1, 0.4, 1, 3])
        for d in range(born, last):
            if r.random() < 0.02:
                pace = r.choice([0, 0.1, 0.5, 2])
            for _ in range(int(pace + r.random())):
                user = r.choice(self.users + [None, ""])
                if d < self.anonymous_usage_until:
                    user = None
                props = {"feature": r.choice(FEATURES)}
                if r.random() < 0.3:
                    props["duration_s"] = r.choice([0, 5, 60, 3600, Raw("12.5"), None, "90" if self.malformed else 90])
                if r.random() < 0.2:
                    props["flag"] = r.choice([True, False, "true", 1, 0, None, ["true"], {"n": 1}])
                us = self.moment(d)
                e = self.emit(a, "usage", us, props, user=user, actor=r.choice([None] * 8 + ["person", "service", "internal"]),
                              quantity=self.quantity() if r.random() < 0.4 else None, product=r.choice([None, "core", "plus"]))
                if e and r.random() < 0.05:
                    for _ in range(2):
                        self.emit(a, "usage", us, {"feature": r.choice(FEATURES), "duration_s": r.randrange(100)}, user=user, quantity=r.randrange(1, 9))

    def facts(self, a, born, last):
        r = self.r
        for _ in range(r.randrange(0, 9)):
            props = {}
            for name, values in (("seats", [5, 10, 60, 0, None]), ("deployment", ["cloud", "cloud", "on_premise", None]),
                                 ("segment", ["smb", "ent", None]), ("country", ["DE", "JP", None]), ("tier", ["A", "B"]),
                                 ("usage_rhythm", ["daily", "weekly", "monthly", None]), ("stage", ["onboarding", "adopted", None]),
                                 ("name", ["Acme", "Ünal"]), ("kind", ["customer", "customer", "test", "internal"])):
                if r.random() < 0.3:
                    props[name] = r.choice(values)
            if r.random() < 0.2:
                props["roles"] = {r.choice(["owner", "seller"]): r.choice(["ann", "bob", None, ""])}
            if r.random() < 0.1:
                props[r.choice(["deployment", "segment", "country", "usage_rhythm", "stage"])] = ""
            us = self.moment(r.randrange(born - 10, last))
            self.emit(a, "account_updated", us, props)
            if r.random() < 0.3:
                self.emit(a, "account_updated", us, {k: v for k, v in {"seats": r.randrange(1, 50), "segment": r.choice(["smb", "ent"])}.items()})
        for _ in range(r.choice([0, 0, 1, 4])):
            self.emit(a, "stage_changed", self.moment(r.randrange(born, last)), {"stage": r.choice(["onboarding", "adopted", "growing"])})

    def subscription(self, a, sub, born, last):
        r = self.r
        at = r.randrange(born, last)
        us = self.moment(at)
        at = self.calendar.day(us)
        named = {"subscription_id": sub}
        shape = r.random()
        if shape < 0.25:
            self.trial(a, us, named, at)
            end = us + r.randrange(1, 40) * DAY
            if r.random() < 0.4:
                self.emit(a, "trial_ended", end, named)
                return
            if r.random() < 0.5:
                return
            if r.random() < 0.8:
                self.emit(a, "trial_converted", end, {**named, **({"term_end": self.named(at + 90)} if r.random() < 0.3 else {})})
            us = end + r.choice([0, 5_000_000])
            at = self.calendar.day(us)
        elif shape < 0.35:  # first heard of by another event than its start
            kind = r.choice(["subscription_changed", "subscription_renewed"])
            props = {**named, "effective_at": self.named(at + r.choice([0, 5])), "seats": r.randrange(1, 30)}
            if kind == "subscription_renewed":
                props = {**named, "term_start": self.named(at), "term_end": self.named(at + 89), "amount_per": "term"}
            self.emit(a, kind, us, props, **self.money(0, 90_000, self.currency))
            if r.random() < 0.3:
                self.emit(a, "subscription_cancelled", us + 20 * DAY, {**named, "effective_at": self.named(at + 40)})
            return
        start = at + r.choice([0, 0, 0, 7, -20, 30])
        if r.random() < 0.25:
            start = day_number(date_of(start).replace(day=1).isoformat()) + r.choice([30, 29, 28])  # terms over month ends
        from calendars import add_months
        months = r.choice([1, 1, 2, 3, 12])
        length = r.random()
        end = add_months(start, months) - 1 if length < 0.7 else start + r.choice([6, 27, 29, 89])
        props = {**named, "amount_per": r.choice(["month", "year", "term"]), "term_start": self.named(start), "term_end": self.named(end)}
        if r.random() < 0.8:
            props["seats"] = r.choice([1, 5, 20, 20, 0])
        if r.random() < 0.6:
            props["auto_renew"] = r.random() < 0.75
        if r.random() < 0.6:
            props["notice_days"] = r.choice([0, 30, 90])
        if r.random() < 0.15:
            props["recurring"] = r.random() < 0.5
        commit = r.random() < 0.5
        if commit:
            props["commit_quantity"] = r.choice([100, 1000, Raw("250.5")])
        props["plan"] = "pro"
        self.emit(a, "subscription_started", us, props, **self.money(0 if r.random() < 0.85 else 0, r.choice([1, 100_000]), self.currency))
        now = us
        for _ in range(r.choice([0, 0, 1, 2, 4])):
            now += r.randrange(1, 60) * DAY
            d = self.calendar.day(now)
            act = r.random()
            if act < 0.05:
                self.trial(a, now, named, d)
            elif act < 0.35:
                props = {**named, "effective_at": self.named(d + r.choice([0, 0, 10, 45, -5])), "cause": r.choice(["upsell", "price", "reduction"])}
                if r.random() < 0.7:
                    props["seats"] = r.randrange(0, 40)
                self.emit(a, "subscription_changed", now, props, **(self.money(0, 90_000, self.currency) if r.random() < 0.6 else {}))
            elif act < 0.55:
                end = end + 1 if r.random() < 0.7 else d
                begin, end = end, add_months(end, months) - 1
                props = {**named, "term_start": self.named(begin), "term_end": self.named(end), "amount_per": "year"}
                if r.random() < 0.1:
                    del props["term_start"]
                self.emit(a, "subscription_renewed", now, props, **self.money(0, 90_000, self.currency))
            elif act < 0.75:
                off = d + r.choice([0, 1, 20, 60])
                self.emit(a, "subscription_cancelled", now, {**named, "effective_at": self.named(off), "reason": "price"})
                after = now + r.randrange(1, 90) * DAY
                if r.random() < 0.3:  # kept after all, in time or not
                    begin = off + r.choice([-1, 0, 0, 1, 30])
                    self.emit(a, "subscription_renewed", after, {**named, "term_start": self.named(begin), "term_end": self.named(begin + 89)})
                elif r.random() < 0.3:
                    begin = off + r.choice([-5, 0, 30])
                    self.emit(a, "subscription_started", after, {**named, "term_start": self.named(begin), "term_end": self.named(begin + 89)},
                              **self.money(0, 90_000, self.currency))
                elif r.random() < 0.4:
                    self.emit(a, "cancellation_withdrawn", now + r.randrange(1, 15) * DAY, named if r.random() < 0.7 else None)
            elif act < 0.85:
                self.emit(a, "subscription_paused", now, {**named, **({"until": self.named(d + 20)} if r.random() < 0.5 else {})})
                if r.random() < 0.6:
                    self.emit(a, "subscription_resumed", now + 9 * DAY, named)
            else:
                self.emit(a, "subscription_ended", now, {**named, "cause": "lapsed"})
                if r.random() < 0.6:
                    break
        if commit:
            self.emit(a, "credits_granted", us + 1, named, quantity=500)
            for _ in range(r.choice([0, 5, 20])):
                self.emit(a, "credits_used", us + r.randrange(0, 120) * DAY + r.randrange(DAY), named if r.random() < 0.9 else None,
                          quantity=r.choice([1, 5, Raw("2.5"), "0.125"]))

    def trial(self, a, us, named, day):
        r = self.r
        props = {**named, **({"term_end": self.named(day + 14)} if r.random() < 0.6 else {}), **({"seats": r.choice([1, 8])} if r.random() < 0.5 else {})}
        self.emit(a, "trial_started", us, props, **({"amount": 0, "currency": self.currency} if r.random() < 0.4 else {}))

    def invoice(self, a, invoice, day):
        r = self.r
        us = self.moment(day)
        day = self.calendar.day(us)
        named = {"invoice_id": invoice}
        total = r.randrange(1, 50_000)
        cur = self.currency if r.random() < 0.9 else "EUR"
        props = dict(named)
        if r.random() < 0.6:
            props["due_at"] = self.named(day + r.choice([0, 14, 30]))
        self.emit(a, "invoice_issued", us, props, amount=total, currency=cur)
        if r.random() < 0.2:  # issued again, now and then without an amount
            again = {"amount": total + 7, "currency": cur} if r.random() < 0.5 else {}
            self.emit(a, "invoice_issued", us + r.randrange(0, 9) * DAY, {**named, "due_at": self.named(day + 21)}, **again)
        for _ in range(r.choice([0, 1, 1, 2])):
            when = us + r.randrange(-5, 60) * DAY
            act = r.random()
            if act < 0.3:
                self.emit(a, "invoice_paid", when, named)
            elif act < 0.65:
                self.emit(a, "invoice_paid", when, named, amount=r.choice([total, total // 2, total // 3]), currency=cur)
            elif act < 0.75:
                self.emit(a, "credit_issued", when, named, amount=r.choice([1, -1]) * r.choice([total, total // 4 + 1]), currency=cur)
            elif act < 0.83:
                self.emit(a, "refund_issued", when, named, amount=total // 2 + 1, currency=cur)
            elif act < 0.9:
                self.emit(a, "invoice_voided", when, named)
            else:
                self.emit(a, "payment_failed", when, named)

    def ticket(self, a, ticket, us):
        r = self.r
        named = {"ticket_id": ticket}
        if r.random() < 0.95:
            self.emit(a, "ticket_opened", us, {**named, "priority": r.choice(["low", "high"]), "channel": "mail"}, user=r.choice(self.users + [None]))
        now = us
        for _ in range(r.choice([0, 1, 3, 6])):
            now += r.choice([0, 1, 60_000_000, 3_600_000_000, r.randrange(1, 6 * DAY)])
            kind = r.choice(["ticket_replied"] * 4 + ["ticket_updated", "ticket_resolved", "ticket_closed", "ticket_reopened", "ticket_escalated",
                                                      "ticket_deescalated", "ticket_rated", "ticket_rated"])
            props = dict(named)
            if kind == "ticket_replied":
                props["by"] = r.choice(["agent", "agent", "customer", "bot"])
                if r.random() < 0.4:
                    props["public"] = r.random() < 0.6
                if r.random() < 0.3:
                    props["handle_s"] = r.randrange(10, 900)
            if kind == "ticket_rated":
                props["rating"] = r.choice(["great", "great", "okay", "bad"])
            self.emit(a, kind, now, props)
        if r.random() < 0.6:
            self.emit(a, "ticket_resolved", now + r.randrange(0, 9 * DAY), named)
        if r.random() < 0.5:
            self.emit(a, "ticket_rated", now + r.randrange(0, 9 * DAY), {**named, "rating": r.choice(["great", "okay", "bad"])})

    # -- what crosses accounts --------------------------------------------------------------------------------------

    def crossing(self):
        r = self.r
        if len(self.accounts) >= 4 and r.random() < 0.8:
            order = r.sample(self.accounts, len(self.accounts))
            pairs = [(order[k], order[k + 1]) for k in range(r.randrange(1, min(4, len(order) - 1)))]  # a chain
            if len(order) > 6:
                pairs.append((order[5], order[3]))
            if len(order) > 4 and r.random() < 0.4:  # merged once more, into another or into one that nothing else names
                pairs.append((order[0], r.choice([order[4], "known-by-a-merge"])))
            for source, target in pairs:
                self.emit(source, "account_merged", self.moment(self.first + r.randrange(self.days)), {"into_account": target})
        for _ in range(r.randrange(0, 8)):
            us = self.moment(self.first + r.randrange(-5 if self.parked_early else 0, self.days))
            kind, props = r.choice([("usage", {"feature": "export"}), ("nps_answered", {"score": 9}), ("ticket_escalated", {"ticket_id": "t0"})])
            if r.random() < 0.5:
                self.emit(None, kind, us, props, ref={"system": "crm", "id": "x1"})
            else:
                self.emit(None, kind, us, props, user="somebody")

    def closed(self):
        r, rows = self.r, []
        for _ in range(r.choice([0, 3, 10])):
            scope = r.choice(["all", "all", f"account:{r.choice(self.accounts)}", "segment:smb", "segment:ent", "country:DE"])
            a = self.first + r.randrange(self.days)
            rows.append((scope, date_of(a).isoformat(), date_of(a + r.choice([0, 1, 4, 20])).isoformat()))
        return rows

    def instants(self):
        r, first, last = self.r, self.first, self.first + self.days
        out = ["last", date_of(first - 30).isoformat(), date_of(last + 200).isoformat()]
        out += [date_of(r.randrange(first, last)).isoformat() for _ in range(6)]
        out += [text_of(self.moment(r.randrange(first, last))) for _ in range(5)]
        for e in r.sample(self.events, min(3, len(self.events))):
            out.append(text_of(e["_at"] + r.choice([0, 1])))
        return list(dict.fromkeys(out))

    def make(self):
        for a in self.accounts:
            self.account(a)
        self.crossing()
        if self.contested:
            self.open_questions()
        as_of = self.instants()
        for e in self.events:
            e.pop("_at")
        lines = [dumps(e) for e in self.events]
        lines += self.r.sample(lines, len(lines) // 20)  # the same bytes again
        self.r.shuffle(lines)
        return lines, as_of

    def open_questions(self):
        r = self.r
        for a in r.sample(self.accounts, min(3, len(self.accounts))):
            d = self.first + r.randrange(self.days)
            us = self.moment(d)
            pick = r.choice(["ended-renewed", "two-starts", "cancel-no-date", "reissue", "pause-all", "previous-user", "no-required"] + ["score-range"] * self.malformed)
            s = {"subscription_id": "s0"}
            if pick == "ended-renewed":
                self.emit(a, "subscription_ended", us, s)
                self.emit(a, "subscription_renewed", us + 9 * DAY, {**s, "term_start": self.named(d + 9), "term_end": self.named(d + 98)})
            elif pick == "two-starts":
                for k in (0, 40):
                    self.emit(a, "subscription_started", us + k * DAY, {**s, "term_start": self.named(d + k), "term_end": self.named(d + k + 89), "seats": 3 + k},
                              amount=100, currency="EUR")
            elif pick == "cancel-no-date":
                self.emit(a, "subscription_cancelled", us, s)
            elif pick == "reissue":
                for amount in (500, 900):
                    self.emit(a, "invoice_issued", us + amount, {"invoice_id": "i0"}, amount=amount, currency="EUR")
            elif pick == "score-range":
                self.emit(a, "nps_answered", us, {"score": 11}, user="u1")
            elif pick == "previous-user":
                self.emit(a, "user_identified", us, {"previous_user": "u0"}, user="u1")
            elif pick == "no-required":
                self.emit(a, "usage", us, {"screen": "home"}, user="u1")
            else:
                self.emit(a, "subscription_paused", us)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seed", type=int, required=True)
    p.add_argument("--accounts", type=int, default=8)
    p.add_argument("--out", required=True)
    p.add_argument("--contested", action="store_true")
    p.add_argument("--malformed", action="store_true")
    a = p.parse_args()
    write(a.seed, a.accounts, Path(a.out), a.contested, a.malformed)


def write(seed, accounts, out, contested=False, malformed=False):
    out.mkdir(parents=True, exist_ok=True)
    fleet = Fleet(seed, accounts, contested, malformed)
    lines, as_of = fleet.make()
    half = len(lines) // 2
    (out / "events-1.ndjson").write_text("\n".join(lines[:half]) + "\n", encoding="utf-8")
    (out / "events-2.ndjson").write_text("\n".join(lines[half:]) + "\n", encoding="utf-8")
    closed = fleet.closed()
    (out / "closed.csv").write_text("scope,from,to\n" + "".join(",".join(r) + "\n" for r in closed), encoding="utf-8")
    (out / "model.toml").write_text(draw_model(fleet.r, FEATURES), encoding="utf-8")
    (out / "case.json").write_text(json.dumps({"zone": fleet.zone, "source": "file", "as_of": as_of, "closed": bool(closed),
                                              "days": [fleet.first - 3, fleet.first + fleet.days + 10]}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
