"""The floors: an as-of join as one writes it by hand in Polars, on event time alone. Prints seconds.

`plain` joins the tables as they are; `careful` joins keys and times alone and fetches the features afterwards.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import polars as pl


def plain(folder: Path, questions: Path, views: int) -> pl.DataFrame:
    joined = pl.scan_parquet(questions).sort("at")
    for number in range(views):
        facts = pl.scan_parquet(folder / f"view{number}.parquet").drop("known").sort("event")
        joined = joined.join_asof(facts, left_on="at", right_on="event", by="entity", check_sortedness=False)
    return joined.collect()


def careful(folder: Path, questions: Path, views: int) -> pl.DataFrame:
    asked = pl.read_parquet(questions).sort("at")
    found = [asked]
    for number in range(views):
        facts = pl.read_parquet(folder / f"view{number}.parquet").drop("known").rechunk()
        keys = facts.select("entity", "event").with_row_index("fact").sort("event")
        place = asked.join_asof(keys, left_on="at", right_on="event", by="entity", check_sortedness=False)["fact"]
        values = facts.drop("entity", "event")[place.fill_null(0)]
        found.append(values.with_columns(pl.when(place.is_not_null()).then(pl.all()).name.keep()))
    return pl.concat(found, how="horizontal")


def main(folder: Path, questions: Path, views: int, how: str) -> None:
    began_s = time.perf_counter()
    rows = {"plain": plain, "careful": careful}[how](folder, questions, views).height
    print(f'{{"seconds": {time.perf_counter() - began_s}, "rows": {rows}}}')


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
