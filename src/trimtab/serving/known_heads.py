"""Heads of requests that were parsed before: equal bytes parse equally, so that they need not be parsed again.

A client sends the same head again and again, but for the length of the body, of which there are few. What is kept
is how a head was parsed, never what was decided on it: keys, limits and routes are looked at for each request.
A head may hold a client's key: it is kept in memory only, and shown to nobody.

A head is kept only if a second, narrow reading of the same bytes finds what the parser found: one request line for
the one address, lines that end by CRLF, one content-length in its shortest form that is the length of the body that
came, and nothing that frames a message otherwise (transfer-encoding), ends a connection, or waits (expect,
upgrade). Whatever two readers of HTTP could take for different requests is therefore parsed each time.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TypeAlias

from trimtab.serving.wire import Headers

HEAD_BYTES = 1 << 10  # longer ones are parsed each time
END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_DIGITS = 10
_HEADS = 256
_HEADERS = 32  # of one head: many short ones take more memory than their bytes
_EMPTIED_EACH_S = 1.0  # at most: heads that differ each time would drive out all others, and take time to keep
_BARRED = frozenset({b"transfer-encoding", b"expect", b"upgrade"})

Known: TypeAlias = tuple[Headers, int]  # headers as they were parsed, bytes of the body


class KnownHeads:
    """Of one worker. Its connections share it, and it holds at most 256 KiB of heads, and what they were parsed to.

    Args:
        address: of the requests whose heads are kept, as it stands in the request line.
        clock: seconds, by any clock that goes on.
    """

    def __init__(self, address: bytes, clock: Callable[[], float] = monotonic) -> None:
        self._request_line = b"POST %b HTTP/1.1" % address
        self._start = self._request_line + b"\r\n"
        self._known: dict[bytes, Known] = {}
        self._clock = clock
        self._emptied_s = clock() - _EMPTIED_EACH_S
        self.find = self._known.get  # of a head's bytes, with the empty line at its end

    def __len__(self) -> int:
        return len(self._known)

    def announced(self, head: bytes) -> int:
        """Of a head that is not known: how many bytes of a body seem to follow, 0 if that is not plain.

        It is a hint for when to read, and nothing else may rest on it: the parser alone decides.
        """
        if not head.startswith(self._start):
            return 0
        lines = head.lower()
        start = lines.find(_LENGTH)
        if start < 0 or b"\r\nexpect:" in lines:  # that client waits for us
            return 0
        digits = lines[start + len(_LENGTH) : lines.find(b"\r\n", start + len(_LENGTH))].strip(b" \t")
        return int(digits) if digits.isdigit() and len(digits) < _DIGITS else 0

    def learn(self, head: bytes, headers: Headers, body_bytes: int) -> None:
        """Keep a head, if it is one of those that are kept.

        Args:
            head: its bytes, with the empty line at its end. If it is another one, it is not kept.
            headers: as the parser has read them, names in lower case.
            body_bytes: that the parser found to belong to it.
        """
        full = len(self._known) >= _HEADS
        if full and self._clock() - self._emptied_s < _EMPTIED_EACH_S:
            return
        if self._plain(head, headers, body_bytes):
            if full:
                self._known.clear()
                self._emptied_s = self._clock()
            self._known[head] = (tuple(headers), body_bytes)

    def _plain(self, head: bytes, headers: Headers, body_bytes: int) -> bool:
        """Whether a narrow reading of the head finds what the parser found, and nothing out of the ordinary."""
        if len(head) > HEAD_BYTES or len(headers) > _HEADERS or not head.endswith(END):
            return False
        request_line, *lines = head[: -len(END)].split(b"\r\n")
        read = [(name.lower(), value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)]
        return (
            request_line == self._request_line
            and read == list(headers)
            and [value for name, value in read if name == b"content-length"] == [b"%d" % body_bytes]
            and not any(name in _BARRED for name, _ in read)
            and all(value.lower() == b"keep-alive" for name, value in read if name == b"connection")
        )
