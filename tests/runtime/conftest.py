"""Durable steps with all that they stand on, on a SQLite file and on a real Postgres server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.adapters.database import Database
from trimtab.adapters.migrate import migrate
from trimtab.adapters.step_results_sql import SqlStepResults
from trimtab.adapters.steps_dbos import DbosSteps
from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.step import Pipeline
from trimtab.runtime.pipeline_runs import LoggedRuns


class Bench:
    """Runs without a durable library: the journal is empty, so that only the step results are left."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.results = SqlStepResults(database)
        self.blobs = LocalBlobs(folder / "blobs")
        self.waits_s: list[float] = []
        self.runs = LoggedRuns(
            results=self.results,
            blobs=self.blobs,
            folder=folder / "runs",
            parallel=4,
            sleep=self.waits_s.append,
        )

    def run(self, pipeline: Pipeline[..., Any], id: str, *args: Json) -> Any:
        return self.runs.result(self.runs.execute(pipeline, id, args, _no_journal))


def _no_journal(name: str, key: str, work: Callable[[], JsonMap]) -> JsonMap:
    return work()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    database = Database(f"sqlite:///{tmp_path / 'trimtab.db'}")
    migrate(database)
    yield Bench(tmp_path, database)
    database.close()


class Workshop(Bench):
    """Runs on the durable library, which can be closed and opened again."""

    def __init__(self, folder: Path, database: Database, results_url: str, url: str) -> None:
        super().__init__(folder, database)
        self.results_url = results_url
        self.url = url
        self.steps: DbosSteps | None = None

    def open(self, version: int = 1, executor_id: str = "main", pipelines: tuple[Any, ...] = ()) -> DbosSteps:
        self.close()
        self.steps = DbosSteps(
            self.url,
            runs=self.runs,
            executor_id=executor_id,
            application_version=version,
            log=self.folder / "library.log",
            pipelines=pipelines,
        )
        return self.steps

    def close(self) -> None:
        if self.steps is not None:
            self.steps.close()


def _workshop(folder: Path, results_url: str, url: str) -> Iterator[Workshop]:
    database = Database(results_url)
    migrate(database)
    workshop = Workshop(folder, database, results_url, url)
    yield workshop
    workshop.close()
    database.close()


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """On SQLite: for what does not depend on the database."""
    yield from _workshop(tmp_path, f"sqlite:///{tmp_path / 'trimtab.db'}", f"sqlite:///{tmp_path / 'runtime.db'}")


@pytest.fixture
def each_workshop(tmp_path: Path, database_url: str) -> Iterator[Workshop]:
    """On SQLite, and on Postgres with everything in one database."""
    sqlite = database_url.startswith("sqlite")
    yield from _workshop(tmp_path, database_url, f"sqlite:///{tmp_path / 'runtime.db'}" if sqlite else database_url)
