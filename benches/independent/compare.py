#!/usr/bin/env python3
"""Holds `tidewatch metrics` against compute.py and prints every difference.

    compare.py --tidewatch BIN --seeds A..B [--accounts N] [--contested] [--malformed] [--shrink DIR]
    compare.py --tidewatch BIN --data FILE… --model FILE --as-of T… [--zone NAME] [--closed-days FILE] [--source NAME] [--shrink DIR]
    compare.py --tidewatch BIN --neutral SET/events.jsonl.gz --model FILE --as-of T… | --instants N   (converted to native JSON for both sides)

Exit code 0: equal to 1e-9 relative. 1: differences. With --mapping FILE the engine reads --data through the mapping and compute.py reads --native.
"""
import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import generate
import model as models
from calendars import DATE, Calendar, date_of, day_number, instant, text_of
from compute import Computation, as_instant, closed_days, plain_json
from events import load

HERE = Path(__file__).resolve().parent
RELATIVE, ABSOLUTE = 1e-9, 1e-12


class Failed(Exception):
    """The engine refused or ended badly."""


class Case:
    def __init__(self, files, model, zone, closed, source, as_of, native=None, mapping=None, settings_last=False):
        self.files, self.model, self.zone, self.closed = [Path(f) for f in files], Path(model), zone, closed
        self.source, self.as_of, self.native, self.mapping, self.settings_last = source, as_of, native or files, mapping, settings_last


