import asyncio
import os
from pathlib import Path

import pytest
from tests.serving.client import Client, ServerProcess
from tests.serving.conftest import Stores
from tests.serving.load import Load
from tests.serving.test_requests import PARTS


@pytest.mark.parametrize("mode", ["write", "fsync"])
def test_what_the_disk_does_not_take_is_refused_and_nothing_acknowledged_is_lost(
    stores: Stores, tmp_path: Path, mode: str
) -> None:
    # Every file of the worker ends at 3,000 bytes: each segment fills up, fails, and is followed by another one.
    env = {**os.environ, "TEST_FILE_BYTES": "3000"}
    server = ServerProcess(tmp_path, workers=1, mode="fsync" if mode == "fsync" else "write", env=env)
    load = Load(server.port)

    async def run() -> None:
        running = asyncio.create_task(load.run(4))
        await asyncio.sleep(1.5)
        load.stop()
        await running

    try:
        server.ready("one")
        asyncio.run(run())
        assert len(server.board.workers()) == 1
    finally:
        server.stop()
    assert load.broken == 0
    assert len(load.answers) > 30
    assert len(load.refused) > 3
    for status, answer in load.refused:
        assert status == 503
        assert isinstance(answer, dict)
        assert set(answer["error"]) == PARTS
        assert answer["error"]["got"].startswith("[Errno 27] File too large")
    recorded = [one.id for one in stores.log().recent()]
    assert sorted(recorded) == sorted(one.id for one in load.answers)


def fill(path: Path) -> None:
    """Until the disk takes no more."""
    with path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_refuses_until_there_is_space_again(stores: Stores, tmp_path: Path) -> None:
    disk = tmp_path / "wal"
    if os.system(f"mount -t tmpfs -o size=256k tmpfs {disk}") != 0:
        pytest.skip("no disk can be mounted here")
    answered: list[str] = []

    async def ask(client: Client) -> int:
        status, answer = await client.post({"instances": [{"row": "a", "x": 1}]})
        answered.extend(one["id"] for one in answer.get("predictions", []))
        return status

    async def run() -> None:
        client = Client(server.port)
        assert await ask(client) == 200
        with pytest.raises(OSError, match="No space left"):
            fill(disk / "ballast")
        statuses = [await ask(client) for _ in range(200)]
        assert set(statuses) == {200, 503}  # the last page of the segment still took some
        assert statuses[-1] == 503
        (disk / "ballast").unlink()
        await asyncio.sleep(0.3)
        assert await ask(client) == 200
        client.close()

    try:
        server = ServerProcess(tmp_path, workers=1)
        try:
            server.ready("one")
            asyncio.run(run())
        finally:
            server.stop()
        assert sorted(one.id for one in stores.log().recent()) == sorted(answered)
    finally:
        os.system(f"umount {disk}")
