"""States, coverage, groups and scores of accounts at points (§5)."""
import math
from dataclasses import dataclass, field, replace

import model as models
from measures import Measures
from status import Status


@dataclass
class Answer:
    state: str
    reason: str | None
    status: str
    profile: str | None = None
    coverage: float = 0.0
    score: float | None = None
    groups: list = field(default_factory=list)
    measures: list = field(default_factory=list)
    of_day: int | None = None  # a frozen answer is that of this day's end

    @property
    def shown(self):
        return None if self.score is None else math.floor(self.score)


class Scores:
    def __init__(self, c):
        self.c = c
        self.status, self.measures = Status(c, c.model["profiles"]), Measures(c)
        self.known = {}

    def at(self, points):
        """{point: answer}; many points are read from the tables together."""
        fresh = [p for p in dict.fromkeys(points) if p not in self.known]
        by_profile, frozen = {}, {}
        for p in fresh:
            status, excluded = self.status.of(p)[0], self.status.excluded(p)
            if excluded is not None:
                self.known[p] = Answer("status_excluded", excluded, status)
            elif p.life is None:
                self.known[p] = Answer("unknown", "no_life", status)
            elif status == "paused":
                frozen[p] = self.newest_not_paused(p)
            else:
                profile = self.status.profile(p)
                by_profile.setdefault(profile["name"], (profile, []))[1].append(p)
        for profile, of_profile in by_profile.values():
            self.score(profile, of_profile)
        if frozen:
            earlier = self.at([q for q in frozen.values() if q is not None])
            for p, q in frozen.items():
                if q is None or earlier[q].score is None:
                    self.known[p] = Answer("unknown", "paused", "paused")
                else:
                    self.known[p] = replace(earlier[q], state="frozen", reason="paused", status="paused", of_day=q.today)
        return {p: self.known[p] for p in points}

    def newest_not_paused(self, point):
        """The newest day end of life before the point at which the account was not paused."""
        for day in range(point.today - 1, point.life - 1, -1):
            q = self.c.point(point.account, self.c.calendar.end(day))
            if self.status.of(q)[0] != "paused":
                return q
        return None

    def score(self, profile, points):
        groups = models.groups(self.c.model, profile)
        names = [name for _, _, weights in groups for name in weights]
        self.measures.read(points, names)
        readings = {(name, p): self.measures.at(name, p) for name in names for p in points}
        given = {key: r.points for key, r in readings.items() if r.points is not None}
        for name in names:
            policy = self.measures.declared[name].get("missing", "exclude")
            missing = [p for p in points if (name, p) not in given]
            if policy in ("neutral", "worst"):
                given.update(((name, p), 50.0 if policy == "neutral" else 0.0) for p in missing)
            elif policy == "last":
                given.update(((name, p), v) for p, v in self.measures.carried_over(name, missing).items())
        for p in points:
            self.known[p] = self.weighed(p, profile["name"], groups, {n: readings[n, p] for n in names}, {n: given[n, p] for n in names if (n, p) in given})

    def weighed(self, point, profile, groups, readings, given):
        of_used = {g: sum(w for m, w in weights.items() if m in given) for g, _, weights in groups}
        all_used = sum(weight for g, weight, _ in groups if of_used[g] > 0)
        everything = sum(weight for _, weight, _ in groups)
        coverage, score, shown_groups, shown_measures = 0.0, 0.0, [], []
        for g, weight, weights in groups:
            used, total = of_used[g] > 0, sum(weights.values())
            share = weight / all_used if used and all_used > 0 else 0.0
            shown_groups.append({"name": g, "weight": share, "score": sum(w * given[m] for m, w in weights.items() if m in given) / of_used[g] if used else None})
            for m, w in weights.items():
                reading = readings[m]
                if reading.points is not None and total > 0:
                    coverage += weight / everything * (w / total)
                effective = share * (w / of_used[g]) if m in given and used else 0.0
                contribution = effective * given[m] if m in given else 0.0
                score += contribution
                shown_measures.append({
                    "name": m, "group": g, "metric": reading.metric, "value": reading.value, "points": given.get(m), "present": reading.points is not None,
                    "stale": reading.stale, "used": m in given, "weight": effective, "contribution": contribution})
        coverage, known = round(coverage, 9), None
        status = self.status.of(point)[0]
        answer = Answer("scored", "never_used" if self.status.never_used(point) else None, status, profile, coverage, round(score, 9), shown_groups, shown_measures)
        if coverage < float(self.c.model["coverage_min"]) or all_used == 0:
            answer.state, answer.reason, answer.score = "unknown", "coverage", None
        return answer
