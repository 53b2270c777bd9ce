"""Erasing from Delta tables: a delete commit takes the rows out, and the files it leaves behind are removed.

Delta's own vacuum is not used: it would also take what another writer has written and not committed yet.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError

from trimtab.adapters.tables_delta import HOOKS, NOTE, TRIES, files_of
from trimtab.kernel.canonical import JsonMap, canonical
from trimtab.ports.table_eraser import Owned

_PARTITION = "date="
_HALF_WRITTEN_S = 86_400.0  # older than that, a file under its writer's name for the time being has no writer


class DeltaEraser:
    """Of the tables below one folder. Implements TableEraser."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def erase(self, table: str, *, owned: Owned, before: date, writer: str, number: int, note: JsonMap) -> None:
        """One delete commit, which carries (writer, number)."""
        stamp = {"writer": writer, "number": number, "note": dict(note)}
        properties = CommitProperties(
            custom_metadata={NOTE: canonical(stamp).decode()}, app_transactions=[Transaction(writer, number)]
        )
        value = owned.value.replace("'", "''")
        for tries_left in reversed(range(TRIES)):
            delta = DeltaTable(str(self._root / table))
            if (delta.transaction_version(writer) or 0) >= number:
                return
            try:
                delta.delete(
                    f"{owned.column} = '{value}' and date < '{before}'",
                    commit_properties=properties,
                    post_commithook_properties=HOOKS,
                )
                return
            except CommitFailedError:  # another owner has appended meanwhile
                if not tries_left:
                    raise

    def sweep(self, table: str, *, owned: Owned, before: date) -> int:
        """Files in the folders of earlier days; a folder that is empty then goes, too."""
        folder = self._root / table
        if not (folder / "_delta_log").is_dir():
            return 0
        named = set(files_of(DeltaTable(str(folder))))
        freed_bytes = 0
        for day in _folders(folder, before):
            for path in day.iterdir():
                if str(path.relative_to(folder)) not in named and _may_go(path, owned):
                    freed_bytes += path.stat().st_size
                    path.unlink()
            with suppress(OSError):  # not empty: another owner's
                day.rmdir()
        return freed_bytes


def _folders(folder: Path, before: date) -> Iterator[Path]:
    for path in folder.glob(f"{_PARTITION}*"):
        with suppress(ValueError):  # a null partition is nobody's day
            if date.fromisoformat(path.name.removeprefix(_PARTITION)) < before:
                yield path


def _may_go(path: Path, owned: Owned) -> bool:
    """Whether a file that no version names is the owner's."""
    if path.name.startswith("."):
        return time.time() - path.stat().st_mtime > _HALF_WRITTEN_S
    try:
        owners = pl.scan_parquet(path, glob=False).select(owned.column).head(1).collect()
    except (pl.exceptions.PolarsError, OSError):
        return False  # not a file of this table
    return owners.height == 0 or owners.item() == owned.value
