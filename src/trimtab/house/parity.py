"""Parity: are the features of recorded answers those that the offline definitions give?"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from trimtab.features.given import looked_up
from trimtab.features.parity import Mismatch, Parity
from trimtab.features.reach import reaching
from trimtab.house.audience_rows import of_audience
from trimtab.house.house import House
from trimtab.house.log_kept import left_out_between
from trimtab.kernel.audience import Audience
from trimtab.kernel.moment import aware
from trimtab.kernel.prediction_id import BATCH_WORKER, segment_name
from trimtab.kernel.release import Release
from trimtab.monitoring.scores import answered, by_models


def served(house: House) -> pl.LazyFrame:
    """All compacted answers of the system."""
    return answered(house.tables.scan("predictions").filter(pl.col("system") == house.name))


def traffic(house: House, now: datetime, audience: Audience | None = None) -> int:
    """How many predictions were asked for in the day before `now`, those of batches left out.

    Args:
        house: with the facts.
        now: the end of the day.
        audience: count its rows only.
    """
    if not house.tables.exists("predictions"):
        return 0
    since = aware(now) - timedelta(days=1)
    asked = served(house).filter(
        pl.col("date") >= since.date(),
        pl.col("at") > since,
        pl.col("at") <= aware(now),
        ~pl.col("segment").str.starts_with(segment_name(BATCH_WORKER, 0)[:5]),
    )
    columns = ["id"] if audience is None else ["id", "request"]
    kept = asked.select(columns).collect()
    inside = of_audience(kept, audience).height
    # Of what the sample left out only the instants are known: its audience is taken to be the others'.
    left_out = left_out_between(house, since, aware(now))
    return inside + left_out * inside // max(kept.height, 1) if audience else inside + left_out


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
    """`parity_of` all answers of all releases, those of fallbacks left out: they may have looked up nothing."""
    found: list[Mismatch] = []
    by_releases = by_models(served(house))
    for digest in by_releases.select("release").unique().collect()["release"].sort().to_list():
        answers = by_releases.filter(pl.col("release") == digest)
        found += parity_of(house, digest, answers.select("id", "at", "request", "features").collect())
    return found
