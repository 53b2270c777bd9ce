"""Ingest: what became known since the last version becomes the next one.

Order: quarantine → table → one transaction (record + pointer + ledger + outbox). A process killed between
the table and the transaction leaves an append that no version names; the next ingest adopts it as it is.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl

from trimtab.data.content import content_digest, schema_of
from trimtab.data.contract import Sorted, hold_to_contract
from trimtab.data.reading import open_source
from trimtab.data.versions import KIND, VERSION, Versions
from trimtab.kernel.canonical import Json, digest
from trimtab.kernel.dataset_version import DatasetVersion
from trimtab.kernel.errors import ContractBreach, NaiveTime, SourceUnreadable, listed
from trimtab.kernel.moment import from_us, to_us
from trimtab.kernel.source import Source
from trimtab.ports.journal import Journal, JournalReader
from trimtab.ports.tables import Appended, TableWriter

_BEGINNING_US = to_us(datetime.fromisoformat("0001-01-02T00:00:00+00:00"))


class Ingest:
    """Brings sources up to date, one version a call and source at most."""

    def __init__(
        self, project: Path, *, journal: Journal, reader: JournalReader, tables: TableWriter, versions: Versions
    ) -> None:
        self._project = project
        self._journal = journal
        self._reader = reader
        self._tables = tables
        self._versions = versions

    def __call__(self, source: Source, now: datetime) -> DatasetVersion | None:
        """The version made of what became known up to `now`; None if nothing did.

        Raises:
            ContractBreach: the schema is broken; the version is blocked and older ones stay in force.
            SourceUnreadable: the rows cannot be read.
        """
        current = self._versions.current(source.name)
        done = self._tables.last(source.table, source.name)
        if done is not None and done.number > current:
            return self._commit(source, done, now)
        before = self._versions.version(source.name, current) if current else None
        from_us_ = before.known_until_us if before else _BEGINNING_US
        rows = _known_between(source, open_source(source, self._project), from_us_, to_us(now))
        if rows.is_empty():
            return None
        sorted_rows = hold_to_contract(source, rows)
        note: dict[str, Json] = {
            "from_us": from_us_,
            "until_us": to_us(now),
            "content": content_digest(sorted_rows.accepted),
            "rows": sorted_rows.accepted.height,
            "quarantined": sorted_rows.quarantined.height,
            "schema": [list(one) for one in schema_of(sorted_rows.accepted)],
        }
        return self._commit(source, self._write(source, sorted_rows, current + 1, note), now)

    def _write(self, source: Source, rows: Sorted, number: int, note: dict[str, Json]) -> Appended:
        stamp = pl.lit(number, dtype=pl.Int64).alias(VERSION)
        if rows.quarantined.height:
            refused = rows.quarantined.with_columns(stamp)
            self._tables.append(f"quarantine/{source.name}", refused, writer=source.name, number=number, note=note)
        accepted = rows.accepted.with_columns(stamp)
        return self._tables.append(source.table, accepted, writer=source.name, number=number, note=note)

    def _commit(self, source: Source, done: Appended, now: datetime) -> DatasetVersion:
        before = self._versions.version(source.name, done.number - 1).digest if done.number > 1 else ""
        version = DatasetVersion(
            source=source.name,
            number=done.number,
            digest=digest([before, done.note["content"]]),
            rows=_whole(done.note["rows"]),
            quarantined=_whole(done.note["quarantined"]),
            known_from_us=_whole(done.note["from_us"]),
            known_until_us=_whole(done.note["until_us"]),
            files=done.files,
            schema=_pairs(done.note["schema"]),
        )
        facts: dict[str, Json] = {
            "rows": version.rows,
            "quarantined": version.quarantined,
            "digest": version.digest,
        }
        with self._journal.begin(at=now, actor="loop") as unit:
            unit.append("source.versioned", version.id, facts)
            unit.put(KIND, version.id, version.body())
            unit.point(f"source/{source.name}", version.id)
            unit.send("materialise", {"source": source.name, "number": version.number})
        return version

    def block(self, source: Source, breach: ContractBreach, now: datetime) -> None:
        """Write down once that a version is blocked, and why."""
        id = f"{source.name}:{digest([breach.what, breach.got])}"
        facts: dict[str, Json] = {"broken": breach.got}
        if self._reader.record("blocked", id) is None:
            with self._journal.begin(at=now, actor="loop") as unit:
                unit.append("source.blocked", source.name, facts)
                unit.put("blocked", id, facts)


def _whole(value: Json) -> int:
    assert isinstance(value, int)
    return value


def _pairs(value: Json) -> tuple[tuple[str, str], ...]:
    assert isinstance(value, list)
    return tuple((str(one[0]), str(one[1])) for one in value if isinstance(one, list))


def _known_between(source: Source, rows: pl.LazyFrame, after_us: int, until_us: int) -> pl.DataFrame:
    """Rows known in (after, until], in the order in which they became known."""
    schema = rows.collect_schema()
    for column in dict.fromkeys((source.event_time, source.known)):
        kind = schema.get(column)
        if kind is None:
            raise ContractBreach(
                source.name,
                allowed=f"a column '{column}', declared as its time at {source.place}",
                got=f"columns {listed(schema)}",
                do="mend the feed, or the declaration's event_time and known_time",
            )
        if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
            raise NaiveTime(f"column '{column}' of source '{source.name}'", str(kind), where=source.place)
    known = pl.col(source.known).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    wanted = (known > from_us(after_us)) & (known <= from_us(until_us))
    order = dict.fromkeys((source.known, source.event_time, *source.keys))
    try:
        return rows.filter(wanted).sort(*order, maintain_order=True).collect()
    except pl.exceptions.PolarsError as error:
        raise SourceUnreadable(
            source.name, where=source.place, got=str(error), do="mend the file or the reading function"
        ) from error
