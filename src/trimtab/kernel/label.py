"""The label: what is predicted, and where its truth arrives."""

from __future__ import annotations

from dataclasses import dataclass, field

from trimtab.kernel.canonical import Json
from trimtab.kernel.place import caller
from trimtab.kernel.source import Source


@dataclass(frozen=True, eq=False)
class Label:
    """A column of a source. The source's key names the row it belongs to; its known time is when truth arrives."""

    source: Source
    column: str
    kind: str = "binary"
    place: str = field(default_factory=lambda: caller(3))

    def body(self) -> dict[str, Json]:
        """As stored in the release."""
        return {"source": self.source.name, "column": self.column, "kind": self.kind, "known": self.source.known}


KINDS = ("binary",)
