"""Parquet files, by path, pattern, folder or address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from trimtab.data.readers.file_memory import FileMemory
from trimtab.data.readers.files import is_address, matched, names_files
from trimtab.data.readers.offer import Narrowed, Offer, Reader, Whole
from trimtab.kernel.source import Source


@dataclass(frozen=True)
class ParquetFiles:
    """Many files, of which a look opens those that are new to it and those that hold its rows."""

    source: Source
    project: Path
    files: list[str]

    @property
    def schema(self) -> pl.Schema:
        """That of the first file, which all others must have: a scan of them all would ask for each."""
        return pl.scan_parquet(self.files[:1], glob=False).collect_schema()

    @property
    def rows(self) -> pl.LazyFrame:
        """Those of all files."""
        return pl.scan_parquet(self.files, glob=False)

    def narrowed(self, known: str, after_us: int, until_us: int) -> Narrowed:
        """Less the files that hold nothing but earlier or later rows, as was seen when they were read."""
        schema = self.schema
        memory = FileMemory(self.project, self.source, known, schema)
        part = memory.needed(self.files, after_us, until_us)
        if part is None:
            return Narrowed(self.rows, 0)
        needed, earlier = part
        if not needed:
            return Narrowed(pl.LazyFrame(schema=schema), earlier)
        return Narrowed(pl.scan_parquet(needed, glob=False, schema=schema), earlier)


def _takes(read: object, project: Path) -> bool:
    return names_files(read, project, ".parquet")


def _open(source: Source, project: Path) -> Offer:
    if is_address(source.read):
        return Whole(pl.scan_parquet(str(source.read)))
    files = matched(source, project)
    if len(files) == 1:
        # Parquet's own statistics already leave out what a look does not need of it.
        return Whole(pl.scan_parquet(files, glob=False))
    return ParquetFiles(source, project, files)


PARQUET = Reader(allowed="Parquet files by path, pattern, folder or address", takes=_takes, open=_open)
