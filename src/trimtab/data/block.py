"""Blocks: since when a source has been broken, and which look at it was the newest that found it so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trimtab.kernel.canonical import Json, digest
from trimtab.kernel.dataset_version import version_id
from trimtab.kernel.errors import ContractBreach, NaiveTime, SourceUnreadable, TrimtabError
from trimtab.kernel.moment import to_us
from trimtab.ports.journal import Journal, JournalReader, Unit

BROKEN = (ContractBreach, NaiveTime, SourceUnreadable)  # what is wrong with one source, and with no other
_CAUSE = "blocked"


@dataclass(frozen=True)
class Block:
    """What stands in the journal while a source is blocked."""

    since_us: int  # the first look that found it broken
    last_us: int  # the newest one

    @property
    def text(self) -> str:
        """As a pointer keeps it."""
        return f"{self.since_us} {self.last_us}"


class Blocks:
    """Writes blocks down, and lifts them."""

    def __init__(self, journal: Journal, reader: JournalReader) -> None:
        self._journal = journal
        self._reader = reader

    def of(self, source: str) -> Block | None:
        """The block of a source; None if nothing is wrong with it."""
        pointer = self._reader.pointer(_name(source))
        if pointer is None or not pointer.value:
            return None
        since_us, last_us = pointer.value.split()
        return Block(int(since_us), int(last_us))

    def set(self, source: str, next_version: int, error: TrimtabError, now: datetime) -> None:
        """Write down each cause once for a version, and the instant of every look."""
        cause = f"{version_id(source, next_version)}:{digest([error.what, error.got])}"
        told = self._reader.record(_CAUSE, cause) is not None
        old, now_us = self.of(source), to_us(now)
        if told and old is not None and now_us <= old.last_us:
            return
        block = Block(now_us, now_us) if old is None else Block(old.since_us, max(old.last_us, now_us))
        facts: dict[str, Json] = {"broken": broken(error)}
        with self._journal.begin(at=now, actor="loop") as unit:
            unit.append("source.still_blocked" if told else "source.blocked", source, facts)
            unit.put(_CAUSE, cause, facts)
            unit.point(_name(source), block.text)


def broken(error: TrimtabError) -> str:
    """What is wrong with a source, on one line."""
    return error.got if isinstance(error, ContractBreach) else f"{error.what}: {error.got}"


def lift(unit: Unit, source: str) -> None:
    """The version that is written with this unit is the first since the block."""
    unit.point(_name(source), "")


def _name(source: str) -> str:
    return f"blocked/{source}"
