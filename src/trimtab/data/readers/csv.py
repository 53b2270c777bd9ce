"""CSV files, by path, pattern, folder or address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from trimtab.data.readers.files import is_address, matched, names_files
from trimtab.data.readers.offer import Reader, Whole
from trimtab.kernel.errors import SourceUnreadable, listed
from trimtab.kernel.source import Source

# The only types that Polars tells of a file and reads as one another, the widest last.
_NUMBERS: tuple[pl.DataType, ...] = (pl.Int64(), pl.Int128(), pl.Float64())


def _takes(read: object, project: Path) -> bool:
    return names_files(read, project, ".csv")


def _open(source: Source, project: Path) -> Whole:
    """All rows of all files decide a column's type; of a pattern's files on an object store Polars decides."""
    if is_address(source.read):
        return Whole(_scan(str(source.read), glob=True))
    files = matched(source, project)
    if len(files) == 1:
        return Whole(_scan(files[0]))
    return Whole(pl.scan_csv(files, try_parse_dates=True, schema=_schema(source, files), glob=False))


def _scan(file: str, *, glob: bool = False) -> pl.LazyFrame:
    # A sample would call a column text that is empty at first.
    return pl.scan_csv(file, try_parse_dates=True, infer_schema_length=None, glob=glob)


def _schema(source: Source, files: Sequence[str]) -> pl.Schema:
    """What one file with all rows would have.

    Raises:
        SourceUnreadable: a file cannot be read, or has other columns than the first.
    """
    told = [_told(source, file) for file in files]
    names = told[0].names()
    for file, one in zip(files, told, strict=True):
        if one.names() != names:
            raise SourceUnreadable(
                source.name,
                where=source.place,
                allowed=f"files with the same columns in the same order: {', '.join(names)}",
                got=f"{file} has {', '.join(one.names())}",
                do="mend the file, or name those that belong together by a pattern",
            )
    return pl.Schema({name: _type(name, told, files) for name in names})


def _told(source: Source, file: str) -> pl.Schema:
    try:
        return _scan(file).collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceUnreadable(
            source.name,
            where=source.place,
            allowed="CSV files with a line of names and as many values in each line",
            got=f"{file}: {listed(str(error).splitlines()[:1])}",
            do="mend the file, or take it away",
        ) from error


def _type(name: str, told: Sequence[pl.Schema], files: Sequence[str]) -> pl.DataType:
    kinds = {one[name] for one in told}
    text = pl.String()
    if len(kinds) > 1 and text in kinds:
        # A column without values is called text, too.
        texts = [file for file, one in zip(files, told, strict=True) if one[name] == text]
        if not _has_values(name, texts):
            kinds.remove(text)
    return _widest(kinds)


def _has_values(name: str, files: Iterable[str]) -> bool:
    read = (pl.scan_csv(file, infer_schema=False, glob=False) for file in files)
    return any(one.select(pl.col(name).is_not_null().any()).collect().item() for one in read)


def _widest(kinds: set[pl.DataType]) -> pl.DataType:
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds <= set(_NUMBERS):
        return max(kinds, key=_NUMBERS.index)
    return pl.String()


CSV = Reader(allowed="CSV files by path, pattern, folder or address", takes=_takes, open=_open)
