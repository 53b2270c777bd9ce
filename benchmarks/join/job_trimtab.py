"""Trimtab: bitemporal features, in memory (`whole`) or written in parts. Prints seconds and memory."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import polars as pl

from trimtab.features.feature_set import FeatureSet
from trimtab.features.in_parts import write_features
from trimtab.features.offline import offline_features
from trimtab.features.view import feature_view
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


def main(folder: Path, questions: Path, views: int, how: str) -> None:
    names = [f"view{number}" for number in range(views)]
    sources = {
        name: Source(name, f"{name}.parquet", event_time="event", known_time="known", key=("entity", "event"))
        for name in names
    }
    features = FeatureSet((first, second, third)[:views], sources)

    def facts(name: str) -> pl.LazyFrame:
        return pl.scan_parquet(folder / f"{name}.parquet")

    began_s = time.perf_counter()
    if how == "whole":
        asked = pl.read_parquet(questions)
        rows = pl.concat([asked, offline_features(features, asked, "at", facts)], how="horizontal").height
    else:
        out = questions.with_suffix(".features")
        rows = write_features(features, pl.scan_parquet(questions), "at", facts, out)
        out.unlink()
    seconds = time.perf_counter() - began_s
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f'{{"seconds": {seconds}, "rows": {rows}, "peak_bytes": {peak_bytes}}}')


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
