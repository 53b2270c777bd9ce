"""A measured fact about a system in production."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.kernel.canonical import Json


@dataclass(frozen=True)
class Evidence:
    """A number with its interval, and how much independent data stands behind it."""

    system: str
    release: str
    metric: str
    since_us: int  # the period of the predictions, [since, until)
    until_us: int
    value: float
    low: float
    high: float
    confidence: float
    rows: int  # predictions with a label
    blocks: int  # independent blocks (days)

    def body(self) -> dict[str, Json]:
        """As stored."""
        return dict(self.__dict__)
