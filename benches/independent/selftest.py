#!/usr/bin/env python3
"""Small hand-worked cases: each expectation is arithmetic a reader can redo."""
import tomllib
from decimal import Decimal

import subscriptions
from calendars import Calendar, add_months, date_of, day_number, instant, text_of
from compute import Computation
from model import DEFAULTS
from selftest_events import accepted, ev
from selftest_scores import CASES as SCORES


def answers(events, metrics, as_of, zone="UTC", closed=(), top=None, accounts=None):
    of, _ = accepted(events, zone)
    model = {**DEFAULTS, **(top or {}), "metrics": tomllib.loads(metrics, parse_float=Decimal)}
    c = Computation(of, model, zone, [(s, day_number(a), day_number(b)) for s, a, b in closed])
    t = max(e.occurred for e in of) + 1 if as_of == "last" else instant(as_of) if "T" in as_of else c.calendar.end(day_number(as_of))
    return dict(c.at(t, accounts))


def check(got, want):
    for name, value in want.items():
        have = got[name]
        same = have == value if value is None or have is None or isinstance(value, str) else abs(float(have) - float(value)) <= 1e-12 * max(1, abs(float(value)))
        assert same, f"{name}: {have!r} instead of {value!r}"


def days_and_zones():
    berlin = Calendar("Europe/Berlin")
    assert text_of(berlin.start(day_number("2024-03-31"))) == "2024-03-30T23:00:00Z"
    assert text_of(berlin.end(day_number("2024-03-31"))) == "2024-03-31T22:00:00Z"
    assert text_of(Calendar("Africa/Cairo").start(day_number("2024-04-26"))) == "2024-04-25T22:00:00Z"
    apia = Calendar("Pacific/Apia")
    assert apia.start(day_number("2011-12-30")) == apia.end(day_number("2011-12-30"))
    assert instant("2024-01-01T00:00:00.1234569Z") % 1_000_000 == 123456
    assert instant("2024-01-01T01:00:00+01:00") == instant("2024-01-01T00:00:00Z")


def levels():
    events = [ev("a", "usage", "2024-05-01T10:00:00Z", {"feature": "x"}, user="u1", quantity="2.5"),
              ev("a", "usage", "2024-05-02T10:00:00Z", {"feature": "y"}, user="", quantity=-1),
              ev("a", "usage", "2024-05-03T10:00:00Z", {"feature": "x"}, user="u2", actor="service"),
              ev("a", "usage", "2024-05-03T11:00:00Z", {"feature": "z"}, user="u3", actor="internal"),
              '{"id":"m","source":"s","account":"a","type":"invoice_issued","occurred_at":"2024-05-02T00:00:00Z","amount":12.50,"currency":"EUR","properties":{"invoice_id":"i"}}',
              ev("a", "refund_issued", "2024-05-02T01:00:00Z", amount="2", currency="EUR"),
              ev("b", "value", "2024-05-04T00:00:00Z", {"metric": "m"})]
    m = """
n = { agg = "count", window = 2, filter = { family = "usage" } }
q = { agg = "sum", field = "quantity", filter = { family = "usage" } }
people = { agg = "active_users", window = 7, filter = { family = "usage" } }
days = { agg = "active_days", window = 7, filter = { family = "usage" } }
features = { agg = "features_used", window = 7, filter = { family = "usage" } }
share = { agg = "features_share", window = 7, filter = { family = "usage" }, core = ["x", "z", "q", "r"] }
money = { agg = "sum", field = "amount", currency = "EUR" }
yen = { agg = "sum", field = "amount", currency = "JPY" }
since = { agg = "days_since_last", filter = { family = "usage" } }
unfed = { agg = "count", filter = { type = "nps_answered" } }
med = { agg = "quantile", field = "quantity", q = 0.25, window = 9, filter = { family = "usage" } }
decayed = { agg = "decayed_sum", half_life_days = 1, filter = { family = "usage" } }
"""
    check(answers(events, m, "2024-05-03")["a"],
          {"n": 2, "q": 2.5, "people": 1, "days": 2, "features": 2, "share": 0.25, "money": 1050, "yen": 0, "since": 0, "unfed": None,
           "med": 0, "decayed": 0.25 + 0.5 + 1})
    check(answers(events, m, "2024-05-03T10:00:00Z")["a"], {"n": 1, "q": 1.5, "since": 1, "decayed": 0.75})
    check(answers(events, m, "2024-04-30", accounts=["a"])["a"], {"n": None, "q": None, "money": None})


