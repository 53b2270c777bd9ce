"""Contract of ports/online_store.py on LMDB, across processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.adapters.online_lmdb import LmdbReader, LmdbWriter

READER = """
import sys
from pathlib import Path
from trimtab.adapters.online_lmdb import LmdbReader
reader = LmdbReader(Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    print(reader.get([word.encode() for word in line.split()]), flush=True)
"""
WRITER = """
import os, signal, sys
from pathlib import Path
from trimtab.adapters.online_lmdb import LmdbWriter
writer = LmdbWriter(Path(sys.argv[1]))
writer.put({b"a": b"1", b"b": b"2"})
items = {f"key{number}".encode(): b"x" * 4000 for number in range(5000)}
class Fatal(dict):
    def items(self):
        yield from list(super().items())
        os.kill(os.getpid(), signal.SIGKILL)
writer.put(Fatal(items))
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[LmdbWriter]:
    writer = LmdbWriter(tmp_path / "online")
    yield writer
    writer.close()


class OtherProcess:
    """A reader in a process of its own."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", READER, str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
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


def test_a_reader_sees_what_another_process_has_committed(tmp_path: Path, writer: LmdbWriter) -> None:
    writer.put({b"a": b"1"})
    reader = OtherProcess(tmp_path / "online")
    assert reader.get("a", "b") == "[b'1', None]"
    writer.put({b"a": b"2", b"b": b"3"})
    assert reader.get("b", "a", "b") == "[b'3', b'2', b'3']"
    reader.stop()


def test_a_reader_may_be_there_before_anything_was_written(tmp_path: Path) -> None:
    reader = OtherProcess(tmp_path / "online")
    assert reader.get("a") == "[None]"
    writer = LmdbWriter(tmp_path / "online")
    writer.put({b"a": b"1"})
    writer.close()
    assert reader.get("a") == "[b'1']"
    reader.stop()


def test_a_reader_cannot_write(tmp_path: Path, writer: LmdbWriter) -> None:
    writer.close()
    reader = LmdbReader(tmp_path / "online")
    with pytest.raises(lmdb.ReadonlyError), reader._env.begin(write=True):
        pass
    reader.close()


def test_a_write_is_whole_or_not_at_all(writer: LmdbWriter) -> None:
    with pytest.raises(lmdb.BadValsizeError):
        writer.put({b"a": b"1", b"k" * 512: b"too long a key"})
    assert writer.get([b"a"]) == [None]


def test_a_writer_that_is_killed_leaves_the_last_commit(tmp_path: Path) -> None:
    died = subprocess.run(
        [sys.executable, "-c", WRITER, str(tmp_path / "online")], capture_output=True, check=False
    )
    assert died.returncode == -9
    writer = LmdbWriter(tmp_path / "online")
    assert writer.get([b"a", b"b", b"key0", b"key4999"]) == [b"1", b"2", None, None]
    writer.put({b"a": b"3"})
    assert writer.get([b"a"]) == [b"3"]
    writer.close()


@settings(max_examples=30, deadline=None)
@given(
    batches=st.lists(
        st.dictionaries(st.binary(min_size=1, max_size=511), st.binary(max_size=50), max_size=5), max_size=5
    )
)
def test_it_is_a_dictionary(batches: list[dict[bytes, bytes]], tmp_path_factory: pytest.TempPathFactory) -> None:
    writer = LmdbWriter(tmp_path_factory.mktemp("online"))
    expected: dict[bytes, bytes] = {}
    for batch in batches:
        writer.put(batch)
        expected |= batch
    keys = [*expected, b"never"]
    assert writer.get(keys) == [expected.get(key) for key in keys]
    writer.close()
