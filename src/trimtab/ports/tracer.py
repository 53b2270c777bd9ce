"""Traces: what a request waited for, told to whoever gathers spans. Instants are nanoseconds since 1970 UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

Attributes: TypeAlias = Mapping[str, "str | int | float | bool"]


class Span(Protocol):
    """One request that is traced."""

    def child(self, name: str, started_ns: int, ended_ns: int, attributes: Attributes) -> None:
        """A part of it, told once it is over."""
        ...

    def end(self, attributes: Attributes, *, failed: bool) -> None:
        """It is answered."""
        ...


class Tracer(Protocol):
    """One for a process."""

    def request(self, name: str, headers: Sequence[tuple[bytes, bytes]], attributes: Attributes) -> Span | None:
        """A request begins; as a part of its client's trace, if its headers say so. None: it is not sampled."""
        ...

    def close(self) -> None:
        """Send what is gathered, or give up after a few seconds."""
        ...
