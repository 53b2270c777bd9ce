"""A look at a rollout: paired quality from monitoring, parity from features, what failed from the log."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from trimtab.deployment.rollout import Rollout
from trimtab.features.given import looked_up
from trimtab.features.parity import Mismatch
from trimtab.house.audience_rows import of_audience
from trimtab.house.house import House
from trimtab.house.mismatched import faults
from trimtab.house.parity import parity_of, served
from trimtab.kernel.canonical import short
from trimtab.kernel.comparison import Comparison, comparison_from
from trimtab.kernel.moment import aware, from_us, to_us
from trimtab.monitoring.paired import PairedDays, paired_days
from trimtab.monitoring.scores import by_models, score_of
from trimtab.stats.mixture_t import anytime_mean
from trimtab.stats.upper_mean import upper_mean

KIND = "look"


def looks(house: House, rollout: Rollout) -> list[Comparison]:
    """What was seen of a rollout so far, oldest first."""
    return [comparison_from(body) for _, body in house.reader.records(KIND, prefix=f"{rollout.id}/")]


def look(house: House, rollout: Rollout, now: datetime) -> Comparison:
    """Compare, and write it down; a look that is written down stays as it is."""
    id = f"{rollout.id}/{to_us(now):020d}"
    before = house.reader.record(KIND, id)
    if before is not None:
        return comparison_from(before)
    seen = compare(house, rollout, now)
    with house.journal.begin(at=now, actor="loop") as unit:
        unit.append("rollout.looked", house.name, seen.body())
        unit.put(KIND, id, seen.body())
    return seen


def compare(house: House, rollout: Rollout, now: datetime) -> Comparison:
    """What is known at `now`."""
    earlier = looks(house, rollout)
    since = from_us(rollout.began_us)
    asked = _asked(house, rollout, now)
    answers = asked.filter(pl.col("release") == rollout.release)
    seen_us = earlier[-1].at_us if earlier else rollout.began_us
    fresh = answers.filter(pl.col("at") > from_us(seen_us), looked_up())
    wrong = _wrong(house, rollout.release, fresh) if fresh.height else []
    days = _paired(house, rollout, asked, now)
    mean = anytime_mean(days.harm, confidence=rollout.confidence)
    return Comparison(
        rollout=rollout.id,
        at_us=to_us(now),
        days=mean.count,
        metric=rollout.metric,
        harm=mean.value,
        low=mean.low,
        high=mean.high,
        upper=upper_mean(days.harm, confidence=rollout.confidence),
        confidence=rollout.confidence,
        rows=days.rows,
        answers=answers.height,
        checked=(earlier[-1].checked if earlier else 0) + fresh.height,
        mismatched=len({one.id for one in wrong}),
        example=_told(wrong[0]) if wrong else "",
        unscored=asked.filter(pl.col("at") > since, pl.col("challenger").is_null()).height,
    )


def _wrong(house: House, digest: str, answers: pl.DataFrame) -> list[Mismatch]:
    """What the release is to blame for, of the values that its offline definition does not give."""
    return faults(house, house.releases.get(digest), answers, parity_of(house, digest, answers))


def _asked(house: House, rollout: Rollout, now: datetime) -> pl.DataFrame:
    """What was asked of the rollout's audience up to `now` while the challenger was to score.

    Later rows are for the next look to check.
    """
    started = house.reader.pointer_at(f"route/{house.name}", from_us(rollout.began_us))
    assert started is not None
    since = from_us(rollout.began_us)
    rows = served(house) if house.tables.exists("predictions") else None
    columns = ["id", "at", "request", "features", "release"]
    if rows is None:
        return pl.DataFrame(schema={**dict.fromkeys(columns, pl.String), "challenger": pl.Float64})
    asked = (
        by_models(rows)
        .filter(
            pl.col("date") >= since.date(),
            pl.col("at") >= since,
            pl.col("at") <= aware(now),
            # What was answered before all workers had the route was not to be scored.
            pl.col("generation") >= started.generation,
        )
        .select(*columns, challenger=score_of(rollout.release))
        .sort("at", "id")
        .collect()
    )
    return of_audience(asked, rollout.audience)


def _paired(house: House, rollout: Rollout, asked: pl.DataFrame, now: datetime) -> PairedDays:
    since, settled = from_us(rollout.began_us), from_us(to_us(now) - rollout.settle_us)
    rows = house.measure.labelled(house.name, house.system.label, now, since=since)
    if rows.is_empty():
        return PairedDays((), 0)
    if rollout.audience is not None:  # a challenger that is a shadow as well has scored rows out of it
        rows = rows.join(asked.select("id"), on="id", how="semi")
    scores = rows.select("at", "label", challenger=score_of(rollout.release), champion=score_of(rollout.replaces))
    return paired_days(scores, metric=rollout.metric, zone=rollout.zone, since=since, settled=settled)


def _told(one: Mismatch) -> str:
    return f"{one.feature} {one.served} instead of {one.offline} in answer {short(one.id)}"
