"""Moves sealed segments into the predictions table, exactly once, whatever is killed when.

The order: write what proves the rows that a sample keeps (named by its content) → append these to the table
(idempotent by writer and number, with a note of the segments) → one unit of work in the journal (entry, records,
pointer) → remove the files. After a crash the table's last append is adopted if the journal does not know it, and
files whose record exists are removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from trimtab.kernel.canonical import Json, JsonMap
from trimtab.kernel.errors import Corrupt
from trimtab.kernel.prediction import Prediction
from trimtab.ports.journal import Journal, JournalReader
from trimtab.ports.tables import Appended, TableWriter
from trimtab.serving.compacting_alone import compacting_alone
from trimtab.serving.log_reader import TABLE
from trimtab.serving.pairing import Paired, Unscored, as_they_are, together
from trimtab.serving.parting import Parted, parted
from trimtab.serving.sampling import Sampling
from trimtab.serving.segment import SEALED, SET_ASIDE, Segment, read_segment
from trimtab.serving.segment_folder import SegmentFolder
from trimtab.serving.whereabouts import SEGMENT


@dataclass(frozen=True)
class Compaction:
    """What one call did."""

    segments: tuple[str, ...]  # moved
    rows: int  # records in them
    kept: int  # of `rows`, those that are in the table now
    corrupt: tuple[str, ...]  # set aside: not what was sealed
    unscored: tuple[Unscored, ...] = ()  # rows that a release was to be compared on, and could not score


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
        sampling: Sampling | None = None,
        pair: Callable[[Sequence[Prediction]], Paired] = as_they_are,
    ) -> None:
        self._folder = folder
        self._system = system
        self._tables = tables
        self._journal = journal
        self._history = history
        self._batch_bytes = batch_bytes
        self._writer = writer_of(system)
        self._sampling = sampling or Sampling()
        self._pair = pair
        self._proofs = folder.proofs

    def compact(self, *, at: datetime, actor: str) -> Compaction:
        """Move everything that is sealed; segments still being written stay (see SealBoard.request_seal).

        Those of dead writers are sealed first: what is moved must not depend on how quickly somebody else does it.

        Raises:
            Busy: another process is compacting this system.
        """
        with compacting_alone(self._folder.path, self._system):
            moved: list[dict[str, Json]] = []
            corrupt: list[str] = []
            unscored: list[Unscored] = []
            self._folder.seal_orphans()
            adopted = self._adopt(at, actor)
            if adopted is not None:
                moved += _noted(adopted)
            self._remove_known()
            keeps = self._sampling.chooser()
            for batch in self._batches(at, actor, corrupt):
                done = parted(batch, keeps, self._pair)
                appended = self._tables.append(
                    TABLE,
                    done.rows,
                    writer=self._writer,
                    number=self._done() + 1,
                    note=self._note(batch, done),
                    partition_by=("date",),
                    widen=True,  # one that an older Trimtab has made lacks columns
                )
                self._enter(appended, at, actor)
                self._remove(one.header.name for one in batch)
                moved += _noted(appended)
                unscored += done.unscored
            return Compaction(
                segments=tuple(str(one["name"]) for one in moved),
                rows=sum(cast("int", one["rows"]) for one in moved),
                kept=sum(sum(cast("dict[str, int]", one["kept"]).values()) for one in moved),
                corrupt=tuple(corrupt),
                unscored=together(unscored),
            )

    def _note(self, batch: Sequence[Segment], done: Parted) -> JsonMap:
        """What goes with the append: the segments, and the files of proofs, which are written here."""
        segments: list[Json] = [_summary(one, done) for one in batch]
        if not done.parts:
            return {"segments": segments}
        proofs = {day.isoformat(): self._proofs.put(self._system, day, parts) for day, parts in done.parts.items()}
        return {"segments": segments, "proofs": dict(proofs), "policy": self._sampling.policy.words}

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
        proved = {name: appended.note[name] for name in ("proofs", "policy") if name in appended.note}
        with self._journal.begin(at=at, actor=actor) as unit:
            unit.append(
                "segments.compacted",
                self._system,
                {
                    "number": appended.number,
                    "table_version": appended.table_version,
                    "segments": list(segments),
                    **proved,
                },
            )
            for one in segments:
                body: JsonMap = {
                    "table_version": appended.table_version,
                    "files": files,
                    "system": self._system,
                    **{name: value for name, value in one.items() if name != "name"},
                    **proved,
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
        """Sealed segments of this system in batches of about `batch_bytes`, each record counted by itself."""
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
            size_bytes += segment.record_bytes
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


def writer_of(system: str) -> str:
    """Who appends a system's predictions."""
    return f"compactor/{system}"


def _noted(appended: Appended) -> Sequence[dict[str, Json]]:
    return cast("list[dict[str, Json]]", appended.note["segments"])


def _summary(segment: Segment, done: Parted) -> dict[str, Json]:
    name = segment.header.name
    kept: dict[str, Json] = {day.isoformat(): count for day, count in done.kept[name].items()}
    beside: dict[str, Json] = {"beside": done.beside[name]} if done.beside[name] else {}
    return {"name": name, "rows": len(segment.records), "kept": kept, "root": segment.merkle_root().hex(), **beside}
