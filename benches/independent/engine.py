"""What `tidewatch` answers: one data directory filled from a case, asked through the command line."""
import json
import subprocess
import tempfile
from pathlib import Path

from calendars import DATE, Calendar, date_of, day_number, instant


class Failed(Exception):
    """The engine refused or ended badly."""


def run(*args):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(str(a) for a in args[1:3])}: exit {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def mapped(binary, mapping, source, files):
    """The native events, a line each, that a mapping makes of files, as the engine shows them before it folds any."""
    shown = (run(binary, "mapping", "check", "--mapping", mapping, "--source", source, "--limit", 2**40, file) for file in files)
    lines = (line.split(": ", 1)[1] for text in shown for line in text.splitlines())
    return "".join(line + "\n" for line in lines if line.startswith("{"))


class Engine:
    def __init__(self, binary, case):
        self.binary, self.case, self.calendar = binary, case, Calendar(case.zone)

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.data = Path(self.folder.name) / "data"
        steps = [self.adopt, self.load]
        for step in reversed(steps) if self.case.settings_last else steps:
            step()
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def adopt(self):
        run(self.binary, "adopt", "--data", self.data, "--zone", self.case.zone)
        if self.case.closed:
            run(self.binary, "adopt", "--data", self.data, "--closed-days", self.case.closed)

    def load(self):
        mapping = ["--mapping", self.case.mapping] if self.case.mapping else []
        run(self.binary, "import", "--data", self.data, "--source", self.case.source, *mapping, *self.case.files)

    def asked(self, command, *what):
        return [json.loads(line) for line in run(self.binary, command, "--data", self.data, "--model", self.case.model, *what, "--json").splitlines()]

    def at_all(self, command):
        """{(account, instant): row} of a command that answers all accounts at instants."""
        rows = {}
        for row in self.asked(command, *(x for t in self.case.as_of for x in ("--as-of", t)), "--all"):
            text = row["as_of"]
            t = text if isinstance(text, int) else self.calendar.end(day_number(text)) if DATE.match(text) else instant(text)
            rows[row["account"], t] = row
        return rows

    def history(self, first, last, accounts):
        """{(account, day): row} of the day ends from `first` to `last`."""
        span = ["--from", date_of(first).isoformat(), "--to", date_of(last).isoformat()]
        return {(row["account"], day_number(row["day"])): row for row in self.asked("history", *span, *(x for a in accounts for x in ("--account", a)))}
