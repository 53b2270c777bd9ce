"""The online store: a projection of feature views and window events that can be read in microseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol


class OnlineReader(Protocol):
    """Used by every worker."""

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values in the order of the keys, of one consistent snapshot.

        Raises:
            OnlineStoreUnavailable: a server does not answer. None means that a key is not there, and only that.
        """
        ...

    def held(self, keys: Sequence[bytes]) -> AbstractContextManager[Sequence[bytes | memoryview | None]]:
        """`get` without a copy: what is given may be read only as long as the context lasts."""
        ...


class OnlineWriter(Protocol):
    """Used by one writer process at a time."""

    def put(self, items: Mapping[bytes, bytes | None]) -> None:
        """Write all items, or none; None removes a key. Keys have 1 to 511 bytes.

        Raises:
            OnlineStoreUnavailable: a server does not take them.
        """
        ...


class OwnedStore(OnlineReader, OnlineWriter, Protocol):
    """The store of the process that writes it."""

    def close(self) -> None:
        """Let go of it."""
        ...
