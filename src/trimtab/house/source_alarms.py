"""Alarms of sources: one that is broken, and what its checks warn of; each told once, until it is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from trimtab.data.block import broken
from trimtab.house.house import House
from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.happening import Happening
from trimtab.kernel.source import Source


def blocked(house: House, source: Source, error: TrimtabError, now: datetime) -> Iterator[Happening]:
    """The next version of a source is blocked."""
    house.ingest.block(source, error, now)
    if house.alarms.raise_(_subject(source), broken(error), now):
        yield Happening("data", f"{_subject(source)} is blocked: {broken(error)}; older data serve", "bad")


def whole(house: House, source: Source, now: datetime) -> Iterator[Happening]:
    """A source could be taken; its checks may have warned."""
    if house.ingest.blocked(source) is None and house.alarms.end(_subject(source), now):
        yield Happening("data", f"{_subject(source)} is whole again", "good")
    subject, warnings = f"{_subject(source)}, checks that warn", house.ingest.warnings(source)
    if not warnings:
        house.alarms.end(subject, now)
    elif house.alarms.raise_(subject, "; ".join(warnings), now):
        yield from (Happening("data", f"{subject}: {one}", "unsure") for one in warnings)


def _subject(source: Source) -> str:
    return f"source {source.name}"
