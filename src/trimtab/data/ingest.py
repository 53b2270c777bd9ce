"""Ingest: what became known since the last version becomes the next one.

Order: quarantine → table → one transaction (record + pointer + ledger + outbox). A process killed between
the table and the transaction leaves an append that no version names; the next ingest adopts it as it is.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl

from trimtab.data.content import content_digest, counted, schema_of
from trimtab.data.contract import REASON, hold_to_contract
from trimtab.data.reading import open_source
from trimtab.data.storable import stored_schema
from trimtab.data.versions import KIND, VERSION, Versions
from trimtab.kernel.canonical import Json, digest
from trimtab.kernel.dataset_version import DatasetVersion, version_id
from trimtab.kernel.errors import ContractBreach, NaiveTime, SourceUnreadable, listed
from trimtab.kernel.moment import from_us, to_us
from trimtab.kernel.source import Source
from trimtab.ports.journal import Journal, JournalReader
from trimtab.ports.tables import Appended, TableWriter

_BLOCKED = "blocked"
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
            # As of the instant that it was read for: the next turn of the loop may bring another one.
            return self._commit(source, done, from_us(_whole(done.note["until_us"])))
        before = self._versions.version(source.name, current) if current else None
        from_us_ = before.known_until_us if before else _BEGINNING_US
        until_us = max(from_us_, to_us(now))
        rows = self._without_refused(source, _known_between(source, self._project, from_us_, until_us))
        if rows.is_empty():
            return None
        sorted_rows = hold_to_contract(source, rows)
        schema = stored_schema(source, sorted_rows.accepted.schema)
        if before is not None:
            _refuse_changed_schema(source, before.schema, schema_of(schema))
        accepted = sorted_rows.accepted.cast(schema)
        note: dict[str, Json] = {
            "from_us": from_us_,
            "until_us": until_us,
            "content": content_digest(accepted),
            "rows": accepted.height,
            "quarantined": sorted_rows.quarantined.height,
            "schema": [list(one) for one in schema_of(schema)],
            "refused": self._refuse(source, sorted_rows.quarantined, current + 1),
        }
        stamp = pl.lit(current + 1, dtype=pl.Int64).alias(VERSION)
        done = self._tables.append(
            source.table, accepted.with_columns(stamp), writer=source.name, number=current + 1, note=note
        )
        return self._commit(source, done, now)

    def _refuse(self, source: Source, rows: pl.DataFrame, number: int) -> list[Json]:
        """Put rows into quarantine; the files that hold them.

        Each attempt at a version appends anew, since it may know more than one that was killed. What such a one has
        left behind is named by no version.
        """
        if rows.is_empty():
            return []
        stored = rows.cast(stored_schema(source, rows.schema))
        stored = stored.with_columns(pl.lit(number, dtype=pl.Int64).alias(VERSION))
        table = f"quarantine/{source.name}"
        last = self._tables.last(table, source.name)
        attempt = last.number + 1 if last else 1
        done = self._tables.append(table, stored, writer=source.name, number=attempt, note={})
        return [list(one) for one in done.files]

    def _without_refused(self, source: Source, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows less those without a known time that are in quarantine already: such a row is new at every look."""
        known = pl.col(source.known)
        timeless = rows.filter(known.is_null())
        refused = self._versions.quarantined(source.name) if timeless.height else None
        if refused is None:
            return rows
        old = refused.filter(known.is_null()).select(rows.columns).collect()
        stored = timeless.cast(stored_schema(source, timeless.schema))
        fresh = ~counted(stored).is_in(counted(old).implode())
        return pl.concat([rows.filter(known.is_not_null()), timeless.filter(fresh)])

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
            refused=_pairs(done.note["refused"]),
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
        """Write down once that the next version is blocked, and why."""
        number = self._versions.current(source.name) + 1
        id = f"{version_id(source.name, number)}:{digest([breach.what, breach.got])}"
        if self._reader.record(_BLOCKED, id) is not None:
            return
        facts: dict[str, Json] = {"broken": breach.got}
        with self._journal.begin(at=now, actor="loop") as unit:
            unit.append("source.blocked", source.name, facts)
            unit.put(_BLOCKED, id, facts)


Pairs = tuple[tuple[str, str], ...]


def _whole(value: Json) -> int:
    assert isinstance(value, int)
    return value


def _pairs(value: Json) -> Pairs:
    assert isinstance(value, list)
    return tuple((str(one[0]), str(one[1])) for one in value if isinstance(one, list))


def _known_between(source: Source, project: Path, after_us: int, until_us: int) -> pl.DataFrame:
    """Rows known in (after, until], in the order in which they became known, and those without a known time."""
    try:
        rows = open_source(source, project)
        _refuse_columns(source, rows.collect_schema())
        known = pl.col(source.known)
        instant = known.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
        wanted = (instant > from_us(after_us)) & (instant <= from_us(until_us))
        order = dict.fromkeys((source.known, source.event_time, *source.keys))
        return rows.filter(wanted | known.is_null()).sort(*order, maintain_order=True).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceUnreadable(
            source.name, where=source.place, got=str(error), do="mend the file or the reading function"
        ) from error


def _refuse_columns(source: Source, schema: pl.Schema) -> None:
    """Refuse a table without its times and keys, and one that has a column of ours."""
    times = dict.fromkeys((source.event_time, source.known))
    for column in dict.fromkeys((*times, *source.keys)):
        if column not in schema:
            raise ContractBreach(
                source.name,
                allowed=f"a column '{column}', which the declaration at {source.place} names",
                got=f"columns {listed(schema)}",
                do="mend the feed, or the declaration's event_time, known_time and key",
            )
    for column in times:
        kind = schema[column]
        if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
            raise NaiveTime(f"column '{column}' of source '{source.name}'", str(kind), where=source.place)
    for column in (VERSION, REASON):
        if column in schema:
            raise ContractBreach(
                source.name,
                allowed=f"any column but {VERSION} and {REASON}, which Trimtab adds",
                got=f"a column '{column}'",
                do="rename the column where the source is read",
            )


def _refuse_changed_schema(source: Source, before: Pairs, now: Pairs) -> None:
    changes = [f"column '{name}' is {dict(now).get(name, 'gone')}" for name, _ in set(before) - set(now)]
    changes += [f"column '{name}' is new" for name, _ in now if name not in dict(before)]
    if changes:
        raise ContractBreach(
            source.name,
            allowed="the columns and types of its older versions",
            got=listed(changes),
            do="mend the feed, or declare the new table as a source of another name; until then older data serve",
        )
