"""Explain: a dataset version in words."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.kernel.dataset_version import DatasetVersion
from trimtab.kernel.happening import Happening


def told_of(version: DatasetVersion) -> Iterator[Happening]:
    """What it brought, what it refused, what came late."""
    yield Happening("data", f"{version.id}: {version.rows:,} rows", "routine")
    if version.quarantined:
        rows = "1 row" if version.quarantined == 1 else f"{version.quarantined:,} rows"
        yield Happening("data", f"{version.id}: {rows} broke the contract, now in quarantine", "unsure")
    if version.released:
        rows = "1 row" if version.released == 1 else f"{version.released:,} rows"
        yield Happening("data", f"{version.id}: {rows} let in from quarantine, known since now")
    for check, count in version.warned:
        rows = "1 row" if count == 1 else f"{count:,} rows"
        yield Happening("data", f"{version.id}: {check} ({rows}; let in, the check only warns)", "unsure")
    if version.backfilled:
        yield Happening(
            "data", f"{version.id}: {version.backfilled:,} rows came late, and count as known since now"
        )
