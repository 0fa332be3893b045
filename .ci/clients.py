#!/usr/bin/env python3
"""Runs what the pages tell a reader to type, on a small simulated fleet: the commands of docs/HEALTH.md on a directory, then the
grpcurl lines of the pages and the client in Python against an engine that serves it.

    .ci/clients.py --tidewatch target/release/tidewatch --buf BUF

Where there is no grpcurl its lines are asked through `buf curl`: the same call, learned from the server in the same way.
"""

import argparse
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ["README.md", "docs/HEALTH.md"]
HEALTH = ROOT / "docs/HEALTH.md"
# What the page gives as a mistake.
REFUSED = "bad.toml"
READY_S = 60
CALL_S = 60
# A watch ends only by its client.
WATCH_S = 5


def lines_of(page):
    """The commands of a page, those broken over lines as one."""
    text = (ROOT / page).read_text().replace("\\\n", " ")
    return [line.strip().removeprefix("$ ") for line in text.splitlines() if line.startswith("    ")]


def run(words, seconds=CALL_S, **how):
    return subprocess.run(words, capture_output=True, text=True, timeout=seconds, **how)


def commands(tidewatch, folder):
    """Each `tidewatch` line of the page about scores, in its order; its model file is the one that the page shows."""
    model = re.search(r"```toml\n(.*?)```", HEALTH.read_text(), re.DOTALL).group(1)
    (folder / "ours.toml").write_text(model)
    (folder / REFUSED).write_text(model.replace('"per_seat", curve', '"per_saet", curve'))
    done = 0
    for line in lines_of("docs/HEALTH.md"):
        if not line.startswith("tidewatch "):
            continue
        said = run([tidewatch, *shlex.split(line)[1:]], cwd=folder)
        if (said.returncode == 0) == (REFUSED in line):
            sys.exit(f"docs/HEALTH.md: {line}: exit {said.returncode}\n{said.stdout}{said.stderr}")
        done += 1
    return done


def grpcurl(line, address, buf):
    """Asks what a grpcurl line asks of an address."""
    words = shlex.split(line)[1:]
    rest = [address if re.fullmatch(r"127\.0\.0\.1:\d+", word) else word for word in words]
    if shutil.which("grpcurl"):
        return ["grpcurl", *rest]
    place, method = rest[-2:]
    given = rest[:-2]
    body = given[given.index("-d") + 1] if "-d" in given else "{}"
    base = [buf, "curl", "--protocol", "grpc", "--http2-prior-knowledge"]
    if method == "list":
        return [*base, "--list-services", f"http://{place}"]
    return [*base, "-d", body, f"http://{place}/{method}"]


def calls(buf, address, folder):
    """Each grpcurl line of the pages answers something."""
    done = 0
    for page in PAGES:
        for line in lines_of(page):
            if not line.startswith("grpcurl "):
                continue
            words = grpcurl(line, address, buf)
            watches = "Watch" in line
            try:
                said = run(words, WATCH_S if watches else CALL_S, cwd=folder)
                answered, failed = said.stdout, said.returncode != 0
                complaint = said.stderr
            except subprocess.TimeoutExpired as still:
                answered, failed, complaint = (still.stdout or b"").decode(), not watches, "it did not end"
            if failed or not answered.strip() or (watches and "heartbeat" not in answered):
                sys.exit(f"{page}: {line}\n{answered}{complaint}")
            done += 1
    return done


def client(address):
    """The client in Python shows the worst accounts with scores and reasons, and says so of one that nobody knows."""
    script = ROOT / "deploy/examples/client.py"
    said = run([sys.executable, script, "--target", address])
    if said.returncode != 0 or said.stdout.count(", coverage ") != 3:
        sys.exit(f"deploy/examples/client.py\n{said.stdout}{said.stderr}")
    said = run([sys.executable, script, "--target", address, "nobody"])
    if said.returncode != 0 or "nobody: NOT_FOUND" not in said.stdout:
        sys.exit(f"deploy/examples/client.py nobody\n{said.stdout}{said.stderr}")


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def wait_until_ready(address, engine):
    until = time.monotonic() + READY_S
    while time.monotonic() < until and engine.poll() is None:
        try:
            if urllib.request.urlopen(f"http://{address}/readyz", timeout=5).status == 200:
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.1)
    sys.exit("the engine did not get ready")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--tidewatch", required=True, type=lambda path: str(pathlib.Path(path).resolve()))
    arguments.add_argument("--buf", required=True, type=lambda path: str(pathlib.Path(path).resolve()))
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        demo = run([asked.tidewatch, "demo", "--data", "data", "--live-days", "0"], 300, cwd=folder)
        if demo.returncode != 0:
            sys.exit(f"tidewatch demo\n{demo.stderr}")
        # The page ends with a model adopted; a reader asks before that.
        shutil.copytree(folder / "data", folder / "served")
        told = commands(asked.tidewatch, folder)
        grpc, http = free_address(), free_address()
        environment = {**os.environ, "TIDEWATCH_SERVE_GRPC": grpc, "TIDEWATCH_SERVE_HTTP": http}
        serve = [asked.tidewatch, "serve", "--data", folder / "served"]
        with open(folder / "serve.log", "w") as log:
            engine = subprocess.Popen(serve, env=environment, stdout=log, stderr=log)
        try:
            wait_until_ready(http, engine)
            called = calls(asked.buf, grpc, folder)
            client(grpc)
        finally:
            engine.terminate()
            engine.wait(60)
    if told < 10 or called < 4:
        sys.exit(f"only {told} commands and {called} calls were found on the pages")
    print(f"{told} commands and {called} calls of the pages, and the client in Python")


if __name__ == "__main__":
    main()
