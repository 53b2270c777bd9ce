"""Verifying: logged answers recomputed by the release that gave them, each value that differs with its cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from trimtab.features.given import looked_up
from trimtab.features.parity import Mismatch
from trimtab.house.house import House
from trimtab.house.mismatched import Causes, Explained, Progress
from trimtab.house.parity import offline_of, served
from trimtab.kernel.moment import aware
from trimtab.monitoring.scores import by_models

SEED = 7  # of samples
_PART_ROWS = 20_000  # answers that are recomputed at a time
_READ = ("id", "at", "request", "features")


@dataclass(frozen=True)
class Asked:
    """Which answers are looked at; all of them if nothing is said."""

    since: datetime | None = None
    until: datetime | None = None  # inclusive
    last: timedelta | None = None  # before the newest answer that there is
    release: str = ""  # digest
    sample: int = 0  # at most so many, chosen by SEED


@dataclass(frozen=True)
class Verified:
    """What was compared, and what differs."""

    answers: int
    values: int
    of: int  # answers that were asked about, before a sample was taken
    releases: tuple[str, ...]
    first_at: datetime | None
    last_at: datetime | None
    found: tuple[Explained, ...]


def verify(house: House, asked: Asked, progress: Progress) -> Verified:
    """Recompute the answers that are asked about, and find why those differ that do."""
    chosen, of = _chosen(house, asked)
    causes, found = Causes(house), list[Explained]()
    values = done = 0
    for digest, ids in _by_release(chosen):
        release = house.releases.get(digest)
        offline = offline_of(house, release, ids["at"][0])
        wrong: list[Mismatch] = []
        rows: list[pl.DataFrame] = []
        for part in _parts(house, digest, ids):
            differing = offline.mismatches(part)
            if differing:
                wrong += differing
                rows.append(part.filter(pl.col("id").is_in([one.id for one in differing])))
            done += part.height
            values += part.height * len(release.features)
            progress("answers", done, chosen.height)
        if wrong:
            found += causes(release, pl.concat(rows), wrong, progress)
    return Verified(
        answers=chosen.height,
        values=values,
        of=of,
        releases=tuple(chosen["release"].unique(maintain_order=True)),
        first_at=chosen["at"][0] if chosen.height else None,
        last_at=chosen["at"][-1] if chosen.height else None,
        found=tuple(sorted(found, key=lambda one: (one.at, one.id))),
    )


def _chosen(house: House, asked: Asked) -> tuple[pl.DataFrame, int]:
    """`id`, `at`, `release` by time, and how many there were before a sample was taken."""
    if not house.tables.exists("predictions"):
        return pl.DataFrame(schema={"id": pl.String(), "at": pl.Datetime("us", "UTC"), "release": pl.String()}), 0
    rows = by_models(served(house)).filter(looked_up()).select("id", "at", "release", "date")
    if asked.release:
        rows = rows.filter(pl.col("release") == asked.release)
    if asked.since is not None:
        rows = rows.filter(pl.col("date") >= aware(asked.since).date(), pl.col("at") >= aware(asked.since))
    if asked.until is not None:
        rows = rows.filter(pl.col("date") <= aware(asked.until).date(), pl.col("at") <= aware(asked.until))
    found = rows.select("id", "at", "release").sort("at", "id").collect()
    if asked.last is not None and found.height:
        found = found.filter(pl.col("at") > found["at"][-1] - asked.last)
    if asked.sample and found.height > asked.sample:
        return found.sample(asked.sample, seed=SEED).sort("at", "id"), found.height
    return found, found.height


def _by_release(chosen: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    for digest in chosen["release"].unique(maintain_order=True):
        yield digest, chosen.filter(pl.col("release") == digest)


def _parts(house: House, digest: str, ids: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows of one release's answers, some whole days at a time."""
    rows = served(house).filter(pl.col("release") == digest)
    for days in _days(ids["at"].dt.date()):
        part = rows.filter(pl.col("date") >= days[0], pl.col("date") <= days[-1]).select(_READ).collect()
        part = part.filter(pl.col("id").is_in(ids["id"].implode())).sort("at", "id")
        yield from part.iter_slices(_PART_ROWS)


def _days(of: pl.Series) -> Iterator[Sequence[date]]:
    """Days with answers, in order, so many at a time as make a part."""
    days, rows = list[date](), 0
    for day, count in of.value_counts().sort(of.name).iter_rows():
        days, rows = [*days, day], rows + count
        if rows >= _PART_ROWS:
            yield days
            days, rows = [], 0
    if days:
        yield days
