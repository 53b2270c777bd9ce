"""The thread behind a log writer: it has written bytes reach the disk, hashes them, and seals segments."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from trimtab.serving.segment import Header
from trimtab.serving.segment_folder import SegmentFolder

_RETRY_SEAL_S = 1.0
_PIECE_BYTES = 1 << 20  # that are hashed at once


@dataclass
class LiveSegment:
    """A segment that this process is writing."""

    fd: int
    path: Path
    header: Header
    size_bytes: int  # the byte behind the last whole frame
    born_s: float  # monotonic
    count: int = 0  # of the records that the keeper has taken over; this and `hash` are touched by its thread only
    hash: Any = field(default_factory=hashlib.sha256)  # of the file's bytes up to them
    named: bool = False  # whether the folder's entry has reached the disk

    def __post_init__(self) -> None:
        self.hash.update(self.header.encode())

    def append(self, data: bytes) -> None:
        """Write all of it, or leave the file as it was.

        Raises:
            OSError: the disk does not take it.
        """
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self.fd, left) :]
        except OSError:
            os.ftruncate(self.fd, self.size_bytes)
            raise
        self.size_bytes += len(data)


class Written(NamedTuple):
    """One commit on its way to the disk."""

    live: LiveSegment
    data: bytes
    records: int  # how many they are
    then: Callable[[OSError | None], None] | None  # called in the keeper's thread once flushed, or once that failed


@dataclass(frozen=True)
class Lag:
    """What was written and is not on the disk yet."""

    commits: int
    records: int
    bytes: int
    seconds: float  # since the oldest was written


class LogKeeper:
    """Flushes what was written: within `flush_s`, or at once.

    Args:
        flush_s: how long written bytes may wait; 0: flush without waiting (others gather meanwhile).
        failed: told of flushes and seals that failed, in the keeper's thread.
    """

    def __init__(
        self, folder: SegmentFolder, *, flush_s: float, failed: Callable[[LiveSegment, OSError], None]
    ) -> None:
        self._folder = folder
        self._flush_s = flush_s
        self._failed = failed
        self._wake = threading.Condition()
        self._work: list[Written] = []
        self._flushing: list[Written] = []
        self._since_s = self._flushing_since_s = 0.0  # monotonic, of the oldest of each
        self._to_seal: list[tuple[LiveSegment, Callable[[], None]]] = []
        self._urgent = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def wrote(self, work: Written) -> None:
        """Take over a commit."""
        with self._wake:
            self._work.append(work)
            if len(self._work) == 1:
                self._since_s = time.monotonic()
                self._wake.notify()

    def seal(self, live: LiveSegment, then: Callable[[], None]) -> None:
        """Seal a segment that gets no more records; `then` is called in the keeper's thread when it is done."""
        with self._wake:
            self._to_seal.append((live, then))
            self._urgent = True
            self._wake.notify()

    def lag(self) -> Lag:
        """How far the disk is behind; asked now and then, from any thread."""
        with self._wake:
            flushing, work = self._flushing, list(self._work)
            since_s = self._flushing_since_s if flushing else self._since_s
        behind = (*flushing, *work)
        seconds = time.monotonic() - since_s if behind else 0.0
        return Lag(len(behind), sum(one.records for one in behind), sum(len(one.data) for one in behind), seconds)

    def stop(self) -> None:
        """Finish what was taken over and end the thread. What cannot be sealed is left to the next start."""
        with self._wake:
            self._stopping = self._urgent = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                retry_s = _RETRY_SEAL_S if self._to_seal else None
                if not self._work and not self._urgent:
                    self._wake.wait(retry_s)
                if self._work and self._flush_s and not self._urgent:
                    self._wake.wait_for(lambda: self._urgent, self._flush_s)
                work, self._work = self._work, []
                self._flushing, self._flushing_since_s = work, self._since_s
                sealing, self._to_seal = self._to_seal, []
                self._urgent = False
                stopping = self._stopping
            self._flush(work)
            self._flushing = []
            left = [one for one in sealing if not self._sealed(*one)]
            with self._wake:
                self._to_seal = left + self._to_seal
            if stopping:
                return

    def _flush(self, work: Sequence[Written]) -> None:
        for piece in _pieces(work):
            piece[0].live.hash.update(b"".join([one.data for one in piece]))
            piece[0].live.count += sum(one.records for one in piece)
        outcome: dict[int, OSError | None] = {}
        for live in {one.live.fd: one.live for one in work}.values():
            try:
                if not live.named:  # its number first: what is on the disk has one that is never given again
                    self._folder.sync()
                    live.named = True
                os.fdatasync(live.fd)
                outcome[live.fd] = None
            except OSError as error:
                outcome[live.fd] = error
                self._failed(live, error)
        for one in work:
            if one.then is not None:
                one.then(outcome[one.live.fd])

    def _sealed(self, live: LiveSegment, then: Callable[[], None]) -> bool:
        try:
            digest = live.hash.digest()
            self._folder.seal(live.fd, live.path, end=live.size_bytes, count=live.count, digest=digest)
        except OSError as error:
            self._failed(live, error)
            return False
        os.close(live.fd)
        then()
        return True


def _pieces(work: Sequence[Written]) -> Iterator[list[Written]]:
    """Commits to one segment after another, as many as are hashed at once.

    To hash one commit after the other asks for Python's lock as often, and the event loop, which gives it away at
    each write, gets it back later each time: its writes took four times as long.
    """
    piece: list[Written] = []
    size_bytes = 0
    for one in work:
        if piece and (one.live is not piece[0].live or size_bytes >= _PIECE_BYTES):
            yield piece
            piece, size_bytes = [], 0
        piece.append(one)
        size_bytes += len(one.data)
    if piece:
        yield piece
