"""What answers in a release's place when it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from trimtab.kernel.canonical import JsonMap
from trimtab.ports.feature_reader import FeatureBlock


@dataclass(frozen=True)
class Said:
    """A fallback's answer to one row."""

    score: float
    release: str = ""  # digest of the release that scored; "": none did
    block: FeatureBlock | None = None  # what that release scored
    place: int = 0  # of the row in it


@dataclass(frozen=True)
class Unanswered:
    """Rows that a release could not answer."""

    rows: Sequence[JsonMap]  # as they were sent, without `as_of`
    previous: Callable[[], Sequence[Said | None]]  # what the release before says to them
    failed: Callable[[], None]  # told, within the handler of an exception, of a row that it did not answer


class Fallback(Protocol):
    """One way to answer without the release that should."""

    @property
    def kind(self) -> str:
        """As answers and records name it."""
        ...

    def answer(self, asked: Unanswered) -> Sequence[Said | None]:
        """Scores that are finite, in the order of the rows; None: it does not answer that row.

        Raises:
            Exception: it answers none of them.
        """
        ...
