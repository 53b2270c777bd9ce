"""Tables on Delta Lake (delta-rs): local folders today, object stores by their address."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from trimtab.kernel.canonical import JsonMap, canonical
from trimtab.kernel.errors import Corrupt, NotFound
from trimtab.ports.tables import Appended

_NOTE = "trimtab"  # the key of our note in a Delta commit's own metadata


class DeltaTables:
    """Delta tables below one folder. Implements TableWriter and TableReader."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, DeltaTable] = {}

    def append(
        self,
        table: str,
        frame: pl.DataFrame,
        *,
        writer: str,
        number: int,
        note: JsonMap,
        partition_by: Sequence[str] = (),
    ) -> Appended:
        """Append once; Delta's application transactions carry (writer, number)."""
        last = self.last(table, writer)
        if last is not None and last.number >= number:
            return last if last.number == number else self._find(table, writer, number)
        before = set(self._files(table))
        stamp = {"writer": writer, "number": number, "note": dict(note)}
        properties = CommitProperties(
            custom_metadata={_NOTE: canonical(stamp).decode()},
            app_transactions=[Transaction(writer, number)],
        )
        write_deltalake(
            self._open.get(table) or str(self._folder(table)),
            frame,
            mode="append",
            partition_by=list(partition_by) or None,
            commit_properties=properties,
        )
        delta = self._load(table)
        assert delta is not None
        new = sorted(set(self._files(table)) - before)
        return Appended(number, delta.version(), self._hashed(table, new), note)

    def last(self, table: str, writer: str) -> Appended | None:
        """The writer's newest append."""
        delta = self._load(table)
        number = delta.transaction_version(writer) if delta is not None else None
        return None if number is None else self._find(table, writer, number)

    def exists(self, table: str) -> bool:
        """Whether the table has been made."""
        return self._load(table) is not None

    def scan(self, table: str, files: Sequence[str] | None = None) -> pl.LazyFrame:
        """The named files, or the newest version."""
        delta = self._load(table)
        if delta is None:
            raise NotFound("table", table, do="ingest the source first: trimtab up, or trimtab train")
        names = self._files(table) if files is None else files
        missing = [name for name in names if not (self._folder(table) / name).exists()]
        if missing:
            raise Corrupt(
                f"table '{table}'",
                where=str(self._folder(table) / missing[0]),
                allowed="every file that a dataset version names",
                got=f"{len(missing)} of {len(names)} files are gone",
                do="restore the files from a backup; pinned files must never be vacuumed",
            )
        if not names:
            return self.scan(table).clear()
        # Partition values stand in the path (date=2013-04-01/…), not in the file.
        partitioned = any("=" in name for name in names)
        return pl.scan_parquet([self._folder(table) / name for name in names], hive_partitioning=partitioned)

    def _find(self, table: str, writer: str, number: int) -> Appended:
        """An earlier append, from the commit that carries its stamp."""
        delta = self._load(table)
        assert delta is not None
        for commit in delta.history():
            stamp = json.loads(commit.get(_NOTE) or "{}")
            if stamp.get("writer") == writer and stamp.get("number") == number:
                version = int(commit["version"])
                files = self._files_at(table, version) - self._files_at(table, version - 1)
                return Appended(number, version, self._hashed(table, sorted(files)), stamp["note"])
        raise Corrupt(
            f"table '{table}'",
            where=str(self._folder(table) / "_delta_log"),
            allowed=f"a commit for append {number} of writer '{writer}', which the table says it has",
            got="no such commit in its history",
            do="restore the _delta_log folder from a backup",
        )

    def _folder(self, table: str) -> Path:
        return self._root / table

    def _load(self, table: str) -> DeltaTable | None:
        delta = self._open.get(table)
        if delta is not None:
            delta.update_incremental()
            return delta
        if not (self._folder(table) / "_delta_log").is_dir():
            return None
        self._open[table] = DeltaTable(str(self._folder(table)))
        return self._open[table]

    def _files(self, table: str) -> list[str]:
        delta = self._load(table)
        return [] if delta is None else [_relative(uri, self._folder(table)) for uri in delta.file_uris()]

    def _files_at(self, table: str, version: int) -> set[str]:
        if version < 0:
            return set()
        delta = DeltaTable(str(self._folder(table)), version=version)
        return {_relative(uri, self._folder(table)) for uri in delta.file_uris()}

    def _hashed(self, table: str, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
        folder = self._folder(table)
        return tuple((name, hashlib.sha256((folder / name).read_bytes()).hexdigest()) for name in names)


def _relative(uri: str, folder: Path) -> str:
    return uri.removeprefix("file://").removeprefix(str(folder)).lstrip("/")
