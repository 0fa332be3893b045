"""The band of a score: a fold over day ends that keeps the band before while the score stays within its margin (§6)."""
import math


class Bands:
    def __init__(self, scores):
        self.scores, self.c = scores, scores.c
        self.margin = float(self.c.model["band_margin"])
        low, self.bands = -math.inf, []
        for b in self.c.model["bands"]:
            high = float(b.get("below", math.inf))
            self.bands.append((b["name"], low, high))
            low = high
        self.remembered = {}

    def keeping(self, score):
        """The bands that a score cannot leave."""
        return [name for name, low, high in self.bands if low - self.margin <= score < high + self.margin]

    def step(self, before, score):
        if before is not None and before in self.keeping(score):
            return before
        return next(name for name, low, high in self.bands if low <= score < high)

    def before(self, points):
        """{point: the band remembered from the day ends before it, None where none was scored}.

        A day that one band alone can hold decides whatever came before it: the fold starts at the newest such day."""
        ahead, done, size = {p: [] for p in points}, 0, 2
        out = {}
        while ahead:
            days = {p: range(p.today - done - 1, max(p.today - done - size, p.life) - 1, -1) for p in ahead}
            ends = {p: [self.c.point(p.account, self.c.calendar.end(d)) for d in days[p]] for p in ahead}
            answers = self.scores.at([q for of in ends.values() for q in of])
            for p in list(ahead):
                scores = ahead[p]
                for q in ends[p]:
                    if answers[q].state == "scored":
                        scores.append(answers[q].score)
                        if len(self.keeping(scores[-1])) == 1:
                            break
                decided = scores and len(self.keeping(scores[-1])) == 1
                if decided or p.today - done - size <= p.life:
                    band = None
                    for score in reversed(scores):
                        band = self.step(band, score)
                    out[p] = band
                    del ahead[p]
            done, size = done + size, 2 * size
        return out

    def at(self, points):
        """{point: band}: `unknown` where there is no score, None where the account is excluded."""
        answers = self.scores.at(points)
        out = {p: None if a.state == "status_excluded" else "unknown" for p, a in answers.items()}
        frozen = {p: self.c.point(p.account, self.c.calendar.end(a.of_day)) for p, a in answers.items() if a.state == "frozen"}
        scored = [p for p, a in answers.items() if a.state == "scored"]
        before = self.before(scored)
        out.update((p, self.step(before[p], answers[p].score)) for p in scored)
        if frozen:
            of_day = self.at(list(dict.fromkeys(frozen.values())))
            out.update((p, of_day[q]) for p, q in frozen.items())
        return out
