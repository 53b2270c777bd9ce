"""`trimtab up`: the server that a person starts, stopped and rolled back beside it, and killed."""

from __future__ import annotations

import itertools
import json
import re
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.command import said
from tests.e2e.conftest import Lived, copied
from tests.e2e.living import Living, trimtab, workers
from tests.e2e.stores import assert_nothing_twice, story

from trimtab.cli.session import session
from trimtab.kernel.canonical import short
from trimtab.serving.segment import LIVE

ORDER = {"shop": "ber", "price": 61.5}


@pytest.fixture(scope="module")
def folder(small: Lived, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(small, tmp_path_factory.mktemp("up") / "tiny")


class Up:
    """The running server."""

    def __init__(self, folder: Path) -> None:
        self.living = Living(trimtab("up", "--every", "1h"), folder, cwd=folder)
        assert self.living.reaches("/metrics"), self.living.said()
        found = re.search(r"http://127.0.0.1:(\d+)/readyz", self.living.said())
        assert found is not None, self.living.said()
        self.port = int(found[1])
        until_s = time.monotonic() + 60.0
        while len(self._ready_workers(folder)) < 2:
            assert time.monotonic() < until_s, self.living.said()
            time.sleep(0.02)

    def get(self, path: str) -> str:
        return self._answer(path, None)

    def ask(self, key: str) -> dict[str, Any]:
        body = json.dumps({"instances": [{"order_id": key, **ORDER}]}).encode()
        [answer] = json.loads(self._answer("/v1/systems/tiny/predict", body))["predictions"]
        return dict(answer)

    def _answer(self, path: str, body: bytes | None) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", body, timeout=10) as answer:
            return str(answer.read().decode())

    @staticmethod
    def _ready_workers(folder: Path) -> list[int]:
        with session(folder=folder) as open_:
            return open_.stores.board("tiny").workers()


@pytest.fixture
def up(folder: Path) -> Iterator[Up]:
    up = Up(folder)
    yield up
    if up.living.process.poll() is None:
        up.living.kill()


def test_it_answers_and_ends_in_order(up: Up, folder: Path) -> None:
    before_ms = time.time() * 1000
    answer = up.ask("new-1")
    assert 0.0 < answer["score"] < 1.0
    assert json.loads(up.get("/readyz"))
    assert "trimtab_rows_total" in up.get("/metrics")
    with session(folder=folder) as open_:
        found = open_.house.log.find(answer["id"])
    assert found.key == "new-1"
    assert abs(found.at_us / 1000 - before_ms) < 60_000  # the machine's clock
    up.living.process.send_signal(signal.SIGINT)
    assert "every acknowledged answer is in the log" in up.living.ends()
    assert workers(folder) == []
    with session(folder=folder) as open_:
        assert open_.stores.segments.files(LIVE) == []
        assert open_.house.log.find(answer["id"]) == found


def test_a_rollback_beside_it_is_followed_by_all_workers_and_fails_no_request(up: Up, folder: Path) -> None:
    with session(folder=folder) as open_:
        route = open_.house.act.route("tiny")
        assert route is not None
        to, rolled_back = route.warm[0], route.champion
    asked: list[tuple[float, dict[str, Any]]] = []  # (begun, monotonic seconds; answer)
    stopping = threading.Event()

    def ask_on(client: int) -> None:
        for number in itertools.count():
            last, begun_s = stopping.is_set(), time.monotonic()
            asked.append((begun_s, up.ask(f"during-{client}-{number}")))
            if last:
                return

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(ask_on, client) for client in range(4)]
        done = said(folder, "rollback")
        acknowledged_s = time.monotonic()
        stopping.set()
        for client in clients:
            client.result()  # raises what any of its requests met
    assert done.status == 0, done.err
    assert f"release {short(to)} answers tiny: rollback from {short(rolled_back)}" in done.out
    took = re.search(r"acknowledged by 2 live workers in (\d+) ms", done.out)
    assert took is not None, done.out
    assert int(took[1]) < 1000
    with session(folder=folder) as open_:
        generation = open_.house.act.route("tiny")
        assert generation is not None
        found = [open_.house.log.find(answer["id"]) for _, answer in (*asked[:20], *asked[-20:])]
        last = [open_.house.log.find(up.ask(f"after-{number}")["id"]) for number in range(8)]
    assert {answer["release"] for _, answer in asked} == {one.release for one in found} == {to, rolled_back}
    assert {answer["release"] for begun_s, answer in asked if begun_s > acknowledged_s} == {to}
    assert {(one.release, one.generation) for one in last} == {(to, generation.generation)}


def test_killed_it_leaves_nothing_running_and_starts_again(up: Up, folder: Path) -> None:
    id = up.ask("before-the-kill")["id"]
    up.living.kill()  # waits until its workers are gone
    again = Up(folder)
    with session(folder=folder) as open_:
        assert open_.house.log.find(id).key == "before-the-kill"
    assert 0.0 < again.ask("after-the-kill")["score"] < 1.0
    again.living.process.send_signal(signal.SIGTERM)
    again.living.ends()
    done = said(folder, "tick")
    assert done.status == 0, done.err
    assert_nothing_twice(folder)


def test_a_retraining_that_is_refused_is_written_down_and_not_tried_at_every_turn(up: Up, folder: Path) -> None:
    """The labels are years old: the days that a trial would be held on have none."""
    assert up.living.process.poll() is None
    assert [kind for kind, _, _, _ in story(folder)].count("training.refused") == 1
    said_before = folder.with_suffix(".log").read_text()
    assert said_before.count("kept the champion: ") == 1
