"""What the jobs of `run.py` share: rounds of timed reads, asked for line by line."""

from __future__ import annotations

import gc
import json
import random
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]
ENTITIES = 2000


def wanted() -> list[str]:
    """The names of further reads that were asked for."""
    return sys.argv[4:]


def serve(reads: Mapping[str, Callable[[list[Row]], object]]) -> None:
    """For each line `NAME ROWS TIMES SEED` read from random entities, and say the seconds of each read as JSON."""
    chooser = random.Random()
    print("ready", flush=True)
    for line in sys.stdin:
        name, rows, times, seed = line.split()
        read = reads[name]
        chooser.seed(int(seed))
        asked = [[{"entity": one} for one in chooser.sample(range(ENTITIES), int(rows))] for _ in range(int(times))]
        gc.collect()
        gc.freeze()
        took_s = []
        for one in asked:
            start_s = time.perf_counter()
            read(one)
            took_s.append(time.perf_counter() - start_s)
        print(json.dumps(took_s), flush=True)
