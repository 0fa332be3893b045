"""Small hand-worked cases for scores and bands (§5–7): each expectation is arithmetic a reader can redo."""
import tomllib
from decimal import Decimal

import model as models
from bands import Bands
from calendars import day_number
from compute import Computation
from health import Health
from measures import on_curve
from selftest_events import accepted, ev

USAGE = 'n = { agg = "count", window = 7, filter = { family = "usage" } }\n'
NPS = 'nps = { agg = "last", field = "properties.score", filter = { type = "nps_answered" } }\n'
ONE = '[[profiles]]\nname = "all"\ngroups = { g = { weight = 1, measures = "w" } }\n'


def health(events, text, zone="UTC"):
    model = models.ready(tomllib.loads(text, parse_float=Decimal))
    return Health(Computation(accepted(events, zone)[0], model, zone, []))


def on(h, day, account="a"):
    return h.at(h.c.calendar.end(day_number(day)), account)


def same(have, want):
    assert have == want or isinstance(have, float) and want is not None and abs(have - want) <= 1e-9, f"{have!r} instead of {want!r}"


def check(said, **want):
    for name, value in want.items():
        same(said[name], value)


def measure(said, name):
    return next(m for m in said["measures"] if m["name"] == name)


def use(*days, account="a"):
    return [ev(account, "usage", f"{d}T12:00:00Z", {"feature": "x"}) for d in days]


def curves():
    curve = [[0, 0], [10, 50], [20, 100]]
    for value, points in ((-1, 0), (0, 0), (5, 25), (10, 50), (12, 60), (20, 100), (99, 100)):
        same(on_curve(curve, value), float(points))


def weights_and_coverage():
    text = f"""[metrics]
{USAGE}{NPS}
csat = {{ agg = "last", field = "properties.score", filter = {{ type = "csat_answered" }} }}
[measures]
use = {{ metric = "n", curve = [[0, 0], [4, 100]] }}
watched = {{ metric = "n", curve = [[0, 100], [4, 0]] }}
nps = {{ metric = "nps", curve = [[0, 0], [10, 100]] }}
csat = {{ metric = "csat", curve = [[1, 0], [5, 100]] }}
[weights]
w = {{ use = 3, watched = 0, csat = 1 }}
[[profiles]]
name = "all"
groups = {{ outcome = {{ weight = 60, measures = "w" }}, voice = {{ weight = 40, measures = {{ nps = 1 }} }} }}
"""
    told = use("2024-05-01", "2024-05-02", "2024-05-03") + [ev("a", "nps_answered", "2024-05-03T01:00:00Z", {"score": 5})]
    said = on(health(told, text), "2024-05-03")
    # use 75 and NPS 50; csat is missing: coverage 0.6 * 3/4 + 0.4, score 0.6 * 75 + 0.4 * 50
    check(said, state="scored", reason=None, coverage=0.85, score=65.0, shown=65, band="yellow", provisional=False, profile="all")
    check(measure(said, "use"), points=75.0, weight=0.6, contribution=45.0, used=True, present=True, stale=False, value=3, metric="n", group="outcome")
    check(measure(said, "watched"), points=25.0, weight=0.0, contribution=0.0, used=True)
    check(measure(said, "csat"), points=None, weight=0.0, contribution=0.0, used=False, present=False)
    assert [(g["name"], g["weight"], g["score"]) for g in said["groups"]] == [("outcome", 0.6, 75.0), ("voice", 0.4, 50.0)]
    # without NPS the outcome group weighs alone; coverage 0.45 stands above 0.4 and below 0.5
    check(on(health(told[:3], text), "2024-05-03"), coverage=0.45, score=75.0, band="green")
    check(on(health(told[:3], "coverage_min = 0.5\n" + text), "2024-05-03"), state="unknown", reason="coverage", coverage=0.45, score=None, shown=None, band="unknown")


