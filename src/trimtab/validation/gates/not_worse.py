"""Not worse than the champion: paired on the same rows, with days as the unit of evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from trimtab.kernel.errors import InvalidValue, TrimtabError
from trimtab.kernel.place import caller
from trimtab.kernel.verdict import Outcome, Verdict
from trimtab.stats.metrics import METRICS
from trimtab.validation.measured import measured, verdict
from trimtab.validation.settings import problems_of
from trimtab.validation.trial import Trial


@dataclass(frozen=True)
class NotWorse:
    """Non-inferiority: pass if the harm is below the margin with confidence, fail if it is above."""

    metric: str
    margin: float
    confidence: float
    place: str = ""

    @property
    def name(self) -> str:
        """With its settings."""
        return f"not_worse({self.metric}, margin={self.margin:g})"

    def problems(self, fields: Sequence[str]) -> Iterator[TrimtabError]:  # noqa: ARG002 - no request field is used
        """What is wrong with its settings."""
        yield from problems_of(self.metric, self.confidence, self.place, margin=self.margin)
        if self.margin < 0:
            yield InvalidValue("margin", self.margin, allowed="0 or more", where=self.place)

    def judge(self, trial: Trial) -> Verdict:
        """The paired difference, as harm: positive when the challenger is worse."""
        metric, harm = METRICS[self.metric], harm_of(self.metric)
        found, unknown = measured(harm, trial, ["challenger", "champion"], confidence=self.confidence)
        if unknown:
            outcome, says = Outcome.INCONCLUSIVE, unknown
        elif found.high <= self.margin:
            outcome, says = Outcome.PASS, "any harm is below the margin"
        elif found.low > self.margin:
            outcome, says = Outcome.FAIL, "the harm is above the margin"
        else:
            outcome, says = Outcome.INCONCLUSIVE, "the margin lies within the interval"
        interval = f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
        reason = (
            f"harm in {self.metric} against {trial.champion_name} {interval} {metric.unit} over "
            f"{found.blocks} days, margin {self.margin:g}: {says}"
        )
        return verdict(self, trial, found, bound=self.margin, outcome=outcome, reason=reason)


def harm_of(metric: str) -> Callable[..., float]:
    """Of label, challenger and champion: positive when the challenger is worse."""
    one = METRICS[metric]
    sign = -1.0 if one.higher_is_better else 1.0
    return lambda label, challenger, champion: (
        sign * (one.function(label, challenger) - one.function(label, champion))
    )


def not_worse(metric: str, *, margin: float = 0.002, confidence: float = 0.95) -> NotWorse:
    """Paired non-inferiority against the champion; against the constant base rate where there is no champion.

    Args:
        metric: "roc_auc" or "log_loss".
        margin: the largest harm that is acceptable, in the metric's unit.
        confidence: of the interval, whose blocks are days.
    """
    return NotWorse(metric, margin, confidence, caller())
