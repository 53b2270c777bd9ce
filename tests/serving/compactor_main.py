"""A process that compacts: `compactor_main.py FOLDER POINT`. Says "go", and dies at POINT without a word more."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.serving.conftest import open_stores
from tests.serving.dying_journal import DyingJournal
from tests.serving.logged import paired
from tests.serving.releases import SYSTEM

from trimtab.adapters.tables_delta import DeltaTables
from trimtab.ports.tables import Appended
from trimtab.serving.compactor import Compactor

POINTS = ("before append", "after append", "within unit", "after unit", "after first removal")


class DyingTables(DeltaTables):
    """Delta tables whose process dies before or after an append."""

    def __init__(self, root: Path, point: str) -> None:
        super().__init__(root)
        self._point = point

    def append(self, *arguments: Any, **named: Any) -> Appended:
        if self._point == "before append":
            os._exit(9)
        appended = super().append(*arguments, **named)
        if self._point == "after append":
            os._exit(9)
        return appended


def main(folder: str, point: str) -> None:
    """Compact in batches of a few segments."""
    database, stores = open_stores(Path(folder))

    def die_at_second_removal(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.remove" and str(arguments[0]).endswith(".sealed"):
            removed.append(str(arguments[0]))
            if len(removed) == 2:
                os._exit(9)

    removed: list[str] = []
    if point == "after first removal":
        sys.addaudithook(die_at_second_removal)
    compactor = Compactor(
        stores.segments,
        system=SYSTEM,
        tables=DyingTables(Path(folder) / "tables", point),
        journal=DyingJournal(stores.journal, point),
        history=stores.history,
        batch_bytes=1000,
        pair=paired(stores),
    )
    print("go", flush=True)
    compactor.compact(at=datetime(2013, 5, 1, tzinfo=UTC), actor="test")
    database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
