"""What a life has left behind, read as the product reads it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import polars as pl

from trimtab.cli.session import session
from trimtab.governance.audit import verify
from trimtab.house.parity import served

# At most one entry of these for a subject.
ONCE = ("source.versioned", "run.finished", "release.created", "evidence.measured", "training.refused")
_ROUTE = ("champion", "warm", "canary", "shadows")
_STAGES = ("rollout.started", "rollout.advanced", "rollout.promoted", "rollout.rolled_back")


def story(folder: Path) -> list[tuple[str, ...]]:
    """The ledger without what differs from life to life (segments' names and roots, and hashes of all that)."""
    with session(folder=folder) as open_:
        return [(one.kind, one.subject, one.actor, one.at.isoformat()) for one in open_.house.reader.entries()]


def predictions(folder: Path) -> pl.DataFrame:
    """All compacted predictions, by key."""
    with session(folder=folder) as open_:
        return served(open_.house).sort("key").collect()


def answers(folder: Path) -> pl.DataFrame:
    """What was said to whom on which grounds, and nothing of how and when it was recorded."""
    return predictions(folder).select("key", "at", "release", "features", "ages_us", "request", "score")


def assert_nothing_twice(folder: Path) -> None:
    """One record an answer, one entry a deed, one MLflow run a training; the ledger is whole."""
    kept = predictions(folder)
    assert kept["key"].n_unique() == kept["id"].n_unique() == kept.height
    with session(folder=folder) as open_:
        house = open_.house
        assert list(house.log.recent()) == []  # all of them have been compacted
        entries = list(house.reader.entries())
        assert verify(house.reader, house.heads()).ok
        counted = Counter((one.kind, one.subject) for one in entries if one.kind in ONCE)
        assert counted
        assert max(counted.values()) == 1, counted.most_common(3)
        routes = [[one.body[name] for name in _ROUTE] for one in entries if one.kind == "route.moved"]
        assert all(one != other for one, other in pairwise(routes))
        stages = Counter(
            (one.kind, one.body["rollout"], one.body["ceiling"]) for one in entries if one.kind in _STAGES
        )
        assert max(stages.values(), default=1) == 1, stages.most_common(3)
        looks = Counter((one.body["rollout"], one.at) for one in entries if one.kind == "rollout.looked")
        assert max(looks.values(), default=1) == 1, looks.most_common(3)
        compacted = [one.body["number"] for one in entries if one.kind == "segments.compacted"]
        assert compacted == list(range(1, len(compacted) + 1))
        runs = house.reader.records("run")
        tracked = tracked_runs(folder)
        assert len(tracked) == len(runs)
        for _, body in runs:
            logged = body["mlflow"]
            assert isinstance(logged, dict)
            assert tracked.pop(str(logged["run"])) == "FINISHED"


def tracked_runs(folder: Path) -> dict[str, str]:
    """MLflow's runs by id, with their status."""
    with closing(sqlite3.connect(folder / ".trimtab" / "mlflow.db")) as database:
        return dict(database.execute("SELECT run_uuid, status FROM runs").fetchall())