def run(*args):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(str(a) for a in args[1:3])}: exit {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def engine(binary, case):
    """{(account, instant): metrics} as the engine answers, and how often a row was repeated."""
    calendar = Calendar(case.zone)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"

        def adopt():
            run(binary, "adopt", "--data", data, "--zone", case.zone)
            if case.closed:
                run(binary, "adopt", "--data", data, "--closed-days", case.closed)

        if not case.settings_last:
            adopt()
        run(binary, "import", "--data", data, "--source", case.source, *(["--mapping", case.mapping] if case.mapping else []), *case.files)
        if case.settings_last:
            adopt()
        instants = [x for t in case.as_of for x in ("--as-of", t)]
        out = run(binary, "metrics", "--data", data, "--model", case.model, *instants, "--all", "--json")
    rows = {}
    for line in out.splitlines():
        o = json.loads(line)
        text = o["as_of"]
        t = text if isinstance(text, int) else calendar.end(day_number(text)) if DATE.match(text) else instant(text)
        rows[o["account"], t] = o["metrics"]
    return rows


def same(a, b):
    if a is None or b is None or isinstance(a, str) or isinstance(b, str):
        return a == b
    return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


class Independent:
    def __init__(self, case):
        self.calendar = Calendar(case.zone)
        self.events, self.refused = load(case.native, case.source, self.calendar)
        self.model = models.read(case.model)
        self.c = Computation(self.events, self.model, case.zone, closed_days(case.closed))

    def at(self, t, wanted=None):
        return {a: {k: plain_json(v) for k, v in m.items()} for a, m in self.c.at(t, wanted)}


def differences(binary, case):
    """[(class, account, instant, metric, engine's, ours)]"""
    theirs, ours, found, compared, present = engine(binary, case), Independent(case), [], 0, 0
    for t in sorted({as_instant(x, ours.calendar, ours.events) for x in case.as_of}):
        rows = {a: m for (a, at), m in theirs.items() if at == t}
        answered = ours.at(t)
        for a in sorted(set(answered) - set(rows)):
            found.append(("not listed by the engine", a, t, None, None, None))
        for a in sorted(rows):
            if a not in answered:
                found.append(("listed by the engine alone", a, t, None, None, None))
                continue
            compared += len(answered[a])
            present += sum(mine is not None for mine in answered[a].values())
            for name, mine in answered[a].items():
                if name not in rows[a]:
                    found.append(("metric absent", a, t, name, None, mine))
                elif not same(rows[a][name], mine):
                    found.append((declared_agg(ours.model, name), a, t, name, rows[a][name], mine))
    ours.compared, ours.present = compared, present
    return found, ours


def declared_agg(model, name):
    m = model["metrics"][name]
    text = m["agg"] + (f" {m['kind']}" if "kind" in m else "")
    return text + ("(" + ", ".join(declared_agg(model, m[p]) for p in ("a", "b") if p in m) + ")" if "a" in m else "")


def declaration(model, name, depth=0):
    m = model["metrics"][name]
    lines = ["  " * depth + f"{name} = " + ", ".join(f"{k} = {plain_text(v)}" for k, v in m.items())]
    for part in ("a", "b"):
        if isinstance(m.get(part), str):
            lines += declaration(model, m[part], depth + 1)
    return lines


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


def shrink(binary, case, difference, ours, folder):
    """Writes the least set of lines that still shows the difference of one metric; returns the folder."""
    _, account, t, name, *_ = difference
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.toml"
    keys = [f"{k} = {toml_value(v)}" for k, v in ours.model.items() if k in ("payment_terms_days", "usage_rhythm", "milestones")]
    model.write_text("\n".join(keys + ["[metrics]"] + [f"{n} = {toml_value(ours.model['metrics'][n])}" for n in needed(ours.model, name)]) + "\n")
    file = folder / "events.ndjson"
    small = Case([file], model, case.zone, case.closed, case.source, [text_of(t)])

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


def report(binary, case, label, args):
    try:
        found, ours = differences(binary, case)
    except Failed as e:
        print(f"{label}: the engine failed: {e}")
        return Counter({"engine failed": 1})
    args.compared, args.present = ours.compared, ours.present
    printed = Counter()
    for kind, account, t, name, theirs, mine in sorted(found, key=lambda d: "(" in d[0]):  # the uncomposed first
        printed[kind] += 1
        if printed[kind] > args.limit:
            continue
        if name is None:
            print(f"{label}: {kind}: {account} as_of {text_of(t)}")
            continue
        print(f"{label}: {account} {name} as_of {text_of(t)}: engine {theirs!r}, independent {mine!r}")
        print("    " + "\n    ".join(declaration(ours.model, name)))
        print(f"    events of {account}: {sum(e.account == account and e.occurred < t for e in ours.events)} seen; zone {case.zone}")
    if args.shrink:
        done = set()
        for d in sorted(found, key=lambda d: "(" in d[0]):
            if d[3] is None or ("(" in d[0] and any("(" not in o[0] and o[3] for o in found)) or d[0] in done or d[0] in args.shrunk:
                continue
            done.add(d[0])
            args.shrunk.add(d[0])
            folder = shrink(binary, case, d, ours, Path(args.shrink) / f"{label}-{d[3]}".replace(" ", "-"))
            if folder:
                print(f"{label}: {d[0]}: least set in {folder} (account {d[1]}, as_of {text_of(d[2])}, engine {d[4]!r}, independent {d[5]!r})")
                print("    " + (folder / "events.ndjson").read_text(encoding="utf-8").strip().replace("\n", "\n    "))
    return Counter(d[0] for d in found)


def spread(files, source, zone, count):
    calendar = Calendar(zone)
    at = [e.occurred for e in load(files, source, calendar)[0]]
    first, last = at[0], at[-1]
    instants = [first + (last - first) * n // (count - 1) for n in range(1, count)]
    return [date_of(calendar.day(t)).isoformat() if n % 2 else text_of(t) for n, t in enumerate(instants)] + ["last"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tidewatch", required=True)
    p.add_argument("--seeds")
    p.add_argument("--accounts", type=int, default=8)
    p.add_argument("--contested", action="store_true")
    p.add_argument("--malformed", action="store_true")
    p.add_argument("--data", nargs="+")
    p.add_argument("--neutral")
    p.add_argument("--native", nargs="+", help="what compute.py reads when the engine reads --data through --mapping")
    p.add_argument("--mapping")
    p.add_argument("--model")
    p.add_argument("--zone", default="UTC")
    p.add_argument("--closed-days")
    p.add_argument("--source", default="file")
    p.add_argument("--as-of", action="append")
    p.add_argument("--instants", type=int, help="so many instants from the first event to `last`, ends of days and instants within days by turns")
    p.add_argument("--limit", type=int, default=2, help="differences printed per class and case")
    p.add_argument("--shrink", metavar="DIR", help="reduce the first difference of each class to its least events, kept in DIR")
    args = p.parse_args()
    args.shrunk, args.compared, args.present = set(), 0, 0
    total = Counter()
    with tempfile.TemporaryDirectory() as folder:
        if args.seeds:
            first, last = (int(x) for x in args.seeds.split(".."))
            clean = 0
            for seed in range(first, last + 1):
                out = Path(folder) / str(seed)
                generate.write(seed, args.accounts, out, args.contested, args.malformed)
                o = json.loads((out / "case.json").read_text())
                case = Case(sorted(out.glob("events-*.ndjson")), out / "model.toml", o["zone"], out / "closed.csv" if o["closed"] else None, o["source"],
                            o["as_of"], settings_last=seed % 2 == 1)
                got = report(args.tidewatch, case, f"seed {seed}", args)
                clean += not got
                total += got
            print(f"{clean} of {last - first + 1} seeds equal")
        else:
            data = args.data
            if args.neutral:
                data = [Path(folder) / "native.ndjson"]
                with open(data[0], "wb") as out:
                    subprocess.run([sys.executable, HERE / "convert.py", args.neutral], stdout=out, check=True)
            if not (data and args.model and (args.as_of or args.instants)):
                p.error("--seeds, or --data or --neutral with --model and --as-of or --instants")
            if args.instants:
                args.as_of = (args.as_of or []) + spread(args.native or data, args.source, args.zone, args.instants)
                print(f"{args.instants} instants: {' '.join(args.as_of)}")
            case = Case(data, args.model, args.zone, args.closed_days, args.source, args.as_of, native=args.native, mapping=args.mapping)
            total = report(args.tidewatch, case, "case", args)
            print(f"{args.compared} values compared, {args.present} of them present")
    for kind, n in total.most_common():
        print(f"{n:6} {kind}")
    print("equal" if not total else "different")
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main()
