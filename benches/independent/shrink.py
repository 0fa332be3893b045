"""The fewest events that still show a difference."""
import json
from pathlib import Path

from calendars import text_of
from differences import Case, differences
from engine import Failed


def plain_text(v):
    return json.dumps(v, default=str, ensure_ascii=False)


def toml_value(v):
    if isinstance(v, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {toml_value(x)}" for k, x in v.items()) + " }"
    if isinstance(v, list):
        return "[" + ", ".join(map(toml_value, v)) + "]"
    if isinstance(v, bool):
        return "true" if v else "false"
    return json.dumps(v, ensure_ascii=False) if isinstance(v, str) else str(v)


def needed(model, name):
    m = model["metrics"][name]
    names = [name]
    for part in ("a", "b"):
        if isinstance(m.get(part), str):
            names += needed(model, m[part])
    return list(dict.fromkeys(names))


def alone(model, name):
    """A model file of one metric and what it is composed of."""
    keys = [f"{k} = {toml_value(v)}" for k, v in model.items() if k in ("payment_terms_days", "usage_rhythm", "milestones")]
    return "\n".join(keys + ["[metrics]"] + [f"{n} = {toml_value(model['metrics'][n])}" for n in needed(model, name)]) + "\n"


def shrink(binary, case, difference, ours, folder):
    """Writes the least set of lines that still shows one difference; returns the folder."""
    _, account, t, name, *_ = difference
    folder.mkdir(parents=True, exist_ok=True)
    model, file = folder / "model.toml", folder / "events.ndjson"
    if name in ours.model["metrics"]:
        small = Case([file], model, case.zone, case.closed, case.source, [text_of(t)])
        model.write_text(alone(ours.model, name))
    else:
        day = ours.calendar.day(t - 1)
        small = Case([file], model, case.zone, case.closed, case.source, [text_of(t)], scores=True, history=name.startswith("history") and (day, day, 1_000_000))
        model.write_text(case.model.read_text())

    def shows(lines):
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        try:
            return any(d[1:4] == difference[1:4] for d in differences(binary, small)[0])
        except Failed:
            return False

    lines = list(dict.fromkeys(line for f in case.native for line in Path(f).read_text(encoding="utf-8").splitlines() if line.strip()))
    if not shows(lines):
        return None
    size = max(1, len(lines) // 2)
    while True:
        n, progressed = 0, False
        while n < len(lines):
            rest = lines[:n] + lines[n + size:]
            if rest and shows(rest):
                lines, progressed = rest, True
            else:
                n += size
        if size == 1 and not progressed:
            break
        size = max(1, size // 2)
    shows(lines)
    return folder
