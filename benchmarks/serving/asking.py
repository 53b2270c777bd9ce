"""Connections that ask for one row after the other, and note what came back, and when."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

END_S = 10.0  # for what is under way
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Answer:
    """To one request; seconds of the monotonic clock."""

    row: int
    begun_s: float
    ended_s: float
    head: bytes
    body: bytes

    @cached_property
    def _said(self) -> Any:
        return msgspec.json.decode(self.body) if self.head.startswith(b"HTTP/1.1 200 ") else {}

    @property
    def generation(self) -> int:
        """Of the route under which it was answered; -1 if it was refused."""
        return int(self._said.get("generation", -1))

    def right(self, scores: Sequence[float]) -> bool:
        """Whether it holds the score that a model gives to its row."""
        rows = self._said.get("predictions", [])
        return len(rows) == 1 and abs(rows[0]["score"] - scores[self.row]) <= TOLERANCE


@dataclass
class Asking:
    """Full load: each connection sends its next request as soon as the last one is answered."""

    port: int
    path: str
    bodies: Sequence[bytes]
    answers: list[Answer] = field(default_factory=list)
    broken: int = 0  # requests that were never answered
    stopping: bool = False
    _next: int = 0
    _connections: list[_Connection] = field(default_factory=list)

    async def begin(self, connections: int) -> None:
        """Open them, and let them ask."""
        gc.disable()  # a hundred thousand answers are kept: no pause shall be taken for the server's
        for _ in range(connections):
            _, one = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self), "127.0.0.1", self.port
            )
            self._connections.append(one)

    async def end(self) -> None:
        """Let what is under way be answered; what is not within some seconds is broken."""
        self.stopping = True
        until_s = time.monotonic() + END_S
        while any(one.waiting for one in self._connections) and time.monotonic() < until_s:
            await asyncio.sleep(0.01)
        self.broken += sum(one.waiting for one in self._connections)
        for one in self._connections:
            one.close()
        gc.enable()

    def request(self) -> tuple[int, bytes]:
        """The next row and its request."""
        row = self._next = (self._next + 1) % len(self.bodies)
        body = self.bodies[row]
        head = b"POST %s HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        return row, head % (self.path.encode(), len(body)) + body


class _Connection(asyncio.Protocol):
    """One of them. A broken one is a failed request, and is not opened again."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._row = 0
        self._begun_s = 0.0
        self._buffer = b""
        self.waiting = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, length = head.lower().partition(b"content-length: ")
        if len(body) < int(length.partition(b"\r\n")[0]):
            return
        self._buffer = b""
        self.waiting = False
        self._asking.answers.append(Answer(self._row, self._begun_s, time.monotonic(), head, body))
        if not self._asking.stopping:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        if self.waiting:
            self.waiting = False
            self._asking.broken += 1

    def close(self) -> None:
        self.waiting = False
        self._transport.close()

    def _ask(self) -> None:
        self._row, request = self._asking.request()
        self.waiting = True
        self._begun_s = time.monotonic()
        self._transport.write(request)
