"""Frames in memory: Polars, and whatever speaks Arrow's C stream (Arrow tables, pandas frames, DuckDB results)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from trimtab.data.readers.offer import Reader, Whole
from trimtab.data.readers.shown import shown
from trimtab.kernel.errors import SourceUnreadable
from trimtab.kernel.source import Source

_NAMELESS = r"^__index_level_\d+__$"  # pandas' index where it has no name: row numbers


class _Stream:
    """Shows nothing but the stream, so that all frames are read alike, pandas' too, which is never imported."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


def is_frame(value: object) -> bool:
    """Whether it is a Polars frame or speaks Arrow's C stream."""
    return isinstance(value, pl.DataFrame | pl.LazyFrame) or (
        hasattr(value, "__arrow_c_stream__") and not isinstance(value, type)
    )


def lazy(source: Source, frame: Any) -> pl.LazyFrame:
    """Its rows. A named index of a pandas frame is a column; one without a name is left out.

    Raises:
        SourceUnreadable: it is not a table, or its values have no Arrow type.
    """
    if isinstance(frame, pl.DataFrame | pl.LazyFrame):
        return frame.lazy()
    try:
        table = pl.DataFrame(_Stream(frame))
    except Exception as error:  # whatever the frame's own library raises
        raise SourceUnreadable(
            source.name,
            where=source.place,
            allowed="a table whose columns have one type each",
            got=f"{type(frame).__name__}: {_line(error)}",
            do="convert the column where the frame is made",
        ) from error
    return table.select(pl.exclude(_NAMELESS)).lazy()


def _line(error: Exception) -> str:
    return shown((str(error) or type(error).__name__).splitlines()[0])


def _takes(read: object, project: Path) -> bool:  # noqa: ARG001 - other kinds need the project
    return is_frame(read)


def _open(source: Source, project: Path) -> Whole:  # noqa: ARG001
    if hasattr(source.read, "read_next_batch"):
        raise SourceUnreadable(
            source.name,
            where=source.place,
            allowed="a frame that can be read again at each look",
            got=f"read={type(source.read).__name__}, which is empty once it has been read",
            do="give a function that opens it, or the table it holds (.read_all())",
        )
    return Whole(lazy(source, source.read))


FRAME = Reader(allowed="a Polars, pandas or Arrow frame", takes=_takes, open=_open)
