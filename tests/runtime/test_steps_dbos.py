"""Durable steps on DBOS, on a SQLite file and on Postgres."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from tests.runtime.conftest import Workshop

from trimtab.adapters.dbos_library import PlainJson, Superseded
from trimtab.adapters.steps_dbos import DbosSteps
from trimtab.kernel.errors import Busy, Conflict, InvalidValue, NotFound, StepFailed, StepTimedOut
from trimtab.kernel.step import Step, pipeline, step


class Tally(list[Any]):
    """What steps did; counts as code by its class, so that steps may write to it."""


ran = Tally()
broken = Tally()


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()
    broken.clear()


@step
def load(rows: int) -> pl.DataFrame:
    ran.append("load")
    return pl.DataFrame({"x": range(rows)})


@step
def total(frame: pl.DataFrame) -> int:
    ran.append("total")
    return int(frame["x"].sum())


@step(cache=False)
def publish(value: int) -> str:
    if broken:
        raise ConnectionError("the shop is closed")
    ran.append("publish")
    return f"published {value}"


@pipeline
def shop(rows: int) -> dict[str, Any]:
    frame = load(rows)
    return {"said": publish(total(frame)), "frame": frame}


def test_a_run_has_one_result(each_workshop: Workshop) -> None:
    steps = each_workshop.open()
    first = steps.run(shop, "shop/2013-04", 4)
    assert first["said"] == "published 6"
    assert first["frame"].equals(pl.DataFrame({"x": range(4)}))
    again = steps.run(shop, "shop/2013-04", 4)
    assert again["frame"].equals(first["frame"])
    assert ran == ["load", "total", "publish"]
    # Another process would find the same.
    assert each_workshop.open().run(shop, "shop/2013-04", 4)["said"] == "published 6"
    # Another run: what is cached is not done again, what is not is.
    assert each_workshop.open().run(shop, "shop/2013-05", 4)["said"] == "published 6"
    assert ran == ["load", "total", "publish", "publish"]


def test_after_a_failure_the_same_id_goes_on(each_workshop: Workshop) -> None:
    steps = each_workshop.open()
    broken.append(True)
    for _ in range(3):
        with pytest.raises(StepFailed, match=r"(?s)step 'publish' failed after 1 attempt.*the shop is closed"):
            steps.run(shop, "april", 4)
    broken.clear()
    assert steps.run(shop, "april", 4)["said"] == "published 6"
    assert ran == ["load", "total", "publish"]
    assert steps.run(shop, "april", 4)["said"] == "published 6"
    assert ran == ["load", "total", "publish"]


def test_an_id_names_one_run(workshop: Workshop) -> None:
    @pipeline
    def other(rows: int) -> int:
        return rows

    steps = workshop.open()
    steps.run(shop, "april", 4)
    with pytest.raises(Conflict, match="run 'april' exists already"):
        steps.run(shop, "april", 5)
    with pytest.raises(Conflict, match="run 'april' exists already"):
        steps.run(other, "april", 4)


def test_arguments_are_plain_data(workshop: Workshop) -> None:
    @pipeline
    def echo(*args: Any) -> Any:
        return args

    steps = workshop.open()
    assert steps.run(echo, "plain", (1, 2), {"a": None}) == ([1, 2], {"a": None})
    with pytest.raises(InvalidValue, match="the arguments of pipeline 'echo'"):
        steps.run(echo, "frame", pl.DataFrame())


def test_the_pipelines_own_error_is_named(workshop: Workshop) -> None:
    @pipeline
    def wrong() -> None:
        raise KeyError("carrier")

    with pytest.raises(StepFailed, match=r"(?s)step 'wrong' failed.*KeyError: 'carrier'") as caught:
        workshop.open().run(wrong, "run")
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_failed_step_may_be_caught(workshop: Workshop) -> None:
    @pipeline
    def careful(value: int) -> str:
        try:
            return publish(value)
        except StepFailed as error:
            return f"not published: {error.got}"

    broken.append(True)
    assert workshop.open().run(careful, "run", 1) == "not published: ConnectionError: the shop is closed"


class Crash(BaseException):
    """Stands for the death of the process: nothing of ours catches it."""


def cut_off(workshop: Workshop, pipeline: Any, id: str, *args: Any) -> None:
    """Leave a run as a dead process leaves it: its attempt is unfinished, its steps are in the journal."""
    steps = workshop.open()
    with pytest.raises(Crash):
        steps.run(pipeline, id, *args)
    workshop.close()
    engine = sa.create_engine(workshop.url)
    table = "workflow_status" if workshop.url.startswith("sqlite") else "dbos.workflow_status"
    with engine.begin() as connection:
        done = connection.execute(
            sa.text(f"UPDATE {table} SET status='PENDING' WHERE workflow_uuid=:id AND status='CANCELLED'"),
            {"id": id},
        )
        assert done.rowcount == 1
    engine.dispose()


@pipeline
def crashing(rows: int) -> int:
    found = total(load(rows))
    if not broken:
        broken.append("once")
        raise Crash
    publish(found)
    return found


def forget_results(workshop: Workshop) -> None:
    """Empty the step results, so that only the library's journal can answer."""
    database = sa.create_engine(workshop.results_url)
    with database.begin() as connection:
        connection.execute(sa.text("DELETE FROM step_result"))
    database.dispose()


