import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from tests.serving.client import ServerProcess
from tests.serving.conftest import Stores
from tests.serving.load import Load
from tests.serving.releases import SUMMANDS

from trimtab.kernel.errors import Busy
from trimtab.serving.log_reader import TABLE
from trimtab.serving.segment import LIVE, SET_ASIDE
from trimtab.serving.supervisor import Supervisor, SupervisorSettings

SEED = 20130401


@pytest.mark.parametrize(
    ("mode", "kills", "release", "rows"),
    [
        ("write", 10, "one", 1),
        ("fsync", 10, "sent", 3),  # recorded in blocks
        pytest.param("write", 100, "sent", 3, marks=pytest.mark.slow),
        pytest.param("write", 100, "one", 1, marks=pytest.mark.slow),
        pytest.param("fsync", 100, "sent", 3, marks=pytest.mark.slow),
    ],
)
def test_every_acknowledged_answer_is_in_the_log_once_whoever_is_killed(
    stores: Stores, tmp_path: Path, mode: str, kills: int, release: str, rows: int
) -> None:
    """Workers, the compactor, the supervisor, and all of them at once, at random moments under load."""
    server = ServerProcess(tmp_path, mode="fsync" if mode == "fsync" else "write")
    server.ready(release)
    load = Load(server.port, rows)
    chance = random.Random(SEED)
    killed: Counter[str] = Counter()
    compacting: list[subprocess.Popen[bytes]] = []
    stopping = threading.Event()

    def compact_for_ever() -> None:
        while not stopping.is_set():
            server.board.request_seal()
            command = [sys.executable, "-m", "tests.serving.compactor_main", str(tmp_path), "nowhere"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
            compacting[:] = [process]
            assert process.stdout is not None
            process.stdout.readline()  # until it has begun
            code = process.wait()
            process.stdout.close()
            assert code in (0, -signal.SIGKILL)

    async def kill_somebody() -> None:
        what = chance.choices(["worker", "workers", "compactor", "supervisor", "all"], [5, 2, 3, 2, 1])[0]
        killed[what] += 1
        if what in ("compactor", "all"):
            for process in compacting:
                process.kill()
        workers = server.board.stuck(after_s=0)  # also those that are still starting
        for pid in workers if what in ("workers", "all") else [chance.choice(workers or [0])]:
            if pid and what in ("worker", "workers", "all"):
                os.kill(pid, signal.SIGKILL)
        if what in ("supervisor", "all"):
            server.kill()
            await asyncio.to_thread(server.start)

    async def run() -> None:
        running = asyncio.create_task(load.run(6))
        compactor = asyncio.create_task(asyncio.to_thread(compact_for_ever))
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0.1, 0.6))
            await kill_somebody()
        await asyncio.sleep(1.0)
        load.stop()
        stopping.set()
        await running
        await compactor

    try:
        asyncio.run(run())
    finally:
        stopping.set()
        server.stop()
    assert min(killed[what] for what in ("worker", "compactor", "supervisor")) >= 1
    assert len(load.answers) > 100
    assert load.broken > 0  # the kills hit requests under way
    log = stores.log()
    recorded = [(one.id, one.key) for one in log.recent()]
    moved = stores.tables.scan(TABLE).select("id", "key").collect().rows()
    assert moved  # the compactor came through at times
    by_id, by_key = (Counter(column) for column in zip(*recorded, *moved, strict=True))
    assert max(by_id.values()) == max(by_key.values()) == 1
    lost = [one for one in load.answers if by_id[one.id] != 1 or by_key[one.key] != 1]
    assert lost == [], f"{len(lost)} of {len(load.answers)} acknowledged answers have no record"
    for one in chance.sample(load.answers, 100):
        found = log.find(one.id)
        assert (found.id, found.key, found.score) == (one.id, one.key, 10.0 + SUMMANDS[release])
    assert stores.segments.files(LIVE) == []
    assert stores.segments.files(SET_ASIDE) == []


def test_workers_end_with_a_killed_supervisor_and_the_next_one_takes_over(server: ServerProcess) -> None:
    server.ready("one")
    old = server.board.workers()
    server.kill()
    server.start()
    assert not set(old) & set(server.board.workers())
    assert len(server.board.workers()) <= 2


def test_a_second_server_is_refused_while_the_first_one_runs(server: ServerProcess, tmp_path: Path) -> None:
    settings = SupervisorSettings(
        workers=1,
        host="127.0.0.1",
        port=0,
        lock_path=tmp_path / "server.lock",
        log_folder=tmp_path / "wal",
        output_folder=tmp_path / "logs",
        lock_s=0.1,
    )
    second = Supervisor(lambda _: [], settings, board=server.board, report=lambda _: None)
    with pytest.raises(Busy, match="the server is in use by another process"):
        second.start()


def test_a_taken_address_is_named(server: ServerProcess, tmp_path: Path) -> None:
    settings = SupervisorSettings(
        workers=1,
        host="127.0.0.1",
        port=server.port,
        lock_path=tmp_path / "other.lock",
        log_folder=tmp_path / "wal",
        output_folder=tmp_path / "logs",
    )
    with pytest.raises(Busy, match=f"address 127.0.0.1:{server.port} is in use"):
        Supervisor(lambda _: [], settings, board=server.board, report=lambda _: None).start()


def test_a_worker_that_dies_at_its_start_is_reported_with_its_last_words(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, workers=1, clock="sundial")  # type: ignore[arg-type]
    try:

        async def wait() -> None:
            async with asyncio.timeout(10.0):
                while server.said().count("ended with status 1") < 3:
                    await asyncio.sleep(0.02)

        asyncio.run(wait())
        supervised = (tmp_path / "supervisor.log").read_text()
        assert "started again in 0.1 s" in supervised
        assert "started again in 0.2 s" in supervised
        assert "leave the file" not in supervised
        assert "sundial" in server.said()
    finally:
        server.stop()
