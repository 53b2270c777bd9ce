"""The stores of a project."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property

from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.adapters.clock_system import SystemClock
from trimtab.adapters.database import Database
from trimtab.adapters.heads_log import HeadsLog
from trimtab.adapters.journal_reader_sql import SqlJournalReader
from trimtab.adapters.route_board_mmap import MmapRouteBoard
from trimtab.adapters.step_results_sql import SqlStepResults
from trimtab.adapters.tables_delta import DeltaTables
from trimtab.data.versions import Versions
from trimtab.features.prepared import PreparedFacts
from trimtab.house.code import PinnedCode
from trimtab.kernel.errors import Busy
from trimtab.ports.online_store import OwnedStore
from trimtab.ports.steps import Steps
from trimtab.ports.tracking import Tracking
from trimtab.project import Project
from trimtab.registry.releases import ReleaseReader
from trimtab.runtime.pipeline_runs import LoggedRuns
from trimtab.serving.segment_folder import SegmentFolder
from trimtab.wiring.late import adapter
from trimtab.wiring.online import open_writer

_ALONE_WITHIN_S = 60.0
APPLICATION_VERSION = 2  # raised only when the shape of a pipeline changes


class Stores:
    """The stores of one project, each opened by its first use."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.home = project.home

    @cached_property
    def database(self) -> Database:
        """Metadata and ledger, at the newest schema."""
        self.home.mkdir(parents=True, exist_ok=True)
        url = self.project.settings["database_url"] or f"sqlite:///{self.home / 'trimtab.db'}"
        database = Database(url)
        if database.needs_migration():
            adapter("migrate").migrate(database)
        return database

    @cached_property
    def reader(self) -> SqlJournalReader:
        """The journal, read only."""
        return SqlJournalReader(self.database)

    @cached_property
    def heads(self) -> HeadsLog:
        """Heads of the ledger, kept outside of the database."""
        return HeadsLog(self.home / "heads.log")

    @cached_property
    def blobs(self) -> LocalBlobs:
        """Models, releases, code, training sets."""
        return LocalBlobs(self.home / "blobs")

    @cached_property
    def tables(self) -> DeltaTables:
        """Sources, predictions, evidence."""
        return DeltaTables(self.home / "tables")

    @cached_property
    def segments(self) -> SegmentFolder:
        """Prediction segments that are not in the tables yet."""
        return SegmentFolder(self.home / "wal")

    @cached_property
    def online(self) -> OwnedStore:
        """The online store, for the one process that writes it."""
        return open_writer(self.project)

    @cached_property
    def prepared(self) -> PreparedFacts:
        """Facts of feature views in order, for joins of many questions."""
        return PreparedFacts(self.home / "prepared", Versions(self.reader, self.tables))

    @cached_property
    def releases(self) -> ReleaseReader:
        """The registry, read only."""
        return ReleaseReader(self.reader, self.blobs)

    @cached_property
    def code(self) -> PinnedCode:
        """Code of releases."""
        return PinnedCode(self.blobs, self.home / "code")

    @contextmanager
    def steps(self) -> Iterator[Steps]:
        """Durable execution; DBOS takes a second to import."""
        runs = LoggedRuns(results=SqlStepResults(self.database), blobs=self.blobs, folder=self.home / "runs")
        url = self.project.settings["runtime_url"] or f"sqlite:///{self.home / 'runtime.db'}"
        steps: Steps = adapter("steps_dbos").DbosSteps(
            url,
            runs=runs,
            executor_id="loop",
            application_version=APPLICATION_VERSION,
            log=self.home / "runs" / "dbos.log",
        )
        with closing(steps):
            yield steps

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time: others wait, and give up after a minute."""
        self.home.mkdir(parents=True, exist_ok=True)
        path = self.home / "loop.lock"
        with path.open("a") as file:
            until_s = time.monotonic() + _ALONE_WITHIN_S
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until_s:
                        raise Busy("the loop", where=str(path), do="let the other command finish") from None
                    time.sleep(0.02)
            yield

    @cached_property
    def tracking(self) -> Tracking:
        """MLflow, which takes seconds to import."""
        uri = self.project.settings["tracking_uri"] or None
        tracking: Tracking = adapter("tracking_mlflow").MlflowTracking(uri, self.home / "mlflow")
        return tracking

    def board(self, system: str) -> MmapRouteBoard:
        """The route board of a system."""
        return MmapRouteBoard(self.home / "route" / system)

    def close(self) -> None:
        """Close what was opened and holds threads or locks."""
        opened = vars(self)
        if "online" in opened:
            self.online.close()
        if "database" in opened:
            self.database.close()


def system_clock() -> SystemClock:
    """The machine's clock."""
    return SystemClock()
