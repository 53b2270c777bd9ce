"""The online store on LMDB: memory-mapped, one writer process, read by all workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import lmdb

_MAP_BYTES = 64 << 30  # address space, not disk: the file is sparse and grows with its content


class _Held:
    """A read transaction as a context. A class, since a generator takes twice as long: each prediction has one."""

    def __init__(self, env: lmdb.Environment, keys: Sequence[bytes]) -> None:
        self._transaction = env.begin(buffers=True)
        self._keys = keys

    def __enter__(self) -> list[memoryview | None]:
        return list(map(self._transaction.get, self._keys))

    def __exit__(self, *_: object) -> None:
        self._transaction.abort()


class _Reads:
    """Implements OnlineReader on an open environment."""

    _env: lmdb.Environment

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """All keys from one read transaction."""
        with self._env.begin() as transaction:
            get = transaction.get
            return [get(key) for key in keys]

    def held(self, keys: Sequence[bytes]) -> _Held:
        """All keys from one read transaction, where they lie in the map."""
        return _Held(self._env, keys)

    def close(self) -> None:
        """Unmap."""
        self._env.close()


class LmdbReader(_Reads):
    """Implements OnlineReader. Opened by a worker after it has started: LMDB must not cross a fork."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "data.mdb").exists():
            LmdbWriter(folder).close()
        self._env = lmdb.open(str(folder), map_size=_MAP_BYTES, readonly=True, max_readers=1024)


class LmdbWriter(_Reads):
    """Implements OnlineWriter, and reads what it has written."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._env = lmdb.open(str(folder), map_size=_MAP_BYTES, max_readers=1024)

    def put(self, items: Mapping[bytes, bytes | None]) -> None:
        """One write transaction."""
        with self._env.begin(write=True) as transaction:
            for key, value in items.items():
                if value is None:
                    transaction.delete(key)
                else:
                    transaction.put(key, value)
