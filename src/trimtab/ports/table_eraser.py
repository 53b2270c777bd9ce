"""Erasing: days of a table that are not to be kept leave it, and then the disk."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple, Protocol

from trimtab.kernel.canonical import JsonMap


class Owned(NamedTuple):
    """Rows of a table that belong together; no file has rows of two owners."""

    column: str
    value: str


class TableEraser(Protocol):
    """Works on tables that are partitioned by `date`."""

    def erase(self, table: str, *, owned: Owned, before: date, writer: str, number: int, note: JsonMap) -> None:
        """Take an owner's rows of earlier days out of the newest version, once, as `TableWriter.append` appends.

        There is something to take. The files stay until `sweep`, for whoever reads them now.
        """
        ...

    def sweep(self, table: str, *, owned: Owned, before: date) -> int:
        """Remove an owner's files of earlier days that the newest version does not name; how many bytes went.

        Nobody else may be writing the owner's rows: a file that is being written is in no version yet.
        """
        ...