def test_a_run_that_was_cut_off_is_replayed_from_the_journal(each_workshop: Workshop) -> None:
    cut_off(each_workshop, crashing, "run", 4)
    forget_results(each_workshop)
    steps = each_workshop.open()
    broken[:] = []
    broken.append("once")
    with pytest.raises(StepFailed):  # `publish` is broken: the run got behind the replayed steps
        steps.run(crashing, "run", 4)
    assert ran == ["load", "total"]
    lines = (each_workshop.folder / "runs" / "run" / "calls.jsonl").read_text().splitlines()
    assert len(lines) == 2  # the replayed calls asked neither the code nor the cache


def test_a_known_pipeline_is_taken_up_without_being_asked(workshop: Workshop) -> None:
    finished = threading.Event()

    @pipeline
    def self_healing(rows: int) -> int:
        found = total(load(rows))
        if not broken:
            broken.append("once")
            raise Crash
        finished.set()
        return found

    cut_off(workshop, self_healing, "run", 4)
    steps = workshop.open(pipelines=(self_healing,))
    assert finished.wait(10)
    assert steps.run(self_healing, "run", 4) == 6
    assert ran == ["load", "total"]


def test_a_pipeline_that_was_unknown_at_start_is_taken_up_when_asked(workshop: Workshop) -> None:
    cut_off(workshop, crashing, "run", 4)
    steps = workshop.open()
    log = workshop.folder / "library.log"
    deadline = threading.Event()
    for _ in range(200):
        if log.exists() and "was not known" in log.read_text():
            break
        deadline.wait(0.05)
    assert "pipeline 'crashing' was not known" in log.read_text()
    broken.clear()
    broken.append("once")
    with pytest.raises(StepFailed, match="step 'publish'"):
        steps.run(crashing, "run", 4)
    assert ran == ["load", "total"]


def changing(text: str) -> Step[..., Any]:
    names: dict[str, Any] = {"ran": ran, "__name__": "project"}
    exec(f"def grow(x):\n    ran.append('{text}')\n    return {text}\n", names)
    return step(names["grow"])


def test_code_changed_between_crash_and_resume_runs_anew(each_workshop: Workshop) -> None:
    @pipeline
    def edited(x: int) -> int:
        found: int = grow(total(load(x)))
        if not broken:
            broken.append("once")
            raise Crash
        return found

    grow = changing("x + 1")
    cut_off(each_workshop, edited, "run", 4)
    grow = changing("x + 100")
    assert each_workshop.open().run(edited, "run", 4) == 106
    assert ran == ["load", "total", "x + 1", "x + 100"]


def test_a_pipeline_with_other_steps_after_the_crash_runs_anew(workshop: Workshop) -> None:
    @pipeline
    def shape(x: int) -> int:
        if not broken:
            total(load(x))
            broken.append("once")
            raise Crash
        return total(load(x)) + total(load(x + 1))

    @step(cache=False)
    def first() -> int:
        ran.append("first")
        return 1

    @pipeline
    def shape_later(x: int) -> int:
        return first() + total(load(x))

    cut_off(workshop, shape, "run", 4)
    renamed = type(shape)(shape_later.function, "shape")
    assert workshop.open().run(renamed, "run", 4) == 7
    assert ran == ["load", "total", "first"]


def test_an_attempt_of_an_older_version_is_replaced(workshop: Workshop) -> None:
    @pipeline
    def once_cut(rows: int) -> int:
        found = total(load(rows))
        if not broken:
            broken.append("once")
            raise Crash
        return found

    cut_off(workshop, once_cut, "run", 4)
    assert workshop.open(version=2).run(once_cut, "run", 4) == 6
    assert ran == ["load", "total"]


def test_a_run_of_another_executor_is_left_alone(each_workshop: Workshop) -> None:
    cut_off(each_workshop, crashing, "run", 4)
    with pytest.raises(Busy, match=r"(?s)run 'run'.*executor 'main'"):
        each_workshop.open(executor_id="second").run(crashing, "run", 4)


