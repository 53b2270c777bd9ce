"""Ingest: what became known since the last version becomes the next one.

Order: quarantine → profile → table → one transaction (record + pointer + ledger + outbox). A process killed between
the table and the transaction leaves an append that no version names; the next ingest adopts it as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from trimtab.data import late
from trimtab.data.block import Block, Blocks, lift
from trimtab.data.checks.refers_to import RefersTo
from trimtab.data.content import content_digest, counted, schema_of
from trimtab.data.feed import BEGINNING_US, Feed
from trimtab.data.feedback import KeysOf, completing
from trimtab.data.holding import Holding, begins
from trimtab.data.profiles import Profiles
from trimtab.data.quarantine import Quarantine
from trimtab.data.storable import stored_schema
from trimtab.data.versions import KIND, VERSION, Versions
from trimtab.kernel.canonical import Json, digest
from trimtab.kernel.dataset_version import DatasetVersion, dataset_version_from
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.moment import from_us, to_us
from trimtab.kernel.source import Source
from trimtab.ports.blobs import Blobs
from trimtab.ports.journal import Journal, JournalReader
from trimtab.ports.tables import Appended, TableWriter

_AT_ONCE = 4  # feeds that are read at a time
_OF_APPEND = ("number", "digest", "files")  # what the append itself says of its version


@dataclass(frozen=True)
class _Taken:
    """What one look brings that no version has."""

    rows: pl.DataFrame
    missed: late.Missed | None  # of `rows`, those that an earlier look should have found; None: not searched for
    fresh: int  # rows that became known since the last version
    surplus: int  # rows taken by then, less what the feed offers of them


@dataclass(frozen=True)
class _Look:
    """What a look has appended to the source's table."""

    begun: DatasetVersion | None = None  # what a killed process had not entered
    made: DatasetVersion | None = None
    taken: bool = True  # whether the feed was looked at


