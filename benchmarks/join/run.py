"""The bitemporal join beside a hand-written as-of join in Polars and beside Feast; and in bounded memory.

    python benchmarks/join/run.py [--rounds 5] [--millions 1 5 20]

Questions about 2,000 entities, each joined with views of 1.44 M facts (hourly for 30 days, ten features), which
have a known time, and of which 2 % are known again hours later with another value. Everything is read from
Parquet, in no order. The floor is what one writes by hand: `join_asof` on event time, which leaks what was not
known yet and gets corrections wrong; Feast joins on event time, too. Trimtab joins on both times and returns
the questions in their order. Feast takes minutes and runs once. All others take turns, each round in a new
process; the best round is compared, since other work only adds; the median is shown beside it.

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

HERE = Path(__file__).parent
VENVS = HERE.parent / ".venvs"
FEAST = "feast[duckdb]>=0.67,<0.68"
CAP_BYTES = 4 << 30
ONE_SHOT_AT_MOST, FEAST_AT_LEAST = 1.6, 50.0

_README = """# The bitemporal join

Made by `python benchmarks/join/run.py`, whose docstring says what is measured and how; all times are in
`results.json`. {cpus} CPUs, Python {python}. Load of the machine before: {load:.1f}.

{rows:,} questions × 2 views of 1.44 M facts, best of {rounds} rounds (median):

| | seconds | × the floor |
| --- | --: | --: |
{one_shot}

Three views, written to Parquet in parts under a limit of 4 GiB:

| questions | seconds | a million, s | peak, GiB |
| --: | --: | --: | --: |
{parts}
"""


def feast_python() -> str:
    """Feast's interpreter, in a virtual environment of its own, which is made if it is not there."""
    folder = VENVS / "feast-duckdb"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"installing {FEAST} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", FEAST], check=True)
        (folder / "ready").touch()
    return str(python)


def run(python: str, job: str, *arguments: object, capped: bool = False) -> dict[str, Any]:
    """One job in a process of its own; what it printed."""
    done = subprocess.run(
        [python, str(HERE / f"job_{job}.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=str(arguments[0]),  # DuckDB spills where it stands
        preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_DATA, (CAP_BYTES, CAP_BYTES))) if capped else None,
    )
    if done.returncode:
        raise SystemExit(f"{job} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(next(line for line in reversed(done.stdout.splitlines()) if line[:1] == "{"))
    print(f"{job} {found}", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="The bitemporal join beside Polars by hand and Feast.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--no-feast", action="store_true")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    times: dict[str, list[float]] = {"polars": [], "trimtab": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        questions = run(sys.executable, "tables", folder, 3, 1_000_000)["path"]
        for _ in range(asked.rounds):
            times["polars"].append(run(sys.executable, "polars", folder, questions, 2)["seconds"])
            times["trimtab"].append(run(sys.executable, "trimtab", folder, questions, 2, "whole")["seconds"])
        if not asked.no_feast:
            times["feast"] = [run(feast_python(), "feast", folder, questions, 2, folder)["seconds"]]
        parts = []
        for millions in asked.millions:
            path = run(sys.executable, "tables", folder, 0, millions * 1_000_000)["path"]
            parts.append(run(sys.executable, "trimtab", folder, path, 3, "parts", capped=True))
            Path(path).unlink()
    best = {name: min(seconds) for name, seconds in times.items()}
    one_shot = [
        f"| {name} | {best[name]:.2f} ({statistics.median(seconds):.2f}) | {best[name] / best['polars']:.2f} |"
        for name, seconds in times.items()
    ]
    lines = [
        f"| {one['rows']:,} | {one['seconds']:.1f} | {one['seconds'] / one['rows'] * 1e6:.2f} "
        f"| {one['peak_bytes'] / 2**30:.2f} |"
        for one in parts
    ]
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "load": load, "rounds": asked.rounds}
    targets = {
        "one_shot_at_most_1.6_floors": best["trimtab"] / best["polars"] <= ONE_SHOT_AT_MOST,
        "feast_at_least_50_times": best["feast"] / best["trimtab"] >= FEAST_AT_LEAST if "feast" in best else None,
        "peak_within_4_GiB": all(one["peak_bytes"] < CAP_BYTES for one in parts),
    }
    text = _README.format(**machine, rows=1_000_000, one_shot="\n".join(one_shot), parts="\n".join(lines))
    print(text)
    results = {**machine, "seconds": times, "parts": parts, "targets": targets}
    (HERE / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (HERE / "README.md").write_text(text)


if __name__ == "__main__":
    main()
