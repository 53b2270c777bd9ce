"""Appending rows to streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from trimtab.kernel.errors import TrimtabError


@dataclass(frozen=True)
class Append:
    """One request."""

    source: str
    body: bytes  # JSON: {"rows": [{column: value, …}, …]}
    key: str = ""  # idempotency: the same key and rows are accepted once


@dataclass(frozen=True)
class Accepted:
    """Rows that are durable."""

    rows: int
    known_at_us: int  # the known time of rows that brought none, or a late one; microseconds since 1970 UTC
    late: int = 0  # rows that brought a known time which features had been made up to already


class Streams(Protocol):
    """Two methods, both of which wait for the disk."""

    def append(self, requests: Sequence[Append]) -> list[Accepted | TrimtabError]:
        """Accept each request whole, or not at all: what became of each, in their order.

        Once this returns, accepted rows have reached the disk. The errors, of one request each:
            UnknownName: no such source.
            NotAStream: a source that takes no rows.
            RequestInvalid: the body is not of this shape.
            RowsRefused: a row is not what the stream declares.
            Conflict: the key came with other rows before.
            InboxUnwritable: the disk does not take them.
        """
        ...

    def tidy(self) -> None:
        """Merge what many small requests have left; a failure costs nothing but speed."""
        ...
