"""Reading online, over LMDB and Redis: staleness is told, and what was lost is an error and no null."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from tests.features import world
from tests.features.world import SOURCE, HeldVersions, Row
from tests.redis_server import RedisServer, find_program

from trimtab.adapters.online_lmdb import LmdbWriter
from trimtab.adapters.online_redis import RedisReader, RedisWriter
from trimtab.features import online_codec as codec
from trimtab.features.aggregation import aggregate
from trimtab.features.feature_set import FeatureSet
from trimtab.features.materialise import Materialise
from trimtab.features.online_features import OnlineFeatures
from trimtab.features.view import FeatureView
from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import OnlineStoreUnavailable
from trimtab.kernel.moment import duration
from trimtab.ports.online_store import OnlineReader, OwnedStore

REQUEST = (("a", "String"), ("b", "Int64"))
VIEW = FeatureView(
    "v", lambda facts: facts.select("a", "event", "known", "x"), "facts", ("a",), duration("2h"), "", "here:1"
)
SUMS = aggregate(SOURCE, by=("a", "b"), of="x", windows=["1h"], how=["sum"], name="sums")
FEATURES = FeatureSet((VIEW, SUMS), {SOURCE.name: SOURCE})
NAMES = ["v.x", "sums.sum_1h"]
ROWS = [Row("JFK", 1, 4, 4, 1.0, None, None), Row("EWR", 1, 11, 11, None, None, None)]


@pytest.fixture(params=["lmdb", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OwnedStore]:
    store: OwnedStore
    if request.param == "lmdb":
        store = LmdbWriter(tmp_path)
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        store = RedisWriter(server.url, server.new_prefix())
    yield store
    store.close()


def reader(store: OnlineReader) -> OnlineFeatures:
    return OnlineFeatures(FEATURES, NAMES, REQUEST, store)


def rows(*entities: str | None) -> list[dict[str, Json]]:
    return [{"a": a, "b": 1} for a in entities]


def test_a_stale_view_a_missing_entity_and_a_null_value_are_told_apart(store: OwnedStore) -> None:
    Materialise(store, HeldVersions(ROWS, [13]))(FEATURES)
    asked = rows("JFK", "JFK", "EWR", "LGA", None)
    block = reader(store).read(asked, [world.us(at) for at in (13, 12, 13, 13, 13)])
    hours_us = 9 * world.QUARTER_US
    assert [row[0] for row in block.values] == [None, 1.0, None, None, None]
    assert [ages[0] for ages in block.ages_us] == [None, 8 * world.QUARTER_US, 2 * world.QUARTER_US, None, None]
    assert block.stale_us == {0: {"v": hours_us}}


def test_rows_of_one_entity_may_ask_for_several_instants(store: OwnedStore) -> None:
    facts = [Row("JFK", 1, at, at, float(at), None, None) for at in range(10)]
    Materialise(store, HeldVersions(facts, [9]))(FEATURES)
    at = [9, 0, 3, 3, 12, 0 - world.MICRO, 5, 9]
    block = reader(store).read(rows(*["JFK"] * len(at)), [world.us(one) for one in at])
    assert [row[0] for row in block.values] == [9.0, 0.0, 3.0, 3.0, 9.0, None, 5.0, 9.0]
    assert [ages[0] for ages in block.ages_us][:2] == [0, 0]


@pytest.mark.parametrize("view", ["v", "sums"])
def test_a_view_that_the_store_has_lost_is_an_error_until_it_is_projected_anew(
    store: OwnedStore, view: str
) -> None:
    versions = HeldVersions(ROWS, [13])
    Materialise(store, versions)(FEATURES)
    online = reader(store)
    before = online.read(rows("JFK"), [world.us(5)])
    assert before.values == [[1.0, 1.0]]
    [lost] = [codec.projected_key(version) for name, version in FEATURES.versions if name == view]

    class Forgetful:
        """The store as it is after a key is gone."""

        gone = True

        def held(self, keys: list[bytes]) -> AbstractContextManager[list[bytes | None]]:
            found = zip(keys, store.get(keys), strict=True)
            return nullcontext([None if self.gone and key == lost else data for key, data in found])

    online._store = forgetful = Forgetful()  # type: ignore[assignment]
    with pytest.raises(OnlineStoreUnavailable, match="has lost a view that it held") as gone:
        online.read(rows("JFK"), [world.us(5)])
    assert gone.value.where == f"view {view}" and "trimtab tick" in gone.value.do
    forgetful.gone = False
    assert online.read(rows("JFK"), [world.us(5)]) == before


def test_a_server_that_comes_back_empty_is_seen_and_filled_again(redis_server: RedisServer) -> None:
    program = find_program()
    assert program is not None
    server = RedisServer(program)
    store = RedisWriter(server.url, b"p:")
    materialise = Materialise(store, HeldVersions(ROWS, [13]))
    materialise(FEATURES)
    worker = RedisReader(server.url, b"p:")
    online = reader(worker)
    before = online.read(rows("JFK"), [world.us(5)])
    server.kill()
    with pytest.raises(OnlineStoreUnavailable, match="does not answer"):
        online.read(rows("JFK"), [world.us(5)])
    server.start()
    with pytest.raises(OnlineStoreUnavailable, match="has lost a view that it held"):
        online.read(rows("JFK"), [world.us(5)])
    assert sorted(materialise(FEATURES)) == ["sums", "v"]
    assert online.read(rows("JFK"), [world.us(5)]) == before
    assert materialise(FEATURES) == []
    for one in (worker, store):
        one.close()
    server.stop()


def test_nothing_is_asked_and_nothing_is_answered(store: OwnedStore) -> None:
    Materialise(store, HeldVersions(ROWS, [13]))(FEATURES)
    block = reader(store).read([], [])
    assert (block.values, block.ages_us) == ([], [])
