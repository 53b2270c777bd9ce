"""What a gate says: pass, fail or inconclusive, with numbers and their uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from trimtab.kernel.canonical import Json, JsonMap


class Outcome(StrEnum):
    """Ordered from best to worst, so that combining verdicts is taking the worst."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"


_NUMBERS = ("value", "low", "high")


@dataclass(frozen=True)
class Verdict:
    """One gate's judgement of one challenger."""

    gate: str  # the gate with its settings, e.g. "floor(roc_auc, at_least=0.65)"
    outcome: Outcome
    metric: str
    value: float  # the measured effect, in the metric's unit
    low: float  # interval of `value` at `confidence`
    high: float
    confidence: float
    bound: float  # what the value was held against
    rows: int
    blocks: int  # independent blocks (days) behind the interval
    reason: str  # one sentence a person can read

    def body(self) -> dict[str, Json]:
        """As stored in the ledger; a number that is not finite becomes null, for JSON has none."""
        numbers = {name: _finite(getattr(self, name)) for name in _NUMBERS}
        return {**self.__dict__, **numbers, "outcome": str(self.outcome)}


def verdict_from(body: JsonMap) -> Verdict:
    """Read back what `Verdict.body` wrote."""
    numbers = {name: math.nan if body[name] is None else body[name] for name in _NUMBERS}
    return Verdict(**{**body, **numbers, "outcome": Outcome(str(body["outcome"]))})  # type: ignore[arg-type]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def worst(verdicts: list[Verdict]) -> Outcome:
    """The combined outcome: the worst of all; no verdict at all is inconclusive, never a pass."""
    order = list(Outcome)
    return max((one.outcome for one in verdicts), key=order.index, default=Outcome.INCONCLUSIVE)
