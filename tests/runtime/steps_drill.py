"""A pipeline whose process is killed: each step says in a file when it begins and when it ends."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import polars as pl

from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.adapters.database import Database
from trimtab.adapters.step_results_sql import SqlStepResults
from trimtab.adapters.steps_dbos import DbosSteps
from trimtab.kernel.step import pipeline, step
from trimtab.runtime.pipeline_runs import LoggedRuns

STEP_S = 0.04
PARALLEL = 3


def say(folder: str, line: str) -> None:
    """One line by one write: lines of several processes and threads do not mix."""
    file = os.open(Path(folder) / "effects.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def effect(folder: str, name: str) -> None:
    say(folder, f"begin {name}")
    time.sleep(STEP_S)
    say(folder, f"end {name}")


@step
def load(folder: str, run: str, rows: int) -> pl.DataFrame:
    effect(folder, "load")
    return pl.DataFrame({"x": range(rows), "run": run})


@step
def clean(folder: str, frame: pl.DataFrame) -> pl.DataFrame:
    effect(folder, "clean")
    return frame.filter(pl.col("x") % 2 == 0)


@step
def split(folder: str, frame: pl.DataFrame) -> list[pl.DataFrame]:
    effect(folder, "split")
    return [frame[at::6] for at in range(6)]


@step(cache=False)
def announce(folder: str, text: str) -> str:
    effect(folder, f"announce {text}")
    return text


@step(retries=2)
def fit(part: dict[str, Any]) -> float:
    effect(part["folder"], f"fit {part['number']}")
    return float(part["frame"]["x"].sum())


@step
def blend(folder: str, scores: list[float]) -> dict[str, float]:
    effect(folder, "blend")
    return {"total": sum(scores), "best": max(scores)}


@step
def report(folder: str, blended: dict[str, float]) -> bytes:
    effect(folder, "report")
    return str(sorted(blended.items())).encode()


@pipeline
def drill(folder: str, run: str) -> dict[str, Any]:
    frame = clean(folder, load(folder, run, 60))
    parts = split(folder, frame)
    began = announce(folder, "fitting")
    scores = fit.map([{"folder": folder, "number": at, "frame": part} for at, part in enumerate(parts)])
    blended = blend(folder, scores)
    text = report(folder, blended)
    return {"scores": scores, "text": text.decode(), "said": [began, announce(folder, "done")]}


def open_steps(folder: str, results_url: str, url: str) -> tuple[DbosSteps, Database]:
    database = Database(results_url)
    runs = LoggedRuns(
        results=SqlStepResults(database),
        blobs=LocalBlobs(Path(folder) / "blobs"),
        folder=Path(folder) / "runs",
        parallel=PARALLEL,
    )
    steps = DbosSteps(url, runs=runs, executor_id="drill", application_version=1, log=Path(folder) / "library.log")
    return steps, database


def drill_process(folder: str, effects: str, results_url: str, url: str, run: str) -> None:
    """What is killed. Leaves its result in a file when it gets to the end."""
    steps, database = open_steps(folder, results_url, url)
    result = steps.run(drill, run, effects, run)
    half = Path(effects) / "result.half"
    half.write_text(repr(result))
    half.rename(Path(effects) / "result.txt")
    steps.close()
    database.close()


def stuck_process(folder: str, results_url: str, url: str) -> None:
    """Holds the executor until it is killed."""
    open_steps(folder, results_url, url)
    (Path(folder) / "open").touch()
    time.sleep(60)
