"""A request whose body comes in a write of its own is answered as if it had come at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.serving.client import PREDICT
from tests.serving.connections import BODY, Connection, Served, asking, drive, request, score

from trimtab.serving.known_heads import KnownHeads
from trimtab.serving.limits import Limits

HEALTH = b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n"
LATE_S = 0.2  # what is held is let go by then


def head_of(data: bytes) -> bytes:
    return data[: data.index(b"\r\n\r\n") + 4]


def long_ways(server: Served) -> int:
    return len(server._state.tasks)


def test_head_and_body_in_two_writes_go_the_short_way(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        client, head = server.connect(), head_of(request())
        for turn, body in enumerate([asking(n) for n in range(5)]):
            assert await client.read(head) == []
            client.data_received(body)
            assert long_ways(server) == 0
            assert score(await client.read()) == [turn + 1.0]
            assert (client.parsed, len(server.heads)) == (1, 1)  # the first time only
        other = server.connect()
        for number in range(3):  # heads that differ each time are parsed each time, and short all the same
            told = request(asking(number), f"traceparent: {number}\r\n")
            other.data_received(head_of(told))
            other.data_received(told[len(head_of(told)) :])
            assert long_ways(server) == 0
            assert score(await other.read()) == [number + 1.0]
        assert other.parsed == 3

    drive(tmp_path, ask)


def test_a_body_in_many_pieces_and_others_behind_it(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        client, whole = server.connect(), request(asking(7))
        for _ in range(2):
            for size in (1, 3, 17):
                at = len(head_of(whole))
                parts = [whole[:at], *(whole[n : n + size] for n in range(at, len(whole), size))]
                assert score(await client.read(*parts)) == [8.0]
        assert client.parsed == 1 and long_ways(server) == 0
        found = await client.read(whole[:-3], whole[-3:] + HEALTH + whole[:-9], whole[-9:] + whole[:-1], whole[-1:])
        assert [body.get("status") for *_, body in found] == [None, "alive", None, None]
        assert not client.line.paused
        assert score(await client.read(whole[:-3], whole[-3:])) == [8.0]

    drive(tmp_path, ask)


NOT_HELD = {
    "whole": request(),
    "a part of its head": request()[:40],
    "of another address": head_of(request(start="POST /invocations HTTP/1.1")),
    "of another method": head_of(request(start=f"PUT {PREDICT} HTTP/1.1")),
    "of another version": head_of(request(start=f"POST {PREDICT} HTTP/1.0")),
    "no length": f"POST {PREDICT} HTTP/1.1\r\nhost: t\r\n\r\n".encode(),
    "no body": request(b""),
    "chunked": f"POST {PREDICT} HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n".encode(),
    "a client that waits": head_of(request(lines="Expect: 100-continue\r\n")),
    "too large": head_of(request(b"x" * 5001)),
    "far too large": head_of(request()).replace(b"Length: 39", b"Length: " + b"9" * 40),
    "no number": head_of(request()).replace(b"Length: 39", b"Length: 0x9"),
    "a long head": head_of(request(lines=f"x: {'a' * 1100}\r\n")),
}


@pytest.mark.parametrize("data", NOT_HELD.values(), ids=NOT_HELD.keys())
def test_what_is_not_held(tmp_path: Path, data: bytes) -> None:
    assert len(BODY) == 39

    async def ask(server: Served) -> None:
        client = server.connect()
        client.data_received(data)
        assert client.parsed == 1 and not client._held.lacking_bytes

    drive(tmp_path, ask)


def test_a_body_of_more_than_64_kib_is_read_as_it_comes(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        for size, held in ((64 << 10, True), ((64 << 10) + 1, False)):
            body = BODY + b" " * (size - len(BODY))
            whole = request(body)
            for _ in range(2):  # not known, known
                client = server.connect()
                client.data_received(whole[:-1])
                assert (client._held.lacking_bytes == 1) == held == (long_ways(server) == 0)
                assert score(await client.read(whole[-1:])) == [2.0]
                assert score(await client.read(whole)) == [2.0]

    drive(tmp_path, ask, limits=Limits())


def test_a_slow_body_is_read_as_it_comes_and_has_its_end(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        whole = request()
        for _ in range(2):  # not known, known
            client = server.connect()
            client.data_received(whole[:-20])
            assert client.parsed == 0
            for place in range(-20, -10):  # a byte now and then does not make it wait for longer
                await asyncio.sleep(LATE_S / 10)
                client.data_received(whole[place : place + 1])
            assert client.parsed == 1 and long_ways(server) == 1
            assert score(await client.read(whole[-10:])) == [2.0]
            assert score(await client.read(whole)) == [2.0]
            client.data_received(whole[:-1])
            await asyncio.sleep(2 * LATE_S)
            server.worker.turn()
            [(status, _, body)] = await client.read()
            assert (status, set(body["error"])) == (408, {"what", "where", "allowed", "got", "do"})
            assert long_ways(server) == 0

    drive(tmp_path, ask, limits=Limits(body_s=LATE_S))


def test_an_earlier_request_leaves_the_next_one_its_time(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        client, whole = server.connect(), request()
        await client.read(whole[:-1], whole[-1:])
        await asyncio.sleep(0.07)
        assert score(await client.read(whole[:-1], whole[-1:])) == [2.0]
        client.data_received(whole[:-1])
        await asyncio.sleep(0.06)  # since the first one it is 0.13 s
        assert client._held.lacking_bytes == 1
        await asyncio.sleep(LATE_S)
        assert client._held.lacking_bytes == 0 and long_ways(server) == 1
        assert score(await client.read(whole[-1:])) == [2.0]

    drive(tmp_path, ask)


def test_a_worker_that_stops_answers_what_has_begun(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        client = server.connect()
        await client.read(request())
        client.data_received(request()[:-3])
        client.shutdown()
        assert not client.line.closing
        [(status, headers, _)] = await client.read(request()[-3:])
        assert (status, headers["connection"], client.line.closing) == (200, "close", True)

    drive(tmp_path, ask)


def test_a_connection_with_a_request_that_has_begun_is_not_idle(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        client = server.connect()
        await client.read(request())
        client.data_received(request()[:-3])
        client._idle_since_s -= 1000.0
        client.timeout_keep_alive_handler()
        assert not client.line.closing
        assert score(await client.read(request()[-3:])) == [2.0]
        assert client.timeout_keep_alive_task is not None  # it is idle again
        client._idle_since_s -= 1000.0
        client.timeout_keep_alive_handler()
        assert client.line.closing

    drive(tmp_path, ask)


@pytest.mark.parametrize("closing", [False, True])
def test_of_a_client_that_goes_nothing_is_kept(tmp_path: Path, closing: bool) -> None:
    async def ask(server: Served) -> None:
        wrong: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: wrong.append(told))
        client = server.connect()
        client.data_received(request()[:-3])
        if closing:
            client.line.close()
        else:
            client.connection_lost(None)
            assert client._held.lacking_bytes == 0
        await asyncio.sleep(LATE_S)
        assert not wrong and client.parsed == 0 and long_ways(server) == 0 and not client.line.written

    drive(tmp_path, ask)


def test_bytes_that_are_no_request_are_told_so_when_they_are_read(tmp_path: Path) -> None:
    async def ask(server: Served) -> None:
        both = request(lines="transfer-encoding: chunked\r\n")
        for late in (False, True):
            client = server.connect()
            client.data_received(both[:-1])
            if late:
                await asyncio.sleep(LATE_S)
            [(status, headers, _)] = await client.read(*([] if late else [both[-1:]]))
            assert (status, headers["connection"], client.line.closing) == (400, "close", True)

    drive(tmp_path, ask)


class Told(KnownHeads):
    """That keeps what it was told."""

    def __init__(self) -> None:
        super().__init__(PREDICT.encode())
        self.told: list[bytes] = []

    def learn(self, head: bytes, headers: Sequence[tuple[bytes, bytes]], body_bytes: int) -> None:
        self.told.append(head)
        super().learn(head, headers, body_bytes)


def test_the_head_at_the_start_of_a_read_is_its_first_messages_only(tmp_path: Path) -> None:
    heads = Told()

    async def ask(server: Served) -> None:
        client: Connection = server.connect()
        wrong = request(b"x")  # is answered at once, so that the next one goes the short way, too
        assert [one[0] for one in await client.read(wrong + wrong)] == [400, 400]
        assert heads.told == [head_of(wrong), b""]

    drive(tmp_path, ask, heads=heads)
