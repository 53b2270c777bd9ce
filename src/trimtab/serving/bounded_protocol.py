"""uvicorn's HTTP protocol with bounds: on a head's bytes and headers, on connections, on answers that wait.

httptools keeps a header until its end comes, and uvicorn keeps headers without end. Here the bytes of a head or
trailer that does not end are counted, piece by piece: a head of as many bytes as it may have always passes, one of
twice as many never. (Counting each header would cost a request 1 µs.) Whoever is refused is told so, and read on
for a moment without keeping anything: closing at once would reset the connection, and the client would never see
the answer.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from trimtab.serving.answering import print_error
from trimtab.serving.asgi import headers_of
from trimtab.serving.problem import Problem, head_too_large, problem_of, too_many_connections
from trimtab.serving.worker import Worker

_LINGER_S = 1.0  # how long a refused client is read on
_LINGER_BYTES = 8 << 20
_FIRST_REQUEST_S = 5.0  # how long a connection beyond the limit may wait before it says anything


def encoded(problem: Problem, more: bytes = b"") -> bytes:
    """An error as it is sent, with more header lines if there are some."""
    body = problem.encode()
    lines = [b"%s: %s\r\n" % one for one in headers_of(problem)]
    head = (STATUS_LINE[problem.status], b"content-type: application/json\r\n", more, *lines)
    return b"".join((*head, b"content-length: %d\r\n\r\n" % len(body), body))


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._worker: Worker = config.loaded_app
        limits = self._worker.limits
        self._header_bytes = limits.header_bytes
        self._kept_bytes = 0  # at most, of a head or a trailer that has not ended
        self._had_body = False  # since the last read of the socket
        self._too_much: Problem | None = None  # what this connection is refused with
        self._discarded_bytes = -1  # -1: nothing is discarded
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """A new client; beyond the limit it is answered once, and let go."""
        super().connection_made(transport)
        limit = self._worker.limits.connections
        if len(self.connections) > 2 * limit:
            transport.abort()  # not even that: what a flood may hold is bounded, too
        elif len(self.connections) > limit:
            self._too_much = too_many_connections(limit)
            self.loop.call_later(_FIRST_REQUEST_S, self._close)

    def data_received(self, data: bytes) -> None:
        """One read of the socket."""
        if self._discarded_bytes >= 0:
            self._discard(data)
        elif self._too_much is not None:
            self._refuse(self._too_much)
        elif len(data) <= self._header_bytes:
            self._feed(data)
        else:
            for start in range(0, len(data), self._header_bytes):
                if self._discarded_bytes < 0 and not self.transport.is_closing():
                    self._feed(data[start : start + self._header_bytes])

    def _feed(self, data: bytes) -> None:
        """At most as many bytes as a head may have."""
        headers, cycle = self.headers, self.cycle
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:  # uvicorn would call it the client's fault
            if isinstance(error.__context__, httptools.HttpParserInvalidURLError):  # as it is with CONNECT
                self.send_400_response("The address is no URL of this server.")
                return
            print_error()
            self._refuse(problem_of(error, "the connection"))
        except httptools.HttpParserUpgrade:
            pass  # nothing else is spoken here: the request is answered
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        else:
            if self._had_body or self.headers is not headers or self.cycle is not cycle:
                self._had_body = False
                self._kept_bytes = 0
            else:  # nothing began or ended: what came may be kept by the parser
                self._kept_bytes += len(data)
                if self._kept_bytes > self._header_bytes:
                    self._refuse(head_too_large(self._header_bytes))

    def pause_writing(self) -> None:
        """The client reads too slowly; one that goes on like that holds its answer in our memory no longer."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._worker.limits.send_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read."""
        if self._unread is not None:
            self._unread.cancel()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also one whose client has not read its last answer."""
        super().timeout_keep_alive_handler()
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def on_body(self, body: bytes) -> None:
        """A part of the body, of which the worker keeps what it takes."""
        self._had_body = True
        super().on_body(body)

    def _refuse(self, problem: Problem) -> None:
        """Answer, unless an answer to an earlier request or to this one is under way, and keep no more."""
        self._discarded_bytes = 0
        if self.transport.is_closing():
            return
        if self._answering():
            self.cycle.keep_alive = False  # its answer closes the connection
        else:
            self._worker.refused(problem.status)
            self.transport.write(encoded(problem, b"connection: close\r\n"))
        self.loop.call_later(_LINGER_S, self._close)

    def _discard(self, data: bytes) -> None:
        self._discarded_bytes += len(data)
        if self._discarded_bytes > _LINGER_BYTES:
            self.transport.abort()

    def _close(self) -> None:
        if not self.transport.is_closing() and not self._answering():
            self.transport.close()

    def _answering(self) -> bool:
        cycle: object = self.cycle  # None before the first request, whatever uvicorn declares
        return cycle is not None and not self.cycle.response_complete
