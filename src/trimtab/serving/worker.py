"""The data plane of one worker: a raw ASGI application.

body → rows → instants → answers of the release in force → records, staged → commit → the answer leaves.
Whatever goes wrong on the way is a Problem in the words of the protocol that was spoken, never an exception into
the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from trimtab.kernel.access_key import Scope
from trimtab.kernel.errors import RequestInvalid
from trimtab.ports.streams import Accepted, Append
from trimtab.serving import openapi
from trimtab.serving.access import OPEN_PATHS, Access
from trimtab.serving.answering import print_error
from trimtab.serving.appending import WAITING_BYTES, Appending, RowsWire
from trimtab.serving.asgi import Message, Receive, Send, answer
from trimtab.serving.bodies import Bodies
from trimtab.serving.exposition import CONTENT_TYPE
from trimtab.serving.known_heads import KnownHeads
from trimtab.serving.limits import Limits
from trimtab.serving.metrics import Metrics
from trimtab.serving.predicting import Predicting, Reply
from trimtab.serving.problem import (
    Problem,
    body_too_large,
    coded_body,
    no_such_path,
    no_such_system,
    not_ready,
    wrong_method,
)
from trimtab.serving.protocols import source_rows
from trimtab.serving.protocols.feedback import Feedback
from trimtab.serving.protocols.native_json import PREDICT, SYSTEMS
from trimtab.serving.protocols.source_rows import SourceRows
from trimtab.serving.released import Released, Serving
from trimtab.serving.wire import Content, Get, Headers, Schema, Wire


class Worker:
    """The ASGI application."""

    def __init__(
        self,
        system: str,
        *,
        released: Released,
        predicting: Predicting,
        metrics: Metrics,
        exposed: Callable[[], bytes],
        limits: Limits,
        wires: Sequence[Wire],
        access: Access,
        appending: Appending | None = None,
    ) -> None:
        self._system = system
        self._released = released
        self._metrics = metrics
        self._limits = limits
        self._access = access
        self._predicting = predicting
        self._bodies = Bodies(limits)
        self._appending = appending  # None: this server takes no rows
        self._takers: tuple[RowsWire, ...] = (SourceRows(), Feedback(system))
        self._short_wire, self.short_path = wires[0], wires[0].predicts[0]  # of most requests
        self.short_address = self.short_path.encode()  # as the protocol below reads it
        self.known_heads = KnownHeads(self.short_address)  # for the protocol below
        self._predicts = {path: wire for wire in wires for path in wire.predicts}
        self._gets: dict[str, Get] = {
            "/healthz": lambda _path, _serving: b'{"status":"alive"}',
            "/readyz": self._ready,
            "/metrics": lambda _path, _serving: Content(exposed(), CONTENT_TYPE),
        }
        for wire in wires:
            self._gets.update(wire.gets)
        self._wires = wires
        self._speakers = {path: wire for wire in wires for path in (*wire.predicts, *wire.gets)}
        self._gets[openapi.ADDRESS] = self._described

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        path: str = scope["path"]
        method: str = scope["method"]
        wire = self._predicts.get(path)
        if not self._access.open and (denied := self._denied(path, scope["headers"])) is not None:
            await (self._tell(send, path, denied) if wire is None else self._refuse(send, wire, denied))
            return
        if wire is None:
            if self._appending is not None and (taker := self._taker(path)) is not None:
                await self._append(taker, self._appending, scope, receive, send)
                return
            found = self._get(path, method)
            await self._tell(send, path, found)
        elif method != "POST":
            await self._refuse(send, wire, wrong_method(path, method, "POST"))
        else:
            body = await self._bodies.read(scope, receive)
            if isinstance(body, bytes):
                await self._predict(wire, path, body, scope, send)
            elif body is not None:
                await self._refuse(send, wire, body)

    def _denied(self, path: str, headers: Headers) -> Problem | None:
        """What a request is refused with for want of a key; an address that nobody knows asks for any."""
        if path in OPEN_PATHS:
            return None
        scope: Scope | None = "predict" if path in self._predicts or path in self._gets else None
        if path == "/metrics":
            scope = "metrics"
        elif (taker := self._taker(path)) is not None:
            scope = taker.scope
        return self._access.check(headers, scope)

    def _taker(self, path: str) -> RowsWire | None:
        """The protocol that rows sent to this address come by."""
        return next((one for one in self._takers if one.source_of(path)), None)

    @property
    def limits(self) -> Limits:
        """For the protocol below, which reads requests."""
        return self._limits

    def refused(self, status: int) -> None:
        """Count a request that the protocol below has refused before it was read."""
        self._metrics.refused(status)

    def turn(self) -> None:
        """Called every few hundredths of a second: see to what does not come in time."""
        self._access.turn()
        self._predicting.turn()
        self._bodies.turn()

    async def _predict(self, wire: Wire, path: str, body: bytes, scope: Message, send: Send) -> None:
        replied: asyncio.Future[Problem | bytes] = asyncio.get_running_loop().create_future()
        self._predicting.predict(wire, path, body, scope["headers"], lambda found: _settle(replied, found))
        found = await replied
        await answer(send, found, wire.refuse(found) if isinstance(found, Problem) else None)

    def predict_short(self, body: bytes, headers: Headers, reply: Reply) -> None:
        """`predict` for the first address of the first protocol, with what is checked before that elsewhere."""
        path, limit = self.short_path, self._limits.body_bytes
        if not self._access.open and (denied := self._access.check(headers, "predict")) is not None:
            self._metrics.refused(denied.status)
            reply(denied)
            return
        if len(body) > limit:
            self._metrics.refused(413)
            reply(body_too_large(path, f"{len(body)} bytes", limit))
            return
        self._predicting.predict(self._short_wire, path, body, headers, reply)

    async def _append(
        self, taker: RowsWire, appending: Appending, scope: Message, receive: Receive, send: Send
    ) -> None:
        path: str = scope["path"]
        source = taker.source_of(path)
        method: str = scope["method"]
        body = await self._bodies.read(scope, receive) if method == "POST" else wrong_method(path, method, "POST")
        if body is None:
            return
        found: Problem | bytes
        if isinstance(body, Problem):
            found = body
        elif (coded := coded_body(path, scope["headers"])) is not None:
            found = coded
        elif appending.full:
            found = source_rows.too_many(path, WAITING_BYTES)
        else:
            done: Accepted | Exception
            try:
                rows = taker.rows(body)
                done = await appending.append(Append(source, rows, source_rows.key_of(scope["headers"])))
            except RequestInvalid as error:
                done = error
            except Exception as error:  # one request's error must stay one answer
                print_error()
                done = error
            if isinstance(done, Exception):
                found = taker.problem(done, path)
            else:
                found = taker.encode(source, done)
                self._metrics.appended(source, done.rows)
        self._metrics.append_answered(found.status if isinstance(found, Problem) else 200)
        await answer(send, found)

    def _get(self, path: str, method: str) -> Problem | bytes:
        """Everything but predictions."""
        known = self._gets.get(path)
        if known is not None:
            if method in {"GET", "HEAD"}:
                return known(path, self._released.serving)
            return wrong_method(path, method, "GET")
        if path.startswith(SYSTEMS) and path.endswith(PREDICT) and len(path) > len(SYSTEMS) + len(PREDICT):
            return no_such_system(path, path[len(SYSTEMS) : -len(PREDICT)], self._system)
        wire = self._speaker(path)
        if wire is not None:
            return no_such_path(path, (*wire.predicts, *wire.gets))
        rows = () if self._appending is None else (one.address for one in self._takers)
        return no_such_path(path, (*self._predicts, *rows, *(self._gets.keys() - self._speakers.keys())))

    def _speaker(self, path: str) -> Wire | None:
        """The protocol that an address belongs to, also one that nobody answers."""
        below = (wire for wire in self._wires if wire.prefix and path.startswith(wire.prefix))
        return self._speakers.get(path) or next(below, None)

    async def _tell(self, send: Send, path: str, found: Problem | bytes) -> None:
        """The answer to anything but a prediction."""
        wire = self._speaker(path)
        await answer(send, found, wire.refuse(found) if wire and isinstance(found, Problem) else None)

    def _described(self, _path: str, serving: Serving | None) -> bytes:
        row: Schema = {"type": "object"}  # until a release says more
        if serving is not None:
            row = openapi.row(serving.releases[0].request, serving.releases[0].key)
        rows = () if self._appending is None else self._takers
        own = {**openapi.own_paths(), **{one.address: one.described() for one in rows}}
        parts = [own, *(wire.paths(row) for wire in self._wires)]
        return openapi.document(self._system, parts, keys=not self._access.open)

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
        await answer(send, problem, wire.refuse(problem))


def _settle(future: asyncio.Future[Problem | bytes], found: Problem | bytes) -> None:
    if not future.done():  # the client may have gone away
        future.set_result(found)
