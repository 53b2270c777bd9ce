"""Feast's side of `run.py`: its local provider with the SQLite online store, read by `get_online_features`.

Runs in Feast's own environment; the registry is cached for the whole run, as Feast does by default.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.online.timing import ENTITIES, Row, serve
from feast import (  # type: ignore[import-not-found]
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    ValueType,
)
from feast.types import Float64  # type: ignore[import-not-found]

CONFIG = """project: bench
registry: {folder}/registry.db
provider: local
online_store: {{type: sqlite, path: {folder}/online.db}}
offline_store: {{type: file}}
entity_key_serialization_version: 3
"""
COLUMNS = 10


def main() -> None:
    folder = Path(sys.argv[2])
    (folder / "feature_store.yaml").write_text(CONFIG.format(folder=folder))
    store = FeatureStore(repo_path=str(folder))
    entity = Entity(name="entity", join_keys=["entity"], value_type=ValueType.INT64)
    now = datetime.now(UTC).replace(tzinfo=None)
    views, frames = [], []
    for number in range(2):
        random = np.random.default_rng(number)
        names = [f"f{number}_{one}" for one in range(COLUMNS)]
        frame = pd.DataFrame({"entity": np.arange(ENTITIES), "event": pd.Timestamp(now)})
        for name in names:
            frame[name] = random.normal(size=ENTITIES)
        path = folder / f"facts{number}.parquet"
        frame.to_parquet(path)
        views.append(
            FeatureView(
                name=f"view{number}",
                entities=[entity],
                ttl=timedelta(hours=6),
                schema=[Field(name=name, dtype=Float64) for name in names],
                source=FileSource(path=str(path), timestamp_field="event"),
            )
        )
        frames.append(frame)
    store.apply([entity, *views])
    for view, frame in zip(views, frames, strict=True):
        store.write_to_online_store(view.name, frame)
    wanted = [f"view{number}:f{number}_{one}" for number in range(2) for one in range(COLUMNS)]

    def read(rows: list[Row]) -> Any:
        return store.get_online_features(features=wanted, entity_rows=rows).to_dict()

    found = read([{"entity": 7}])
    assert len(found) == 21 and all(cells[0] is not None for cells in found.values()), found
    serve({"read": read})


if __name__ == "__main__":
    main()
