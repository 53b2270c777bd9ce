"""What was seen in immutable files, so that a look does not open all of them again.

A file is the one that was seen if its size, its two times and its number on the disk are the same. Two writes
within one tick of the disk's clock may leave all of these alike: a file is remembered only when it had not been
changed for a while as it was read, which is told by the disk's own clock, from a file written there.
The memory may be lost or deleted at any time: it is then made again from the files.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR

import polars as pl

from trimtab.kernel.source import Source

_FOLDER = Path(".trimtab", "feeds")
SETTLED_NS = 2_000_000_000  # the coarsest clock of a disk in use (FAT) ticks every two seconds
_FORMAT = "1"
_PATH = "_trimtab_path"
_STAT = {"size_bytes": pl.Int64, "mtime_ns": pl.Int64, "ctime_ns": pl.Int64, "inode": pl.UInt64}
_SEEN = {"rows": pl.Int64, "nulls": pl.Int64, "oldest_us": pl.Int64, "newest_us": pl.Int64}
_SCHEMA = pl.Schema({_PATH: pl.String, **_STAT, **_SEEN})


class FileMemory:
    """Of one source: each file's rows, its rows without a known time, and the range of the others' known times."""

    def __init__(self, project: Path, source: Source, known: str, schema: pl.Schema) -> None:
        self._path = project / _FOLDER / f"{source.name}.parquet"
        self._known = known
        self._schema = schema
        self._mark = {"format": _FORMAT, "known": known, "schema": repr(schema)}

    def needed(self, files: Sequence[str], after_us: int, until_us: int) -> tuple[list[str], int] | None:
        """The files that hold rows known in (after, until] or without a known time, and perhaps others.

        Returns:
            Their paths in the order given, and how many rows of the other files were known by `after`; None if a
            folder is among them, whose files may change and leave the folder as it was.
        """
        draft = self._draft()  # made before any file is looked at: its own time is the disk's time of this look
        try:
            seen = self._seen(files, draft)
        finally:
            if draft is not None:
                draft.unlink(missing_ok=True)
        if seen is None:
            return None
        dated = pl.col("nulls") == 0
        earlier = (pl.col("rows") == 0) | (dated & (pl.col("newest_us") <= after_us))
        later = dated & (pl.col("oldest_us") > until_us)
        left = earlier.fill_null(value=False)
        kept = seen.filter(~left & ~later.fill_null(value=False))
        return kept[_PATH].to_list(), int(seen.filter(left)["rows"].sum())

    def _seen(self, files: Sequence[str], draft: Path | None) -> pl.DataFrame | None:
        """Every file with what it holds, in the order given."""
        now_ns = 0 if draft is None else draft.stat().st_mtime_ns
        # Before they are read: what changes a file while it is read shows at the next look.
        found = _found(files)
        if found is None:
            return None
        old = found.join(self._load(), on=[_PATH, *_STAT], how="left", maintain_order="left")
        fresh = old.filter(pl.col("rows").is_null())[_PATH]
        if fresh.is_empty():
            return old
        new = self._read(fresh.to_list())
        seen = old.update(new, on=_PATH, how="left", maintain_order="left")
        changed_ns = pl.max_horizontal("mtime_ns", "ctime_ns")
        if draft is not None:
            self._save(seen.filter(changed_ns <= now_ns - SETTLED_NS), draft)
        return seen

    def _read(self, paths: list[str]) -> pl.DataFrame:
        """Looked up in the column itself: a file's statistics may be missing or rounded."""
        known = pl.col("at").dt.cast_time_unit("us").to_physical()
        read = (
            pl.scan_parquet(paths, glob=False, schema=self._schema, include_file_paths=_PATH)
            .select(pl.col(_PATH), pl.col(self._known).alias("at"))
            .group_by(_PATH)
            .agg(
                pl.len().cast(pl.Int64).alias("rows"),
                pl.col("at").null_count().cast(pl.Int64).alias("nulls"),
                known.min().alias("oldest_us"),
                known.max().alias("newest_us"),
            )
            .collect()
        )
        empty = pl.DataFrame({_PATH: paths}, schema={_PATH: pl.String}).join(read, on=_PATH, how="anti")
        return pl.concat(
            [read, empty.with_columns(rows=pl.lit(0, pl.Int64), nulls=pl.lit(0, pl.Int64))], how="diagonal"
        )

    def _load(self) -> pl.DataFrame:
        nothing = pl.DataFrame(schema=_SCHEMA)
        try:
            mark = pl.read_parquet_metadata(self._path)
            if {name: mark.get(name) for name in self._mark} != self._mark:
                return nothing
            held = pl.read_parquet(self._path, glob=False)
        except (pl.exceptions.PolarsError, OSError):
            return nothing  # none yet, or one that a full disk has cut short: made again
        return held if held.schema == _SCHEMA else nothing

    def _draft(self) -> Path | None:
        """An empty file on the disk that keeps the memory; None if it takes none, as then nothing is remembered."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, draft = tempfile.mkstemp(dir=self._path.parent)
        except OSError:
            return None
        os.close(descriptor)
        return Path(draft)

    def _save(self, seen: pl.DataFrame, draft: Path) -> None:
        # A full disk costs the memory, not the look: whatever needs the disk itself will say so.
        with suppress(OSError, pl.exceptions.PolarsError):
            seen.select(_SCHEMA.names()).write_parquet(draft, metadata=self._mark)
            draft.replace(self._path)


def _found(files: Sequence[str]) -> pl.DataFrame | None:
    stats = [os.stat(one) for one in files]
    if any(S_ISDIR(one.st_mode) for one in stats):
        return None
    rows = [
        (path, one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino)
        for path, one in zip(files, stats, strict=True)
    ]
    return pl.DataFrame(rows, schema={_PATH: pl.String, **_STAT}, orient="row")
