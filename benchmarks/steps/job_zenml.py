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


class Counter:
    ran = 0


counter = Counter()


@step(**FAST)  # type: ignore[untyped-decorator]
def add_one(x: int) -> int:
    counter.ran += 1
    return x + 1


@pipeline(enable_cache=True, enable_step_logs=False, enable_pipeline_logs=False, enable_heartbeat=False)  # type: ignore[untyped-decorator]
def chain(start: int, count: int) -> None:
    x = start
    for _ in range(count):
        x = add_one(x)


def main(count: int) -> None:
    began = time.perf_counter()
    chain(-1_000_000, 2)
    started_s = time.perf_counter() - began
    took: dict[str, float] = {}
    for kind in ("cold", "cached"):
        counter.ran = 0
        began = time.perf_counter()
        run = chain(0, count)
        took[kind] = time.perf_counter() - began
        assert counter.ran == (count if kind == "cold" else 0)
        assert run.status.is_successful
    print(json.dumps({"start_s": started_s, **took}))


if __name__ == "__main__":
    main(int(sys.argv[2]))
