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


class Counter:
    ran = 0


counter = Counter()


@step
def add_one(x: int) -> int:
    counter.ran += 1
    return x + 1


@pipeline
def chain(start: int, count: int) -> int:
    x = start
    for _ in range(count):
        x = add_one(x)
    return x


def main(folder: Path, count: int) -> None:
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
    took: dict[str, float] = {}
    for kind in ("cold", "cached"):
        counter.ran = 0
        began = time.perf_counter()
        assert steps.run(chain, kind, 0, count) == count
        took[kind] = time.perf_counter() - began
        assert counter.ran == (count if kind == "cold" else 0)
    steps.close()
    database.close()
    print(json.dumps({"start_s": started_s, **took}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
