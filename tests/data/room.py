"""A data room on real stores: a SQLite journal and Delta tables, with feeds that a test can change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.adapters.database import Database
from trimtab.adapters.heads_log import HeadsLog
from trimtab.adapters.journal_reader_sql import SqlJournalReader
from trimtab.adapters.journal_sql import SqlJournal
from trimtab.adapters.migrate import migrate
from trimtab.adapters.outbox_sql import SqlOutbox
from trimtab.adapters.tables_delta import DeltaTables
from trimtab.data.ingest import Ingest
from trimtab.data.versions import Versions
from trimtab.kernel.dataset_version import DatasetVersion
from trimtab.kernel.source import Source
from trimtab.ports.journal import Unit


class CrashingJournal(SqlJournal):
    """Fails as often as it is told to, as if the process had died before the transaction."""

    crashes = 0

    @contextmanager
    def begin(self, *, at: datetime, actor: str) -> Iterator[Unit]:
        if self.crashes:
            self.crashes -= 1
            raise OSError("killed before the transaction")
        with super().begin(at=at, actor=actor) as unit:
            yield unit


class CrashingTables(DeltaTables):
    """Fails at the next append to one table, as if the process had died before it."""

    crash_at = ""

    def append(self, table: str, *args: Any, **named: Any) -> Any:
        if table == self.crash_at:
            self.crash_at = ""
            raise OSError("killed before the append")
        return super().append(table, *args, **named)


@dataclass
class Room:
    """Everything that ingest needs, and what it leaves behind."""

    project: Path
    journal: CrashingJournal
    reader: SqlJournalReader
    outbox: SqlOutbox
    tables: CrashingTables
    versions: Versions
    ingest: Ingest

    def look(self, source: Source, now: datetime) -> DatasetVersion | None:
        """One look at a source; the version that it made, if it made one. Not for a look after a crash."""
        made = list(self.ingest(source, now))
        assert len(made) < 2
        return made[0] if made else None

    def rows(self, source: Source, upto: int | None = None, after: int = 0) -> pl.DataFrame:
        """Accepted rows without the column that versions add."""
        return self.versions.frame(source.name, upto, after).drop("_version").collect()

    def quarantine(self, source: Source) -> pl.DataFrame:
        """Refused rows with their reasons; no rows if there never were any."""
        refused = self.versions.quarantined(source.name)
        return pl.DataFrame() if refused is None else refused.collect()


def open_room(folder: Path) -> Room:
    """A room in an empty folder."""
    database = Database(f"sqlite:///{folder / 'trimtab.db'}")
    migrate(database)
    journal = CrashingJournal(database, HeadsLog(folder / "heads.log"))
    reader = SqlJournalReader(database)
    tables = CrashingTables(folder / "tables")
    versions = Versions(reader, tables)
    blobs = LocalBlobs(folder / "blobs")
    ingest = Ingest(folder, journal=journal, reader=reader, tables=tables, versions=versions, blobs=blobs)
    return Room(folder, journal, reader, SqlOutbox(database), tables, versions, ingest)


@dataclass
class Feed:
    """What a source offers; a test changes `frame` between two looks."""

    frame: pl.DataFrame = field(default_factory=pl.DataFrame)

    def __call__(self) -> pl.DataFrame:
        return self.frame
