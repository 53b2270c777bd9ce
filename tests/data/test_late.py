"""Rows that come late are found, once, and count from the look that found them; nothing else is touched."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.room import Feed, Room, open_room
from tests.data.test_ingest import hour, ids, source_of, table

from trimtab.adapters.online_lmdb import LmdbWriter
from trimtab.data.versions import Versions
from trimtab.features.aggregation import aggregate
from trimtab.features.feature_set import FeatureSet
from trimtab.features.materialise import Materialise
from trimtab.features.offline import offline_features
from trimtab.features.online_features import OnlineFeatures
from trimtab.features.view import FeatureView
from trimtab.kernel.errors import ContractBreach
from trimtab.kernel.moment import to_us
from trimtab.kernel.source import Source

Rows = list[tuple[str, float | None, float | None, float | None]]


def known(room: Room, source: Source) -> list[tuple[str, datetime]]:
    return room.rows(source).select("id", "known").rows()


def test_a_row_that_comes_late_became_known_when_it_came(room: Room) -> None:
    feed = Feed(table(("a", 0, 1, 1), ("b", 0, 2, 1)))
    source = source_of(feed)
    room.look(source, hour(4))
    feed.frame = table(("late", 0, 1.5, 1), ("a", 0, 1, 1), ("b", 0, 2, 1), ("new", 0, 5, 1), ("edge", 0, 4, 1))
    version = room.look(source, hour(6))
    assert version is not None
    assert (version.rows, version.backfilled, version.repaired) == (3, 2, False)
    expected = [("a", hour(1)), ("b", hour(2)), ("new", hour(5)), ("late", hour(6)), ("edge", hour(6))]
    assert known(room, source) == expected
    for again in (room, open_room(room.project)):
        assert again.look(source, hour(6)) is None
        assert again.look(source, hour(9)) is None
    newest = list(room.reader.entries())[-1]
    assert newest.body["backfilled"] == 2


def test_a_late_row_alone_makes_a_version(room: Room) -> None:
    feed = Feed(table(("a", 0, 1, 1)))
    source = source_of(feed)
    room.look(source, hour(4))
    feed.frame = table(("a", 0, 1, 1), ("late", 0, 1, 1))
    assert room.look(source, hour(5)) is not None
    assert known(room, source) == [("a", hour(1)), ("late", hour(5))]


def test_a_late_row_whose_event_time_is_its_known_time_is_refused(room: Room) -> None:
    feed = Feed(table(("a", 1, None, 1)))
    source = Source("weather", feed, event_time="event", key="id")
    room.look(source, hour(4))
    feed.frame = table(("a", 1, None, 1), ("late", 3, None, 1), ("new", 5, None, 1))
    version = room.look(source, hour(6))
    assert version is not None
    assert (version.rows, version.quarantined, version.backfilled) == (1, 1, 0)
    refused = room.quarantine(source)
    assert ids(refused) == ["late"]
    assert refused["event"].to_list() == [hour(3)]
    assert refused["_reason"][0] == (
        f"delivered late: due by {hour(4).isoformat()}, and without a known_time of its own"
        " it cannot say when it came"
    )
    for again in (room, open_room(room.project)):
        assert again.look(source, hour(9)) is None


def test_equal_rows_are_counted(room: Room) -> None:
    twice = ("a", 0.0, 1.0, 1.0)
    feed = Feed(table(twice, twice))
    source = source_of(feed)
    room.look(source, hour(4))
    feed.frame = table(twice, twice, twice)
    version = room.look(source, hour(5))
    assert version is not None and (version.rows, version.backfilled) == (1, 1)
    assert room.look(source, hour(6)) is None
    assert ids(room.rows(source)) == ["a", "a", "a"]


def test_a_row_that_says_again_what_an_older_one_said_is_no_late_row(room: Room) -> None:
    feed = Feed(table(("a", 0, 1, 1)))
    source = source_of(feed)
    room.look(source, hour(2))
    for corrected, at in ((2.0, 3), (1.0, 5)):
        feed.frame = pl.concat([feed.frame, table(("a", 0, at, corrected))])
        version = room.look(source, hour(at + 1))
        assert version is not None and (version.rows, version.backfilled) == (1, 0)
    assert room.rows(source)["value"].to_list() == [1, 2, 1]


def test_rows_in_quarantine_are_not_found_again(room: Room) -> None:
    contract = pa.DataFrameSchema({"value": pa.Column(float, pa.Check.ge(0), nullable=True)})
    feed = Feed(table(("a", 0, 1, 1), ("bad", 0, 1, -1), ("undated", None, 1, 1), ("unknown", 0, None, 1)))
    source = Source("weather", feed, event_time="event", known_time="known", key="id", contract=contract)
    room.look(source, hour(2))
    feed.frame = pl.concat([feed.frame, table(("late", 0, 0.5, 1), ("late and bad", 0, 0.5, -1))])
    version = room.look(source, hour(3))
    assert version is not None and (version.rows, version.quarantined, version.backfilled) == (1, 1, 1)
    for again in (room, open_room(room.project)):
        assert again.look(source, hour(4)) is None
    assert sorted(ids(room.quarantine(source))) == ["bad", "late and bad", "undated", "unknown"]
    # Its known time is found at last: it is another row than the one in quarantine.
    feed.frame = pl.concat([feed.frame.filter(pl.col("id") != "unknown"), table(("unknown", 0, 1, 1))])
    assert room.look(source, hour(5)) is not None
    assert known(room, source)[-1] == ("unknown", hour(5))


def test_the_usual_look_reads_no_stored_row(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Feed(table(("a", 0, 1, 1), ("bad", None, 1, 1), ("worse", 0, None, 1)))
    source = Source("weather", feed, event_time="event", known_time="known", key="id")
    room.look(source, hour(2))

    def read(*_: Any) -> None:
        raise AssertionError("stored rows were read")

    monkeypatch.setattr(Versions, "frame", read)
    feed.frame = pl.concat([feed.frame, table(("b", 0, 3, 1), ("bad2", None, 3, 1))])
    assert room.look(source, hour(4)) is not None
    assert room.look(source, hour(5)) is None
    feed.frame = pl.concat([feed.frame, table(("late", 0, 3, 1))])
    with pytest.raises(AssertionError, match="stored rows were read"):
        room.look(source, hour(6))


def test_a_feed_that_forgets_rows_is_found_out_when_it_is_late(room: Room) -> None:
    feed = Feed(table(*((f"row{number}", 0, number, 1) for number in range(8))))
    source = source_of(feed)
    room.look(source, hour(4))
    feed.frame = feed.frame.filter(pl.col("id") > "row2")
    assert room.look(source, hour(5)) is not None
    feed.frame = pl.concat([feed.frame, table(("late", 0, 3, 1))])
    version = room.look(source, hour(5.5))
    assert version is not None and (version.rows, version.backfilled) == (1, 1)
    assert room.look(source, hour(5.6)) is None
    assert ids(room.rows(source)) == ["row0", "row1", "row2", "row3", "row4", "row5", "late"]


CHANGING: dict[str, Any] = {
    "coerces": pa.DataFrameSchema({"value": pa.Column(str, coerce=True, nullable=True)}),
    "fills": pa.DataFrameSchema({"value": pa.Column(float, default=7.0)}),
    "adds a column": pa.DataFrameSchema(
        {"id": pa.Column(str), "more": pa.Column(float, default=1.0)}, add_missing_columns=True
    ),
    "drops a column": pa.DataFrameSchema(
        {"id": pa.Column(str), "event": pa.Column(), "known": pa.Column()}, strict="filter"
    ),
}


@pytest.mark.parametrize("kind", CHANGING)
@pytest.mark.parametrize("own", [True, False])
def test_a_contract_that_changes_rows_makes_no_old_row_a_late_one(room: Room, kind: str, own: bool) -> None:
    times = {"event_time": "event", "known_time": "known"} if own else {"event_time": "known"}
    feed = Feed(table(("a", 0, 1, 1), ("b", 0, 1, None), ("b", 0, 1, None), ("c", 0, 2, 3)))
    source = Source("weather", feed, key="id", contract=CHANGING[kind], **times)
    room.look(source, hour(3))
    feed.frame = pl.concat([feed.frame, table(("b", 0, 1, None), ("late", 0, 1, 1), ("new", 0, 3.5, 1))])
    for again in (room, open_room(room.project)):
        again.look(source, hour(4))
    assert room.look(source, hour(5)) is None
    late = ["b", "late"]
    accepted, refused = ids(room.rows(source)), room.quarantine(source)
    if own:
        assert sorted(accepted) == sorted(["a", "b", "b", "c", "new", *late])
        assert refused.is_empty()
    else:
        assert sorted(accepted) == ["a", "b", "b", "c", "new"]
        assert ids(refused) == late


def test_late_rows_of_other_types_block_the_version(room: Room) -> None:
    feed = Feed(table(("a", 0, 1, 1)))
    source = source_of(feed)
    room.look(source, hour(2))
    rows = pl.concat([feed.frame, table(("late", 0, 1, 1))])
    feed.frame = rows.with_columns(pl.concat_list("value"))
    with pytest.raises(ContractBreach):
        room.look(source, hour(3))


moments = st.integers(0, 40).map(lambda number: number / 4)
batches = st.lists(
    st.tuples(
        moments,
        st.lists(st.tuples(st.sampled_from("ab"), moments, st.none() | moments, st.sampled_from([0.5, 1.0]))),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=40, deadline=None)
@given(deliveries=batches, shuffle=st.randoms(use_true_random=False))
def test_every_row_is_taken_once_and_never_known_before_it_came(
    shared_room: Room, deliveries: list[tuple[float, Rows, bool]], shuffle: Any
) -> None:
    feed = Feed()
    source = source_of(feed, f"s{uuid4().hex}")
    offered: Rows = []
    waiting: Rows = []
    expected: Counter[tuple[Any, ...]] = Counter()
    watermark_us: int | None = None
    room = shared_room
    for at, batch, restarted in sorted(deliveries, key=lambda one: one[0]):
        offered += batch
        waiting += batch
        shuffle.shuffle(offered)
        feed.frame = table(*offered)
        room = open_room(room.project) if restarted else room
        version = room.look(source, hour(at))
        taken = [one for one in waiting if one[2] is None or one[2] <= at]
        waiting = [one for one in waiting if one not in taken]
        assert (version is None) == (not taken)
        for id, event, said, value in taken:
            if said is not None:
                late = watermark_us is not None and to_us(hour(said)) <= watermark_us
                expected[id, hour(event or 0), hour(at if late else said), value] += 1
        if taken:
            watermark_us = max(watermark_us or 0, to_us(hour(at)))
    accepted = room.rows(source).rows() if room.versions.current(source.name) else []
    assert Counter(accepted) == expected
    refused = room.quarantine(source)
    assert refused.height == sum(one[2] is None for one in offered)


@pytest.mark.parametrize("how", ["late", "blocked"])
def test_features_know_nothing_before_it_came_online_as_offline(room: Room, how: str) -> None:
    feed = Feed(table(("JFK", 0, 1, 1), ("JFK", 2, 2, 2)))
    source = replace(source_of(feed), key=("id", "event"))
    view = FeatureView("newest", lambda weather: weather, "weather", ("id",), None, "", "here:1")
    sums = aggregate(source, by="id", of="value", windows=["12h"], how=["sum"], name="sums")
    features = FeatureSet((view, sums), {"weather": source})
    store = LmdbWriter(room.project / "online")
    materialise = Materialise(store, room.versions)

    def look(at: float) -> None:
        try:
            room.look(source, hour(at))
        except ContractBreach as breach:
            room.ingest.block(source, breach, hour(at))
        materialise(features)

    def values(at: float) -> list[Any]:
        names = ["newest.value", "sums.sum_12h"]
        reader = OnlineFeatures(features, names, (("id", "String"),), store)
        [online] = reader.read([{"id": "JFK"}], [to_us(hour(at))]).values
        asked = pl.DataFrame({"id": ["JFK"], "at": [hour(at)]})
        [offline] = offline_features(features, asked, "at", room.versions.frame).rows()
        assert online == list(offline), at
        return online

    look(3)
    before = {at: values(at) for at in (1, 2, 3)}
    rows = pl.concat([feed.frame, table(("JFK", 2.5, 3.5 if how == "blocked" else 2.5, 4))])
    feed.frame = rows.drop("value") if how == "blocked" else feed.frame
    look(4)
    answered = values(4)
    feed.frame = rows
    look(6)
    assert {at: values(at) for at in (1, 2, 3)} == before
    assert values(4) == values(5.9) == answered == [2.0, 3.0]
    assert values(6) == [4.0, 7.0]
    store.close()
