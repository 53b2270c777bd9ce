"""Online reads beside Feast: 2 views of 10 features for one entity, and for 100 entities, of 2,000.

    python -m benchmarks.online.run [--rounds 7] [--only lmdb redis …]

Trimtab reads through `OnlineFeatures.read`, the way of a request without its HTTP: checked, keyed, read from
one snapshot, as of an instant; its store holds the last 48 hours of hourly facts of each entity (5.8 kB a
view), as it does by default. Feast 0.67 reads through `get_online_features(…).to_dict()` from its SQLite online
store, which holds one fact an entity. The client alone (redis-py with hiredis) reads the same bytes from the
same server by one `MGET`, and by a pipeline with one `HMGET` for each entity, and leaves them as they are.

Every system loads its store first, each in a process of its own; then they take turns, round by round, with the
same random entities. A round's median and 99th percentile are taken over its reads; shown are the best round
and, in brackets, the median round, by which the targets are judged. Results are kept only of a quiet machine.
Each peer has a virtual environment of its own, made on the first use; Redis is Debian's `redis-server`, started
on a free port, and left out where there is none. Shared machine: as root, `nice -n -15`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.peers import QUIET_LOAD, peer_python

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FEAST = "0.67.0"
SIZES = {1: 1500, 100: 200}  # rows of a read: reads of a round

_README = """# Online reads beside Feast

Made by `python -m benchmarks.online.run`, whose docstring says what is measured and how; all rounds are in
`results.json`. Microseconds of one read; best of {rounds} rounds (median round). {cpus} CPUs, Python {python}; load
of the machine in the minute before a round: {load:.1f} (median); above 1, others were at work on it.

{table}

