"""A bar on a terminal, with a mark for what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.cli.screen import ACCENT, FAINT


@dataclass(frozen=True)
class Axis:
    """What a bar's ends stand for."""

    lowest: float
    highest: float
    letters: int

    def told(self, of: str, bar: str, mark: str) -> str:
        """A heading for bars."""
        return f"{of} {self.lowest:.2f} to {self.highest:.2f}: {bar} ━, {mark} ┃"

    def place(self, value: float) -> int:
        """The letter at which a value stands; beyond an end it stands at the end."""
        return round(self.letters * min(max((value - self.lowest) / (self.highest - self.lowest), 0), 1))


def bar(value: float, beside: float, axis: Axis, colour: str = "bold") -> str:
    """A bar as long as a value, and a mark in a colour where the other value stands."""
    filled = axis.place(value)
    cells = [f"[{ACCENT}]━[/]" if place < filled else f"[{FAINT}]─[/]" for place in range(axis.letters + 1)]
    cells[axis.place(beside)] = f"[{colour}]┃[/]"
    return "".join(cells)
