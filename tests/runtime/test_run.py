"""Runs: cache, map, artefacts, errors. Without a durable library: what a killed process would find again."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import polars as pl
import pytest
from tests.runtime.conftest import Bench

from trimtab.kernel.artefact import attach
from trimtab.kernel.errors import InvalidValue, StepFailed
from trimtab.kernel.step import Step, pipeline, step


class Tally(list[Any]):
    """Counts as code by its class; a plain list would count by its content, which the steps change."""


ran = Tally()


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()


@step
def load(rows: int) -> pl.DataFrame:
    ran.append("load")
    return pl.DataFrame({"x": range(rows)})


@step
def total(frame: pl.DataFrame, times: int = 1) -> int:
    ran.append("total")
    return int(frame["x"].sum()) * times


@pipeline
def sums(rows: int) -> dict[str, int]:
    frame = load(rows)
    return {"once": total(frame), "named": total(frame=frame, times=1), "twice": total(frame, 2)}


def test_outside_of_a_pipeline_steps_are_plain_functions() -> None:
    assert sums(4) == {"once": 6, "named": 6, "twice": 12}
    assert ran == ["load", "total", "total", "total"]
    assert load.map([1, 2])[1].height == 2
    assert attach("note", b"abc").read() == b"abc"


def test_equal_calls_run_once_across_runs(bench: Bench) -> None:
    assert bench.run(sums, "monday", 4) == {"once": 6, "named": 6, "twice": 12}
    assert ran == ["load", "total", "total"]
    assert bench.run(sums, "tuesday", 4) == {"once": 6, "named": 6, "twice": 12}
    assert ran == ["load", "total", "total"]
    assert bench.run(sums, "wednesday", 5)["once"] == 10
    assert ran == ["load", "total", "total"] * 2
    lines = (bench.folder / "runs" / "tuesday" / "calls.jsonl").read_text().splitlines()
    assert [(json.loads(line)["step"], json.loads(line)["from"]) for line in lines] == [
        ("load", "cache"),
        ("total", "cache"),
        ("total", "cache"),
        ("total", "cache"),
    ]


def changed(text: str) -> Step[..., Any]:
    names: dict[str, Any] = {"ran": ran, "__name__": "project"}
    exec(f"def grow(x):\n    # {text}\n    ran.append(1)\n    return {text}\n", names)
    return step(names["grow"])


def test_changed_code_runs_again_and_a_changed_comment_does_not(bench: Bench) -> None:
    def outcome(text: str) -> int:
        grow = changed(text)

        @pipeline
        def one() -> int:
            return int(grow(1))

        return int(bench.run(one, f"run {text}"))

    assert (outcome("x + 1"), len(ran)) == (2, 1)
    assert (outcome("x + 1  # a comment"), len(ran)) == (2, 1)
    assert (outcome("x + 2"), len(ran)) == (3, 2)


def test_an_uncached_step_runs_once_in_each_run_and_for_each_call(bench: Bench) -> None:
    @step(cache=False)
    def send(x: int) -> int:
        ran.append(x)
        return len(ran)

    @pipeline
    def one(fail: bool) -> list[int]:
        sent = [send(7), send(7), send(8)]
        if fail:
            raise RuntimeError("the power went")
        return sent

    with pytest.raises(StepFailed, match="step 'one' failed"):
        bench.run(one, "run", True)
    assert ran == [7, 7, 8]
    assert bench.run(one, "run", False) == [1, 2, 3]  # taken up: nothing is sent again
    assert ran == [7, 7, 8]
    assert bench.run(one, "next", False) == [4, 5, 6]


def test_map_keeps_the_order_and_runs_in_parallel(bench: Bench) -> None:
    meet = threading.Barrier(4)

    @step(cache=False)
    def slow(x: int) -> int:
        meet.wait(5)  # passes only if four are at work at once
        time.sleep((4 - x) * 0.01)
        return x * 10

    @pipeline
    def one() -> list[int]:
        return slow.map([0, 1, 2, 3])

    assert bench.run(one, "run") == [0, 10, 20, 30]


def test_map_of_equal_items_runs_each_once(bench: Bench) -> None:
    @step
    def square(x: int) -> int:
        ran.append(x)
        return x * x

    @pipeline
    def one() -> list[int]:
        return [*square.map([3, 1, 3, 1]), square(3), *square.map([])]

    assert bench.run(one, "run") == [9, 1, 9, 1, 9]
    assert sorted(ran) == [1, 3]


def test_a_map_that_failed_does_only_what_is_missing(bench: Bench) -> None:
    broken = {5}
    fails = threading.Event()

    @step(cache=False)
    def score(x: int) -> int:
        if x in broken:
            fails.set()
            raise ValueError(f"bad item {x}")
        if x > 8:
            fails.wait(5)
        time.sleep(0.01)
        ran.append(x)
        return -x

    @pipeline
    def one() -> list[int]:
        return score.map(list(range(40)))

    with pytest.raises(StepFailed, match=r"step 'score\[5\]' failed") as caught:
        bench.run(one, "run")
    assert caught.value.got == "ValueError: bad item 5"
    done = list(ran)
    assert set(range(5)) <= set(done)  # those under way were let finish,
    assert len(done) < 39  # and the rest was not begun
    broken.clear()
    assert bench.run(one, "run") == [-x for x in range(40)]
    assert sorted(ran) == list(range(40))  # each exactly once


def test_artefacts_are_kept_with_the_call_and_found_again(bench: Bench) -> None:
    @step
    def draw(name: str) -> dict[str, Any]:
        ran.append(name)
        return {"plot": attach(f"{name}.png", b"\x89PNG " + name.encode())}

    @step
    def size(drawn: dict[str, Any]) -> int:
        return len(drawn["plot"].read())

    @pipeline
    def one() -> tuple[list[int], Any]:
        drawn = draw.map(["a", "bb"])
        return [size(each) for each in drawn], drawn[1]["plot"]

    for id in ("first", "again"):
        sizes, artefact = bench.run(one, id)
        assert sizes == [6, 7]
        assert (artefact.name, artefact.read()) == ("bb.png", b"\x89PNG bb")
    assert sorted(ran) == ["a", "bb"]
    lines = [
        json.loads(line) for line in (bench.folder / "runs" / "again" / "calls.jsonl").read_text().splitlines()
    ]
    noted = {name: digest for line in lines for name, digest in line["artefacts"].items()}
    assert bench.blobs.get(noted["a.png"]) == b"\x89PNG a"


def test_a_step_inside_a_step_is_a_plain_function(bench: Bench) -> None:
    @step
    def outer() -> int:
        return total(pl.DataFrame({"x": [1, 2]}))

    @pipeline
    def one() -> int:
        return outer()

    assert bench.run(one, "run") == 3
    assert [path.name for path in (bench.folder / "runs" / "run").iterdir()] == ["calls.jsonl"]
    assert len((bench.folder / "runs" / "run" / "calls.jsonl").read_text().splitlines()) == 1


def test_retries_go_through_the_given_clock(bench: Bench) -> None:
    @step(retries=3)
    def shaky() -> str:
        ran.append(1)
        if len(ran) < 3:
            raise OSError("not yet")
        return "done"

    @pipeline
    def one() -> str:
        return shaky()

    assert bench.run(one, "run") == "done"
    assert bench.waits_s == [0.5, 1.0]


def test_errors_name_the_step_and_the_place(bench: Bench) -> None:
    @step
    def gives() -> Any:
        return {"model": object()}

    @step
    def takes(x: int, lock: Any) -> None: ...

    @pipeline
    def result() -> Any:
        return gives()

    @pipeline
    def argument() -> None:
        takes(1, threading.Lock())

    @pipeline
    def signature() -> None:
        takes(1)  # type: ignore[call-arg]

    with pytest.raises(InvalidValue, match=r"the result of step 'gives'\['model'\]"):
        bench.run(result, "1")
    with pytest.raises(InvalidValue, match="argument 'lock' of step 'takes'"):
        bench.run(argument, "2")
    with pytest.raises(InvalidValue, match=r"(?s)a call of step 'takes'.*missing a required argument: 'lock'"):
        bench.run(signature, "3")


def test_ids_that_differ_have_folders_that_differ(bench: Bench) -> None:
    for id in ("a/b", "a_b", "a:b", "../a", "é", "e" * 300):
        bench.run(sums, id, 2)
    folders = [path.name for path in (bench.folder / "runs").iterdir()]
    assert len(folders) == 6
    assert {path.parent for path in (bench.folder / "runs").iterdir()} == {bench.folder / "runs"}
