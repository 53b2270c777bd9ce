"""The job on Trimtab: SQLite for the journal and for the step results, logs and cache on, as `trimtab` runs it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.adapters.database import Database
from trimtab.adapters.migrate import migrate
from trimtab.adapters.step_results_sql import SqlStepResults
from trimtab.adapters.steps_dbos import DbosSteps
from trimtab.kernel.step import pipeline, step
from trimtab.runtime.pipeline_runs import LoggedRuns


@step
def add_one(x: int) -> int:
    return x + 1


@pipeline
def chain(start: int, count: int) -> int:
    x = start
    for _ in range(count):
        x = add_one(x)
    return x


def main(folder: Path, count: int, rounds: int) -> None:
    began = time.perf_counter()
    database = Database(f"sqlite:///{folder / 'trimtab.db'}")
    migrate(database)
    steps = DbosSteps(
        f"sqlite:///{folder / 'runtime.db'}",
        runs=LoggedRuns(
            results=SqlStepResults(database), blobs=LocalBlobs(folder / "blobs"), folder=folder / "runs"
        ),
        executor_id="benchmark",
        application_version=1,
        log=folder / "library.log",
    )
    started_s = time.perf_counter() - began
    assert steps.run(chain, "warm up", -1_000_000, 2) == -999_998
    took: dict[str, list[float]] = {"cold": [], "cached": []}
    for turn in range(rounds):
        for kind, seconds in took.items():
            began = time.perf_counter()
            assert steps.run(chain, f"{kind} {turn}", turn * 10_000, count) == turn * 10_000 + count
            seconds.append(time.perf_counter() - began)
    steps.close()
    database.close()
    print(json.dumps({"start_s": started_s, **{kind: min(each) for kind, each in took.items()}}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
