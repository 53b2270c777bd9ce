"""CSV files, by path, pattern, folder or address."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from trimtab.data.readers.files import is_address, matched, names_files
from trimtab.data.readers.offer import Reader, Whole
from trimtab.kernel.source import Source


def _takes(read: object, project: Path) -> bool:
    return names_files(read, project, ".csv")


def _open(source: Source, project: Path) -> Whole:
    address = str(source.read)
    files = address if is_address(address) else matched(source, project)
    # All rows decide a column's type: a sample calls a column text that is empty at first.
    scan = pl.scan_csv(files, try_parse_dates=True, infer_schema_length=None, glob=is_address(address))
    return Whole(scan)


CSV = Reader(allowed="CSV files by path, pattern, folder or address", takes=_takes, open=_open)
