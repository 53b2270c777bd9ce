"""Scores of recorded rows by releases that did not answer them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trimtab.kernel.canonical import Json


class RecordedScorer(Protocol):
    """A release's answer is a function of the features that its record holds: it can be made again at any time."""

    def definition(self, release: str) -> str:
        """Of a release's features, by its digest: releases with the same one can score each other's rows.

        Raises:
            TrimtabError: there is no such release, or it is not what it was.
        """
        ...

    def score(self, release: str, rows: Sequence[Sequence[Json]]) -> list[float]:
        """What a release says to rows of feature values, in the order of its feature names; bit for bit as online.

        Raises:
            Exception: whatever the model raises, or the opening of it.
        """
        ...
