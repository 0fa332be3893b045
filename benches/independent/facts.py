"""What is told of accounts: the newest value of each fact at any instant."""
import bisect
from collections import defaultdict


class Facts:
    """Newest non-null values of account facts at any instant; an empty text says that there is none."""

    def __init__(self, events):
        self.of = defaultdict(list)
        for e in events:
            if e.account is None:
                continue
            if e.type == "account_updated":
                for name, value in e.props.items():
                    for fact, told in ([(f"roles.{role}", person) for role, person in value.items() if person is not None]
                                       if name == "roles" and isinstance(value, dict) else [(name, value)]):
                        self.of[e.account, fact].append((e.occurred, e.ord, told))
            elif e.type == "stage_changed":
                self.of[e.account, "stage"].append((e.occurred, e.ord, e.props["stage"]))

    def at(self, account, name, t):
        known = self.of.get((account, name), [])
        n = bisect.bisect_left(known, t, key=lambda f: f[0])
        return (known[n - 1][2] if n and known[n - 1][2] != "" else None)

    def since(self, account, name, values, t):
        """When a value of these, one of which holds at `t`, was first told without another in between."""
        known = self.of.get((account, name), [])
        n = bisect.bisect_left(known, t, key=lambda f: f[0]) - 1
        while n > 0 and known[n - 1][2] in values:
            n -= 1
        return known[n][0]

    def newest_change_to(self, account, name, value, t):
        before, when = None, None
        for occurred, _, v in self.of.get((account, name), []):
            if occurred >= t:
                break
            if v == value and before != value:
                when = occurred
            before = v
        return when
