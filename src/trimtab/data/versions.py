"""Reading dataset versions: what a source held, as of any version."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from trimtab.kernel.dataset_version import DatasetVersion, dataset_version_from, version_id
from trimtab.kernel.errors import NotFound
from trimtab.ports.journal import JournalReader
from trimtab.ports.tables import TableReader

KIND = "dataset_version"
VERSION = "_version"  # the column of a row that says which dataset version brought it


class Versions:
    """Answers from the journal which files a version has, and reads exactly those."""

    def __init__(self, journal: JournalReader, tables: TableReader) -> None:
        self._journal = journal
        self._tables = tables
        self._known: dict[str, DatasetVersion] = {}  # versions are immutable: once read, they stay

    def current(self, source: str) -> int:
        """The newest version's number; 0 before the first."""
        pointer = self._journal.pointer(f"source/{source}")
        return 0 if pointer is None else int(pointer.value.rpartition("@")[2])

    def current_at(self, source: str, at: datetime) -> int:
        """The number of the version that was the newest at an instant; 0 before the first."""
        pointer = self._journal.pointer_at(f"source/{source}", at)
        return 0 if pointer is None else int(pointer.value.rpartition("@")[2])

    def all(self, source: str) -> list[DatasetVersion]:
        """All versions, oldest first."""
        return [self.version(source, number) for number in range(1, self.current(source) + 1)]

    def version(self, source: str, number: int) -> DatasetVersion:
        """One version.

        Raises:
            NotFound: no such version.
        """
        id = version_id(source, number)
        if id not in self._known:
            body = self._journal.record(KIND, id)
            if body is None:
                newest = self.current(source)
                raise NotFound("dataset version", id, allowed=f"{source}@1 to {source}@{newest}" if newest else "")
            self._known[id] = dataset_version_from(body)
        return self._known[id]

    def digest(self, source: str, number: int) -> str:
        """Of a version's content, and of that of all older ones."""
        return self.version(source, number).digest

    def known_until_us(self, source: str, number: int) -> int:
        """Until when a version knows, in microseconds since 1970 UTC."""
        return self.version(source, number).known_until_us

    def frame(self, source: str, upto: int | None = None, after: int = 0) -> pl.LazyFrame:
        """All rows that versions `after` + 1 to `upto` (default: the newest) brought, in the order of arrival.

        Raises:
            NotFound: the source has no version yet.
        """
        last = self.current(source) if upto is None else upto
        files = [name for number in range(after + 1, last + 1) for name, _ in self.version(source, number).files]
        return self._tables.scan(f"sources/{source}", files)

    def quarantined(self, source: str) -> pl.LazyFrame | None:
        """All rows that versions refused, with `_reason` and `_version`; None if there are none."""
        numbers = range(1, self.current(source) + 1)
        files = [name for number in numbers for name, _ in self.version(source, number).refused]
        return self._tables.scan(f"quarantine/{source}", files) if files else None
