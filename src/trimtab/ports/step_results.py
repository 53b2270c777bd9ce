"""Results of finished steps by their cache key."""

from __future__ import annotations

from typing import Protocol

from trimtab.kernel.canonical import JsonMap


class StepResults(Protocol):
    """A step's result is small plain data; frames and models are blobs that it names by digest.

    Called from several threads at once. A result that `put` has returned from survives the process.
    """

    def get(self, key: str) -> JsonMap | None:
        """The result stored under a cache key."""
        ...

    def put(self, key: str, result: JsonMap) -> JsonMap:
        """Store a result; the first one stays if two processes finish the same step. Returns the one that stays."""
        ...
