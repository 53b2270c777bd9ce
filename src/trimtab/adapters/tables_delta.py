"""Tables on Delta Lake (delta-rs): local folders today, object stores by their address."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

import polars as pl
import polars.selectors as cs
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from trimtab.kernel.canonical import JsonMap, canonical
from trimtab.kernel.errors import Corrupt, NotFound, ProjectInvalid
from trimtab.ports.tables import Appended

NOTE = "trimtab"  # the key of our note in a Delta commit's own metadata
_UNUSABLE = "%[]\\^|#?"  # delta-rs turns a folder's name into a URL, and fails on these or takes another folder
_CENTURY = "interval 5200 weeks"
_CONFIGURATION = {
    # A commit reads the log back to its last checkpoint: at Delta's own 100 that is most of an append's time.
    "delta.checkpointInterval": "10",
    # For others' tools: dataset versions name files that a compaction calls removed, and commits carry our stamps.
    "delta.deletedFileRetentionDuration": _CENTURY,
    "delta.logRetentionDuration": _CENTURY,
}
# Old commits are kept: they carry our stamps, and what was current at a time is asked for years later.
HOOKS = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
TRIES = 5  # a commit is refused when another process has made the table, or appended under the same name


class DeltaTables:
    """Delta tables below one folder. Implements TableWriter and TableReader."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        if set(_UNUSABLE) & set(str(self._root)):
            raise ProjectInvalid(
                "Delta tables cannot lie in this folder",
                where=str(self._root),
                allowed=f"a path without any of {' '.join(_UNUSABLE)}",
                do="move the project to another folder",
            )
        self._open: dict[str, DeltaTable] = {}
        self._found: dict[tuple[str, str, int], Appended] = {}  # appends never change: once found, they stay

    def append(
        self,
        table: str,
        frame: pl.DataFrame,
        *,
        writer: str,
        number: int,
        note: JsonMap,
        partition_by: Sequence[str] = (),
        widen: bool = False,
    ) -> Appended:
        """Append once; Delta's application transactions carry (writer, number)."""
        frame = frame.with_columns(cs.datetime().dt.cast_time_unit("us"))
        frame = frame.with_columns(cs.datetime(time_zone="*").dt.convert_time_zone("UTC"))
        stamp = {"writer": writer, "number": number, "note": dict(note)}
        properties = CommitProperties(
            custom_metadata={NOTE: canonical(stamp).decode()},
            app_transactions=[Transaction(writer, number)],
        )
        for tries_left in reversed(range(TRIES)):
            delta = self._load(table) or self._create(table, frame, partition_by)
            # Not refreshed from here on: Delta refuses the commit if the writer's number has moved since.
            last = delta.transaction_version(writer)
            if last is not None and last >= number:
                break
            version = delta.version()
            try:
                files = self._write(table, delta, frame, properties, f"{writer} {number} ", widen=widen)
            except CommitFailedError:
                if not tries_left:
                    raise
                continue
            if files and self._stamp(table, version + 1) == stamp:
                return self._keep(table, writer, number, version + 1, files, note)
            break  # Delta has named the files, or others have appended at the same time
        return self._find(table, writer, number)

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
        if delta is None and not files:
            raise NotFound("table", table, do="ingest the source first: trimtab up, or trimtab train")
        names = files if files is not None else files_of(delta) if delta is not None else ()
        self._all_there(table, names)
        if delta is None:  # the log is gone: the files say themselves what they hold
            parts = any("=" in name for name in names)
            return pl.scan_parquet(
                [self._folder(table) / name for name in names], glob=False, hive_partitioning=parts
            )
        schema = pl.Schema(delta.schema().to_arrow())
        if not names:
            return pl.LazyFrame(schema=schema)
        # Partition values stand in the path (date=2013-04-01/…), not in the file.
        columns = delta.metadata().partition_columns
        return pl.scan_parquet(
            [self._folder(table) / name for name in names],
            glob=False,
            schema={name: kind for name, kind in schema.items() if name not in columns},
            missing_columns="insert",  # files of before the table was widened lack some
            hive_partitioning=bool(columns),
            hive_schema={name: schema[name] for name in columns} or None,
        ).select(schema.names())

    def check(self, table: str, files: Sequence[tuple[str, str]]) -> None:
        """Hold files against what lies there."""
        self._all_there(table, [name for name, _ in files])
        changed = [one for one in files if self._hashed(table, [one[0]]) != (one,)]
        if changed:
            [(name, recorded), *_] = changed
            raise Corrupt(
                f"table '{table}'",
                where=str(self._folder(table) / name),
                allowed=f"bytes with SHA-256 {recorded}",
                got=f"{len(changed)} of {len(files)} files are not what was written",
                do="restore the files from a backup",
            )

    def _all_there(self, table: str, names: Sequence[str]) -> None:
        missing = [name for name in names if not (self._folder(table) / name).exists()]
        if missing:
            raise Corrupt(
                f"table '{table}'",
                where=str(self._folder(table) / missing[0]),
                allowed="every file that a dataset version names",
                got=f"{len(missing)} of {len(names)} files are gone",
                do="restore the files from a backup; pinned files must never be vacuumed",
            )

    def _write(
        self,
        table: str,
        delta: DeltaTable,
        frame: pl.DataFrame,
        properties: CommitProperties,
        append: str,
        *,
        widen: bool,
    ) -> set[str]:
        """Append; the new files, or nothing where Delta has named them itself.

        Delta's own writer reads what it knows of every file of the table: its appends get slower with each.
        """
        schema = pl.Schema(delta.schema().to_arrow())
        columns = delta.metadata().partition_columns
        plain = all(schema[name] == pl.Date and not frame[name].null_count() for name in columns)
        if frame.is_empty() or frame.schema != schema or not plain:
            write_deltalake(
                delta,
                frame,
                mode="append",
                schema_mode="merge" if widen else None,
                commit_properties=properties,
                post_commithook_properties=HOOKS,
            )
            return set()
        parts = frame.partition_by(columns, as_dict=True, include_key=False) if columns else {(): frame}
        actions = [
            self._add(table, dict(zip(columns, map(str, values), strict=True)), rows, append)
            for values, rows in parts.items()
        ]
        delta.create_write_transaction(
            [*actions],
            "append",
            delta.schema(),
            partition_by=[*columns],
            commit_properties=properties,
            post_commithook_properties=HOOKS,
        )
        return {action.path for action in actions}

    def _add(self, table: str, partition: dict[str, str], rows: pl.DataFrame, append: str) -> AddAction:
        sink = io.BytesIO()
        rows.write_parquet(sink)
        data = sink.getvalue()
        # Named by the append and its content: whoever writes the same file at the same time does no harm.
        name = f"{hashlib.sha256(append.encode() + data).hexdigest()}.parquet"
        path = "/".join([*(f"{column}={value}" for column, value in partition.items()), name])
        target = self._folder(table) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as half:
            try:
                half.write(data)
                half.flush()
            except OSError:  # of a full disk: what is half written must not keep it full
                Path(half.name).unlink()
                raise
        Path(half.name).rename(target)
        return AddAction(path, len(data), partition, 0, True, json.dumps({"numRecords": rows.height}))

    def _stamp(self, table: str, version: int) -> JsonMap | None:
        """What one of our appends wrote beside its commit; None if the commit is not of ours."""
        log = self._folder(table) / "_delta_log" / f"{version:020d}.json"
        for line in log.read_text(encoding="utf-8").splitlines():
            written: str | None = json.loads(line).get("commitInfo", {}).get(NOTE)
            if written is not None:
                stamp: JsonMap = json.loads(written)
                return stamp
        return None

    def _find(self, table: str, writer: str, number: int) -> Appended:
        """An earlier append, from the commit that carries its stamp."""
        if (table, writer, number) in self._found:
            return self._found[table, writer, number]
        delta = self._load(table)
        assert delta is not None
        now = set(files_of(delta))  # what a later version has erased need not be there
        for commit in delta.history():
            stamp = json.loads(commit.get(NOTE) or "{}")
            if stamp.get("writer") == writer and stamp.get("number") == number:
                version = int(commit["version"])
                files = self._files_at(table, version) - self._files_at(table, version - 1)
                files = {one for one in files if one in now or (self._folder(table) / one).exists()}
                return self._keep(table, writer, number, version, files, stamp["note"])
        raise Corrupt(
            f"table '{table}'",
            where=str(self._folder(table) / "_delta_log"),
            allowed=f"a commit for append {number} of writer '{writer}', which the table says it has",
            got="no such commit in its history",
            do="restore the _delta_log folder from a backup",
        )

    def _folder(self, table: str) -> Path:
        return self._root / table

    def _keep(self, table: str, writer: str, number: int, version: int, files: set[str], note: JsonMap) -> Appended:
        done = Appended(number, version, self._hashed(table, sorted(files)), note)
        self._found[table, writer, number] = done
        return done

    def _create(self, table: str, frame: pl.DataFrame, partition_by: Sequence[str]) -> DeltaTable:
        folder = str(self._folder(table))
        schema = frame.clear().to_arrow().schema
        try:
            made = DeltaTable.create(
                folder,
                schema,
                mode="ignore",
                partition_by=list(partition_by) or None,
                configuration=dict(_CONFIGURATION),
            )
        except DeltaError:
            made = DeltaTable(folder)  # another process was quicker
        self._open[table] = made
        return made

    def _load(self, table: str) -> DeltaTable | None:
        delta = self._open.get(table)
        if delta is not None:
            # A refresh takes ten milliseconds, a look for the next commit's file none.
            if (self._folder(table) / "_delta_log" / f"{delta.version() + 1:020d}.json").exists():
                delta.update_incremental()
            return delta
        if not (self._folder(table) / "_delta_log").is_dir():
            return None
        self._open[table] = DeltaTable(str(self._folder(table)))
        return self._open[table]

    def _files_at(self, table: str, version: int) -> set[str]:
        return set() if version < 0 else set(files_of(DeltaTable(str(self._folder(table)), version=version)))

    def _hashed(self, table: str, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
        folder = self._folder(table)
        return tuple((name, hashlib.sha256((folder / name).read_bytes()).hexdigest()) for name in names)


def files_of(delta: DeltaTable) -> list[str]:
    """Paths relative to the table's folder, as they stand on the disk (the log keeps them as URLs)."""
    return [unquote(path) for path in pl.DataFrame(delta.get_add_actions(flatten=True))["path"]]
