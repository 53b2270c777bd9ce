"""Fixtures of the serving room: servers that are ended whatever happens, and a journal on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.data.streams import CLICKS
from tests.serving.client import ServerProcess

from trimtab.adapters.database import Database
from trimtab.adapters.heads_log import HeadsLog
from trimtab.adapters.journal_reader_sql import SqlJournalReader
from trimtab.adapters.journal_sql import SqlJournal
from trimtab.adapters.migrate import migrate
from trimtab.adapters.tables_delta import DeltaTables
from trimtab.data.feedback import feedback
from trimtab.data.stream_file import declarations, write_streams
from trimtab.serving.log_reader import LogReader
from trimtab.serving.segment_folder import SegmentFolder


@dataclass(frozen=True)
class Stores:
    """What compaction stands on, below one folder."""

    folder: Path
    journal: SqlJournal
    history: SqlJournalReader
    tables: DeltaTables
    segments: SegmentFolder

    def log(self) -> LogReader:
        return LogReader(self.segments, tables=self.tables, journal=self.history)


def open_stores(folder: Path) -> tuple[Database, Stores]:
    database = Database(f"sqlite:///{folder / 'trimtab.db'}")
    migrate(database)
    stores = Stores(
        folder,
        SqlJournal(database, HeadsLog(folder / "heads")),
        SqlJournalReader(database),
        DeltaTables(folder / "tables"),
        SegmentFolder(folder / "wal"),
    )
    return database, stores


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    database, stores = open_stores(tmp_path)
    yield stores
    database.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Two workers, no route yet."""
    server = ServerProcess(tmp_path)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One worker that answers with release "fragile", for a whole module."""
    server = ServerProcess(tmp_path_factory.mktemp("server"), workers=1)
    server.ready("fragile")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def replayer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One worker that takes the request's own clock, for a whole module."""
    server = ServerProcess(tmp_path_factory.mktemp("server"), workers=1, clock="request")
    server.ready("one")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def data_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Two workers that take all that can be sent: also rows of a stream, and feedback. For a whole module."""
    folder = tmp_path_factory.mktemp("server")
    write_streams(folder, declarations([CLICKS, feedback()]))
    server = ServerProcess(folder)
    try:
        server.ready("one")
        yield server
    finally:
        server.stop()
