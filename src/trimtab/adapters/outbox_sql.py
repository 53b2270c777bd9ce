"""The outbox in SQL: messages committed together with the change that they follow from."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, select, update

from trimtab.adapters.canonical_text import from_text
from trimtab.adapters.database import Database
from trimtab.adapters.journal_schema import outbox
from trimtab.kernel.moment import from_us
from trimtab.ports.journal import Message


class SqlOutbox:
    """Implements `Outbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pending(self, topic: str) -> list[Message]:
        """Messages of a topic that are not done, oldest first."""
        query = select(outbox).where(outbox.c.topic == topic, outbox.c.done.is_(False)).order_by(outbox.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [Message(row.id, row.topic, from_text(row.body), from_us(row.sent_at_us)) for row in rows]

    def done(self, messages: Sequence[int]) -> None:
        """Mark messages as done; one that is done already stays so."""
        if not messages:
            return
        marked = update(outbox).where(outbox.c.id == bindparam("message")).values(done=True)
        with self._database.writing() as connection:
            connection.execute(marked, [{"message": message} for message in messages])
