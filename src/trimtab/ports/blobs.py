"""Content-addressed bytes."""

from __future__ import annotations

from typing import Protocol


class Blobs(Protocol):
    """Bytes named by their SHA-256."""

    def put(self, data: bytes) -> str:
        """Store bytes; returns their digest. Storing the same bytes twice does nothing."""
        ...

    def get(self, digest: str) -> bytes:
        """Read bytes back, checked against their digest.

        Raises:
            NotFound: no such blob.
            Corrupt: the bytes are not what was stored.
        """
        ...
