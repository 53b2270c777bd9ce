"""The journal in SQL, the half that writes: units of work over ledger, pointers, records and outbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from trimtab.adapters.canonical_text import from_text, to_text
from trimtab.adapters.database import Database
from trimtab.adapters.heads_log import HeadsLog
from trimtab.adapters.journal_schema import ledger, outbox, pointer, pointer_history, record
from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import Conflict, NoEvidence
from trimtab.kernel.head import Head
from trimtab.kernel.ledger_entry import GENESIS, LedgerEntry, entry_hash
from trimtab.kernel.moment import aware, to_us
from trimtab.kernel.pointer import Pointer
from trimtab.ports.journal import Unit


class SqlJournal:
    """Implements `Journal`. After each commit the new head of the ledger is saved outside of the database."""

    def __init__(self, database: Database, heads: HeadsLog) -> None:
        self._database = database
        self._heads = heads

    @contextmanager
    def begin(self, *, at: datetime, actor: str) -> Iterator[Unit]:
        """Open a unit of work; see the port.

        Raises (on leaving the block):
            NoEvidence: something was moved, put or sent before any ledger entry of the unit.
            OSError: the head could not be saved; the unit is committed nevertheless.
        Raises (on entering it):
            Busy: units of others held the database for too long.
            NaiveTime: `at` has no zone.
        """
        at = aware(at, "at")
        with self._database.writing() as connection:
            unit = SqlUnit(connection, at, actor)
            yield unit
            if unit.unexplained:
                raise NoEvidence(unit.unexplained)
        # Only now: a head saved before the commit would accuse the ledger if the commit failed.
        if unit.newest is not None:
            self._heads.append(Head(unit.newest.seq, unit.newest.hash), at)


class SqlUnit:
    """Implements `Unit` on one open transaction, which is the only one that writes."""

    def __init__(self, connection: Connection, at: datetime, actor: str) -> None:
        self._connection = connection
        self._at = at
        self._actor = actor
        self.newest: LedgerEntry | None = None
        self.unexplained: list[str] = []  # changes made before the unit's first entry

    def append(self, kind: str, subject: str, body: JsonMap) -> LedgerEntry:
        """Append to the ledger, behind the newest entry of all processes."""
        seq, previous = self._behind()
        text = to_text(body)
        stored = from_text(text)
        hash = entry_hash(seq, self._at, self._actor, kind, subject, stored, previous)
        entry = LedgerEntry(seq, self._at, self._actor, kind, subject, stored, previous, hash)
        self._connection.execute(
            insert(ledger).values(
                seq=seq,
                at_us=to_us(self._at),
                actor=self._actor,
                kind=kind,
                subject=subject,
                body=text,
                previous=previous,
                hash=hash,
            )
        )
        self.newest = entry
        return entry

    def put(self, kind: str, id: str, body: JsonMap) -> bool:
        """Write an immutable record; False if the identical one exists already."""
        text = to_text(body)
        found = select(record.c.body).where(record.c.kind == kind, record.c.id == id)
        stored = self._connection.execute(found).scalar()
        if stored is not None:
            if stored != text:
                raise Conflict(kind, id)
            return False
        because = self._because(f"{kind} '{id}' was put")
        self._connection.execute(insert(record).values(kind=kind, id=id, body=text, ledger_seq=because))
        return True

    def point(self, name: str, value: str) -> Pointer:
        """Move a pointer; its generation rises by one."""
        because = self._because(f"pointer '{name}' was moved")
        last = self._connection.execute(select(pointer.c.generation).where(pointer.c.name == name)).scalar()
        moved = Pointer(name, value, (last or 0) + 1, self._at, because)
        row = {
            "generation": moved.generation,
            "value": value,
            "moved_at_us": to_us(self._at),
            "ledger_seq": because,
        }
        if last is None:
            self._connection.execute(insert(pointer).values(name=name, **row))
        else:
            self._connection.execute(update(pointer).where(pointer.c.name == name).values(**row))
        self._connection.execute(insert(pointer_history).values(name=name, **row))
        return moved

    def send(self, topic: str, body: JsonMap) -> None:
        """Leave a message in the outbox."""
        because = self._because(f"a message was sent to '{topic}'")
        self._connection.execute(
            insert(outbox).values(
                topic=topic, body=to_text(body), sent_at_us=to_us(self._at), ledger_seq=because, done=False
            )
        )

    def _behind(self) -> tuple[int, str]:
        """The number and the `previous` of the next entry."""
        if self.newest is not None:
            return self.newest.seq + 1, self.newest.hash
        newest = select(ledger.c.seq, ledger.c.hash).order_by(ledger.c.seq.desc()).limit(1)
        row = self._connection.execute(newest).one_or_none()
        return (1, GENESIS) if row is None else (row.seq + 1, row.hash)

    def _because(self, change: str) -> int:
        """The entry that explains a change; 0 if there is none, and then the unit will not commit."""
        if self.newest is not None:
            return self.newest.seq
        self.unexplained.append(f"{change} before any entry")
        return 0
