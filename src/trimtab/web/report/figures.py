"""The figures of a lived period, read by name. What is absent is unknown, never zero."""

from __future__ import annotations

from collections.abc import Mapping

from trimtab.kernel.canonical import Json


class Figures:
    """Reads what `trimtab demo --json` writes."""

    def __init__(self, found: Mapping[str, Json]) -> None:
        self._found = found

    def number(self, name: str) -> float | None:
        """A finite or infinite number."""
        value = self._found.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def count(self, name: str) -> int | None:
        """A whole number."""
        value = self.number(name)
        return None if value is None else int(value)

    def text(self, name: str) -> str | None:
        """Words."""
        value = self._found.get(name)
        return value if isinstance(value, str) else None

    def truth(self, name: str) -> bool | None:
        """Yes or no."""
        value = self._found.get(name)
        return value if isinstance(value, bool) else None

    def group(self, name: str) -> Figures | None:
        """Figures that belong together."""
        value = self._found.get(name)
        return Figures(value) if isinstance(value, dict) else None
