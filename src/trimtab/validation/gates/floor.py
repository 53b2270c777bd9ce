"""An absolute floor: the challenger must reach a value, whatever the champion does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trimtab.kernel.errors import TrimtabError
from trimtab.kernel.place import caller
from trimtab.kernel.verdict import Outcome, Verdict
from trimtab.stats.metrics import METRICS
from trimtab.validation.measured import measured, verdict
from trimtab.validation.settings import problems_of
from trimtab.validation.trial import Trial


@dataclass(frozen=True)
class Floor:
    """Pass: the whole interval is good enough. Fail: none of it is. Otherwise inconclusive."""

    metric: str
    bound: float
    confidence: float
    place: str = ""
    draws: int = 200  # resamples behind the interval

    @property
    def name(self) -> str:
        """With its settings."""
        return f"floor({self.metric}, at_least={self.bound:g})"

    def problems(self, fields: Sequence[str]) -> Iterator[TrimtabError]:  # noqa: ARG002 - no request field is used
        """What is wrong with its settings."""
        yield from problems_of(self.metric, self.confidence, self.place, at_least=self.bound)

    def judge(self, trial: Trial) -> Verdict:
        """The metric of the challenger against the bound."""
        metric = METRICS[self.metric]
        found, unknown = measured(
            metric.function, trial, ["challenger"], confidence=self.confidence, draws=self.draws
        )
        worst_case, best_case, bound = found.low, found.high, self.bound
        if not metric.higher_is_better:
            worst_case, best_case, bound = -found.high, -found.low, -self.bound
        if unknown:
            outcome, says = Outcome.INCONCLUSIVE, unknown
        elif worst_case >= bound:
            outcome, says = Outcome.PASS, "the whole interval is good enough"
        elif best_case < bound:
            outcome, says = Outcome.FAIL, "no part of the interval is good enough"
        else:
            outcome, says = Outcome.INCONCLUSIVE, "the bound lies within the interval"
        interval = f"{found.value:.4f} ({found.low:.4f} to {found.high:.4f})"
        wanted = f"{'at least' if metric.higher_is_better else 'at most'} {self.bound:g} wanted"
        reason = f"{self.metric} {interval} over {found.blocks} days, {wanted}: {says}"
        return verdict(self, trial, found, bound=self.bound, outcome=outcome, reason=reason)


def floor(metric: str, *, at_least: float, confidence: float = 0.95) -> Floor:
    """An absolute bound on a metric of the held-out rows; for a loss it is an upper bound.

    Args:
        metric: "roc_auc" or "log_loss".
        at_least: the bound; for a loss, at most.
        confidence: of the interval, whose blocks are days.
    """
    return Floor(metric, at_least, confidence, caller())
