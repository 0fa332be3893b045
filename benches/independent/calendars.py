"""Days of the reporting zone. A day is a number: days since 1970-01-01. Rules come from the pinned `tzdata` package."""
import datetime as dt
import re
import zoneinfo

zoneinfo.reset_tzpath(to=())  # never the machine's own rules

EPOCH = dt.date(1970, 1, 1)
UTC = dt.timezone.utc
RFC3339 = re.compile(r"^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)$")
DATE = re.compile(r"^\d{4}-\d\d-\d\d$")


def instant(text):
    """Microseconds since the epoch of an RFC 3339 text; finer digits are cut. None when it is none."""
    m = RFC3339.match(text)
    if not m:
        return None
    try:
        day = dt.date(int(m[1]), int(m[2]), int(m[3])).toordinal() - EPOCH.toordinal()
    except ValueError:
        return None
    h, mi, s = int(m[4]), int(m[5]), int(m[6])
    if h > 23 or mi > 59 or s > 59:
        return None
    micros = int((m[7] or "0").ljust(6, "0")[:6])
    offset = 0
    if m[8] not in "Zz":
        offset = (int(m[8][1:3]) * 60 + int(m[8][4:6])) * (-1 if m[8][0] == "-" else 1)
    return (((day * 24 + h) * 60 + mi - offset) * 60 + s) * 1_000_000 + micros


def text_of(us):
    """RFC 3339 in UTC of an instant, with microseconds where there are any."""
    s, micros = divmod(us, 1_000_000)
    base = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=s)
    return base.strftime("%Y-%m-%dT%H:%M:%S") + (f".{micros:06d}" if micros else "") + "Z"


def day_number(text):
    return dt.date.fromisoformat(text).toordinal() - EPOCH.toordinal()


def date_of(day):
    return dt.date.fromordinal(day + EPOCH.toordinal())


def add_months(day, months):
    """The same day of the month `months` later, cut to the month's end."""
    d = date_of(day)
    y, m = divmod(d.year * 12 + d.month - 1 + months, 12)
    nxt = dt.date(y + (m == 11), (m + 1) % 12 + 1, 1)
    last = (nxt - dt.timedelta(days=1)).day
    return dt.date(y, m + 1, min(d.day, last)).toordinal() - EPOCH.toordinal()


class Calendar:
    def __init__(self, zone):
        self.zone = zoneinfo.ZoneInfo(zone)
        self._start = {}

    def day(self, us):
        local = dt.datetime.fromtimestamp(us // 1_000_000, self.zone)
        return local.date().toordinal() - EPOCH.toordinal()

    def start(self, day):
        """First instant of the day: a skipped midnight moves forward, of a repeated one the first."""
        got = self._start.get(day)
        if got is None:
            midnight = dt.datetime.combine(date_of(day), dt.time(), self.zone)  # fold 0
            got = int(midnight.timestamp()) * 1_000_000
            self._start[day] = got
        return got

    def has(self, day):
        """Whether the zone had the day at all: one that moved across the date line left one out."""
        return self.start(day) < self.end(day)

    def end(self, day):
        return self.start(day + 1)

    def named_day(self, value):
        """The day a date or an instant names (`due_at`, `effective_at`, `term_*`); None when it names none."""
        if isinstance(value, str):
            if DATE.match(value):
                try:
                    return day_number(value)
                except ValueError:
                    return None
            us = instant(value)
            return None if us is None else self.day(us)
        if isinstance(value, int) and not isinstance(value, bool):
            return self.day(value)
        return None
