"""Trimtab: bitemporal features, in memory (`whole`) or written in parts (`parts`). Prints seconds and memory.

`prepare` does what an ingest does: it puts facts into order as they come, in versions that end at instants of known
time. Then `prepared` is `whole` on what was prepared.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from trimtab.features.bitemporal_join import VisibleFacts
from trimtab.features.feature_set import FeatureSet
from trimtab.features.in_parts import write_features
from trimtab.features.offline import offline_features
from trimtab.features.prepared import PreparedFacts
from trimtab.features.view import FeatureView, feature_view
from trimtab.kernel.source import Source


@feature_view(entity="entity")
def first(view0: pl.LazyFrame) -> pl.LazyFrame:
    return view0


@feature_view(entity="entity")
def second(view1: pl.LazyFrame) -> pl.LazyFrame:
    return view1


@feature_view(entity="entity")
def third(view2: pl.LazyFrame) -> pl.LazyFrame:
    return view2


VERSIONS = 30  # the first brings half of the facts, each later one a day's or so


def version_of(known: str) -> pl.Expr:
    """The number of the version that brought a row, counted from 1."""
    share = (pl.col(known).rank("ordinal") - 1) / pl.len()
    return (1 + ((share - 0.5).clip(0) * 2 * (VERSIONS - 1)).ceil()).cast(pl.Int32).clip(1, VERSIONS)


@dataclass(frozen=True)
class Brought:
    """The facts by source, with the number of the version that brought each."""

    rows: Mapping[str, pl.DataFrame]

    def digest(self, source: str, number: int) -> str:
        return f"{source}@{number}".rjust(16)

    def frame(self, source: str, upto: int | None = None, after: int = 0) -> pl.LazyFrame:
        version = pl.col("_version")
        return self.rows[source].lazy().filter(version > after, version <= (VERSIONS if upto is None else upto))


def prepare(folder: Path, features: FeatureSet) -> None:
    names = sorted(features.sources)
    told = version_of("known").alias("_version")
    brought = Brought({name: pl.read_parquet(folder / f"{name}.parquet").with_columns(told) for name in names})
    prepared = PreparedFacts(folder / "prepared", brought)
    for view in features.declared:
        assert isinstance(view, FeatureView)
        for number in range(1, VERSIONS + 1):
            prepared.extend(view, features.version_of(view), features.source_of(view), number)


def main(folder: Path, questions: Path, views: int, how: str) -> None:
    names = [f"view{number}" for number in range(views)]
    sources = {
        name: Source(name, f"{name}.parquet", event_time="event", known_time="known", key=("entity", "event"))
        for name in names
    }
    features = FeatureSet((first, second, third)[:views], sources)

    def facts(name: str) -> pl.LazyFrame:
        return pl.scan_parquet(folder / f"{name}.parquet")

    def prepared(view: FeatureView) -> tuple[VisibleFacts | None, pl.LazyFrame]:
        columns = pl.scan_parquet(folder / f"{view.source}.parquet").collect_schema()
        brought = Brought({view.source: pl.DataFrame(schema={**columns, "_version": pl.Int32()})})
        source = features.source_of(view)
        return PreparedFacts(folder / "prepared", brought).read(view, features.version_of(view), source, VERSIONS)

    began_s = time.perf_counter()
    rows = 0
    if how == "prepare":
        prepare(folder, features)
    elif how == "parts":
        out = questions.with_suffix(".features")
        rows = write_features(features, pl.scan_parquet(questions), "at", facts, out)
        out.unlink()
    else:
        asked = pl.read_parquet(questions)
        ready = prepared if how == "prepared" else None
        found = offline_features(features, asked, "at", facts, ready)
        rows = pl.concat([asked, found], how="horizontal").height
    seconds = time.perf_counter() - began_s
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f'{{"seconds": {seconds}, "rows": {rows}, "peak_bytes": {peak_bytes}}}')


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
