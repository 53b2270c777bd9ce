"""Rows appended over HTTP: durable when they are answered, refused with reasons, and no burden to predictions."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.data.streams import CLICKS, click
from tests.serving.client import Client, ServerProcess
from tests.serving.test_disk_full import fill
from tests.serving.test_requests import check_problem, drive

import trimtab as tt
from trimtab.data.feed import BEGINNING_US, Feed
from trimtab.data.reading import open_source
from trimtab.data.stream_file import declarations, write_streams
from trimtab.kernel.moment import to_us

ROWS = "/v1/sources/clicks/rows"
ORDERS = tt.Source("orders", "orders.parquet", event_time="at", key="id")


def started(folder: Path, *, workers: int = 1, env: dict[str, str] | None = None) -> ServerProcess:
    folder.mkdir(parents=True, exist_ok=True)
    write_streams(folder, declarations([CLICKS, ORDERS]))
    server = ServerProcess(folder, workers=workers, env=env)
    server.ready("one")
    return server


@pytest.fixture(scope="module")
def appender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = started(tmp_path_factory.mktemp("appends"))
    yield server
    server.stop()


def held(folder: Path) -> list[str]:
    return open_source(CLICKS, folder).collect()["click_id"].to_list()


def test_rows_are_there_when_they_are_answered(appender: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        before = datetime.now(UTC)
        status, answer = await client.post({"rows": [click("x"), click("y", seconds=1.5)]}, ROWS)
        assert status == 200
        known_at = datetime.fromisoformat(answer.pop("known_at"))
        assert before <= known_at <= datetime.now(UTC)
        assert answer == {"source": "clicks", "accepted": 2}
        rows = open_source(CLICKS, appender.folder).collect().tail(2)
        assert rows.select("click_id", "received_at", "seconds").rows() == [
            ("cx", known_at, None),
            ("cy", known_at, 1.5),
        ]

    drive(appender, ask)


def test_rows_that_come_late_are_told(appender: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        await client.post({"rows": [click("z")]}, ROWS)
        Feed(CLICKS, appender.folder).look(BEGINNING_US, to_us(datetime.now(UTC)))
        status, answer = await client.post(
            {"rows": [click("l", received_at="2013-04-01T00:00:00Z"), click()]}, ROWS
        )
        assert (status, answer["accepted"], answer["late"]) == (200, 2, 1)
        [known_at] = open_source(CLICKS, appender.folder).filter(click_id="cl").collect()["received_at"]
        assert known_at == datetime.fromisoformat(answer["known_at"])

    drive(appender, ask)


@pytest.mark.parametrize(
    ("path", "content", "status", "where"),
    [
        (ROWS, {"rows": [click(), click(secnds=1)]}, 422, "rows[1].secnds"),
        (ROWS, {"rows": [click(clicked_at=None)]}, 422, "rows[0].clicked_at"),
        (ROWS, {"rows": [click(clicked_at="2013-04-01T00:00:00")]}, 422, "rows[0].clicked_at"),
        (ROWS, {"rows": [click(received_at="2999-01-01T00:00:00Z")]}, 422, "rows[0].received_at"),
        (ROWS, b"{", 400, "body"),
        (ROWS, {"rows": []}, 400, "rows"),
        (ROWS, b" " * 100_001, 413, ROWS),
        ("/v1/sources/clikcs/rows", {"rows": [click()]}, 404, "/v1/sources/clikcs/rows"),
        ("/v1/sources/orders/rows", {"rows": [click()]}, 409, "source orders"),
        ("/v1/sources/clicks/more/rows", {"rows": [click()]}, 404, "/v1/sources/clicks/more/rows"),
        ("/v1/sources//rows", {"rows": [click()]}, 404, "/v1/sources//rows"),
        ("/v1/sources/rows", {"rows": [click()]}, 404, "/v1/sources/rows"),
    ],
)
def test_a_refusal_says_what_is_wrong(
    appender: ServerProcess, path: str, content: Any, status: int, where: str
) -> None:
    async def ask(client: Client) -> None:
        before = held(appender.folder)
        found, answer = await client.post(content, path)
        check_problem(found, answer, expected=status)
        assert answer["error"]["where"] == where
        assert held(appender.folder) == before
        if status == 404 and "clikcs" in path:
            assert answer["error"]["allowed"] == "clicks"

    drive(appender, ask)


def test_other_methods_are_refused(appender: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        status, headers, body = await client.get(ROWS)
        check_problem(status, json.loads(body), expected=405)
        assert headers["allow"] == "POST"

    drive(appender, ask)


def test_a_key_is_answered_alike(appender: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        first = await client.post({"rows": [click("key")]}, ROWS, idempotency_key="k-1")
        assert first[0] == 200
        assert await client.post({"rows": [click("key")]}, ROWS, Idempotency_Key="k-1") == first
        status, answer = await client.post({"rows": [click("other")]}, ROWS, idempotency_key="k-1")
        check_problem(status, answer, expected=409)
        assert held(appender.folder).count("ckey") == 1
        assert "cother" not in held(appender.folder)

    drive(appender, ask)


def test_it_is_counted(appender: ServerProcess) -> None:
    async def counts(client: Client) -> dict[str, int]:
        _, _, body = await client.get("/metrics")
        lines = [line for line in body.decode().splitlines() if line.startswith("trimtab_")]
        return {line.split(" ")[0]: int(float(line.split(" ")[1])) for line in lines}

    async def ask(client: Client) -> None:
        before = await counts(client)
        await client.post({"rows": [click(), click()]}, ROWS)
        await client.post({"rows": [5]}, ROWS)
        after = await counts(client)
        grown = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name)}
        assert grown == {
            'trimtab_append_requests_total{status="200"}': 1,
            'trimtab_append_requests_total{status="422"}': 1,
            'trimtab_appended_rows_total{source="clicks"}': 2,
        }

    drive(appender, ask)


def test_a_client_that_goes_away_takes_nothing_back(appender: ServerProcess) -> None:
    body = json.dumps({"rows": [click("gone")]}).encode()

    async def run() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", appender.port)
        writer.write(f"POST {ROWS} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()
        async with asyncio.timeout(10):
            while "cgone" not in held(appender.folder):
                await asyncio.sleep(0.02)

    asyncio.run(run())


def test_many_at_once_are_all_there_and_predictions_go_on(appender: ServerProcess) -> None:
    async def append(name: str, count: int) -> None:
        client = Client(appender.port)
        for number in range(count):
            status, _ = await client.post({"rows": [click(f"many-{name}-{number}")]}, ROWS)
            assert status == 200
        client.close()

    async def predict() -> None:
        client = Client(appender.port)
        for _ in range(50):
            status, _ = await client.post({"instances": [{"row": "a", "x": 1}]})
            assert status == 200
        client.close()

    async def run() -> None:
        await asyncio.gather(*(append(str(one), 10) for one in range(40)), predict())

    asyncio.run(run())
    ids = Counter(one for one in held(appender.folder) if one.startswith("cmany-"))
    assert len(ids) == ids.total() == 400


def test_what_was_answered_outlives_the_worker(tmp_path: Path) -> None:
    server = started(tmp_path, workers=2)
    chance = random.Random(20130401)
    answered: dict[str, str] = {}
    stop = False

    async def append(name: int) -> None:
        client, number = Client(server.port), 0
        while not stop:
            key = f"{name}-{number}"
            try:
                async with asyncio.timeout(5.0):
                    status, answer = await client.post(
                        {"rows": [click(key), click(key)]}, ROWS, idempotency_key=key
                    )
            except (OSError, EOFError, TimeoutError):
                client.close()
                await asyncio.sleep(0.01)
                continue  # the same key again: it may have been accepted
            assert status == 200, answer
            assert answer["accepted"] == 2
            answered[key] = answer["known_at"]
            number += 1
        client.close()

    async def run() -> None:
        nonlocal stop
        running = [asyncio.create_task(append(name)) for name in range(6)]
        for _ in range(8):
            await asyncio.sleep(chance.uniform(0.1, 0.5))
            if workers := server.board.workers():
                os.kill(chance.choice(workers), signal.SIGKILL)
        await asyncio.sleep(1.0)
        stop = True
        await asyncio.gather(*running)

    try:
        asyncio.run(run())
    finally:
        server.stop()
    assert len(answered) > 100
    rows = open_source(CLICKS, tmp_path).collect()
    found = Counter(rows["click_id"])
    assert found == Counter({f"c{key}": 2 for key in answered})
    times = dict(zip(rows["click_id"], rows["received_at"], strict=True))
    assert all(times[f"c{key}"] == datetime.fromisoformat(known_at) for key, known_at in answered.items())


def test_what_the_disk_does_not_take_is_refused_whole(tmp_path: Path) -> None:
    # No file of the worker grows beyond 300,000 bytes.
    server = started(tmp_path, env={**os.environ, "TEST_FILE_BYTES": "300000"})
    answered: list[str] = []
    refused: list[int] = []

    async def run() -> None:
        client = Client(server.port)
        for number in range(60):
            content = {"rows": [click(f"{number}-{row}", tags=[os.urandom(900).hex()]) for row in range(20)]}
            status, answer = await client.post(content, ROWS)
            if status == 200:
                answered.extend(f"c{number}-{row}" for row in range(20))
            else:
                refused.append(status)
                assert set(answer["error"]) == {"what", "where", "allowed", "got", "do"}
                assert "the rows could not be stored" in answer["error"]["what"]
        client.close()

    try:
        asyncio.run(run())
    finally:
        server.stop()
    assert set(refused) <= {503, 507}
    assert len(refused) > 10
    assert answered
    assert held(tmp_path) == answered


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_refuses_until_there_is_space_again(tmp_path: Path) -> None:
    disk = tmp_path / ".trimtab" / "inbox"
    disk.mkdir(parents=True)
    if os.system(f"mount -t tmpfs -o size=512k tmpfs {disk}") != 0:
        pytest.skip("no disk can be mounted here")
    answered: list[str] = []

    async def ask(client: Client, name: str, rows: int = 1) -> int:
        content = {"rows": [click(f"{name}-{row}", tags=["x" * 200]) for row in range(rows)]}
        status, answer = await client.post(content, ROWS)
        if status == 200:
            answered.extend(f"c{name}-{row}" for row in range(rows))
        else:
            assert "the rows could not be stored" in answer["error"]["what"]
            assert "free space" in answer["error"]["do"]
        return status

    async def run(port: int) -> None:
        client = Client(port)
        assert await ask(client, "before") == 200
        with pytest.raises(OSError, match="No space left"):
            fill(disk / "ballast")
        assert [await ask(client, f"full-{number}", 40) for number in range(20)] == [507] * 20
        status, _ = await client.post({"instances": [{"row": "a", "x": 1}]})
        assert status == 200  # predictions have a log of their own
        (disk / "ballast").unlink()
        assert await ask(client, "after") == 200
        client.close()

    try:
        server = started(tmp_path)
        try:
            asyncio.run(run(server.port))
        finally:
            server.stop()
        assert held(tmp_path) == answered
    finally:
        os.system(f"umount {disk}")
