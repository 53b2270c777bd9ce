"""A measured fact about a system in production."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trimtab.kernel.canonical import Json, JsonMap

_UNKNOWN = {"value": math.nan, "low": -math.inf, "high": math.inf}


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
        """As stored; a number that is not finite becomes null, for JSON has none."""
        numbers = {name: getattr(self, name) if math.isfinite(getattr(self, name)) else None for name in _UNKNOWN}
        return {**self.__dict__, **numbers}


def evidence_from(body: JsonMap) -> Evidence:
    """Read back what `Evidence.body` wrote."""
    numbers = {name: unknown if body[name] is None else body[name] for name, unknown in _UNKNOWN.items()}
    return Evidence(**{**body, **numbers})  # type: ignore[arg-type]
