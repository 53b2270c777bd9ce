"""The online store: a projection of feature views and window events that can be read in microseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class OnlineReader(Protocol):
    """Used by every worker."""

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values in the order of the keys, of one consistent snapshot."""
        ...


class OnlineWriter(Protocol):
    """Used by one writer process at a time."""

    def put(self, items: Mapping[bytes, bytes]) -> None:
        """Write all items, or none."""
        ...
