"""What a measure is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trimtab.features.windows import Members
from trimtab.features.windows.events import Floats


@dataclass(frozen=True)
class Measure:
    """A number for each question, from the events in its window."""

    value: Callable[[Members], Floats]  # shape (m,); NaN: no value
    text: bool = False  # also over text and categories
    own: bool = False  # what it gives is one of the measured values: text stays text, a boolean a boolean
