"""An immutable version of a source: which files, which content, known until when."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.kernel.canonical import Json, JsonMap


@dataclass(frozen=True)
class DatasetVersion:
    """A stored manifest. Version n holds the rows of all versions up to n; `files` are those that n added."""

    source: str
    number: int  # 1, 2, 3, …
    digest: str  # SHA-256 over the digest of version n - 1 and the content that n added
    rows: int  # rows that n added
    quarantined: int  # rows that n refused
    known_from_us: int  # n added what became known in (known_from_us, known_until_us]
    known_until_us: int
    files: tuple[tuple[str, str], ...]  # (path in the source's table, SHA-256)
    schema: tuple[tuple[str, str], ...]  # (column, Polars type)
    refused: tuple[tuple[str, str], ...] = ()  # (path in the source's quarantine, SHA-256)
    seen: int = 0  # rows with a known time that the versions up to this one took from the feed, or refused
    backfilled: int = 0  # of `rows`, those that came late: their known time was raised to `known_until_us`
    blocked_since_us: int = 0  # the look at which the source broke, if this version is the first since; or 0

    profile: str = ""  # names the blob with the profile of the rows that n added; versions of old have none
    warned: tuple[tuple[str, int], ...] = ()  # (check that only warns, rows that failed it and were let in)
    released: int = 0  # of `rows`, those let in from quarantine: their known time is not before `known_until_us`
    releases: int = 0  # how many reviews of the source's quarantine the versions up to this one have carried out

    @property
    def id(self) -> str:
        """As written in records and explanations: 'weather@12'."""
        return version_id(self.source, self.number)

    @property
    def repaired(self) -> bool:
        """Whether the source had been blocked until this version."""
        return self.blocked_since_us > 0

    def body(self) -> dict[str, Json]:
        """As stored."""
        return {**self.__dict__, **{name: [list(one) for one in getattr(self, name)] for name in _PAIRS}}


_PAIRS = ("files", "schema", "refused", "warned")


def version_id(source: str, number: int) -> str:
    """Numbers are padded so that ids sort as they were written.

    >>> version_id("weather", 12)
    'weather@000012'
    """
    return f"{source}@{number:06d}"


def dataset_version_from(body: JsonMap) -> DatasetVersion:
    """Read back what `DatasetVersion.body` wrote."""
    pairs = {name: tuple(tuple(one) for one in body[name]) for name in _PAIRS if name in body}  # type: ignore[union-attr,arg-type]
    return DatasetVersion(**{**body, **pairs})  # type: ignore[arg-type]
