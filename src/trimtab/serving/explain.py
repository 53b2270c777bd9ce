"""Explain: a compaction in words."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.kernel.canonical import short
from trimtab.kernel.counted import counted
from trimtab.kernel.happening import Happening
from trimtab.serving.compactor import Compaction


def told_of(done: Compaction) -> Iterator[Happening]:
    """What moved into the table, and what could not."""
    if done.rows:
        kept = "" if done.kept == done.rows else f"{done.kept:,} of "
        told = f"{kept}{done.rows:,} predictions compacted from {len(done.segments)} segments"
        yield Happening("serving", told, "routine")
    for name in done.corrupt:
        yield Happening("serving", f"segment {name} is not what was sealed: set aside", "bad")
    for one in done.unscored:
        rows = counted(one.rows, "row")
        told = f"release {short(one.release)} could not score {rows} that another one had answered: {one.because}"
        yield Happening("serving", told, "bad")
