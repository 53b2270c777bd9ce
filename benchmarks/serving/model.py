"""The model of the benchmark, and the requests that are sent to it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import lightgbm
import numpy as np

TREES, FEATURES, BODIES = 200, 20, 2_000
NAMES = [f"f{number}" for number in range(FEATURES)]


def main(folder: Path) -> None:
    """`model.txt`; and request bodies, one a line: `rows_1`, `rows_100`, `keys_1` and `records_1.jsonl`."""
    chance = np.random.default_rng(0)
    matrix = chance.normal(size=(20_000, FEATURES))
    label = (matrix[:, 0] * matrix[:, 1] + matrix[:, 2:8].sum(axis=1) + chance.normal(size=20_000) > 0).astype(int)
    settings = {"objective": "binary", "num_leaves": 31, "verbose": -1, "num_threads": 2, "seed": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(matrix, label), num_boost_round=TREES)
    booster.save_model(folder / "model.txt")
    rows = [
        {"key": f"k{n}", **dict(zip(NAMES, map(float, matrix[n].round(6)), strict=True))} for n in range(BODIES)
    ]
    _write(folder / "rows_1.jsonl", [[row] for row in rows])
    _write(folder / "rows_100.jsonl", [rows[n : n + 100] for n in range(0, BODIES, 100)])
    _write(folder / "keys_1.jsonl", [[{"key": row["key"]}] for row in rows])
    features = [{name: row[name] for name in NAMES} for row in rows]
    _write(folder / "records_1.jsonl", [[row] for row in features], under="dataframe_records")


def _write(path: Path, requests: list[list[dict[str, object]]], under: str = "instances") -> None:
    path.write_text("".join(json.dumps({under: rows}) + "\n" for rows in requests))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
