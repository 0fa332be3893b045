"""Events of the hand-worked cases."""
import json
import tempfile

from calendars import Calendar
from events import load

COUNT = 0


def ev(account, kind, at, props=None, **top):
    global COUNT
    COUNT += 1
    return {"id": f"e{COUNT}", "source": "s", "account": account, "type": kind, "occurred_at": at, "properties": props or {}, **top}


def accepted(events, zone="UTC"):
    """Those that are accepted, and how many are not for which reason."""
    with tempfile.NamedTemporaryFile("w", suffix=".ndjson") as f:
        f.write("\n".join(e if isinstance(e, str) else json.dumps(e, default=float) for e in events))
        f.flush()
        return load([f.name], "file", Calendar(zone))
