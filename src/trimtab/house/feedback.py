"""Feedback of a system as people look at it: what came, what it belongs to, and what belongs to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from trimtab.house.house import House
from trimtab.house.parity import served
from trimtab.kernel.label import FEEDBACK, GIVEN_KEY, GIVEN_LABEL
from trimtab.kernel.source import Source

_SHOWN = ("known_at", "at", "name", GIVEN_LABEL, "value", "comment", "id")


@dataclass(frozen=True)
class Given:
    """What dataset versions hold of it."""

    rows: int
    labels: int  # of `rows`
    newest_at: datetime | None  # when the newest of it became known
    unknown: int  # rows with an id of no answer
    unasked: int  # keys that no compacted answer has, those left out that the log's policy does not keep


def feedback_source(house: House) -> Source | None:
    """The source that takes feedback; None if the system takes none."""
    found = [one for one in house.system.sources if one.name == FEEDBACK]
    return found[0] if found and house.versions.current(FEEDBACK) else None


def given(house: House) -> Given | None:
    """In numbers; None if the system takes no feedback, or has not looked for it yet."""
    if feedback_source(house) is None:
        return None
    rows = house.versions.frame(FEEDBACK)
    key = pl.col(GIVEN_KEY)
    labels = pl.col(GIVEN_LABEL).count().alias("labels")
    counts = rows.select(pl.len(), labels, pl.col("known_at").max(), key.null_count().alias("unknown")).collect()
    keys = rows.select(key).drop_nulls().unique()
    if house.tables.exists("predictions"):
        keys = keys.join(served(house).select("key").unique(), left_on=GIVEN_KEY, right_on="key", how="anti")
    # A key that is not of the sample has no answer in the table whether it was asked about or not.
    unasked = sum(house.system.log.draws(house.name, str(key)) for key in keys.collect()[GIVEN_KEY])
    number, labelled, newest_at, unknown = counts.row(0)
    return Given(number, labelled, newest_at, unknown, unasked)


def given_for(house: House, id: str, key: str) -> list[dict[str, Any]]:
    """What was said of one answer, or of its key, oldest first."""
    if feedback_source(house) is None:
        return []
    about = (pl.col("id") == id) | (pl.col(GIVEN_KEY) == key)
    rows = house.versions.frame(FEEDBACK).filter(about).select(_SHOWN)
    return rows.sort("known_at", maintain_order=True).collect().to_dicts()
