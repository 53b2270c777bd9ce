"""Facts of feature views kept in the order in which they can be seen, so that a join of many questions only reads.

A projection of dataset versions, as the online store is: it can be deleted, and is made again. New versions are
written as a part of their own, which takes in its predecessors that are not much larger: there are few parts (a
logarithm of the number of facts), and no fact is written often. A file says in its name which versions it holds; a
part that a killed process has half written, or taken in and not removed, is known by that and removed.

Layout: FOLDER/DEFINITION/FIRST-LAST-ROWS.arrow, Arrow IPC files that are read without being parsed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa

from trimtab.features.bitemporal_join import VisibleFacts
from trimtab.features.offline import visible
from trimtab.features.view import FeatureView
from trimtab.kernel.source import Source

_NAME = re.compile(r"(\d{8})-(\d{8})-(\d+)\.arrow")
_ENDS_WITH = b"ARROW1"  # of a file that was written whole
_TRIES = 5  # a reader's file may be taken in by a larger one before it is opened


@dataclass(frozen=True)
class _Part:
    """The facts of versions `first` to `last`."""

    first: int
    last: int
    rows: int
    path: Path


class PreparedFacts:
    """Of all views of a project. One process writes; any number read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def extend(
        self, view: FeatureView, version: str, source: Source, number: int, rows: Callable[[int], pl.LazyFrame]
    ) -> None:
        """Bring a view's facts up to a version of its source.

        Args:
            view: the view.
            version: digest of its definition.
            source: that it reads.
            number: of the source's version.
            rows: those that the versions behind one brought, up to `number`.
        """
        folder = self._folder / version
        parts = _chain(folder, number)
        done = parts[-1].last if parts else 0
        if done >= number:
            return
        new = visible(view, source, rows(done))
        first, height, joined = done + 1, new.parts[0].height, [new]
        while parts and parts[-1].rows <= 2 * height:
            older = parts.pop()
            joined.insert(0, _read(older.path, view.entity))
            first, height = older.first, height + older.rows
        _write(VisibleFacts.together(joined).in_one(), folder, first, number)
        kept = {part.path for part in parts}
        for path in folder.iterdir():
            if path not in kept and not path.name.startswith(f"{first:08d}-{number:08d}-"):
                path.unlink(missing_ok=True)

    def read(self, view: FeatureView, version: str, upto: int) -> tuple[VisibleFacts | None, int]:
        """The facts of versions of the source up to one, as far as they are prepared, and the last of these."""
        for _ in range(_TRIES):
            parts = _chain(self._folder / version, upto)
            if not parts:
                break
            with suppress(FileNotFoundError):
                return VisibleFacts.together([_read(one.path, view.entity) for one in parts]), parts[-1].last
        return None, 0


def _chain(folder: Path, upto: int) -> list[_Part]:
    """Parts that follow one another from the first version on, the longest ones."""
    longest: dict[int, _Part] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        if (name := _NAME.fullmatch(path.name)) is None:
            continue
        first, last, rows = map(int, name.groups())
        part = _Part(first, last, rows, path)
        if (
            part.last <= upto
            and (part.first not in longest or part.last > longest[part.first].last)
            and _whole(path)
        ):
            longest[part.first] = part
    chain: list[_Part] = []
    while (next_ := longest.get(chain[-1].last + 1 if chain else 1)) is not None:
        chain.append(next_)
    return chain


def _whole(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        file.seek(-len(_ENDS_WITH), os.SEEK_END)
        return file.read() == _ENDS_WITH
    return False


def _write(table: pl.DataFrame, folder: Path, first: int, last: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{first:08d}-{last:08d}-{table.height}.arrow"
    half = folder / f".{path.name}"
    table.write_ipc(half, record_batch_size=max(1, table.height))
    half.rename(path)


def _read(path: Path, by: Sequence[str]) -> VisibleFacts:
    # Mapped, not read: Polars would copy it.
    with pa.memory_map(str(path)) as file:
        table = pl.from_arrow(pa.ipc.open_file(file).read_all())
    assert isinstance(table, pl.DataFrame)
    return VisibleFacts.in_order(table, by)
