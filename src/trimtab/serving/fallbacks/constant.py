"""Constant: always the same score, e.g. the rate at which the label is true."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trimtab.kernel.errors import InvalidValue, TrimtabError
from trimtab.kernel.place import caller
from trimtab.ports.fallback import Said, Unanswered


@dataclass(frozen=True)
class Constant:
    """Implements DeclaredFallback."""

    score: float
    place: str = ""
    kind = "constant"
    last = True

    @property
    def name(self) -> str:
        """With its score."""
        return f"constant({self.score!r})"

    def problems(self, label: str) -> Iterator[TrimtabError]:
        """A score that no release could give."""
        low, high = (0.0, 1.0) if label == "binary" else (-math.inf, math.inf)
        score: object = self.score  # whatever somebody has written there
        number = isinstance(score, int | float) and not isinstance(score, bool)
        if not (number and math.isfinite(self.score) and low <= self.score <= high):
            allowed = "a number from 0 to 1, since the label is binary" if label == "binary" else "a finite number"
            yield InvalidValue("the constant of a fallback", self.score, allowed=allowed, where=self.place)

    def answer(self, asked: Unanswered) -> Sequence[Said | None]:
        """The same to every row."""
        return [Said(float(self.score))] * len(asked.rows)


def constant(score: float) -> Constant:
    """Answer every row with one score; nothing can stand behind it.

    Args:
        score: finite; of a binary label from 0 to 1.
    """
    return Constant(score, caller())
