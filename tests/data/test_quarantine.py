"""Rows leave quarantine by review alone: once, known since then, whatever is killed in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandera.polars as pa
import polars as pl
import pytest
from tests.data.room import Feed, Room, open_room

from trimtab.data.quarantine import Quarantine
from trimtab.kernel.errors import InvalidValue, NotFound, Refused
from trimtab.kernel.moment import to_us
from trimtab.kernel.source import Source

START = datetime(2013, 4, 1, tzinfo=UTC)
INSTANT = pl.Datetime("us", "UTC")
CONTRACT = pa.DataFrameSchema({"value": pa.Column(float, pa.Check.le(9)), "id": pa.Column(str, nullable=True)})


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


def table(*rows: tuple[str, float | None, float | None, float]) -> pl.DataFrame:
    times = [
        (id, None if event is None else hour(event), None if known is None else hour(known), value)
        for id, event, known, value in rows
    ]
    schema = {"id": pl.String(), "event": INSTANT, "known": INSTANT, "value": pl.Float64()}
    return pl.DataFrame(times, schema=schema, orient="row")


FIRST = table(("a", 0, 1, 1), ("b", 0, 1, 99), ("c", 0, 1, 98), ("d", None, 1, 1), ("e", 0, None, 1))


def source_of(feed: Feed, known: str = "known") -> Source:
    return Source("weather", feed, event_time="event", known_time=known, key="id", contract=CONTRACT)


def quarantine(room: Room) -> Quarantine:
    return Quarantine(room.journal, room.reader, room.versions)


def release(room: Room, source: Source, *rows: str, reason: str = "", at: float = 3) -> tuple[str, ...]:
    return quarantine(room).release(source, rows, reason, by="user:ada", why="a heat wave", now=hour(at))


def named(room: Room) -> dict[str, str]:
    """The names of refused rows by their ids."""
    rows = quarantine(room).rows("weather")
    assert rows is not None
    return dict(rows.select("id", "_row").iter_rows())


def held(room: Room, source: Source) -> list[tuple[str, datetime]]:
    return list(room.rows(source).select("id", "known").iter_rows())


def test_released_rows_are_part_of_the_next_version_known_since_then(room: Room) -> None:
    feed = Feed(FIRST)
    source = source_of(feed)
    room.look(source, hour(2))
    names = named(room)
    assert release(room, source, names["b"]) == (names["b"],)
    assert held(room, source) == [("a", hour(1))]
    feed.frame = pl.concat([FIRST, table(("f", 2, 3.5, 1))])
    version = room.look(source, hour(4))
    assert version is not None
    assert (version.rows, version.released, version.releases, version.quarantined) == (2, 1, 1, 0)
    assert held(room, source) == [("a", hour(1)), ("f", hour(3.5)), ("b", hour(4))]
    assert room.rows(source, upto=1)["id"].to_list() == ["a"]
    kinds = [(one.kind, one.actor) for one in room.reader.entries()]
    assert kinds == [
        ("source.versioned", "loop"),
        ("quarantine.released", "user:ada"),
        ("source.versioned", "loop"),
    ]
    entry = list(room.reader.entries())[-1]
    assert entry.body["released"] == 1
    assert room.look(source, hour(5)) is None


def test_twice_is_harmless_before_and_after_the_rows_are_in(room: Room) -> None:
    feed = Feed(FIRST)
    source = source_of(feed)
    room.look(source, hour(2))
    name = named(room)["b"]
    assert release(room, source, name) == (name,)
    assert release(room, source, name) == ()
    room.look(source, hour(4))
    assert release(room, source, name, at=5) == ()
    assert room.look(source, hour(6)) is None
    assert len(list(room.reader.entries(kind="quarantine.released"))) == 1
    assert [id for id, _ in held(room, source)] == ["a", "b"]


def test_all_rows_of_a_reason(room: Room) -> None:
    source = source_of(Feed(FIRST))
    room.look(source, hour(2))
    assert len(release(room, source, reason="value: less_than")) == 2
    version = room.look(source, hour(4))
    assert version is not None and (version.rows, version.released) == (2, 2)
    assert [id for id, _ in held(room, source)] == ["a", "b", "c"]


def test_a_row_without_a_known_time_is_told_one(room: Room) -> None:
    source = source_of(Feed(FIRST))
    room.look(source, hour(2))
    release(room, source, named(room)["e"])
    room.look(source, hour(4))
    assert held(room, source)[-1] == ("e", hour(4))
    assert room.look(source, hour(5)) is None


def test_a_review_waits_for_its_instant_and_is_not_lost_by_a_clock_that_goes_back(room: Room) -> None:
    source = source_of(Feed(FIRST))
    room.look(source, hour(2))
    release(room, source, named(room)["b"], at=9)
    assert room.look(source, hour(4)) is None
    version = room.look(source, hour(9))
    assert version is not None and version.known_until_us == to_us(hour(9))


def test_reviews_that_stand_in_the_wrong_order_are_all_carried_out_once(room: Room) -> None:
    """The clock went back between two reviews: the second waits for the first, for versions count them."""
    source = source_of(Feed(FIRST))
    room.look(source, hour(2))
    names = named(room)
    release(room, source, names["b"], at=6)
    release(room, source, names["c"], at=3)
    assert room.look(source, hour(4)) is None
    version = room.look(source, hour(7))
    assert version is not None and (version.released, version.releases) == (2, 2)
    assert [id for id, _ in held(room, source)] == ["a", "b", "c"]
    assert room.look(source, hour(8)) is None


def test_a_review_says_why(room: Room) -> None:
    source = source_of(Feed(FIRST))
    room.look(source, hour(2))
    with pytest.raises(InvalidValue, match="a sentence for the ledger"):
        quarantine(room).release(source, [named(room)["b"]], "", by="user:ada", why="  ", now=hour(3))


def test_late_rows_are_still_found_beside_released_ones(room: Room) -> None:
    feed = Feed(FIRST)
    source = source_of(feed)
    room.look(source, hour(2))
    release(room, source, named(room)["b"])
    room.look(source, hour(4))
    feed.frame = pl.concat([FIRST, table(("late", 0, 1.5, 1), ("b", 0, 1, 5))])
    version = room.look(source, hour(6))
    assert version is not None and (version.rows, version.backfilled, version.released) == (2, 2, 0)
    assert sorted(id for id, _ in held(room, source)) == ["a", "b", "b", "late"]


@pytest.mark.parametrize("at", ["quarantine", "journal"])
def test_killed_between_review_and_version(room: Room, at: str) -> None:
    source = source_of(Feed(FIRST))
    room.look(source, hour(2))
    names = named(room)
    if at == "quarantine":
        room.journal.crashes = 1
        with pytest.raises(OSError, match="killed"):
            release(room, source, names["b"])
        assert room.look(source, hour(3.5)) is None
    release(room, source, names["b"])
    if at == "journal":
        room.journal.crashes = 1
        with pytest.raises(OSError, match="killed"):
            room.look(source, hour(4))
    again = open_room(room.project)
    release(again, source, names["c"], at=4.5)
    versions = [one for at_ in (4, 5) for one in again.ingest(source, hour(at_))]
    assert sum(one.released for one in versions) == 2
    assert sorted(id for id, _ in held(again, source)) == ["a", "b", "c"]
    assert again.look(source, hour(6)) is None


def test_what_cannot_be_let_in_is_refused(room: Room) -> None:
    source = source_of(Feed(FIRST))
    room.look(source, hour(2))
    names = named(room)
    with pytest.raises(NotFound, match=r"there is no row in quarantine 'weather 7\.1'"):
        release(room, source, "7.1")
    with pytest.raises(InvalidValue, match="row has a value"):
        release(room, source, "b")
    with pytest.raises(InvalidValue, match="rows has a value"):
        release(room, source)
    with pytest.raises(NotFound, match="with the reason 'rain'") as unknown:
        release(room, source, reason="rain")
    assert "value: less_than_or_equal_to(9)" in unknown.value.allowed
    with pytest.raises(Refused) as refused:
        release(room, source, names["d"])
    assert "has no event" in refused.value.got
    assert [one.kind for one in room.reader.entries()] == ["source.versioned"]


def test_a_source_without_a_known_time_of_its_own_cannot_say_when_a_row_came(room: Room) -> None:
    source = source_of(Feed(FIRST), known="")
    room.look(source, hour(2))
    with pytest.raises(Refused) as refused:
        release(room, source, named(room)["b"])
    assert "no known_time of its own" in refused.value.got


def test_a_large_review_is_a_small_record(room: Room) -> None:
    many = table(*[(str(one), 0.0, 1.0, 99.0) for one in range(3_000)], ("good", 0, 1, 1))
    source = source_of(Feed(many))
    room.look(source, hour(2))
    assert len(release(room, source, reason="value")) == 3_000
    record = room.reader.record("quarantine_release", "weather/000001")
    assert record is not None and len(str(record)) < 300
    room.look(source, hour(4))
    assert room.rows(source).height == 3_001


def test_columns_may_come_in_another_order(room: Room) -> None:
    feed = Feed(FIRST)
    source = source_of(feed)
    room.look(source, hour(2))
    release(room, source, named(room)["b"])
    feed.frame = pl.concat([FIRST, table(("f", 2, 3.5, 1))]).select("value", "known", "id", "event")
    assert room.look(source, hour(4)) is not None
    assert held(room, source) == [("a", hour(1)), ("f", hour(3.5)), ("b", hour(4))]
