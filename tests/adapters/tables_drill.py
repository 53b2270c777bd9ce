"""A process that appends: `tables_drill.py ROOT WRITER COUNT`. Prints each number that it has appended."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from trimtab.adapters.tables_delta import DeltaTables


def main(root: str, writer: str, count: int) -> None:
    """Bring the writer's appends up to `count`, from wherever an earlier process stopped."""
    tables = DeltaTables(Path(root))
    last = tables.last("drill", writer)
    for number in range(last.number + 1 if last else 1, count + 1):
        frame = pl.DataFrame({"writer": [writer] * 3, "number": [number] * 3, "row": [0, 1, 2]})
        tables.append("drill", frame, writer=writer, number=number, note={"n": number})
        print(number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