def test_an_interrupt_leaves_a_run_that_can_go_on(each_workshop: Workshop) -> None:
    @step
    def waits() -> int:
        if not broken:
            broken.append("once")
            raise KeyboardInterrupt
        return 5

    @pipeline
    def long_run(rows: int) -> int:
        return total(load(rows)) + waits()

    steps = each_workshop.open()
    with pytest.raises(KeyboardInterrupt):
        steps.run(long_run, "run", 4)
    assert steps.run(long_run, "run", 4) == 11
    assert ran == ["load", "total"]


def test_closing_waits_for_the_step_and_leaves_the_rest(workshop: Workshop) -> None:
    began, go_on = threading.Event(), threading.Event()

    @step(cache=False)
    def long_step() -> int:
        began.set()
        go_on.wait(5)
        ran.append("long")
        return 1

    @pipeline
    def two_steps() -> int:
        return long_step() + long_step()

    steps = workshop.open()
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(steps.run, two_steps, "run")
        assert began.wait(5)
        closing = pool.submit(steps.close)
        assert not closing.done()
        go_on.set()
        closing.result(10)
        with pytest.raises(Busy, match="run 'run'"):
            running.result(10)
    assert ran == ["long"]
    assert workshop.open().run(two_steps, "run") == 2
    assert ran == ["long", "long"]


def test_callers_of_one_id_share_the_run(each_workshop: Workshop) -> None:
    steps = each_workshop.open()
    with ThreadPoolExecutor(6) as pool:
        same = list(pool.map(lambda _: steps.run(shop, "april", 4)["said"], range(6)))
        other = list(pool.map(lambda rows: steps.run(shop, f"april {rows}", rows)["said"], range(5, 9)))
    assert same == ["published 6"] * 6
    assert other == ["published 10", "published 15", "published 21", "published 28"]
    assert ran.count("publish") == 5


def test_a_map_goes_on_where_it_failed(workshop: Workshop) -> None:
    @step(cache=False)
    def send(x: int) -> int:
        if x in broken:
            raise ValueError(x)
        ran.append(x)
        return -x

    @pipeline
    def sends(count: int) -> list[int]:
        return send.map(range(count))

    steps = workshop.open()
    broken.append(3)
    with pytest.raises(StepFailed, match=r"step 'send\[3\]'"):
        steps.run(sends, "run", 8)
    broken.clear()
    assert steps.run(sends, "run", 8) == [-x for x in range(8)]
    assert sorted(ran) == list(range(8))


def test_one_library_for_each_process(workshop: Workshop, tmp_path: Path) -> None:
    workshop.open()
    with pytest.raises(Busy, match="the durable library"):
        DbosSteps(
            f"sqlite:///{tmp_path / 'other.db'}",
            runs=workshop.runs,
            executor_id="other",
            application_version=1,
            log=tmp_path / "other.log",
        )


def test_nothing_is_pickled_and_nothing_large_is_journalled(each_workshop: Workshop) -> None:
    each_workshop.open().run(shop, "run", 10_000)
    engine = sa.create_engine(each_workshop.url)
    prefix = "" if each_workshop.url.startswith("sqlite") else "dbos."
    with engine.begin() as connection:
        rows = connection.execute(sa.text(f"SELECT output, serialization FROM {prefix}operation_outputs")).all()
    engine.dispose()
    assert len(rows) == 3
    assert {row.serialization for row in rows} == {"trimtab_json"}
    assert all(len(row.output) < 400 for row in rows)


def test_the_library_says_nothing_on_the_terminal(workshop: Workshop, capfd: pytest.CaptureFixture[str]) -> None:
    workshop.open().run(shop, "run", 4)
    workshop.close()
    assert capfd.readouterr() == ("", "")
    library = logging.getLogger("dbos").handlers
    assert str(workshop.folder / "library.log") not in [getattr(each, "baseFilename", "") for each in library]


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "postgresql://host", "nonsense"]
)
def test_other_databases_are_refused(workshop: Workshop, tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidValue, match=r"sqlite:///FILE, or postgresql://"):
        DbosSteps(url, runs=workshop.runs, executor_id="x", application_version=1, log=tmp_path / "log")


@pytest.mark.parametrize(
    "error",
    [
        StepFailed("fit", attempts=3, cause="ValueError: x", log="/log"),
        StepTimedOut("fit", 2.5),
        NotFound("blob", "00"),
        Superseded("code changed"),
    ],
)
def test_errors_survive_the_journal(error: Exception) -> None:
    back = PlainJson().deserialize(PlainJson().serialize(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
