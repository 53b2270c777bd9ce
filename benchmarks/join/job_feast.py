"""Feast on its DuckDB offline store: `get_historical_features`, on event time alone. Prints seconds."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig  # type: ignore[import-not-found]
from feast.types import Float64  # type: ignore[import-not-found]


def main(folder: Path, questions: Path, views: int) -> None:
    home = Path(sys.argv[4])
    config = RepoConfig(
        project="bench",
        registry=str(home / "registry.db"),
        provider="local",
        offline_store={"type": "duckdb"},
        online_store={"type": "sqlite", "path": str(home / "online.db")},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    entity = Entity(name="entity", join_keys=["entity"])
    declared = []
    for number in range(views):
        source = FileSource(
            name=f"view{number}", path=str(folder / f"view{number}.parquet"), timestamp_field="event"
        )
        schema = [Field(name=f"v{number}_{place}", dtype=Float64) for place in range(10)]
        view = FeatureView(
            name=f"view{number}", entities=[entity], ttl=timedelta(days=365), schema=schema, source=source
        )
        declared.append(view)
    store.apply([entity, *declared])
    asked = pd.read_parquet(questions).rename(columns={"at": "event_timestamp"})
    features = [f"view{number}:v{number}_{place}" for number in range(views) for place in range(10)]
    began_s = time.perf_counter()
    rows = store.get_historical_features(entity_df=asked, features=features).to_arrow().num_rows
    print(f'{{"seconds": {time.perf_counter() - began_s}, "rows": {rows}}}')


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
