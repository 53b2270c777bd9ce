"""The data plane of one worker: a raw ASGI application.

body → rows → instants → answers of the release in force → records, staged → commit → the answer leaves.
Whatever goes wrong on the way is a Problem: JSON with a status, never an exception into the server.
"""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from asyncio import Future
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from trimtab.kernel.canonical import Json
from trimtab.kernel.errors import RequestInvalid
from trimtab.kernel.moment import to_us
from trimtab.ports.clock import Clock
from trimtab.ports.streams import Accepted, Append
from trimtab.serving.appending import WAITING_BYTES, Appending
from trimtab.serving.log_writer import LogWriter
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
from trimtab.serving.protocols import native_json, source_rows
from trimtab.serving.protocols.native_json import Answer, Answered, ClockMode
from trimtab.serving.released import Released, Serving
from trimtab.serving.scoring import score, without

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_SYSTEMS = "/v1/systems/"
_PREDICT = "/predict"
_JSON = (b"content-type", b"application/json")
_REPEAT_S = 5.0  # a release that cannot score is told of once in this time, with its stack
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
        log: LogWriter,
        clock: Clock,
        metrics: Metrics,
        mode: ClockMode,
        limits: Limits,
        appending: Appending | None = None,
    ) -> None:
        self._system = system
        self._released = released
        self._log = log
        self._clock = clock
        self._metrics = metrics
        self._mode = mode
        self._limits = limits
        self._appending = appending  # None: this server takes no rows
        self._reading: dict[asyncio.Task[None] | None, float] = {}  # requests whose body is awaited → until when
        self._told_s: dict[str, float] = {}  # releases that could not score → when that was told
        self._late: set[asyncio.Task[None] | None] = set()
        self._path = f"{_SYSTEMS}{system}{_PREDICT}"
        self._gets: dict[str, Callable[[str], Problem | bytes]] = {
            "/healthz": lambda _: b'{"status":"alive"}',
            "/readyz": self._ready,
            "/metrics": lambda _: metrics.text(generation=self._generation()),
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        path: str = scope["path"]
        method: str = scope["method"]
        if path != self._path:
            if self._appending is not None and (source := source_rows.source_of(path)):
                await self._append(source, self._appending, scope, receive, send)
                return
            found = self._get(path, method)
            kind = _TEXT if path == "/metrics" and isinstance(found, bytes) else _JSON
            await _reply(send, found, kind)
        elif method != "POST":
            await self._refuse(send, wrong_method(path, method, "POST"))
        else:
            body = await self._body(scope, receive)
            if isinstance(body, bytes):
                await self._predict(body, send)
            elif body is not None:
                await self._refuse(send, body)

    def turn(self) -> None:
        """Called every few hundredths of a second: give up bodies that do not arrive. A timer each costs 5 µs."""
        now_s = time.monotonic()
        while self._reading and (task := next(iter(self._reading))) and self._reading[task] < now_s:
            del self._reading[task]
            self._late.add(task)
            task.cancel()

    async def _predict(self, body: bytes, send: Send) -> None:
        started_s = time.perf_counter()
        serving = self._released.enter()
        if serving is None:
            await self._refuse(send, not_ready(self._path, self._system))
            return
        problem: Problem | None = None
        try:
            answer, by, committed = self._answer(body, serving, started_s)
            await committed
        except Exception as error:  # the release runs foreign code: one request's error must stay one answer
            problem = problem_of(error, self._path)
            if problem.status >= 500 and problem.status != 503:
                _print_error()
        finally:
            self._released.leave(serving)
        if problem is not None:
            await self._refuse(send, problem)
            return
        self._metrics.answered(by, time.perf_counter() - started_s)
        await _reply(send, answer, _JSON)

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
                _print_error()
                done = error
            if isinstance(done, Exception):
                found = source_rows.problem(done, path)
            else:
                found = source_rows.encode(source, done)
                self._metrics.appended(source, done.rows)
        self._metrics.append_answered(found.status if isinstance(found, Problem) else 200)
        await _reply(send, found, _JSON)

    def _answer(self, body: bytes, serving: Serving, started_s: float) -> tuple[bytes, list[str], Future[None]]:
        """The answer's bytes, the release that answers each row, and the future after which it may leave."""
        champion, route = serving.releases[0], serving.route
        sent = native_json.decode(body, max_rows=self._limits.rows)
        rows, at_us = native_json.instants(sent, mode=self._mode, now_us=to_us(self._clock.now()))
        keys = [native_json.key_of(row, champion.key, index) for index, row in enumerate(rows)]
        scored = score(serving.releases, rows, at_us, failed=self._unscored)
        latency_us = max(0, int((time.perf_counter() - started_s) * 1e6))
        by = [digest if (digest := route.answering(key)) in scored else champion.digest for key in keys]
        records = [
            (
                self._system,
                digest,
                route.generation,
                key,
                at_us[index],
                sent[index],
                scored[digest].block.values[index],
                scored[digest].block.ages_us[index],
                scored[digest].scores[index],
                [(other, one.scores[index]) for other, one in scored.items() if other != digest],
                latency_us,
            )
            for index, (key, digest) in enumerate(zip(keys, by, strict=True))
        ]
        ids, committed = self._stage(records)
        predictions = [
            Answered(id, key, digest, record[8], *without(scored[digest].release, scored[digest].block, index))
            for index, (id, key, digest, record) in enumerate(zip(ids, keys, by, records, strict=True))
        ]
        return native_json.encode(Answer(self._system, route.generation, predictions)), by, committed

    def _unscored(self, release: str, rows: int) -> None:
        self._metrics.unscored(release, rows)
        now_s = time.monotonic()
        if now_s - self._told_s.get(release, -_REPEAT_S) >= _REPEAT_S:
            self._told_s[release] = now_s
            _print_error()

    def _stage(self, records: Sequence[Any]) -> tuple[list[str], Future[None]]:
        try:
            return self._log.stage(records)
        except (OverflowError, RecursionError) as error:
            raise RequestInvalid(
                "a row holds a value that cannot be recorded",
                where="instances",
                allowed="integers of at most 64 bits, and moderate nesting",
                got=str(error),
                do="send large numbers as text",
            ) from error

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
            return known(path) if method in {"GET", "HEAD"} else wrong_method(path, method, "GET")
        if path.startswith(_SYSTEMS) and path.endswith(_PREDICT) and len(path) > len(_SYSTEMS) + len(_PREDICT):
            return no_such_system(path, path[len(_SYSTEMS) : -len(_PREDICT)], self._system)
        rows = () if self._appending is None else (source_rows.ADDRESS,)
        return no_such_path(path, (self._path, *rows, *self._gets))

    def _ready(self, path: str) -> Problem | bytes:
        serving = self._released.serving
        if serving is None:
            return not_ready(path, self._system)
        status: dict[str, Json] = {"status": "ready", "generation": serving.route.generation}
        return native_json.encode({**status, "system": self._system, "release": serving.route.champion})

    def _generation(self) -> int:
        serving = self._released.serving
        return 0 if serving is None else serving.route.generation

    async def _refuse(self, send: Send, problem: Problem) -> None:
        self._metrics.refused(problem.status)
        await _reply(send, problem, _JSON)


def _print_error() -> None:
    """The exception that is handled now, with its stack; an answer must not fail for want of space for that."""
    with suppress(OSError):
        traceback.print_exc(file=sys.stderr)


async def _reply(send: Send, found: Problem | bytes, kind: tuple[bytes, bytes]) -> None:
    if isinstance(found, Problem):
        status, body = found.status, found.encode()
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
