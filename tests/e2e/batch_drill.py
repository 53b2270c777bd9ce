"""A batch scored as the command scores it, in this process or in one that is killed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from tests.e2e.tiny import world
from tests.e2e.tiny_life import START

from trimtab import loop
from trimtab.cli.session import session
from trimtab.house.batch import Asked, Batches, Done
from trimtab.ports.clock import Clock
from trimtab.serving.batch_part import BatchLog
from trimtab.wiring.serving import open_loader
from trimtab.wiring.stores import system_clock

STALE = START + timedelta(days=3, hours=1)  # the newest count of the staff is too old by then
LATER = START + timedelta(days=5)  # and so are all returns
SHOPS = (*world.SHOPS, "nowhere", None)


@dataclass(frozen=True)
class Fixed:
    """A clock that stands."""

    at: datetime

    def now(self) -> datetime:
        return self.at


def score(folder: Path, asked: Asked, now: datetime | None = None) -> Done:
    """Score a file."""
    clock: Clock = system_clock() if now is None else Fixed(now)
    with session(folder=folder) as open_:
        log = BatchLog(open_.stores.segments, tables=open_.stores.tables, journal=open_.stores.reader)
        batches = Batches(open_.house, log, open_loader(open_.stores), clock)
        return batches.score(asked, actor="user:test", progress=_told)


def scored(folder: Path, file: Path, out: Path) -> None:
    """Score a file, and say so."""
    done = score(folder, Asked(file, out))
    print(f"done: {done.scored} of {done.rows} rows now", flush=True)


def _told(stage: str, done: int, total: int) -> None:
    print(f"{stage} {done}/{total}", flush=True)


def questions(count: int, *, seed: int = 1) -> pl.DataFrame:
    """Orders of every shop, of one that nobody knows, and of none; some without a price; as of many instants."""
    chance = random.Random(seed)
    at = [START - timedelta(hours=30) + timedelta(minutes=chance.randrange(60 * 42)) for _ in range(count)]
    return pl.DataFrame(
        {
            "order_id": [f"b{seed}-{number:05d}" for number in range(count)],
            "shop": [SHOPS[number % len(SHOPS)] for number in range(count)],
            "price": [None if number % 7 == 0 else round(chance.gammavariate(2, 20), 2) for number in range(count)],
            "as_of": [
                LATER if number % 11 == 0 else STALE if number % 13 == 0 else at[number] for number in range(count)
            ],
        },
        schema={"order_id": pl.String, "shop": pl.String, "price": pl.Float64, "as_of": pl.Datetime("us", "UTC")},
    )


def compact(folder: Path) -> None:
    with session(folder=folder) as open_:
        list(loop.compact(open_.house, datetime.now(UTC)))
