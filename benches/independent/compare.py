#!/usr/bin/env python3
"""Holds `tidewatch metrics`, and with --scores `health` and `history`, against this computation and prints every difference.

    compare.py --tidewatch BIN --seeds A..B [--accounts N] [--contested] [--malformed] [--scores] [--shrink DIR]
    compare.py --tidewatch BIN --data FILE… --model FILE --as-of T… [--zone NAME] [--closed-days FILE] [--source NAME] [--shrink DIR]
    compare.py --tidewatch BIN --neutral SET/events.jsonl.gz --model FILE --as-of T… | --instants N   (converted to native JSON for both sides)

Exit code 0: equal to 1e-9 relative. 1: differences. With --mapping FILE the engine reads --data through the mapping; the other side reads --native,
or, without it, what `mapping check` shows the records to become.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import generate
from calendars import Calendar, date_of, day_number, text_of
from differences import Case, differences
from engine import Failed, mapped
from events import load
from shrink import plain_text, shrink

HERE = Path(__file__).resolve().parent


def declaration(model, name, depth=0):
    m = model["metrics"][name]
    lines = ["  " * depth + f"{name} = " + ", ".join(f"{k} = {plain_text(v)}" for k, v in m.items())]
    for part in ("a", "b"):
        if isinstance(m.get(part), str):
            lines += declaration(model, m[part], depth + 1)
    return lines


def report(binary, case, label, args):
    try:
        found, ours = differences(binary, case)
    except Failed as e:
        print(f"{label}: the engine failed: {e}")
        return Counter({"engine failed": 1})
    differ = Counter(d[0].split(" ")[0] if d[0].startswith(("health ", "history ")) else "metrics" for d in found)
    args.parts = [f"{part}: {n} values compared, {ours.present[part]} present, {differ[part]} differ" for part, n in ours.compared.items()]
    printed = Counter()
    for kind, account, t, name, theirs, mine in sorted(found, key=lambda d: "(" in d[0]):  # the uncomposed first
        printed[kind] += 1
        if printed[kind] > args.limit:
            continue
        if name is None:
            print(f"{label}: {kind}: {account} as_of {text_of(t)}: engine {theirs!r}, independent {mine!r}")
            continue
        print(f"{label}: {account} {name} as_of {text_of(t)}: engine {theirs!r}, independent {mine!r}")
        if name in ours.model["metrics"]:
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
    p.add_argument("--scores", action="store_true", help="hold `health` and `history` too; the model must have a scoring half")
    p.add_argument("--history", type=int, default=60, metavar="DAYS", help="day ends up to the newest event to hold, of five accounts; seeds: all of two")
    p.add_argument("--limit", type=int, default=2, help="differences printed per class and case")
    p.add_argument("--shrink", metavar="DIR", help="reduce the first difference of each class to its least events, kept in DIR")
    args = p.parse_args()
    args.shrunk, args.parts = set(), []
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
                            o["as_of"], settings_last=seed % 2 == 1, scores=args.scores, history=(*o["days"], 2))
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
            if args.mapping and not args.native:
                args.native = [Path(folder) / "mapped.ndjson"]
                args.native[0].write_text(mapped(args.tidewatch, args.mapping, args.source, data), encoding="utf-8")
            if not (data and args.model and (args.as_of or args.instants)):
                p.error("--seeds, or --data or --neutral with --model and --as-of or --instants")
            if args.instants:
                args.as_of = (args.as_of or []) + spread(args.native or data, args.source, args.zone, args.instants)
                print(f"{args.instants} instants: {' '.join(args.as_of)}")
            newest = Calendar(args.zone).day(max(e.occurred for e in load(args.native or data, args.source, Calendar(args.zone))[0])) if args.scores else 0
            case = Case(data, args.model, args.zone, args.closed_days, args.source, args.as_of, native=args.native, mapping=args.mapping,
                        scores=args.scores, history=(newest - args.history + 1, newest, 5))
            total = report(args.tidewatch, case, "case", args)
            print(*args.parts, sep="\n")
    for kind, n in total.most_common():
        print(f"{n:6} {kind}")
    print("equal" if not total else "different")
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main()
