import asyncio
import fcntl
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from tests.serving.client import ServerProcess
from tests.serving.compactor_main import POINTS
from tests.serving.conftest import Stores
from tests.serving.load import Load
from tests.serving.releases import SYSTEM

from trimtab.kernel.errors import Busy, Corrupt, InvalidValue, NotFound
from trimtab.kernel.moment import to_us
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.prediction_id import PredictionId, parse_prediction_id
from trimtab.ports.prediction_log import PredictionLog
from trimtab.serving.compactor import Compactor
from trimtab.serving.log_reader import FRAME_SCHEMA, TABLE
from trimtab.serving.log_writer import LogPolicy, LogWriter
from trimtab.serving.record import Plain
from trimtab.serving.segment import LIVE, SEALED, SET_ASIDE
from trimtab.serving.segment_folder import SegmentFolder

NOW = datetime(2013, 5, 1, tzinfo=UTC)
START_US = to_us(datetime(2013, 4, 1, 23, 59, tzinfo=UTC))


def record(number: int, system: str = SYSTEM) -> Plain:
    """A row each second, from one minute before midnight."""
    at_us = START_US + number * 1_000_000
    features = [number / 3, None, "JFK", True]
    return (
        system,
        "r",
        2,
        f"k{number}",
        at_us,
        {"n": number, "s": "ü"},
        features,
        [None, 5],
        number / 7,
        [("q", number / 5)],
        12,
    )


def write(folder: SegmentFolder, numbers: range, *, system: str = SYSTEM, sealed: bool = True) -> list[str]:
    """Records in segments of about four; all sealed, or the last one as a dead writer leaves it."""

    async def run() -> list[str]:
        policy = LogPolicy(segment_bytes=500)
        log = LogWriter(folder, system=system, worker=1, policy=policy, report=lambda _: None)
        ids = []
        for number in numbers:
            some, done = log.stage([record(number, system)])
            await done
            ids += some
        if sealed:
            await log.close()
        return ids

    return asyncio.run(run())


def compactor(stores: Stores, system: str = SYSTEM, batch_bytes: int = 1000) -> Compactor:
    return Compactor(
        stores.segments,
        system=system,
        tables=stores.tables,
        journal=stores.journal,
        history=stores.history,
        batch_bytes=batch_bytes,
    )


def table(stores: Stores) -> pl.DataFrame:
    return stores.tables.scan(TABLE).collect()


def check_prediction(one: Prediction, number: int) -> None:
    system, release, generation, key, at_us, request, features, ages, score, others, latency = record(number)
    assert one == Prediction(
        one.id,
        system,
        release,
        generation,
        key,
        at_us,
        request,
        tuple(features),
        tuple(ages),
        score,
        tuple(others),
        latency,
    )


def test_every_record_moves_once_and_is_found_before_and_after(stores: Stores) -> None:
    ids = write(stores.segments, range(90))
    log: PredictionLog = stores.log()
    assert [one.id for one in log.recent()] == ids
    for number, id in enumerate(ids):
        check_prediction(log.find(id), number)
    done = compactor(stores).compact(at=NOW, actor="test")
    assert (done.rows, done.corrupt) == (90, ())
    assert stores.segments.files(SEALED) == []
    assert list(log.recent()) == []
    for number, id in enumerate(ids[::7]):
        check_prediction(log.find(id), number * 7)
    frame = table(stores)
    assert sorted(frame["id"]) == sorted(ids)
    assert dict(frame.select(FRAME_SCHEMA.names()).schema) == dict(FRAME_SCHEMA)
    assert frame["date"].value_counts().sort("date").rows() == [(date(2013, 4, 1), 60), (date(2013, 4, 2), 30)]
    assert (frame["at"].dt.date() == frame["date"]).all()
    assert compactor(stores).compact(at=NOW, actor="test").rows == 0


def test_the_ledger_names_every_segment_with_its_rows_and_root(stores: Stores) -> None:
    write(stores.segments, range(20))
    names = [path.stem for path in stores.segments.files(SEALED)]
    done = compactor(stores).compact(at=NOW, actor="test")
    entries = list(stores.history.entries(kind="segments.compacted", subject=SYSTEM))
    noted = [one for entry in entries for one in entry.body["segments"]]  # type: ignore[union-attr]
    assert [one["name"] for one in noted] == names == list(done.segments)  # type: ignore[index,call-overload]
    assert sum(one["rows"] for one in noted) == 20  # type: ignore[index,call-overload,misc]
    assert len({one["root"] for one in noted}) == len(names)  # type: ignore[index,call-overload]
    pointer = stores.history.pointer(f"compacted/{SYSTEM}")
    assert pointer is not None
    assert pointer.value == str(len(entries))
    assert len(stores.history.records("segment")) == len(names)


def test_systems_share_a_folder_and_do_not_mix(stores: Stores) -> None:
    mine = write(stores.segments, range(10))
    others = write(stores.segments, range(10), system="other")
    assert not set(mine) & set(others)
    assert compactor(stores).compact(at=NOW, actor="test").rows == 10
    assert set(table(stores)["system"]) == {SYSTEM}
    log = stores.log()
    assert log.find(others[3]).system == "other"
    assert compactor(stores, "other").compact(at=NOW, actor="test").rows == 10
    assert Counter(table(stores)["system"]) == {SYSTEM: 10, "other": 10}
    assert log.find(others[3]).key == log.find(mine[3]).key == "k3"


