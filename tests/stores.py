"""The real stores of one project folder, as rooms use them: SQLite, blobs, Delta tables, a route board."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.adapters.database import Database
from trimtab.adapters.heads_log import HeadsLog
from trimtab.adapters.journal_reader_sql import SqlJournalReader
from trimtab.adapters.journal_sql import SqlJournal
from trimtab.adapters.migrate import migrate
from trimtab.adapters.outbox_sql import SqlOutbox
from trimtab.adapters.route_board_mmap import MmapRouteBoard
from trimtab.adapters.tables_delta import DeltaTables
from trimtab.kernel.canonical import digest
from trimtab.kernel.feature_schema import Feature
from trimtab.kernel.release import Release
from trimtab.kernel.verdict import Outcome, Verdict

START = datetime(2013, 4, 1, tzinfo=UTC)


class Stores:
    """Opened by first use, all below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(f"sqlite:///{folder / 'trimtab.db'}")
        migrate(self.database)
        self.journal = SqlJournal(self.database, HeadsLog(folder / "heads.log"))
        self.reader = SqlJournalReader(self.database)
        self.outbox = SqlOutbox(self.database)
        self.blobs = LocalBlobs(folder / "blobs")
        self._minutes = 0

    @cached_property
    def tables(self) -> DeltaTables:
        """Delta tables."""
        return DeltaTables(self.folder / "tables")

    @cached_property
    def board(self) -> MmapRouteBoard:
        """The route board, without workers."""
        return MmapRouteBoard(self.folder / "route")

    def minute(self) -> datetime:
        """An instant, a minute behind the last one that was asked for."""
        self._minutes += 1
        return START + timedelta(minutes=self._minutes)

    def kinds(self) -> list[str]:
        """What the ledger says has happened."""
        return [entry.kind for entry in self.reader.entries()]

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def verdict(outcome: Outcome = Outcome.PASS, gate: str = "floor(roc_auc, at_least=0.65)") -> Verdict:
    """A verdict of a gate."""
    return Verdict(gate, outcome, "roc_auc", 0.7, 0.68, 0.72, 0.95, 0.65, 1000, 28, f"it is a {outcome}")


def release(name: str, *outcomes: Outcome, system: str = "flight-delay") -> Release:
    """A release that a name makes unlike all others; judged as given, or passed by one gate."""
    return Release(
        system=system,
        model=digest(name),
        model_format="lightgbm-text",
        code=digest("code"),
        features=(Feature("schedule.carrier", ("AA", "UA")), Feature("weather.temp_f")),
        views=(("schedule", digest("schedule")), ("weather", digest("weather"))),
        request=(("flight_id", "String"), ("carrier", "String")),
        key="flight_id",
        label={"source": "arrivals", "column": "late", "kind": "binary", "known": "arrived_at"},
        training={"rows": 1000, "sources": {"flights": [3, digest("flights")]}, "until_us": 1_364_774_400_000_000},
        verdicts=tuple(verdict(one).body() for one in outcomes or (Outcome.PASS,)),
        environment={"python": "3.11.7"},
    )
