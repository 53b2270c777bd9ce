"""What a kind of source gives: all its rows, and a look's part of them without reading the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from trimtab.kernel.source import Source


@dataclass(frozen=True)
class Narrowed:
    """The rows that a look needs, and perhaps others; the others may be left out."""

    rows: pl.LazyFrame  # all rows known in (after, until] or without a known time are among them
    earlier: int  # of the rows left out, how many were known by `after`


class Offer(Protocol):
    """What a source offers now."""

    @property
    def schema(self) -> pl.Schema:
        """The columns and their types."""

    @property
    def rows(self) -> pl.LazyFrame:
        """All of it; nothing is read yet."""

    def narrowed(self, known: str, after_us: int, until_us: int) -> Narrowed:
        """The part that a look needs, given the column with the known time; a kind that cannot narrow gives all."""


@dataclass(frozen=True)
class Whole:
    """An offer that is read as a whole, as far as the scan itself leaves nothing out."""

    rows: pl.LazyFrame

    @property
    def schema(self) -> pl.Schema:
        """As the scan tells them."""
        return self.rows.collect_schema()

    def narrowed(self, known: str, after_us: int, until_us: int) -> Narrowed:  # noqa: ARG002 - others need them
        """All of it."""
        return Narrowed(self.rows, 0)


@dataclass(frozen=True)
class Reader:
    """One kind of source.

    Args:
        allowed: what it reads, as an error lists it.
        takes: whether a source's `read=` is of this kind, given the project folder. At most one kind takes it.
        open: the source's offer; raises SourceUnreadable.
    """

    allowed: str
    takes: Callable[[object, Path], bool]
    open: Callable[[Source, Path], Offer]
