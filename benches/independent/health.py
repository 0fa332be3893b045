#!/usr/bin/env python3
"""Scores and bands of a model over native JSON events: the contract computed apart from the engine.

    health.py --model FILE --zone NAME [--closed-days FILE] --source NAME --as-of T… (--all | --account A…) FILE…
    health.py … --from D --to D (--all | --account A…) FILE…

Prints what `tidewatch health --json` and, of the day ends from D to D, `tidewatch history --json` print: one object a line.
"""
import json

from bands import Bands
from calendars import date_of, day_number, text_of
from compute import arguments, as_instant, computation, plain_json
from scores import Scores


class Health:
    def __init__(self, c):
        self.c = c
        self.scores = Scores(c)
        self.bands = Bands(self.scores)

    def answers(self, instants, wanted=None):
        """{point: what `health` says of it} at the exclusive instants."""
        out = {}
        for points in self.c.together(instants, wanted):
            answers, bands = self.scores.at(points), self.bands.at(points)
            out.update((p, self.said(p, answers[p], bands[p])) for p in points)
        return out

    def at(self, t, account):
        """What it says of one account."""
        return next(iter(self.answers([t], [account]).values()))

    def said(self, p, a, band):
        return {"account": p.account, "as_of": text_of(p.t), "state": a.state, "reason": a.reason, "status": a.status, "score": a.score, "shown": a.shown,
                "band": band, "provisional": not p.at_day_end, "coverage": a.coverage, "profile": a.profile,
                "model": {k: self.c.model.get(k) for k in ("name", "version")}, "groups": a.groups,
                "measures": [{**m, "value": plain_json(m["value"])} for m in a.measures]}

    def history(self, first, last, wanted=None):
        """[what `history` says of an account's day end], the days of life from `first` to `last`."""
        named = [p.account for p in self.c.points(self.c.calendar.end(last), wanted)]
        points = [p for a in named for d in range(first, last + 1) if self.c.calendar.has(d)
                  for p in [self.c.point(a, self.c.calendar.end(d))] if p.life is not None]
        answers, bands = self.scores.at(points), self.bands.at(points)
        return [{"account": p.account, "day": date_of(p.today).isoformat(), "state": answers[p].state, "score": answers[p].score, "band": bands[p],
                 "coverage": answers[p].coverage, "profile": answers[p].profile} for p in points]


def main():
    p = arguments(__doc__)
    p.add_argument("--as-of", action="append", default=[])
    p.add_argument("--from", dest="first")
    p.add_argument("--to", dest="last")
    a = p.parse_args()
    c = computation(a)
    health = Health(c)
    rows = list(health.answers([as_instant(text, c.calendar, c.events) for text in a.as_of], a.account).values())
    if a.first:
        rows += health.history(day_number(a.first), day_number(a.last), a.account)
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
