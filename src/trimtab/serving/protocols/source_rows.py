"""Appending over HTTP: `POST /v1/sources/{name}/rows`.

    request   {"rows": [{column: value, …}, …]}, and perhaps a header Idempotency-Key
    answer    {"source", "accepted": rows, "known_at": instant, "late": rows}

`known_at` is the known time of rows that brought none, and of those that brought one which features had been made
up to already: "late" is how many these are, left out if there are none. The same key with the same rows gets the
same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from trimtab.kernel.access_key import Scope
from trimtab.kernel.errors import (
    Conflict,
    InboxUnwritable,
    NotAStream,
    RequestInvalid,
    RowsRefused,
    UnknownName,
)
from trimtab.kernel.label import FEEDBACK
from trimtab.kernel.moment import from_us
from trimtab.ports.streams import Accepted
from trimtab.serving.openapi import JSON, PROBLEM, STRING, WHOLE, many, post, record
from trimtab.serving.problem import Problem, problem_of
from trimtab.serving.wire import Schema

SOURCES = "/v1/sources/"
ADDRESS = "/v1/sources/{name}/rows"
_ROWS = "/rows"
_HEADER = b"idempotency-key"
_STATUS: dict[type[Exception], int] = {
    UnknownName: 404,
    NotAStream: 409,
    Conflict: 409,
    RequestInvalid: 400,
    RowsRefused: 422,
}


class _Answer(msgspec.Struct, omit_defaults=True):
    source: str
    accepted: int
    known_at: str
    late: int = 0


class SourceRows:
    """Implements RowsWire."""

    address = ADDRESS
    scope: Scope = "append"

    def described(self) -> Schema:
        """What OpenAPI says to the address of every stream."""
        name = {"name": "name", "in": "path", "required": True, "schema": STRING}
        rows = record({"rows": many({"type": "object"})})
        return described("Rows for a stream, on the disk when they are answered", rows, [name])

    def source_of(self, path: str) -> str:
        """The source that an address names; nothing if it is another address, or takes feedback by its own."""
        name = path[len(SOURCES) : -len(_ROWS)]
        ours = path.endswith(_ROWS) and path.startswith(SOURCES) and "/" not in name and name != FEEDBACK
        return name if ours else ""

    def rows(self, body: bytes) -> bytes:
        """The request's body as streams read it: as it is."""
        return body

    def encode(self, source: str, found: Accepted) -> bytes:
        """The answer to an accepted request."""
        return msgspec.json.encode(_Answer(source, found.rows, from_us(found.known_at_us).isoformat(), found.late))

    def problem(self, error: Exception, path: str) -> Problem:
        """The answer to a request that was not accepted."""
        status = _STATUS.get(type(error), 0)
        if isinstance(error, InboxUnwritable):
            status = 507 if error.full else 503
        if not status:
            return problem_of(error, path)
        assert isinstance(
            error, UnknownName | NotAStream | Conflict | RequestInvalid | RowsRefused | InboxUnwritable
        )
        return Problem(
            status,
            error.what,
            error.where or path,
            error.allowed or "rows of a stream that is declared",
            error.got or "the request as it was sent",
            error.do or "correct the request and send it again",
        )


def described(summary: str, asked: Schema, parameters: Sequence[Schema] = ()) -> Schema:
    """What OpenAPI says to an address that takes rows."""
    key = {"name": _HEADER.decode(), "in": "header", "required": False, "schema": STRING}
    answer = record({"source": STRING, "accepted": WHOLE, "known_at": STRING}, {"late": WHOLE})
    return post(summary, {JSON: asked}, {JSON: answer}, error=PROBLEM, parameters=[*parameters, key])


def key_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The request's idempotency key; empty if it has none."""
    return next((value.decode("latin-1").strip() for name, value in headers if name == _HEADER), "")


def too_many(path: str, waiting: int) -> Problem:
    """503."""
    return Problem(
        503,
        "too many rows wait for the disk",
        path,
        f"requests of at most {waiting >> 20} MiB that wait at once",
        "more",
        "send fewer at once, and this one again: it was not accepted",
    )
