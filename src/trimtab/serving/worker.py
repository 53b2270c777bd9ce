"""The data plane of one worker: a raw ASGI application.

body → rows → instants → answers of the release in force → records, staged → commit → the answer leaves.
Whatever goes wrong on the way is a Problem in the words of the protocol that was spoken, never an exception into
the server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from trimtab.ports.streams import Accepted, Append
from trimtab.serving.answering import Answering, print_error
from trimtab.serving.appending import WAITING_BYTES, Appending
from trimtab.serving.metrics import Metrics
from trimtab.serving.problem import (
    Problem,
    body_too_large,
    body_too_slow,
    no_such_path,
    no_such_system,
    not_ready,
    problem_of,
    wrong_method,
)
from trimtab.serving.protocols import source_rows
from trimtab.serving.protocols.native_json import PREDICT, SYSTEMS
from trimtab.serving.released import Released, Serving
from trimtab.serving.wire import Get, Wire

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


@dataclass(frozen=True)
class Limits:
    """What one request may take."""

    body_bytes: int = 4 << 20
    rows: int = 1000
    body_s: float = 30.0


class Worker:
    """The ASGI application."""

    def __init__(
        self,
        system: str,
        *,
        released: Released,
        answering: Answering,
        metrics: Metrics,
        limits: Limits,
        wires: Sequence[Wire],
        appending: Appending | None = None,
    ) -> None:
        self._system = system
        self._released = released
        self._answering = answering
        self._metrics = metrics
        self._limits = limits
        self._appending = appending  # None: this server takes no rows
        self._reading: dict[asyncio.Task[None] | None, float] = {}  # requests whose body is awaited → until when
        self._late: set[asyncio.Task[None] | None] = set()
        self._predicts = {path: wire for wire in wires for path in wire.predicts}
        self._gets: dict[str, Get] = {
            "/healthz": lambda _path, _serving: b'{"status":"alive"}',
            "/readyz": self._ready,
            "/metrics": lambda _path, serving: metrics.text(generation=_generation(serving)),
        }
        for wire in wires:
            self._gets.update(wire.gets)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        path: str = scope["path"]
        method: str = scope["method"]
        wire = self._predicts.get(path)
        if wire is None:
            if self._appending is not None and (source := source_rows.source_of(path)):
                await self._append(source, self._appending, scope, receive, send)
                return
            found = self._get(path, method)
            kind = _TEXT if path == "/metrics" and isinstance(found, bytes) else JSON
            await _reply(send, found, kind)
        elif method != "POST":
            await self._refuse(send, wire, wrong_method(path, method, "POST"))
        else:
            body = await self._body(scope, receive)
            if isinstance(body, bytes):
                await self._predict(wire, path, body, scope, send)
            elif body is not None:
                await self._refuse(send, wire, body)

    def turn(self) -> None:
        """Called every few hundredths of a second: give up bodies that do not arrive. A timer each costs 5 µs."""
        now_s = time.monotonic()
        while self._reading and (task := next(iter(self._reading))) and self._reading[task] < now_s:
            del self._reading[task]
            self._late.add(task)
            task.cancel()

    async def _predict(self, wire: Wire, path: str, body: bytes, scope: Message, send: Send) -> None:
        started_s = time.perf_counter()
        serving = self._released.enter()
        if serving is None:
            await self._refuse(send, wire, not_ready(path, self._system))
            return
        problem: Problem | None = None
        try:
            asked = wire.decode(body, scope["headers"], max_rows=self._limits.rows)
            answer, by, committed = self._answering.answer(asked.rows, serving, started_s)
            encoded = wire.encode(answer, asked)
            await committed
        except Exception as error:  # the release runs foreign code: one request's error must stay one answer
            problem = problem_of(error, path)
            if problem.status >= 500 and problem.status != 503:
                print_error()
        finally:
            self._released.leave(serving)
        if problem is not None:
            await self._refuse(send, wire, problem)
            return
        self._metrics.answered(by, time.perf_counter() - started_s)
        await _reply(send, encoded, JSON)

    async def _append(
        self, source: str, appending: Appending, scope: Message, receive: Receive, send: Send
    ) -> None:
        path: str = scope["path"]
        method: str = scope["method"]
        body = await self._body(scope, receive) if method == "POST" else wrong_method(path, method, "POST")
        if body is None:
            return
        found: Problem | bytes
        if isinstance(body, Problem):
            found = body
        elif appending.full:
            found = source_rows.too_many(path, WAITING_BYTES)
        else:
            done: Accepted | Exception
            try:
                done = await appending.append(Append(source, body, source_rows.key_of(scope["headers"])))
            except Exception as error:  # one request's error must stay one answer
                print_error()
                done = error
            if isinstance(done, Exception):
                found = source_rows.problem(done, path)
            else:
                found = source_rows.encode(source, done)
                self._metrics.appended(source, done.rows)
        self._metrics.append_answered(found.status if isinstance(found, Problem) else 200)
        await _reply(send, found, JSON)

    async def _body(self, scope: Message, receive: Receive) -> bytes | Problem | None:
        """The whole body; None if the client went away."""
        limit = self._limits.body_bytes
        for name, value in scope["headers"]:
            # uvicorn has parsed the number already.
            if name == b"content-length" and int(value) > limit:
                return body_too_large(scope["path"], f"{int(value)} bytes", limit)
        task = asyncio.current_task()
        self._reading[task] = time.monotonic() + self._limits.body_s
        try:
            body = b""
            more = True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > limit:
                    return body_too_large(scope["path"], f"more than {limit} bytes", limit)
        except asyncio.CancelledError:
            if task is None or task not in self._late:
                raise
            task.uncancel()
            return body_too_slow(scope["path"], self._limits.body_s)
        finally:
            self._reading.pop(task, None)
            self._late.discard(task)
        return None if message["type"] == "http.disconnect" else body

    def _get(self, path: str, method: str) -> Problem | bytes:
        """Everything but predictions."""
        known = self._gets.get(path)
        if known is not None:
            if method in {"GET", "HEAD"}:
                return known(path, self._released.serving)
            return wrong_method(path, method, "GET")
        if path.startswith(SYSTEMS) and path.endswith(PREDICT) and len(path) > len(SYSTEMS) + len(PREDICT):
            return no_such_system(path, path[len(SYSTEMS) : -len(PREDICT)], self._system)
        rows = () if self._appending is None else (source_rows.ADDRESS,)
        return no_such_path(path, (*self._predicts, *rows, *self._gets))

    def _ready(self, path: str, serving: Serving | None) -> Problem | bytes:
        if serving is None:
            return not_ready(path, self._system)
        return msgspec.json.encode(
            {
                "status": "ready",
                "generation": serving.route.generation,
                "system": self._system,
                "release": serving.route.champion,
            }
        )

    async def _refuse(self, send: Send, wire: Wire, problem: Problem) -> None:
        self._metrics.refused(problem.status)
        await _reply(send, problem, JSON, wire.refuse(problem))


def _generation(serving: Serving | None) -> int:
    return 0 if serving is None else serving.route.generation


async def _reply(
    send: Send, found: Problem | bytes, kind: tuple[bytes, bytes], refusal: bytes | None = None
) -> None:
    if isinstance(found, Problem):
        status, body = found.status, refusal or found.encode()
    else:
        status, body = 200, found
    headers = [kind, (b"content-length", str(len(body)).encode())]
    if isinstance(found, Problem) and status == 405:
        headers.append((b"allow", found.allowed.encode()))
    if isinstance(found, Problem) and status == 408:
        headers.append((b"connection", b"close"))
    if isinstance(found, Problem) and status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
