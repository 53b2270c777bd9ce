"""Remembers the digests of frames that are alive, so that a frame passed from step to step is hashed once."""

from __future__ import annotations

import threading
import weakref

import polars as pl


class FrameMemory:
    """Frames by identity and by digest; forgets a frame when the user's code lets go of it.

    A copy that shares the frame's buffers is kept beside each digest: a frame changed in place no longer
    equals its copy and is not recognised.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._known: dict[int, tuple[weakref.ref[pl.DataFrame], pl.DataFrame, str]] = {}
        self._by_digest: dict[str, int] = {}

    def remember(self, frame: pl.DataFrame, digest: str) -> None:
        """Note that the bytes of `frame` have this digest."""
        key = id(frame)
        gone = weakref.ref(frame, lambda _: self._forget(key))
        with self._lock:
            self._known[key] = (gone, frame.clone(), digest)
            self._by_digest[digest] = key

    def digest_of(self, frame: pl.DataFrame) -> str | None:
        """The digest of a frame that is known and unchanged."""
        with self._lock:
            found = self._known.get(id(frame))
        if found is None or found[0]() is not frame:
            return None
        _, copy, digest = found
        return digest if frame.schema == copy.schema and frame.equals(copy) else None

    def frame_of(self, digest: str) -> pl.DataFrame | None:
        """A frame with this digest, if one is alive; the caller may change it in place."""
        with self._lock:
            found = self._known.get(self._by_digest.get(digest, 0))
        if found is None or found[2] != digest:
            return None
        frame = found[1].clone()
        self.remember(frame, digest)
        return frame

    def _forget(self, key: int) -> None:
        with self._lock:
            found = self._known.pop(key, None)
            if found is not None and self._by_digest.get(found[2]) == key:
                del self._by_digest[found[2]]
