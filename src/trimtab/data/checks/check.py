"""A check of a delivery: what it is asked, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import polars as pl

from trimtab.data.history import Seen
from trimtab.data.profile import Column
from trimtab.kernel.dataset_version import DatasetVersion
from trimtab.kernel.errors import InvalidValue, TrimtabError
from trimtab.kernel.source import Source


@dataclass(frozen=True)
class Delivery:
    """What one look at a source brings, held to its contract, and what came before."""

    source: Source
    rows: pl.DataFrame
    since_us: int  # the look before
    now_us: int
    earlier: Sequence[DatasetVersion]  # the newest versions, oldest first
    newest_us: Callable[[], int | None]  # the newest known time of all rows; None if nothing ever came
    past: Mapping[str, Seen]  # what the columns held so far
    columns: Mapping[str, Column]  # profiles of the delivery's columns
    held_by: Callable[[str], pl.LazyFrame | None]  # the rows of another source, by its name; None before its first


@dataclass(frozen=True)
class Finding:
    """What is wrong."""

    text: str
    rows: pl.Series | None = None  # of the delivery, True for those that are wrong; None: not a matter of rows


@runtime_checkable
class Check(Protocol):
    """What every check has."""

    @property
    def name(self) -> str:
        """With its settings, as reasons, versions and the ledger name it."""
        ...

    @property
    def action(self) -> str:
        """What becomes of what it finds: warn, quarantine or block."""
        ...

    def problems(self, source: Source, schemas: Mapping[str, pl.Schema]) -> Iterator[TrimtabError]:
        """What is wrong with its settings."""
        ...

    def find(self, delivery: Delivery) -> Finding | None:
        """Look at a delivery; None if all is well."""
        ...


def wrong_action(check: Check, place: str, allowed: Sequence[str]) -> Iterator[TrimtabError]:
    """An action that the check cannot take."""
    if check.action not in allowed:
        yield InvalidValue(f"action of {check.name}", check.action, allowed=", ".join(allowed), where=place)
