"""Trimtab's side of `run.py`: LMDB in process, or a Redis server, read through `OnlineFeatures.read`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.online.timing import Row, serve, wanted

from trimtab.adapters.online_lmdb import LmdbReader, LmdbWriter
from trimtab.features.feature_set import FeatureSet
from trimtab.features.materialise import Materialise
from trimtab.features.online_features import OnlineFeatures
from trimtab.features.view import FeatureView
from trimtab.kernel.moment import to_us
from trimtab.kernel.source import Source
from trimtab.ports.online_store import OwnedStore

END = datetime(2026, 1, 31, tzinfo=UTC)
VIEWS, COLUMNS, ENTITIES, HOURS = 2, 10, 2000, 72
Raw = Callable[[list[Row]], object]


def facts(number: int) -> pl.DataFrame:
    """Three days of hourly facts, of which the store keeps the last two, as it does by default."""
    hours = pl.datetime_range(END - timedelta(hours=HOURS - 1), END, "1h", time_unit="us", eager=True)
    random = np.random.default_rng(number)
    frame = pl.DataFrame({"event": hours}).join(pl.DataFrame({"entity": np.arange(ENTITIES)}), how="cross")
    values = {f"f{number}_{one}": random.normal(size=frame.height) for one in range(COLUMNS)}
    return frame.with_columns(**{name: pl.Series(value) for name, value in values.items()})


class Held:
    """The one version of each source."""

    def __init__(self, frames: Mapping[str, pl.DataFrame]) -> None:
        self._frames = frames

    def current(self, source: str) -> int:
        return int(source in self._frames)

    def known_until_us(self, source: str, number: int) -> int:  # noqa: ARG002 - the port's
        return to_us(END)

    def frame(self, source: str, upto: int | None = None, after: int = 0) -> pl.LazyFrame:  # noqa: ARG002
        return self._frames[source].lazy()


def view(number: int) -> FeatureView:
    def same(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows

    return FeatureView(f"view{number}", same, f"facts{number}", ("entity",), timedelta(hours=6), "", "here")


def features() -> FeatureSet:
    sources = {
        f"facts{number}": Source(f"facts{number}", pl.DataFrame, event_time="event", key=("entity", "event"))
        for number in range(VIEWS)
    }
    return FeatureSet(tuple(view(number) for number in range(VIEWS)), sources)


def reader(declared: FeatureSet, store: OwnedStore | LmdbReader) -> OnlineFeatures:
    names = [f"view{number}.f{number}_{one}" for number in range(VIEWS) for one in range(COLUMNS)]
    return OnlineFeatures(declared, names, [("entity", "Int64")], store)


def main() -> None:
    kind, folder, url = sys.argv[1:4]
    declared = features()
    versions = Held({f"facts{number}": facts(number) for number in range(VIEWS)})
    raw: dict[str, Raw] = {}
    store: OwnedStore | LmdbReader
    if kind == "lmdb":
        writer = LmdbWriter(Path(folder))
        Materialise(writer, versions)(declared)
        writer.close()
        store = LmdbReader(Path(folder))
    else:
        from benchmarks.online.raw_redis import raw_reads  # noqa: PLC0415 - needs the extra 'redis'

        from trimtab.adapters.online_redis import RedisWriter  # noqa: PLC0415

        store = RedisWriter(url, b"bench:")
        Materialise(store, versions)(declared)
        raw = raw_reads(url, declared)
    online = reader(declared, store)
    at_us = to_us(END)

    def read(rows: list[Row]) -> list[list[object]]:
        return online.read(rows, [at_us] * len(rows)).values  # type: ignore[return-value]

    [row] = read([{"entity": 7}])
    assert len(row) == VIEWS * COLUMNS and None not in row
    serve({"read": read, **{name: raw[name] for name in wanted() if name in raw}})


if __name__ == "__main__":
    main()
