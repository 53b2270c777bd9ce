"""Parity: are the features of recorded answers those that the offline definitions give?"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from trimtab.features.given import looked_up
from trimtab.features.parity import Mismatch, Parity
from trimtab.features.reach import reaching
from trimtab.house.house import House
from trimtab.kernel.moment import aware
from trimtab.kernel.prediction_id import BATCH_WORKER, segment_name
from trimtab.kernel.release import Release


def served(house: House) -> pl.LazyFrame:
    """All compacted predictions of the system."""
    return house.tables.scan("predictions").filter(pl.col("system") == house.name)


def traffic(house: House, now: datetime) -> int:
    """How many predictions were asked for in the day before `now`, those of batches left out."""
    if not house.tables.exists("predictions"):
        return 0
    since = aware(now) - timedelta(days=1)
    asked = served(house).filter(
        pl.col("date") >= since.date(),
        pl.col("at") > since,
        pl.col("at") <= aware(now),
        ~pl.col("segment").str.starts_with(segment_name(BATCH_WORKER, 0)[:5]),
    )
    return asked.select("id").collect().height


def offline_of(house: House, release: Release, since: datetime) -> Parity:
    """The offline definitions of a release, for its answers from an instant on."""
    features = house.code.system(release).feature_set
    names = [one.name for one in release.features]
    return Parity(features, names, release.request, reaching(features, house.versions.frame, since))


def parity_of(house: House, digest: str, answers: pl.DataFrame) -> list[Mismatch]:
    """Every feature value of one release's answers that its offline definition does not reproduce.

    Args:
        house: with the facts.
        digest: of the release.
        answers: `id`, `at`, `request`, `features` of answers that it gave; those whose features the request has
            brought are left out.
    """
    answers = answers.filter(looked_up())
    since = answers["at"].min()
    if since is None:
        return []
    assert isinstance(since, datetime)
    return offline_of(house, house.releases.get(digest), since).mismatches(answers)


def parity(house: House) -> list[Mismatch]:
    """`parity_of` all answers of all releases."""
    found: list[Mismatch] = []
    for digest in served(house).select("release").unique().collect()["release"].sort().to_list():
        answers = served(house).filter(pl.col("release") == digest)
        found += parity_of(house, digest, answers.select("id", "at", "request", "features").collect())
    return found
