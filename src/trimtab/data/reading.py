"""Opening a source's rows, wherever they come from."""

from __future__ import annotations

import glob
from collections.abc import Callable
from pathlib import Path

import polars as pl

from trimtab.kernel.errors import SourceUnreadable
from trimtab.kernel.source import Source


def open_source(source: Source, project: Path) -> pl.LazyFrame:
    """A lazy frame over all rows that the source offers now; nothing is read yet.

    Raises:
        SourceUnreadable: no such file, an unknown kind of file, or the reading function failed.
    """
    if not isinstance(source.read, str):
        return _called(source)
    path = project / source.read
    scans: dict[str, Callable[[list[Path]], pl.LazyFrame]] = {".parquet": _scan_parquet, ".csv": _scan_csv}
    scan = scans.get(path.suffix)
    if scan is None:
        raise SourceUnreadable(
            source.name,
            where=source.place,
            got=f"read='{source.read}'",
            do="name .parquet or .csv files, or give a function that returns a Polars frame",
        )
    files = [project / name for name in sorted(glob.iglob(source.read, root_dir=project, recursive=True))]
    if not files:
        raise SourceUnreadable(
            source.name,
            where=source.place,
            got=f"no file matches {path}",
            do="put the file there, or mend the path (it is relative to the project folder)",
        )
    return scan(files)


def _scan_parquet(files: list[Path]) -> pl.LazyFrame:
    return pl.scan_parquet(files, glob=False)


def _scan_csv(files: list[Path]) -> pl.LazyFrame:
    # All rows decide a column's type: a sample calls a column text that is empty at first.
    return pl.scan_csv(files, try_parse_dates=True, infer_schema_length=None, glob=False)


def _called(source: Source) -> pl.LazyFrame:
    assert callable(source.read)
    try:
        frame = source.read()
    except Exception as error:
        raise SourceUnreadable(
            source.name,
            where=source.place,
            got=f"its function raised {type(error).__name__}: {error}",
            do="mend the function given as read=",
        ) from error
    if not isinstance(frame, pl.DataFrame | pl.LazyFrame):
        raise SourceUnreadable(
            source.name,
            where=source.place,
            got=f"its function returned {type(frame).__name__}",
            do="return a Polars DataFrame or LazyFrame (pl.from_pandas, pl.from_arrow)",
        )
    return frame.lazy()
