"""Step results in SQL."""

from __future__ import annotations

from sqlalchemy import insert, select

from trimtab.adapters.canonical_text import from_text, to_text
from trimtab.adapters.database import Database
from trimtab.adapters.journal_schema import step_result
from trimtab.kernel.canonical import JsonMap


class SqlStepResults:
    """Implements `StepResults`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> JsonMap | None:
        """The result stored under a cache key."""
        with self._database.reading() as connection:
            text = connection.execute(select(step_result.c.result).where(step_result.c.key == key)).scalar()
        return None if text is None else from_text(text)

    def put(self, key: str, result: JsonMap) -> None:
        """Store a result; the first one stays if two processes finish the same step."""
        text = to_text(result)
        with self._database.writing() as connection:
            taken = connection.execute(select(step_result.c.key).where(step_result.c.key == key)).scalar()
            if taken is None:
                connection.execute(insert(step_result).values(key=key, result=text))
