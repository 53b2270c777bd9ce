"""`kill -9` at any moment: the same call goes on, ends with the same result, and does nothing finished twice."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path

import pytest
from tests.runtime import steps_drill

from trimtab.adapters.database import Database
from trimtab.kernel.errors import Busy

# A first process begins its steps at once; one that takes a run up does so when the library polls, each second.
FIRST_S = (0.2, 0.9)
EARLY_S = (0.05, 1.2)
LATE_S = (1.15, 1.7)


def begun_again(lines: list[str]) -> list[str]:
    """Names of steps that ran again though they were not in flight at the last kill.

    In flight: begun and not ended; or ended so shortly before that its result may not have been stored.
    """
    wrong, done, may_repeat = [], set(), set()
    active: set[str] = set()
    for at, line in enumerate(lines):
        verb, _, name = line.partition(" ")
        if verb == "begin":
            if name in done and name not in may_repeat:
                wrong.append(name)
            done.add(name)
            active.add(name)
            may_repeat.discard(name)
        elif verb == "end":
            active.discard(name)
        else:
            just_ended = {
                last[4:] for last in lines[max(0, at - 2 * steps_drill.PARALLEL) : at] if last[:4] == "end "
            }
            # Outside of the map only the last line counts: the next step begins when the result is stored.
            sequential = {name for name in just_ended if not name.startswith("fit ")}
            just_ended -= {name for name in sequential if lines[at - 1] != f"end {name}"}
            may_repeat |= active | just_ended
            active = set()
    return wrong


def test_the_check_itself_finds_a_repeated_step() -> None:
    assert begun_again(["begin a", "end a", "begin b", "kill", "begin a", "end a"]) == ["a"]
    assert begun_again(["begin a", "end a", "kill", "begin a", "end a", "begin b"]) == []
    assert begun_again(["begin a", "kill", "begin a", "end a", "begin b", "begin b"]) == ["b"]


@pytest.mark.parametrize("kills_wanted", [15])
def test_killed_at_random_moments(tmp_path: Path, database: Database, database_url: str, kills_wanted: int) -> None:
    sqlite = database_url.startswith("sqlite")
    url = f"sqlite:///{tmp_path / 'runtime.db'}" if sqlite else database_url
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.runtime.steps_drill"])
    moments = random.Random(7)
    kills, wanted = 0, 15 if sqlite else 5
    finished: list[str] = []
    while kills < wanted:
        run = f"run {len(finished) + 1}"
        effects = tmp_path / run
        effects.mkdir()
        while not (effects / "result.txt").exists():
            process = context.Process(
                target=steps_drill.drill_process, args=(str(tmp_path), str(effects), database_url, url, run)
            )
            process.start()
            begun = (effects / "effects.txt").exists()
            within_s = moments.choice([EARLY_S, LATE_S, LATE_S, LATE_S]) if begun else FIRST_S
            process.join(moments.uniform(*within_s) if kills < wanted else None)
            if process.exitcode is None:
                process.kill()
                process.join()
                steps_drill.say(str(effects), "kill")
                kills += 1
            else:
                assert process.exitcode == 0
        finished.append(run)
        lines = (effects / "effects.txt").read_text().splitlines()
        assert begun_again(lines) == []
        expected = steps_drill.drill(str(tmp_path), run)  # plain functions, undisturbed
        assert (effects / "result.txt").read_text() == repr(expected)
        names = {line.partition(" ")[2] for line in lines if line != "kill"}
        assert len(names) == 13


def test_one_executor_is_one_process(tmp_path: Path, database: Database, database_url: str) -> None:
    url = f"sqlite:///{tmp_path / 'runtime.db'}" if database_url.startswith("sqlite") else database_url
    process = multiprocessing.get_context("forkserver").Process(
        target=steps_drill.stuck_process, args=(str(tmp_path), database_url, url)
    )
    process.start()
    deadline = time.monotonic() + 20
    while not (tmp_path / "open").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(Busy, match="executor 'drill' is in use by another process") as caught:
        steps_drill.open_steps(str(tmp_path), database_url, url)
    if database_url.startswith("sqlite"):
        assert f"process {process.pid}" in caught.value.where
    process.kill()
    process.join()
    deadline = time.monotonic() + 10
    while True:
        try:
            steps, own = steps_drill.open_steps(str(tmp_path), database_url, url)
            break
        except Busy:  # the server notices a dead client a moment later
            assert time.monotonic() < deadline
            time.sleep(0.05)
    steps.close()
    own.close()
