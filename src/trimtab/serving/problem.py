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
    challenge: str = ""  # the header www-authenticate, of status 401 and 403

    def encode(self) -> bytes:
        """The body: {"error": {"what", "where", "allowed", "got", "do"}}."""
        parts = {name: getattr(self, name) for name in ("what", "where", "allowed", "got", "do")}
        return msgspec.json.encode({"error": parts})

    def line(self) -> str:
        """The five parts as one line, for protocols whose errors are text."""
        return f"{self.what}; where: {self.where}; allowed: {self.allowed}; got: {self.got}; do: {self.do}"


class Refused(Exception):
    """A request that is refused with a status of its own."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def problem_of(error: Exception, path: str) -> Problem:
    """The answer to a request whose handling raised.

    A wrong request is the client's (400), an unwritable log or a lost online store passes (503); anything else is
    ours (500): its own words may hold data of other people, so the client learns only where to look.
    """
    if isinstance(error, Refused):
        return error.problem
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
    return Problem(404, "nothing is here", path, listed(known), path, "use one of them; /openapi.json tells all")


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


def unsupported_content(path: str, what: str, allowed: str, got: str) -> Problem:
    """415, of a content type or a content encoding."""
    return Problem(415, what, path, allowed, got or "none", f"send {allowed}")


def coded_body(path: str, headers: Iterable[tuple[bytes, bytes]]) -> Problem | None:
    """415 to a body that is compressed: how much it unpacks to cannot be bounded beforehand."""
    coding = next((value.decode("latin-1") for name, value in headers if name == b"content-encoding"), "identity")
    if coding.strip().lower() == "identity":
        return None
    return unsupported_content(path, "the body's coding is not supported", "a body that is not coded", coding[:80])


def head_too_large(limit_bytes: int) -> Problem:
    """431."""
    allowed = f"at most {limit_bytes} bytes of address and headers"
    return Problem(
        431, "the request's head is too large", "the connection", allowed, "more", "send fewer and shorter headers"
    )


def too_many_connections(limit: int) -> Problem:
    """503."""
    return Problem(
        503,
        "this worker has too many connections",
        "the connection",
        f"at most {limit} for each worker",
        "one more",
        "send it again in a moment; keep connections open and use them again",
    )


def too_many_waiting(path: str, limit: int) -> Problem:
    """429."""
    return Problem(
        429,
        "more requests wait for an answer than this worker takes",
        path,
        f"at most {limit} requests that wait at once",
        "one more",
        "send it again after a moment, send fewer at once, or start more workers",
    )


def not_recorded_in_time(path: str, limit_s: float) -> Problem:
    """503."""
    return Problem(
        503,
        "the record of the answer did not reach the disk in time",
        path,
        f"a record within {limit_s:g} s",
        "none yet; it may still come, and then counts as an answer that was given",
        "send it again later; look at the disk of the prediction log",
    )


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