class Ingest:
    """Brings sources up to date."""

    def __init__(
        self,
        project: Path,
        *,
        journal: Journal,
        reader: JournalReader,
        tables: TableWriter,
        versions: Versions,
        blobs: Blobs,
        keys_of: KeysOf = lambda _: {},
    ) -> None:
        self._project = project
        self._keys_of = keys_of
        self._journal = journal
        self._blocks = Blocks(journal, reader)
        self._tables = tables
        self._versions = versions
        self._profiles = Profiles(blobs, versions)
        self._holding = Holding(versions, self._profiles)
        self._quarantine = Quarantine(journal, reader, versions)
        self._told: dict[str, tuple[str, ...]] = {}  # source → what its checks warned of at the newest look
        self._surplus: dict[str, int] = {}  # source → rows taken that its feed does not offer, when last compared

    def each(self, sources: Sequence[Source], now: datetime) -> Iterator[tuple[Source, Iterator[DatasetVersion]]]:
        """Each source with its new versions, which are entered, in this order, as they are taken from the iterator.

        All feeds are read at once; what is wrong with one is raised by its own iterator: see `__call__`. A source
        that refers to another one is looked at in its turn: what it finds there does not depend on threads.
        """
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ingest") as pool:
            taken = [
                None if _refers(source) else pool.submit(copy_context().run, self._look, source, now)
                for source in sources
            ]
            for source, begun in zip(sources, taken, strict=True):
                look = begun or pool.submit(copy_context().run, self._look, source, now)
                yield source, self._entered(source, look, now)

    def blocked(self, source: Source) -> Block | None:
        """The source's block; None if the newest look has found it whole."""
        return self._blocks.of(source.name)

    def warnings(self, source: Source) -> tuple[str, ...]:
        """What its checks warned of at the newest look, for the delivery as a whole; a version may not be made."""
        return self._told.get(source.name, ())

    def __call__(self, source: Source, now: datetime) -> Iterator[DatasetVersion]:
        """The version that a killed process had begun, if there is one; then that of what is known up to `now`.

        Raises:
            ContractBreach: the schema is broken; the version is blocked and older ones stay in force.
            NaiveTime: a declared time has no zone.
            SourceUnreadable: the rows cannot be read.
        """
        for _, versions in self.each([source], now):
            yield from versions

    def _look(self, source: Source, now: datetime) -> _Look:
        """The append that a killed process had not entered; without one, that of this look, if there are rows."""
        last = self._tables.last(source.table, source.name)
        if last is None or last.number <= self._versions.current(source.name):
            return _Look(made=self._take(source, now))
        begun = self._appended(source, last)
        # A life that is taken up goes through earlier instants first: the ledger's order does not depend on a kill.
        return _Look(begun=begun) if begun.known_until_us <= to_us(now) else _Look(taken=False)

    def _entered(self, source: Source, look: Future[_Look], now: datetime) -> Iterator[DatasetVersion]:
        found = look.result()
        made = found.made
        if found.begun is not None:
            yield self._commit(found.begun, from_us(found.begun.known_until_us))
            made = self._take(source, now)
        if made is not None:
            yield self._commit(made, now)
        elif found.taken:
            self._blocks.end(source.name, now)

    def block(self, source: Source, error: TrimtabError, now: datetime) -> None:
        """Write down that the next version is blocked, and why: each cause once, and the instant of every look.

        Rows that were due while a source was blocked were not known then: see `late`.
        """
        self._blocks.set(source.name, self._versions.current(source.name) + 1, error, now)

    def _take(self, source: Source, now: datetime) -> DatasetVersion | None:
        """Append the rows of the next version; None if there are none."""
        number = self._versions.current(source.name) + 1
        before = self._versions.version(source.name, number - 1) if number > 1 else None
        from_us_ = before.known_until_us if before else BEGINNING_US
        until_us = max(from_us_, to_us(now))
        delivery = self._delivery(source, before, from_us_, until_us)
        let_in = self._holding.to_contract(source, before, delivery.rows, delivery.missed)
        judged = self._holding.to_checks(source, before, let_in, until_us)
        held, self._told[source.name] = judged.rows, judged.told
        warned, seen = held.warned, held.accepted.height + _dated(source, held.quarantined)
        surplus = delivery.surplus + seen - delivery.fresh
        block = self._blocks.newest(source.name)
        backfilled = 0
        if before is not None:
            # A first version takes the history at its word: nothing had been answered from the source.
            due_us = max(from_us_, block.last_us) if block else from_us_
            held, backfilled = late.tell(source, held, due_us, until_us)
        accepted, released, reviews = self._with_released(source, before, held.accepted, until_us)
        if accepted.is_empty() and held.quarantined.is_empty() and not begins(source, before):
            self._surplus[source.name] = surplus
            return None
        whole = held.accepted.height == let_in.accepted.height and not (backfilled or released)
        version = DatasetVersion(
            source=source.name,
            number=number,
            digest="",
            rows=accepted.height,
            quarantined=held.quarantined.height,
            known_from_us=from_us_,
            known_until_us=until_us,
            files=(),
            schema=schema_of(accepted.schema),
            refused=self._refuse(source, held.quarantined, number),
            seen=seen + (before.seen if before else 0),
            backfilled=backfilled,
            blocked_since_us=block.since_us if block and not block.over else 0,
            profile=self._profiles.keep(source.name, before, accepted, judged.profile if whole else None),
            warned=warned,
            released=released,
            releases=reviews,
        )
        appended = self._append(source, version, accepted)
        self._surplus[source.name] = surplus
        return appended

    def _append(self, source: Source, version: DatasetVersion, rows: pl.DataFrame) -> DatasetVersion:
        """Append a version's rows, with all that is to be entered of it beside them."""
        note = {name: value for name, value in version.body().items() if name not in _OF_APPEND}
        note["content"] = content_digest(rows)
        stamped = rows.with_columns(pl.lit(version.number, dtype=pl.Int64).alias(VERSION))
        done = self._tables.append(source.table, stamped, writer=source.name, number=version.number, note=note)
        return self._appended(source, done)

    def _appended(self, source: Source, done: Appended) -> DatasetVersion:
        """The version that an append was made for, from what stands beside its rows."""
        body = dict(done.note)
        before = self._versions.version(source.name, done.number - 1).digest if done.number > 1 else ""
        made: dict[str, Json] = {
            "number": done.number,
            "digest": digest([before, body.pop("content")]),
            "files": [list(one) for one in done.files],
        }
        return dataset_version_from({**body, **made})

    def _delivery(self, source: Source, before: DatasetVersion | None, from_us_: int, until_us: int) -> _Taken:
        """What became known in (from, until], and what earlier looks should have found.

        Those are searched for only if the feed offers another number of rows than the versions took from it. A feed
        that has forgotten rows is compared again when it forgets, or is late with, others.
        """
        feed = Feed(source, self._project, completing(source, self._versions, self._keys_of))
        look = feed.look(from_us_, until_us)
        new, missed = self._without_refused(source, look.rows), None
        surplus = before.seen - look.earlier if before else 0
        if before is not None and surplus != self._surplus.get(source.name, 0):
            accepted = self._versions.frame(source.name).collect()
            refused = self._quarantine.kept(source.name, before.releases)
            missed = late.missed(source, feed.upto(from_us_), accepted, refused)
        rows = new if missed is None else pl.concat([missed.rows, new])
        return _Taken(rows, missed, _dated(source, new), surplus)

    def _with_released(
        self, source: Source, before: DatasetVersion | None, accepted: pl.DataFrame, until_us: int
    ) -> tuple[pl.DataFrame, int, int]:
        """The rows with those that reviews have let in, how many these are, and how many reviews there were."""
        done = before.releases if before is not None else 0
        released, reviews = self._quarantine.due(source, done, until_us)
        if released is None:
            return accepted, 0, done
        if accepted.is_empty():  # of a feed's own types, which its table need not have
            return released, released.height, reviews
        return pl.concat([accepted, released.select(accepted.columns)]), released.height, reviews

    def _refuse(self, source: Source, rows: pl.DataFrame, number: int) -> tuple[tuple[str, str], ...]:
        """Put rows into quarantine; the files that hold them.

        Each attempt at a version appends anew, since it may know more than one that was killed. What such a one has
        left behind is named by no version.
        """
        if rows.is_empty():
            return ()
        stored = rows.cast(stored_schema(source, rows.schema))
        stored = stored.with_columns(pl.lit(number, dtype=pl.Int64).alias(VERSION))
        table = f"quarantine/{source.name}"
        last = self._tables.last(table, source.name)
        attempt = last.number + 1 if last else 1
        return self._tables.append(table, stored, writer=source.name, number=attempt, note={}).files

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

    def _commit(self, version: DatasetVersion, now: datetime) -> DatasetVersion:
        facts: dict[str, Json] = {
            "rows": version.rows,
            "quarantined": version.quarantined,
            "digest": version.digest,
        }
        if version.backfilled:
            facts["backfilled"] = version.backfilled
        if version.released:
            facts["released"] = version.released
        if version.warned:
            facts["warned"] = dict(version.warned)
        if version.repaired:
            facts["blocked_since"] = from_us(version.blocked_since_us).isoformat()
        with self._journal.begin(at=now, actor="loop") as unit:
            if version.number <= self._versions.current(version.source):
                return version  # entered by another process since this one looked
            unit.append("source.versioned", version.id, facts)
            unit.put(KIND, version.id, version.body())
            unit.point(f"source/{version.source}", version.id)
            unit.send("materialise", {"source": version.source, "number": version.number})
            if version.repaired:
                lift(unit, version.source)
        return version


def _dated(source: Source, rows: pl.DataFrame) -> int:
    return rows.height - rows[source.known].null_count()


def _refers(source: Source) -> bool:
    return any(isinstance(one, RefersTo) for one in source.checks)
