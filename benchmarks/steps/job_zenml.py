"""The job on ZenML: the client on its own SQLite database (no server), the default local stack, cache on.

For speed: no step logs, no artefact metadata and no visualisations.
"""

from __future__ import annotations

import json
import sys
import time

from zenml import pipeline, step  # type: ignore[import-not-found]

FAST = {
    "enable_cache": True,
    "enable_step_logs": False,
    "enable_artifact_metadata": False,
    "enable_artifact_visualization": False,
}


@step(**FAST)  # type: ignore[untyped-decorator]
def add_one(x: int) -> int:
    return x + 1


@pipeline(enable_cache=True, enable_step_logs=False, enable_pipeline_logs=False, enable_heartbeat=False)  # type: ignore[untyped-decorator]
def chain(start: int, count: int) -> None:
    x = start
    for _ in range(count):
        x = add_one(x)


def main(count: int, rounds: int) -> None:
    began = time.perf_counter()
    chain(-1_000_000, 2)
    started_s = time.perf_counter() - began
    took: dict[str, list[float]] = {"cold": [], "cached": []}
    for turn in range(rounds):
        for seconds in took.values():
            began = time.perf_counter()
            run = chain(turn * 10_000, count)
            seconds.append(time.perf_counter() - began)
            assert run.status.is_successful
    print(json.dumps({"start_s": started_s, **{kind: min(each) for kind, each in took.items()}}))


if __name__ == "__main__":
    main(int(sys.argv[2]), int(sys.argv[3]))
