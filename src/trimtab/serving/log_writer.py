"""The prediction log's writer: one per worker. Records of one turn of the event loop are committed by one write.

Mode "write": a record has left the process before its answer does (it survives the death of everything but the
machine), and reaches the disk within 100 ms. Mode "fsync": it has reached the disk before its answer leaves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal, TypeAlias, get_args

from trimtab.kernel.errors import InvalidValue, LogUnwritable, listed
from trimtab.kernel.prediction_id import consecutive_ids, prediction_ids
from trimtab.serving.block import Block
from trimtab.serving.frames import FRAME_BYTES, framed
from trimtab.serving.log_keeper import Lag, LiveSegment, LogKeeper, Written
from trimtab.serving.record import Record, encode_record
from trimtab.serving.segment_folder import SegmentFolder

Mode: TypeAlias = Literal["write", "fsync"]
Then: TypeAlias = Callable[[LogUnwritable | None], None]
_REPEAT_S = 5.0  # the same failure is reported once in this time


@dataclass(frozen=True)
class LogPolicy:
    """When records are flushed, and when a segment ends."""

    mode: Mode = "write"
    segment_bytes: int = 8 << 20
    segment_age_s: float = 300.0
    flush_s: float = 0.1  # at most this long between write and flush, in mode "write"
    pause_s: float = 0.1  # after a failure of the disk: requests are refused without trying again

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise InvalidValue("prediction log mode", self.mode, allowed=listed(get_args(Mode)))


class LogWriter:
    """Writes one worker's segments. Belongs to one event loop; its methods are called there."""

    def __init__(
        self,
        folder: SegmentFolder,
        *,
        system: str,
        worker: int,
        policy: LogPolicy,
        report: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._system = system
        self._worker = worker
        self._policy = policy
        self._report = report
        self._loop = asyncio.get_running_loop()
        flush_s = policy.flush_s if policy.mode == "write" else 0.0
        self._keeper = LogKeeper(folder, flush_s=flush_s, failed=self._keeper_failed)
        self._live: LiveSegment | None = None
        self._pending: list[bytes] = []  # pieces of frames
        self._pending_bytes = self._pending_records = 0
        self._waiting: list[Then] = []
        self._seals: set[asyncio.Future[None]] = set()
        self._refuse_until_s = 0.0
        self._refused_with = ""
        self._reported: dict[str, float] = {}

    def stage(self, records: Sequence[Record]) -> tuple[list[str], asyncio.Future[None]]:
        """As `take`, with a future that is done once they are written; it raises LogUnwritable if that failed."""
        future: asyncio.Future[None] = self._loop.create_future()
        return self.take(records, lambda refused: _settle(future, refused)), future

    def take(self, records: Sequence[Record], then: Then) -> list[str]:
        """Take records for the commit of this turn, and give them ids.

        Nothing may be answered before `then` is called, which happens in the event loop and never within this call:
        with None once they are written, or with the reason why they could not be.

        Raises:
            LogUnwritable: the disk takes nothing.
            OverflowError: a record holds an integer beyond 64 bits.
        """
        payloads = [records.encode()] if isinstance(records, Block) else list(map(encode_record, records))
        live = self._live or self._open()
        sizes = [len(one) + FRAME_BYTES for one in payloads]
        *offsets, end = accumulate(sizes, initial=live.size_bytes + self._pending_bytes)
        self._pending += framed(payloads)
        self._pending_bytes = end - live.size_bytes
        self._pending_records += len(records)
        number = live.header.number
        if isinstance(records, Block):
            ids = consecutive_ids(records.at_us // 1000, self._worker, number, offsets[0], len(records))
        else:
            ids = prediction_ids([one[4] // 1000 for one in records], self._worker, number, offsets)
        if not self._waiting:
            self._loop.call_soon(self.commit)
        self._waiting.append(then)
        return ids

    def lag(self) -> Lag:
        """What is not on the disk yet; `commits` are those that answers wait for."""
        lag = self._keeper.lag()
        return replace(lag, commits=len(self._waiting) + (lag.commits if self._policy.mode == "fsync" else 0))

    def turn(self) -> None:
        """Called now and then: ends a segment that has grown old."""
        if self._live is not None and time.monotonic() - self._live.born_s > self._policy.segment_age_s:
            self.commit()
            self._end_segment()

    async def seal(self) -> None:
        """Seal everything written so far; the next record begins a new segment."""
        self.commit()
        self._end_segment()
        if self._seals:
            await asyncio.wait(self._seals)

    async def close(self) -> None:
        """Commit, seal and stop."""
        self.commit()
        self._end_segment()
        await asyncio.to_thread(self._keeper.stop)

    def _open(self) -> LiveSegment:
        now_s = time.monotonic()
        if now_s < self._refuse_until_s:
            raise LogUnwritable(str(self._folder.path), got=self._refused_with)
        try:
            fd, path, header = self._folder.create(self._system, self._worker)
        except OSError as error:
            raise self._refuse(error) from error
        self._live = LiveSegment(fd, path, header, len(header.encode()), now_s)
        return self._live

    def commit(self) -> None:
        """Write what was taken; at the end of the turn it would be written anyway."""
        if not self._waiting:
            return
        data, count, waiting = b"".join(self._pending), self._pending_records, self._waiting
        self._pending, self._pending_bytes, self._pending_records, self._waiting = [], 0, 0, []
        live = self._live
        assert live is not None
        try:
            live.append(data)
        except OSError as error:
            # Whatever the disk did with this file, the next record begins another one.
            self._end_segment()
            refused = self._refuse(error)
            _tell(waiting, refused)
            return
        if self._policy.mode == "fsync":
            self._keeper.wrote(Written(live, data, count, lambda error: self._flushed(waiting, error)))
        else:
            self._keeper.wrote(Written(live, data, count, None))
            _tell(waiting, None)
        if live.size_bytes >= self._policy.segment_bytes:
            self._end_segment()

    def _end_segment(self) -> None:
        live, self._live = self._live, None
        if live is None:
            return
        sealed: asyncio.Future[None] = self._loop.create_future()
        self._seals.add(sealed)
        sealed.add_done_callback(self._seals.discard)
        self._keeper.seal(live, lambda: self._in_loop(_settle, sealed, None))

    def _refuse(self, error: OSError) -> LogUnwritable:
        self._refuse_until_s = time.monotonic() + self._policy.pause_s
        self._refused_with = str(error)
        self._say(f"prediction log: {error}; requests are answered with 503")
        return LogUnwritable(str(self._folder.path), got=str(error))

    def _flushed(self, waiting: Sequence[Then], error: OSError | None) -> None:
        refused = None if error is None else LogUnwritable(str(self._folder.path), got=str(error))
        self._in_loop(_tell, waiting, refused)

    def _keeper_failed(self, live: LiveSegment, error: OSError) -> None:
        self._say(f"prediction log: segment {live.header.name}: {error}")
        self._in_loop(self._abandon, live)

    def _abandon(self, live: LiveSegment) -> None:
        """A file that the disk did not flush gets no more records."""
        if live is self._live:
            self.commit()
            self._end_segment()

    def _say(self, text: str) -> None:
        now_s = time.monotonic()
        if now_s - self._reported.get(text, -_REPEAT_S) >= _REPEAT_S:
            self._reported = {one: at_s for one, at_s in self._reported.items() if now_s - at_s < _REPEAT_S}
            self._reported[text] = now_s
            self._report(text)

    def _in_loop(self, call: Callable[..., None], *args: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *args)


def _settle(future: asyncio.Future[None], refused: LogUnwritable | None) -> None:
    if future.done():
        return
    if refused is None:
        future.set_result(None)
    else:
        future.set_exception(refused)


def _tell(waiting: Sequence[Then], refused: LogUnwritable | None) -> None:
    for then in waiting:
        try:
            then(refused)
        except Exception as error:  # the answers behind it must leave all the same
            context = {"message": "an answer could not be sent", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
