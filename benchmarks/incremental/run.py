"""What new rows cost, beside histories of 1 ×, 10 × and 100 ×.

    python -m benchmarks.incremental.run [--looks 50] [--rows 100000]

A project ingests a history from Parquet files of a day each, then looks again and again at a feed that has got a
thousand rows more: contract, profile, Delta version, then two feature views of ten features and two aggregations
(sum and mean over 24 h, count and distinct over 7 d) projected into LMDB, and facts put into order for joins. Each
history runs in a process of its own; the median look is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers import QUIET_LOAD

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TIMES = (1, 10, 100)

_README = """# What new rows cost beside a growing history

Made by `python -m benchmarks.incremental.run`, whose docstring says what is measured and how; all times are in
`results.json`. {cpus} CPUs, Python {python}. Load of the machine before: {load:.1f}.

A look that brings 1,000 rows, median of {looks} (ms):

| history, rows | ingest | project | together |
| --: | --: | --: | --: |
{table}
"""


def run(rows: int, looks: int) -> dict[str, Any]:
    """One history, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.incremental.job", str(rows), str(looks)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        raise SystemExit(f"{rows} rows failed:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(found, file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="What new rows cost beside a growing history.")
    parser.add_argument("--looks", type=int, default=50)
    parser.add_argument("--rows", type=int, default=100_000, help="of the shortest history")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    found = [run(asked.rows * times, asked.looks) for times in TIMES]
    median = [
        (one["rows"], *(statistics.median(one[part]) * 1e3 for part in ("ingest_s", "project_s"))) for one in found
    ]
    table = "\n".join(f"| {rows:,} | {a:.0f} | {b:.0f} | {a + b:.0f} |" for rows, a, b in median)
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "load": load, "looks": asked.looks}
    text = _README.format(**machine, table=table)
    print(text)
    if load > QUIET_LOAD:
        print(f"no results are written: only at a load of at most {QUIET_LOAD}", file=sys.stderr)
        return
    (HERE / "results.json").write_text(json.dumps({**machine, "histories": found}, indent=2) + "\n")
    (HERE / "README.md").write_text(text)


if __name__ == "__main__":
    main()
