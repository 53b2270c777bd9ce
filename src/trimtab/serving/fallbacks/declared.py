"""What every fallback has that a system can declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from trimtab.kernel.errors import TrimtabError
from trimtab.ports.fallback import Fallback


@runtime_checkable
class DeclaredFallback(Fallback, Protocol):
    """A fallback with its settings, as it stands in the system's file."""

    @property
    def name(self) -> str:
        """With its settings."""
        ...

    @property
    def place(self) -> str:
        """Where it was declared."""
        ...

    @property
    def last(self) -> bool:
        """Whether it answers every row, so that nothing behind it is ever asked."""
        ...

    def problems(self, label: str) -> Iterator[TrimtabError]:
        """What is wrong with its settings, where scores are of a label of that kind."""
        ...
