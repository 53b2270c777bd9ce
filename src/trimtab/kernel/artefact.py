"""Artefacts: named bytes that a step leaves behind (a plot, a model, a report), kept by digest."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from trimtab.kernel.canonical import sha256


@dataclass(frozen=True)
class Artefact:
    """A handle to stored bytes: small, so that it can be returned from a step and passed to the next one."""

    name: str
    digest: str  # SHA-256 of the bytes
    size_bytes: int
    load: Callable[[], bytes] = field(repr=False, compare=False)

    def read(self) -> bytes:
        """The bytes, checked against the digest by the store they come from."""
        return self.load()


current_attach: ContextVar[Callable[[str, bytes], Artefact] | None] = ContextVar("current_attach", default=None)


def attach(name: str, data: bytes) -> Artefact:
    """Keep bytes with the step that is running, under a name; outside a pipeline nothing is stored.

    >>> attach("note.txt", b"abc").read()
    b'abc'
    """
    keep = current_attach.get()
    return keep(name, data) if keep else Artefact(name, sha256(data), len(data), lambda: data)
