"""LightGBM's batches: its own walk beside the tables that answer from 6 rows on. One thread, warm caches.

    python -m benchmarks.serving.tables

Rows differ from call to call, for a processor learns a row that comes again; 20 calls of each take turns, and the
quickest of 20 turns counts. In a worker, which has two models and much else in its caches, the gain is smaller.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from trimtab.adapters.lightgbm_tables import batch_tables


def milliseconds(call: Callable[[Any], Any], parts: list[Any]) -> float:
    started_s = time.process_time()
    for part in parts:
        call(part)
    return (time.process_time() - started_s) / len(parts) * 1e3


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([sys.executable, "-m", "benchmarks.serving.model", name, "lightgbm"], check=True)
        file = Path(name) / "model.txt"
        booster: Any = lightgbm.Booster(model_file=str(file))
        tables = batch_tables(file.read_bytes())
    assert tables is not None
    matrix = np.random.default_rng(0).normal(size=(2_000, booster.num_feature()))
    assert tables.predict(matrix).tobytes() == np.asarray(booster.predict(matrix, num_threads=1)).tobytes()
    print("| rows | walk, ms | tables, ms | |\n| --: | --: | --: | --: |")
    for rows in (4, 8, 16, 32, 100):
        parts = [matrix[start : start + rows] for start in range(0, 20 * rows, rows)]
        walk = min(milliseconds(lambda part: booster.predict(part, num_threads=1), parts) for _ in range(20))
        looked_up = min(milliseconds(tables.predict, parts) for _ in range(20))
        print(f"| {rows} | {walk:.3f} | {looked_up:.3f} | {walk / looked_up:.1f} × |")


if __name__ == "__main__":
    main()
