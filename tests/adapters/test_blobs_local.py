"""Contract of ports/blobs.py on local files."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.kernel.canonical import sha256
from trimtab.kernel.errors import Corrupt, NotFound


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@given(data=st.binary(max_size=200))
def test_bytes_come_back_under_their_digest(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    blobs = LocalBlobs(tmp_path_factory.mktemp("blobs"))
    name = blobs.put(data)
    assert name == sha256(data) == blobs.put(data)
    assert blobs.get(name) == data


def test_the_same_bytes_are_kept_once_and_nothing_else_is_left(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    for data in (b"a", b"b", b"a"):
        blobs.put(data)
    assert sorted(path.name for path in files(tmp_path)) == sorted([sha256(b"a"), sha256(b"b")])


def test_a_blob_that_was_never_stored_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no blob") as missing:
        LocalBlobs(tmp_path).get(sha256(b"a"))
    assert missing.value.got == sha256(b"a")
    assert "restore" in missing.value.do


@pytest.mark.parametrize("damage", [b"", b"half of it", b"other bytes of another length"])
def test_a_damaged_file_is_never_given_out(tmp_path: Path, damage: bytes) -> None:
    blobs = LocalBlobs(tmp_path)
    name = blobs.put(b"what was stored")
    [path] = files(tmp_path)
    path.write_bytes(damage)
    with pytest.raises(Corrupt, match=f"blob {name[:12]} is corrupt") as corrupt:
        blobs.get(name)
    assert corrupt.value.where == str(path)
    assert name in corrupt.value.allowed
    assert sha256(damage) in corrupt.value.got


def test_threads_that_store_the_same_bytes_never_show_half_of_them(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    failures: list[Exception] = []
    start = threading.Barrier(4)

    def store(rounds: int = 15) -> None:
        start.wait()
        for number in range(rounds):
            data = number.to_bytes(4, "big") * 200_000
            try:
                assert blobs.get(blobs.put(data)) == data
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=store) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(files(tmp_path)) == 15


def test_a_writer_that_stopped_half_way_leaves_no_blob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = LocalBlobs(tmp_path)

    def power_failure(handle: int) -> None:
        raise OSError("no power")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", power_failure)
        with pytest.raises(OSError, match="no power"):
            blobs.put(b"data")
    with pytest.raises(NotFound):
        blobs.get(sha256(b"data"))
    assert blobs.get(blobs.put(b"data")) == b"data"
