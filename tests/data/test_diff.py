"""Differences of versions: rows, columns, and values that became others by more than chance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from tests.data.room import Feed, Room

from trimtab.data.diff import Change, diff, frame_at, profile_changes
from trimtab.data.profile import profile
from trimtab.kernel.errors import InvalidValue, NotFound
from trimtab.kernel.source import Source

START = datetime(2013, 4, 1, tzinfo=UTC)
DRAWN = np.random.default_rng(7)


def rows(count: int, hour: int, *, mean: float = 0.0, kinds: str = "ab", missing: float = 0.0) -> pl.DataFrame:
    values = DRAWN.normal(mean, 1, count)
    holes = DRAWN.random(count) < missing
    return pl.DataFrame(
        {
            "id": [f"{hour}-{one}" for one in range(count)],
            "at": pl.Series([START + timedelta(hours=hour)] * count, dtype=pl.Datetime("us", "UTC")),
            "value": [None if hole else value for hole, value in zip(holes, values.tolist(), strict=True)],
            "kind": [kinds[one % len(kinds)] for one in range(count)],
        }
    )


def test_rows_are_counted_and_what_moved_is_named(room: Room) -> None:
    feed = Feed(rows(500, 1))
    source = Source("s", feed, event_time="at", key="id")
    room.look(source, START + timedelta(hours=1))
    for hour, more in ((2, rows(300, 2)), (3, rows(300, 3, mean=3, kinds="abc", missing=0.3))):
        feed.frame = pl.concat([feed.frame, more])
        room.look(source, START + timedelta(hours=hour))
    quiet, loud = diff(room.versions, "s", 1, 2), diff(room.versions, "s", 1, 3)
    assert (quiet.rows_before, quiet.rows_added, quiet.changes) == (500, 300, ())
    assert loud.rows_added == 600
    found = {(one.column, one.what) for one in diff(room.versions, "s", 2, 3).changes}
    assert found >= {("value", "missing"), ("value", "mean"), ("kind", "values")}
    assert Change("kind", "values", "new: c") in loud.changes


def test_chance_alone_is_no_change() -> None:
    found = [one for _ in range(200) for one in profile_changes(profile(rows(400, 1)), profile(rows(60, 2)))]
    assert sum(one.what in ("mean", "missing", "values") for one in found) <= 1


def test_exactly_the_rows_of_a_version(room: Room) -> None:
    feed = Feed(rows(20, 1))
    source = Source("s", feed, event_time="at", key="id")
    room.look(source, START + timedelta(hours=1))
    first = feed.frame
    feed.frame = pl.concat([first, rows(5, 2)])
    room.look(source, START + timedelta(hours=2))
    assert frame_at(room.versions, "s", 1).collect().sort("id").equals(first.sort("id"))
    assert frame_at(room.versions, "s", 2).collect().sort("id").equals(feed.frame.sort("id"))
    assert room.versions.current_at("s", START) == 0
    assert room.versions.current_at("s", START + timedelta(hours=1.5)) == 1
    assert [one.number for one in room.versions.all("s")] == [1, 2]
    with pytest.raises(NotFound):
        frame_at(room.versions, "s", 3)
    with pytest.raises(InvalidValue, match="versions has a value"):
        diff(room.versions, "s", 2, 2)
