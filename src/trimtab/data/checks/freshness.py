"""Freshness: the newest row must not have become known too long ago, whether rows come or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from trimtab.data.checks.check import Delivery, Finding, wrong_action
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.moment import duration, duration_text, duration_us, from_us
from trimtab.kernel.place import caller
from trimtab.kernel.source import Source


@dataclass(frozen=True)
class Freshness:
    """Judged at every look."""

    limit: str | timedelta
    action: str
    place: str = ""

    @property
    def name(self) -> str:
        """With its settings."""
        return f"freshness({self.limit})"

    def problems(self, source: Source, schemas: Mapping[str, pl.Schema]) -> Iterator[TrimtabError]:  # noqa: ARG002
        """What is wrong with its settings."""
        yield from wrong_action(self, self.place, ("warn", "block"))
        try:
            duration(self.limit, self.name)
        except TrimtabError as error:
            yield error.at(self.place)

    def find(self, delivery: Delivery) -> Finding | None:
        """The newest known time against the instant of the look."""
        limit = duration(self.limit, self.name)
        newest_us = delivery.newest_us()
        if newest_us is None:
            return Finding(f"{self.name}: nothing has ever come")
        if delivery.now_us - newest_us <= duration_us(limit):
            return None
        return Finding(
            f"{self.name}: the newest row became known {from_us(newest_us):%Y-%m-%d %H:%M} UTC, "
            f"more than {duration_text(limit)} ago"
        )


def freshness(limit: str | timedelta, *, action: str = "block") -> Freshness:
    """The newest row of a source may be so old.

    Args:
        limit: since it became known, e.g. "6h".
        action: "block" (older data serve, an alarm is raised) or "warn".
    """
    return Freshness(limit, action, caller())
