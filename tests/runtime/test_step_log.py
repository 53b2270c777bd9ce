"""Each call's log holds what that call said, and nothing else anywhere changes."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest
from tests.runtime.conftest import Bench

from trimtab.kernel.errors import StepFailed
from trimtab.kernel.step import pipeline, step

log = logging.getLogger("tests.step")


def logs(bench: Bench, id: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in (bench.folder / "runs" / id).glob("*.log")}


@step
def talk(name: str) -> str:
    for turn in range(20):
        print(f"{name} prints {turn}")
        log.info("%s logs %d", name, turn)
        time.sleep(0.001)
    return name


@pipeline
def chorus() -> list[str]:
    log.warning("the pipeline itself")
    return talk.map(["a", "b", "c", "d"])


def test_calls_in_parallel_do_not_mix(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.run(chorus, "run") == ["a", "b", "c", "d"]
    found = logs(bench, "run")
    assert sorted(found) == [f"001-talk[{at}].log" for at in range(4)]
    for at, name in enumerate("abcd"):
        lines = found[f"001-talk[{at}].log"].splitlines()
        assert [line for line in lines if "prints" in line] == [f"{name} prints {turn}" for turn in range(20)]
        logged = [line for line in lines if "logs" in line]
        assert [line.split("INFO tests.step: ")[1] for line in logged] == [f"{name} logs {n}" for n in range(20)]
        assert len(lines) == 40
    assert "prints" not in capsys.readouterr().out


def test_what_others_print_meanwhile_goes_where_it_went(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    @step
    def waits() -> None:
        other = threading.Thread(target=lambda: print("from outside"))
        other.start()
        other.join()
        print("from the step")

    @pipeline
    def one() -> None:
        print("from the pipeline")
        waits()

    bench.run(one, "run")
    assert capsys.readouterr().out == "from the pipeline\nfrom outside\n"
    assert logs(bench, "run") == {"001-waits.log": "from the step\n"}


def test_logging_is_left_as_it_was_found(bench: Bench) -> None:
    root = logging.root
    loud = logging.StreamHandler()
    root.addHandler(loud)
    before = (root.level, list(root.handlers), loud.level)
    seen: list[tuple[int, int]] = []

    @step(cache=False)
    def look() -> None:
        seen.append((root.level, loud.level))

    @pipeline
    def one() -> None:
        look()

    try:
        bench.run(one, "run")
        # Inside, steps may log at INFO, but the program's own handler does not begin to show INFO.
        assert seen == [(logging.INFO, logging.WARNING)]
        assert (root.level, list(root.handlers), loud.level) == before
    finally:
        root.removeHandler(loud)


def test_a_failure_leaves_its_traceback_in_the_log(bench: Bench) -> None:
    @step
    def broken() -> None:
        print("before")
        raise ValueError("no such column")

    @pipeline
    def one() -> None:
        broken()

    with pytest.raises(StepFailed) as caught:
        bench.run(one, "run")
    text = Path(caught.value.where).read_text()
    assert text.startswith("before\n")
    assert "ValueError: no such column" in text
    assert "Traceback" in text


def test_what_an_abandoned_attempt_says_later_is_dropped(bench: Bench) -> None:
    release = threading.Event()
    said = threading.Event()

    @step(timeout="50ms", cache=False)
    def stuck() -> None:
        try:
            release.wait(5)
        finally:
            release.wait(5)
            print("too late")
            said.set()

    @pipeline
    def one() -> None:
        stuck()

    with pytest.raises(StepFailed) as caught:
        bench.run(one, "run")
    release.set()
    assert said.wait(5)
    assert "too late" not in Path(caught.value.where).read_text()
