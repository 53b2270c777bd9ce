"""The journal in SQL, the half that reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.exc import DBAPIError

from trimtab.adapters.canonical_text import from_text
from trimtab.adapters.database import Database
from trimtab.adapters.journal_schema import ledger, pointer, pointer_history, record
from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.errors import Corrupt
from trimtab.kernel.ledger_entry import LedgerEntry
from trimtab.kernel.moment import from_us, to_us
from trimtab.kernel.pointer import Pointer

_PAGE_ROWS = 1000


class SqlJournalReader:
    """Implements `JournalReader`. No read waits for a unit of work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pointer(self, name: str) -> Pointer | None:
        """Where a name points now; None if it never pointed anywhere."""
        rows = self._rows(select(pointer).where(pointer.c.name == name))
        return _pointer(rows[0]) if rows else None

    def pointer_at(self, name: str, at: datetime) -> Pointer | None:
        """Where a name pointed at an instant; the move at that very instant counts."""
        history = pointer_history
        moved = select(history).where(history.c.name == name, history.c.moved_at_us <= to_us(at))
        rows = self._rows(moved.order_by(history.c.generation.desc()).limit(1))
        return _pointer(rows[0]) if rows else None

    def record(self, kind: str, id: str) -> JsonMap | None:
        """One immutable record.

        Raises:
            Corrupt: its body is not what was stored.
        """
        rows = self._rows(select(record).where(record.c.kind == kind, record.c.id == id))
        return _body(rows[0]) if rows else None

    def records(self, kind: str, *, prefix: str = "") -> list[tuple[str, JsonMap]]:
        """All records of a kind whose id starts with `prefix`, in the order in which they were written."""
        # Not LIKE: SQLite's takes capitals and small letters for equal.
        starts = func.substr(record.c.id, 1, len(prefix)) == prefix
        rows = self._rows(select(record).where(record.c.kind == kind, starts).order_by(record.c.number))
        return [(row.id, _body(row)) for row in rows]

    def entries(self, *, after: int = 0, kind: str = "", subject: str = "") -> Iterator[LedgerEntry]:
        """Ledger entries behind `after` in order, read page by page; 0 means all, whatever number they bear.

        Raises:
            Corrupt: an entry cannot be read; those before it have been given.
        """
        query = select(ledger).order_by(ledger.c.seq).limit(_PAGE_ROWS)
        if kind:
            query = query.where(ledger.c.kind == kind)
        if subject:
            query = query.where(ledger.c.subject == subject)
        page = self._rows(query.where(ledger.c.seq > after) if after else query)
        while page:
            for row in page:
                yield _entry(row)
            page = self._rows(query.where(ledger.c.seq > page[-1].seq))

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        try:
            with self._database.reading() as connection:
                return connection.execute(query).all()
        except DBAPIError as error:
            if not self._database.damaged(error):
                raise
            raise Corrupt(
                "the journal",
                where=self._database.name,
                allowed="rows as they were written",
                got=str(error.orig),
                do="restore the database from a copy; `trimtab audit verify` says whether the copy is whole",
            ) from error


def _pointer(row: Row[Any]) -> Pointer:
    return Pointer(row.name, row.value, row.generation, from_us(row.moved_at_us), row.ledger_seq)


def _body(row: Row[Any]) -> JsonMap:
    try:
        return from_text(row.body)
    except (ValueError, RecursionError) as error:
        raise Corrupt(
            f"{row.kind} '{row.id}'",
            where="table record",
            allowed="the text that was stored",
            got=str(error),
            do="restore the database from a copy",
        ) from error


def _entry(row: Row[Any]) -> LedgerEntry:
    """An entry whose parts have the types that were written: SQLite would store anything in any column."""
    words = (row.actor, row.kind, row.subject, row.previous, row.hash)
    try:
        if not isinstance(row.at_us, int) or not all(isinstance(word, str) for word in words):
            raise ValueError("a column holds a value of another type")
        at, body = from_us(row.at_us), from_text(row.body)
        for word in words:
            word.encode()
    except (ValueError, OverflowError, RecursionError) as error:
        raise Corrupt(
            f"ledger entry {row.seq}",
            where="table ledger",
            allowed="what was written when it was appended",
            got=str(error),
            do="find out who can write to the database; restore it from a copy",
        ) from error
    return LedgerEntry(row.seq, at, row.actor, row.kind, row.subject, body, row.previous, row.hash)
