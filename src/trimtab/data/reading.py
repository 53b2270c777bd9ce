"""Opening a source's rows, wherever they come from."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import polars as pl

from trimtab.data.readers import READERS, Offer
from trimtab.data.readers.files import is_address
from trimtab.data.readers.shown import shown_address
from trimtab.data.readers.sql_declared import Sql
from trimtab.data.readers.stream_declared import Stream
from trimtab.kernel.errors import SourceUnreadable
from trimtab.kernel.source import Source


def open_source(source: Source, project: Path) -> pl.LazyFrame:
    """A lazy frame over all rows that the source offers now; nothing is read yet.

    Raises:
        SourceUnreadable: no such file or table, an unknown kind of source, or the reading function failed.
    """
    return offer(source, project).rows


def offer(source: Source, project: Path) -> Offer:
    """What a source offers now; raises as `open_source` does."""
    if isinstance(source.read, os.PathLike):
        source = replace(source, read=os.fspath(source.read))
    for reader in READERS:
        if reader.takes(source.read, project):
            return reader.open(source, project)
    raise SourceUnreadable(
        source.name,
        where=source.place,
        allowed="; ".join(reader.allowed for reader in READERS),
        got=_told(source.read, project),
        do="name .parquet or .csv files, or give a function that returns a Polars frame",
    )


def same_table(one: Source, other: Source, project: Path) -> bool:
    """Whether two sources read the same rows, as far as their declarations say."""
    return _table(one, project) == _table(other, project)


def _table(source: Source, project: Path) -> object:
    read = source.read
    if isinstance(read, Stream):  # its inbox goes by the source's name
        return "stream", source.name
    if isinstance(read, str | os.PathLike):
        return read if is_address(read) else (project / os.fspath(read)).resolve()
    # A frame's own == compares its cells.
    return read if isinstance(read, Sql) or callable(read) else id(read)


def _told(read: object, project: Path) -> str:
    if not isinstance(read, str):
        return f"read={type(read).__name__}"
    if is_address(read):
        return f"read='{shown_address(read)}'"
    if (project / read).exists():
        return f"read='{read}'"
    return f"read='{read}', and nothing is there"
