"""Something that the loop did, for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Stage: TypeAlias = Literal[
    "data", "features", "training", "validation", "deployment", "serving", "monitoring", "retraining"
]
Mark: TypeAlias = Literal["good", "bad", "unsure", "step", "routine"]


@dataclass(frozen=True)
class Happening:
    """One line of the story. What is routine happens at every turn, and is left out where turns are many."""

    stage: Stage
    text: str
    mark: Mark = "step"
