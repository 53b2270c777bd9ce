"""Measure: the monitors of a system, once for each month whose labels have settled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import cast

import polars as pl

from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.evidence import Evidence, evidence_from
from trimtab.kernel.label import Label
from trimtab.kernel.moment import aware, from_us, to_us
from trimtab.kernel.source import Source
from trimtab.monitoring.labels import join_labels
from trimtab.monitoring.monitors import Performance
from trimtab.monitoring.scores import answered, by_models
from trimtab.ports.journal import Journal, JournalReader
from trimtab.ports.tables import TableReader, TableWriter

PREDICTIONS = "predictions"
TABLE = "evidence"


class Measure:
    """Month by month: evidence goes into its table first, then one transaction says that the month is measured."""

    def __init__(
        self, *, journal: Journal, reader: JournalReader, tables: TableReader, writer: TableWriter
    ) -> None:
        self._journal = journal
        self._reader = reader
        self._tables = tables
        self._writer = writer

    def labelled(self, system: str, label: Label, now: datetime, *, since: datetime | None = None) -> pl.DataFrame:
        """Predictions in the table, asked from `since` on, whose truth is known at `now`; none of fallbacks."""
        labels, given = self._rows(label.source), self._rows(label.feedback)
        if not self._tables.exists(PREDICTIONS) or (labels is None and given is None):
            return pl.DataFrame(schema={"at": pl.Datetime("us", "UTC"), "key": pl.String, "label": pl.Boolean})
        predictions = by_models(self._tables.scan(PREDICTIONS)).filter(pl.col("system") == system)
        if since is not None:  # by partition first: most files are never opened
            day = aware(since).astimezone(UTC).date()
            predictions = predictions.filter(pl.col("date") >= day, pl.col("at") >= aware(since))
        # Answers of a batch by a release that somebody asked for were given under no route.
        under_routes = answered(predictions).filter(pl.col("generation") > 0)
        wanted = under_routes.select("id", "key", "at", "release", "generation", "score", "others")
        return join_labels(wanted, labels, label, now, given)

    def _rows(self, source: Source | None) -> pl.LazyFrame | None:
        return self._tables.scan(source.table) if source and self._tables.exists(source.table) else None

    def due(self, system: str, monitors: Sequence[Performance], now: datetime) -> list[Performance]:
        """Monitors with a month that has settled and was not measured yet."""
        return [monitor for monitor in monitors if to_us(monitor.settled(now)) > self._done(system, monitor)]

    def __call__(self, system: str, monitors: Sequence[Performance], label: Label, now: datetime) -> list[Evidence]:
        """Measure what is due; returns the new evidence."""
        found = []
        for monitor in self.due(system, monitors, now):
            settled, done = monitor.settled(now), from_us(self._done(system, monitor))
            rows = self.labelled(system, label, now, since=done).filter(pl.col("at") < settled)
            evidence = monitor.measure(system, rows) if rows.height else []
            for until_us, month in groupby(evidence, key=lambda one: one.until_us):
                found += self._keep(system, monitor, until_us, list(month), now)
            if self._done(system, monitor) < to_us(settled):
                self._keep(system, monitor, to_us(settled), [], now)
        return found

    def evidence(self, system: str) -> list[Evidence]:
        """All evidence of a system, oldest first."""
        return [
            one for _, record in self._reader.records("evidence", prefix=f"{system}/") for one in _written(record)
        ]

    def _keep(
        self, system: str, monitor: Performance, until_us: int, month: list[Evidence], now: datetime
    ) -> list[Evidence]:
        bodies: list[Json] = [one.body() for one in month]
        kept: JsonMap = {"evidence": bodies}
        if month:
            frame = pl.DataFrame([vars(one) for one in month])
            writer = f"{system}/{monitor.metric}"
            # Measured before a crash, it stays as it was measured, whatever labels have arrived since.
            kept = self._writer.append(TABLE, frame, writer=writer, number=until_us, note=kept).note
        id = f"{system}/{monitor.metric}/{until_us:020d}"
        with self._journal.begin(at=now, actor="loop") as unit:
            unit.append("evidence.measured", id, kept)
            unit.put("evidence", id, kept)
            unit.point(f"measured/{system}/{monitor.metric}", str(until_us))
        return list(_written(kept))

    def _done(self, system: str, monitor: Performance) -> int:
        pointer = self._reader.pointer(f"measured/{system}/{monitor.metric}")
        return 0 if pointer is None else int(pointer.value)


def _written(record: JsonMap) -> Iterator[Evidence]:
    return (evidence_from(body) for body in cast("list[JsonMap]", record["evidence"]))
