"""A stream's batches as they are stored, and how many small ones become one.

They are merged 256 at a time, on the pattern of a log-structured merge tree: neither the number of batches nor how
often a row is written again grows with the history but by its logarithm.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from io import BytesIO
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import polars as pl

FAN_OUT = 256  # batches of one level that are merged into one of the next
FULL_BYTES = 8 << 20  # what a merge may write at once
FINAL = -1  # the level of batches that are not merged any more

# The rows as `packed` made them; the column whose nulls stand for the time of acceptance, if any; that time.
Stored: TypeAlias = tuple[bytes, str | None, int]


def merge(connection: sqlite3.Connection) -> bool:
    """Merge the oldest batches of a level that has enough of them; whether there were any."""
    level = connection.execute(
        "SELECT level FROM batches WHERE level >= 0 GROUP BY level HAVING count(*) >= ? LIMIT 1", [FAN_OUT]
    ).fetchone()
    if level is None:
        return False
    group: list[Any] = connection.execute(
        "SELECT id, oldest_us, newest_us, length(rows), known_at_us FROM batches"
        " WHERE level = ? ORDER BY id LIMIT ?",
        [*level, FAN_OUT],
    ).fetchall()
    first, last = group[0][0], group[-1][0]
    between = [first, last]
    within = connection.execute("SELECT count(*) FROM batches WHERE id BETWEEN ? AND ?", between).fetchone()[0]
    rows = None
    # The order of acceptance is kept: only neighbours are merged.
    if within == len(group) and sum(one[3] for one in group) <= FULL_BYTES:
        found = connection.execute(
            "SELECT rows, stamped, known_at_us FROM batches WHERE id BETWEEN ? AND ? ORDER BY id", between
        )
        frames = unpacked(found)
        if all(one.schema == frames[0].schema for one in frames):
            rows = pl.concat(frames)
    if rows is None:
        connection.execute(
            "UPDATE batches SET level = ? WHERE level = ? AND id BETWEEN ? AND ?", [FINAL, *level, *between]
        )
        return True
    connection.execute("DELETE FROM batches WHERE id BETWEEN ? AND ?", between)
    told = [first, level[0] + 1, rows.height, min(one[1] for one in group), max(one[2] for one in group)]
    connection.execute(
        "INSERT INTO batches VALUES (?, ?, ?, ?, ?, NULL, ?, ?)", [*told, group[-1][4], packed(rows)]
    )
    return True


def packed(rows: pl.DataFrame) -> bytes:
    """As an Arrow IPC stream; compressed where that pays."""
    buffer = BytesIO()
    rows.write_ipc_stream(buffer, compression="lz4" if rows.height > FAN_OUT else "uncompressed")
    return buffer.getvalue()


def unpacked(stored: Iterable[Stored]) -> list[pl.DataFrame]:
    """Batches with their known times; neighbours of one schema are one frame."""
    read: list[tuple[pl.DataFrame, str | None, int]] = [
        (pl.read_ipc_stream(rows), stamped, known_at_us) for rows, stamped, known_at_us in stored
    ]
    frames = []
    for _, run in groupby(read, lambda one: (one[0].schema, one[1])):
        group = list(run)
        whole = pl.concat([frame for frame, _, _ in group])
        stamped = group[0][1]
        if stamped is not None:
            # Once for all of them: an expression for each would take longer than reading it.
            times = np.repeat([known_at_us for _, _, known_at_us in group], [frame.height for frame, _, _ in group])
            told = pl.Series(stamped, times, dtype=pl.Int64).cast(whole.schema[stamped])
            whole = whole.with_columns(whole[stamped].fill_null(told))
        frames.append(whole)
    return frames
