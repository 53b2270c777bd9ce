"""The short way of the hot address gives what the long way gives, whatever the connection does."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from tests.serving.client import PREDICT, ServerProcess

BODY = msgspec.json.encode({"instances": [{"row": "k", "x": 1.0}]})


@contextmanager
def connected(server: ServerProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10.0) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def request(body: bytes = BODY, head: str = "", *, path: str = PREDICT, version: str = "1.1") -> bytes:
    return f"POST {path} HTTP/{version}\r\nhost: t\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body


def answers(connection: socket.socket, count: int) -> list[tuple[int, dict[str, str], bytes]]:
    """So many whole answers, and not a byte more."""
    data = b""
    found: list[tuple[int, dict[str, str], bytes]] = []
    while len(found) < count:
        head, separator, rest = data.partition(b"\r\n\r\n")
        if separator:
            status, *lines = head.decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            length = int(headers.get("content-length", "0"))
            if status.split()[1] == "100":
                data = rest
                continue
            if len(rest) >= length:
                found.append((int(status.split()[1]), headers, rest[:length]))
                data = rest[length:]
                continue
        part = connection.recv(65536)
        assert part, f"the connection ended after {found} and {data!r}"
        data += part
    assert not data
    return found


def closed(connection: socket.socket) -> bool:
    connection.settimeout(5.0)
    return connection.recv(1) == b""


def scores(found: list[tuple[int, dict[str, str], bytes]]) -> list[float]:
    assert all(status == 200 for status, _, _ in found), found
    return [msgspec.json.decode(body)["predictions"][0]["score"] for _, _, body in found]


def test_both_ways_answer_alike(one_worker: ServerProcess) -> None:
    one_worker.ready("one")
    with connected(one_worker) as connection:
        connection.sendall(request())
        [short] = answers(connection, 1)
        whole = request()
        for part in (whole[:-5], whole[-5:]):  # a body that comes slowly goes the long way
            connection.sendall(part)
            time.sleep(0.3)
        [long] = answers(connection, 1)
    told = [(status, sorted(headers), msgspec.json.decode(body)) for status, headers, body in (short, long)]
    for *_, answer in told:
        answer["predictions"][0].pop("id")
    assert told[0] == told[1]


@pytest.mark.parametrize("cut", [1, 20, 60, len(request()) - len(BODY), len(request()) - 1])
def test_a_request_in_two_pieces(one_worker: ServerProcess, cut: int) -> None:
    one_worker.ready("one")
    with connected(one_worker) as connection:
        for wait_s in (0.03, 0.03, 0.2, 0.03):  # it is held for 0.1 s
            connection.sendall(request()[:cut])
            time.sleep(wait_s)
            connection.sendall(request()[cut:])
            assert scores(answers(connection, 1)) == [2.0]


def test_a_client_that_ends_in_the_middle_of_a_body(one_worker: ServerProcess) -> None:
    one_worker.ready("one")
    for _ in range(2):
        with connected(one_worker) as connection:
            connection.sendall(request()[:-5])
            connection.shutdown(socket.SHUT_WR)
            assert closed(connection)


def test_pipelined_requests_of_both_ways_keep_their_order(one_worker: ServerProcess) -> None:
    one_worker.ready("one")
    bodies = [msgspec.json.encode({"instances": [{"row": "k", "x": float(n)}]}) for n in range(6)]
    health = b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n"
    parts = [request(bodies[0]), request(bodies[1]), health, request(bodies[2]), health, *map(request, bodies[3:])]
    with connected(one_worker) as connection:
        connection.sendall(b"".join(parts))
        found = answers(connection, len(parts))
        assert [b"alive" in body for _, _, body in found] == [part is health for part in parts]
        assert scores([one for one in found if b"alive" not in one[2]]) == [n + 1.0 for n in range(6)]
        connection.sendall(request())
        assert scores(answers(connection, 1)) == [2.0]


@pytest.mark.parametrize(("head", "version"), [("connection: close\r\n", "1.1"), ("", "1.0")])
def test_a_connection_is_closed_when_the_client_says_so(one_worker: ServerProcess, head: str, version: str) -> None:
    one_worker.ready("one")
    with connected(one_worker) as connection:
        connection.sendall(request(head=head, version=version))
        [(status, headers, _)] = answers(connection, 1)
        assert (status, headers.get("connection")) == (200, "close")
        assert closed(connection)


def test_a_client_that_waits_to_be_told(one_worker: ServerProcess) -> None:
    one_worker.ready("one")
    head, _, body = request(head="expect: 100-continue\r\n").partition(b"\r\n\r\n")
    with connected(one_worker) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert scores(answers(connection, 1)) == [2.0]


def test_a_client_that_goes_away_is_recorded_and_hurts_nobody(one_worker: ServerProcess) -> None:
    one_worker.ready("one")
    workers = one_worker.board.workers()
    for _ in range(50):
        with connected(one_worker) as connection:
            connection.sendall(request())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # reset on close
    with connected(one_worker) as connection:
        connection.sendall(request())
        assert scores(answers(connection, 1)) == [2.0]
    assert one_worker.board.workers() == workers


def test_a_client_that_reads_nothing_takes_bounded_memory(one_worker: ServerProcess) -> None:
    one_worker.ready("one")
    with connected(one_worker) as connection:
        connection.setblocking(False)
        many, sent = request() * 200, 0
        until_s = time.monotonic() + 3.0
        while time.monotonic() < until_s:
            try:
                sent += connection.send(many[sent % len(many) :])
            except BlockingIOError:
                time.sleep(0.02)
        # Reading stops when answers are not taken: what was sent is no more than sockets hold.
        assert sent < 64 << 20
        with connected(one_worker) as other:
            other.sendall(request())
            assert scores(answers(other, 1)) == [2.0]
