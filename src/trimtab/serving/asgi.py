"""ASGI 3, as far as the data plane speaks it: its types, and one way to answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from trimtab.serving.problem import Problem
from trimtab.serving.wire import Content, Headers

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

JSON = (b"content-type", b"application/json")


def headers_of(problem: Problem) -> list[tuple[bytes, bytes]]:
    """What an error's answer says beside its body."""
    match problem.status:
        case 401 | 403:
            return [(b"www-authenticate", problem.challenge.encode())]
        case 405:
            return [(b"allow", problem.allowed.encode())]
        case 408:
            return [(b"connection", b"close")]
        case 429 | 503:
            return [(b"retry-after", b"1")]
    return []


async def answer(send: Send, found: Problem | bytes, refusal: bytes | None = None) -> None:
    """Send a whole answer; `refusal`: the body of a Problem, where it is not its own."""
    kind = JSON
    extra: Headers = ()
    if isinstance(found, Problem):
        status, body = found.status, refusal or found.encode()
    else:
        status, body = 200, found
    if isinstance(found, Content):
        kind, extra = (b"content-type", found.content_type), found.headers
    headers = [kind, *extra, (b"content-length", str(len(body)).encode())]
    if isinstance(found, Problem):
        headers += headers_of(found)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
