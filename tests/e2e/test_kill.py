"""`kill -9` of any process at any moment: the same command goes on, ends with the same figures, repeats nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.e2e.conftest import Lived, copied, demo, small_life, small_lived
from tests.e2e.living import Living, figures_of, python, wait_until_gone, workers
from tests.e2e.stores import answers, assert_nothing_twice, story

from trimtab.adapters.route_board_mmap import MmapRouteBoard

COMMITS = "journal,publish,track"
# "commit" stops before the head of the ledger is saved, and "journal" behind it.
WRITES = "commit,publish,track,done,online,blob,step,table"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kinds", "at_least"),
    [(COMMITS, 25), (WRITES, 80)],
    ids=["commits", "writes"],
)
def test_stopped_behind_each_write_in_turn(tmp_path: Path, kinds: str, at_least: int) -> None:
    whole = small_lived(tmp_path / "whole", step_h=36)
    folder, json_file = tmp_path / "stopped", tmp_path / "stopped.json"
    Living(python("stopping", folder, json_file, 36, kinds), folder, TRIMTAB_WORKERS="1").ends()
    found = json.loads(json_file.read_text())
    assert len(found["stops"]) >= at_least
    assert found["figures"] == whole.figures
    assert story(folder) == story(whole.folder)
    assert answers(folder).equals(answers(whole.folder))
    assert_nothing_twice(folder)


def test_killed_at_random_moments(small: Lived, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    chance = random.Random(20240330)
    deaths = [("history 0", 0.3), ("history 1", 0.4), ("history 2", 0.5), *[("training 0", 4.0)] * 3]
    deaths += [("training 1", 0.1), ("training 2", 0.3), ("server", 2.5), *[("production", 0.15)] * 2]
    deaths += [("retraining", 0.4), *[("production", 0.1)] * 3, ("figures", 0.01), ("figures", 0.1)]
    killed: Counter[str] = Counter()
    for line, most_s in deaths:
        life = small_life(folder, workers=1)
        # Of training nothing is said any more where an earlier life was killed behind it.
        assert life.reaches(line, "server" if line.startswith("training") else line), life.said()
        time.sleep(chance.uniform(0.0, most_s))
        killed[line.partition(" ")[0]] += life.kill()
    small_life(folder).ends()
    assert killed.total() >= 15, killed
    assert set(+killed) == {"history", "training", "production", "retraining", "server", "figures"}
    assert figures_of(folder.with_suffix(".json")) == small.figures
    assert story(folder) == story(small.folder)
    assert answers(folder).equals(answers(small.folder))
    assert_nothing_twice(folder)


def test_workers_killed_while_they_serve(small: Lived, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    chance = random.Random(7)
    life = small_life(folder)
    assert life.reaches("server")
    board = MmapRouteBoard(folder / ".trimtab" / "route" / "tiny")
    kills = 0
    while life.process.poll() is None:
        # One that takes requests, or with it all others, also those that are still starting.
        if ready := board.workers():
            kills += sum(
                _killed(pid) for pid in [chance.choice(ready), *workers(folder)[: chance.choice((0, 0, 2))]]
            )
        time.sleep(chance.uniform(0.02, 0.3))
    life.ends()
    wait_until_gone(folder)
    assert kills >= 5
    assert figures_of(folder.with_suffix(".json")) == small.figures
    assert story(folder) == story(small.folder)
    assert answers(folder).equals(answers(small.folder))
    assert_nothing_twice(folder)


@pytest.mark.slow
def test_flights_killed_at_random_moments(prepared: Lived, undisturbed: Lived, tmp_path: Path) -> None:
    folder = copied(prepared, tmp_path / "flights")
    chance = random.Random(401)
    kills = prepared.kills
    for line, most_s in [("serving", 0.5), ("serving", 1.5), ("serving", 1.5), ("2013-04-03 12:00", 1.5)]:
        life = demo(folder)
        assert life.reaches(line, "Prediction"), life.said()
        time.sleep(chance.uniform(0.0, most_s))
        kills += life.kill()
    life = demo(folder)
    assert life.reaches("serving")
    for pid in workers(folder):
        _killed(pid)
    life.ends()
    assert kills >= 8
    assert figures_of(folder.with_suffix(".json")) == undisturbed.figures
    assert story(folder) == story(undisturbed.folder)
    assert answers(folder).equals(answers(undisturbed.folder))
    assert_nothing_twice(folder)


def _killed(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
