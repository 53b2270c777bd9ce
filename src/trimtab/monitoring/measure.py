"""Measure: the monitors of a system, once for each month whose labels have settled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from trimtab.kernel.canonical import Json
from trimtab.kernel.evidence import Evidence
from trimtab.kernel.label import Label
from trimtab.kernel.moment import from_us, to_us
from trimtab.monitoring.labels import join_labels
from trimtab.monitoring.monitors import Performance
from trimtab.ports.journal import Journal, JournalReader
from trimtab.ports.tables import TableReader, TableWriter

PREDICTIONS = "predictions"
TABLE = "evidence"


class Measure:
    """Evidence goes into its table first, then one transaction says that the month is measured."""

    def __init__(
        self, *, journal: Journal, reader: JournalReader, tables: TableReader, writer: TableWriter
    ) -> None:
        self._journal = journal
        self._reader = reader
        self._tables = tables
        self._writer = writer

    def labelled(self, system: str, label: Label, now: datetime) -> pl.DataFrame:
        """All predictions in the table whose truth is known at `now`."""
        if not self._tables.exists(PREDICTIONS) or not self._tables.exists(label.source.table):
            return pl.DataFrame(schema={"at": pl.Datetime("us", "UTC"), "key": pl.String, "label": pl.Boolean})
        predictions = self._tables.scan(PREDICTIONS).filter(pl.col("system") == system)
        wanted = predictions.select("id", "key", "at", "release", "score")
        return join_labels(wanted, self._tables.scan(label.source.table), label, now)

    def due(self, system: str, monitors: Sequence[Performance], now: datetime) -> list[Performance]:
        """Monitors with a month that has settled and was not measured yet."""
        return [monitor for monitor in monitors if self._number(monitor, now) > self._done(system, monitor)]

    def __call__(self, system: str, monitors: Sequence[Performance], label: Label, now: datetime) -> list[Evidence]:
        """Measure what is due; returns the new evidence."""
        found = []
        for monitor in self.due(system, monitors, now):
            settled = monitor.settled(now)
            first = from_us(self._done(system, monitor)) if self._done(system, monitor) else None
            rows = self.labelled(system, label, now).filter(pl.col("at") < settled)
            rows = rows if first is None else rows.filter(pl.col("at") >= first)
            evidence = monitor.measure(system, rows) if rows.height else []
            self._keep(system, monitor, evidence, now)
            found += evidence
        return found

    def evidence(self, system: str) -> list[Evidence]:
        """All evidence of a system, oldest first."""
        return [
            Evidence(**body)  # type: ignore[arg-type]
            for _, record in self._reader.records("evidence", prefix=f"{system}/")
            for body in record["evidence"]  # type: ignore[union-attr]
        ]

    def _keep(self, system: str, monitor: Performance, evidence: list[Evidence], now: datetime) -> None:
        number = self._number(monitor, now)
        bodies: list[Json] = [one.body() for one in evidence]
        if evidence:
            frame = pl.DataFrame([one.body() for one in evidence])
            self._writer.append(TABLE, frame, writer=f"{system}/{monitor.metric}", number=number, note={})
        id = f"{system}/{monitor.metric}/{number:020d}"
        with self._journal.begin(at=now, actor="loop") as unit:
            unit.append("evidence.measured", id, {"evidence": bodies})
            unit.put("evidence", id, {"evidence": bodies})
            unit.point(f"measured/{system}/{monitor.metric}", str(number))

    def _done(self, system: str, monitor: Performance) -> int:
        pointer = self._reader.pointer(f"measured/{system}/{monitor.metric}")
        return 0 if pointer is None else int(pointer.value)

    def _number(self, monitor: Performance, now: datetime) -> int:
        return to_us(monitor.settled(now))
