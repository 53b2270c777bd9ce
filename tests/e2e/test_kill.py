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

COMMITS = "commit,journal,publish,track"
WRITES = f"{COMMITS},done,online,blob,step,table"


@pytest.mark.parametrize(
    ("kinds", "at_least"),
    [(COMMITS, 55), pytest.param(WRITES, 95, marks=pytest.mark.slow)],
    ids=["commits", "writes"],
)
def test_stopped_behind_each_write_in_turn(tmp_path: Path, kinds: str, at_least: int) -> None:
    whole = small_lived(tmp_path / "whole", step_h=24)
    folder, json_file = tmp_path / "stopped", tmp_path / "stopped.json"
    Living(python("stopping", folder, json_file, 24, kinds), folder, TRIMTAB_WORKERS="1").ends()
    found = json.loads(json_file.read_text())
    assert len(found["stops"]) >= at_least
    assert found["figures"] == whole.figures
    assert story(folder) == story(whole.folder)
    assert answers(folder).equals(answers(whole.folder))
    assert_nothing_twice(folder)


@pytest.mark.slow
def test_killed_at_random_moments(small: Lived, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    chance = random.Random(20240330)
    deaths = [("history 0", 0.3), ("history 1", 0.4), ("history 2", 1.5), *[("training 0", 4.0)] * 3]
    deaths += [("training 1", 0.1), ("training 2", 0.3), ("server", 2.5), *[("production", 0.15)] * 2]
    deaths += [("retraining", 3.0), *[("production", 0.1)] * 3, ("figures", 0.05), ("figures", 0.2)]
    killed: Counter[str] = Counter()
    for line, most_s in deaths:
        life = small_life(folder, workers=1)
        # Of training nothing is said any more where an earlier life was killed behind it.
        assert life.reaches(line, "server" if line.startswith("training") else line), life.said()
        time.sleep(chance.uniform(0.0, most_s))
        life.kill()
        killed[line.partition(" ")[0]] += 1
    small_life(folder).ends()
    assert killed.total() >= 15, killed
    assert set(killed) == {"history", "training", "production", "retraining", "server", "figures"}
    assert figures_of(folder.with_suffix(".json")) == small.figures
    assert story(folder) == story(small.folder)
    assert answers(folder).equals(answers(small.folder))
    assert_nothing_twice(folder)


@pytest.mark.slow
def test_workers_killed_while_they_serve(small: Lived, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    chance = random.Random(7)
    life = small_life(folder)
    assert life.reaches("production")
    kills = 0
    while life.process.poll() is None:
        if alive := workers(folder):
            kills += _killed(chance.choice(alive))
        time.sleep(chance.uniform(0.1, 0.8))
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
    for line, most_s in [("serving", 1.0), ("serving", 4.0), ("serving", 3.0), ("compacted", 1.5)]:
        life = demo(folder)
        assert life.reaches(line), life.said()
        time.sleep(chance.uniform(0.0, most_s))
        if life.process.poll() is None:
            life.kill()
            kills += 1
    life = demo(folder)
    assert life.reaches("serving")
    for pid in workers(folder):
        _killed(pid)
    life.ends()
    assert kills >= 9
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
