"""Explain: a dataset version in words."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.kernel.counted import counted
from trimtab.kernel.dataset_version import DatasetVersion
from trimtab.kernel.happening import Happening


def told_of(version: DatasetVersion) -> Iterator[Happening]:
    """What it brought, what it refused, what came late."""
    yield Happening("data", f"{version.id}: {counted(version.rows, 'row')}", "routine")
    if version.quarantined:
        rows = counted(version.quarantined, "row")
        yield Happening("data", f"{version.id}: {rows} broke the contract, now in quarantine", "unsure")
    if version.released:
        rows = counted(version.released, "row")
        yield Happening("data", f"{version.id}: {rows} let in from quarantine, known since now")
    for check, count in version.warned:
        rows = counted(count, "row")
        yield Happening("data", f"{version.id}: {check} ({rows}; let in, the check only warns)", "unsure")
    if version.backfilled:
        rows = counted(version.backfilled, "row")
        yield Happening("data", f"{version.id}: {rows} came late, known since now")