{targets}
"""


@dataclass(frozen=True)
class Measured:
    """One way to read; by rows of a read, the figures of each round in microseconds."""

    name: str
    p50_us: dict[int, list[float]] = field(default_factory=dict)
    p99_us: dict[int, list[float]] = field(default_factory=dict)

    def add(self, rows: int, took_s: list[float]) -> None:
        ordered = sorted(took_s)
        self.p50_us.setdefault(rows, []).append(ordered[len(ordered) // 2] * 1e6)
        self.p99_us.setdefault(rows, []).append(ordered[int(len(ordered) * 0.99)] * 1e6)


class Job:
    """A process that has loaded its store and reads when it is told to."""

    def __init__(self, module: str, python: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [python, "-W", "ignore", "-m", f"benchmarks.online.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        while (said := self._said()) != "ready":
            print(said, file=sys.stderr)

    def read(self, name: str, rows: int, times: int, seed: int) -> list[float]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name} {rows} {times} {seed}\n")
        self._process.stdin.flush()
        took_s: list[float] = json.loads(self._said())
        return took_s

    def stop(self) -> None:
        self._process.communicate()

    def _said(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a job ended with {self._process.wait()}")
        return line.strip()


def start_redis(folder: Path) -> tuple[subprocess.Popen[bytes], str] | None:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        print("NO REDIS SERVER HERE (Debian: apt install redis-server): Redis is left out", file=sys.stderr)
        return None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([program, *words], cwd=folder, stdout=subprocess.DEVNULL)
    time.sleep(1)
    return process, f"redis://127.0.0.1:{port}/0"


def started(only: list[str], folder: Path, url: str | None) -> dict[str, tuple[Job, str]]:
    """By the name of a way to read: its job, and what the job calls it."""
    places = {one: folder / one for one in ("lmdb", "redis", "feast")}
    for place in places.values():
        place.mkdir()
    ways: dict[str, tuple[Job, str]] = {}
    if "lmdb" in only:
        ways["trimtab, LMDB"] = (Job("job_trimtab", sys.executable, "lmdb", str(places["lmdb"]), ""), "read")
    if "redis" in only and url is not None:
        job = Job("job_trimtab", sys.executable, "redis", str(places["redis"]), url, "mget", "hmget")
        ways["trimtab, Redis"] = (job, "read")
        ways["redis-py MGET"] = (job, "mget")
        ways["redis-py pipelined HMGET"] = (job, "hmget")
    if "feast" in only:
        ways[f"feast {FEAST}, SQLite"] = (
            Job("job_feast", peer_python("feast", [f"feast=={FEAST}"]), "feast", str(places["feast"]), ""),
            "read",
        )
    return ways


def table(found: list[Measured]) -> str:
    sizes = [(rows, name) for rows in SIZES for name in ("p50", "p99")]
    lines = ["| | " + " | ".join(f"{rows} × {name}" for rows, name in sizes) + " |", "| --- " + "| --: " * 4 + "|"]
    for one in found:
        figures = {"p50": one.p50_us, "p99": one.p99_us}
        shown = [
            f"{min(figures[name][rows]):.0f} ({statistics.median(figures[name][rows]):.0f})" for rows, name in sizes
        ]
        lines.append(f"| {one.name} | {' | '.join(shown)} |")
    return "\n".join(lines)


def targets(found: list[Measured]) -> dict[str, tuple[float, bool]]:
    """Each figure that is wanted, and whether it is reached; of median rounds."""
    by = {one.name: one for one in found}
    told: dict[str, tuple[float, bool]] = {}

    def ratio(slow: str, fast: str, rows: int) -> float:
        return statistics.median(by[slow].p50_us[rows]) / statistics.median(by[fast].p50_us[rows])

    if own := by.get("trimtab, LMDB"):
        for rows, most_us in ((1, 100), (100, 1000)):
            p99_us = statistics.median(own.p99_us[rows])
            told[f"p99 at most {most_us} µs, {rows} rows"] = (p99_us, p99_us <= most_us)
        if (feast := f"feast {FEAST}, SQLite") in by:
            for rows, least in ((1, 5), (100, 20)):
                times = ratio(feast, own.name, rows)
                told[f"Feast takes at least {least} × as long, {rows} rows"] = (times, times >= least)
    if "trimtab, Redis" in by:
        for name in ("redis-py pipelined HMGET", "redis-py MGET"):
            for rows in SIZES:
                times = ratio("trimtab, Redis", name, rows)
                told[f"Redis at most 1.5 × {name}, {rows} rows"] = (times, times <= 1.5)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description="Online reads beside Feast.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="*", default=["lmdb", "redis", "feast"], help="writes no results")
    asked = parser.parse_args()
    load: list[float] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = start_redis(Path(folder)) if "redis" in asked.only else None
        try:
            ways = started(asked.only, Path(folder), server and server[1])
            found = {name: Measured(name) for name in ways}
            for number in range(asked.rounds):
                load.append(os.getloadavg()[0])
                for rows, times in SIZES.items():
                    for name, (job, read) in ways.items():
                        found[name].add(rows, job.read(read, rows, times, number))
                print(f"round {number + 1} of {asked.rounds}, load {load[-1]:.1f}", file=sys.stderr)
            for job in {id(job): job for job, _ in ways.values()}.values():
                job.stop()
        finally:
            if server is not None:
                server[0].kill()
                server[0].wait()
    measured = list(found.values())
    reached = targets(measured)
    lines = "\n".join(f"- {name}: {figure:.2f} {'✓' if good else '✗'}" for name, (figure, good) in reached.items())
    print(f"{table(measured)}\n\n{lines}")
    if len(asked.only) < 3 or statistics.median(load) > QUIET_LOAD:
        print(f"no results are written: only of all systems, at a load of at most {QUIET_LOAD}", file=sys.stderr)
        return
    about = {"rounds": asked.rounds, "cpus": os.cpu_count(), "python": platform.python_version()}
    packages = {name: importlib.metadata.version(name) for name in ("trimtab", "lmdb", "redis", "hiredis")}
    results = {
        **about,
        "packages": packages,
        "load": load,
        "ways": [asdict(one) for one in measured],
        "targets": reached,
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    text = _README.format(table=table(measured), targets=lines, load=statistics.median(load), **about)
    (HERE / "README.md").write_text(text)


if __name__ == "__main__":
    main()
