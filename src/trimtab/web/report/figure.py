"""What a chart gives to the page: the picture twice, and its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

_NOTHING = Markup("")
WIDE, NARROW = 960, 350  # pixels; the page shows the narrow picture where it has less than 760


@dataclass(frozen=True)
class Numbers:
    """A table for those who want the numbers, or cannot see the picture."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = (0,)  # columns that hold words; the others hold numbers


@dataclass(frozen=True)
class Key:
    """One line of a legend: the class of the swatch, and what it stands for."""

    swatch: str
    text: str


@dataclass(frozen=True)
class Figure:
    """One chart. Without a picture, `empty` says why."""

    title: str
    says: str = ""
    wide: Markup = _NOTHING
    narrow: Markup = _NOTHING
    keys: tuple[Key, ...] = ()
    named: bool = False  # the wide picture names its lines itself
    numbers: Numbers | None = None
    empty: str = ""
