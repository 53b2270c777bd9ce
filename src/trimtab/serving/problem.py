"""What a client is told when it gets no answer: a status and the five parts of an error, never a traceback."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from trimtab.kernel.errors import LogUnwritable, OnlineStoreUnavailable, RequestInvalid, TrimtabError, listed


@dataclass(frozen=True)
class Problem:
    """One error answer."""

    status: int
    what: str
    where: str
    allowed: str
    got: str
    do: str

    def encode(self) -> bytes:
        """The body: {"error": {"what", "where", "allowed", "got", "do"}}."""
        parts = {name: getattr(self, name) for name in ("what", "where", "allowed", "got", "do")}
        return msgspec.json.encode({"error": parts})


def problem_of(error: Exception, path: str) -> Problem:
    """The answer to a request whose handling raised.

    A wrong request is the client's (400), an unwritable log or a lost online store passes (503); anything else is
    ours (500): its own words may hold data of other people, so the client learns only where to look.
    """
    if isinstance(error, RequestInvalid | LogUnwritable | OnlineStoreUnavailable):
        return Problem(
            400 if isinstance(error, RequestInvalid) else 503,
            error.what,
            error.where or path,
            error.allowed or "see the fields that the release declares",
            error.got or "the request as it was sent",
            error.do or "correct the request and send it again",
        )
    return Problem(
        500,
        "the request could not be answered",
        path,
        "an answer",
        error.what if isinstance(error, TrimtabError) else type(error).__name__,
        "the server's own log has the reason",
    )


def no_such_path(path: str, known: Iterable[str]) -> Problem:
    """404."""
    return Problem(404, "nothing is here", path, listed(known), path, "use one of the addresses listed")


def no_such_system(path: str, system: str, served: str) -> Problem:
    """404."""
    return Problem(
        404, f"unknown system '{system}'", path, served, system, "use the system that this server serves"
    )


def wrong_method(path: str, method: str, allowed: str) -> Problem:
    """405."""
    return Problem(405, "this address does not take that method", path, allowed, method, f"send {allowed}")


def body_too_large(path: str, got: str, limit_bytes: int) -> Problem:
    """413."""
    allowed = f"at most {limit_bytes} bytes"
    return Problem(413, "the request's body is too large", path, allowed, got, "send the rows in several requests")


def body_too_slow(path: str, limit_s: float) -> Problem:
    """408."""
    allowed = f"the whole body within {limit_s:g} s"
    return Problem(
        408, "the request's body did not arrive in time", path, allowed, "a part of it", "send it faster"
    )


def not_ready(path: str, system: str) -> Problem:
    """503."""
    return Problem(
        503,
        f"no release of system '{system}' is loaded yet",
        path,
        "requests after /readyz answers 200",
        "a request before that",
        "wait a moment and send it again; if that does not help: trimtab status",
    )