def missing():
    text = f"""coverage_min = 0.1
[metrics]
{USAGE}
nps = {{ agg = "mean", field = "properties.score", window = 2, filter = {{ type = "nps_answered" }} }}
[measures]
use = {{ metric = "n", curve = [[0, 0], [4, 100]] }}
neutral = {{ metric = "nps", curve = [[0, 0], [10, 100]], missing = "neutral" }}
worst = {{ metric = "nps", curve = [[0, 0], [10, 100]], missing = "worst" }}
last = {{ metric = "nps", curve = [[0, 0], [10, 100]], missing = "last", half_life_days = 2 }}
[weights]
w = {{ use = 1, neutral = 1, worst = 1, last = 1 }}
{ONE}"""
    h = health(use("2024-05-01", "2024-05-10") + [ev("a", "nps_answered", "2024-05-02T01:00:00Z", {"score": 9})], text)
    check(on(h, "2024-05-01"), coverage=0.25, score=75 / 3)                       # nothing to carry over: use 25, 50, 0
    check(on(h, "2024-05-03"), coverage=1.0, score=(25 + 3 * 90) / 4)
    check(measure(on(h, "2024-05-05"), "last"), points=50 + 40 / 2, used=True, present=False, value=None, contribution=70 / 4)
    check(measure(on(h, "2024-05-05"), "neutral"), points=50.0, used=True, present=False)
    check(measure(on(h, "2024-05-23"), "last"), points=50 + 40 / 1024)            # the day ten half-lives before still counts
    check(measure(on(h, "2024-05-24"), "last"), points=None, used=False)


def stale():
    text = f"""coverage_min = 0
[metrics]
{USAGE}{NPS}
open = {{ agg = "standing", kind = "open_tickets" }}
per = {{ agg = "ratio", a = "n", b = "open" }}
age = {{ agg = "standing", kind = "age_days" }}
[measures]
nps = {{ metric = "nps", curve = [[0, 0], [10, 100]], max_age_days = 3 }}
open = {{ metric = "open", curve = [[0, 0], [10, 100]], max_age_days = 3 }}
asked = {{ metric = "nps", curve = [[0, 0], [10, 100]], max_age_days = 3, input = {{ family = "usage" }} }}
per = {{ metric = "per", curve = [[0, 0], [10, 100]], max_age_days = 3 }}
age = {{ metric = "age", curve = [[0, 0], [10, 100]], max_age_days = 0 }}
[weights]
w = {{ nps = 1, open = 1, asked = 1, per = 1, age = 1 }}
{ONE}"""
    told = [ev("a", "nps_answered", "2024-05-01T01:00:00Z", {"score": 9}), ev("a", "ticket_opened", "2024-05-01T01:00:00Z", {"ticket_id": "t"}),
            ev("a", "ticket_replied", "2024-05-03T01:00:00Z", {"ticket_id": "t", "by": "agent"})] + use("2024-05-04")
    h = health(told, text)
    names = ("nps", "open", "asked", "per", "age")
    stale_on = lambda day, account="a": [measure(on(h, day, account), n)["stale"] for n in names]
    assert stale_on("2024-05-03") == [False, False, True, False, False]
    assert stale_on("2024-05-04") == [False, False, False, False, False]
    assert stale_on("2024-05-05") == [True, True, False, False, False]  # a reply is no input of open tickets
    assert stale_on("2024-05-08") == [True, True, True, True, False]
    check(measure(on(h, "2024-05-05"), "nps"), points=None, value=9, present=False)


def otherwise():
    text = f"""coverage_min = 0
[metrics]
{USAGE}{NPS}
colour = {{ agg = "last", field = "properties.colour", filter = {{ type = "pulse_recorded" }} }}
[measures]
m = {{ metric = "colour", curve = [[0, 0], [1, 1]], otherwise = [{{ metric = "nps", curve = [[0, 0], [10, 100]] }}, {{ metric = "n", curve = [[0, 0], [2, 10]] }}] }}
[weights]
w = {{ m = 1 }}
{ONE}"""
    told = [ev("a", "pulse_recorded", "2024-05-01T01:00:00Z", {"colour": "red"})]
    check(measure(on(health(told, text), "2024-05-01"), "m"), metric="colour", value="red", points=None, present=False)
    told += use("2024-05-02")
    check(measure(on(health(told, text), "2024-05-02"), "m"), metric="n", value=1, points=5.0, present=True)
    told += [ev("a", "nps_answered", "2024-05-02T01:00:00Z", {"score": 4})]
    check(measure(on(health(told, text), "2024-05-02"), "m"), metric="nps", value=4, points=40.0)


SCORE = f"""[metrics]
n = {{ agg = "last", field = "properties.score", filter = {{ type = "nps_answered" }} }}
[measures]
m = {{ metric = "n", curve = [[0, 0], [10, 100]] }}
[weights]
w = {{ m = 1 }}
"""


