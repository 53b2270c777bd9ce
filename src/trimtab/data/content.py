"""The identity of a frame's content, independent of file formats, chunks and library versions."""

from __future__ import annotations

import hashlib

import polars as pl
import polars.selectors as cs

from trimtab.kernel.canonical import canonical


def schema_of(schema: pl.Schema) -> tuple[tuple[str, str], ...]:
    """(column, Polars type) in order."""
    return tuple((name, str(kind)) for name, kind in schema.items())


def content_digest(frame: pl.DataFrame) -> str:
    """SHA-256 over column names, types and the rows in order, as JSON lines.

    >>> content_digest(pl.DataFrame({"a": [1, None]})) == content_digest(pl.DataFrame({"a": [1, 0]}))
    False
    """
    state = hashlib.sha256(canonical([list(one) for one in schema_of(frame.schema)]))
    state.update(plain(frame).write_ndjson().encode())
    return state.hexdigest()


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with what JSON lines cannot tell apart (null, NaN and infinity) or carry (bytes) as text.

    >>> plain(pl.DataFrame({"x": [0.5, float("nan")], "y": [b"a", None]})).rows()
    [('0.5', '61'), ('NaN', None)]
    """
    return frame.with_columns(cs.float().cast(pl.String), cs.binary().bin.encode("hex"))


def counted(frame: pl.DataFrame) -> pl.Series:
    """Each row as text with a running number among equal rows, shape (n,): equal tables give equal sets.

    >>> counted(pl.DataFrame({"a": [1, 2, 1]})).to_list()
    ['{"a":1} 1', '{"a":2} 1', '{"a":1} 2']
    """
    text = plain(frame).select(pl.struct(pl.all()).struct.json_encode().alias("row"))
    return text.select(pl.format("{} {}", "row", pl.int_range(1, pl.len() + 1).over("row"))).to_series()
