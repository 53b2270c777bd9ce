"""Where workers publish what they have counted, so that any of them can answer for all.

One file for each worker process, `SLOT-PID.counts`, mapped into its memory: two halves that are written in turn, so
that a process killed while it writes leaves the half before whole. Publishing is a copy in memory and touches no
disk. What dead processes had counted is added to `base.counts` by the supervisor, which then removes their files;
the base names them, so that nothing is counted twice, or missing, while that is done.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import msgspec

from trimtab.serving.counts import Counts, Series, Snapshot, added, listed_series, of_releases
from trimtab.serving.process import lives

_HALF_BYTES = 128 << 10
_HEAD = struct.Struct("<QII")  # number of the writing, bytes, their CRC-32
_FILES, _BASE = "*.counts", "base.counts"
_REMEMBERED = 200  # dead processes that the base names: a reader is never as many behind
_encode = msgspec.msgpack.Encoder().encode
_decode_snapshot = msgspec.msgpack.Decoder(Snapshot).decode


class Base(msgspec.Struct):
    """What the supervisor knows, and what dead workers had counted."""

    facts: dict[str, list[Series]] = msgspec.field(default_factory=dict)
    counters: dict[str, list[Series]] = msgspec.field(default_factory=dict)
    added: list[str] = msgspec.field(default_factory=list)  # files whose counts are in


_decode_base = msgspec.msgpack.Decoder(Base).decode


class CountsFile:
    """A worker's own file. Belongs to one thread.

    Raises:
        OSError: the disk does not take it.
    """

    def __init__(self, folder: Path, slot: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{slot}-{os.getpid()}.counts"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            # Written, not only sized: a full disk must fail here, not kill the worker when it touches a page.
            size = 2 * _HALF_BYTES
            if os.pwrite(fd, bytes(size), 0) != size:
                raise OSError("the disk took only a part of the file for counts")
            self._map = mmap.mmap(fd, size)
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(fd)
        self._number = 0

    def publish(self, snapshot: Snapshot) -> bool:
        """Take the place of the one before last; False if it is too large."""
        data = _encode(snapshot)
        if len(data) > _HALF_BYTES - _HEAD.size:
            return False
        self._number += 1
        at = self._number % 2 * _HALF_BYTES
        self._map[at + _HEAD.size : at + _HEAD.size + len(data)] = data
        _HEAD.pack_into(self._map, at, self._number, len(data), zlib.crc32(data))
        return True


class CountsFolder:
    """All of them together."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @staticmethod
    def beside(log_folder: Path) -> CountsFolder:
        """That of the server whose prediction log lies there."""
        return CountsFolder(log_folder.with_name("metrics"))

    def file(self, slot: int) -> CountsFile:
        """This process's own, for a worker.

        Raises:
            OSError: the disk does not take it.
        """
        return CountsFile(self._path, slot)

    def begin(self, facts: Counts) -> None:
        """A new server: nothing is counted yet."""
        self._path.mkdir(parents=True, exist_ok=True)
        for path in self._path.glob(_FILES):
            path.unlink(missing_ok=True)
        self._write(Base(listed_series(facts)))

    def tell(self, facts: Counts) -> None:
        """What the supervisor knows has changed."""
        base = self._base()
        base.facts = listed_series(facts)
        self._write(base)

    def bury(self, releases: Collection[str]) -> None:
        """Add what dead processes had counted to the base; of releases, only what is still on the route."""
        base = self._base()
        dead = [path for path in self._workers() if not lives(_pid(path))]
        new = [path for path in dead if path.name not in base.added]
        found = [one for path in new if (one := _newest(path)) is not None]
        counters = added([base.counters, *(one.counters for one in found)])
        base.counters = listed_series(of_releases(counters, releases))
        base.added = [*base.added, *(path.name for path in new)][-_REMEMBERED:]
        self._write(base)
        for path in dead:
            path.unlink(missing_ok=True)

    def read(self) -> Counts:
        """Counters of all workers, those of the dead included, and gauges of those that live."""
        # The files before the base: what is buried in between is named by it.
        read = [(path.name, one) for path in self._workers() if (one := _newest(path)) is not None]
        base = self._base()
        counters = [base.counters, *(one.counters for name, one in read if name not in base.added)]
        living = [one for _, one in read if lives(one.pid)]
        workers: Counts = {"trimtab_workers": {(): [len(living)]}}
        return added([base.facts, *counters, *(one.gauges for one in living)]) | workers

    def _workers(self) -> list[Path]:
        return sorted(path for path in self._path.glob(_FILES) if path.name != _BASE)

    def _base(self) -> Base:
        try:
            return _decode_base((self._path / _BASE).read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return Base()

    def _write(self, base: Base) -> None:
        new = self._path / f".{_BASE}"
        new.write_bytes(_encode(base))
        new.replace(self._path / _BASE)


def _newest(path: Path) -> Snapshot | None:
    """The newest half that is whole; None before the first."""
    halves: list[tuple[int, bytes]] = []
    with suppress(FileNotFoundError):
        data = path.read_bytes()
        for at in range(0, len(data) - _HALF_BYTES + 1, _HALF_BYTES):
            number, size, crc = _HEAD.unpack_from(data, at)
            body = data[at + _HEAD.size : at + _HEAD.size + size]
            if number and len(body) == size and zlib.crc32(body) == crc:
                halves.append((number, body))
    if not halves:
        return None
    with suppress(msgspec.DecodeError):
        return _decode_snapshot(max(halves)[1])
    return None


def _pid(path: Path) -> int:
    return int(path.stem.partition("-")[2])
