"""The question that a prediction answers: what a request contains, and at which instant it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from trimtab.kernel.place import caller
from trimtab.kernel.source import Source


@dataclass(frozen=True, eq=False)
class Question:
    """Rows of a source, asked about at the instant in one of its columns.

    Training sets take their rows and instants from here, so that a model learns from what it will be asked.

    Args:
        source: one row a question; its key names the prediction.
        at: column with the instant as of which features are looked up.
        fields: columns that a request carries, beside the key.
    """

    source: Source
    at: str
    fields: tuple[str, ...]
    place: str = field(default_factory=lambda: caller(3))

    @property
    def key(self) -> str:
        """The request field that names a prediction."""
        return self.source.keys[0]
