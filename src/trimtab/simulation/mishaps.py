"""The flights' mishaps: what goes wrong on purpose in the demo's year, and when.

- In May an operator releases a version whose online push path writes Celsius for Fahrenheit, over the gates' heads.
- In July the weather feed renames a column, for two days.
- On the first of October, hours before a retraining, the arrivals feed "corrects" a week of labels into their
  opposite, and takes that back a day later.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from trimtab import loop
from trimtab.house.house import House
from trimtab.kernel.canonical import Json, short
from trimtab.kernel.errors import DeclarationInvalid
from trimtab.kernel.happening import Happening
from trimtab.kernel.moment import aware
from trimtab.project import load_system
from trimtab.wiring.house import open_house
from trimtab.wiring.stores import Stores

ZONE = ZoneInfo("America/New_York")
PUSHED_AT = datetime(2013, 5, 20, 12, tzinfo=ZONE)
PUSHED_BY, PUSHED_WHY = "user:operator", "the new weather push must be live before the holiday"
RENAMED = (datetime(2013, 7, 18, 12, tzinfo=ZONE), datetime(2013, 7, 20, 12, tzinfo=ZONE))
FLIPPED = (datetime(2013, 10, 1, 2, tzinfo=ZONE), datetime(2013, 10, 2, 2, tzinfo=ZONE))
FLIPPED_WEEK = timedelta(days=7)
FEEDS = ("weather", "arrivals")
LEAKY = "leaky.py"  # the project's file with a system that reads the label's table too early
_KEPT = "feeds"  # the folder of what upstream would deliver
_UPSTREAM = {  # name of the figures → source, what was done to it
    "schema_change": ("weather", "The weather feed renamed its column temp_f, without a word, for two days."),
    "poisoned_labels": ("arrivals", "The arrivals feed delivered a week of labels once more, each its opposite."),
}


class Mishaps:
    """Implements Story for the flights."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._folder = stores.project.folder / "data"

    def deliver(self, now: datetime) -> None:
        """Both feeds, as upstream has them at `now`."""
        _deliver(self._folder, "weather", "renamed" if RENAMED[0] <= now < RENAMED[1] else "right")
        _deliver(self._folder, "arrivals", "flipped" if FLIPPED[0] <= now < FLIPPED[1] else "right")

    def act(self, house: House, now: datetime) -> Iterator[Happening]:
        """The operator's release, once."""
        if now < PUSHED_AT or self._pushed(house):
            return
        project = self._stores.project
        other = replace(project, settings={**project.settings, "system": "pushed.py"})
        hurried = open_house(self._stores, project=other)
        run = loop.train(hurried, now, PUSHED_BY)
        digest = loop.release(hurried, run, now, PUSHED_BY, PUSHED_WHY)
        told = f"release {short(digest)} by {PUSHED_BY}, gates overridden: {PUSHED_WHY}"
        yield Happening("validation", told, "unsure")
        yield Happening("deployment", loop.deploy(hurried, digest, now, PUSHED_BY))

    def figures(self, house: House) -> dict[str, Json]:
        """What was done upstream, and how it was noticed: of feeds that were blocked and mended again."""
        found: dict[str, Json] = {}
        for name, (source, what) in _UPSTREAM.items():
            alarm = next((one for one in house.alarms.all() if one.subject == f"source {source}"), None)
            if alarm is not None and alarm.over is not None:
                found[name] = {
                    "what": what,
                    "told": alarm.text,
                    "reason": alarm.text,
                    "rows": _backfilled(house, source),
                    "repaired_after": f"{(alarm.over - alarm.at).total_seconds() / 3600:g} h",
                    "caught_by": f"the contract of {source}",
                }
        return found

    def _pushed(self, house: House) -> bool:
        """Whether it has been rolled out already, whatever became of it."""
        rolled_out = {one.release for one in house.act.rollouts(house.name)}
        return any(body.get("override") and digest in rolled_out for digest, body in house.releases.all(house.name))


def mend_feeds(project: Path) -> None:
    """Feeds as they are when nothing is wrong."""
    for feed in FEEDS:
        if (project / "data" / _KEPT).exists():
            _deliver(project / "data", feed, "right")


def _deliver(folder: Path, feed: str, kind: str) -> None:
    kept, live = folder / _KEPT / f"{feed}-{kind}.parquet", folder / f"{feed}.parquet"
    if not (folder / _KEPT / f"{feed}-right.parquet").exists():
        _make(folder, feed)
    if not kept.samefile(live):
        half = live.with_suffix(".half")
        half.unlink(missing_ok=True)
        os.link(kept, half)
        half.rename(live)


def _make(folder: Path, feed: str) -> None:
    """Both forms of a feed, the right one last: a killed process leaves nothing that looks whole."""
    kept = folder / _KEPT
    kept.mkdir(exist_ok=True)
    table = pl.read_parquet(folder / f"{feed}.parquet")
    match feed:
        case "weather":
            _write(table.rename({"temp_f": "temperature"}), kept / "weather-renamed.parquet")
        case "arrivals":
            _write(_flipped(table), kept / "arrivals-flipped.parquet")
    os.link(folder / f"{feed}.parquet", kept / f"{feed}-right.parquet")


def _backfilled(house: House, source: str) -> int:
    """Rows that came late because their source was blocked."""
    numbers = range(1, house.versions.current(source) + 1)
    return sum(house.versions.version(source, number).backfilled for number in numbers)


def _flipped(arrivals: pl.DataFrame) -> pl.DataFrame:
    """The last week once more, each label its opposite, known since the correction."""
    corrected = aware(FLIPPED[0])
    known = pl.col("arrived_at")
    week = arrivals.filter(known < corrected, known >= corrected - FLIPPED_WEEK)
    opposite = week.with_columns(~pl.col("late"), arrived_at=pl.lit(corrected, arrivals.schema["arrived_at"]))
    return pl.concat([arrivals, opposite]).sort("arrived_at", "flight_id", maintain_order=True)


def _write(table: pl.DataFrame, path: Path) -> None:
    half = path.with_suffix(".half")
    table.write_parquet(half, row_group_size=20_000)
    half.rename(path)


def refused_leak(project: Path) -> Happening:
    """What is said to a colleague's declaration with a leak in it."""
    leaky = load_system(project, LEAKY)
    try:
        leaky.check(project)
    except DeclarationInvalid as refused:
        [problem, *_] = refused.problems
        return Happening("features", f"system {leaky.name} is refused: {problem.what}; {problem.got}", "good")
    return Happening("features", f"system {leaky.name} holds a leak, and is not refused", "bad")
