"""What only LMDB promises; what all online stores do is in test_online_store.py."""

from __future__ import annotations

from pathlib import Path

import lmdb
import pytest

from trimtab.adapters.online_lmdb import LmdbReader, LmdbWriter


def test_a_reader_may_be_there_before_anything_was_written(tmp_path: Path) -> None:
    reader = LmdbReader(tmp_path / "online")
    assert reader.get([b"a"]) == [None]
    reader.close()
    assert (tmp_path / "online" / "data.mdb").exists()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    LmdbWriter(tmp_path / "online").close()
    reader = LmdbReader(tmp_path / "online")
    with pytest.raises(lmdb.ReadonlyError), reader._env.begin(write=True):
        pass
    reader.close()


def test_a_write_that_cannot_be_done_leaves_nothing(tmp_path: Path) -> None:
    writer = LmdbWriter(tmp_path / "online")
    with pytest.raises(lmdb.BadValsizeError):
        writer.put({b"a": b"1", b"k" * 512: b"too long a key"})
    assert writer.get([b"a"]) == [None]
    writer.close()
