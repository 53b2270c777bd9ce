"""Ingest: what became known becomes a version, once; every version can be read as it was; a crash loses nothing."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.room import Feed, Room, open_room

from trimtab.kernel.errors import ContractBreach, NaiveTime, NotFound
from trimtab.kernel.moment import to_us
from trimtab.kernel.source import Source

START = datetime(2013, 3, 31, 22, tzinfo=UTC)
ZONE = "America/New_York"
INSTANT = pl.Datetime("us", "UTC")
SCHEMA = pl.Schema({"id": pl.String(), "event": INSTANT, "known": INSTANT, "value": pl.Float64()})


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


def table(*rows: tuple[str, float | None, float | None, float | None]) -> pl.DataFrame:
    """Rows of (id, event hour, known hour, value)."""
    times = [
        (id, None if event is None else hour(event), None if known is None else hour(known), value)
        for id, event, known, value in rows
    ]
    return pl.DataFrame(times, schema=SCHEMA, orient="row")


def source_of(feed: Feed, name: str = "weather") -> Source:
    return Source(name, feed, event_time="event", known_time="known", key="id")


def ids(frame: pl.DataFrame) -> list[str]:
    return frame["id"].to_list()


def test_a_version_brings_what_became_known_since_the_last_one(room: Room) -> None:
    feed = Feed(table(("late", 0, 5, 1), ("b", 1, 1, 2), ("a", 0, 1, 3), ("edge", 0, 2, 4), ("next", 0, 2.0001, 5)))
    source = source_of(feed)
    first = room.look(source, hour(2))
    second = room.look(source, hour(6))
    assert first is not None and second is not None
    assert ids(room.rows(source, 1)) == ["a", "b", "edge"]
    assert ids(room.rows(source, 2, after=1)) == ["next", "late"]
    assert ids(room.rows(source)) == ["a", "b", "edge", "next", "late"]
    assert (first.id, first.rows, first.quarantined) == ("weather@000001", 3, 0)
    assert (second.id, second.rows, second.known_from_us) == ("weather@000002", 2, to_us(hour(2)))
    assert first.known_until_us == to_us(hour(2))
    assert room.versions.version("weather", 2) == second
    assert room.versions.known_until_us("weather", 2) == to_us(hour(6))
    assert room.versions.frame("weather").collect()["_version"].to_list() == [1, 1, 1, 2, 2]


def test_nothing_new_no_version(room: Room) -> None:
    source = source_of(Feed(table(("a", 0, 1, 1), ("b", 0, 9, 1))))
    assert room.look(source, hour(0.5)) is None
    assert room.versions.current("weather") == 0
    assert room.look(source, hour(2)) is not None
    for again in (2, 3, 1, 8.9):
        assert room.look(source, hour(again)) is None
    assert room.versions.current("weather") == 1
    assert len(list(room.reader.entries())) == 1


def test_a_version_stands_in_ledger_pointer_and_outbox(room: Room) -> None:
    source = source_of(Feed(table(("a", 0, 1, 1))))
    version = room.look(source, hour(2))
    assert version is not None
    [entry] = room.reader.entries()
    assert (entry.kind, entry.subject, entry.actor, entry.at) == ("source.versioned", version.id, "loop", hour(2))
    assert entry.body == {"rows": 1, "quarantined": 0, "digest": version.digest}
    pointer = room.reader.pointer("source/weather")
    assert pointer is not None and pointer.value == version.id
    assert [one.body for one in room.outbox.pending("materialise")] == [{"source": "weather", "number": 1}]


def test_the_digest_tells_content_and_history(tmp_path: Path) -> None:
    digests = []
    rows = table(("a", 0, 1, 1.0), ("b", 0, 2, 2.0))
    feeds = [
        (rows, (1, 2)),
        (rows[::-1], (1, 2)),
        (rows, (2, 2)),
        (rows.with_columns(value=pl.lit(float("nan"))), (1, 2)),
        (rows.with_columns(value=pl.lit(None, pl.Float64)), (1, 2)),
    ]
    for number, (frame, cuts) in enumerate(feeds):
        folder = tmp_path / str(number)
        folder.mkdir()
        room = open_room(folder)
        for cut in cuts:
            room.look(source_of(Feed(frame)), hour(cut))
        digests.append(room.versions.version("weather", room.versions.current("weather")).digest)
    assert digests[0] == digests[1]
    assert len({digests[0], *digests[2:]}) == 4


def test_versions_that_are_not_there_are_named(room: Room) -> None:
    source = source_of(Feed(table(("a", 0, 1, 1))))
    with pytest.raises(NotFound, match="sources/weather"):
        room.rows(source)
    room.look(source, hour(2))
    with pytest.raises(NotFound, match="dataset version 'weather@000002'") as missing:
        room.rows(source, upto=2)
    assert missing.value.allowed == "weather@1 to weather@1"


moments = st.integers(0, 40).map(lambda number: number / 4)
facts = st.lists(st.tuples(st.sampled_from("abc"), moments, moments, st.none() | st.floats(-5, 5)), max_size=12)


@settings(max_examples=40, deadline=None)
@given(rows=facts, cuts=st.lists(moments, min_size=1, max_size=4).map(sorted))
def test_any_version_can_be_read_as_it_was(
    shared_room: Room, rows: list[tuple[str, float, float, float | None]], cuts: list[float]
) -> None:
    source = source_of(Feed(table(*rows)), f"s{uuid4().hex}")
    held = {0: 0}
    for cut in cuts:
        version = shared_room.look(source, hour(cut))
        if version is not None:
            held[version.number] = to_us(hour(cut))
    arrived = table(*rows).sort("known", "event", "id", maintain_order=True)
    known = arrived["known"].dt.epoch("us")
    for upto, until_us in held.items():
        for after in range(upto):
            expected = arrived.filter((known > held[after]) & (known <= until_us))
            assert shared_room.rows(source, upto, after).equals(expected, null_equal=True)
    newest = [row for row in rows if to_us(hour(row[2])) <= to_us(hour(cuts[-1]))]
    assert (shared_room.rows(source).height if held.keys() - {0} else 0) == len(newest)


untimed = st.lists(
    st.tuples(st.sampled_from("ab"), st.none() | moments, st.none() | moments, st.none() | st.sampled_from([0.5])),
    max_size=8,
)


@settings(max_examples=30, deadline=None)
@given(batches=st.lists(untimed, min_size=1, max_size=4), shuffle=st.randoms(use_true_random=False))
def test_rows_without_a_time_go_into_quarantine_once_and_nothing_is_lost(
    shared_room: Room, batches: list[list[tuple[str, float | None, float | None, float | None]]], shuffle: object
) -> None:
    feed = Feed()
    source = source_of(feed, f"s{uuid4().hex}")
    offered: list[tuple[str, float | None, float | None, float | None]] = []
    for number, batch in enumerate(batches):
        # Each batch becomes known behind the batches before it.
        offered += [
            (id, event, None if known is None else known + 20 * number, value) for id, event, known, value in batch
        ]
        shuffle.shuffle(offered)  # type: ignore[attr-defined]
        feed.frame = table(*offered)
        shared_room.look(source, hour(20 * number + 15))
        assert shared_room.look(source, hour(20 * number + 15)) is None
    whole = table(*offered)
    missing = whole.filter(pl.col("known").is_null() | pl.col("event").is_null())
    rest = whole.filter(pl.col("known").is_not_null(), pl.col("event").is_not_null())
    refused = shared_room.quarantine(source)
    if missing.height:
        assert refused.drop("_reason", "_version").sort(pl.all()).equals(missing.sort(pl.all()))
        for row in refused.iter_rows(named=True):
            expected = [f"{time}: null" for time in ("event", "known") if row[time] is None]
            assert row["_reason"] == "; ".join(expected)
    else:
        assert refused.is_empty()
    current = shared_room.versions.current(source.name)
    accepted = shared_room.rows(source) if current else table()
    assert accepted.sort(pl.all()).equals(rest.sort(pl.all()))
    counts = [shared_room.versions.version(source.name, number) for number in range(1, current + 1)]
    assert sum(version.quarantined for version in counts) == missing.height
    assert sum(version.rows for version in counts) == rest.height


def test_a_clock_that_goes_back_takes_no_knowledge_back(room: Room) -> None:
    feed = Feed(table(("a", 0, 1, 1)))
    source = source_of(feed)
    room.look(source, hour(4))
    feed.frame = table(("a", 0, 1, 1), ("bad", 0, None, 1), ("c", 0, 5, 1))
    version = room.look(source, hour(2))
    assert version is not None
    assert (version.rows, version.quarantined) == (0, 1)
    assert (version.known_from_us, version.known_until_us) == (to_us(hour(4)), to_us(hour(4)))
    room.look(source, hour(6))
    assert ids(room.rows(source)) == ["a", "c"]


def test_instants_around_the_change_of_clocks(room: Room) -> None:
    # New York lives 01:30 twice on 2013-11-03 and skips 02:30 on 2013-03-10.
    instants = [
        datetime(2013, 3, 10, 6, 59, tzinfo=UTC),
        datetime(2013, 3, 10, 7, 1, tzinfo=UTC),
        datetime(2013, 11, 3, 5, 30, tzinfo=UTC),
        datetime(2013, 11, 3, 6, 30, tzinfo=UTC),
    ]
    frame = pl.DataFrame({"id": list("abcd"), "event": instants, "known": instants}).with_columns(
        pl.col("event", "known").dt.convert_time_zone(ZONE)
    )
    source = source_of(Feed(frame))
    for number, cut in enumerate(instants, 1):
        version = room.look(source, cut)
        assert version is not None and version.number == number
        assert ids(room.rows(source)) == list("abcd")[:number]
    assert [to_us(one) for one in room.rows(source)["known"]] == [to_us(one) for one in instants]
    assert dict(room.versions.version("weather", 4).schema)["known"] == str(INSTANT)


def test_a_crash_before_the_transaction_is_adopted_as_it_was(room: Room) -> None:
    feed = Feed(table(("a", 0, 1, 1), ("bad", None, 1, 1)))
    source = source_of(feed)
    room.journal.crashes = 1
    with pytest.raises(OSError, match="killed"):
        room.look(source, hour(2))
    assert room.versions.current("weather") == 0
    feed.frame = table(("a", 0, 1, 999), ("b", 0, 3, 2), ("bad", None, 1, 1))
    adopted, following = room.ingest(source, hour(4))
    assert (adopted.number, adopted.rows, adopted.quarantined) == (1, 1, 1)
    assert adopted.known_until_us == to_us(hour(2))
    assert room.rows(source, upto=1)["value"].to_list() == [1]
    assert (following.number, following.rows, following.quarantined) == (2, 1, 0)
    assert room.look(source, hour(4)) is None
    assert ids(room.rows(source)) == ["a", "b"]
    assert ids(room.quarantine(source)) == ["bad"]
    assert [entry.subject for entry in room.reader.entries()] == ["weather@000001", "weather@000002"]


def test_feeds_are_read_at_once_and_entered_in_their_order(room: Room) -> None:
    together = threading.Barrier(2, timeout=20)

    def meeting() -> pl.DataFrame:
        if threading.current_thread().name.startswith("ingest"):
            together.wait()
        return table(("a", 0, 1, 1))

    sources = [Source(name, meeting, event_time="event", known_time="known", key="id") for name in ("one", "two")]
    entered = [version.id for _, versions in room.ingest.each(sources, hour(2)) for version in versions]
    assert entered == ["one@000001", "two@000001"]


def test_a_broken_feed_is_told_by_its_own_iterator(room: Room) -> None:
    broken, whole = (
        source_of(Feed(table().drop("known")), "broken"),
        source_of(Feed(table(("a", 0, 1, 1))), "whole"),
    )
    taken = room.ingest.each([broken, whole], hour(2))
    with pytest.raises(ContractBreach, match="broken"):
        list(next(taken)[1])
    assert [version.id for version in next(taken)[1]] == ["whole@000001"]


def test_what_a_killed_process_left_waits_for_its_instant(room: Room) -> None:
    """A life that is taken up goes through earlier instants first: as one that was not killed."""
    first, second = (source_of(Feed(table(("a", 0, 1, 1))), name) for name in ("first", "second"))
    room.journal.crashes = 1
    with pytest.raises(OSError, match="killed"):
        list(next(room.ingest.each([second, first], hour(2)))[1])
    again = open_room(room.project)
    entered = [
        version.id
        for at in (0.5, 2)
        for _, versions in again.ingest.each([first, second], hour(at))
        for version in versions
    ]
    assert entered == ["first@000001", "second@000001"]


def test_what_a_killed_process_left_is_adopted_even_if_the_source_is_broken_now(room: Room) -> None:
    feed = Feed(table(("a", 0, 1, 1)))
    source = source_of(feed)
    room.journal.crashes = 1
    with pytest.raises(OSError, match="killed"):
        room.look(source, hour(2))
    feed.frame = feed.frame.drop("known")
    versions = room.ingest(source, hour(4))
    assert next(versions).id == "weather@000001"
    with pytest.raises(ContractBreach):
        next(versions)
    assert ids(room.rows(source)) == ["a"]


def test_a_fresh_process_adopts_what_a_killed_one_left(tmp_path: Path) -> None:
    source = source_of(Feed(table(("a", 0, 1, 1))))
    room = open_room(tmp_path)
    room.journal.crashes = 1
    with pytest.raises(OSError, match="killed"):
        room.look(source, hour(2))
    again = open_room(tmp_path)
    version = again.look(source, hour(2))
    assert version is not None and version.rows == 1
    assert again.look(source, hour(2)) is None
    assert ids(again.rows(source)) == ["a"]


@pytest.mark.parametrize("table_", ["quarantine/weather", "sources/weather"])
def test_a_crash_between_quarantine_and_table_loses_and_doubles_nothing(room: Room, table_: str) -> None:
    feed = Feed(table(("a", 0, 1, 1), ("bad1", None, 1, 1), ("bad2", 1, None, 1)))
    source = source_of(feed)
    room.tables.crash_at = table_
    with pytest.raises(OSError, match="killed"):
        room.look(source, hour(2))
    # Meanwhile more has become known, some of it without a time.
    feed.frame = pl.concat([feed.frame, table(("b", 0, 3, 2), ("bad3", None, 3, 1), ("bad4", 1, None, 1))])
    version = room.look(source, hour(4))
    assert version is not None
    assert (version.number, version.rows, version.quarantined) == (1, 2, 4)
    assert sorted(ids(room.quarantine(source))) == ["bad1", "bad2", "bad3", "bad4"]
    assert ids(room.rows(source)) == ["a", "b"]
    assert room.look(source, hour(5)) is None


def test_a_version_may_hold_nothing_but_refused_rows(room: Room) -> None:
    feed = Feed(table(("bad", None, 1, 1)))
    source = source_of(feed)
    version = room.look(source, hour(2))
    assert version is not None and (version.rows, version.quarantined) == (0, 1)
    assert room.rows(source).is_empty()
    feed.frame = table(("bad", None, 1, 1), ("a", 0, 3, 1))
    room.look(source, hour(4))
    assert ids(room.rows(source)) == ["a"]


@pytest.mark.parametrize("column", ["event", "known"])
@pytest.mark.parametrize("kind", [pl.Datetime("us"), pl.Date, pl.Int64, pl.String])
def test_a_time_without_a_zone_is_refused(room: Room, column: str, kind: pl.DataType) -> None:
    rows = table(("a", 0, 1, 1))
    naive = rows[column].dt.replace_time_zone(None)
    source = source_of(Feed(rows.with_columns(naive.cast(kind))))
    with pytest.raises(
        NaiveTime, match=f"column '{column}' of source 'weather' is a time without a zone"
    ) as naive_time:
        room.look(source, hour(2))
    assert naive_time.value.where == source.place
    assert room.versions.current("weather") == 0


@pytest.mark.parametrize("column", ["event", "known", "id"])
def test_a_declared_column_that_is_gone_blocks_the_version(room: Room, column: str) -> None:
    feed = Feed(table(("a", 0, 1, 1)))
    source = source_of(feed)
    room.look(source, hour(2))
    feed.frame = table(("a", 0, 1, 1), ("b", 0, 3, 1)).drop(column)
    with pytest.raises(ContractBreach, match="source 'weather' broke its contract") as breach:
        room.look(source, hour(4))
    assert f"a column '{column}'" in breach.value.allowed
    assert column not in breach.value.got
    assert ids(room.rows(source)) == ["a"]


CHANGES = {
    "column 'value' is gone": lambda frame: frame.drop("value"),
    "column 'more' is new": lambda frame: frame.with_columns(more=pl.lit(1)),
    "column 'value' is String": lambda frame: frame.with_columns(pl.col("value").cast(pl.String)),
    "column 'value' is Int64": lambda frame: frame.with_columns(pl.col("value").cast(pl.Int32)),
}


@pytest.mark.parametrize("told", CHANGES)
def test_a_changed_schema_blocks_the_version_and_names_the_column(room: Room, told: str) -> None:
    feed = Feed(table(("a", 0, 1, 1)))
    source = source_of(feed)
    room.look(source, hour(2))
    feed.frame = CHANGES[told](table(("a", 0, 1, 1), ("b", 0, 3, 1)))
    with pytest.raises(ContractBreach) as breach:
        room.look(source, hour(4))
    assert breach.value.got == told
    assert "source of another name" in breach.value.do
    assert ids(room.rows(source)) == ["a"]
    feed.frame = table(("a", 0, 1, 1), ("b", 0, 3, 1)).select("value", "known", "id", "event")
    assert room.look(source, hour(4)) is not None
    assert ids(room.rows(source)) == ["a", "b"]


@pytest.mark.parametrize("column", ["_version", "_reason"])
def test_columns_that_ingest_adds_itself_are_refused(room: Room, column: str) -> None:
    source = source_of(Feed(table(("a", 0, 1, 1)).with_columns(pl.lit("mine").alias(column))))
    with pytest.raises(ContractBreach) as breach:
        room.look(source, hour(2))
    assert breach.value.got == f"a column '{column}'"
