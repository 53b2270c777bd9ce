"""Features of more questions than fit into memory: read, answered and written part by part."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from trimtab.features.feature_set import FeatureSet
from trimtab.features.offline import Facts, OfflineFeatures

PART_ROWS = 1_000_000


def features_in_parts(
    features: FeatureSet, questions: pl.LazyFrame, at: str, facts: Facts, part_rows: int = PART_ROWS
) -> Iterator[pl.DataFrame]:
    """The questions with their features, in their order, at most `part_rows` at a time; the first part is empty.

    Held in memory are the facts and one part; see `offline_features` for the arguments.
    """
    offline = OfflineFeatures(features, facts)
    empty = questions.head(0).collect()
    yield pl.concat([empty, offline(empty, at)], how="horizontal")
    for part in questions.collect_batches(chunk_size=part_rows, maintain_order=True):
        for rows in part.iter_slices(part_rows):
            yield pl.concat([rows, offline(rows, at)], how="horizontal")


def write_features(
    features: FeatureSet, questions: pl.LazyFrame, at: str, facts: Facts, to: Path, part_rows: int = PART_ROWS
) -> int:
    """`features_in_parts` as a Parquet file; the number of rows. A file that stands there was written whole."""
    # A name of its own for every writer: two of the same file must not write into each other's.
    with tempfile.NamedTemporaryFile(dir=to.parent, prefix=f".{to.name}.", delete=False) as half:
        try:
            rows = _written(features_in_parts(features, questions, at, facts, part_rows), half)
            half.flush()
            os.fsync(half.fileno())
        except BaseException:
            Path(half.name).unlink()
            raise
    Path(half.name).rename(to)
    return rows


def _written(parts: Iterator[pl.DataFrame], file: IO[bytes]) -> int:
    first = next(parts)
    # Of floats hardly two are equal: a dictionary of them costs time and saves nothing.
    repeating = [name for name, kind in first.schema.items() if not kind.is_float()]
    rows = 0
    with pq.ParquetWriter(file, _arrow(first).schema, compression="lz4", use_dictionary=repeating) as writer:
        for part in parts:
            writer.write_table(_arrow(part))
            rows += part.height
    return rows


def _arrow(part: pl.DataFrame) -> pa.Table:
    return part.to_arrow(compat_level=pl.CompatLevel.oldest())