def scores(*of_days):
    """An NPS answer on each day from May 1: ten times it is the score; None asks nobody."""
    return [ev("a", "nps_answered", f"2024-05-{d:02d}T01:00:00Z", {"score": s}) for d, s in enumerate(of_days, 1) if s is not None]


def states():
    text = SCORE + '[[profiles]]\nname = "all"\ngroups = { g = { weight = 1, measures = "w" } }\n'
    told = [ev("a", "account_updated", "2024-04-30T00:00:00Z", {"tier": "A"})] + scores(9)
    h = health(told, text)
    check(on(h, "2024-04-30"), state="unknown", reason="no_life", profile=None, coverage=0.0, band="unknown", score=None)
    check(on(h, "2024-05-01"), state="scored", score=90.0, status="paying")
    named = {"subscription_id": "s", "term_start": "2024-05-01"}
    start = ev("a", "subscription_started", "2024-05-01T00:00:00Z", named, amount=100, currency="EUR")
    ended = [start, ev("a", "subscription_cancelled", "2024-05-02T00:00:00Z", {"subscription_id": "s", "effective_at": "2024-05-04"})] + scores(9)
    h = health(ended, text)
    assert [(on(h, f"2024-05-0{d}")["status"], on(h, f"2024-05-0{d}")["state"]) for d in (1, 2, 3, 4, 5)] == [
        ("paying", "scored"), ("leaving", "scored"), ("leaving", "scored"), ("ended", "scored"), ("ended", "status_excluded")]
    check(on(h, "2024-05-05"), reason="ended", band=None, score=None, profile=None, coverage=0.0, measures=[])
    h = health(scores(9) + [ev("a", "account_closed", "2024-05-02T00:00:00Z")], text)
    assert [on(h, f"2024-05-0{d}")["reason"] for d in (1, 2, 3)] == [None, None, "closed"]
    h = health(scores(9) + [ev("a", "account_updated", "2024-05-02T00:00:00Z", {"kind": "test"}), ev("a", "account_updated", "2024-05-04T00:00:00Z", {"kind": "customer"})], text)
    assert [on(h, f"2024-05-0{d}")["reason"] for d in (1, 2, 3, 4)] == [None, None, "test", None]
    prospect = health([ev("a", "subscription_started", "2024-05-01T00:00:00Z", {**named, "term_start": "2024-05-10"})] + scores(9), text)
    assert [on(prospect, f"2024-05-{d}")["status"] for d in ("09", "10")] == ["prospect", "paying"]


def frozen():
    text = SCORE + ONE
    named = {"subscription_id": "s", "term_start": "2024-05-01"}
    told = [ev("a", "subscription_started", "2024-05-01T00:00:00Z", named), ev("a", "subscription_paused", "2024-05-03T09:00:00Z", {"subscription_id": "s", "until": "2024-05-05"})]
    h = health(told + scores(9, 8, 1, 1, 1, 2), text)
    check(on(h, "2024-05-03"), state="frozen", reason="paused", status="paused", score=80.0, band="green", coverage=1.0, profile="all")
    check(on(h, "2024-05-05"), state="frozen", score=80.0, provisional=False)
    check(on(h, "2024-05-06"), state="scored", score=20.0, status="paying", band="red")
    before = h.at(h.c.calendar.start(day_number("2024-05-03")) + 8 * 3_600_000_000, "a")
    check(before, state="scored", score=10.0, provisional=True, band="red")
    check(on(health(told + scores(None, None, 1), text), "2024-05-04"), state="unknown", reason="paused", score=None, profile=None, coverage=0.0, band="unknown")


def never_used():
    text = f"[metrics]\n{USAGE}[measures]\nm = {{ metric = \"n\", curve = [[0, 0], [4, 100]] }}\n[weights]\nw = {{ m = 1 }}\n" + ONE
    told = use("2024-05-02", account="b") + scores(9)
    h = health(told, text)
    check(on(h, "2024-05-01"), state="unknown", reason="coverage", coverage=0.0, profile="all")
    check(on(h, "2024-05-02"), state="scored", reason="never_used", score=0.0, band="red")
    check(on(h, "2024-05-02", "b"), reason=None, score=25.0)


