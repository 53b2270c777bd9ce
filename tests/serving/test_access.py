"""Keys at the data plane: who passes, who is told what, and that workers know keys without any database."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from tests.serving.client import PREDICT, Client, ServerProcess, until
from tests.serving.test_requests import check_problem, drive

from trimtab.adapters.key_board_file import FileKeyBoard, FileKeyFollower
from trimtab.kernel.access_key import AccessKey, Scope
from trimtab.kernel.canonical import sha256
from trimtab.kernel.moment import to_us
from trimtab.serving.access import Access, presented

ROW = {"instances": [{"row": "a", "x": 1}]}
NOW = datetime.now(UTC)


def key(name: str, *scopes: Scope, expires: datetime | None = None) -> AccessKey:
    """Its secret is `tt_` and its name."""
    return AccessKey(
        name,
        sha256(f"tt_{name}".encode()),
        scopes,
        to_us(NOW - timedelta(days=2)),
        None if expires is None else to_us(expires),
    )


EVERY = (
    key("predict", "predict"),
    key("append", "append"),
    key("feedback", "feedback"),
    key("metrics", "metrics"),
    key("control", "control"),
    key("old", "predict", expires=NOW - timedelta(days=1)),
)


def board(server: ServerProcess) -> FileKeyBoard:
    return FileKeyBoard(server.folder / "keys.json")


def published(folder: Path) -> ServerProcess:
    FileKeyBoard(folder / "keys.json").publish(EVERY)
    server = ServerProcess(folder, workers=1, env={**os.environ, "TEST_KEYS": "1"})
    server.ready("one")
    return server


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = published(tmp_path_factory.mktemp("keys"))
    yield server
    server.stop()


async def asked(
    client: Client, path: str, name: str, *, method: str = "GET", body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """Sent with the key of that name, if it is one."""
    line = f"authorization: Bearer tt_{name}\r\n" if name else ""
    head = f"{method} {path} HTTP/1.1\r\nhost: t\r\n{line}content-length: {len(body)}\r\n\r\n"
    return await client.send(head.encode() + body)


@pytest.mark.parametrize(
    ("path", "method", "passes"),
    [
        (PREDICT, "POST", ["predict"]),
        ("/v1/sources/nothing/rows", "POST", ["append"]),
        ("/v1/feedback", "POST", ["feedback"]),
        ("/metrics", "GET", ["metrics", "control"]),
        ("/openapi.json", "GET", ["predict"]),
        ("/nowhere", "GET", ["predict", "append", "feedback", "metrics", "control"]),
        ("/healthz", "GET", ["", "nobody", "old", "predict", "append", "feedback", "metrics", "control"]),
        ("/readyz", "GET", ["", "nobody", "old", "predict", "append", "feedback", "metrics", "control"]),
    ],
)
def test_each_address_asks_for_its_scope(
    locked: ServerProcess, path: str, method: str, passes: Sequence[str]
) -> None:
    async def ask(client: Client) -> None:
        for name in ("", "nobody", *(one.name for one in EVERY)):
            status, headers, body = await asked(client, path, name, method=method)
            if name in passes:
                assert status not in (401, 403), (name, body)
                continue
            check_problem(status, msgspec.json.decode(body))
            wrong_scope = name not in ("", "nobody", "old")
            assert status == (403 if wrong_scope else 401), (name, body)
            challenge = headers["www-authenticate"]
            assert challenge.startswith('Bearer realm="trimtab"')
            assert ("insufficient_scope" in challenge) == wrong_scope
            assert ("invalid_token" in challenge) == (name in ("nobody", "old"))
            assert (b"has expired" in body) == (name == "old")
            assert b"tt_" not in body  # nobody's secret is told back

    drive(locked, ask)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("authorization: bearer tt_predict", 200),
        ("Authorization:   BEARER   tt_predict  ", 200),
        ("X-Api-Key: tt_predict", 200),
        ("x-api-key: tt_old\r\nauthorization: Bearer tt_predict", 200),
        ("authorization: Basic dHRfcHJlZGljdA==\r\nx-api-key: tt_predict", 200),
        ("authorization: Basic dHRfcHJlZGljdA==", 401),
        ("authorization: tt_predict", 401),
        ("authorization: Bearer", 401),
        ("x-api-key: tt_predic", 401),
        ("x-api-key: tt_predict\xff", 401),
        ("cookie: tt_predict", 401),
    ],
)
def test_how_a_key_is_sent(locked: ServerProcess, line: str, status: int) -> None:
    body = msgspec.json.encode(ROW)

    async def ask(client: Client) -> None:
        head = f"POST {PREDICT} HTTP/1.1\r\nhost: t\r\n{line}\r\ncontent-length: {len(body)}\r\n".encode("latin-1")
        assert (await client.send(head + b"\r\n" + body))[0] == status  # the short way
        slow = head + b"expect: 100-continue\r\n\r\n" + body
        first, _, _ = await client.send(slow) if status != 200 else (status, {}, b"")
        assert first == status  # refused before the body is asked for

    drive(locked, ask)


def test_what_is_refused_is_not_recorded_and_not_read(locked: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        head = f"POST {PREDICT} HTTP/1.1\r\nhost: t\r\ncontent-length: 99999\r\n\r\n".encode()
        status, _, _ = await client.send(head)  # no byte of the body
        assert status == 401

    before = sum(path.stat().st_size for path in locked.wal.iterdir())
    drive(locked, ask)
    assert sum(path.stat().st_size for path in locked.wal.iterdir()) == before


def test_the_description_says_how_a_key_is_sent(locked: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        _, _, body = await asked(client, "/openapi.json", "predict")
        told = msgspec.json.decode(body)
        assert told["security"] == [{"bearer": []}, {"key": []}]
        assert told["components"]["securitySchemes"]["bearer"] == {"type": "http", "scheme": "bearer"}

    drive(locked, ask)


def test_keys_are_followed_within_a_second_and_outlive_their_file(tmp_path: Path) -> None:
    server = published(tmp_path)

    async def answers(client: Client, name: str, status: int) -> None:
        body = msgspec.json.encode(ROW)
        until_s = time.monotonic() + 1.0
        while (await asked(client, PREDICT, name, method="POST", body=body))[0] != status:
            assert time.monotonic() < until_s, (name, status)
            await asyncio.sleep(0.02)

    async def ask() -> None:
        client = Client(server.port)
        soon = datetime.now(UTC) + timedelta(seconds=2)
        board(server).publish([*EVERY, key("new", "predict"), key("brief", "predict", expires=soon)])
        await answers(client, "new", 200)
        await answers(client, "brief", 200)
        await asyncio.sleep(2.0)
        await answers(client, "brief", 401)
        board(server).publish([key("new", "predict")])
        await answers(client, "predict", 401)
        (tmp_path / "keys.json").write_text('{"keys": [{"name": "new"}]}')
        await until(lambda: "the keys cannot be read" in server.said())
        await answers(client, "new", 200)
        (tmp_path / "keys.json").unlink()
        await asyncio.sleep(0.7)
        await answers(client, "new", 200)
        client.close()
        assert server.said().count("the keys cannot be read") == 1
        # A worker that starts while there is nothing to read knows no key, and lets nobody pass.
        os.kill(server.board.workers()[0], signal.SIGKILL)
        await until(lambda: server.board.workers() == [])
        await until(lambda: len(server.board.workers()) == 1)
        await answers(client, "new", 401)
        board(server).publish([key("new", "predict")])
        await answers(client, "new", 200)
        client.close()

    try:
        asyncio.run(ask())
        assert "tt_" not in server.said()
    finally:
        server.stop()


class _Clock:
    def now(self) -> datetime:
        return NOW


def test_without_keys_everything_passes() -> None:
    access = Access(None, clock=_Clock(), report=lambda _text: None)
    assert access.open and access.check([], "control") is None


def test_a_digest_that_begins_alike_is_another_one(tmp_path: Path) -> None:
    """Keys are found by the first bytes of their digest, and known by all of them."""
    near = AccessKey("near", sha256(b"tt_real")[:32] + "0" * 32, ("predict",), 0, None)
    path = tmp_path / "keys.json"
    FileKeyBoard(path).publish([near])
    access = Access(FileKeyFollower(path), clock=_Clock(), report=lambda _text: None)
    refused = access.check([(b"x-api-key", b"tt_real")], "predict")
    assert refused is not None and refused.status == 401
    assert presented([(b"x-api-key", b" tt_real ")]) == b"tt_real"