def comparisons():
    events = [ev("a", "usage", "2024-01-01T00:00:00Z", {"feature": "x"})]
    for d in range(1, 29):  # day d of February has d // 7 events (0 in the first six days)
        events += [ev("a", "usage", f"2024-02-{d:02d}T12:00:00Z", {"feature": "x"}) for _ in range(d // 7)]
    m = """
week = { agg = "count", window = 7, filter = { family = "usage" } }
moved = { agg = "change", a = "week" }
own = { agg = "against_own", a = "week", weeks = 3 }
trend = { agg = "slope", a = "week", weeks = 3 }
long = { agg = "count", window = 30, filter = { family = "usage" } }
long_moved = { agg = "change", a = "long" }
"""
    # yesterday = Feb 27: weeks of 21…27, 14…20, 7…13, Jan 31…Feb 6 hold 21, 14, 7, 0
    check(answers(events, m, "2024-02-28")["a"], {"moved": 0.5, "own": 3, "trend": 0.5, "long_moved": None})
    # yesterday = Feb 13: 7 against 0
    check(answers(events, m, "2024-02-14")["a"], {"moved": 1, "own": 2})


def closed_days():
    events = [ev("a", "usage", f"2024-05-{d:02d}T12:00:00Z", {"feature": "x"}) for d in range(1, 21)]
    m = 'n = { agg = "count", window = 4, filter = { family = "usage" }, skip_closed = true }\nc = { agg = "change", a = "n" }\n'
    assert answers(events, m, "2024-05-20", closed=[("all", "2024-05-18", "2024-05-20")])["a"]["n"] == 4
    assert answers(events, m, "2024-05-20", closed=[("account:a", "2024-05-14", "2024-05-20")])["a"]["n"] is None
    assert answers(events, m, "2024-05-20", closed=[("account:a", "2024-05-15", "2024-05-20")])["a"]["n"] == 2
    assert answers(events, m, "2024-05-20", closed=[("segment:x", "2024-05-14", "2024-05-20")])["a"]["n"] == 4


def merges():
    events = [ev("a", "usage", "2024-05-01T00:00:00Z", {"feature": "x"}, user="u"), ev("b", "usage", "2024-05-03T00:00:00Z", {"feature": "x"}, user="u"),
              ev("a", "account_merged", "2024-05-05T00:00:00Z", {"into_account": "b"}), ev("b", "account_merged", "2024-05-06T00:00:00Z", {"into_account": "c"})]
    m = 'n = { agg = "count", window = 30, filter = { family = "usage" } }\np = { agg = "active_users", window = 30, filter = { family = "usage" } }\nage = { agg = "standing", kind = "age_days" }\n'
    assert sorted(answers(events, m, "2024-05-05T00:00:00Z")) == ["a", "b"]
    got = answers(events, m, "2024-05-05T00:00:00.000001Z")
    assert sorted(got) == ["b"]
    check(got["b"], {"n": 2, "p": 1, "age": 4})
    check(answers(events, m, "last", accounts=["a"])["c"], {"n": 2})


def terms():
    start, last = day_number("2024-01-31"), day_number("2024-02-28")  # to the day before Feb 29 = one month, cut
    assert subscriptions.term_months(start, last) == 1
    a, b = subscriptions.rolled(start, last, day_number("2024-04-15"))
    assert (date_of(a).isoformat(), date_of(b).isoformat()) == ("2024-03-31", "2024-04-29")
    assert subscriptions.rolled(day_number("2024-01-01"), day_number("2024-01-10"), day_number("2024-01-25")) == (day_number("2024-01-21"), day_number("2024-01-30"))
    assert add_months(day_number("2023-12-31"), 2) == day_number("2024-02-29")
    base = {"subscription_id": "s", "term_start": "2024-01-01", "term_end": "2024-01-31", "seats": 5, "auto_renew": True, "notice_days": 10, "commit_quantity": 310}
    events = [ev("a", "subscription_started", "2023-12-20T00:00:00Z", base, amount=100, currency="EUR"),
              ev("a", "subscription_changed", "2024-01-10T00:00:00Z", {"subscription_id": "s", "effective_at": "2024-02-01", "seats": 9}),
              ev("a", "credits_used", "2024-01-05T00:00:00Z", {"subscription_id": "s"}, quantity=31),
              ev("a", "credits_used", "2024-02-02T00:00:00Z", {"subscription_id": "s"}, quantity=29),
              ev("a", "subscription_cancelled", "2024-03-10T00:00:00Z", {"subscription_id": "s", "effective_at": "2024-04-10"})]
    m = "\n".join(f'{k} = {{ agg = "standing", kind = "{k}" }}' for k in ("seats", "days_to_renewal", "days_to_notice", "credits_burn"))
    check(answers(events, m, "2023-12-25")["a"], {"seats": None, "days_to_renewal": None})
    check(answers(events, m, "2024-01-31")["a"], {"seats": 5, "days_to_renewal": 0, "days_to_notice": -10, "credits_burn": 0.1})
    check(answers(events, m, "2024-02-01")["a"], {"seats": 9, "days_to_renewal": 28, "credits_burn": 0})
    check(answers(events, m, "2024-02-29")["a"], {"credits_burn": 29 / 310})
    check(answers(events, m, "2024-04-09")["a"], {"seats": 9, "days_to_renewal": None, "credits_burn": 0})
    check(answers(events, m, "2024-04-10")["a"], {"seats": None, "credits_burn": None})


def renewals_and_trials():
    m = "\n".join(f'{k} = {{ agg = "standing", kind = "{k}" }}' for k in ("seats", "days_to_renewal"))
    start = {"subscription_id": "s", "term_start": "2024-01-01", "term_end": "2024-06-30", "seats": 5}
    cancel = {"subscription_id": "s", "effective_at": "2024-07-01"}

    def renewed(begin):
        return [ev("a", "subscription_started", "2024-01-01T00:00:00Z", start), ev("a", "subscription_cancelled", "2024-05-01T00:00:00Z", cancel),
                ev("a", "subscription_renewed", "2024-06-01T00:00:00Z", {"subscription_id": "s", "term_start": begin, "term_end": "2024-12-31"})]

    check(answers(renewed("2024-07-01"), m, "2024-05-31")["a"], {"seats": 5, "days_to_renewal": None})
    check(answers(renewed("2024-07-01"), m, "2024-06-01")["a"], {"seats": 5, "days_to_renewal": 29})
    check(answers(renewed("2024-07-01"), m, "2024-12-30")["a"], {"seats": 5, "days_to_renewal": 1})
    check(answers(renewed("2024-06-30"), m, "2024-06-30")["a"], {"seats": 5, "days_to_renewal": None})
    check(answers(renewed("2024-06-30"), m, "2024-07-01")["a"], {"seats": None, "days_to_renewal": None})
    ended = [ev("a", "subscription_started", "2024-01-01T00:00:00Z", start), ev("a", "subscription_ended", "2024-03-01T00:00:00Z", {"subscription_id": "s"}),
             ev("a", "subscription_renewed", "2024-04-01T00:00:00Z", {"subscription_id": "s", "term_start": "2024-05-01", "term_end": "2024-05-31"})]
    check(answers(ended, m, "2024-04-30")["a"], {"seats": None})
    check(answers(ended, m, "2024-05-01")["a"], {"seats": 5, "days_to_renewal": 30})
    trial = [ev("a", "trial_started", "2024-01-01T00:00:00Z", {"subscription_id": "s", "term_end": "2024-01-14", "seats": 3}, amount=0, currency="EUR"),
             ev("a", "trial_converted", "2024-01-20T00:00:00Z", {"subscription_id": "s"}),
             ev("a", "trial_started", "2024-03-01T00:00:00Z", {"subscription_id": "s", "term_end": "2024-03-14"}),
             ev("a", "subscription_started", "2024-03-05T00:00:00Z", {"subscription_id": "s", "term_start": "2024-04-01", "term_end": "2024-04-30"})]
    check(answers(trial, m, "2024-01-19")["a"], {"seats": None, "days_to_renewal": None})
    check(answers(trial, m, "2024-02-01")["a"], {"seats": 3, "days_to_renewal": None})
    check(answers(trial, m, "2024-03-31")["a"], {"seats": None})
    check(answers(trial, m, "2024-04-01")["a"], {"seats": 3, "days_to_renewal": 29})
    later = {"subscription_id": "later", "term_start": "2024-04-01", "seats": 7}
    all_kept = [ev("a", "subscription_started", "2024-01-01T00:00:00Z", start), ev("a", "subscription_cancelled", "2024-02-01T00:00:00Z", cancel),
                ev("a", "subscription_started", "2024-02-02T00:00:00Z", later),
                ev("a", "subscription_cancelled", "2024-02-03T00:00:00Z", {"subscription_id": "later", "effective_at": "2024-05-01"}),
                ev("a", "cancellation_withdrawn", "2024-03-01T00:00:00Z")]
    check(answers(all_kept, m, "2024-04-30")["a"], {"seats": 12, "days_to_renewal": 61})
    check(answers(all_kept, m, "2024-05-01")["a"], {"seats": 5})  # what had not begun stays cancelled


def facts_and_lists():
    told = [ev("a", "account_updated", "2024-05-01T00:00:00Z", {"usage_rhythm": "monthly", "roles": {"owner": "ann"}}),
            ev("a", "account_updated", "2024-05-02T00:00:00Z", {"usage_rhythm": "", "roles": {"seller": "bob"}}),
            ev("a", "x", "2024-05-03T00:00:00Z", {"plan": True}), ev("a", "x", "2024-05-04T00:00:00Z", {"plan": ["gold"]}),
            ev("a", "account_merged", "2024-05-10T00:00:00Z", {"into_account": "b"}), ev("a", "account_merged", "2024-05-20T00:00:00Z", {"into_account": "c"}),
            ev("c", "account_merged", "2024-05-21T00:00:00Z", {"into_account": "a"})]
    m = 'e = { agg = "standing", kind = "expected_days" }\nlast = { agg = "last", field = "properties.plan" }\n'
    check(answers(told, m, "2024-05-01")["a"], {"e": 1})
    check(answers(told, m, "2024-05-04")["a"], {"e": 20, "last": "true"})
    assert [sorted(answers(told, m, day)) for day in ("2024-05-09", "2024-05-10", "2024-05-20", "2024-05-21")] == [["a"], ["b"], ["b", "c"], ["b", "c"]]
    seen, refused = accepted(told)
    assert refused == {"merge_cycle": 1}
    c = Computation(seen, {**DEFAULTS, "metrics": {}}, "UTC", [])
    at = instant("2024-05-03T00:00:00Z")
    assert (c.facts.at("a", "roles.owner", at), c.facts.at("a", "roles.seller", at), c.facts.at("a", "roles", at)) == ("ann", "bob", None)


def bills_and_tickets():
    events = [ev("a", "invoice_issued", "2024-05-01T00:00:00Z", {"invoice_id": "i", "due_at": "2024-05-10"}, amount=1000, currency="EUR"),
              ev("a", "invoice_issued", "2024-05-01T00:00:00Z", {"invoice_id": "j"}, amount=500, currency="EUR"),
              ev("a", "invoice_paid", "2024-05-02T00:00:00Z", {"invoice_id": "i"}, amount=300, currency="EUR"),
              ev("a", "credit_issued", "2024-05-02T00:00:00Z", {"invoice_id": "i"}, amount=200, currency="EUR"),
              ev("a", "ticket_opened", "2024-05-01T00:00:00Z", {"ticket_id": "t"}),
              ev("a", "ticket_replied", "2024-05-01T01:00:00Z", {"ticket_id": "t", "by": "bot"}),
              ev("a", "ticket_replied", "2024-05-01T02:00:00Z", {"ticket_id": "t", "by": "agent", "public": False}),
              ev("a", "ticket_replied", "2024-05-01T03:00:00Z", {"ticket_id": "t", "by": "agent"}),
              ev("a", "ticket_opened", "2024-05-02T00:00:00Z", {"ticket_id": "w"}), ev("a", "ticket_escalated", "2024-05-02T00:00:01Z", {"ticket_id": "w"}),
              ev("a", "ticket_resolved", "2024-05-02T00:00:00Z", {"ticket_id": "t"})]
    m = """
oldest = { agg = "standing", kind = "oldest_past_due_days" }
owed = { agg = "standing", kind = "amount_past_due", currency = "EUR" }
open = { agg = "standing", kind = "open_tickets" }
escalated = { agg = "standing", kind = "open_escalations" }
reply = { agg = "first_reply_hours", window = 90 }
solved = { agg = "resolution_hours", window = 90 }
"""
    check(answers(events, m, "2024-05-10")["a"], {"oldest": 0, "owed": 0, "open": 1, "escalated": 1})
    check(answers(events, m, "2024-05-11")["a"], {"oldest": 1, "owed": 500})
    check(answers(events, m, "2024-06-01")["a"], {"oldest": 22, "owed": 1000})
    check(answers(events, m, "2024-05-02T12:00:00Z")["a"], {"reply": (3 + 12) / 2, "solved": (24 + 12) / 2})


def answers_of_people():
    events = [ev("a", "nps_answered", "2024-05-01T00:00:00Z", {"score": 2}, user="u"), ev("a", "nps_answered", "2024-05-11T00:00:00Z", {"score": 8}, user="u"),
              ev("a", "nps_answered", "2024-05-01T00:00:00Z", {"score": 4})]
    m = 'nps = { agg = "decayed_mean", field = "properties.score", half_life_days = 10, filter = { type = "nps_answered" } }\n'
    check(answers(events, m, "2024-05-11")["a"], {"nps": (8 + 4 * 0.5) / 1.5})
    events = [ev("a", "ticket_rated", f"2024-05-0{k}T00:00:00Z", {"ticket_id": f"t{k}", "rating": "great" if k < 4 else "bad"}) for k in range(1, 6)]
    events.append(ev("a", "ticket_rated", "2024-05-07T00:00:00Z", {"ticket_id": "t5", "rating": "okay"}))
    check(answers(events, 'h = { agg = "happiness", window = 90 }\n', "last")["a"], {"h": 40})


def on_premise_and_feed():
    events = [ev("a", "account_updated", "2024-05-01T00:00:00Z", {"deployment": "on_premise"}), ev("b", "usage", "2024-05-03T12:00:00Z", {"feature": "x"}),
              ev("a", "account_updated", "2024-05-10T00:00:00Z", {"deployment": "cloud", "seats": 4})]
    m = 'n = { agg = "count", window = 7, filter = { family = "usage" } }\nu = { agg = "active_users", window = 7, filter = { family = "usage" } }\n'
    check(answers(events, m, "2024-05-04")["a"], {"n": None})
    check(answers(events, m, "2024-05-10")["a"], {"n": 0, "u": None})
    check(answers(events, m, "2024-05-03T00:00:01Z", accounts=["b"])["b"], {"n": 0})
    check(answers(events, m, "2024-05-02", accounts=["b"])["b"], {"n": None})


def main():
    for case in (days_and_zones, levels, comparisons, closed_days, merges, terms, renewals_and_trials, facts_and_lists, bills_and_tickets, answers_of_people, on_premise_and_feed, *SCORES):
        case()
        print(f"ok {case.__name__}")


if __name__ == "__main__":
    main()
