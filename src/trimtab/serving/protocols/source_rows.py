"""Appending over HTTP: `POST /v1/sources/{name}/rows`.

    request   {"rows": [{column: value, …}, …]}, and perhaps a header Idempotency-Key
    answer    {"source", "accepted": rows, "known_at": instant, "late": rows}

`known_at` is the known time of rows that brought none, and of those that brought one which features had been made
up to already: "late" is how many these are, left out if there are none. The same key with the same rows gets the
same answer.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from trimtab.kernel.errors import (
    Conflict,
    InboxUnwritable,
    NotAStream,
    RequestInvalid,
    RowsRefused,
    UnknownName,
)
from trimtab.kernel.moment import from_us
from trimtab.ports.streams import Accepted
from trimtab.serving.problem import Problem, problem_of

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


def source_of(path: str) -> str:
    """The source that an address names; nothing if it is another address."""
    name = path[len(SOURCES) : -len(_ROWS)]
    return name if path.endswith(_ROWS) and path.startswith(SOURCES) and "/" not in name else ""


def key_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The request's idempotency key; empty if it has none."""
    return next((value.decode("latin-1").strip() for name, value in headers if name == _HEADER), "")


def encode(source: str, found: Accepted) -> bytes:
    """The answer to an accepted request."""
    return msgspec.json.encode(_Answer(source, found.rows, from_us(found.known_at_us).isoformat(), found.late))


def problem(error: Exception, path: str) -> Problem:
    """The answer to a request that was not accepted."""
    status = _STATUS.get(type(error), 0)
    if isinstance(error, InboxUnwritable):
        status = 507 if error.full else 503
    if not status:
        return problem_of(error, path)
    assert isinstance(error, UnknownName | NotAStream | Conflict | RequestInvalid | RowsRefused | InboxUnwritable)
    return Problem(
        status,
        error.what,
        error.where or path,
        error.allowed or "rows of a stream that is declared",
        error.got or "the request as it was sent",
        error.do or "correct the request and send it again",
    )


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
