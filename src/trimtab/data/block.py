"""Blocks: since when a source has been broken, and which look at it was the newest that found it so.

A source is whole again at the first look that can take it, whether that makes a version or not. The newest broken
look stays written down until a version is made: rows that were due by then were not known before (decision 0006).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from trimtab.kernel.canonical import Json, digest
from trimtab.kernel.dataset_version import version_id
from trimtab.kernel.errors import ContractBreach, NaiveTime, SourceUnreadable, TrimtabError
from trimtab.kernel.moment import from_us, to_us
from trimtab.ports.journal import Journal, JournalReader, Unit

BROKEN = (ContractBreach, NaiveTime, SourceUnreadable)  # what is wrong with one source, and with no other
_CAUSE = "blocked"


@dataclass(frozen=True)
class Block:
    """What stands in the journal from the first broken look to the next version."""

    since_us: int  # the first look that found it broken
    last_us: int  # the newest one
    over: bool = False  # a look has found it whole since then

    @property
    def text(self) -> str:
        """As a pointer keeps it."""
        return f"{self.since_us} {self.last_us}{' over' if self.over else ''}"


class Blocks:
    """Writes blocks down, and lifts them."""

    def __init__(self, journal: Journal, reader: JournalReader) -> None:
        self._journal = journal
        self._reader = reader

    def of(self, source: str) -> Block | None:
        """The block of a source; None if nothing is wrong with it."""
        block = self.newest(source)
        return None if block is None or block.over else block

    def newest(self, source: str) -> Block | None:
        """The block since the source's newest version, even if it is over; None if there was none."""
        pointer = self._reader.pointer(_name(source))
        if pointer is None or not pointer.value:
            return None
        since_us, last_us, *over = pointer.value.split()
        return Block(int(since_us), int(last_us), bool(over))

    def set(self, source: str, next_version: int, error: TrimtabError, now: datetime) -> None:
        """Write down each cause once for a version, and the instant of every look."""
        cause = f"{version_id(source, next_version)}:{digest([error.what, error.got])}"
        old, now_us = self.newest(source), to_us(now)
        on = old is not None and not old.over
        told = on and self._reader.record(_CAUSE, cause) is not None
        last_us = now_us if old is None else max(old.last_us, now_us)
        if told and old is not None and now_us <= old.last_us:
            return
        block = Block(old.since_us if old is not None and on else now_us, last_us)
        facts: dict[str, Json] = {"broken": broken(error)}
        with self._journal.begin(at=now, actor="loop") as unit:
            unit.append("source.still_blocked" if told else "source.blocked", source, facts)
            unit.put(_CAUSE, cause, facts)
            unit.point(_name(source), block.text)

    def end(self, source: str, now: datetime) -> None:
        """Write down that a look has found the source whole, without a version that says so; once for a block."""
        block = self.of(source)
        if block is None:
            return
        facts: dict[str, Json] = {"blocked_since": from_us(block.since_us).isoformat()}
        with self._journal.begin(at=now, actor="loop") as unit:
            unit.append("source.whole", source, facts)
            unit.point(_name(source), replace(block, over=True).text)


def broken(error: TrimtabError) -> str:
    """What is wrong with a source, on one line."""
    return error.got if isinstance(error, ContractBreach) else f"{error.what}: {error.got}"


def lift(unit: Unit, source: str) -> None:
    """The version that is written with this unit is the first since the block."""
    unit.point(_name(source), "")


def _name(source: str) -> str:
    return f"blocked/{source}"
