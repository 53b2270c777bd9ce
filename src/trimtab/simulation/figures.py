"""The figures of a lived period: computed from what the stores hold, never carried along."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from statistics import fmean
from zoneinfo import ZoneInfo

import polars as pl

from trimtab.governance.audit import verify
from trimtab.house.comparing import looks
from trimtab.house.house import House
from trimtab.house.log_kept import log_kept
from trimtab.house.parity import parity, served
from trimtab.kernel.canonical import Json
from trimtab.kernel.evidence import Evidence
from trimtab.kernel.moment import from_us
from trimtab.monitoring.scores import ANSWERED

_REFUSALS = ("release.refused", "deployment.refused", "training.refused")


def figures(house: House, now: datetime, zone: str) -> dict[str, Json]:
    """What `trimtab demo --json` writes, but for the leak and the wall time."""
    first = house.releases.been_in_production(house.name)[0]
    evidence = [one for one in house.measure.evidence(house.name) if one.metric == "roc_auc"]
    frozen = {_month(one, zone): one for one in evidence if one.release == first}
    # Of a month in which one release answered everything, that release's evidence is what users got.
    managed = {_month(one, zone): one for one in evidence if one.release not in (first, ANSWERED)}
    managed = {**frozen, **managed, **{_month(one, zone): one for one in evidence if one.release == ANSWERED}}
    audit = verify(house.reader, house.heads())
    predictions = served(house).select("key").collect()
    kinds = Counter(entry.kind for entry in house.reader.entries())
    wrong = parity(house)
    return {
        "frozen_auc_by_month": _values(frozen),
        "frozen_auc_interval_by_month": _intervals(frozen),
        "frozen_auc_mean": _mean(frozen),
        "managed_auc_by_month": _values(managed),
        "managed_auc_interval_by_month": _intervals(managed),
        "managed_auc_mean": _mean(managed),
        "predictions": predictions.height,
        "predictions_answered": log_kept(house).answered,
        "predictions_distinct": predictions["key"].n_unique(),
        "labels_joined": house.measure.labelled(house.name, house.system.label, now).height,
        "retrains": kinds["run.finished"] - 1,
        "promotions": len(house.releases.been_in_production(house.name)) - 1,  # the first replaced nothing
        "refusals": sum(kinds[kind] for kind in _REFUSALS),
        "rollbacks": kinds["rollout.rolled_back"],
        "bad_release": _bad_release(house),
        "quarantined_rows": _quarantined(house),
        "online_offline_mismatches": len({one.id for one in wrong}),
        "mismatches_of_healthy_releases": len({one.id for one in wrong} - _overridden(house)),
        "alarms": len(house.alarms.all()),
        "ledger_entries": audit.entries,
        "ledger_verified": audit.ok,
    }


def _bad_release(house: House) -> dict[str, Json] | None:
    """The release that was rolled out over its gates' heads: what it answered until it was caught; None if none."""
    overridden = {digest for digest, body in house.releases.all(house.name) if body.get("override")}
    for rollout in house.act.rollouts(house.name):
        if rollout.release not in overridden:
            continue
        last = looks(house, rollout)[-1:]
        ended = next(
            (one for one in house.reader.entries(kind="rollout.rolled_back") if one.body["rollout"] == rollout.id),
            None,
        )
        if not last or ended is None:
            return None
        began, until = from_us(rollout.began_us), ended.at
        live = (
            served(house).filter(pl.col("at") > began, pl.col("at") <= until).select("release").collect()["release"]
        )
        exposed = live.to_list().count(rollout.release)
        return {
            "release": rollout.release,
            "exposed": exposed,
            "share": exposed / len(live),
            "caught_after": f"{(until - began).total_seconds() / 3600:g} h",
            "reason": str(ended.body["because"]),
        }
    return None


def _overridden(house: House) -> set[str]:
    """Ids of answers that releases gave which went over their gates' heads."""
    digests = [digest for digest, body in house.releases.all(house.name) if body.get("override")]
    rows = served(house).filter(pl.col("release").is_in(digests)).select("id").collect()
    return set(rows["id"].to_list())


def _quarantined(house: House) -> int:
    current = {source.name: house.versions.current(source.name) for source in house.system.sources}
    return sum(
        house.versions.version(name, number).quarantined
        for name, newest in current.items()
        for number in range(1, newest + 1)
    )


def _values(months: dict[str, Evidence]) -> dict[str, Json]:
    return {month: one.value for month, one in months.items()}


def _intervals(months: dict[str, Evidence]) -> dict[str, Json]:
    return {month: [one.low, one.high] for month, one in months.items()}


def _mean(months: dict[str, Evidence]) -> float | None:
    return fmean(one.value for one in months.values()) if months else None


def _month(evidence: Evidence, zone: str) -> str:
    return from_us(evidence.since_us).astimezone(ZoneInfo(zone)).strftime("%Y-%m")
