"""Processes that write and read an online store, to be killed by tests: `online_drill.py DO KIND WHERE PREFIX`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from trimtab.adapters.online_lmdb import LmdbReader, LmdbWriter
from trimtab.adapters.online_redis import RedisReader, RedisWriter

KEYS = [b"key%d" % number for number in range(600)]


class Fatal(Mapping[bytes, bytes]):
    """Items whose reader dies when it has read nearly all of them."""

    def __init__(self, items: Mapping[bytes, bytes]) -> None:
        self._items = items

    def __getitem__(self, key: bytes) -> bytes:
        return self._items[key]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[bytes]:
        for number, key in enumerate(self._items):
            if number == len(self) - 1:
                os.kill(os.getpid(), signal.SIGKILL)
            yield key


def writer(kind: str, where: str, prefix: bytes) -> LmdbWriter | RedisWriter:
    return LmdbWriter(Path(where)) if kind == "lmdb" else RedisWriter(where, prefix)


def reader(kind: str, where: str, prefix: bytes) -> LmdbReader | RedisReader:
    return LmdbReader(Path(where)) if kind == "lmdb" else RedisReader(where, prefix)


def batch(number: int) -> dict[bytes, bytes]:
    """All keys with one value, some 12 MB: several chunks on their way to a server."""
    return dict.fromkeys(KEYS, b"%06d" % number + b"." * 20_000)


def _write(store: LmdbWriter | RedisWriter) -> None:
    number = 1
    while True:
        store.put(batch(number))
        print(number, flush=True)
        number += 1


def _read(store: LmdbReader | RedisReader) -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        print(store.get([word.encode() for word in line.split()]), flush=True)


if __name__ == "__main__":
    do, kind, where, prefix = sys.argv[1:]
    if do == "read":
        _read(reader(kind, where, prefix.encode()))
    elif do == "write":
        _write(writer(kind, where, prefix.encode()))
    else:
        writer(kind, where, prefix.encode()).put(Fatal(batch(2)))
