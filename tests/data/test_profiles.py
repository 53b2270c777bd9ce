"""Each version names its profile; its cost follows the new rows, and what a killed process began has one too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from tests.data.room import Feed, Room, open_room

from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.data.history import Seen, seen_from
from trimtab.data.profile import column_of, number, profile
from trimtab.data.profiles import Profiles
from trimtab.kernel.canonical import canonical
from trimtab.kernel.dataset_version import DatasetVersion
from trimtab.kernel.source import Source

START = datetime(2013, 4, 1, tzinfo=UTC)


def rows(first: int, last: int) -> pl.DataFrame:
    numbers = list(range(first, last))
    at = [START + timedelta(minutes=one + 1) for one in numbers]
    return pl.DataFrame(
        {"id": numbers, "value": [one % 7 / 2 for one in numbers], "word": ["a", "b"] * (len(at) // 2), "at": at}
    )


def looked(room: Room, feed: Feed, last: int) -> DatasetVersion | None:
    feed.frame = rows(0, last)
    return room.look(Source("weather", feed, event_time="at", key="id"), START + timedelta(minutes=last))


def profiles(room: Room) -> Profiles:
    return Profiles(LocalBlobs(room.project / "blobs"), room.versions)


def test_a_version_names_the_profile_of_the_rows_that_it_added(room: Room) -> None:
    feed = Feed()
    for last in (10, 30, 60):
        assert looked(room, feed, last)
    for number_, (first, last) in enumerate([(0, 10), (10, 30), (30, 60)], 1):
        version = room.versions.version("weather", number_)
        assert profiles(room).of(version).profile == profile(rows(first, last))
    seen = profiles(room).of(room.versions.version("weather", 3)).seen["value"]
    whole = rows(0, 60)["value"]
    mean, std = whole.mean(), whole.std()
    assert isinstance(mean, float) and isinstance(std, float)
    assert (seen.rows, seen.low, seen.high) == (60, whole.min(), whole.max())
    assert seen.mean == pytest.approx(mean)
    assert (seen.squares / 59) ** 0.5 == pytest.approx(std)


def test_the_same_feed_again_makes_no_version(room: Room) -> None:
    feed = Feed()
    assert looked(room, feed, 10)
    entries = len(list(room.reader.entries()))
    blobs = sorted((room.project / "blobs").rglob("*"))
    for _ in range(3):
        assert looked(room, feed, 10) is None
    assert len(list(room.reader.entries())) == entries
    assert sorted((room.project / "blobs").rglob("*")) == blobs


def test_a_killed_ingest_leaves_a_profile_that_is_adopted(tmp_path: Path) -> None:
    digests = []
    for crash in (False, True):
        folder = tmp_path / str(crash)
        folder.mkdir()
        room, feed = open_room(folder), Feed()
        assert looked(room, feed, 10)
        if crash:
            room.journal.crashes = 1
            with pytest.raises(OSError, match="killed"):
                looked(room, feed, 30)
        room = open_room(folder)
        feed.frame = rows(0, 30)
        [version] = room.ingest(Source("weather", feed, event_time="at", key="id"), START + timedelta(minutes=30))
        assert profiles(room).of(version).profile == profile(rows(10, 30))
        digests.append(version.profile)
    assert digests[0] == digests[1]


def test_the_record_stays_small_and_the_blob_does_not_grow_with_rows(room: Room) -> None:
    feed = Feed()
    small, large = looked(room, feed, 1_000), looked(room, feed, 40_000)
    assert small is not None and large is not None
    blobs = LocalBlobs(room.project / "blobs")
    assert len(canonical(large.body())) < 1_000
    assert len(blobs.get(large.profile)) < 1.5 * len(blobs.get(small.profile)) < 6_000


def test_a_version_of_old_has_the_profile_of_its_rows(room: Room) -> None:
    feed = Feed()
    looked(room, feed, 10)
    version = looked(room, feed, 30)
    assert version is not None
    old = DatasetVersion(**{**version.__dict__, "profile": ""})
    kept = profiles(room).of(old)
    assert kept.profile == profile(rows(10, 30)) and kept.seen == {}


def test_the_past_is_read_back_as_it_was_written() -> None:
    first, second = profile(rows(0, 20)), profile(rows(20, 60))
    for name in ("id", "value", "word"):
        seen = Seen().after(column_of(first, name))
        assert seen_from(seen.body()) == seen
        assert seen_from(seen.after(column_of(second, name)).body()) == seen.after(column_of(second, name))
    assert seen_from(Seen().body()) == Seen()


def test_the_past_outlives_a_delivery_without_values_and_numbers_beyond_all_bounds() -> None:
    seen = Seen().after(column_of(profile(rows(0, 20)), "value"))
    empty = pl.DataFrame({"value": pl.Series([None, None], dtype=pl.Float64)})
    assert seen.after(column_of(profile(empty), "value")).rows == 20
    huge = column_of(profile(pl.DataFrame({"value": [1e308, -1e308, 1.7e308, 1e200]})), "value")
    canonical(seen.after(huge).after(huge).body())
    assert number(huge, "max") == 1.7e308
