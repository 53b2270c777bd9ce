"""Are the files of dataset versions what was written? Each is held against the SHA-256 in its manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from trimtab.house.house import House
from trimtab.kernel.errors import Corrupt
from trimtab.kernel.source import Source

_TOGETHER = 50  # versions whose files are looked at between two words of progress


@dataclass(frozen=True)
class StoredFiles:
    """What was found of one source."""

    source: str
    versions: int
    files: int
    harm: Corrupt | None  # the first


def stored_files(
    house: House, sources: Sequence[Source], progress: Callable[[str, int, int], None]
) -> Iterator[StoredFiles]:
    """Look at every file that versions of these sources name, those in quarantine too."""
    for source in sources:
        versions = house.versions.all(source.name)
        files, harm = 0, None
        for first in range(0, len(versions), _TOGETHER):
            some = versions[first : first + _TOGETHER]
            taken = [file for one in some for file in one.files]
            refused = [file for one in some for file in one.refused]
            files += len(taken) + len(refused)
            try:
                house.tables.check(source.table, taken)
                house.tables.check(f"quarantine/{source.name}", refused)
            except Corrupt as error:
                harm = harm or error
            progress(source.name, first + len(some), len(versions))
        yield StoredFiles(source.name, len(versions), files, harm)
