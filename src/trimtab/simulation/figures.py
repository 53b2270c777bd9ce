"""The figures of a lived period: computed from what the stores hold, never carried along."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from trimtab.features.parity import Mismatch, mismatches
from trimtab.governance.audit import verify
from trimtab.house.house import House
from trimtab.kernel.canonical import Json
from trimtab.kernel.evidence import Evidence
from trimtab.kernel.moment import from_us


def served(house: House) -> pl.LazyFrame:
    """All compacted predictions of the system."""
    return house.tables.scan("predictions").filter(pl.col("system") == house.name)


def parity(house: House) -> list[Mismatch]:
    """Every served feature value that the offline definition does not reproduce, over all predictions."""
    found: list[Mismatch] = []
    releases = served(house).select("release").unique().collect()["release"].sort().to_list()
    for digest in releases:
        release = house.releases.get(digest)
        features = house.code.system(release).feature_set
        names = [one.name for one in release.features]
        rows = served(house).filter(pl.col("release") == digest).select("id", "at", "request", "features").collect()
        found += mismatches(features, names, release.request, rows, house.versions.frame)
    return found


def figures(house: House, now: datetime, zone: str) -> dict[str, Json]:
    """What `trimtab demo --json` writes, but for the wall time."""
    evidence = [one for one in house.measure.evidence(house.name) if one.metric == "roc_auc"]
    audit = verify(house.reader, house.heads())
    predictions = served(house).select("key").collect()
    kinds = [entry.kind for entry in house.reader.entries()]
    current = {source.name: house.versions.current(source.name) for source in house.system.sources}
    quarantined = sum(
        house.versions.version(name, number).quarantined
        for name, newest in current.items()
        for number in range(1, newest + 1)
    )
    return {
        "frozen_auc_by_month": {_month(one, zone): one.value for one in evidence},
        "frozen_auc_interval_by_month": {_month(one, zone): [one.low, one.high] for one in evidence},
        "predictions": predictions.height,
        "predictions_distinct": predictions["key"].n_unique(),
        "labels_joined": house.measure.labelled(house.name, house.system.label, now).height,
        "retrains": kinds.count("run.finished") - 1,
        "promotions": kinds.count("route.moved"),
        "refusals": kinds.count("release.refused") + kinds.count("deployment.refused"),
        "quarantined_rows": quarantined,
        "online_offline_mismatches": len(parity(house)),
        "ledger_entries": audit.entries,
        "ledger_verified": audit.ok,
    }


def _month(evidence: Evidence, zone: str) -> str:
    return from_us(evidence.since_us).astimezone(ZoneInfo(zone)).strftime("%Y-%m")
