"""The bitemporal join beside a hand-written as-of join in Polars and beside Feast; and in bounded memory.

    python -m benchmarks.join.run [--rounds 5] [--millions 1 5 20]

Questions about 2,000 entities, each joined with views of 1.44 M facts (hourly for 30 days, ten features), which
have a known time, and of which 2 % are known again hours later with another value. Everything is read from
Parquet, in no order. The floors are written by hand, with `join_asof` on event time, which leaks what was not
known yet and gets corrections wrong: `plain` joins the tables as they are, `careful` joins keys and times alone
and fetches the features afterwards. Feast joins on event time, too. Trimtab joins on both times and returns the
questions in their order: `trimtab` from the same files, `prepared` from what ingest leaves behind when the same
facts come in 30 versions. Feast runs once, and for five minutes at most; all others take turns, each round in a new
process. The median round is compared, with both floors; the best round is shown beside it. Results are kept only
of a quiet machine.

The second table: three views, and the features written to a Parquet file part by part, under a limit of 4 GiB
that the kernel enforces on the process's data (RLIMIT_DATA).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.peers import QUIET_LOAD, peer_python

HERE = Path(__file__).parent
FEAST = "feast[duckdb]>=0.67,<0.68"
FEAST_S = 300.0
CAP_BYTES = 4 << 30
ONE_SHOT_AT_MOST, PREPARED_AT_MOST, FEAST_AT_LEAST = 1.6, 0.6, 50.0

_README = """# The bitemporal join

Made by `python -m benchmarks.join.run`, whose docstring says what is measured and how; all times are in
`results.json`. {cpus} CPUs, Python {python}. Load of the machine before: {load:.1f}.

{rows:,} questions × 2 views of 1.44 M facts, median of {rounds} rounds (best):

| | seconds | × plain | × careful |
| --- | --: | --: | --: |
{one_shot}

Three views, written to Parquet in parts under a limit of 4 GiB:

| questions | seconds | a million, s | peak, GiB |
| --: | --: | --: | --: |
{parts}
"""


def run(
    python: str, job: str, *arguments: object, capped: bool = False, within_s: float | None = None
) -> dict[str, Any]:
    """One job in a process of its own; what it printed. One that is not done in time took that time at least."""
    try:
        done = subprocess.run(
            [python, str(HERE / f"job_{job}.py"), *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=within_s,
            cwd=str(arguments[0]),  # DuckDB spills where it stands
            preexec_fn=_capped if capped else None,
        )
    except subprocess.TimeoutExpired:
        print(f"{job} was not done within {within_s} s", file=sys.stderr)
        return {"seconds": within_s}
    if done.returncode:
        raise SystemExit(f"{job} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(next(line for line in reversed(done.stdout.splitlines()) if line[:1] == "{"))
    print(f"{job} {found}", file=sys.stderr)
    return found


def _capped() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (CAP_BYTES, CAP_BYTES))


def main() -> None:
    parser = argparse.ArgumentParser(description="The bitemporal join beside Polars by hand and Feast.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--no-feast", action="store_true")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    times: dict[str, list[float]] = {"plain": [], "careful": [], "trimtab": [], "prepared": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        questions = run(sys.executable, "tables", folder, 3, 1_000_000)["path"]
        run(sys.executable, "trimtab", folder, questions, 2, "prepare")
        for _ in range(asked.rounds):
            for how in ("plain", "careful"):
                times[how].append(run(sys.executable, "polars", folder, questions, 2, how)["seconds"])
            for system, how in (("trimtab", "whole"), ("prepared", "prepared")):
                times[system].append(run(sys.executable, "trimtab", folder, questions, 2, how)["seconds"])
        if not asked.no_feast:
            feast = peer_python("feast-duckdb", [FEAST])
            times["feast"] = [run(feast, "feast", folder, questions, 2, folder, within_s=FEAST_S)["seconds"]]
        parts = []
        for millions in asked.millions:
            path = run(sys.executable, "tables", folder, 0, millions * 1_000_000)["path"]
            parts.append(run(sys.executable, "trimtab", folder, path, 3, "parts", capped=True))
            Path(path).unlink()
    median = {name: statistics.median(seconds) for name, seconds in times.items()}
    plain, careful = median["plain"], median["careful"]
    one_shot = [
        f"| {name} | {median[name]:.2f} ({min(seconds):.2f}) "
        f"| {median[name] / plain:.2f} | {median[name] / careful:.2f} |"
        for name, seconds in times.items()
    ]
    lines = [
        f"| {one['rows']:,} | {one['seconds']:.1f} | {one['seconds'] / one['rows'] * 1e6:.2f} "
        f"| {one['peak_bytes'] / 2**30:.2f} |"
        for one in parts
    ]
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "load": load, "rounds": asked.rounds}
    targets = {
        "one_shot_at_most_1.6_plain": median["trimtab"] / plain <= ONE_SHOT_AT_MOST,
        "prepared_at_most_0.6_plain": median["prepared"] / plain <= PREPARED_AT_MOST,
        "feast_at_least_50_times": median["feast"] / median["prepared"] >= FEAST_AT_LEAST
        if "feast" in median
        else None,
        "peak_within_4_GiB": all(one["peak_bytes"] < CAP_BYTES for one in parts),
    }
    text = _README.format(**machine, rows=1_000_000, one_shot="\n".join(one_shot), parts="\n".join(lines))
    print(text)
    if asked.no_feast or load > QUIET_LOAD:
        print(f"no results are written: only of all systems, at a load of at most {QUIET_LOAD}", file=sys.stderr)
        return
    results = {**machine, "seconds": times, "parts": parts, "targets": targets}
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (HERE / "README.md").write_text(text)


if __name__ == "__main__":
    main()
