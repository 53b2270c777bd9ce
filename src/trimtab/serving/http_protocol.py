"""uvicorn's HTTP protocol, with a short way for the one address that most requests go to.

A prediction in the native protocol whose head and body came together, on a connection that waits for nothing else,
is answered without an ASGI task. Everything else goes uvicorn's way: other addresses, bodies that come slowly,
pipelined requests, connections whose client reads too slowly, `Expect`, HTTP/1.0. Errors of HTTP itself are
answered in the words of every other error.

If the head came alone or with a part of its body, as many clients send it, it is held back for a moment and read
together with the rest (held_back.py). Whether it is held is decided by a hint, which may be wrong: all that
follows from it is when bytes are read. Before anything but a next read happens to the connection (its idle timer,
the end of the worker), what is held is read as it is, so that nothing but that moment is new.

If the head is known (known_heads.py), the request is not even parsed. That is safe because equal bytes parse
equally where the parser stands between two messages, and only then is a head looked up: the parser was fed whole
messages or nothing, no answer is under way, nothing is refused. The read must be the head and its body, no byte
less or more. The parser never sees such a request, and so stands where it stood: between two messages.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from trimtab.serving.answering import print_error
from trimtab.serving.bounded_protocol import BoundedProtocol, encoded
from trimtab.serving.held_back import HELD_BYTES, HeldBack
from trimtab.serving.known_heads import END, HEAD_BYTES
from trimtab.serving.problem import Problem, problem_of
from trimtab.serving.short_request import ShortRequest
from trimtab.serving.wire import Headers

_SLACK_S = 1.0  # by which a connection may idle for longer than it should: a timer for each request costs 2 µs


class DataPlaneProtocol(BoundedProtocol):
    """One connection."""

    _body: bytes | None = None  # of a request that may go the short way
    _idle_since_s = 0.0
    _between = True  # the parser has seen whole messages, or nothing
    _head = b""  # at the start of this read, looked up in vain; of its first message only
    _default_headers: list[tuple[bytes, bytes]] | None = None  # uvicorn's, a new list with each new date
    _lines = _start_200 = b""  # made of them

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """A new client, which has as long for its first request as for each next one."""
        super().connection_made(transport)
        heads = self._worker.known_heads
        self._find, self._announced = heads.find, heads.announced
        self._held = HeldBack(self.loop, self._read)
        self._held_bytes = min(HELD_BYTES, self._worker.limits.body_bytes)  # longer bodies are refused at once
        self._idle_since_s = self.loop.time()
        self._start_idle_timer(self.timeout_keep_alive)

    def data_received(self, data: bytes) -> None:
        """One read of the socket."""
        if self.transport.is_closing():  # what TLS still had: nobody can be answered
            return
        if self._held.lacking_bytes:
            joined = self._held.joined(data)
            if joined is None:
                return
            data = joined
        cycle: object = self.cycle  # None before the first request, whatever uvicorn declares
        if (
            self._between
            and (cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and self._too_much is None
            and self._discarded_bytes < 0
            and self._at_once(data)
        ):
            return
        self._read(data)

    def _at_once(self, data: bytes) -> bool:
        """Answer a request whose head is known, or hold one that is not whole; False if the parser must read it."""
        end = data.find(END, 0, HEAD_BYTES) + len(END)
        head = data[:end]
        known = self._find(head)
        if known is None:
            self._head = head
            body_bytes = self._announced(head)
        else:
            body_bytes = known[1]
        lacking_bytes = end + body_bytes - len(data)
        if known is not None and not lacking_bytes:
            self._kept_bytes = 0
            self._ask(data[end:], known[0], True)
            return True
        if 0 < body_bytes <= self._held_bytes and lacking_bytes > 0:
            self._held.hold(data, lacking_bytes)
            return True
        return False

    def _read(self, data: bytes) -> None:
        """Have bytes parsed; a request that is not whole with them goes the long way."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._body is not None:
            self._go_the_long_way(self._body)

    def on_message_begin(self) -> None:
        """The next request; what an ASGI task would need is made only for one."""
        self._between = False
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Choose the way."""
        short = (
            self.url == self._worker.short_address
            and not self._answering()
            and not self.expect_100_continue
            and not self.flow.write_paused
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and not self.parser.should_upgrade()
        )
        if short:
            self._body = b""
        else:
            self._begin()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._body is None:
            super().on_body(body)
        else:
            self._had_body = True
            self._body += body

    def on_message_complete(self) -> None:
        """The end of a request."""
        self._between = True
        head, self._head = self._head, b""
        if self._body is None:
            super().on_message_complete()
            return
        body, self._body = self._body, None
        keep_alive = self.parser.should_keep_alive()
        if keep_alive:
            self._worker.known_heads.learn(head, self.headers, len(body))
        self._ask(body, self.headers, keep_alive)

    def send_400_response(self, msg: str) -> None:
        """Bytes that are no HTTP request: answer and close; the connection's state is unknown."""
        self._body = None
        problem = Problem(400, "this is no HTTP request", "the connection", "HTTP/1.1", msg, "send a valid request")
        self.transport.write(encoded(problem, b"connection: close\r\n"))
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._body = None
        self._held.close()
        self._cancel_idle_timer()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The worker stops: a request that has begun is answered, the connection is closed then or now."""
        self._held.let_go()
        super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if it has been idle for long enough; else look again later."""
        self.timeout_keep_alive_task = None
        self._held.let_go()
        if self._answering():
            return  # its answer starts the timer
        left_s = self._idle_since_s + self.timeout_keep_alive - self.loop.time()
        if left_s <= _SLACK_S:
            super().timeout_keep_alive_handler()
        else:
            self._start_idle_timer(left_s)

    def _unset_keepalive_if_required(self) -> None:
        """The timer is left to find out by itself that the connection is busy."""

    def on_response_complete(self) -> None:
        """The long way's answer is sent."""
        self._idle_since_s = self.loop.time()
        self._cancel_idle_timer()  # uvicorn starts one
        super().on_response_complete()

    def _ask(self, body: bytes, headers: Headers, keep_alive: bool) -> None:
        """Have a request answered on the short way."""
        pending = ShortRequest(self, keep_alive)
        self.cycle = pending  # type: ignore[assignment]  # uvicorn asks it for what this has
        try:
            self._worker.predict_short(body, headers, pending)
        except Exception as error:  # the event loop would drop the connection without a word
            print_error()
            self._worker.refused(500)
            pending(problem_of(error, self._worker.short_path))

    def answer(self, found: Problem | bytes, keep_alive: bool) -> None:
        """The short way's answer."""
        state = self.server_state
        state.total_requests += 1
        if self.transport.is_closing():  # writing to a closed transport would abort the answers behind it
            return
        if self._default_headers is not state.default_headers:
            self._default_headers = state.default_headers
            self._lines = b"".join([b"%b: %b\r\n" % one for one in state.default_headers])
            self._start_200 = _HEAD_200 + self._lines
        lines = b"" if keep_alive else b"connection: close\r\n"
        if isinstance(found, Problem):
            self.transport.write(encoded(found, self._lines + lines))
        else:
            end = b"content-length: %d\r\n\r\n" % len(found)
            self.transport.write(b"".join((self._start_200, lines, end, found)))
        if not keep_alive:
            self.transport.close()
            return
        self._idle_since_s = self.loop.time()
        if self.pipeline:
            self.flow.resume_reading()
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self.timeout_keep_alive_task is None:
            self._start_idle_timer(self.timeout_keep_alive)

    def _go_the_long_way(self, body: bytes) -> None:
        """The request at hand becomes an ASGI task after all, with as much of its body as came."""
        self._body = None
        self._begin()
        if body:
            super().on_body(body)

    def _begin(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def _start_idle_timer(self, after_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(after_s, self.timeout_keep_alive_handler)

    def _cancel_idle_timer(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None


_HEAD_200 = STATUS_LINE[200] + b"content-type: application/json\r\n"
