"""What stands at the end of a day: bills, tickets, subscriptions, milestones (`standing(kind)` of §4)."""
from decimal import Decimal

import subscriptions
from events import number

FROM_TABLES = {"oldest_past_due_days": "past_due", "amount_past_due": "past_due", "open_tickets": "open_tickets", "open_escalations": "open_tickets",
               "milestones_share": "milestones"}
FED_BY = {"oldest_past_due_days": ["invoice_paid"], "amount_past_due": ["invoice_paid"], "open_escalations": ["ticket_escalated"],
          "open_tickets": ["ticket_opened", "ticket_reopened", "ticket_resolved", "ticket_closed"], "milestones_share": ["milestone_reached"],
          "credits_burn": ["credits_used"]}
EXPECTED_DAYS = {"daily": 20, "weekly": 4, "monthly": 1}


class Standing:
    def __init__(self, events, facts, fed, model, calendar):
        self.facts, self.fed, self.model, self.calendar = facts, fed, model, calendar
        self.subs, self.nameless, self.credits, self._live = {}, {}, {}, {}
        for e in events:
            sub = e.props.get("subscription_id")
            named = isinstance(sub, str) and sub
            if e.account is not None and e.type in subscriptions.NAMING:
                if named:
                    self.subs.setdefault(e.account, {}).setdefault(sub, []).append(e)
                else:  # a pause, resumption or withdrawal that means all subscriptions of the account
                    self.nameless.setdefault(e.account, []).append(e)
            if e.account is not None and e.type == "credits_used" and named and e.quantity is not None:
                self.credits.setdefault((e.account, sub), []).append(e)

    def subscriptions(self, point, last):
        """[(owning account, id, state)] of all members' subscriptions at the end of `last`."""
        t = point.instant_of(last)
        got = self._live.get((point.members, last, t))
        if got is None:
            got = self._live[point.members, last, t] = []
            for member in point.members:
                for sub, events in self.subs.get(member, {}).items():
                    s = subscriptions.state(events, self.nameless.get(member, []), t, last, self.calendar)
                    if s is not None:
                        got.append((member, sub, s))
        return got

    def seats(self, point, last):
        stated = [s.seats for _, _, s in self.subscriptions(point, last) if s.live and not s.trial and s.seats is not None]
        if stated:
            return sum(stated)
        return number(self.facts.at(point.account, "seats", point.instant_of(last)))

    def value(self, m, point, last, row):
        """`row` is what the tables say of the members' events before the end of `last`, where they say anything."""
        kind = m["kind"]
        if kind in FED_BY and not any(self.fed.get(x, last + 1) <= last for x in FED_BY[kind]):
            return None
        if kind in ("oldest_past_due_days", "amount_past_due"):
            return None if row is None else row[kind == "amount_past_due"]
        if kind in ("open_tickets", "open_escalations"):
            return 0 if row is None else row[kind == "open_escalations"]
        if kind == "milestones_share":
            return self.milestones(point, last, set(row[0]) if row else set())
        if kind == "age_days":
            return None if point.life is None or point.life > last else last - point.life
        if kind == "expected_days":
            rhythm = self.facts.at(point.account, "usage_rhythm", point.instant_of(last))
            return EXPECTED_DAYS.get(rhythm, EXPECTED_DAYS[self.model["usage_rhythm"]])
        if kind == "seats":
            return self.seats(point, last)
        live = [(owner, sub, s) for owner, sub, s in self.subscriptions(point, last) if s.live]
        if kind == "credits_burn":
            return self.burn(live, point, last)
        days = []
        for _, _, s in live:
            if s.recurring and not s.trial and not s.cancelled and s.amount != 0 and s.term_end is not None:
                if kind == "days_to_renewal":
                    days.append(s.term_end - last)
                elif s.notice_days is not None:
                    days.append(s.term_end - s.notice_days - last)
        return min(days) if days else None

    def milestones(self, point, last, reached):
        since = point.life
        if since is None or since > last:
            return None
        again = self.facts.newest_change_to(point.account, "stage", "onboarding", point.instant_of(last))
        if again is not None:
            since = max(since, self.calendar.day(again))
        due = [x["name"] for x in self.model["milestones"] if last - since >= x["due_after_days"]]
        return sum(x in reached for x in due) / len(due) if due else None

    def burn(self, live, point, last):
        t = point.instant_of(last)
        used = planned = Decimal(0)
        for owner, sub, s in live:
            if s.commit is None or s.commit <= 0 or s.term_end is None or s.term_end < s.term_start:
                continue
            used += sum(e.quantity for e in self.credits.get((owner, sub), []) if e.occurred < t and e.day >= s.term_start)
            elapsed = Decimal(last - s.term_start + 1) / Decimal(s.term_end - s.term_start + 1)
            planned += s.commit * min(Decimal(1), elapsed)
        return float(used.scaleb(-6)) / float(planned) if planned > 0 else None
