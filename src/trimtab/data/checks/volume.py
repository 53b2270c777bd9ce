"""Volume: how many rows one look brings, against bounds or against what the source usually brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from trimtab.data.checks.check import Delivery, Finding, wrong_action
from trimtab.kernel.counted import counted
from trimtab.kernel.errors import InvalidValue, TrimtabError
from trimtab.kernel.place import caller
from trimtab.kernel.source import Source

_ENOUGH = 8  # versions that make a habit; the first one, which brings all history, is none of them


@dataclass(frozen=True)
class Volume:
    """Judged when rows come: that none come is a matter of freshness."""

    at_least: int | None
    at_most: int | None
    times: float
    action: str
    place: str = ""

    @property
    def name(self) -> str:
        """With its settings."""
        bounds = {"at_least": self.at_least, "at_most": self.at_most}
        given = [f"{name}={bound}" for name, bound in bounds.items() if bound is not None]
        return f"volume({', '.join(given) or f'times={self.times:g}'})"

    def problems(self, source: Source, schemas: Mapping[str, pl.Schema]) -> Iterator[TrimtabError]:  # noqa: ARG002
        """What is wrong with its settings."""
        yield from wrong_action(self, self.place, ("warn", "block"))
        if self.times < 1:
            yield InvalidValue(f"times of {self.name}", self.times, allowed="1 or more", where=self.place)
        low, high = self.at_least or 0, self.at_most
        if low < 0 or (high is not None and high < low):
            allowed = "0 ≤ at_least ≤ at_most"
            yield InvalidValue(
                f"bounds of {self.name}", (self.at_least, self.at_most), allowed=allowed, where=self.place
            )

    def find(self, delivery: Delivery) -> Finding | None:
        """The rows of this look against the bounds."""
        rows = delivery.rows.height
        if not rows:
            return None
        low, high, why = self.at_least, self.at_most, "allowed"
        if low is None and high is None:
            low, high, why = self._usual(delivery)
        if (low is None or rows >= low) and (high is None or rows <= high):
            return None
        bounds = [f"at least {low:,}" if low is not None else "", f"at most {high:,}" if high is not None else ""]
        return Finding(f"{self.name}: {counted(rows, 'row')} came, {' and '.join(filter(None, bounds))} are {why}")

    def _usual(self, delivery: Delivery) -> tuple[int | None, int | None, str]:
        """From what the newest versions brought; a look that was long in coming may bring more."""
        habit = [one for one in delivery.earlier if one.number > 1 and one.rows]
        if len(habit) < _ENOUGH:
            return None, None, ""
        rows = [one.rows for one in habit]
        longest_us = max(one.known_until_us - one.known_from_us for one in habit)
        longer = max(1.0, (delivery.now_us - delivery.since_us) / longest_us) if longest_us else 1.0
        low, high = int(min(rows) / self.times), int(max(rows) * self.times * longer)
        return low, high, f"usual (the last {len(habit)} brought {min(rows):,} to {max(rows):,})"


def volume(
    *, at_least: int | None = None, at_most: int | None = None, times: float = 3.0, action: str = "block"
) -> Volume:
    """How many rows a look may bring; without bounds, what the newest versions brought says it.

    Args:
        at_least: rows.
        at_most: rows.
        times: without bounds: so many times fewer or more than any of the newest versions.
        action: "block" or "warn".
    """
    return Volume(at_least, at_most, times, action, caller())
