"""Expiry: days that are older than the policy keeps leave the table, the proofs, and the disk.

The order is the house's: one commit takes the rows out of the table's newest version (once, by writer and number,
with a note of what went) → one unit of work in the journal (entry, record, pointer, message) → the files are
removed, driven by the message. A process killed between the first two leaves a commit that the next one adopts;
killed later, it leaves a message. A second call at the same instant does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

import polars as pl

from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.errors import Corrupt
from trimtab.kernel.happening import Happening
from trimtab.kernel.moment import aware
from trimtab.ports.journal import Journal, JournalReader, Outbox
from trimtab.ports.table_eraser import Owned, TableEraser
from trimtab.ports.tables import TableReader, TableWriter
from trimtab.serving.compacting_alone import compacting_alone
from trimtab.serving.compactor import writer_of
from trimtab.serving.log_reader import TABLE
from trimtab.serving.retention import Retention, expired_days, first_kept
from trimtab.serving.segment_folder import SegmentFolder
from trimtab.serving.whereabouts import EXPIRED

TOPIC = "erase_predictions"


@dataclass(frozen=True)
class Expired:
    """What one call did."""

    days: tuple[date, ...] = ()  # that left the table
    rows: int = 0
    freed_bytes: int = 0  # on the disk, also of what earlier calls have left to remove

    def told(self) -> Iterator[Happening]:
        """In words."""
        if self.days:
            first, last = self.days[0], self.days[-1]
            span = f"{first}" if first == last else f"{first} to {last}"
            yield Happening("serving", f"{self.rows:,} predictions of {span} expired and were erased")


class Expire:
    """Of one system. Not while its segments are compacted: a second process gets Busy."""

    def __init__(
        self,
        folder: SegmentFolder,
        *,
        system: str,
        policy: Retention,
        tables: TableReader,
        writer: TableWriter,
        eraser: TableEraser,
        journal: Journal,
        history: JournalReader,
        outbox: Outbox,
    ) -> None:
        self._folder = folder
        self._system = system
        self._policy = policy
        self._tables = tables
        self._last = writer.last
        self._eraser = eraser
        self._journal = journal
        self._history = history
        self._outbox = outbox
        self._owned = Owned("system", system)
        self._writer = f"expiry/{system}"

    def __call__(self, *, at: datetime, actor: str) -> Expired:
        """Let go what is older than the policy keeps at `at`.

        Raises:
            Busy: another process is compacting this system.
        """
        with compacting_alone(self._folder.path, self._system):
            self._adopt(at, actor)
            freed_bytes = self._sweep()
            there = self._there(aware(at))
            days = expired_days(self._policy, aware(at), [*there, *self._folder.proofs.days(self._system)])
            if not days:
                return Expired(freed_bytes=freed_bytes)
            note = self._note(days, there, at)
            number = self._done() + 1
            if there:
                self._eraser.erase(
                    TABLE, owned=self._owned, before=_before(note), writer=self._writer, number=number, note=note
                )
                last = self._last(TABLE, self._writer)
                assert last is not None and last.number == number
                self._enter(number, last.table_version, note, at, actor)
            else:  # all of these days was left out by the sample: only the proofs of it go
                self._enter(number, None, note, at, actor)
            return Expired(tuple(days), sum(there.values()), freed_bytes + self._sweep())

    def _there(self, at: datetime) -> dict[date, int]:
        """Rows by day of the days that are not to be kept. Without any, no file is opened."""
        first = first_kept(self._policy, at)
        if first is None or not self._tables.exists(TABLE):
            return {}
        rows = self._tables.scan(TABLE).filter(pl.col("date") < first, pl.col("system") == self._system)
        return dict(rows.group_by("date").len().sort("date").collect().iter_rows())

    def _note(self, days: list[date], there: dict[date, int], at: datetime) -> JsonMap:
        first = first_kept(self._policy, aware(at))
        segments: list[Json] = []
        answers = 0
        if there:
            rows = self._tables.scan(TABLE).filter(pl.col("date") < first, pl.col("system") == self._system)
            segments = rows.select(pl.col("segment").unique().sort()).collect()["segment"].to_list()
            answers = rows.filter(pl.col("generation") >= 0).select(pl.len()).collect().item()
        by_day: dict[str, Json] = {day.isoformat(): there.get(day, 0) for day in days}
        return {
            "before": str(first),
            "policy": self._policy.words,
            "at": aware(at).isoformat(),
            "days": by_day,
            "rows": sum(there.values()),
            "answers": answers,  # the others are what shadows said to them
            "segments": segments,
        }

    def _adopt(self, at: datetime, actor: str) -> None:
        """The commit that a killed process finished and did not enter."""
        last, done = self._last(TABLE, self._writer), self._done()
        if last is None or last.number <= done:
            return
        if last.number != done + 1:
            raise Corrupt(
                f"the journal or the table '{TABLE}'",
                where=self._writer,
                allowed=f"expiry {done} or {done + 1} as the newest in the table",
                got=f"expiry {last.number}",
                do="restore both from backups of the same time",
            )
        self._enter(last.number, last.table_version, last.note, at, actor)

    def _enter(self, number: int, version: int | None, note: JsonMap, at: datetime, actor: str) -> None:
        """Ledger entry, record, pointer, and the message to remove the files: in one unit of work."""
        through = self._newest_append() if version is None else version - 1
        body: JsonMap = {**note, "number": number, "through": through, "table_version": version}
        with self._journal.begin(at=at, actor=actor) as unit:
            unit.append("predictions.expired", self._system, body)
            record = {name: note[name] for name in ("before", "policy", "at")}
            unit.put(EXPIRED, f"{self._system}/{number:010d}", {**record, "through": through})
            unit.point(self._pointer, str(number))
            unit.send(TOPIC, {"system": self._system, "before": note["before"]})

    def _newest_append(self) -> int:
        newest = self._last(TABLE, writer_of(self._system))
        return -1 if newest is None else newest.table_version

    def _sweep(self) -> int:
        """Remove what is not needed any more."""
        freed_bytes = 0
        for message in self._outbox.pending(TOPIC):
            if message.body["system"] == self._system:
                before = _before(message.body)
                freed_bytes += self._eraser.sweep(TABLE, owned=self._owned, before=before)
                freed_bytes += self._folder.proofs.remove(self._system, before)
                self._outbox.done([message.id])
        return freed_bytes

    @property
    def _pointer(self) -> str:
        return f"expired/{self._system}"

    def _done(self) -> int:
        """The newest expiry that the journal knows; 0 before the first."""
        pointer = self._history.pointer(self._pointer)
        return 0 if pointer is None else int(pointer.value)


def _before(body: JsonMap) -> date:
    return date.fromisoformat(cast("str", body["before"]))
