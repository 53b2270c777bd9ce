"""The label: what is predicted, and where its truth arrives."""

from __future__ import annotations

from dataclasses import dataclass, field

from trimtab.kernel.canonical import Json
from trimtab.kernel.place import caller
from trimtab.kernel.source import Source

FEEDBACK = "feedback"  # the name of the source that `trimtab.feedback` declares
GIVEN_KEY, GIVEN_LABEL = "key", "label"  # two of its columns


@dataclass(frozen=True, eq=False)
class Label:
    """A column of a source. The source's key names the row it belongs to; its known time is when truth arrives.

    With `feedback` the truth may also be sent, for an answer's id or its key: of both, what is known last counts.
    """

    source: Source
    column: str
    kind: str = "binary"
    place: str = field(default_factory=lambda: caller(3))
    feedback: Source | None = None  # made by `trimtab.feedback`

    def body(self) -> dict[str, Json]:
        """As stored in the release."""
        told = {"source": self.source.name, "column": self.column, "kind": self.kind, "known": self.source.known}
        return {**told, "feedback": self.feedback.name} if self.feedback is not None else dict(told)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where the truth may come from."""
        return (self.source,) if self.feedback is None else (self.source, self.feedback)


KINDS = ("binary",)
