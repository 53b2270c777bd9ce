"""The small system with a release in force, and answers that its online features give."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from tests.e2e.tiny import world
from tests.e2e.tiny_life import Told, make, period

from trimtab import loop
from trimtab.cli.session import Session
from trimtab.features.feature_set import FeatureSet
from trimtab.features.online_features import OnlineFeatures
from trimtab.house import training_run
from trimtab.house.projecting import project
from trimtab.kernel.canonical import Json
from trimtab.kernel.moment import to_us
from trimtab.kernel.prediction import Prediction
from trimtab.kernel.release import Release
from trimtab.serving.log_reader import frame_of_predictions
from trimtab.simulation.live import prepare
from trimtab.wiring.house import open_house
from trimtab.wiring.stores import Stores

TINY = Path(world.__file__).parent
HOUR = timedelta(hours=1)


def begun(session: Session) -> str:
    """The first release, trained at START and in force; its digest."""
    return prepare(session.house, period(6), Told())


def made(folder: Path) -> Path:
    """The project with all of its files."""
    make(folder)
    for name in ("canary.py", "pushed.py"):
        shutil.copyfile(TINY / name, folder / name)
    return folder


def of_other_file(stores: Stores, name: str, of: str, at: datetime) -> str:
    """A release like another one, but with the definitions of another file of the project; its digest."""
    project_ = replace(stores.project, settings={**stores.project.settings, "system": name})
    house = open_house(stores, project=project_)
    other = replace(
        house.releases.get(of), code=house.blobs.put(project_.code()), views=house.system.feature_set.versions
    )
    run = str(house.releases.facts(house.name, of)["run"])
    verdicts = training_run.verdicts_of(house, run)
    digest = house.release_writer.create(other, verdicts, run, at=at, actor="test", override="for the test")
    with house.alone():
        project(house, house.releases.get(digest))
    return digest


class Answers:
    """Asks the online features of releases, and logs what they say."""

    def __init__(self, session: Session, first: int = 0, generation: int = 1) -> None:
        self._session = session
        self._number = first
        self._generation = generation

    def __call__(
        self, digest: str, at: datetime, *, by: FeatureSet | None = None, changed: dict[str, Json] | None = None
    ) -> list[str]:
        """Four questions, one a shop, answered and logged as a release's; their ids.

        Args:
            digest: of the release.
            at: the instant of the questions.
            by: features that answer in its place.
            changed: values that are logged in place of what was read.
        """
        house = self._session.house
        release = house.releases.get(digest)
        features = by or house.code.system(release).feature_set
        names = [one.name for one in release.features]
        online = OnlineFeatures(features, names, release.request, self._session.stores.online)
        rows: list[dict[str, Any]] = [
            {"order_id": f"asked-{self._number}-{shop}", "shop": shop, "price": 10.0} for shop in world.SHOPS
        ]
        values = online.read(rows, [to_us(at)] * len(rows)).values
        told = [[(changed or {}).get(name, one) for name, one in zip(names, row, strict=True)] for row in values]
        self._log(
            [
                replace(_prediction(release, row, list(one), at), generation=self._generation)
                for row, one in zip(rows, told, strict=True)
            ]
        )
        return [row["order_id"] for row in rows]

    def _log(self, predictions: Sequence[Prediction]) -> None:
        self._number += 1
        rows = frame_of_predictions([("segment", one) for one in predictions])
        tables = self._session.stores.tables
        tables.append("predictions", rows, writer="test", number=self._number, note={}, partition_by=["date"])


def _prediction(release: Release, row: dict[str, Json], features: list[Json], at: datetime) -> Prediction:
    return Prediction(
        id=str(row["order_id"]),
        system=release.system,
        release=release.digest,
        generation=1,
        key=str(row["order_id"]),
        at_us=to_us(at),
        request=row,
        features=tuple(features),
        ages_us=(),
        score=0.5,
        others=(),
        latency_us=100,
    )


def take(session: Session, at: datetime) -> None:
    """What is known by then becomes dataset versions, and stands in the online store."""
    list(loop.take(session.house, at))


def ingest(session: Session, at: datetime) -> None:
    """What is known by then becomes dataset versions; the online store stays behind."""
    list(loop.ingest(session.house, at))


def edited(folder: Path, old: str, new: str) -> None:
    """Another definition in the working tree."""
    text = (folder / "system.py").read_text()
    assert text.count(old) == 1
    (folder / "system.py").write_text(text.replace(old, new))


def feed(folder: Path, source: str, rows: pl.DataFrame) -> None:
    """Rows more in a source's file."""
    path = folder / "data" / f"{source}.parquet"
    before = pl.read_parquet(path)
    pl.concat([before, rows.select(before.columns).cast(before.schema)]).write_parquet(path)
