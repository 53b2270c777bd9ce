"""The job on Prefect: its local server on SQLite, results on local disk, cache by inputs.

For speed: no logging to the server and none to the terminal. The server that Prefect starts by itself beside
the program is used, and is up before the clock starts.
"""

from __future__ import annotations

import json
import sys
import time

from prefect import flow, task  # type: ignore[import-not-found]
from prefect.cache_policies import INPUTS, TASK_SOURCE  # type: ignore[import-not-found]


class Counter:
    ran = 0


counter = Counter()


@task(cache_policy=INPUTS + TASK_SOURCE, persist_result=True)  # type: ignore[untyped-decorator]
def add_one(x: int) -> int:
    counter.ran += 1
    return x + 1


@flow  # type: ignore[untyped-decorator]
def chain(start: int, count: int) -> int:
    x = start
    for _ in range(count):
        x = add_one(x)
    return x


def main(count: int) -> None:
    began = time.perf_counter()
    assert chain(-1_000_000, 2) == -999_998
    started_s = time.perf_counter() - began
    took: dict[str, float] = {}
    for kind in ("cold", "cached"):
        counter.ran = 0
        began = time.perf_counter()
        assert chain(0, count) == count
        took[kind] = time.perf_counter() - began
        assert counter.ran == (count if kind == "cold" else 0)
    print(json.dumps({"start_s": started_s, **took}))


if __name__ == "__main__":
    main(int(sys.argv[2]))
