"""The beginning of a request, held back until its rest comes.

httpx, requests, http.client and many others send the head of a request in one write and its body in the next one.
What is held back is read together with what comes next, as if the network had brought both at once. It may do so
with any bytes, so that nothing behind this can tell, and all that holds for one read holds for these.

Nothing is held for longer than a tenth of a second, counted from its first byte: then it is read as it is, and has
the time that the rest of a body has anyway. Nagle's algorithm and a delayed acknowledgement keep a client's second
write for 40 ms, which is within that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

HELD_BYTES = 64 << 10  # of a body: longer ones are read as they come
_HELD_S = 0.1


class HeldBack:
    """Of one connection: at most one head, and less than its body.

    Args:
        loop: that the connection belongs to.
        read: what is held is given to it, if its rest does not come in time.
    """

    __slots__ = ("_data", "_loop", "_read", "_since_s", "_timer", "lacking_bytes")

    def __init__(self, loop: asyncio.AbstractEventLoop, read: Callable[[bytes], None]) -> None:
        self.lacking_bytes = 0  # until the request is whole; 0: nothing is held
        self._loop, self._read = loop, read
        self._data = bytearray()
        self._since_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def hold(self, data: bytes, lacking_bytes: int) -> None:
        """Hold the beginning of a request, where nothing is held yet."""
        self._data += data
        self.lacking_bytes = lacking_bytes
        self._since_s = self._loop.time()
        if self._timer is None:  # else it looks again by itself: a timer for each request costs 2 µs
            self._timer = self._loop.call_later(_HELD_S, self._look)

    def joined(self, data: bytes) -> bytes | None:
        """What was held and what came next; None if the request is not whole: then all of it is held."""
        self._data += data
        self.lacking_bytes -= len(data)
        return self._taken() if self.lacking_bytes <= 0 else None

    def let_go(self) -> None:
        """Have what is held read as it is."""
        if self.lacking_bytes:
            self._read(self._taken())

    def close(self) -> None:
        """The connection is gone, and what was held with it."""
        self._taken()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _taken(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        self.lacking_bytes = 0
        return data

    def _look(self) -> None:
        self._timer = None
        if not self.lacking_bytes:
            return
        left_s = self._since_s + _HELD_S - self._loop.time()
        if left_s <= 0:
            self.let_go()
        else:
            self._timer = self._loop.call_later(left_s, self._look)
