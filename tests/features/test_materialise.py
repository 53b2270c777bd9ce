"""Materialisation: what is kept is bounded, what is applied is applied once, and what is gone is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from tests.features import world
from tests.features.world import QUARTER_US, SOURCE, HeldVersions, Row

from trimtab.adapters.online_lmdb import LmdbWriter
from trimtab.features import online_codec as codec
from trimtab.features.aggregation import Aggregation, aggregate
from trimtab.features.feature_set import FeatureSet
from trimtab.features.materialise import Materialise
from trimtab.features.online_events import decode_events
from trimtab.features.online_features import OnlineFeatures
from trimtab.features.view import FeatureView
from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import NotFound, RequestInvalid

REQUEST = (("a", "String"), ("b", "Int64"))
VIEW = FeatureView(
    "newest", lambda facts: facts.select("a", "event", "known", "x"), "facts", ("a",), None, "", "here:1"
)


def sums(window_on: str, span: str = "1h") -> Aggregation:
    return aggregate(
        SOURCE, by="a", of="x", windows=[span], how=["sum"], window_on=window_on, name=f"on_{window_on}"
    )


FEATURES = FeatureSet((VIEW, sums("known_time"), sums("event_time")), {SOURCE.name: SOURCE})
NAMES = ["newest.x", "on_known_time.sum_1h", "on_event_time.sum_1h"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbWriter]:
    store = LmdbWriter(tmp_path)
    yield store
    store.close()


def quarters(number: int) -> timedelta:
    return timedelta(microseconds=number * QUARTER_US)


def read(store: LmdbWriter, at: int, a: Json = "JFK") -> list[Json]:
    [row] = OnlineFeatures(FEATURES, NAMES, REQUEST, store).read([{"a": a, "b": None}], [world.us(at)]).values
    return list(row)


def held(store: LmdbWriter, a: str = "JFK") -> list[int]:
    """How many facts or events the store holds of an entity, for each view."""
    views = FEATURES.stored
    data = store.get([codec.key(FEATURES.version_of(view), [a]) for view in views])
    return [len(codec.decode_facts(data[0])), *(len(decode_events(one).value) for one in data[1:])]


def test_state_is_bounded_by_span_and_keep(store: LmdbWriter) -> None:
    rows = [Row("JFK", None, number, number, 1.0, None, None) for number in range(400)]
    versions = HeldVersions(rows, range(400))
    newest, keep, span = versions.newest, 8, 4
    materialise = Materialise(store, versions, quarters(keep))
    for number in range(1, newest + 1, 3):
        versions.newest = number
        materialise(FEATURES)
        facts, on_known, on_event = held(store)
        assert facts <= keep + 1
        assert on_known <= keep + span
        assert on_event <= keep + span
        assert read(store, number - 1) == [1.0, min(number, span), min(number, span)]
    assert newest == 400


def test_a_fact_that_is_still_the_newest_is_kept_however_old(store: LmdbWriter) -> None:
    rows = [Row("JFK", None, 0, 0, 7.0, None, None), *(Row("EWR", None, n, n, 1.0, None, None) for n in range(40))]
    materialise = Materialise(store, HeldVersions(rows, [40]), quarters(1))
    materialise(FEATURES)
    assert read(store, 40) == [7.0, 0.0, 0.0]
    assert held(store) == [1, 0, 0]


@pytest.mark.parametrize("beside", [-world.MICRO, 0, world.MICRO])
def test_a_question_at_the_floor_sees_all_that_it_must(store: LmdbWriter, beside: float) -> None:
    # The floor is quarter 32: the first fact is still the newest there if the second comes into sight behind it.
    rows = [Row("JFK", None, 20, 20, 1.0, None, None), Row("JFK", None, 32 + beside, 20, 2.0, None, None)]
    edge = [Row("EWR", None, 28 + beside, 20, 4.0, None, None), Row("EWR", None, 20, 28 + beside, 8.0, None, None)]
    Materialise(store, HeldVersions([*rows, *edge, *rows], [40]), quarters(8))(FEATURES)
    assert read(store, 32)[0] == (1.0 if beside > 0 else 2.0)
    assert read(store, 32, "EWR")[1:] == ([8.0, 4.0] if beside > 0 else [0.0, 0.0])


@pytest.mark.parametrize("cuts", [[40], [4, 40], [4, 5, 40]])
def test_corrections_are_seen_once_they_are_known(store: LmdbWriter, cuts: list[int]) -> None:
    versions = [(3, 3, 1.0), (3, 5, 2.0), (3, 5, 3.0), (3 - world.MICRO, 6, 4.0)]
    held_ = HeldVersions([Row("JFK", None, event, known, x, None, None) for event, known, x in versions], cuts)
    newest = held_.newest
    for number in range(1, newest + 1):
        held_.newest = number
        Materialise(store, held_, quarters(40))(FEATURES)
    assert [read(store, at)[0] for at in (2, 3, 4, 5, 6, 9)] == [None, 1.0, 1.0, 3.0, 3.0, 3.0]


def test_late_facts_that_can_never_be_seen_are_not_kept(store: LmdbWriter) -> None:
    rows = [
        Row("JFK", None, 30, 30, 1.0, None, None),
        *(Row("JFK", None, n, 31, 2.0, None, None) for n in range(20)),
    ]
    Materialise(store, HeldVersions(rows, [30, 31]), quarters(8))(FEATURES)
    assert held(store)[0] == 1
    assert read(store, 32)[0] == 1.0


def test_a_question_before_the_floor_is_refused(store: LmdbWriter) -> None:
    rows = [Row("JFK", None, number, number, 1.0, None, None) for number in range(40)]
    Materialise(store, HeldVersions(rows, [39]), quarters(8))(FEATURES)
    assert read(store, 31) == [1.0, 4.0, 4.0]
    with pytest.raises(RequestInvalid, match="before what the online store still holds") as refused:
        read(store, 30)
    assert refused.value.where == "view newest"
    assert refused.value.allowed == f"from {world.asked([('x', 1, 31)])['at'][0].isoformat()} on"
    assert refused.value.got == world.asked([("x", 1, 30)])["at"][0].isoformat()


def test_the_floor_never_falls(store: LmdbWriter) -> None:
    rows = [Row("JFK", None, number, number, 1.0, None, None) for number in range(40)]
    versions = HeldVersions(rows, [30, 31])
    versions.newest = 1
    Materialise(store, versions, quarters(2))(FEATURES)
    versions.newest = 2
    Materialise(store, versions, quarters(30))(FEATURES)
    assert read(store, 28) == [1.0, 4.0, 4.0]
    with pytest.raises(RequestInvalid, match="before what the online store still holds"):
        read(store, 27)


class Dying:
    """A store whose process dies before its n-th write."""

    def __init__(self, store: LmdbWriter, writes: int) -> None:
        self._store = store
        self._left = writes
        self.get = store.get
        self.held = store.held
        self.close = store.close

    def put(self, items: Mapping[bytes, bytes | None]) -> None:
        if not self._left:
            raise OSError("killed")
        self._left -= 1
        self._store.put(items)


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_version_is_applied_once_wherever_the_writer_is_killed(store: LmdbWriter, writes: int) -> None:
    rows = [Row("JFK", None, number, number, 1.0, None, None) for number in range(12)]
    versions = HeldVersions(rows, [5, 11])
    versions.newest = 1
    Materialise(store, versions)(FEATURES)
    versions.newest = 2
    with pytest.raises(OSError, match="killed"):
        Materialise(Dying(store, writes), versions)(FEATURES)
    assert len(Materialise(store, versions)(FEATURES)) == 3 - writes
    assert Materialise(store, versions)(FEATURES) == []
    assert read(store, 11) == [1.0, 4.0, 4.0]
    assert held(store) == [12, 12, 12]


def test_a_source_without_versions_moves_nothing(store: LmdbWriter) -> None:
    materialise = Materialise(store, HeldVersions([], []))
    assert materialise(FEATURES) == materialise(FEATURES) == []
    assert read(store, 5) == [None, 0.0, 0.0]


def test_the_first_version_of_a_source_is_projected_whole_however_late_it_comes(store: LmdbWriter) -> None:
    Materialise(store, HeldVersions([], []))(FEATURES)
    rows = [Row("JFK", None, number, number, 1.0, None, None) for number in range(12)]
    assert len(Materialise(store, HeldVersions(rows, [11]), quarters(8))(FEATURES)) == 3
    assert read(store, 11) == [1.0, 4.0, 4.0]
    with pytest.raises(RequestInvalid, match="before what the online store still holds"):
        read(store, 2)


def test_a_release_whose_views_nobody_has_projected_is_refused_when_it_is_loaded(store: LmdbWriter) -> None:
    rows = [Row("JFK", None, number, number, 1.0, None, None) for number in range(12)]
    versions = HeldVersions(rows, [11])
    with pytest.raises(NotFound, match="there is no projection of view 'newest'") as missing:
        OnlineFeatures(FEATURES, NAMES, REQUEST, store)
    assert "trimtab tick" in missing.value.do
    Materialise(store, versions)(FEATURES)
    older = FeatureView(
        "newest", lambda facts: facts.select("a", "event", "known", "x"), "facts", ("a",), quarters(9), "", "here:1"
    )
    released = FeatureSet((older, *FEATURES.declared[1:]), {SOURCE.name: SOURCE})
    with pytest.raises(NotFound, match="there is no projection of view 'newest'"):
        OnlineFeatures(released, NAMES, REQUEST, store)
    Materialise(store, versions)(released)
    assert OnlineFeatures(released, NAMES, REQUEST, store).names == tuple(NAMES)


def test_a_version_without_a_row_of_the_view_moves_its_progress(store: LmdbWriter) -> None:
    rows = [Row(None, None, 1, 1, 1.0, None, None), Row("JFK", None, 2, 2, None, None, None)]
    materialise = Materialise(store, HeldVersions(rows, [2]))
    assert len(materialise(FEATURES)) == 3
    assert materialise(FEATURES) == []
    assert read(store, 5) == [None, 0.0, 0.0]


@pytest.mark.parametrize("a", ["x" * 10, "x" * 470, "x" * 480, "x" * 490, "x" * 495, "é" * 300, "\x00", ""])
def test_entities_may_have_names_of_any_length(store: LmdbWriter, a: str) -> None:
    rows = [Row(a, None, 1, 1, 3.0, None, None), Row(a + "y", None, 1, 1, 4.0, None, None)]
    Materialise(store, HeldVersions(rows, [2]))(FEATURES)
    assert read(store, 2, a) == [3.0, 3.0, 3.0]
    assert read(store, 2, a + "y") == [4.0, 4.0, 4.0]
