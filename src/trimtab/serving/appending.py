"""Appends of one worker: those that wait together are written together, in a thread beside the event loop."""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeAlias

from trimtab.kernel.access_key import Scope
from trimtab.kernel.errors import TrimtabError
from trimtab.ports.streams import Accepted, Append, Streams
from trimtab.serving.problem import Problem
from trimtab.serving.wire import Schema

_TOGETHER = 64  # requests of one write
_TOGETHER_BYTES = 8 << 20
WAITING_BYTES = 64 << 20


class RowsWire(Protocol):
    """One way in which rows of streams come over HTTP."""

    address: str
    scope: Scope  # that a key must have

    def source_of(self, path: str) -> str:
        """The stream that an address names; empty if the address is another one's."""
        ...

    def rows(self, body: bytes) -> bytes:
        """A request's body as streams read it: {"rows": […]}.

        Raises:
            RequestInvalid: it is not one of this protocol's.
        """
        ...

    def encode(self, source: str, found: Accepted) -> bytes:
        """The answer to an accepted request."""
        ...

    def problem(self, error: Exception, path: str) -> Problem:
        """The answer to a request that was not accepted."""
        ...

    def described(self) -> Schema:
        """What OpenAPI 3.1 says to its address."""
        ...


_Waiting: TypeAlias = tuple[Append, asyncio.Future[Accepted | TrimtabError]]


class Appending:
    """Belongs to one event loop; its methods are called there."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._writer: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        """Whether as much waits as this worker will hold."""
        return self._waiting_bytes > WAITING_BYTES

    async def append(self, request: Append) -> Accepted | TrimtabError:
        """What became of a request, once that is certain.

        Raises:
            Exception: whatever else went wrong; it is not known whether the rows were accepted.
        """
        future: asyncio.Future[Accepted | TrimtabError] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        self._waiting_bytes += len(request.body)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        # A client that goes away takes nothing back: its rows are written all the same.
        return await asyncio.shield(future)

    async def close(self) -> None:
        """Write what waits."""
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        while self._waiting:
            group = self._next()
            try:
                found = await asyncio.to_thread(self._streams.append, [request for request, _ in group])
                for (_, future), one in zip(group, found, strict=True):
                    future.set_result(one)
                await asyncio.to_thread(self._streams.tidy)
            except Exception as error:  # of a store: each request gets its answer
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
        self._writer = None

    def _next(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        held_bytes = 0
        for one in self._waiting[:_TOGETHER]:
            held_bytes += len(one[0].body)
            if group and held_bytes > _TOGETHER_BYTES:
                break
            group.append(one)
        del self._waiting[: len(group)]
        self._waiting_bytes -= sum(len(request.body) for request, _ in group)
        return group