def test_a_damaged_segment_is_set_aside_and_entered_and_the_others_move(stores: Stores) -> None:
    ids = write(stores.segments, range(12))
    victim = stores.segments.files(SEALED)[1]
    inside = [id for id in ids if parse_prediction_id(id).segment_name == victim.stem]
    data = bytearray(victim.read_bytes())
    data[parse_prediction_id(inside[1]).offset + 20] ^= 1
    victim.write_bytes(data)
    done = compactor(stores).compact(at=NOW, actor="test")
    assert done.corrupt == (victim.stem,)
    assert done.rows == 12 - len(inside)
    assert [path.stem for path in stores.segments.files(SET_ASIDE)] == [victim.stem]
    assert [entry.subject for entry in stores.history.entries(kind="segment.corrupt")] == [victim.stem]
    log = stores.log()
    assert log.find(inside[0]).id == inside[0]
    with pytest.raises(Corrupt, match="segment is corrupt"):
        log.find(inside[1])
    assert compactor(stores).compact(at=NOW, actor="test").corrupt == ()


def test_ids_that_name_nothing_are_told_from_ids_that_are_none(stores: Stores) -> None:
    ids = write(stores.segments, range(6))
    log = stores.log()
    place = parse_prediction_id(ids[2])

    def elsewhere(**changed: int) -> str:
        return str(PredictionId(**{**place.__dict__, **changed}))

    strange = [
        elsewhere(offset=place.offset + 1),
        elsewhere(offset=0),
        elsewhere(offset=10_000_000),
        elsewhere(segment=99),
        elsewhere(worker=2),
        elsewhere(at_ms=place.at_ms + 1),
    ]
    for _ in range(2):
        for id in strange:
            with pytest.raises(NotFound, match="there is no prediction"):
                log.find(id)
        assert log.find(ids[2].lower()).id == ids[2]
        compactor(stores).compact(at=NOW, actor="test")
    with pytest.raises(InvalidValue, match="prediction id"):
        log.find("flight 17")


def test_one_compactor_at_a_time(stores: Stores) -> None:
    with (stores.segments.path / f"compactor-{SYSTEM}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Busy, match="compaction of 'adder'"):
            compactor(stores).compact(at=NOW, actor="test")


def run_compactor(folder: Path, point: str, *, kill_after_s: float | None = None) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.serving.compactor_main", str(folder), point], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"go\n"
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        process.send_signal(signal.SIGKILL)
    code = process.wait(30)
    process.stdout.close()
    return code


def test_killed_at_any_point_a_compactor_moves_every_record_once(stores: Stores, tmp_path: Path) -> None:
    ids: list[str] = []
    chance = random.Random(20130401)
    for round, point in enumerate([*POINTS, *["at random"] * 7]):
        ids += write(stores.segments, range(round * 25, round * 25 + 25))
        if point == "at random":
            run_compactor(tmp_path, point, kill_after_s=chance.uniform(0.0, 0.25))
        else:
            assert run_compactor(tmp_path, point) == 9
        # Whatever state it was left in, no reader sees a record twice, or misses one.
        in_table = set(table(stores)["id"]) if stores.tables.exists(TABLE) else set()
        not_compacted = [one.id for one in stores.log().recent()]
        assert set(not_compacted) | in_table == set(ids)
        assert stores.log().find(ids[-1]).key == f"k{round * 25 + 24}"
        assert stores.log().find(ids[round]).key == f"k{round}"
    compactor(stores).compact(at=NOW, actor="test")
    assert sorted(table(stores)["id"]) == sorted(ids)
    assert stores.segments.files(SEALED) == []
    noted = [one for entry in stores.history.entries(kind="segments.compacted") for one in entry.body["segments"]]  # type: ignore[union-attr]
    assert sum(one["rows"] for one in noted) == len(ids)  # type: ignore[index,call-overload,misc]
    assert list(stores.log().recent()) == []


def test_a_running_server_seals_on_request_and_loses_nothing_to_compaction(
    server: ServerProcess, stores: Stores
) -> None:
    server.ready("one")
    load = Load(server.port)
    sealed_in_s: list[float] = []

    async def run() -> None:
        running = asyncio.create_task(load.run(4))
        for _ in range(5):
            await asyncio.sleep(0.3)
            before_s = time.monotonic()
            answered = [one.id for one in load.answers]
            epoch = server.board.request_seal()
            assert await asyncio.to_thread(server.board.unsealed, epoch, within_s=2.0) == []
            sealed_in_s.append(time.monotonic() - before_s)
            await asyncio.to_thread(compactor(stores, batch_bytes=1 << 20).compact, at=NOW, actor="test")
            assert set(answered) <= set(table(stores)["id"])
        load.stop()
        await running

    asyncio.run(run())
    server.stop()
    assert sorted(sealed_in_s)[2] < 0.5
    assert (load.refused, load.broken) == ([], 0)
    compactor(stores).compact(at=NOW + timedelta(days=1), actor="test")
    assert Counter(table(stores)["id"]) == Counter(one.id for one in load.answers)
    assert stores.segments.files(LIVE) == []
