"""Step results in SQL."""

from __future__ import annotations

from sqlalchemy import bindparam, select, text

from trimtab.adapters.canonical_text import from_text, to_text
from trimtab.adapters.database import Database
from trimtab.adapters.journal_schema import step_result
from trimtab.kernel.canonical import JsonMap

# Built once: building a statement takes as long as SQLite takes to answer it.
_GET = select(step_result.c.result).where(step_result.c.key == bindparam("key"))
_PUT = text("INSERT INTO step_result (key, result) VALUES (:key, :result) ON CONFLICT (key) DO NOTHING")


class SqlStepResults:
    """Implements `StepResults`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> JsonMap | None:
        """The result stored under a cache key."""
        with self._database.reading() as connection:
            found = connection.execute(_GET, {"key": key}).scalar()
        return None if found is None else from_text(found)

    def put(self, key: str, result: JsonMap) -> JsonMap:
        """Store a result; the first one stays if two processes finish the same step. Returns the one that stays."""
        written = to_text(result)
        with self._database.writing() as connection:
            if connection.execute(_PUT, {"key": key, "result": written}).rowcount:
                return from_text(written)
            return from_text(connection.execute(_GET, {"key": key}).scalar_one())
