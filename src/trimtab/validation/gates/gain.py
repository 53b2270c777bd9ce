"""Gain: the challenger is better than the champion on the held-out rows; else there is nothing to roll out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.place import caller
from trimtab.kernel.verdict import Outcome, Verdict
from trimtab.validation.gates.not_worse import harm_of
from trimtab.validation.measured import measured, verdict
from trimtab.validation.settings import problems_of
from trimtab.validation.trial import Trial


@dataclass(frozen=True)
class Gain:
    """Pass if the gain is proven, fail if the held-out rows show none, inconclusive in between."""

    metric: str
    at_least: float
    confidence: float
    place: str = ""

    @property
    def name(self) -> str:
        """With its settings."""
        return f"gain({self.metric}, at_least={self.at_least:g})"

    def problems(self, fields: Sequence[str]) -> Iterator[TrimtabError]:  # noqa: ARG002 - no request field is used
        """What is wrong with its settings."""
        yield from problems_of(self.metric, self.confidence, self.place, at_least=self.at_least)

    def judge(self, trial: Trial) -> Verdict:
        """The paired difference, as gain: positive when the challenger is better."""
        harm = harm_of(self.metric)
        found, unknown = measured(
            lambda *arrays: -harm(*arrays), trial, ["challenger", "champion"], confidence=self.confidence
        )
        if unknown:
            outcome, says = Outcome.INCONCLUSIVE, unknown
        elif found.value <= self.at_least:
            outcome, says = Outcome.FAIL, "there is no such gain"
        elif found.low > self.at_least:
            outcome, says = Outcome.PASS, "the gain is proven"
        else:
            outcome, says = Outcome.INCONCLUSIVE, "there is a gain, which the interval does not prove"
        interval = f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
        reason = (
            f"gain in {self.metric} over {trial.champion_name} {interval} over {found.blocks} days, "
            f"more than {self.at_least:g} wanted: {says}"
        )
        return verdict(self, trial, found, bound=self.at_least, outcome=outcome, reason=reason)


def gain(metric: str, *, at_least: float = 0.0, confidence: float = 0.95) -> Gain:
    """Refuse a challenger that shows no gain over the champion; over the base rate where there is no champion.

    Args:
        metric: "roc_auc" or "log_loss".
        at_least: the gain must be larger, in the metric's unit.
        confidence: of the interval, whose blocks are days.
    """
    return Gain(metric, at_least, confidence, caller())
