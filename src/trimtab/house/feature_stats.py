"""Features in numbers: in the training set of a release, and in the answers that it gave lately."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
import polars as pl

from trimtab.house.house import House
from trimtab.house.parity import served
from trimtab.house.training_run import run_record
from trimtab.kernel.errors import NotFound
from trimtab.kernel.feature_schema import Feature
from trimtab.kernel.release import Release
from trimtab.monitoring.measure import PREDICTIONS
from trimtab.monitoring.scores import by_models
from trimtab.stats.psi import psi
from trimtab.training.training_data import encode

MOST = 100_000  # answers that are looked at: of more, every second, third … one
MOVED, FAR = 0.1, 0.25  # of the index. Siddiqi (2006): below, a distribution stands; above both, it is another one
_TOP = 3


@dataclass(frozen=True)
class Numbers:
    """A column in numbers: of numbers and booleans the moments, of categories the most frequent ones."""

    rows: int
    missing: float  # share
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    p50: float | None = None
    max: float | None = None
    top: tuple[tuple[str, float], ...] = ()  # (category, share of the rows)
    categories: int = 0


@dataclass(frozen=True)
class FeatureStats:
    """One feature, before and now."""

    name: str
    training: Numbers
    served: Numbers | None  # None without answers
    psi: float | None


@dataclass(frozen=True)
class Age:
    """How old the facts were that a view answered from."""

    view: str
    median_us: int | None
    oldest_us: int | None
    without: float  # share of answers for which there was no fact, or none that was young enough


@dataclass(frozen=True)
class Stats:
    """Features of a release."""

    release: str
    trained_rows: int
    since: datetime | None  # of the answers that were looked at; None without any
    until: datetime | None
    answers: int  # in that time
    looked_at: int
    features: tuple[FeatureStats, ...]
    ages: tuple[Age, ...]  # of stored views


def feature_stats(house: House, digest: str, view: str, column: str, last: timedelta) -> Stats:
    """What a view's features were when a release was trained, and in its answers.

    Args:
        house: with the facts.
        digest: of the release.
        view: of that release; "" for all of them.
        column: one of its features; "" for all of them.
        last: how long before the release's newest answer.

    Raises:
        NotFound: the release has no such feature.
    """
    release = house.releases.get(digest)
    wanted = tuple(one for one in release.features if _is_of(one, view, column))
    if not wanted:
        name = f"{view}.{column}" if column else view
        do = "name a feature that the release was trained with, or another one with --release"
        raise NotFound(f"feature of release {digest[:12]}", name, do=do)
    trained = _training_set(house, digest)
    answers, count = _answers(house, digest, last)
    now = _columns(answers, release, wanted, trained)
    return Stats(
        release=digest,
        trained_rows=trained.height,
        since=cast("datetime | None", answers["at"].min()),
        until=cast("datetime | None", answers["at"].max()),
        answers=count,
        looked_at=answers.height,
        features=tuple(_compared(one, trained, now) for one in wanted),
        ages=tuple(_ages(house, release, answers, view)),
    )


def _is_of(one: Feature, view: str, column: str) -> bool:
    return one.name == f"{view}.{column}" if column else view in ("", one.name.partition(".")[0])


def _training_set(house: House, digest: str) -> pl.DataFrame:
    run = run_record(house, str(house.releases.facts(house.name, digest)["run"]))
    result = cast("dict[str, Any]", run["result"])
    return pl.read_ipc(io.BytesIO(house.blobs.get(str(result["training_set"]))))


def _answers(house: House, digest: str, last: timedelta) -> tuple[pl.DataFrame, int]:
    """`at`, `features`, `ages_us` by time, at most `MOST`; and how many there are."""
    empty = pl.DataFrame(
        schema={"at": pl.Datetime("us", "UTC"), "features": pl.String, "ages_us": pl.List(pl.Int64)}
    )
    if not house.tables.exists(PREDICTIONS):
        return empty, 0
    own = by_models(served(house)).filter(pl.col("release") == digest)
    newest = own.select(pl.col("at").max()).collect().item()
    if newest is None:
        return empty, 0
    since = newest - last
    found = (
        own.filter(pl.col("date") >= since.date(), pl.col("at") > since).select(empty.columns).sort("at").collect()
    )
    return found.gather_every(-(-found.height // MOST)), found.height


def _columns(
    answers: pl.DataFrame, release: Release, wanted: Sequence[Feature], trained: pl.DataFrame
) -> pl.DataFrame:
    """The features that were answered from, of the types that they were trained with."""
    places = {one.name: place for place, one in enumerate(release.features)}
    rows = [msgspec.json.decode(text) for text in answers["features"]]
    return pl.DataFrame(
        [
            pl.Series(one.name, [row[places[one.name]] for row in rows], trained.schema[one.name], strict=False)
            for one in wanted
        ]
    )


def _compared(one: Feature, trained: pl.DataFrame, now: pl.DataFrame) -> FeatureStats:
    moved = None
    if now.height:
        before, after = (encode(rows, (one,))[:, 0] for rows in (trained, now))
        moved = psi(before, after, categorical=one.categories is not None)
    return FeatureStats(one.name, numbers(trained[one.name]), numbers(now[one.name]) if now.height else None, moved)


def numbers(column: pl.Series) -> Numbers:
    """A column in numbers; what is not finite is missing, as it is for the model."""
    rows = column.len()
    if column.dtype == pl.String:
        known = column.drop_nulls()
        counts = known.value_counts(sort=True, name="n").sort("n", column.name, descending=[True, False])
        top = tuple((str(name), n / rows) for name, n in counts.head(_TOP).iter_rows())
        return Numbers(rows, 1 - known.len() / rows if rows else 0.0, top=top, categories=counts.height)
    values = column.cast(pl.Float64)
    values = values.filter(values.is_finite())
    missing = 1 - values.len() / rows if rows else 0.0
    told = (values.mean(), values.std(), values.min(), values.median(), values.max())
    mean, std, least, p50, most = (cast("float | None", one) for one in told)
    return Numbers(rows, missing, mean, std, least, p50, most)


def _ages(house: House, release: Release, answers: pl.DataFrame, view: str) -> list[Age]:
    if answers.is_empty():
        return []
    stored = [one.name for one in house.code.system(release).feature_set.stored]
    told = []
    # Of an answer whose features came with its request no view was looked up.
    every = answers["ages_us"].filter(answers["ages_us"].list.len() > 0)
    if every.is_empty():
        return []
    for place, name in enumerate(stored):
        if view in ("", name):
            ages = every.list.get(place)
            median, oldest = cast("float | None", ages.median()), cast("int | None", ages.max())
            middle = None if median is None else int(median)
            told.append(Age(name, middle, oldest, ages.null_count() / ages.len()))
    return told
