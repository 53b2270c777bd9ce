"""Contract of ports/online_store.py, on LMDB and on Redis, across processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.adapters.online_drill import KEYS, batch, reader, writer
from tests.redis_server import RedisServer

from trimtab.adapters.online_lmdb import LmdbWriter
from trimtab.adapters.online_redis import RedisWriter

DRILL = str(Path(__file__).with_name("online_drill.py"))


@dataclass
class Place:
    """An empty store, as processes are told of it, and its writer here."""

    kind: str
    where: str
    prefix: str
    writer: LmdbWriter | RedisWriter

    def command(self, do: str) -> list[str]:
        return [sys.executable, DRILL, do, self.kind, self.where, self.prefix]


@pytest.fixture(params=["lmdb", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    where, prefix = str(tmp_path / "online"), b""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        where, prefix = server.url, server.new_prefix()
    place = Place(request.param, where, prefix.decode(), writer(request.param, where, prefix))
    yield place
    place.writer.close()


class OtherProcess:
    """A reader in a process of its own."""

    def __init__(self, place: Place) -> None:
        self._process = subprocess.Popen(
            place.command("read"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._said() == "ready"

    def get(self, *keys: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(keys) + "\n")
        self._process.stdin.flush()
        return self._said()

    def stop(self) -> None:
        self._process.communicate()

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def test_a_reader_sees_what_another_process_has_written(place: Place) -> None:
    other = OtherProcess(place)
    assert other.get("a") == "[None]"
    place.writer.put({b"a": b"1"})
    assert other.get("a", "b") == "[b'1', None]"
    place.writer.put({b"a": b"2", b"b": b"3"})
    assert other.get("b", "a", "b") == "[b'3', b'2', b'3']"
    other.stop()


def test_a_writer_that_is_killed_within_a_write_leaves_the_last_one(place: Place) -> None:
    place.writer.put(batch(1))
    died = subprocess.run(place.command("die"), capture_output=True, check=False)
    assert died.returncode == -9
    assert place.writer.get(KEYS) == list(batch(1).values())
    place.writer.put({KEYS[0]: b"after"})
    assert place.writer.get(KEYS[:2]) == [b"after", batch(1)[KEYS[1]]]


def test_a_write_is_seen_whole_or_not_at_all_and_so_it_stays_when_the_writer_is_killed(place: Place) -> None:
    seen: set[bytes] = set()
    place.writer.close()
    for after_s in (0.15, 0.22, 0.31):
        process = subprocess.Popen(place.command("write"), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline() == "1\n"
        own = reader(place.kind, place.where, place.prefix.encode())
        until_s = time.monotonic() + after_s
        while time.monotonic() < until_s:
            values = set(own.get(KEYS))
            assert len(values) == 1
            seen |= {value[:6] for value in values if value is not None}
        process.kill()
        told = process.communicate()[0].split()
        [left] = set(own.get(KEYS))
        assert left is not None and int(left[:6]) >= int(told[-1] if told else 1)
        own.close()
    assert len(seen) > 1


def test_threads_may_share_a_reader(place: Place) -> None:
    place.writer.put({b"%d" % number: b"value %d" % number for number in range(50)})
    place.writer.close()  # LMDB is open once in a process
    own = reader(place.kind, place.where, place.prefix.encode())
    wrong: list[object] = []

    def ask(number: int) -> None:
        for _ in range(100):
            found = own.get([b"%d" % number])
            if found != [b"value %d" % number]:
                wrong.append(found)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own.close()
    assert not wrong


def test_many_and_large_values_come_back(place: Place) -> None:
    many = {b"many%d" % number: b"%d" % number for number in range(30_000)}
    large = {b"large": bytes(range(256)) * 40_000, b"empty": b""}
    place.writer.put(many | large)
    assert place.writer.get([*many, b"none", *large]) == [*many.values(), None, *large.values()]
    assert place.writer.get([]) == []
    place.writer.put({})


keys = st.binary(min_size=1, max_size=500)
fresh = count()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.dictionaries(keys, st.none() | st.binary(max_size=50), max_size=5), max_size=5),
    others=st.lists(keys, max_size=5),
)
def test_it_is_a_dictionary(place: Place, batches: list[dict[bytes, bytes | None]], others: list[bytes]) -> None:
    name = b"%d" % next(fresh)  # examples share the store
    expected: dict[bytes, bytes | None] = {}
    for one in batches:
        batch = {name + key: value for key, value in one.items()}
        place.writer.put(batch)
        expected |= batch
    asked = [*expected, *(name + key for key in others)]
    assert place.writer.get(asked) == [expected.get(key) for key in asked]


def test_what_is_held_stays_as_it_was_while_others_write(place: Place) -> None:
    place.writer.put({b"a": b"1" * 5000, b"b": b"2"})
    with place.writer.held([b"a", b"none", b"b"]) as held:
        other = threading.Thread(target=place.writer.put, args=({b"a": b"3" * 5000, b"b": None},))
        other.start()
        other.join()
        assert [None if one is None else bytes(one) for one in held] == [b"1" * 5000, None, b"2"]
    assert place.writer.get([b"a", b"b"]) == [b"3" * 5000, None]
