"""Attempts: how often, how long, and what is said when all have failed."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from trimtab.kernel.errors import InvalidValue, StepFailed, StepTimedOut
from trimtab.kernel.step import Step, step
from trimtab.runtime.attempts import attempt, wait_s, within
from trimtab.runtime.step_log import StepLog


def tried(tmp_path: Path, function: Callable[[], Any], **how: Any) -> tuple[Any, list[float]]:
    waits_s: list[float] = []
    declared = Step(function, "fetch", **how)
    log = StepLog(tmp_path / "step.log")
    try:
        return attempt(declared, "fetch", function, log, waits_s.append), waits_s
    finally:
        log.close()


def failing(times: int) -> Callable[[], str]:
    left = list(range(times))

    def fetch() -> str:
        if left:
            raise ConnectionError(f"refused {left.pop()}")
        return "done"

    return fetch


def test_it_fails_twice_then_succeeds(tmp_path: Path) -> None:
    assert tried(tmp_path, failing(2), retries=2) == ("done", [0.5, 1.0])
    log = (tmp_path / "step.log").read_text()
    assert "attempt 1 of 3 failed" in log
    assert "ConnectionError: refused 0" in log
    assert "next attempt in 1 s" in log


def test_after_the_last_attempt_the_error_names_step_count_cause_and_log(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"step 'fetch' failed after 3 attempts") as caught:
        tried(tmp_path, failing(9), retries=2)
    assert caught.value.got == "ConnectionError: refused 6"
    assert caught.value.where == str(tmp_path / "step.log")
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_waits_grow_to_a_limit() -> None:
    waits = [wait_s(failures) for failures in range(1, 200)]
    assert waits == sorted(waits)
    assert max(waits) == 60.0


def test_a_step_that_is_too_slow_is_stopped(tmp_path: Path) -> None:
    turns: list[int] = []

    def slow() -> None:
        while True:
            turns.append(1)
            time.sleep(0.005)

    began = time.monotonic()
    with pytest.raises(StepFailed, match="ran past its time-out") as caught:
        tried(tmp_path, slow, timeout=timedelta(seconds=0.1))
    assert isinstance(caught.value.__cause__, StepTimedOut)
    assert time.monotonic() - began < 1.0
    seen = len(turns)
    time.sleep(0.1)
    assert len(turns) == seen  # no Python code of it runs on
    assert not [thread for thread in threading.enumerate() if thread.name == "step fetch"]


def test_a_broad_except_does_not_keep_a_step_alive(tmp_path: Path) -> None:
    def stubborn() -> None:
        while True:
            with suppress(Exception):
                time.sleep(0.005)

    with pytest.raises(StepTimedOut):
        within(stubborn, "stubborn", 0.1)
    time.sleep(0.1)
    assert not [thread for thread in threading.enumerate() if thread.name == "step stubborn"]


def test_a_time_out_is_a_failed_attempt(tmp_path: Path) -> None:
    calls: list[int] = []

    def slow_once() -> str:
        calls.append(1)
        if len(calls) == 1:
            time.sleep(0.3)
        return "done"

    assert tried(tmp_path, slow_once, timeout=timedelta(seconds=0.1), retries=1) == ("done", [0.5])
    assert len(calls) == 2


def test_in_time_the_result_and_the_error_pass_through() -> None:
    assert within(lambda: 7, "fast", 5.0) == 7
    with pytest.raises(ZeroDivisionError):
        within(lambda: 1 // 0, "fast", 5.0)
    with pytest.raises(SystemExit):
        within(sys.exit, "fast", 5.0)


def test_many_that_end_just_at_their_time_out_hand_in_a_result_or_time_out() -> None:
    def close() -> str:
        time.sleep(0.003)
        return "done"

    ended = []
    for _ in range(100):
        try:
            ended.append(within(close, "close", 0.003))
        except StepTimedOut:
            ended.append("late")
    assert set(ended) <= {"done", "late"}


@pytest.mark.parametrize("wrong", [{"retries": -1}, {"timeout": "soon"}, {"timeout": "0s"}])
def test_a_wrong_declaration_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=r"(retries of step 'f'|timeout) has a value"):

        @step(**wrong)
        def f() -> None: ...


def test_an_async_step_is_refused() -> None:
    with pytest.raises(InvalidValue, match="the function of step 'f'"):

        @step
        async def f() -> None: ...
