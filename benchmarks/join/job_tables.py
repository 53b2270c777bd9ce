"""The tables of the benchmark: facts of many entities with two times and corrections, and questions about them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

ENTITIES, HOURS, FEATURES = 2_000, 720, 10
CORRECTED = 0.02  # of the facts are known again hours later, with another value
HOUR_US = 3_600_000_000
START_US = 1_700_000_000_000_000


def write_facts(folder: Path, views: int) -> None:
    """`view0.parquet`, …: `entity`, `event`, `known` and ten features, in no order."""
    for number in range(views):
        chance = np.random.default_rng(number)
        rows = ENTITIES * HOURS
        event_us = START_US + np.tile(np.arange(HOURS), ENTITIES) * HOUR_US
        known_us = event_us + chance.exponential(HOUR_US / 3, rows).astype(np.int64)
        columns = {"entity": np.repeat(np.arange(ENTITIES), HOURS), "event": event_us, "known": known_us}
        values = {f"v{number}_{place}": chance.random(rows) for place in range(FEATURES)}
        facts = pl.DataFrame({**columns, **values})
        again = facts.sample(fraction=CORRECTED, seed=number)
        later_us = pl.Series(chance.exponential(6 * HOUR_US, again.height)).cast(pl.Int64)
        again = again.with_columns(pl.col("known") + later_us, pl.col(f"v{number}_0") + 1)
        shuffled = pl.concat([facts, again]).sample(fraction=1, shuffle=True, seed=number)
        _instants(shuffled, "event", "known").write_parquet(folder / f"view{number}.parquet")


def write_questions(folder: Path, rows: int) -> Path:
    """`questions_<rows>.parquet`: `entity` and `at`, in no order."""
    chance = np.random.default_rng(rows)
    path = folder / f"questions_{rows}.parquet"
    at_us = START_US + chance.integers(0, HOURS * HOUR_US, rows)
    asked = pl.DataFrame({"entity": chance.integers(0, ENTITIES, rows), "at": at_us})
    _instants(asked, "at").write_parquet(path, row_group_size=1_000_000)
    return path


def _instants(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    return frame.with_columns(pl.col(*columns).cast(pl.Datetime("us", "UTC")))


def main(folder: Path, views: int, rows: int) -> None:
    write_facts(folder, views)
    print(f'{{"path": "{write_questions(folder, rows)}"}}')


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