def folded():
    h = health(scores(Decimal("7.2"), Decimal("6.8"), Decimal("6.7"), Decimal("6.69"), Decimal("7.2"), 3), SCORE + ONE)
    got = lambda h, *days: [on(h, f"2024-05-{d:02d}")["band"] for d in days]
    # green is kept down to 67; yellow up to below 73
    assert got(h, 1, 2, 3, 4, 5, 6) == ["green", "green", "green", "yellow", "yellow", "red"]
    # the first scored day has no margin; days without a score leave the band alone
    h = health(scores(Decimal("6.9"), None, Decimal("7.1")), SCORE + ONE)
    assert got(h, 1, 2, 3) == ["yellow", "yellow", "yellow"]
    aged = SCORE.replace('[10, 100]] }', '[10, 100]], max_age_days = 0 }') + ONE
    h = health(scores(Decimal("6.9"), None, Decimal("7.1"), None, 8), aged)
    assert got(h, 1, 2, 3, 4, 5) == ["yellow", "unknown", "yellow", "unknown", "green"]
    first = day_number("2024-05-01")
    whole = [{k: r[k] for k in ("day", "state", "score", "band")} for r in h.history(first - 3, first + 3, ["a"])]
    assert whole == [{"day": "2024-05-01", "state": "scored", "score": 69.0, "band": "yellow"}, {"day": "2024-05-02", "state": "unknown", "score": None, "band": "unknown"},
                     {"day": "2024-05-03", "state": "scored", "score": 71.0, "band": "yellow"}, {"day": "2024-05-04", "state": "unknown", "score": None, "band": "unknown"}]


def fold_from_the_start():
    """Starting at a day that one band alone can hold gives what a fold over all day ends gives."""
    days = [Decimal(n * 37 % 101) / 10 for n in range(31)]
    h = health(scores(*days), SCORE + ONE)
    bands, before, whole = Bands(h.scores), None, []
    for score in days:
        before = bands.step(before, float(score) * 10)
        whole.append(before)
    assert len(set(whole)) == 3
    assert [r["band"] for r in h.history(day_number("2024-05-01"), day_number("2024-05-31"), ["a"])] == whole
    assert [on(h, f"2024-05-{d:02d}")["band"] for d in range(1, 32)] == whole


def skipped_day():
    h = health([ev("a", "nps_answered", f"2011-12-{d}T20:00:00Z", {"score": 5}) for d in (28, 29, 30)], SCORE + ONE, "Pacific/Apia")
    days = [r["day"] for r in h.history(day_number("2011-12-27"), day_number("2011-12-31"), ["a"])]
    assert days == ["2011-12-28", "2011-12-29", "2011-12-31"], days


def profiles():
    def one(when):
        text = SCORE + f'[[profiles]]\nname = "first"\nwhen = {when}\ngroups = {{ g = {{ weight = 1, measures = "w" }} }}\n' + ONE
        named = {"subscription_id": "s", "term_start": "2024-05-01", "term_end": "2024-07-12", "amount_per": "term", "seats": 12}  # 73 days
        told = [ev("a", "subscription_started", "2024-05-01T00:00:00Z", named, amount=1000, currency="EUR"),
                ev("a", "subscription_started", "2024-05-01T00:00:00Z", {**named, "subscription_id": "t", "amount_per": "month", "seats": 1}, amount=10, currency="EUR"),
                ev("a", "account_updated", "2024-05-01T00:00:00Z", {"tier": "A", "roles": {"owner": "ann"}, "name": ""}), *use("2024-05-01")]
        return on(health(told + scores(9), text), "2024-05-04")["profile"]
    for when in ('[{ tier = "A" }]', '[{ tier = "B" }, { tier = ["C", "A"], status = "paying" }]', '[{ age_days_below = 4 }]', '[{ ever_used = true }]', '[{ seats = 13 }]',
                 '[{ amount = 5120 }]', '[{ amount = { ge = 5120, lt = 5121 } }]', '[{ "roles.owner" = "ann" }]', '[{ kind = "customer" }]', '[{ tier = { not = "B" } }]'):
        assert one(when) == "first", when
    for when in ('[{ tier = "A", status = "free" }]', '[{ age_days_below = 3 }]', '[{ ever_used = false }]', '[{ segment = { not = "x" } }]', '[{ name = { exists = true } }]',
                 '[{ name = { exists = false } }]', '[{ tier = { not = ["A"] } }]', '[{ seats = { gt = 13 } }]', '[{ seats = "13" }]'):
        assert one(when) == "all", when


CASES = (curves, weights_and_coverage, missing, stale, otherwise, states, frozen, never_used, folded, fold_from_the_start, skipped_day, profiles)
