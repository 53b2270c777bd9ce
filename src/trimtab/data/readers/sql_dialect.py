"""What databases do each in their own way."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import polars as pl
from sqlalchemy import URL, Connection

from trimtab.data.readers.sql_declared import Sql
from trimtab.kernel.source import Source


class Dialect(Protocol):
    """One kind of database."""

    name: str  # where it is, without its password
    hidden: tuple[str, ...]  # what no message may show
    relation: str  # what stands after FROM, in a snapshot

    def __init__(self, source: Source, declared: Sql, url: URL, project: Path) -> None: ...

    def snapshot(self) -> AbstractContextManager[Connection]:
        """A read-only transaction that sees the database as of one instant."""

    def schema(self, connection: Connection) -> pl.Schema:
        """The columns of the table or query, with their types.

        Raises:
            SourceUnreadable: a column's type is not known, or cannot be kept.
        """

    def narrowing(self, known: str, after_us: int, until_us: int) -> tuple[str, str]:
        """Two conditions: for the rows of a look and perhaps others; for those left out, known by `after`."""

    def frame(self, rows: Sequence[Any], schema: pl.Schema) -> pl.DataFrame:
        """The driver's rows in the types of these columns; raises SourceUnreadable or NaiveTime."""


def quoted(name: str) -> str:
    """A name as both databases write it."""
    return '"' + name.replace('"', '""') + '"'


def relation(declared: Sql) -> str:
    """What stands after FROM."""
    if declared.query:
        return f"(\n{declared.query}\n) AS _trimtab_query"
    return ".".join(quoted(part) for part in declared.table.split("."))
