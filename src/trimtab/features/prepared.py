"""Facts of feature views kept in the order in which they can be seen, so that a join of many questions only reads.

A projection of dataset versions, as the online store is: it can be deleted, and is made again. New versions are
written as a part of their own, which takes in its predecessors that are not much larger: there are few parts (a
logarithm of the number of facts), and no fact is written often. A file says in its name which versions it holds,
and the digest of the last, which stands for the whole history up to it: a part of another history, as after a
restored backup, is not read, and neither is one that a killed process has half written. Both are removed.

Layout: FOLDER/DEFINITION/FIRST-LAST-ROWS-DIGEST.arrow, Arrow IPC files that are read without being parsed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl
import pyarrow as pa

from trimtab.features.bitemporal_join import VisibleFacts
from trimtab.features.offline import visible
from trimtab.features.view import FeatureView
from trimtab.kernel.source import Source

_NAME = re.compile(r"(\d{8})-(\d{8})-(\d+)-(.{16})\.arrow")
_DIGEST_LETTERS = 16
_ENDS_WITH = b"ARROW1"  # of a file that was written whole
_TAKEN_IN = 8  # a part is at least this many times larger than all that came after it
_TRIES = 5  # a reader's file may be taken in by a larger one before it is opened


class SourceHistory(Protocol):
    """What preparing needs to know of dataset versions."""

    def digest(self, source: str, number: int) -> str:
        """Of a version: it stands for its content and for that of all older ones."""
        ...

    def frame(self, source: str, upto: int | None = None, after: int = 0) -> pl.LazyFrame:
        """Rows of versions after + 1 to upto."""
        ...


@dataclass(frozen=True)
class _Part:
    """The facts of versions `first` to `last`."""

    first: int
    last: int
    rows: int
    digest: str  # the beginning of that of version `last`
    path: Path


class PreparedFacts:
    """Of all views of a project. One process writes; any number read."""

    def __init__(self, folder: Path, history: SourceHistory) -> None:
        self._folder = folder
        self._history = history

    def extend(self, view: FeatureView, version: str, source: Source, number: int) -> None:
        """Bring a view's facts up to a version of its source.

        Args:
            view: the view.
            version: digest of its definition.
            source: that it reads.
            number: of the source's version.
        """
        folder = self._folder / version
        parts = self._chain(folder, source, number)
        done = parts[-1].last if parts else 0
        if done >= number:
            return
        new = visible(view, source, self._history.frame(source.name, number, after=done))
        first, height, joined = done + 1, new.parts[0].seen.height, [new]
        while parts and parts[-1].rows <= _TAKEN_IN * height:
            older = parts.pop()
            joined.insert(0, _read(older.path, view.entity))
            first, height = older.first, height + older.rows
        table, digest = VisibleFacts.together(joined).in_one(), self._digest(source, number)
        written = _write(table, folder / f"{first:08d}-{number:08d}-{table.height}-{digest}.arrow")
        kept = {written, *(part.path for part in parts)}
        for path in folder.iterdir():
            if path not in kept:
                path.unlink(missing_ok=True)

    def read(
        self, view: FeatureView, version: str, source: Source, upto: int
    ) -> tuple[VisibleFacts | None, pl.LazyFrame]:
        """The facts of a source's versions up to one, as far as they are prepared, and the rows that came later."""
        for _ in range(_TRIES):
            parts = self._chain(self._folder / version, source, upto)
            if not parts:
                break
            with suppress(FileNotFoundError):
                facts = VisibleFacts.together([_read(one.path, view.entity) for one in parts])
                return facts, self._history.frame(source.name, upto, after=parts[-1].last)
        return None, self._history.frame(source.name, upto)

    def _chain(self, folder: Path, source: Source, upto: int) -> list[_Part]:
        """Parts that follow one another from the first version on, the longest ones."""
        longest: dict[int, _Part] = {}
        for part in _parts(folder):
            if part.last > upto or (part.first in longest and part.last <= longest[part.first].last):
                continue
            if part.digest == self._digest(source, part.last) and _whole(part.path):
                longest[part.first] = part
        chain: list[_Part] = []
        while (next_ := longest.get(chain[-1].last + 1 if chain else 1)) is not None:
            chain.append(next_)
        return chain

    def _digest(self, source: Source, number: int) -> str:
        return self._history.digest(source.name, number)[:_DIGEST_LETTERS]


def _parts(folder: Path) -> Iterator[_Part]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if name := _NAME.fullmatch(path.name):
            yield _Part(int(name[1]), int(name[2]), int(name[3]), name[4], path)


def _whole(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        file.seek(-len(_ENDS_WITH), os.SEEK_END)
        return file.read() == _ENDS_WITH
    return False


def _write(table: pl.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}")
    table.write_ipc(half, record_batch_size=max(1, table.height))
    return half.rename(path)


def _read(path: Path, by: Sequence[str]) -> VisibleFacts:
    # Mapped, not read: Polars would copy it.
    with pa.memory_map(str(path)) as file:
        table = pl.from_arrow(pa.ipc.open_file(file).read_all())
    assert isinstance(table, pl.DataFrame)
    return VisibleFacts.in_order(table, by)
