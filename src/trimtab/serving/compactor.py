"""Moves sealed segments into the predictions table, exactly once, whatever is killed when.

The order: append to the table (idempotent by writer and number, with a note of the segments) → one unit of work
in the journal (entry, records, pointer) → remove the files. After a crash the table's last append is adopted if
the journal does not know it, and files whose record exists are removed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

import polars as pl

from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.errors import Busy, Corrupt
from trimtab.ports.journal import Journal, JournalReader
from trimtab.ports.tables import Appended, TableWriter
from trimtab.serving.log_reader import SEGMENT, TABLE, frame_of_predictions
from trimtab.serving.segment import SEALED, SET_ASIDE, Segment, read_segment
from trimtab.serving.segment_folder import SegmentFolder


@dataclass(frozen=True)
class Compaction:
    """What one call did."""

    segments: tuple[str, ...]  # in the table now
    rows: int
    corrupt: tuple[str, ...]  # set aside: not what was sealed


class Compactor:
    """Compacts one system's segments. One process at a time; a second one gets Busy."""

    def __init__(
        self,
        folder: SegmentFolder,
        *,
        system: str,
        tables: TableWriter,
        journal: Journal,
        history: JournalReader,
        batch_bytes: int = 128 << 20,
    ) -> None:
        self._folder = folder
        self._system = system
        self._tables = tables
        self._journal = journal
        self._history = history
        self._batch_bytes = batch_bytes
        self._writer = f"compactor/{system}"

    def compact(self, *, at: datetime, actor: str) -> Compaction:
        """Move everything that is sealed; segments still being written stay (see SealBoard.request_seal).

        Those of dead writers are sealed first: what is moved must not depend on how quickly somebody else does it.

        Raises:
            Busy: another process is compacting this system.
        """
        with self._alone():
            names: list[str] = []
            rows = 0
            corrupt: list[str] = []
            self._folder.seal_orphans()
            adopted = self._adopt(at, actor)
            if adopted is not None:
                names += [str(one["name"]) for one in _noted(adopted)]
                rows += sum(cast("int", one["rows"]) for one in _noted(adopted))
            self._remove_known()
            for batch in self._batches(at, actor, corrupt):
                note: JsonMap = {"segments": [_summary(one) for one in batch]}
                appended = self._tables.append(
                    TABLE,
                    _frame(batch),
                    writer=self._writer,
                    number=self._done() + 1,
                    note=note,
                    partition_by=("date",),
                )
                self._enter(appended, at, actor)
                self._remove(one.header.name for one in batch)
                names += [one.header.name for one in batch]
                rows += sum(len(one.frames) for one in batch)
            return Compaction(tuple(names), rows, tuple(corrupt))

    def _adopt(self, at: datetime, actor: str) -> Appended | None:
        """The append that a killed compactor finished and did not enter."""
        last, done = self._tables.last(TABLE, self._writer), self._done()
        if last is None or last.number == done:
            return None
        if last.number != done + 1:
            raise Corrupt(
                f"the journal or the table '{TABLE}'",
                where=self._writer,
                allowed=f"append {done} or {done + 1} as the newest in the table",
                got=f"append {last.number}",
                do="restore both from backups of the same time",
            )
        self._enter(last, at, actor)
        return last

    def _enter(self, appended: Appended, at: datetime, actor: str) -> None:
        """Ledger entry, one record per segment, pointer: in one unit of work."""
        files: list[Json] = [name for name, _ in appended.files]
        segments = _noted(appended)
        with self._journal.begin(at=at, actor=actor) as unit:
            unit.append(
                "segments.compacted",
                self._system,
                {"number": appended.number, "table_version": appended.table_version, "segments": list(segments)},
            )
            for one in segments:
                body: JsonMap = {
                    "table_version": appended.table_version,
                    "files": files,
                    "rows": one["rows"],
                    "root": one["root"],
                }
                unit.put(SEGMENT, str(one["name"]), body)
            unit.point(self._pointer, str(appended.number))

    @property
    def _pointer(self) -> str:
        return f"compacted/{self._system}"

    def _done(self) -> int:
        """The newest append that the journal knows; 0 before the first."""
        pointer = self._history.pointer(self._pointer)
        return 0 if pointer is None else int(pointer.value)

    def _batches(self, at: datetime, actor: str, corrupt: list[str]) -> Iterator[list[Segment]]:
        """Sealed segments of this system in batches of about `batch_bytes`."""
        batch: list[Segment] = []
        size_bytes = 0
        for path in self._folder.files(SEALED):
            try:
                segment = read_segment(path)
            except Corrupt as error:
                self._set_aside(path, error, at, actor)
                corrupt.append(path.stem)
                continue
            if segment is None or segment.header.system != self._system:
                continue
            batch.append(segment)
            size_bytes += segment.end
            if size_bytes >= self._batch_bytes:
                yield batch
                batch, size_bytes = [], 0
        if batch:
            yield batch

    def _set_aside(self, path: Path, error: Corrupt, at: datetime, actor: str) -> None:
        """A damaged segment must not stop the others; the ledger says that it exists."""
        with self._journal.begin(at=at, actor=actor) as unit:
            unit.append("segment.corrupt", path.stem, {"where": error.where, "got": error.got})
        with suppress(FileNotFoundError):  # another system's compactor may have seen it, too
            path.rename(path.with_suffix(SET_ASIDE))

    def _remove_known(self) -> None:
        """Files that a killed compactor entered and did not remove."""
        self._remove(
            path.stem for path in self._folder.files(SEALED) if self._history.record(SEGMENT, path.stem) is not None
        )

    def _remove(self, names: Iterator[str]) -> None:
        for name in names:
            (self._folder.path / f"{name}{SEALED}").unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        path = self._folder.path / f"compactor-{self._system}.lock"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(
                    f"the compaction of '{self._system}'", where=str(path), do="let the other one finish"
                ) from None
            yield
        finally:
            os.close(fd)


def _noted(appended: Appended) -> Sequence[dict[str, Json]]:
    return cast("list[dict[str, Json]]", appended.note["segments"])


def _summary(segment: Segment) -> dict[str, Json]:
    assert segment.root is not None
    return {"name": segment.header.name, "rows": len(segment.frames), "root": segment.root.hex()}


def _frame(batch: Sequence[Segment]) -> pl.DataFrame:
    return frame_of_predictions((segment.header.name, one) for segment in batch for one in segment.predictions())
