"""Blocks: a broken source is written down, stops nothing else, and says when it is whole again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from tests.data.room import Feed, Room, open_room
from tests.data.test_ingest import hour, ids, source_of, table

from trimtab.data.block import BROKEN
from trimtab.kernel.errors import ContractBreach, NaiveTime, SourceUnreadable, TrimtabError
from trimtab.kernel.moment import to_us
from trimtab.kernel.source import Source

Breaks = Callable[[pl.DataFrame], Any]
BREAKS: dict[str, tuple[Breaks, type[TrimtabError], str]] = {
    "a column is gone": (lambda frame: frame.drop("value"), ContractBreach, "column 'value' is gone"),
    "a time without a zone": (
        lambda frame: frame.with_columns(pl.col("known").dt.replace_time_zone(None)),
        NaiveTime,
        "column 'known' of source 'weather' is a time without a zone",
    ),
    "not a frame": (lambda frame: frame.rows(), SourceUnreadable, "its function returned list"),
}


def blocked(room: Room, source: Source, at: float) -> None:
    """One look at a broken source, as the loop does it."""
    with pytest.raises(BROKEN) as broken:
        room.look(source, hour(at))
    room.ingest.block(source, broken.value, hour(at))


@pytest.mark.parametrize("kind", BREAKS)
def test_whatever_is_wrong_with_a_source_blocks_it(room: Room, kind: str) -> None:
    breaks, error, told = BREAKS[kind]
    feed = Feed(table(("a", 0, 1, 1)))
    source = source_of(feed)
    room.look(source, hour(2))
    feed.frame = breaks(table(("a", 0, 1, 1), ("b", 0, 3, 1)))
    with pytest.raises(error):
        room.look(source, hour(4))
    blocked(room, source, 4)
    [entry] = room.reader.entries(kind="source.blocked")
    assert told in str(entry.body["broken"])
    feed.frame = table(("a", 0, 1, 1), ("b", 0, 3, 1))
    version = room.look(source, hour(6))
    assert version is not None and version.repaired
    assert ids(room.rows(source)) == ["a", "b"]


def test_each_cause_is_written_down_once_for_a_version_and_every_look_leaves_its_instant(room: Room) -> None:
    feed = Feed(table(("a", 0, 1, 1)))
    source = source_of(feed)
    room.look(source, hour(2))

    def broken(at: float, column: str) -> None:
        feed.frame = table(("a", 0, 1, 1), ("b", 0, at - 0.5, 1)).drop(column)
        blocked(room, source, at)

    broken(4, "value")
    broken(5, "value")
    broken(5, "id")
    for _ in range(3):
        broken(6, "value")
    feed.frame = table(("a", 0, 1, 1), ("b", 0, 6.5, 1))
    assert room.look(source, hour(7)) is not None
    broken(8, "value")
    told = [(entry.kind, entry.at) for entry in room.reader.entries() if entry.subject == "weather"]
    kinds = ["blocked", "still_blocked", "blocked", "still_blocked", "blocked"]
    assert told == [(f"source.{kind}", hour(at)) for kind, at in zip(kinds, (4, 5, 5, 6, 8), strict=True)]
    first = next(room.reader.entries(kind="source.blocked"))
    assert first.body == {"broken": "column 'value' is gone"}


def test_the_first_version_after_a_block_says_so(room: Room) -> None:
    feed = Feed(table(("a", 0, 1, 1)))
    source = source_of(feed)
    first = room.look(source, hour(2))
    assert first is not None and not first.repaired
    rows = [("a", 0, 1, 1), ("b", 0, 3, 1), ("c", 0, 5, 1), ("d", 0, 6.5, 1)]
    feed.frame = table(*rows).drop("value")
    blocked(room, source, 4)
    blocked(room, source, 6)
    feed.frame = table(*rows)
    repaired = room.look(source, hour(7))
    assert repaired is not None and repaired.repaired
    assert repaired.blocked_since_us == to_us(hour(4))
    assert (repaired.rows, repaired.backfilled) == (3, 2)
    newest = list(room.reader.entries())[-1]
    assert newest.body["backfilled"] == 2
    assert newest.body["blocked_since"] == hour(4).isoformat()
    feed.frame = table(*rows, ("e", 0, 7.5, 1))
    later = room.look(source, hour(8))
    assert later is not None and not later.repaired
    assert (later.rows, later.backfilled) == (1, 0)


def test_rows_that_were_due_while_a_source_was_blocked_became_known_when_it_was_repaired(room: Room) -> None:
    feed = Feed(table(("a", 0, 1, 1)))
    source = source_of(feed)
    room.look(source, hour(2))
    rows = table(("a", 0, 1, 1), ("due", 2, 3, 1), ("edge", 2, 6, 1), ("behind", 2, 6.001, 1), ("late", 0, 2, 1))
    feed.frame = rows.drop("value")
    blocked(room, source, 4)
    blocked(room, source, 6)
    feed.frame = rows
    room.look(source, hour(7))
    known = dict(room.rows(source).select("id", "known").iter_rows())
    assert known == {
        "a": hour(1),
        "behind": hour(6.001),
        "late": hour(7),
        "due": hour(7),
        "edge": hour(7),
    }
    assert ids(room.rows(source)) == ["a", "behind", "late", "due", "edge"]
    assert room.look(source, hour(8)) is None


def test_a_first_version_takes_the_history_at_its_word(room: Room) -> None:
    feed = Feed(table(("a", 0, 1, 1)).drop("id"))
    source = source_of(feed)
    blocked(room, source, 3)
    feed.frame = table(("a", 0, 1, 1))
    version = room.look(source, hour(4))
    assert version is not None and version.repaired
    assert version.backfilled == 0
    assert room.rows(source)["known"].to_list() == [hour(1)]


def test_a_process_killed_while_it_repairs_a_source_changes_nothing(room: Room) -> None:
    feed = Feed(table(("a", 0, 1, 1)))
    source = source_of(feed)
    room.look(source, hour(2))
    rows = table(("a", 0, 1, 1), ("due", 2, 3, 1))
    feed.frame = rows.drop("value")
    blocked(room, source, 4)
    feed.frame = rows
    room.journal.crashes = 1
    with pytest.raises(OSError, match="killed"):
        room.look(source, hour(6))
    again = open_room(room.project)
    [adopted] = again.ingest(source, hour(8))
    assert adopted.repaired and adopted.backfilled == 1
    assert again.rows(source)["known"].to_list() == [hour(1), hour(6)]
    feed.frame = pl.concat([rows, table(("b", 0, 9, 1))])
    following = again.look(source, hour(10))
    assert following is not None and not following.repaired


def test_a_source_whose_event_time_is_its_known_time_cannot_be_back_filled(room: Room) -> None:
    feed = Feed(table(("a", 1, None, 1)))
    source = Source("weather", feed, event_time="event", key="id")
    room.look(source, hour(2))
    rows = table(("a", 1, None, 1), ("due", 3, None, 1), ("in time", 5, None, 1))
    feed.frame = rows.drop("value")
    blocked(room, source, 4)
    feed.frame = rows
    version = room.look(source, hour(6))
    assert version is not None
    assert (version.rows, version.quarantined, version.backfilled) == (1, 1, 0)
    assert ids(room.rows(source)) == ["a", "in time"]
    [reason] = room.quarantine(source)["_reason"]
    assert reason.startswith(f"delivered late: due by {hour(4).isoformat()}")
    assert room.look(source, hour(6) + timedelta(days=1)) is None


def test_a_source_that_recovers_without_rows_is_whole_and_its_late_rows_are_still_known_late(room: Room) -> None:
    """No version says so: nothing came. Rows that were due by the broken look were not known before."""
    feed = Feed(table(("a", 0, 1, 1)))
    source = source_of(feed)
    room.look(source, hour(2))
    whole = feed.frame
    broken = whole.with_columns(pl.col("known").dt.replace_time_zone(None))
    feed.frame = broken
    blocked(room, source, 3)
    assert room.ingest.blocked(source) is not None
    feed.frame = whole
    assert room.look(source, hour(4)) is None
    assert room.look(source, hour(4.5)) is None
    assert room.ingest.blocked(source) is None
    assert [one.kind for one in room.reader.entries()][-2:] == ["source.blocked", "source.whole"]
    feed.frame = broken
    blocked(room, source, 5)
    block = room.ingest.blocked(source)
    assert block is not None and block.since_us == to_us(hour(5))
    feed.frame = table(("a", 0, 1, 1), ("b", 0, 2.5, 2))
    version = room.look(source, hour(6))
    assert version is not None and version.repaired and version.backfilled == 1
    assert room.ingest.blocked(source) is None
