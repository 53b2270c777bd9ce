"""A process that lets days expire: `expiry_main.py FOLDER POINT`. It dies at POINT without a word."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.serving.conftest import open_stores
from tests.serving.dying_journal import DyingJournal
from tests.serving.logged import expire

from trimtab.adapters.table_eraser_delta import DeltaEraser
from trimtab.serving.retention import Retention

POINTS = ("before erase", "after erase", "within unit", "after unit", "after first removal")
KEEP = Retention("10d")
LATER = datetime(2013, 4, 12, 12, tzinfo=UTC)  # the first of April has expired, the second has not


class DyingEraser(DeltaEraser):
    """Its process dies before or after the commit."""

    def __init__(self, root: Path, point: str) -> None:
        super().__init__(root)
        self._point = point

    def erase(self, *arguments: Any, **named: Any) -> None:
        if self._point == "before erase":
            os._exit(9)
        super().erase(*arguments, **named)
        if self._point == "after erase":
            os._exit(9)


def main(folder: str, point: str) -> None:
    """Let go what is too old at LATER."""
    database, stores = open_stores(Path(folder))

    def die_at_second_removal(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.remove" and str(arguments[0]).endswith(".parquet"):
            removed.append(str(arguments[0]))
            if len(removed) == 2:
                os._exit(9)

    removed: list[str] = []
    if point == "after first removal":
        sys.addaudithook(die_at_second_removal)
    job = expire(
        stores,
        KEEP,
        journal=DyingJournal(stores.journal, point),
        eraser=DyingEraser(Path(folder) / "tables", point),
    )
    job(at=LATER, actor="test")
    database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
