"""What clients may send and hold: heads, connections, answers that nobody reads."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.serving.client import PREDICT, Client, ServerProcess, until
from tests.serving.test_requests import check_problem, drive

ROW = msgspec.json.encode({"instances": [{"row": "a", "x": 1}]})


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A worker that bears eight connections, and idle ones for a second."""
    env = {**os.environ, "TEST_CONNECTIONS": "8", "TEST_IDLE_S": "1.5"}
    server = ServerProcess(tmp_path_factory.mktemp("bounded"), workers=1, env=env)
    server.ready("one")
    yield server
    server.stop()


def peak_kb(server: ServerProcess) -> int:
    """The most memory that the worker ever held."""
    [pid] = server.board.workers()
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def head(lines: str, path: str = PREDICT) -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: t\r\n{lines}content-length: {len(ROW)}\r\n\r\n".encode()


MEGABYTE = "a" * (1 << 20)
MANY = "".join(f"x-{number}: y\r\n" for number in range(10_000))


@pytest.mark.parametrize(
    "data",
    [
        head(f"x: {MEGABYTE}\r\n"),
        head("".join(f"x-{number}: {'y' * 1000}\r\n" for number in range(1000))),
        head(MANY),
        head(f"x: {'y' * 65_536}\r\n"),
        head("", f"/{MEGABYTE}"),
        head(f"{MEGABYTE}: x\r\n"),
        b"\r\n" * (1 << 20),
    ],
    ids=["one header", "many headers", "too many", "one read", "address", "name", "empty lines"],
)
def test_a_head_that_is_too_large_is_431(bounded: ServerProcess, data: bytes) -> None:
    before_kb = peak_kb(bounded)

    async def ask(client: Client) -> None:
        status, headers, body = await client.send(data)
        check_problem(status, msgspec.json.decode(body), expected=431)
        assert headers["connection"] == "close"

    async def ask_whole(client: Client) -> None:
        assert (await client.post(ROW))[0] == 200

    drive(bounded, ask)
    drive(bounded, ask_whole)
    assert peak_kb(bounded) - before_kb < 8 << 10


def test_a_head_of_many_megabytes_takes_no_memory(bounded: ServerProcess) -> None:
    before_kb = peak_kb(bounded)
    with socket.create_connection(("127.0.0.1", bounded.port), timeout=10) as client:
        client.sendall(b"POST / HTTP/1.1\r\nx: ")
        sent = 0
        try:
            for _ in range(256):
                client.sendall(b"y" * (1 << 20))
                sent += 1
        except OSError:  # the worker has enough
            pass
        assert sent < 64
    assert peak_kb(bounded) - before_kb < 8 << 10


def test_a_head_may_come_in_pieces_and_behind_large_bodies(bounded: ServerProcess) -> None:
    many = msgspec.json.encode({"instances": [{"row": "a", "x": 1, "y": "z" * 900}] * 90})
    first = f"POST {PREDICT} HTTP/1.1\r\nhost: t\r\ncontent-length: {len(many)}\r\n\r\n".encode() + many
    second = head(f"x: {'y' * 20_000}\r\n") + ROW

    async def ask(client: Client) -> None:
        await client.get("/healthz")
        assert client._streams is not None
        _, writer = client._streams
        for _ in range(3):
            data = first + second
            for start, end in ((0, 10), (10, len(first) + 9), (len(first) + 9, len(first) + 9_000)):
                writer.write(data[start:end])
                await writer.drain()
                await asyncio.sleep(0.02)
            answers = [await client.send(data[len(first) + 9_000 :]), await client.send(b"")]
            assert [one[0] for one in answers] == [200, 200], answers

    drive(bounded, ask)


def test_trailers_are_no_way_around_it(bounded: ServerProcess) -> None:
    before_kb = peak_kb(bounded)
    with socket.create_connection(("127.0.0.1", bounded.port), timeout=10) as client:
        begun = f"POST {PREDICT} HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ".encode()
        client.sendall(begun)
        try:
            for _ in range(128):
                client.sendall(b"y" * (1 << 20))
        except OSError:
            pass
        else:
            pytest.fail("128 MiB of trailers were taken")
    assert peak_kb(bounded) - before_kb < 16 << 10


def test_a_connection_too_many_is_told_to_come_back(bounded: ServerProcess) -> None:
    async def ask() -> None:
        held = [Client(bounded.port) for _ in range(8)]
        for one in held:
            assert (await one.get("/healthz"))[0] == 200
        extra = Client(bounded.port)
        status, headers, body = await extra.send(head("") + ROW)
        assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
        assert set(msgspec.json.decode(body)["error"]) == {"what", "where", "allowed", "got", "do"}
        for one in held:
            assert (await one.post(ROW))[0] == 200
            one.close()
        for _ in range(100):
            if (await extra.send(head("") + ROW))[0] == 200:
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("there was no room again")
        extra.close()

    asyncio.run(ask())


def connected(server: ServerProcess, *clients: socket.socket) -> int:
    """How many of these connections the server holds open, as the kernel sees it."""
    its = f":{server.port:04X}"
    mine = {f"{client.getsockname()[1]:04X}" for client in clients}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(one[1].endswith(its) and one[2][-4:] in mine and one[3] == "01" for one in lines)


def test_a_flood_of_connections_holds_nothing(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, workers=1, env={**os.environ, "TEST_CONNECTIONS": "8"})
    try:
        server.ready("one")
        held = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(200)]
        # Twice as many as there may be, before those that say nothing are let go (5 s).
        asyncio.run(until(lambda: connected(server, *held) <= 16, within_s=4))
        assert connected(server, *held) >= 8
        for one in held:
            one.close()
    finally:
        server.stop()


@pytest.mark.parametrize("said", [b"", b"POST /v1", head("") + ROW], ids=["nothing", "half a head", "a request"])
def test_an_idle_connection_is_closed(bounded: ServerProcess, said: bytes) -> None:
    begun_s = time.monotonic()
    with socket.create_connection(("127.0.0.1", bounded.port), timeout=10) as client:
        client.sendall(said)
        while client.recv(1 << 16):
            pass
    assert time.monotonic() - begun_s > 0.3  # it was given its time, and had an end


def test_a_client_that_reads_nothing_is_given_up(bounded: ServerProcess) -> None:
    rows = msgspec.json.encode({"instances": [{"row": "a" * 500, "x": 1}] * 100})
    request = f"POST {PREDICT} HTTP/1.1\r\nhost: t\r\ncontent-length: {len(rows)}\r\n\r\n".encode() + rows
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(0.5)
        client.connect(("127.0.0.1", bounded.port))
        try:
            for _ in range(400):
                client.sendall(request)
        except TimeoutError:
            assert connected(bounded, client)
        asyncio.run(until(lambda: not connected(bounded, client), within_s=5))
