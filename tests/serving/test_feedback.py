"""Feedback over HTTP: held to its form, on the disk when it is answered, once whatever is killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.serving.client import Client, ServerProcess
from tests.serving.conftest import Stores
from tests.serving.releases import SYSTEM
from tests.serving.test_appends import ORDERS
from tests.serving.test_requests import check_problem, drive

import trimtab as tt
from trimtab.data.reading import open_source
from trimtab.data.stream_file import declarations, write_streams
from trimtab.kernel.prediction_id import PredictionId, parse_prediction_id
from trimtab.serving.compactor import Compactor
from trimtab.serving.recorded_keys import RecordedKeys
from trimtab.serving.segment import LIVE
from trimtab.serving.segment_folder import SegmentFolder

FEEDBACK = "/v1/feedback"
GIVEN = tt.feedback()
ID = str(PredictionId(at_ms=1_364_774_400_000, worker=0, segment=1, offset=40))


def started(folder: Path, *sources: tt.Source, workers: int = 1) -> ServerProcess:
    folder.mkdir(parents=True, exist_ok=True)
    write_streams(folder, declarations(sources or [GIVEN]))
    server = ServerProcess(folder, workers=workers)
    server.ready("one")
    return server


@pytest.fixture(scope="module")
def taker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = started(tmp_path_factory.mktemp("feedback"))
    yield server
    server.stop()


def held(folder: Path) -> pl.DataFrame:
    return open_source(GIVEN, folder).collect()


def test_labels_and_opinions_are_there_when_they_are_answered(taker: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        before = datetime.now(UTC)
        given = [
            {"id": ID.lower(), "label": True},
            {"key": "k1", "system": SYSTEM, "label": False, "at": "2013-04-01T02:00:00+02:00"},
            {"key": 7, "value": 0.5, "comment": "odd", "name": "thumbs", "label": None},
        ]
        status, answer = await client.post({"feedback": given}, FEEDBACK)
        assert status == 200
        known_at = datetime.fromisoformat(answer.pop("known_at"))
        assert before <= known_at <= datetime.now(UTC)
        assert answer == {"source": "feedback", "accepted": 3}
        rows = held(taker.folder).tail(3)
        assert rows["known_at"].to_list() == [known_at] * 3
        assert rows.drop("known_at").rows() == [
            (ID, None, True, None, None, None, None),
            (None, "k1", False, None, None, None, datetime(2013, 4, 1, tzinfo=UTC)),
            (None, "7", None, "thumbs", 0.5, "odd", None),
        ]

    drive(taker, ask)


@pytest.mark.parametrize(
    ("given", "status", "where"),
    [
        ({"id": "no-id", "label": True}, 400, "feedback[1].id"),
        ({"id": 5, "label": True}, 400, "feedback[1].id"),
        ({"label": True}, 400, "feedback[1]"),
        ({"id": ID, "key": "k", "label": True}, 400, "feedback[1]"),
        ({"key": "", "label": True}, 400, "feedback[1].key"),
        ({"key": True, "label": True}, 400, "feedback[1].key"),
        ({"key": [1], "label": True}, 400, "feedback[1].key"),
        ({"key": "k"}, 400, "feedback[1]"),
        ({"key": "k", "label": None, "name": "thumbs"}, 400, "feedback[1]"),
        ({"key": "k", "lable": True}, 400, "feedback[1].lable"),
        ({"key": "k", "system": "other", "label": True}, 400, "feedback[1].system"),
        ({"key": "k", "system": None, "label": True}, 400, "feedback[1].system"),
        ({"key": "k", "label": "yes"}, 422, "feedback[1].label"),
        ({"key": "k", "label": 0.7}, 422, "feedback[1].label"),
        ({"key": "k", "value": "much"}, 422, "feedback[1].value"),
        ({"key": "k", "comment": 5}, 422, "feedback[1].comment"),
        ({"key": "k", "label": True, "at": "2013-04-01T00:00:00"}, 422, "feedback[1].at"),
        ({"key": "k", "label": True, "at": 5}, 422, "feedback[1].at"),
        ({"key": "k", "label": True, "known_at": "2013-04-01T00:00:00Z"}, 400, "feedback[1].known_at"),
    ],
)
def test_of_wrong_feedback_nothing_is_accepted(
    taker: ServerProcess, given: dict[str, Any], status: int, where: str
) -> None:
    async def ask(client: Client) -> None:
        before = held(taker.folder).height
        found, answer = await client.post({"feedback": [{"key": "k", "label": True}, given]}, FEEDBACK)
        check_problem(found, answer, expected=status)
        assert answer["error"]["where"] == where
        assert held(taker.folder).height == before

    drive(taker, ask)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        ({"feedback": []}, 400),
        ({"feedback": {}}, 400),
        ({"feedback": [5]}, 400),
        ({"rows": [{"key": "k", "label": True}]}, 400),
        (b"[" * 50_000, 400),
        (b" " * 100_001, 413),
    ],
)
def test_what_is_no_feedback_is_refused(taker: ServerProcess, content: Any, status: int) -> None:
    async def ask(client: Client) -> None:
        found, answer = await client.post(content, FEEDBACK)
        check_problem(found, answer, expected=status)

    drive(taker, ask)


def test_other_addresses_and_methods(taker: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        status, headers, _ = await client.get(FEEDBACK)
        assert (status, headers["allow"]) == (405, "POST")
        # A key for rows of streams is none for feedback.
        row = {"key": "k", "label": True}
        status, answer = await client.post({"rows": [row]}, "/v1/sources/feedback/rows")
        check_problem(status, answer, expected=404)
        assert FEEDBACK in answer["error"]["allowed"]

    drive(taker, ask)


def test_a_request_with_a_key_counts_once(taker: ServerProcess) -> None:
    async def ask(client: Client) -> None:
        given = {"feedback": [{"key": "idem", "label": True}]}
        first = await client.post(given, FEEDBACK, idempotency_key="f-1")
        assert first[0] == 200
        assert await client.post(given, FEEDBACK, idempotency_key="f-1") == first
        other = {"feedback": [{"key": "idem", "label": False}]}
        status, answer = await client.post(other, FEEDBACK, idempotency_key="f-1")
        check_problem(status, answer, expected=409)
        assert held(taker.folder).filter(key="idem")["label"].to_list() == [True]

    drive(taker, ask)


def test_a_system_that_takes_no_feedback_says_so(tmp_path: Path) -> None:
    server = started(tmp_path, ORDERS)

    async def ask(client: Client) -> None:
        status, answer = await client.post({"feedback": [{"key": "k", "label": True}]}, FEEDBACK)
        check_problem(status, answer, expected=409)
        assert "takes no feedback" in answer["error"]["what"]
        assert "trimtab.feedback()" in answer["error"]["do"]

    try:
        drive(server, ask)
    finally:
        server.stop()


def test_what_was_acknowledged_outlives_its_worker_and_is_there_once(tmp_path: Path) -> None:
    server = started(tmp_path, workers=2)
    chance = random.Random(20130401)
    answered: dict[str, str] = {}
    stop = False

    async def give(name: int) -> None:
        client, number = Client(server.port), 0
        while not stop:
            key = f"{name}-{number}"
            given = [{"key": key, "label": True}, {"key": key, "comment": "both, or none"}]
            try:
                async with asyncio.timeout(5.0):
                    status, answer = await client.post({"feedback": given}, FEEDBACK, idempotency_key=key)
            except (OSError, EOFError, TimeoutError):
                client.close()
                await asyncio.sleep(0.01)
                continue  # the same request again: it may have been accepted
            assert (status, answer.get("accepted")) == (200, 2), answer
            answered[key] = answer["known_at"]
            number += 1
        client.close()

    async def run() -> None:
        nonlocal stop
        running = [asyncio.create_task(give(name)) for name in range(4)]
        for _ in range(6):
            await asyncio.sleep(chance.uniform(0.1, 0.5))
            if workers := server.board.workers():
                os.kill(chance.choice(workers), signal.SIGKILL)
        await asyncio.sleep(0.5)
        stop = True
        await asyncio.gather(*running)

    try:
        asyncio.run(run())
        server.kill()  # the supervisor too
    finally:
        server.stop()
    assert len(answered) > 50
    rows = held(tmp_path)
    assert Counter(rows["key"]) == Counter(dict.fromkeys(answered, 2))
    assert rows["label"].drop_nulls().len() == len(answered)
    times = dict(zip(rows["key"], rows["known_at"], strict=True))
    assert all(times[key] == datetime.fromisoformat(known_at) for key, known_at in answered.items())


def test_ids_find_their_keys_live_sealed_and_compacted(one_worker: ServerProcess, stores: Stores) -> None:
    folder = SegmentFolder(one_worker.wal)
    keys_of = RecordedKeys(folder, tables=stores.tables, journal=stores.history)
    compactor = Compactor(
        folder, system=SYSTEM, tables=stores.tables, journal=stores.journal, history=stores.history
    )
    ids: dict[str, str] = {}

    async def ask(client: Client) -> None:
        for number in range(20):
            rows = [{"row": f"key-{number}-{row}", "x": 1} for row in range(3)]
            _, answer = await client.post({"instances": rows})
            ids.update({one["id"]: one["key"] for one in answer["predictions"]})

    drive(one_worker, ask)
    place = parse_prediction_id(next(iter(ids)))
    strangers = [
        "no-id",
        "7" + "Z" * 25,
        str(PredictionId(place.at_ms, place.worker, place.segment, place.offset + 1)),  # within a record
        str(PredictionId(place.at_ms + 1, place.worker, place.segment, place.offset)),  # of another instant
        str(PredictionId(place.at_ms, place.worker, place.segment + 10_000, place.offset)),
        str(PredictionId((1 << 48) - 1, place.worker, place.segment, place.offset)),  # of no date
    ]
    asked = [*strangers, *ids]
    assert folder.files(LIVE)
    assert keys_of(asked, SYSTEM) == ids
    assert keys_of(asked, "another") == {}
    epoch = one_worker.board.request_seal()
    assert one_worker.board.unsealed(epoch, within_s=10) == []
    assert keys_of(asked, SYSTEM) == ids
    done = compactor.compact(at=datetime.now(UTC), actor="test")
    assert done.rows >= len(ids)
    assert keys_of([one.lower() for one in asked], SYSTEM) == {id.lower(): key for id, key in ids.items()}
    assert keys_of(asked, "another") == {}
