"""Recount: the chronicle of a system, from what its stores hold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trimtab.deployment.rollout import Rollout as Begun
from trimtab.house.chronicle import Alarm, Chronicle, Decision, Measured, Month, Rollout, RolloutDay, RolloutEnd
from trimtab.house.comparing import looks
from trimtab.house.decisions import told
from trimtab.house.house import House
from trimtab.house.parity import served
from trimtab.house.training_run import KIND as RUN
from trimtab.kernel.canonical import JsonMap
from trimtab.kernel.comparison import Comparison
from trimtab.kernel.evidence import Evidence
from trimtab.kernel.feature_schema import Feature, feature_from
from trimtab.kernel.ledger_entry import LedgerEntry
from trimtab.kernel.moment import aware, from_us
from trimtab.kernel.route import BUCKETS
from trimtab.monitoring.scores import ANSWERED, score_of
from trimtab.registry.releases import ROUTE_MOVED
from trimtab.stats.block_bootstrap import block_bootstrap
from trimtab.stats.log_loss import log_loss_rows
from trimtab.stats.psi import psi
from trimtab.training.pipeline import KEY
from trimtab.training.training_data import encode

_ENDS: dict[str, RolloutEnd] = {"rollout.promoted": "promoted", "rollout.rolled_back": "rolled back"}


def recount(house: House, now: datetime, zone: str) -> Chronicle:
    """The chronicle up to `now`, in the calendar of `zone`."""
    moves = list(house.reader.entries(kind=ROUTE_MOVED, subject=house.name))
    return Chronicle(
        system=house.name,
        zone=zone,
        began=moves[0].at if moves else now,
        until=now,
        months=tuple(_months(house, now, zone)),
        rollouts=tuple(_rollouts(house)),
        alarms=tuple(Alarm(one.at, one.subject, one.text, one.over) for one in house.alarms.all()),
        decisions=tuple(_decisions(house)),
    )


def _decisions(house: House) -> Iterator[Decision]:
    before = ""
    for entry in house.reader.entries():
        # A rollout's step says itself what the move behind it does.
        stepped = entry.kind == ROUTE_MOVED and before.startswith("rollout.")
        happening = None if stepped else told(entry)
        if happening is not None:
            yield Decision(entry.at, entry.actor, entry.seq, happening)
        before = entry.kind


def _rollouts(house: House) -> Iterator[Rollout]:
    steps = [entry for kind in ("rollout.advanced", *_ENDS) for entry in house.reader.entries(kind=kind)]
    for begun in house.act.rollouts(house.name):
        own = sorted((one for one in steps if one.body["rollout"] == begun.id), key=lambda one: one.seq)
        last = own[-1] if own and own[-1].kind in _ENDS else None
        seen = looks(house, begun)
        yield Rollout(
            release=begun.release,
            replaces=begun.replaces,
            began=from_us(begun.began_us),
            ended=None if last is None else last.at,
            end="running" if last is None else _ENDS[last.kind],
            because="" if last is None else str(last.body["because"]),
            days=tuple(_days(begun, seen, own)),
            answers=seen[-1].answers if seen else 0,
            metric=begun.metric,
            margin=begun.margin,
            segment="" if begun.audience is None else begun.audience.words,
        )


def _days(begun: Begun, seen: list[Comparison], steps: list[LedgerEntry]) -> Iterator[RolloutDay]:
    share = begun.steps[0] / BUCKETS
    yield RolloutDay(from_us(begun.began_us), share, None)
    for one in seen:
        harm = Measured(one.harm, one.low, one.high) if one.days else None
        yield RolloutDay(from_us(one.at_us), share, harm)
        for step in steps:
            if step.at == from_us(one.at_us) and step.kind == "rollout.advanced":
                share = min((buckets for buckets in begun.steps if buckets / BUCKETS > share), default=0) / BUCKETS


def _months(house: House, now: datetime, zone: str) -> Iterator[Month]:
    known = sorted(house.measure.evidence(house.name), key=lambda one: one.since_us)
    first = next(iter(house.releases.been_in_production(house.name)), "")
    if not known:
        return
    rows = _featured(house, now)
    reference = rows.filter(pl.col("release").is_null())
    features = house.releases.get(first).features
    before = encode(reference, features)
    refits = _refits(house, zone)
    counts = _counts(house, zone)
    for since_us, month in groupby(known, key=lambda one: one.since_us):
        evidence = list(month)
        name = f"{from_us(since_us).astimezone(ZoneInfo(zone)):%Y-%m}"
        part = rows.filter(pl.col("release").is_not_null(), _named(zone) == name)
        after = encode(part, features)
        gaps = _gaps(house, refits.get(name), part)
        yield Month(
            month=name,
            predictions=counts.get(name, 0),
            labels=part.height,
            managed_auc=_measured(evidence, "roc_auc", ANSWERED, first),
            frozen_auc=_measured(evidence, "roc_auc", first, first),
            managed_log_loss=_measured(evidence, "log_loss", ANSWERED, first),
            frozen_log_loss=_measured(evidence, "log_loss", first, first),
            managed_loss=None if gaps is None else gaps[0],
            frozen_loss=None if gaps is None else gaps[1],
            drift={
                one.name: psi(before[:, place], after[:, place], categorical=one.categories is not None)
                for place, one in enumerate(features)
            },
        )


def _measured(evidence: list[Evidence], metric: str, release: str, first: str) -> Measured:
    """Of the release; of what answered the whole month, where one release did."""
    ours = {one.release: one for one in evidence if one.metric == metric}
    managed = next((one for name, one in ours.items() if name not in (first, ANSWERED)), None)
    found = ours.get(release) or (managed if release == ANSWERED else None) or ours.get(first)
    if found is None:
        return Measured(float("nan"), float("-inf"), float("inf"))
    return Measured(found.value, found.low, found.high)


def _featured(house: House, now: datetime) -> pl.DataFrame:
    """Questions whose truth is known at `now`, with their features; those served with their release and scores."""
    rows = house.workshop().labelled(aware(now))
    served_ = house.measure.labelled(house.name, house.system.label, now)
    first = house.releases.been_in_production(house.name)[0]
    scores = served_.select("key", "release", managed="score", frozen=score_of(first))
    return rows.join(scores, left_on=KEY, right_on="key", how="left", maintain_order="left")


def _counts(house: House, zone: str) -> dict[str, int]:
    months = served(house).select(_named(zone, "at").alias("month")).group_by("month").len().collect()
    return dict(months.iter_rows())


def _named(zone: str, at: str = "_at") -> pl.Expr:
    return pl.col(at).dt.convert_time_zone(zone).dt.strftime("%Y-%m")


def _refits(house: House, zone: str) -> dict[str, JsonMap]:
    """The run that was trained in each month, by the loop."""
    found = {}
    for entry in house.reader.entries(kind="run.finished"):
        if entry.actor == "loop":
            run = house.reader.record(RUN, entry.subject)
            assert run is not None
            found[f"{entry.at.astimezone(ZoneInfo(zone)):%Y-%m}"] = run
    return found


def _gaps(house: House, run: JsonMap | None, rows: pl.DataFrame) -> tuple[Measured, Measured] | None:
    """Managed and frozen: the paired gap in log-loss to the month's refit, on rows asked after it was trained."""
    if run is None:
        return None
    result = cast("dict[str, Any]", run["result"])
    until_us = cast("dict[str, int]", run["spec"])["until_us"]
    asked = rows.filter(pl.col("_at").dt.epoch("us") > until_us, pl.col("frozen").is_not_null())
    if asked.is_empty():
        return None
    features: tuple[Feature, ...] = tuple(feature_from(one) for one in result["features"])
    label = asked["_label"].cast(pl.Float64).to_numpy()
    refit = house.workshop().predict(house.blobs.get(str(result["model"])), encode(asked, features))
    day = asked["_at"].dt.date().cast(pl.Int64).to_numpy()
    theirs = log_loss_rows(label, refit)

    def gap(name: str) -> Measured:
        harm = log_loss_rows(label, asked[name].to_numpy()) - theirs
        found = block_bootstrap(_mean, (harm,), day, weighted=_mean_weighted)
        return Measured(found.value, found.low, found.high)

    return gap("managed"), gap("frozen")


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean())


def _mean_weighted(values: NDArray[np.float64]) -> Any:
    return lambda weight: float(weight @ values / weight.sum())
