"""Quarantine: rows that a contract refused, and those of them that somebody has let in after review.

A row's name is the version that refused it and its place there: '12.3'. A review is one transaction; the next look
at the source lets its rows in, known since then. Until it does, a killed process has lost nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

import polars as pl

from trimtab.data.contract import REASON
from trimtab.data.versions import VERSION, Versions
from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.errors import InvalidValue, NotFound, Refused, listed
from trimtab.kernel.moment import from_us, to_us
from trimtab.kernel.source import Source
from trimtab.ports.journal import Journal, JournalReader

KIND = "quarantine_release"
RELEASED = "quarantine.released"
ROW = "_row"  # the column with a row's name
_ROW = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True)
class Review:
    """Rows that somebody let in."""

    number: int  # 1, 2, 3, … of the source
    rows: tuple[str, ...]  # their names
    by: str
    why: str
    at_us: int


class Quarantine:
    """What is in it, and how rows leave it."""

    def __init__(self, journal: Journal, reader: JournalReader, versions: Versions) -> None:
        self._journal = journal
        self._reader = reader
        self._versions = versions

    def rows(self, source: str) -> pl.DataFrame | None:
        """All rows that were ever refused, with `_row`, `_reason` and `_version`; None if there are none."""
        refused = self._versions.quarantined(source)
        if refused is None:
            return None
        place = pl.int_range(1, pl.len() + 1).over(VERSION)
        return refused.with_columns(pl.format("{}.{}", VERSION, place).alias(ROW)).collect()

    def reviews(self, source: str, after: int = 0) -> list[Review]:
        """Reviews behind the first `after` ones, oldest first."""
        if self._count(source) <= after:
            return []
        return [_review(body) for _, body in self._reader.records(KIND, prefix=f"{source}/")][after:]

    def release(
        self, source: Source, rows: Sequence[str], reason: str, *, by: str, why: str, now: datetime
    ) -> tuple[str, ...]:
        """Let rows in: those that are named, and those whose reason contains a text. Their names, less older ones.

        Raises:
            InvalidValue: no rows are named, or no reason is given for it.
            NotFound: there is no such row in quarantine.
            Refused: the source cannot say when its rows became known, or a row does not fit its table.
        """
        if not why.strip():
            raise InvalidValue(
                "why", why, allowed="a sentence for the ledger", do="say why they are right after all"
            )
        held = self.rows(source.name)
        wanted = _wanted(source.name, held, rows, reason)
        done = {name for one in self.reviews(source.name) for name in one.rows}
        fresh = tuple(name for name in wanted if name not in done)
        if held is None or not fresh:
            return ()
        self._as_accepted(source, held.filter(pl.col(ROW).is_in(fresh)), to_us(now))
        number = self._count(source.name) + 1
        body: dict[str, Json] = {
            "number": number,
            "rows": _packed(fresh),
            "by": by,
            "why": why,
            "at_us": to_us(now),
        }
        with self._journal.begin(at=now, actor=by) as unit:
            facts: dict[str, Json] = {"review": number, "rows": len(fresh), "why": why}
            unit.append(RELEASED, source.name, facts)
            unit.put(KIND, f"{source.name}/{number:06d}", body)
            unit.point(_name(source.name), str(number))
        return fresh

    def due(self, source: Source, done: int, until_us: int) -> tuple[pl.DataFrame | None, int]:
        """Rows of reviews behind the first `done` ones, as the table takes them, and how many reviews that makes.

        They are known since `until_us`, the instant of the look that lets them in. Versions count reviews: one that
        stands behind a later instant, since the clock went back, waits for that.
        """
        waiting = list(takewhile(lambda one: one.at_us <= until_us, self.reviews(source.name, done)))
        held = self.rows(source.name) if waiting else None
        if held is None:
            return None, done
        names = [name for one in waiting for name in one.rows]
        return self._as_accepted(source, held.filter(pl.col(ROW).is_in(names)), until_us), waiting[-1].number

    def kept(self, source: str, done: int) -> pl.DataFrame | None:
        """Rows less those that the first `done` reviews let in, with `_reason` and `_version`."""
        held = self.rows(source)
        if held is None:
            return None
        out = [name for one in self.reviews(source)[:done] for name in one.rows] if done else []
        return held.filter(~pl.col(ROW).is_in(out)).drop(ROW)

    def _count(self, source: str) -> int:
        pointer = self._reader.pointer(_name(source))
        return 0 if pointer is None else int(pointer.value)

    def _as_accepted(self, source: Source, rows: pl.DataFrame, known_us: int) -> pl.DataFrame:
        if source.known == source.event_time:
            raise _refused(
                f"source '{source.name}' has no known_time of its own: a row that is let in now would count as "
                f"known since its {source.event_time}",
                "declare known_time=, so that the row can say when it came",
            )
        schema = self._versions.frame(source.name).drop(VERSION).collect_schema()
        missing = [name for name in schema if name not in rows.columns]
        if missing:
            raise _refused(
                f"the rows have no column {listed(missing)}", "mend the feed: a row comes again once it is new"
            )
        if rows[source.event_time].null_count():
            raise _refused(
                f"a row has no {source.event_time}, and can never be asked for",
                "leave it where it is, and mend the feed",
            )
        known = pl.lit(from_us(known_us)).cast(schema[source.known]).alias(source.known)
        try:
            return rows.select(schema.names()).with_columns(known).cast(schema)
        except pl.exceptions.PolarsError as error:
            raise _refused(
                str(error).splitlines()[0], "mend the feed: the value does not fit its column"
            ) from error


def _refused(because: str, do: str) -> Refused:
    return Refused("letting rows out of quarantine", because=because, do=do)


def _wanted(source: str, held: pl.DataFrame | None, rows: Sequence[str], reason: str) -> list[str]:
    if not rows and not reason:
        raise InvalidValue(
            "rows",
            "nothing",
            allowed="names of rows, or a part of their reason",
            do="say --rows NAMES, or --reason TEXT for all rows whose reason contains it",
        )
    names: list[str] = [] if held is None else held[ROW].to_list()
    for one in rows:
        if not _ROW.fullmatch(one):
            raise InvalidValue("row", one, allowed="the version that refused it and its place there, e.g. 12.3")
        if one not in names:
            raise NotFound("row in quarantine", f"{source} {one}", allowed=listed(names))
    told: list[str] = (
        []
        if held is None or not reason
        else held.filter(pl.col(REASON).str.contains(reason, literal=True))[ROW].to_list()
    )
    if reason and not told:
        known = [] if held is None else held[REASON].unique().to_list()
        raise NotFound("row in quarantine with the reason", reason, allowed=listed(known))
    wanted = {*rows, *told}
    return [name for name in names if name in wanted]


def _packed(names: Iterable[str]) -> dict[str, Json]:
    """By version, runs of places as [first, how many]: a review of a million rows stays a small record."""
    packed: dict[str, Any] = {}
    for name in names:
        version, _, place = name.partition(".")
        runs = packed.setdefault(version, [])
        if runs and runs[-1][0] + runs[-1][1] == int(place):
            runs[-1][1] += 1
        else:
            runs.append([int(place), 1])
    return packed


def _review(body: JsonMap) -> Review:
    packed: Any = body["rows"]
    rows = [
        f"{version}.{first + n}" for version, runs in packed.items() for first, count in runs for n in range(count)
    ]
    number: Any = body["number"]
    at_us: Any = body["at_us"]
    return Review(number, tuple(rows), str(body["by"]), str(body["why"]), at_us)


def _name(source: str) -> str:
    return f"released/{source}"
