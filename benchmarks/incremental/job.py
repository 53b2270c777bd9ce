"""One history, then looks that bring a thousand rows each. Prints the seconds of each look."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandera.polars as pa
import polars as pl

import trimtab as tt
from trimtab.adapters.blobs_local import LocalBlobs
from trimtab.adapters.database import Database
from trimtab.adapters.heads_log import HeadsLog
from trimtab.adapters.journal_reader_sql import SqlJournalReader
from trimtab.adapters.journal_sql import SqlJournal
from trimtab.adapters.migrate import migrate
from trimtab.adapters.online_lmdb import LmdbWriter
from trimtab.adapters.tables_delta import DeltaTables
from trimtab.data.ingest import Ingest
from trimtab.data.versions import Versions
from trimtab.features.feature_set import FeatureSet
from trimtab.features.materialise import Materialise
from trimtab.features.prepared import PreparedFacts

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY_ROWS, NEW_ROWS, ENTITIES, FEATURES = 10_000, 1_000, 2_000, 20
DAY = timedelta(days=1)
CONTRACT = pa.DataFrameSchema({"v0": pa.Column(float, pa.Check.in_range(0, 1))})


@tt.feature_view(entity="entity")
def first(facts: pl.LazyFrame) -> pl.LazyFrame:
    return facts.select("entity", "event", "known", *(f"v{place}" for place in range(10)))


@tt.feature_view(entity="entity")
def second(facts: pl.LazyFrame) -> pl.LazyFrame:
    return facts.select("entity", "event", "known", *(f"v{place}" for place in range(10, 20)))


def rows(first_id: int, count: int, since: datetime, span: timedelta) -> pl.DataFrame:
    chance = np.random.default_rng(first_id)
    event_us = np.sort(chance.integers(0, span // timedelta(microseconds=1), count))
    columns = {
        "id": np.arange(first_id, first_id + count),
        "entity": chance.integers(0, ENTITIES, count),
        **{f"v{place}": chance.random(count) for place in range(FEATURES)},
    }
    event = pl.lit(since) + pl.Series(event_us).cast(pl.Duration("us"))
    return pl.DataFrame(columns).with_columns(event=event, known=event)


def main(history: int, looks: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        feed = folder / "feed"
        feed.mkdir()
        days = history // DAY_ROWS
        for day in range(days):
            rows(day * DAY_ROWS, DAY_ROWS, START + day * DAY, DAY).write_parquet(feed / f"{day:06d}.parquet")
        facts = tt.Source(
            "facts", "feed/*.parquet", event_time="event", known_time="known", key="id", contract=CONTRACT
        )
        sums = tt.aggregate(facts, by="entity", of="v0", windows=["24h"], how=["sum", "mean"], name="sums")
        kinds = tt.aggregate(facts, by="entity", of="v1", windows=["7d"], how=["count", "distinct"], name="kinds")
        features = FeatureSet((first, second, sums, kinds), {"facts": facts})
        database = Database(f"sqlite:///{folder / 'trimtab.db'}")
        migrate(database)
        reader, tables = SqlJournalReader(database), DeltaTables(folder / "tables")
        versions = Versions(reader, tables)
        ingest = Ingest(
            folder,
            journal=SqlJournal(database, HeadsLog(folder / "heads.log")),
            reader=reader,
            tables=tables,
            versions=versions,
            blobs=LocalBlobs(folder / "blobs"),
        )
        store = LmdbWriter(folder / "online")
        materialise = Materialise(store, versions, prepared=PreparedFacts(folder / "prepared", versions))
        now = START + days * DAY
        list(ingest(facts, now))
        materialise(features)
        ingest_s, project_s = [], []
        for look in range(looks):
            span = DAY / 24
            new = rows(history + look * NEW_ROWS, NEW_ROWS, now, span)
            new.write_parquet(feed / f"{days + look:06d}.parquet")
            now += span
            began_s = time.perf_counter()
            [made] = ingest(facts, now)
            took_s = time.perf_counter()
            materialise(features)
            project_s.append(time.perf_counter() - took_s)
            ingest_s.append(took_s - began_s)
            assert made.rows == NEW_ROWS, made
        store.close()
        database.close()
    print(json.dumps({"rows": history, "ingest_s": ingest_s, "project_s": project_s}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
