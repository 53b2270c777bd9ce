"""Delta tables, by folder or address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from trimtab.data.readers.files import is_address, is_delta, may_be_delta
from trimtab.data.readers.offer import Narrowed, Reader
from trimtab.data.readers.shown import shown, shown_address
from trimtab.kernel.errors import SourceUnreadable, listed
from trimtab.kernel.source import Source

_UNUSABLE = "%[]\\^|#?*"  # delta-rs takes a folder's name for a URL, and Polars takes it for a pattern
_ROUNDED_US = 1_000  # Delta's statistics keep milliseconds, rounded down
# What writers of one table may do differently: Spark's old timestamps have nanoseconds.
_CASTS = pl.ScanCastOptions(
    integer_cast="upcast",
    float_cast="upcast",
    datetime_cast=["nanosecond-downcast", "convert-timezone"],
    missing_struct_fields="insert",
)


@dataclass(frozen=True)
class DeltaOffer:
    """One version of a Delta table: what it was when it was opened."""

    table: DeltaTable

    @property
    def schema(self) -> pl.Schema:
        """As its log tells them."""
        return self.rows.collect_schema()

    @property
    def rows(self) -> pl.LazyFrame:
        """All rows of that version."""
        return pl.scan_delta(self.table)

    def narrowed(self, known: str, after_us: int, until_us: int) -> Narrowed:
        """Less the files that, by the table's own log, hold nothing but earlier or later rows."""
        kept = None if self._has_more_than_files() else _needed(self._files(), known, after_us, until_us)
        if kept is None:
            return Narrowed(self.rows, 0)
        files, earlier = kept
        schema = self.schema
        if not files:
            return Narrowed(pl.LazyFrame(schema=schema), earlier)
        rows = pl.scan_parquet(files, schema=schema, cast_options=_CASTS, missing_columns="insert", glob=False)
        return Narrowed(rows, earlier)

    def _has_more_than_files(self) -> bool:
        """Whether rows are not simply those of its files: deleted in place, renamed, or kept in folders' names."""
        return self.table.protocol().min_reader_version > 1 or bool(self.table.metadata().partition_columns)

    def _files(self) -> pl.DataFrame:
        """The log's entry of each file, with the address under which it is read; null if that is not certain."""
        actions = pl.DataFrame(self.table.get_add_actions(flatten=True))
        uris: dict[str, str] = {_name(uri): uri for uri in self.table.file_uris()}
        found = [uris.get(_name(path)) for path in actions["path"]]
        certain = len(uris) == len(set(found)) == actions.height
        return actions.with_columns(pl.Series("_uri", found if certain else [None] * len(found), dtype=pl.String))


def _name(path: str) -> str:
    return unquote(path.rpartition("/")[2])


def _needed(files: pl.DataFrame, known: str, after_us: int, until_us: int) -> tuple[list[str], int] | None:
    """The files that a look needs, and how many earlier rows the others hold; None if the log does not say."""
    oldest, newest, nulls = f"min.{known}", f"max.{known}", f"null_count.{known}"
    kinds = files.schema
    if "." in known or not {"num_records", oldest, newest, nulls} <= set(kinds) or files["_uri"].null_count():
        return None
    if not all(isinstance(kinds[one], pl.Datetime) for one in (oldest, newest)):
        return None
    dated = pl.col(nulls) == 0
    earlier = (
        dated & (pl.col(newest).dt.epoch("us") + _ROUNDED_US <= after_us) & pl.col("num_records").is_not_null()
    )
    later = dated & (pl.col(oldest).dt.epoch("us") - _ROUNDED_US > until_us)
    marked = files.with_columns(
        earlier.fill_null(value=False).alias("_earlier"), later.fill_null(value=False).alias("_later")
    )
    count = int(marked.filter("_earlier")["num_records"].sum())
    return marked.filter(~(pl.col("_earlier") | pl.col("_later")))["_uri"].to_list(), count


def _takes(read: object, project: Path) -> bool:
    if not isinstance(read, str):
        return False
    return may_be_delta(read) if is_address(read) else is_delta(project / read)


def _open(source: Source, project: Path) -> DeltaOffer:
    address = str(source.read)
    if not is_address(address):
        address = str((project / address).absolute())
        if set(_UNUSABLE) & set(address):
            raise SourceUnreadable(
                source.name,
                where=source.place,
                allowed=f"a Delta table in a folder whose path has none of {' '.join(_UNUSABLE)}",
                got=address,
                do="move the table, or the project",
            )
    try:
        return DeltaOffer(DeltaTable(address))
    except (DeltaError, OSError, ValueError) as error:
        told = shown(listed(str(error).splitlines()[:1]), of=address)
        raise SourceUnreadable(
            source.name,
            where=source.place,
            allowed="a Delta table: a folder with a _delta_log that can be read",
            got=f"{shown_address(address)}: {told}",
            do="see that the table is there and whole, and that the environment holds the store's credentials",
        ) from None  # the error's own text may show the address


DELTA = Reader(allowed="a Delta table by folder or address", takes=_takes, open=_open)
