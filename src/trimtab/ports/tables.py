"""Versioned tables: appended to exactly once, read by an explicit list of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from trimtab.kernel.canonical import JsonMap


@dataclass(frozen=True)
class Appended:
    """What one append wrote."""

    number: int  # the writer's own running number
    table_version: int  # the version of the table that this append made
    files: tuple[tuple[str, str], ...]  # (path relative to the table, SHA-256 of its bytes)
    note: JsonMap  # what the writer wanted to remember with the commit


class TableWriter(Protocol):
    """Appends. A writer is named; its appends are numbered 1, 2, 3, …"""

    def append(
        self,
        table: str,
        frame: pl.DataFrame,
        *,
        writer: str,
        number: int,
        note: JsonMap,
        partition_by: Sequence[str] = (),
        widen: bool = False,
    ) -> Appended:
        """Append once: if this writer's `number` is in the table already, nothing is written.

        Columns that the table lacks are added to it if `widen` says so; they are null in all earlier rows.
        """
        ...

    def last(self, table: str, writer: str) -> Appended | None:
        """A writer's newest append: how a crashed writer learns what it had finished."""
        ...


class TableReader(Protocol):
    """Reads."""

    def scan(self, table: str, files: Sequence[str] | None = None) -> pl.LazyFrame:
        """The named files, or everything in the newest version.

        Raises:
            NotFound: no such table.
        """
        ...

    def exists(self, table: str) -> bool:
        """Whether anything was ever appended."""
        ...

    def check(self, table: str, files: Sequence[tuple[str, str]]) -> None:
        """Hold files, given with their SHA-256, against what lies there.

        Raises:
            Corrupt: some are gone, or are not what they were; it names one of them.
        """
        ...
