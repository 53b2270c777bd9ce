"""The identity of a frame's content, independent of file formats, chunks and library versions."""

from __future__ import annotations

import hashlib

import polars as pl

from trimtab.kernel.canonical import canonical


def schema_of(frame: pl.DataFrame | pl.LazyFrame) -> tuple[tuple[str, str], ...]:
    """(column, Polars type) in order."""
    return tuple((name, str(kind)) for name, kind in frame.collect_schema().items())


def content_digest(frame: pl.DataFrame) -> str:
    """SHA-256 over column names, types and the rows in order, as JSON lines.

    >>> content_digest(pl.DataFrame({"a": [1, None]})) == content_digest(pl.DataFrame({"a": [1, 0]}))
    False
    """
    state = hashlib.sha256(canonical([list(one) for one in schema_of(frame)]))
    state.update(frame.write_ndjson().encode())
    return state.hexdigest()
